package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reprise/api/token"
	"reprise/event"
	"reprise/storage"
	"reprise/storage/cache"
	"reprise/stream"
	"reprise/vod"
)

const filmID = "01890000-0000-7000-8000-000000000001" // an asset

// SoundOnly has the sound of each presentation.
func (f *fakePlayout) SoundOnly(a stream.Address, now time.Time) (*stream.Document, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.place(a); err != nil {
		return nil, err
	}
	return f.doc(fmt.Sprint("sound ", a), -1, false), nil
}

// PreviewFile has the files of lateID.
func (f *fakePlayout) PreviewFile(id vod.MediaID, rendition, name string) (stream.File, error) {
	if id != lateID {
		return stream.File{}, stream.ErrNotFound
	}
	file, err := f.File("conf", id, rendition, name, noon, func(event.AuditoriumID, event.TalkID) bool { return true }, true)
	file.Private = true
	return file, err
}

// SourceFile has one film, which is for the staff of conf, and for no staff.
func (f *fakePlayout) SourceFile(ev event.ID, id vod.AssetID) (stream.File, error) {
	if id != filmID || ev == "other" {
		return stream.File{}, stream.ErrNotFound
	}
	return stream.File{ContentType: "video/mp4", ETag: `"source"`, Object: "media/v720", Length: initLen + 2*segLen, Private: true}, nil
}

// previews is a playout with a preview of lateID, for the staff of conf and for whom the scope names it.
type previews struct{ *fakePlayout }

func (p previews) shown(a stream.Address) error {
	if a.View == stream.Preview && (a.Media != lateID || a.Event == "other") {
		return stream.ErrNotFound
	}
	return nil
}

func (p previews) Multivariant(a stream.Address, now time.Time) (*stream.Document, error) {
	if a.View != stream.Preview {
		return p.fakePlayout.Multivariant(a, now)
	}
	return p.doc(fmt.Sprint("preview ", a), -1, true), p.shown(a)
}

func (p previews) SoundOnly(a stream.Address, now time.Time) (*stream.Document, error) {
	if a.View != stream.Preview {
		return p.fakePlayout.SoundOnly(a, now)
	}
	return p.doc(fmt.Sprint("preview sound ", a), -1, true), p.shown(a)
}

func (p previews) Media(a stream.Address, rendition string, now time.Time, skip bool) (*stream.Document, error) {
	if a.View != stream.Preview {
		return p.fakePlayout.Media(a, rendition, now, skip)
	}
	return p.doc(fmt.Sprint("preview media ", a, rendition), 7, true), p.shown(a)
}

func withPreviews(_ *Config, d *Deps) { d.Playout = previews{d.Playout.(*fakePlayout)} }

// TestR239_PreviewsOpenForNobodyElse is each address of a preview against each kind of token.
func TestR239_PreviewsOpenForNobodyElse(t *testing.T) {
	t.Parallel()
	w := setup(t, withPreviews)
	attendees := []string{w.mint("playback", "event"), w.mint("playback", "aud:main aud:side"), w.mint("playback", "talk:t1 talk:"+lateID+" aud:"+lateID)}
	other := w.mint("playback", token.MediaScope(mediaID)+" "+token.AssetScope("another"))
	media, asset := w.mint("playback", token.MediaScope(lateID)), w.mint("playback", token.AssetScope(filmID))
	for route, want := range map[string]struct{ attendees, other, media, asset, staff, elsewhere int }{
		"preview/" + lateID + "/multivariant.m3u8":    {403, 403, 200, 403, 200, 404},
		"preview/" + lateID + "/audio.m3u8":           {403, 403, 200, 403, 200, 404},
		"preview/" + lateID + "/v720.m3u8":            {403, 403, 200, 403, 200, 404},
		"preview/" + lateID + "/fr/v720.m3u8":         {404, 404, 404, 404, 404, 404},
		"preview/" + lateID + "/v720":                 {404, 404, 404, 404, 404, 404},
		"preview/" + lateID:                           {404, 404, 404, 404, 404, 404},
		"preview//v720.m3u8":                          {404, 404, 404, 404, 404, 404},
		"preview/none/v720.m3u8":                      {403, 403, 403, 403, 404, 404},
		"s/" + lateID + "/v720/0-x.m4s":               {404, 404, 200, 404, 200, 404},
		"s/" + mediaID + "/v720/0-x.m4s":              {-1, 404, 404, 404, 200, 404},
		"source/" + filmID + "/film.mp4":              {403, 403, 403, 200, 200, 404},
		"source/none/film.mp4":                        {403, 403, 403, 403, 404, 404},
		"source/" + filmID + "/film.mkv":              {404, 404, 404, 404, 404, 404},
		"source/" + filmID:                            {404, 404, 404, 404, 404, 404},
		"source//film.mp4":                            {404, 404, 404, 404, 404, 404},
		"source/" + filmID + "/film.mp4/film.mp4":     {404, 404, 404, 404, 404, 404},
		"live/main/fr/multivariant.m3u8":              {-1, 403, 403, 403, 200, 404},
		"replay/t0/fr/audio.m3u8":                     {-1, 403, 403, 403, 200, 404},
		"live/main/fr/audio/audio.m3u8":               {404, 404, 404, 404, 404, 404},
		"startover/t2/fr/audio.m3u8":                  {-1, 403, 403, 403, 404, 404},
		"s/" + lateID + "/audio-fr.m4a":               {404, 404, 404, 404, 404, 404},
		"s/" + mediaID + "/poster.jpg":                {-1, 404, 404, 404, 200, 404},
		"s/" + lateID + "/" + "v720" + "/init-x.mp4/": {404, 404, 404, 404, 404, 404},
	} {
		check := func(who, tok string, want int) {
			if want < 0 {
				return // told by TestR210_R239_GateTable
			}
			for _, method := range []string{"GET", "HEAD"} {
				if rec := w.do(method, "/p/"+tok+"/"+route); rec.Code != want {
					t.Errorf("%s %s by %s: %d, want %d", method, route, who, rec.Code, want)
				}
			}
		}
		for _, tok := range attendees {
			check("an attendee", tok, want.attendees)
		}
		check("somebody with another preview", other, want.other)
		check("somebody with this preview", media, want.media)
		check("somebody with this film", asset, want.asset)
		check("staff", w.mint("playback", "", staff), want.staff)
		check("staff of another event", w.mint("playback", "", staff, anotherEvent), want.elsewhere)
	}
}

func TestR203_PreviewsAreKeptByNoCacheButTheirs(t *testing.T) {
	t.Parallel()
	w := setup(t, withPreviews)
	tok := w.mint("playback", token.MediaScope(lateID)+" "+token.AssetScope(filmID))
	for route, want := range map[string][2]string{
		"preview/" + lateID + "/multivariant.m3u8": {"application/vnd.apple.mpegurl", "private, no-store"},
		"preview/" + lateID + "/audio.m3u8":        {"application/vnd.apple.mpegurl", "private, no-store"},
		"preview/" + lateID + "/v720.m3u8":         {"application/vnd.apple.mpegurl", "private, max-age=60"},
		"s/" + lateID + "/v720/0-x.m4s":            {"video/iso.segment", "private, max-age=3600"},
		"source/" + filmID + "/film.mp4":           {"video/mp4", "private, no-store"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			h := w.do(method, "/p/"+tok+"/"+route).Header()
			if h.Get("Content-Type") != want[0] || h.Get("Cache-Control") != want[1] || h.Get("Etag") == "" {
				t.Errorf("%s %s: %v", method, route, h)
			}
		}
	}
	same := w.do("GET", "/p/"+tok+"/s/"+lateID+"/v720/0-x.m4s", `If-None-Match: "0-x.m4s"`)
	if same.Code != 304 || same.Header().Get("Cache-Control") != "private, max-age=3600" {
		t.Errorf("%d %v", same.Code, same.Header())
	}
	if got := metric(t, w, `reprise_http_requests_total{route="source",status="200"}`); got != "2" {
		t.Errorf("%s requests for the source", got)
	}
	if text := w.log.String(); strings.Contains(text, strings.Split(tok, ".")[1]) {
		t.Error("the log holds a token")
	}
}

// TestR206_SourceHasRanges: a browser seeks in a film by asking for its ranges.
func TestR206_SourceHasRanges(t *testing.T) {
	t.Parallel()
	w := setup(t)
	target := "/p/" + w.mint("playback", token.AssetScope(filmID)) + "/source/" + filmID + "/film.mp4"
	whole := w.do("GET", target)
	if whole.Code != 200 || !bytes.Equal(whole.Body.Bytes(), w.object) || whole.Header().Get("Accept-Ranges") != "bytes" {
		t.Fatalf("%d %v", whole.Code, whole.Header())
	}
	part := w.do("GET", target, "Range: bytes=1000-1999")
	if part.Code != 206 || !bytes.Equal(part.Body.Bytes(), w.object[1000:2000]) ||
		part.Header().Get("Content-Range") != fmt.Sprintf("bytes 1000-1999/%d", len(w.object)) || part.Header().Get("Cache-Control") != "private, no-store" {
		t.Errorf("%d %v", part.Code, part.Header())
	}
	wantProblem(t, w.do("GET", target, "Range: bytes=99999999-"), 416, "range-not-satisfiable", "no-store")
}

func TestSoundAloneBesideEachMultivariant(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tok := w.mint("playback", "event")
	for _, place := range []string{"live/main/fr", "startover/t1/en", "replay/t0/fr"} {
		sound, all := w.do("GET", "/p/"+tok+"/"+place+"/audio.m3u8"), w.do("GET", "/p/"+tok+"/"+place+"/multivariant.m3u8")
		if sound.Code != 200 || !strings.Contains(sound.Body.String(), "# sound") || sound.Header().Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s: %d %v", place, sound.Code, sound.Header())
		}
		if all.Code != 200 || strings.Contains(all.Body.String(), "# sound") {
			t.Errorf("%s: %d", place, all.Code)
		}
	}
}

// withCache puts a cache before the store, as it is before a remote one.
func withCache(t testing.TB) option {
	return func(_ *Config, d *Deps) {
		c, err := cache.New(cache.Config{
			Dir: t.TempDir(), BlockSize: 64 << 10, MaxRequest: 256 << 10, Registry: prometheus.NewRegistry(),
			Now: func() time.Time { return noon }, Wait: func(ctx context.Context, _ time.Time) error { <-ctx.Done(); return ctx.Err() },
		}, bare{d.Objects}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		d.Objects = c
	}
}

// TestACachedRangeIsSentBySendfile: the socket is handed block files, not bytes.
func TestACachedRangeIsSentBySendfile(t *testing.T) {
	t.Parallel()
	w := setup(t, withCache(t))
	want := w.big()
	base, client, stop, done := w.run()
	url := base + "/p/" + w.mint("playback", "event") + "/s/" + mediaID + "/v720/big.m4s"
	for range 2 {
		if got := readAll(t, get(t, client, url).Body); !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, want %d", len(got), len(want))
		}
	}
	stop()
	if err := wantEnd(t, done); err != nil {
		t.Error(err)
	}
	body, err := w.server.gate.open(t.Context(), &stream.File{Object: "media/big", Length: bigLen}, 100, bigLen-200)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	sink := &fileSink{}
	if n, err := copyBody(sink, body, bigLen-200); err != nil || n != bigLen-200 || sink.files < n {
		t.Errorf("%d bytes, %d of them from files: %v", n, sink.files, err)
	}
}

// fileSink counts what it could send by sendfile.
type fileSink struct{ files int64 }

func (s *fileSink) Write(p []byte) (int, error) { return len(p), nil }

func (s *fileSink) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(io.Discard, r)
	if limited, ok := r.(*io.LimitedReader); ok {
		if _, ok := limited.R.(interface{ Fd() uintptr }); ok {
			s.files += n
		}
	}
	return n, err
}

// TestAStoreThatBreaksOffEndsTheConnection: a client must not take half a segment for a whole one.
func TestAStoreThatBreaksOffEndsTheConnection(t *testing.T) {
	t.Parallel()
	w := setup(t, func(_ *Config, d *Deps) { d.Objects = breaking{d.Objects} })
	base, client, _, _ := w.run()
	resp := get(t, client, base+"/p/"+w.mint("playback", "event")+"/s/"+mediaID+"/v720/0-x.m4s")
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || resp.StatusCode != http.StatusOK || n > 1000 {
		t.Errorf("%d and %d bytes: %v", resp.StatusCode, n, err)
	}
}

// breaking is a store whose ranges end early.
type breaking struct{ storage.Store }

func (breaking) OpenRange(context.Context, storage.Key, int64, int64) (io.ReadCloser, error) {
	return short{bytes.NewReader(make([]byte, 1000))}, nil
}

type short struct{ *bytes.Reader }

func (short) Close() error { return nil }
