package api

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"reprise/storage"
)

func TestR201_R203_FileHeaders(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]*world{"R203 sendfile": setup(t), "R203 any store": setup(t, withoutFiles), "R203 cache": setup(t, withCache(t))} {
		p := "/p/" + w.mint("playback", "event") + "/s/" + mediaID
		for target, want := range map[string]struct {
			contentType string
			body        []byte
		}{
			"/v720/init-x.mp4": {"video/mp4", w.object[:initLen]},
			"/v720/0-x.m4s":    {"video/iso.segment", w.object[initLen : initLen+segLen]},
			"/v720/1-x.m4s":    {"video/iso.segment", w.object[initLen+segLen:]},
			"/poster.jpg":      {"image/jpeg", w.object[:99]},
			"/s-fr/0-x.vtt":    {"text/vtt", []byte("WEBVTT\n\n" + strings.Repeat("NOTE of words\n\n", 40))},
		} {
			t.Run(name+" "+target, func(t *testing.T) {
				rec := w.do("GET", p+target)
				h := rec.Header()
				if rec.Code != 200 || !bytes.Equal(rec.Body.Bytes(), want.body) {
					t.Fatalf("%d and %d bytes, want %d", rec.Code, rec.Body.Len(), len(want.body))
				}
				if h.Get("Content-Type") != want.contentType || h.Get("Content-Length") != fmt.Sprint(len(want.body)) {
					t.Errorf("R201: headers %v", h)
				}
				if h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("Etag") == "" || h.Get("Accept-Ranges") != "bytes" {
					t.Errorf("R203 R206 R207: headers %v", h)
				}
				head := w.do("HEAD", p+target)
				for _, same := range []string{"Content-Type", "Content-Length", "Cache-Control", "Etag", "Accept-Ranges"} {
					if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get(same) != h.Get(same) {
						t.Errorf("HEAD: %s %q, want %q", same, head.Header().Get(same), h.Get(same))
					}
				}
			})
		}
	}
}

// withoutFiles gives the server a store that has no files to lend.
func withoutFiles(_ *Config, d *Deps) { d.Objects = bare{d.Objects} }

type bare struct{ storage.Store }

func TestR206_Ranges(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]*world{"sendfile": setup(t), "any store": setup(t, withoutFiles), "cache": setup(t, withCache(t))} {
		tok := w.mint("playback", "event")
		for _, file := range []struct {
			path string
			body []byte
		}{
			{"/v720/0-x.m4s", w.object[initLen : initLen+segLen]},
			{"/v720/init-x.mp4", w.object[:initLen]},
			{"/s-fr/0-x.vtt", []byte("WEBVTT\n\n" + strings.Repeat("NOTE of words\n\n", 40))},
		} {
			n := len(file.body)
			for header, want := range map[string][2]int{ // from, to (exclusive); to < 0: 416; from < 0: 200
				"bytes=0-":                            {0, n},
				"bytes=0-0":                           {0, 1},
				"bytes=5-99":                          {5, 100},
				"bytes=-7":                            {n - 7, n},
				"bytes=-99999999":                     {0, n},
				"bytes=10-99999999":                   {10, n},
				fmt.Sprintf("bytes=%d-", n-1):         {n - 1, n},
				fmt.Sprintf("bytes=%d-", n):           {0, -1},
				"bytes=99999999-":                     {0, -1},
				"bytes=-0":                            {0, -1},
				"bytes=9-5":                           {-1, 0},
				"bytes=":                              {-1, 0},
				"bytes=-":                             {-1, 0},
				"bytes=a-b":                           {-1, 0},
				"bytes=0-1,5-6":                       {-1, 0},
				"items=0-1":                           {-1, 0},
				"bytes=99999999999999999999-":         {-1, 0},
				"bytes=0-99999999999999999999999999,": {-1, 0},
			} {
				t.Run(name+file.path+" "+header, func(t *testing.T) {
					rec := w.do("GET", "/p/"+tok+"/s/"+mediaID+file.path, "Range: "+header)
					h := rec.Header()
					switch {
					case want[0] < 0:
						if rec.Code != 200 || !bytes.Equal(rec.Body.Bytes(), file.body) || h.Get("Content-Range") != "" {
							t.Errorf("%d, %v; want all of it", rec.Code, h)
						}
					case want[1] < 0:
						if h.Get("Content-Range") != fmt.Sprintf("bytes */%d", n) {
							t.Errorf("Content-Range %q", h.Get("Content-Range"))
						}
						wantProblem(t, rec, 416, "range-not-satisfiable", "no-store")
					default:
						if rec.Code != 206 || !bytes.Equal(rec.Body.Bytes(), file.body[want[0]:want[1]]) {
							t.Errorf("%d and %d bytes", rec.Code, rec.Body.Len())
						}
						if got, want := h.Get("Content-Range"), fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, n); got != want {
							t.Errorf("Content-Range %q, want %q", got, want)
						}
						if h.Get("Content-Length") != fmt.Sprint(want[1]-want[0]) {
							t.Errorf("Content-Length %q", h.Get("Content-Length"))
						}
					}
				})
			}
		}
	}
}

func TestR206_RangeIsOfGETOnly(t *testing.T) { // RFC 9110 section 14.2
	t.Parallel()
	w := setup(t)
	rec := w.do("HEAD", "/p/"+w.mint("playback", "event")+"/s/"+mediaID+"/v720/0-x.m4s", "Range: bytes=0-9")
	if rec.Code != 200 || rec.Header().Get("Content-Length") != fmt.Sprint(segLen) {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
}

func TestR206_IfRange(t *testing.T) {
	t.Parallel()
	w := setup(t)
	target := "/p/" + w.mint("playback", "event") + "/s/" + mediaID + "/v720/0-x.m4s"
	for condition, status := range map[string]int{`"0-x.m4s"`: 206, `W/"0-x.m4s"`: 200, `"other"`: 200, "Mon, 23 Nov 2026 12:00:00 GMT": 200} {
		if rec := w.do("GET", target, "Range: bytes=0-9", "If-Range: "+condition); rec.Code != status {
			t.Errorf("If-Range %s: %d, want %d", condition, rec.Code, status)
		}
	}
}

func TestR200_WebVTTIsCompressed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	target := "/p/" + w.mint("playback", "event") + "/s/" + mediaID + "/s-fr/0-x.vtt"
	plain, packed := w.do("GET", target), w.do("GET", target, "Accept-Encoding: gzip")
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" || plain.Header().Get("Vary") != "Accept-Encoding" {
		t.Fatalf("R200: headers %v", packed.Header())
	}
	if packed.Header().Get("Etag") == plain.Header().Get("Etag") || packed.Body.Len() >= plain.Body.Len() {
		t.Errorf("R200: %d bytes of %d, %v", packed.Body.Len(), plain.Body.Len(), packed.Header())
	}
	part := w.do("GET", target, "Accept-Encoding: gzip", "Range: bytes=0-5")
	if part.Code != 206 || part.Header().Get("Content-Encoding") != "" || part.Body.String() != "WEBVTT" {
		t.Errorf("R206: gzip and range: %d %v %q", part.Code, part.Header(), part.Body)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := setup(t)
	p := "/p/" + w.mint("playback", "event")
	w.do("GET", p+"/live/main/fr/v720.m3u8")
	w.do("GET", p+"/live/none/fr/v720.m3u8")
	w.do("GET", p+"/s/"+mediaID+"/v720/0-x.m4s", "Range: bytes=0-999")
	w.do("GET", "/healthz")
	for name, want := range map[string]string{
		`reprise_playlist_requests_total{status="200",view="live"}`:    "1",
		`reprise_playlist_requests_total{status="404",view="live"}`:    "1",
		`reprise_http_requests_total{route="segment",status="206"}`:    "1",
		`reprise_http_requests_total{route="health",status="200"}`:     "1",
		`reprise_segment_bytes_total`:                                  "1000",
		`reprise_http_requests_in_flight`:                              "0",
		`reprise_http_request_duration_seconds_count{route="segment"}`: "1",
	} {
		if got := metric(t, w, name); got != want {
			t.Errorf("%s = %q, want %s", name, got, want)
		}
	}
	if rec := w.do("GET", "/metrics"); rec.Code != 404 {
		t.Errorf("metrics on the public handler: %d", rec.Code)
	}
}

// metric returns the value of one metric, or "".
func metric(t testing.TB, w *world, name string) string {
	t.Helper()
	rec := httptest.NewRecorder()
	w.server.MetricsHandler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(rec.Body.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
