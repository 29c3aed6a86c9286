package uploads

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reprise/storage"
	"reprise/storage/storagetest"
	"reprise/vod"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		if err := child(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// tusd keeps a goroutine for the grace after each request.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/tus/tusd/v2/pkg/handler.newDelayedContext.func1"))
}

// eventually asks until what is asked for holds; it must within ten seconds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// clock is the nodes' common clock, which tests set forward.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// rows is a vod.Uploads in memory.
type rows struct {
	mu      sync.Mutex
	uploads map[vod.UploadID]vod.Upload
	leases  map[string]*heldLease
	refused func(name string) // after a lease was asked for in vain
}

type heldLease struct {
	holder string
	until  time.Time
	wanted bool
}

func newRows() *rows {
	return &rows{uploads: map[vod.UploadID]vod.Upload{}, leases: map[string]*heldLease{}}
}

func (r *rows) CreateUpload(_ context.Context, u vod.Upload) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.uploads[u.ID]; ok {
		return vod.ErrConflict
	}
	r.uploads[u.ID] = u
	return nil
}

func (r *rows) Upload(_ context.Context, id vod.UploadID) (vod.Upload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u, ok := r.uploads[id]
	if !ok {
		return vod.Upload{}, vod.ErrNotFound
	}
	return u, nil
}

func (r *rows) Uploads(_ context.Context, event string) ([]vod.Upload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.SortedFunc(maps.Values(r.uploads), func(a, b vod.Upload) int { return a.Created.Compare(b.Created) })
	return slices.DeleteFunc(all, func(u vod.Upload) bool { return event != "" && u.Event != event }), nil
}

func (r *rows) UpdateUpload(ctx context.Context, id vod.UploadID, change func(*vod.Upload) error) (vod.Upload, error) {
	if err := ctx.Err(); err != nil {
		return vod.Upload{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	u, ok := r.uploads[id]
	if !ok {
		return vod.Upload{}, vod.ErrNotFound
	}
	if err := change(&u); err != nil {
		return vod.Upload{}, err
	}
	r.uploads[id] = u
	return u, nil
}

func (r *rows) DeleteUpload(_ context.Context, id vod.UploadID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.uploads, id)
	return nil
}

func (r *rows) AcquireLease(_ context.Context, name, holder string, now, until time.Time) (bool, error) {
	r.mu.Lock()
	l := r.leases[name]
	ok := l == nil || l.holder == holder || !now.Before(l.until)
	if ok {
		r.leases[name] = &heldLease{holder: holder, until: until}
	} else {
		l.wanted = true
	}
	r.mu.Unlock()
	if !ok && r.refused != nil {
		r.refused(name)
	}
	return ok, nil
}

func (r *rows) RenewLease(_ context.Context, name, holder string, until time.Time) (held, wanted bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.leases[name]
	if l == nil || l.holder != holder {
		return false, false, nil
	}
	l.until = until
	return true, l.wanted, nil
}

func (r *rows) ReleaseLease(_ context.Context, name, holder string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.leases[name]; l != nil && l.holder == holder {
		delete(r.leases, name)
	}
	return nil
}

// world is one store and its rows, which any number of nodes share.
type world struct {
	t     *testing.T
	dir   string // unfinished files
	store storage.Store
	rows  vod.Uploads
	clock *clock
	cfg   Config

	mu       sync.Mutex
	finished []vod.Upload
	log      bytes.Buffer
	used     int64
}

// backends are the stores that every test of bytes runs on.
func backends(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("disk", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, newDiskStore(t)))
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, newS3Store(t, storagetest.StartGateway(t).Config("films"))))
	})
}

func newDiskStore(t testing.TB) storage.Store {
	t.Helper()
	d, err := storage.NewDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func newS3Store(t testing.TB, cfg storage.S3Config) storage.Store {
	t.Helper()
	s, err := storage.NewS3(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newWorld(t *testing.T, store storage.Store) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), store: store, rows: newRows(), clock: newClock()}
	w.cfg = Config{Dir: w.dir, Grace: 5 * time.Second, PartSize: minPartSize, MaxSize: 1 << 40, Idle: 5 * time.Second}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if text := w.log.String(); strings.Contains(text, "secret-") || strings.Contains(text, "Bearer") {
			t.Errorf("a token is in the log: %s", text)
		}
	})
	return w
}

// Write takes the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

var errNoToken = errors.New("no token")

// authorize knows people by "Bearer secret-NAME".
func authorize(r *http.Request, _ Meta) (Permit, error) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer secret-")
	if !ok {
		return Permit{}, errNoToken
	}
	return Permit{Owner: name, Staff: name == "staff", Event: "congress", By: name}, nil
}

// problem answers as api does.
func problem(w http.ResponseWriter, r *http.Request, err error) {
	status, code := http.StatusInternalServerError, "internal"
	if f := faultOf(err); f != nil {
		status, code = f.Status, f.Code
	} else if errors.Is(err, errNoToken) {
		status, code = http.StatusUnauthorized, "token-missing"
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "detail": err.Error()})
	}
}

// node starts a process's worth of uploads, with a server of its own.
func (w *world) node(name string) *client {
	w.t.Helper()
	u := w.uploads(name)
	mux := http.NewServeMux()
	mux.Handle("/api/v1/uploads/", http.StripPrefix("/api/v1/uploads", u.Handler()))
	server := httptest.NewServer(mux)
	w.t.Cleanup(func() {
		u.Interrupt()
		server.Close()
	})
	return w.client(u, server.URL)
}

func (w *world) uploads(name string) *Uploads {
	w.t.Helper()
	u, err := New(w.cfg, Deps{
		Store: w.store, Rows: w.rows, Node: name, Now: w.clock.now,
		Log:       slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Authorize: authorize, Problem: problem,
		Finished: func(_ context.Context, u vod.Upload) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.finished = append(w.finished, u)
			return nil
		},
		Used: func(context.Context, string) (int64, error) { return w.used, nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

func (w *world) told() []vod.Upload {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.finished)
}

// row returns the row behind an address.
func (w *world) row(location string) vod.Upload {
	w.t.Helper()
	u, err := w.rows.Upload(w.t.Context(), vod.UploadID(filepath.Base(location)))
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// object returns what is stored under an upload's object key; nil: nothing.
func (w *world) object(location string) []byte {
	w.t.Helper()
	o, err := w.store.Open(w.t.Context(), objectKey(vod.UploadID(filepath.Base(location))))
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// left lists all that is stored: files of Dir, objects, unfinished objects.
func left(t testing.TB, dir string, store storage.Store) []string {
	t.Helper()
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, "file "+e.Name())
	}
	err = store.List(t.Context(), prefix, func(i storage.Info) error {
		names = append(names, "object "+string(i.Key))
		return nil
	})
	if parts, ok := store.(storage.Parter); ok && err == nil {
		err = parts.Unfinished(t.Context(), prefix, func(u storage.Unfinished) error {
			names = append(names, "unfinished "+string(u.Key))
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return names
}
