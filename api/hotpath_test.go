package api

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"reprise/stream"
)

func TestHotPathAllocations(t *testing.T) { // not parallel: AllocsPerRun counts for the whole process
	w := setup(t, func(_ *Config, d *Deps) {
		d.Log = slog.New(slog.DiscardHandler)
		d.Playout = steady{d.Playout, &stream.Document{Body: []byte("#EXTM3U\n"), Gzip: []byte("x"), ETag: `"e"`, LastMSN: 7}}
	})
	for target, limit := range map[string]float64{
		"/live/main/fr/v720.m3u8":                               3, // the two header values and the length's digits
		"/live/main/fr/v720.m3u8?_HLS_msn=7&CMCD=sid%3D%22a%22": 3,
		"/replay/t0/fr/v720.m3u8":                               3,
	} {
		r := httptest.NewRequest("GET", "/p/"+w.mint("playback", "aud:main")+target, nil)
		rw := &blackHole{h: http.Header{}}
		if n := testing.AllocsPerRun(200, func() {
			clear(rw.h)
			w.handler.ServeHTTP(rw, r)
		}); n > limit || rw.status != 0 {
			t.Errorf("%s: %v allocations, want at most %v (status %d)", target, n, limit, rw.status)
		}
	}
	if _, err := parseDirectives(""); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		_, _ = parse("/p/tok/live/main/fr/v720.m3u8")
		_, _ = parseDirectives("CMCD=x&_HLS_msn=17&_HLS_skip=YES")
		acceptsGzip("deflate, gzip;q=0.5")
	}); n != 0 {
		t.Errorf("parsing allocates %v times", n)
	}
}

// steady is a playout that has one document.
type steady struct {
	Playout
	doc *stream.Document
}

func (s steady) Media(stream.Address, string, time.Time, bool) (*stream.Document, error) {
	return s.doc, nil
}

// blackHole is a ResponseWriter that keeps nothing.
type blackHole struct {
	h      http.Header
	status int
}

func (b *blackHole) Header() http.Header         { return b.h }
func (b *blackHole) Write(p []byte) (int, error) { return len(p), nil }
func (b *blackHole) WriteHeader(status int)      { b.status = status }

func BenchmarkGatePlaylist(b *testing.B) {
	w := setup(b, func(_ *Config, d *Deps) {
		d.Log = slog.New(slog.DiscardHandler)
		d.Playout = steady{d.Playout, &stream.Document{Body: make([]byte, 553), Gzip: []byte("x"), ETag: `"e"`, LastMSN: 7}}
	})
	r := httptest.NewRequest("GET", "/p/"+w.mint("playback", "aud:main")+"/live/main/fr/v720.m3u8", nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		rw := &blackHole{h: http.Header{}}
		for pb.Next() {
			clear(rw.h)
			w.handler.ServeHTTP(rw, r)
		}
	})
}
