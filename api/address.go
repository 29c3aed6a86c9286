package api

import (
	"strings"

	"reprise/stream"
)

// request is what a path under /p/ asks for. Its strings are parts of the path.
type request struct {
	token string

	// A playlist: view is set, and rendition ("" for the multivariant playlist).
	view      stream.View
	place     string // auditorium or talk; of a preview, the media
	language  string // "" of a preview
	rendition string
	sound     bool // the multivariant playlist of the sound alone

	// A file: media is set; rendition is "" for pictures and chapters.
	media string
	name  string

	// A film as it was handed in: asset is set.
	asset string
}

const (
	prefix       = "/p/"
	multivariant = "multivariant"
	soundOnly    = "audio"
	sourceFolder = "source"
	sourceName   = "film.mp4"
	extension    = ".m3u8"
)

// parse reads a path under /p/ without allocation:
//
//	/p/{token}/{live|startover|replay}/{auditorium|talk}/{language}/{multivariant|audio|rendition}.m3u8
//	/p/{token}/preview/{media}/{multivariant|audio|rendition}.m3u8
//	/p/{token}/s/{media}/{rendition}/{name}
//	/p/{token}/s/{media}/{name}
//	/p/{token}/source/{asset}/film.mp4
//
// ok is false for another shape; the token is found all the same when there is
// one, since who asks is answered before what.
func parse(path string) (q request, ok bool) {
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok {
		return q, false
	}
	q.token, rest, ok = strings.Cut(rest, "/")
	if !ok {
		return q, false
	}
	head, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return q, false
	}
	switch head {
	case "s":
		return q.file(rest)
	case sourceFolder:
		q.asset, rest, _ = strings.Cut(rest, "/")
		return q, q.asset != "" && rest == sourceName
	case string(stream.Live):
		q.view = stream.Live
	case string(stream.StartOver):
		q.view = stream.StartOver
	case string(stream.Replay):
		q.view = stream.Replay
	case string(stream.Preview):
		q.view = stream.Preview
	default:
		return q, false
	}
	q.place, rest, _ = strings.Cut(rest, "/")
	if q.view != stream.Preview {
		q.language, rest, _ = strings.Cut(rest, "/")
		ok = q.language != ""
	}
	stem, suffix := strings.CutSuffix(rest, extension)
	if !ok || !suffix || q.place == "" || stem == "" || strings.IndexByte(stem, '/') >= 0 {
		return q, false
	}
	switch stem {
	case multivariant:
	case soundOnly:
		q.sound = true
	default:
		q.rendition = stem
	}
	return q, true
}

func (q request) file(rest string) (request, bool) {
	var more bool
	q.media, rest, more = strings.Cut(rest, "/")
	if !more {
		return q, false
	}
	q.rendition, q.name, more = strings.Cut(rest, "/")
	if !more {
		q.rendition, q.name = "", q.rendition
	} else if q.rendition == "" {
		return q, false
	}
	return q, q.media != "" && q.name != "" && strings.IndexByte(q.name, '/') < 0
}

// directives are the delivery directives of a playlist request (bis section 6.2.5).
type directives struct {
	msn  int64 // _HLS_msn; -1: absent
	skip bool  // _HLS_skip
}

// maxMSN bounds _HLS_msn: 15 digits, so that no sum overflows.
const maxMSN = 999_999_999_999_999

// parseDirectives reads the _HLS_ directives of a raw query without
// allocation. All else (CMCD, and what a CDN adds) is ignored (R220). A
// directive that is repeated or malformed, and _HLS_part without _HLS_msn
// (R192), is errDirective.
//
// _HLS_part=n is legal beside _HLS_msn=m; without parts the whole segment m
// answers it.
func parseDirectives(query string) (d directives, err error) {
	d.msn = -1
	var part bool
	for query != "" {
		var item string
		item, query, _ = strings.Cut(query, "&")
		if !strings.HasPrefix(item, "_HLS_") {
			continue
		}
		name, value, _ := strings.Cut(item, "=")
		switch name {
		case "_HLS_msn":
			n, ok := digits(value)
			if !ok || d.msn >= 0 {
				return d, errDirective
			}
			d.msn = n
		case "_HLS_part":
			if _, ok := digits(value); !ok || part {
				return d, errDirective
			}
			part = true
		case "_HLS_skip":
			if (value != "YES" && value != "v2") || d.skip {
				return d, errDirective
			}
			d.skip = true
		}
	}
	if part && d.msn < 0 {
		return d, errDirective
	}
	return d, nil
}

// digits reads a decimal-integer of at most 15 digits.
func digits(s string) (n int64, ok bool) {
	if s == "" || len(s) > 15 {
		return 0, false
	}
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, n <= maxMSN
}

// acceptsGzip reports whether an Accept-Encoding header admits gzip (RFC 9110
// section 12.5.3), without allocation.
func acceptsGzip(header string) bool {
	for header != "" {
		var item string
		item, header, _ = strings.Cut(header, ",")
		name, params, _ := strings.Cut(item, ";")
		name = strings.TrimSpace(name)
		if !strings.EqualFold(name, "gzip") && name != "*" {
			continue
		}
		weight, found := strings.CutPrefix(strings.TrimSpace(params), "q=")
		return !found || strings.Trim(weight, "0.") != ""
	}
	return false
}

// matches reports whether an If-None-Match or If-Match list names tag. Weak tags match (RFC 9110 section 13.1.2).
func matches(header, tag string) bool {
	if header == tag { // what nearly every client sends
		return true
	}
	for header != "" {
		var item string
		item, header, _ = strings.Cut(header, ",")
		item = strings.TrimSpace(item)
		if item == "*" || strings.TrimPrefix(item, "W/") == tag {
			return true
		}
	}
	return false
}
