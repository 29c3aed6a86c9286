package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reprise/api/token"
	"reprise/event"
	"reprise/storage"
	"reprise/stream"
	"reprise/vod"
)

// noon is when each test's world begins: talk t1 (in main) has begun, t2 (in
// side) has not, t0 (in main) is over, told is a talk whose replay is over.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	mediaID = "aaaabbbbccccddddeeeeffff22"
	lateID  = "laaabbbbccccddddeeeeffff22" // in no playlist yet
	oldID   = "oaaabbbbccccddddeeeeffff22" // gone
	sickID  = "saaabbbbccccddddeeeeffff22" // named by nobody who wrote it
	initLen = 700
	segLen  = 300_000
	bigLen  = 24 << 20 // more than socket buffers hold; written by tests that need it
)

// world is one server with fakes around it.
type world struct {
	t       testing.TB
	clock   *clock
	playout *fakePlayout
	ring    *token.Keyring
	store   storage.Store
	server  *Server
	handler http.Handler
	object  []byte // init and two segments
	log     *logBuffer
	ready   error
}

type option func(*Config, *Deps)

func setup(t testing.TB, options ...option) *world {
	t.Helper()
	w := &world{t: t, clock: newClock(noon), log: &logBuffer{}}
	w.playout = newFakePlayout()
	var err error
	if w.ring, err = token.NewKeyring(t.Context(), &keys{}, w.clock.now); err != nil {
		t.Fatal(err)
	}
	disk, err := storage.NewDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disk.Close() })
	w.store = disk
	for i := range initLen + 2*segLen {
		w.object = append(w.object, byte(i*7+i/251))
	}
	if _, err := disk.Put(t.Context(), "media/v720", bytes.NewReader(w.object)); err != nil {
		t.Fatal(err)
	}
	cfg := Config{}
	deps := Deps{Playout: w.playout, Keyring: w.ring, Objects: disk, Web: fstest.MapFS{}, Registry: prometheus.NewRegistry(),
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: w.clock.now, Wait: w.clock.wait,
		Ready: func(context.Context) error { return w.ready }}
	for _, o := range options {
		o(&cfg, &deps)
	}
	if w.server, err = New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	w.handler = w.server.Handler()
	return w
}

func withWeb(files fs.FS) option { return func(_ *Config, d *Deps) { d.Web = files } }

// mint returns a token; scopes are separated by spaces.
func (w *world) mint(kind, scopes string, change ...func(*token.Claims)) string {
	w.t.Helper()
	c := token.Claims{Event: "conf", Subject: "r1", Scopes: strings.Fields(scopes), Kind: kind, Expires: noon.Add(24 * time.Hour)}
	for _, f := range change {
		f(&c)
	}
	tok, err := w.ring.Mint(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return tok
}

// do asks the handler; headers are "Name: value".
func (w *world) do(method, target string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.send(httptest.NewRequest(method, target, nil), headers...)
}

func (w *world) post(target, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.send(httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)), append(headers, "Content-Type: application/json")...)
}

func (w *world) send(r *http.Request, headers ...string) *httptest.ResponseRecorder {
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

// wantProblem checks the constant shape of an error.
func wantProblem(t testing.TB, rec *httptest.ResponseRecorder, status int, code, cache string) Problem {
	t.Helper()
	if rec.Code != status {
		t.Fatalf("status %d, want %d: %s", rec.Code, status, rec.Body)
	}
	h := rec.Header()
	if got := h.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("type %q", got)
	}
	if got := h.Get("Cache-Control"); got != cache {
		t.Errorf("Cache-Control %q, want %q", got, cache)
	}
	if got := h.Get("Content-Encoding") + h.Get("Etag"); got != "" {
		t.Errorf("headers of another answer: %q", got)
	}
	var p Problem
	d := json.NewDecoder(rec.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatal(err)
	}
	if p.Code != code || p.Type != "urn:reprise:problem:"+code || p.Status != status || p.Title == "" || p.Detail == "" {
		t.Errorf("problem %+v, want code %s", p, code)
	}
	if len(p.Instance) != 16 || h.Get("X-Request-Id") != p.Instance {
		t.Errorf("instance %q, X-Request-Id %q", p.Instance, h.Get("X-Request-Id"))
	}
	return p
}

// clock is a set clock: wait blocks until somebody sets it far enough.
type clock struct {
	mu      sync.Mutex
	cond    *sync.Cond
	t       time.Time
	waiting int
}

func newClock(t time.Time) *clock {
	c := &clock{t: t}
	c.cond = sync.NewCond(&c.mu)
	return c
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	c.cond.Broadcast()
}

func (c *clock) wait(ctx context.Context, until time.Time) error {
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cond.Broadcast()
	})
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting++
	c.cond.Broadcast()
	defer func() { c.waiting--; c.cond.Broadcast() }()
	for c.t.Before(until) && ctx.Err() == nil {
		c.cond.Wait()
	}
	return ctx.Err()
}

// untilWaiting blocks until n requests wait for the clock.
func (c *clock) untilWaiting(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.waiting != n {
		c.cond.Wait()
	}
}

// keys is a token.KeyStore in memory.
type keys struct {
	mu  sync.Mutex
	all []token.Key
}

func (k *keys) Keys(context.Context) ([]token.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]token.Key(nil), k.all...), nil
}

func (k *keys) AddKey(_ context.Context, key token.Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, key)
	return nil
}

// logBuffer collects the log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// fakePlayout is a feed that lists one segment each four seconds: MSN 100 at noon.
type fakePlayout struct {
	mu      sync.Mutex
	docs    map[string]*stream.Document
	stalled bool  // lists nothing more
	ended   bool  // carries ENDLIST
	unknown bool  // ListedAt knows nothing
	fail    error // of Media
	gone    *stream.Gone
	program stream.Programme
}

func newFakePlayout() *fakePlayout {
	return &fakePlayout{docs: map[string]*stream.Document{}, gone: &stream.Gone{Until: time.Date(2027, 2, 23, 23, 0, 0, 0, time.UTC)}, program: sampleProgramme()}
}

func (f *fakePlayout) last(now time.Time) int64 {
	if f.stalled {
		return 100
	}
	return 100 + int64(now.Sub(noon)/(4*time.Second))
}

func (f *fakePlayout) place(a stream.Address) error {
	if a.Event != "conf" || (a.Language != "fr" && a.Language != "en") {
		return fmt.Errorf("%w: %v", stream.ErrNotFound, a)
	}
	switch string(a.View) + " " + string(a.Auditorium) + string(a.Talk) {
	case "live main", "live side", "startover t1", "startover t0", "replay t0":
		return nil
	case "startover t2", "replay t2", "replay t1":
		return stream.ErrNotListed
	case "replay told", "startover told":
		return f.gone
	}
	return fmt.Errorf("%w: %v", stream.ErrNotFound, a)
}

func (f *fakePlayout) doc(text string, last int64, ended bool) *stream.Document {
	key := fmt.Sprint(text, last, ended)
	if f.docs[key] == nil {
		body := []byte("#EXTM3U\n# " + key + "\n" + strings.Repeat("segment.m4s\n", 50))
		var z bytes.Buffer
		gz := gzip.NewWriter(&z)
		_, _ = gz.Write(body)
		_ = gz.Close()
		f.docs[key] = &stream.Document{Body: body, Gzip: z.Bytes(), ETag: fmt.Sprintf("%q", fmt.Sprintf("%x", key)), LastMSN: last, Ended: ended}
	}
	return f.docs[key]
}

func (f *fakePlayout) Multivariant(a stream.Address, now time.Time) (*stream.Document, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.place(a); err != nil {
		return nil, err
	}
	return f.doc(fmt.Sprint("multivariant ", a), -1, false), nil
}

func (f *fakePlayout) Media(a stream.Address, rendition string, now time.Time, skip bool) (*stream.Document, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	if err := f.place(a); err != nil {
		return nil, err
	}
	if rendition != "v720" {
		return nil, stream.ErrNotFound
	}
	doc := *f.doc(fmt.Sprint("media ", a, skip), f.last(now), f.ended || a.View == stream.Replay)
	doc.Next = noon.Add(time.Duration(doc.LastMSN-99) * 4 * time.Second)
	return &doc, nil
}

func (f *fakePlayout) ListedAt(a stream.Address, msn int64) (time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unknown {
		return time.Time{}, stream.ErrNotFound
	}
	return noon.Add(time.Duration(msn-100) * 4 * time.Second), nil
}

func (f *fakePlayout) File(ev event.ID, id vod.MediaID, rendition, name string, now time.Time, may func(event.AuditoriumID, event.TalkID) bool, staff bool) (stream.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ev != "conf" || !(may("main", "t1") || name == "poster.jpg" && may("main", "t0")) {
		return stream.File{}, stream.ErrNotFound
	}
	file := stream.File{ETag: `"` + name + `"`, ContentType: "video/iso.segment", Object: "media/v720"}
	switch {
	case id == oldID:
		return stream.File{}, f.gone
	case id == lateID && !staff:
		return stream.File{}, stream.ErrNotListed
	case id == sickID:
		file.Object, file.Length = "media/none", 5
	case id != mediaID && id != lateID:
		return stream.File{}, stream.ErrNotFound
	case rendition == "v720" && name == "init-x.mp4":
		file.ContentType, file.Length = "video/mp4", initLen
	case rendition == "v720" && name == "0-x.m4s":
		file.Offset, file.Length = initLen, segLen
	case rendition == "v720" && name == "1-x.m4s":
		file.Offset, file.Length = initLen+segLen, segLen
	case rendition == "s-fr" && name == "0-x.vtt":
		file.ContentType, file.Object, file.Bytes = "text/vtt", "", []byte("WEBVTT\n\n"+strings.Repeat("NOTE of words\n\n", 40))
		file.Length = int64(len(file.Bytes))
	case rendition == "v720" && name == "big.m4s":
		file.Object, file.Length = "media/big", bigLen
	case rendition == "" && name == "poster.jpg":
		file.ContentType, file.Length = "image/jpeg", 99
	default:
		return stream.File{}, stream.ErrNotFound
	}
	return file, nil
}

func (f *fakePlayout) Programme(ev event.ID, now time.Time) (stream.Programme, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ev != "conf" {
		return stream.Programme{}, stream.ErrNotFound
	}
	return f.program, nil
}

func readAll(t testing.TB, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
