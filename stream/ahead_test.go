package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"reprise/api"
	"reprise/api/token"
	"reprise/event"
	"reprise/storage"
	"reprise/storage/cache"
	"reprise/stream"
	"reprise/stream/conformance"
	"reprise/stream/hls"
	"reprise/stream/timeline"
)

// covers reports whether a file's bytes are in the ranges.
func covers(ranges []stream.Range, f stream.File) bool {
	return f.Bytes != nil || slices.ContainsFunc(ranges, func(r stream.Range) bool {
		return r.Key == f.Object && r.Offset <= f.Offset && (r.Length < 0 || f.Offset+f.Length <= r.Offset+r.Length)
	})
}

// TestAheadIsAllThatTheTalkOnAirNeeds: at random instants, whatever the
// playlists of all feeds will list until the talk on air is over, and whatever
// they list now, is named. The files are asked for one by one.
func TestAheadIsAllThatTheTalkOnAirNeeds(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Rewind: true, Depth: 100 * time.Second})
	files := map[fileName]stream.File{}
	listed := map[time.Time]map[fileName]bool{} // by all feeds
	names := func(at time.Time) map[fileName]bool {
		if listed[at] == nil {
			listed[at] = namesIn(t, w, live("fr"), at)
			maps.Copy(listed[at], namesIn(t, w, live("en"), at))
		}
		return listed[at]
	}
	rapid.Check(t, func(r *rapid.T) {
		now := doors.Add(time.Duration(rapid.IntRange(0, 48).Draw(r, "now")) * 10 * time.Second)
		lead := time.Duration(rapid.IntRange(0, 300).Draw(r, "lead s")) * time.Second
		ahead := w.Ahead(now, lead)
		until := now
		for _, l := range []event.Language{"fr", "en"} {
			for _, e := range journal(t, w, l).Entries {
				if !e.AirStart.Add(-timeline.Lead - lead).After(now) {
					until = later(until, e.AirEnd())
				}
			}
		}
		for at := now; at == now || at.Before(until.Add(-timeline.Lead)); at = at.Add(30 * time.Second) {
			for n := range names(at) {
				f, ok := files[n]
				if !ok {
					var err error
					if f, err = w.File("conf", n.media, n.rendition, n.name, doors.Add(time.Hour), anyone, false); err != nil {
						r.Fatal(err)
					}
					files[n] = f
				}
				if !covers(ahead, f) {
					r.Fatalf("at %v, what is listed at %v is not read ahead: %+v", now, at, f)
				}
			}
		}
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// TestAheadIsNoMoreThanThat: nothing of a talk beyond the lead, nothing of one that left the window, each byte once.
func TestAheadIsNoMoreThanThat(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Rewind: true, Depth: time.Minute})
	for _, c := range []struct {
		at       time.Duration
		lead     time.Duration
		sea, sky bool
	}{
		{-time.Hour, 15 * time.Minute, false, false},
		{0, time.Minute, false, false},
		{0, 2 * time.Minute, true, false},
		{0, 15 * time.Minute, true, true},
		{3 * time.Minute, time.Minute, true, false},
		{5 * time.Minute, time.Minute, false, true},
		{24 * time.Hour, time.Hour, false, false},
	} {
		ranges := w.Ahead(doors.Add(c.at), c.lead)
		of := func(asset string) bool {
			return slices.ContainsFunc(ranges, func(r stream.Range) bool { return strings.HasPrefix(string(r.Key), asset+"/1/") })
		}
		if of("sea") != c.sea || of("sky") != c.sky {
			t.Errorf("%v, lead %v: sea %v, sky %v", c.at, c.lead, of("sea"), of("sky"))
		}
		posters := slices.ContainsFunc(ranges, func(r stream.Range) bool { return r.Key == "sky/poster" && r.Length < 0 })
		if posters != (len(ranges) > 0) {
			t.Errorf("%v: posters %v", c.at, posters)
		}
		ends := map[storage.Key]int64{}
		slices.SortFunc(ranges, func(a, b stream.Range) int { return int(a.Offset - b.Offset) })
		for _, r := range ranges {
			if r.Offset < ends[r.Key] {
				t.Errorf("%v: %s is named twice at %d", c.at, r.Key, r.Offset)
			}
			if ends[r.Key] = r.Offset + r.Length; r.Length < 0 {
				ends[r.Key] = 1 << 40
			}
		}
	}
}

// TestAheadIsInOrderOfUrgency: the next minute of every rendition before the minute after, and what was on air last.
func TestAheadIsInOrderOfUrgency(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Rewind: true})
	now := doors.Add(3*time.Minute + 20*time.Second) // sea is ending, sky comes
	ranges := w.Ahead(now, 15*time.Minute)
	m := seaFilm().media(1)
	index := func(key string, segment int) int {
		return slices.IndexFunc(ranges, func(r stream.Range) bool {
			return string(r.Key) == "sea/1/"+key && r.Offset == m.Rendition(key).Segments[segment].Offset
		})
	}
	first, second := index("v720", 0), index("v720", 16)
	sky := slices.IndexFunc(ranges, func(r stream.Range) bool { return strings.HasPrefix(string(r.Key), "sky/1/") })
	if first < 0 || second < 0 || sky < 0 || second >= sky || sky >= first {
		t.Errorf("the end of the talk is %d., the next talk %d., what was on air %d.", second, sky, first)
	}
	for i, r := range ranges[:second] {
		if r.Needed.After(ranges[second].Needed) {
			t.Errorf("%d. is %s, needed at %v", i, r.Key, r.Needed)
		}
	}
}

// remote is the origin of a cache: the objects of a store, until it is cut.
type remote struct {
	*store
	mu    sync.Mutex
	cut   bool
	reads int
}

var errCut = errors.New("the cable is cut")

func (r *remote) ask() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut {
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, errCut)
	}
	r.reads++
	return nil
}

func (r *remote) Open(ctx context.Context, key storage.Key) (storage.Object, error) {
	if err := r.ask(); err != nil {
		return nil, err
	}
	return r.store.Open(ctx, key)
}

func (r *remote) Stat(ctx context.Context, key storage.Key) (storage.Info, error) {
	o, err := r.Open(ctx, key)
	if err != nil {
		return storage.Info{}, err
	}
	return storage.Info{Key: key, Size: o.Size(), Modified: doors.Add(-24 * time.Hour)}, nil
}

func (r *remote) Put(context.Context, storage.Key, io.Reader) (storage.Info, error) {
	return storage.Info{}, errors.New("nothing is put here")
}
func (r *remote) Delete(context.Context, storage.Key) error { return nil }
func (r *remote) List(context.Context, storage.Key, func(storage.Info) error) error {
	return nil
}

// keys is a token.KeyStore in memory.
type keys struct{ all []token.Key }

func (k *keys) Keys(context.Context) ([]token.Key, error) { return k.all, nil }
func (k *keys) AddKey(_ context.Context, key token.Key) error {
	k.all = append(k.all, key)
	return nil
}

// addObjects writes the objects of a film: random bytes.
func (w *world) addObjects(f film) {
	m := f.media(1)
	random := rand.NewChaCha8([32]byte{byte(len(f.asset))})
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	put := func(key string, size int64) {
		b := make([]byte, size)
		_, _ = random.Read(b) // never fails
		w.store.objects[storage.Key(key)] = b
	}
	for _, r := range m.Renditions {
		last := r.Segments[len(r.Segments)-1]
		put(r.Object, last.Offset+last.Size)
	}
	put(m.Poster, 5000)
	put(m.Sprites[0], 9000)
}

// house is a whole server before a remote store.
type house struct {
	*world
	remote  *remote
	objects *cache.Cache
	handler http.Handler
	path    string // /p/{token}
}

func newHouse(t *testing.T, s *store, dir string, now time.Time) *house {
	t.Helper()
	h := &house{remote: &remote{store: s}}
	h.world = &world{tb: t, store: s, now: now}
	var err error
	if h.objects, err = cache.New(cache.Config{
		Dir: dir, BlockSize: 256 << 10, MaxRequest: 1 << 20, MaxBytes: 256 << 20, Now: h.clock, Wait: h.wait,
	}, h.remote, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.objects.Close() })
	h.world = newWorldOn(t, h.world, h.objects, stream.Config{NoGzip: true})
	ring, err := token.NewKeyring(t.Context(), &keys{}, h.clock)
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.New(api.Config{}, api.Deps{
		Playout: h.Playout, Keyring: ring, Objects: h.objects, Web: fstest.MapFS{}, Registry: prometheus.NewRegistry(),
		Log: slog.New(slog.DiscardHandler), Now: h.clock, Wait: h.wait,
	})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := ring.Mint(token.Claims{Event: "conf", Scopes: []string{token.WholeEvent}, Kind: token.Playback, Expires: now.Add(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	h.handler, h.path = server.Handler(), "/p/"+tok
	return h
}

// readAhead is one turn of the cache's loop.
func (h *house) readAhead(t testing.TB) {
	t.Helper()
	for _, r := range h.Ahead(h.clock(), 15*time.Minute) {
		if err := h.objects.Warm(t.Context(), r.Key, r.Offset, r.Length); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *house) get(path string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, h.path+"/"+path, nil))
	return rec
}

// watch asks for all playlists of a presentation and for every file in them
// that was not asked for yet, and compares the bytes with those of the store.
func (h *house) watch(t testing.TB, folder string, seen map[string]bool) (files int) {
	t.Helper()
	multivariant := h.get(folder + "/multivariant.m3u8")
	m, err := hls.ParseMultivariant(multivariant.Body.Bytes())
	if multivariant.Code != 200 || err != nil {
		t.Fatalf("%v %s: %d %v", h.clock(), folder, multivariant.Code, err)
	}
	for _, uri := range conformance.URIs(m) {
		list := h.get(folder + "/" + uri)
		p, err := hls.ParseMedia(list.Body.Bytes())
		if list.Code != 200 || err != nil {
			t.Fatalf("%v %s/%s: %d %v", h.clock(), folder, uri, list.Code, err)
		}
		for i := range p.Segments {
			names := []string{p.Segments[i].URI}
			if p.Segments[i].Map != nil {
				names = append(names, p.Segments[i].Map.URI)
			}
			for _, name := range names {
				if seen[name] {
					continue
				}
				seen[name] = true
				files++
				h.wantFile(t, name)
			}
		}
	}
	return files
}

func (h *house) wantFile(t testing.TB, name string) {
	t.Helper()
	n := cutURI(t, name)
	rec := h.get(strings.TrimPrefix(name, "../../../"))
	f, err := h.File("conf", n.media, n.rendition, n.name, h.clock(), anyone, false)
	if rec.Code != 200 || err != nil {
		t.Fatalf("%v %s: %d %v %s", h.clock(), name, rec.Code, err, rec.Body)
	}
	want := f.Bytes
	if want == nil {
		h.store.mu.Lock()
		want = h.store.objects[f.Object][f.Offset : f.Offset+f.Length]
		h.store.mu.Unlock()
	}
	if !bytes.Equal(rec.Body.Bytes(), want) {
		t.Fatalf("%v %s: %d bytes, or other ones; want %d", h.clock(), name, rec.Body.Len(), len(want))
	}
}

// TestTheStoreIsCutAfterTheTalkStarts is a whole server whose object store goes
// away ten seconds into a talk. Every playlist and every segment of every
// rendition is there to the end of the talk, live and from its beginning, with
// the slate and the talk after it that had been read ahead too; in the middle the
// server is started again.
func TestTheStoreIsCutAfterTheTalkStarts(t *testing.T) {
	t.Parallel()
	s, dir := newStore(), t.TempDir()
	h := newHouse(t, s, dir, doors.Add(-time.Hour))
	for _, f := range []film{seaFilm(), skyFilm()} {
		h.addFilm(f, 1)
		h.addObjects(f)
	}
	h.put(conference())
	h.settle()
	h.at(doors.Add(2*time.Minute + 10*time.Second))
	h.readAhead(t)

	h.remote.mu.Lock()
	h.remote.cut = true
	h.remote.mu.Unlock()
	files := map[event.Language]map[string]bool{"fr": {}, "en": {}}
	served, restarted := 0, false
	for at := 2*time.Minute + 10*time.Second; at < 7*time.Minute; at += 3 * time.Second {
		h.at(doors.Add(at))
		if at > 3*time.Minute && !restarted {
			restarted = true
			if err := h.objects.Close(); err != nil {
				t.Fatal(err)
			}
			h = newHouse(t, s, dir, doors.Add(at))
			h.remote.cut = true
			h.refresh()
		}
		for l, seen := range files {
			served += h.watch(t, "live/main/"+string(l), seen)
			if at < 3*time.Minute {
				served += h.watch(t, "startover/sea/"+string(l), seen)
			}
		}
	}
	if served < 1000 {
		t.Errorf("only %d files were asked for", served)
	}
	for _, asset := range []film{seaFilm(), skyFilm()} {
		m := asset.media(1)
		for _, name := range []string{"poster.jpg", "sprite-0.jpg"} {
			if rec := h.get("s/" + string(m.ID) + "/" + name); rec.Code != 200 {
				t.Errorf("%s of %s: %d", name, asset.asset, rec.Code)
			}
		}
	}
	if h.remote.reads != 0 {
		t.Errorf("%d answers of a store that is cut", h.remote.reads)
	}
}
