package uploads

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"reprise/vod"
)

// Bounds of what a client may say of its file.
const (
	maxHeader      = 8 << 10 // bytes of Upload-Metadata
	maxKeys        = 32
	maxName        = 200 // bytes of a file name
	maxType        = 127
	maxFingerprint = 256
	maxID          = 128
	maxLanguages   = 16
	maxTag         = 35 // BCP 47, section 4.4.1
)

// announced reads what a creation request says of the file: the row without
// its identity. Keys that are not known are passed over.
func announced(h http.Header) (vod.Upload, error) {
	if h.Get("Upload-Defer-Length") != "" || h.Get("Upload-Concat") != "" {
		return vod.Upload{}, ErrExtension
	}
	size, err := strconv.ParseInt(h.Get("Upload-Length"), 10, 64)
	if err != nil || size < 0 {
		return vod.Upload{}, ErrLength
	}
	if size == 0 {
		return vod.Upload{}, ErrEmpty
	}
	meta, err := metadata(h.Values("Upload-Metadata"))
	if err != nil {
		return vod.Upload{}, err
	}
	u := vod.Upload{Size: size}
	if u.Name, err = cleanName(meta["filename"]); err != nil {
		return vod.Upload{}, err
	}
	u.Type = cleanType(meta["filetype"])
	u.SHA256 = strings.ToLower(meta["sha256"])
	if sum, err := hex.DecodeString(u.SHA256); u.SHA256 != "" && (err != nil || len(sum) != 32) {
		return vod.Upload{}, fmt.Errorf("%w: sha256 is not 64 hex digits", ErrMetadata)
	}
	if u.Languages, err = languages(meta["languages"]); err != nil {
		return vod.Upload{}, err
	}
	if u.Language = meta["language"]; u.Language != "" && !validTag(u.Language) {
		return vod.Upload{}, fmt.Errorf("%w: language %q", ErrMetadata, u.Language)
	}
	for key, to := range map[string]*string{"talk": &u.Talk, "asset": (*string)(&u.Asset), "fingerprint": &u.Fingerprint} {
		limit := maxID
		if key == "fingerprint" {
			limit = maxFingerprint
		}
		if *to = meta[key]; len(*to) > limit || strings.ContainsFunc(*to, unprintable) {
			return vod.Upload{}, fmt.Errorf("%w: %s", ErrMetadata, key)
		}
	}
	return u, nil
}

// metadata parses Upload-Metadata (tus 1.0, creation): pairs of key and Base64,
// with commas between.
func metadata(lines []string) (map[string]string, error) {
	meta := map[string]string{}
	line := strings.Join(lines, ",")
	if len(line) > maxHeader {
		return nil, fmt.Errorf("%w: over %d bytes", ErrMetadata, maxHeader)
	}
	if line == "" {
		return meta, nil
	}
	for pair := range strings.SplitSeq(line, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
		if err != nil {
			decoded, err = base64.RawStdEncoding.DecodeString(strings.TrimSpace(value))
		}
		_, twice := meta[key]
		if key == "" || err != nil || !utf8.Valid(decoded) || twice || len(meta) == maxKeys {
			return nil, ErrMetadata
		}
		meta[key] = string(decoded)
	}
	return meta, nil
}

// unprintable are characters that no name may have: controls, line ends, marks
// that turn the direction of what stands beside them (U+202E and its like), and other invisible ones.
func unprintable(r rune) bool {
	return r == utf8.RuneError || unicode.Is(unicode.C, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}

// cleanName makes a name that can be shown and logged of what a browser calls
// the file: without folders, one space at a time, short, its extension kept.
func cleanName(name string) (string, error) {
	name = strings.ReplaceAll(name, `\`, "/")
	name = path.Base("/" + strings.TrimRight(name, "/"))
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unprintable(r):
			return -1
		}
		return r
	}, name)
	name = strings.Trim(strings.Join(strings.Fields(name), " "), ". ")
	if name == "" || name == "/" {
		return "", ErrName
	}
	if len(name) > maxName {
		extension := path.Ext(name)
		if len(extension) > 16 {
			extension = ""
		}
		stem := name[:maxName-len(extension)]
		for !utf8.ValidString(stem) {
			stem = stem[:len(stem)-1]
		}
		name = strings.TrimRight(stem, ". ") + extension
	}
	return name, nil
}

// cleanType keeps a media type of the usual form; anything else is as good as none.
func cleanType(t string) string {
	usual := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/.+-", r))
	}
	if len(t) > maxType || strings.Count(t, "/") != 1 || strings.ContainsFunc(t, func(r rune) bool { return !usual(r) }) {
		return ""
	}
	return strings.ToLower(t)
}

// languages reads tags with commas between.
func languages(list string) ([]string, error) {
	var tags []string
	for tag := range strings.SplitSeq(list, ",") {
		if tag = strings.TrimSpace(tag); tag == "" {
			continue
		}
		if !validTag(tag) || len(tags) == maxLanguages {
			return nil, fmt.Errorf("%w: languages %q", ErrMetadata, list)
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

func validTag(tag string) bool {
	if tag == "" || len(tag) > maxTag {
		return false
	}
	return !strings.ContainsFunc(tag, func(r rune) bool {
		return r >= utf8.RuneSelf || !(unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-')
	})
}
