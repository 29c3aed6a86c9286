package uploads

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

func dump(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestCleanName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 300)
	for name, want := range map[string]string{
		"talk.mp4":                      "talk.mp4",
		"Été – 14 h.mov":                "Été – 14 h.mov",
		`C:\fakepath\talk.mp4`:          "talk.mp4",
		"../../etc/passwd":              "passwd",
		"/a/b/talk.mp4/":                "talk.mp4",
		"a\x00b\nc\t d.mp4":             "ab c d.mp4",
		"photo\u202e4pm.exe":            "photo4pm.exe", // shown as photoexe.mp4
		"\u2066\u200b\ufefftalk\u2028":  "talk",
		"  two   spaces \u00a0here.mkv": "two spaces here.mkv",
		"....":                          "",
		"..":                            "",
		"/":                             "",
		"":                              "",
		".hidden":                       "hidden",
		"\x1b[31mred.mp4":               "[31mred.mp4",
		long + ".webm":                  strings.Repeat("é", 97) + ".webm",
		"x." + long:                     "x." + strings.Repeat("é", 99),
	} {
		got, err := cleanName(name)
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("%q: %q %v", name, got, err)
		}
	}
}

func TestAnnounced(t *testing.T) {
	t.Parallel()
	many := map[string]string{"filename": "a"}
	for i := range 40 {
		many[strings.Repeat("k", i+1)] = ""
	}
	for name, test := range map[string]struct {
		header string
		err    error
	}{
		"plain":              {metaHeader(map[string]string{"filename": "a.mp4", "unknown": "x"}), nil},
		"key alone":          {"filename YQ==,is_confidential", nil},
		"spaces":             {" filename YQ== , filetype dmlkZW8vbXA0", nil},
		"no padding":         {"filename YQ", nil},
		"sha256":             {metaHeader(map[string]string{"filename": "a", "sha256": "12"}), ErrMetadata},
		"language":           {metaHeader(map[string]string{"filename": "a", "language": "fr\n"}), ErrMetadata},
		"languages":          {metaHeader(map[string]string{"filename": "a", "languages": "fr,e n"}), ErrMetadata},
		"too many languages": {metaHeader(map[string]string{"filename": "a", "languages": strings.Repeat("fr,", 17)}), ErrMetadata},
		"long talk":          {metaHeader(map[string]string{"filename": "a", "talk": strings.Repeat("x", 129)}), ErrMetadata},
		"talk with controls": {metaHeader(map[string]string{"filename": "a", "talk": "x\x00"}), ErrMetadata},
		"twice":              {"filename YQ==,filename YQ==", ErrMetadata},
		"not UTF-8":          {"filename " + base64.StdEncoding.EncodeToString([]byte{0xff}), ErrMetadata},
		"too long":           {metaHeader(map[string]string{"filename": strings.Repeat("x", 9000)}), ErrMetadata},
		"too many":           {metaHeader(many), ErrMetadata},
		"empty pair":         {"filename YQ==,", ErrMetadata},
		"no name":            {"", ErrName},
	} {
		_, err := announced(http.Header{"Upload-Length": {"1"}, "Upload-Metadata": {test.header}})
		if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	u, err := announced(http.Header{"Upload-Length": {"1"}, "Upload-Metadata": {metaHeader(map[string]string{"filename": "a", "filetype": "video/mp4; codecs=\"<x>\""})}})
	if err != nil || u.Type != "" {
		t.Errorf("type %q: %v", u.Type, err)
	}
}

func FuzzAnnounced(f *testing.F) {
	f.Add("12", "filename YQ==,filetype dmlkZW8vbXA0")
	f.Add("1", metaHeader(map[string]string{"filename": "\u202ea/b\x00.mp4", "talk": "x", "languages": "fr,en"}))
	f.Fuzz(func(t *testing.T, size, meta string) {
		u, err := announced(http.Header{"Upload-Length": {size}, "Upload-Metadata": {meta}})
		if err != nil {
			if faultOf(err) == nil {
				t.Errorf("not a fault: %v", err)
			}
			return
		}
		if u.Size < 1 || u.Name == "" || len(u.Name) > maxName || !utf8.ValidString(u.Name) || strings.ContainsFunc(u.Name, unprintable) || strings.ContainsAny(u.Name, `/\`) {
			t.Errorf("%+v", u)
		}
		again, err := cleanName(u.Name)
		if err != nil || again != u.Name {
			t.Errorf("%q cleaned again is %q", u.Name, again)
		}
	})
}
