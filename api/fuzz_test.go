package api

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"reprise/stream"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "/p/", "/p/t", "/p/t/live/main/fr/v720.m3u8", "/p/t/replay/t1/en/multivariant.m3u8", "/p/t/s/m/v720/0-x.m4s", "/p/t/s/m/poster.jpg",
		"/p//live/a/b/c.m3u8", "/p/t/s//x/", "/p/t/live/../fr/.m3u8", "/p/t/startover/a/b/.m3u8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		q, ok := parse(path)
		if !ok {
			return
		}
		// What parses is spelled in exactly one way.
		again := prefix + q.token + "/"
		switch {
		case q.media == "":
			name := q.rendition
			if name == "" {
				name = multivariant
			}
			again += string(q.view) + "/" + q.place + "/" + q.language + "/" + name + extension
		case q.rendition == "":
			again += "s/" + q.media + "/" + q.name
		default:
			again += "s/" + q.media + "/" + q.rendition + "/" + q.name
		}
		if again != path {
			t.Fatalf("%q is read as %q", path, again)
		}
		for _, part := range []string{q.token, q.place, q.language, q.rendition, q.media, q.name} {
			if strings.Contains(part, "/") {
				t.Fatalf("%q: a part holds a slash: %+v", path, q)
			}
		}
		if q.view != "" && q.view != stream.Live && q.view != stream.StartOver && q.view != stream.Replay {
			t.Fatalf("%q: view %q", path, q.view)
		}
	})
}

func FuzzDirectives(f *testing.F) {
	for _, s := range []string{"", "_HLS_msn=1", "_HLS_msn=1&_HLS_part=2&_HLS_skip=YES", "_HLS_part=1", "CMCD=a%2Cbs&_HLS_msn=07", "_HLS_msn=1&_HLS_msn=1", "&&=&", "_HLS_skip=v2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		d, err := parseDirectives(query)
		cmcd(&http.Request{URL: &url.URL{RawQuery: query}, Header: http.Header{}})
		starved(query)
		if err != nil {
			return
		}
		if d.msn < -1 || d.msn > maxMSN {
			t.Fatalf("%q: msn %d", query, d.msn)
		}
		values, err := url.ParseQuery(query)
		if err != nil || strings.Contains(query, "%") || strings.Contains(query, ";") || strings.Contains(query, "+") {
			return
		}
		// The library's reader agrees on what is there.
		if (d.msn >= 0) != values.Has("_HLS_msn") || d.skip != values.Has("_HLS_skip") || (values.Has("_HLS_part") && d.msn < 0) {
			t.Fatalf("%q: %+v, url.ParseQuery says %v", query, d, values)
		}
		if len(values["_HLS_msn"]) > 1 || len(values["_HLS_part"]) > 1 || len(values["_HLS_skip"]) > 1 {
			t.Fatalf("%q: a repeated directive passes", query)
		}
	})
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-", "bytes=-5", "bytes=5-3", "bytes=1-2,3-4", "x", "bytes=99999999999999999999-"} {
		f.Add(s, int64(1000))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		start, length, kind := parseRange(header, size)
		if kind == rangePart && (start < 0 || length <= 0 || start+length > size) {
			t.Fatalf("%q of %d: %d+%d", header, size, start, length)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add("gzip, br;q=0.1", `W/"a", "b"`, "fr-CH, en;q=0.8")
	f.Add(";,;q=", ",,*", "q=,;;fr;q=9e999")
	f.Fuzz(func(t *testing.T, encoding, match, language string) {
		acceptsGzip(encoding)
		matches(match, `"x"`)
		if l := languageOf(language); l != french && l != english {
			t.Fatal(l)
		}
	})
}

// FuzzGate throws whole requests at the gate: whatever comes, an answer of the
// known kinds goes back, and nobody without a token gets anything.
func FuzzGate(f *testing.F) {
	w := setup(f, func(_ *Config, d *Deps) { d.Log = slog.New(slog.DiscardHandler) })
	tok := w.mint("playback", "event")
	for _, s := range []string{"live/main/fr/v720.m3u8", "s/" + mediaID + "/v720/0-x.m4s", "replay/t0/fr/multivariant.m3u8", "x"} {
		f.Add("GET", s, "_HLS_skip=YES", "bytes=0-5", true)
	}
	f.Fuzz(func(t *testing.T, method, path, query, header string, holder bool) {
		if strings.Contains(query, "_HLS_msn") {
			return // would wait for a clock that nobody moves
		}
		token := "x"
		if holder {
			token = tok
		}
		r := &http.Request{Method: method, URL: &url.URL{Path: prefix + token + "/" + path, RawQuery: query}, Header: http.Header{
			"Range": {header}, "If-None-Match": {header}, "Accept-Language": {header}, "Accept-Encoding": {header}, "If-Range": {header}}}
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		switch rec.Code {
		case 200, 206, 304:
			if !holder || (method != "GET" && method != "HEAD") {
				t.Fatalf("%s %q: %d without a right to it", method, path, rec.Code)
			}
		case 204, 400, 401, 403, 404, 405, 410, 416:
		default:
			t.Fatalf("%s %q: %d %s", method, path, rec.Code, rec.Body)
		}
	})
}
