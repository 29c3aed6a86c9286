package uploads

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// client is a small client of tus 1.0.
type client struct {
	w     *world
	u     *Uploads
	base  string
	token string
	http  *http.Client
}

func (w *world) client(u *Uploads, base string) *client {
	c := &client{w: w, u: u, base: base, token: "secret-ann", http: &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}}
	w.t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func (c *client) as(name string) *client {
	other := *c
	other.token = "secret-" + name
	return &other
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	code   string // of a problem
}

func (a answer) offset() int64 {
	n, err := strconv.ParseInt(a.header.Get("Upload-Offset"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (c *client) do(method, location string, header map[string]string, body io.Reader) (answer, error) {
	r, err := http.NewRequest(method, c.base+location, body)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	var p struct {
		Code string `json:"code"`
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") && method != http.MethodHead {
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			return a, err
		}
		a.code = p.Code
	}
	return a, nil
}

func (c *client) must(method, location string, header map[string]string, body io.Reader) answer {
	c.w.t.Helper()
	a, err := c.do(method, location, header, body)
	if err != nil {
		c.w.t.Fatalf("%s %s: %v", method, location, err)
	}
	return a
}

func metaHeader(meta map[string]string) string {
	pairs := make([]string, 0, len(meta))
	for k, v := range meta {
		pairs = append(pairs, k+" "+base64.StdEncoding.EncodeToString([]byte(v)))
	}
	return strings.Join(pairs, ",")
}

const root = "/api/v1/uploads/"

func (c *client) post(size int64, meta map[string]string) answer {
	c.w.t.Helper()
	return c.must(http.MethodPost, root, map[string]string{"Upload-Length": strconv.FormatInt(size, 10), "Upload-Metadata": metaHeader(meta)}, nil)
}

// create begins an upload and returns its address.
func (c *client) create(size int, meta map[string]string) string {
	c.w.t.Helper()
	all := map[string]string{"filename": "talk.mp4"}
	maps.Copy(all, meta)
	a := c.post(int64(size), all)
	if a.status != http.StatusCreated {
		c.w.t.Fatalf("create: %d %s", a.status, a.code)
	}
	return a.header.Get("Location")
}

func (c *client) head(location string) answer {
	c.w.t.Helper()
	return c.must(http.MethodHead, location, nil, nil)
}

func patchHeader(offset int64) map[string]string {
	return map[string]string{"Upload-Offset": strconv.FormatInt(offset, 10), "Content-Type": "application/offset+octet-stream"}
}

func (c *client) patch(location string, offset int64, body []byte) answer {
	c.w.t.Helper()
	return c.must(http.MethodPatch, location, patchHeader(offset), bytes.NewReader(body))
}

// send sends the rest of content from where the server says that it stands.
func (c *client) send(location string, content []byte) answer {
	c.w.t.Helper()
	a := c.head(location)
	if a.status != http.StatusOK {
		c.w.t.Fatalf("head: %d", a.status)
	}
	return c.patch(location, a.offset(), content[a.offset():])
}

// stuck begins a request that sends content from offset and then stands still.
// What it returns breaks the connection off; the answer, if one comes, is in the channel.
func (c *client) stuck(location string, offset int64, content []byte) (cut func(), done <-chan answer) {
	c.w.t.Helper()
	r, w := io.Pipe()
	answers := make(chan answer, 1)
	var wait sync.WaitGroup
	wait.Go(func() {
		a, err := c.do(http.MethodPatch, location, patchHeader(offset), r)
		if err == nil {
			answers <- a
		}
		close(answers)
		r.CloseWithError(io.ErrClosedPipe)
	})
	wait.Go(func() { _, _ = w.Write(content) })
	cut = func() {
		w.CloseWithError(errors.New("the tab is closed"))
		wait.Wait()
	}
	c.w.t.Cleanup(cut)
	return cut, answers
}

// random returns bytes that do not repeat.
func random(seed uint64, size int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
