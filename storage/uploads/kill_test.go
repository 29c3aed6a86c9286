package uploads

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/storage"
	"reprise/storage/db"
	"reprise/storage/storagetest"
	"reprise/vod"
)

const (
	childVar = "REPRISE_UPLOADS_CHILD" // its configuration, as JSON
	killsVar = "REPRISE_UPLOADS_KILLS" // of each store; the long run sets 100
)

// plot is where a child's bytes and rows are.
type plot struct {
	Dir, Objects, Rows string
	S3                 *storage.S3Config
	Listen             string
	PartSize           int64
	Lease              time.Duration
}

func (p plot) store(ctx context.Context) (storage.Store, func(), error) {
	if p.S3 != nil {
		s, err := storage.NewS3(ctx, *p.S3, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, nil, err
		}
		return s, func() { s.Close() }, nil
	}
	d, err := storage.NewDisk(p.Objects)
	if err != nil {
		return nil, nil, err
	}
	return d, func() { d.Close() }, nil
}

func (p plot) open(ctx context.Context, now func() time.Time) (*Uploads, storage.Store, func(), error) {
	store, closeStore, err := p.store(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	rows, err := db.Open(ctx, db.Config{DSN: p.Rows, Now: now}, slog.New(slog.DiscardHandler))
	if err != nil {
		closeStore()
		return nil, nil, nil, err
	}
	u, err := New(Config{Dir: p.Dir, PartSize: p.PartSize, Lease: p.Lease, Wait: 5 * time.Second}, Deps{
		Store: store, Rows: rows, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), Now: now, Node: "child",
		Authorize: authorize, Problem: problem, Finished: func(context.Context, vod.Upload) error { return nil },
	})
	return u, store, func() { rows.Close(); closeStore() }, err
}

// child is the process that is killed: it says its address and serves.
func child() error {
	var p plot
	if err := json.Unmarshal([]byte(os.Getenv(childVar)), &p); err != nil {
		return err
	}
	ctx := context.Background()
	u, _, _, err := p.open(ctx, time.Now)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", p.Listen)
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	mux := http.NewServeMux()
	mux.Handle("/api/v1/uploads/", http.StripPrefix("/api/v1/uploads", u.Handler()))
	var run sync.WaitGroup
	run.Go(func() { _ = u.Run(ctx) })
	defer run.Wait()
	return (&http.Server{Handler: mux, ReadHeaderTimeout: time.Second}).Serve(listener)
}

// victim is a child that runs again after each kill.
type victim struct {
	t    testing.TB
	plot plot

	mu      sync.Mutex
	base    string
	process *exec.Cmd
	kills   int
	enough  chan struct{} // closed when all kills are done
	limit   int
}

func (v *victim) start() {
	v.t.Helper()
	config, err := json.Marshal(v.plot)
	if err != nil {
		v.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+string(config))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		v.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		v.t.Errorf("the child says no address: %v", err)
		return
	}
	v.base, v.process = "http://"+strings.TrimSpace(line), cmd
}

func (v *victim) address() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.base
}

// kill kills the process at once and starts the next, until it was enough.
func (v *victim) kill() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kills == v.limit {
		return
	}
	v.stop()
	v.start()
	if v.kills++; v.kills == v.limit {
		close(v.enough)
	}
}

func (v *victim) stop() {
	if v.process != nil {
		_ = v.process.Process.Kill()
		_ = v.process.Wait()
		v.process = nil
	}
}

// deadly is a body that kills the server in its middle.
type deadly struct {
	io.Reader
	after int // bytes; negative: never
	kill  func()
}

func (d *deadly) Read(p []byte) (int, error) {
	if d.after >= 0 {
		p = p[:min(len(p), max(d.after, 1))]
	}
	n, err := d.Reader.Read(p)
	if d.after >= 0 {
		if d.after -= n; d.after <= 0 {
			d.after = -1
			d.kill()
		}
	}
	return n, err
}

func killsWanted(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv(killsVar))
	if os.Getenv(killsVar) == "" {
		return 20
	}
	if err != nil || n < 1 {
		t.Fatalf("%s: %q is not a number of kills", killsVar, os.Getenv(killsVar))
	}
	return n
}

// TestKills: a real process is killed in the middle of requests. What was
// acknowledged is there afterwards, whatever is told is there, each upload goes
// on to its end, and nothing is left beside.
func TestKills(t *testing.T) {
	t.Parallel()
	t.Run("disk", func(t *testing.T) {
		t.Parallel()
		testKills(t, plot{Dir: t.TempDir(), Objects: t.TempDir()})
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		cfg := storagetest.StartGateway(t).Config("films")
		testKills(t, plot{Dir: t.TempDir(), S3: &cfg})
	})
}

func testKills(t *testing.T, p plot) {
	p.Rows, p.Listen, p.PartSize, p.Lease = filepath.Join(t.TempDir(), "rows.db"), "127.0.0.1:0", minPartSize, 300*time.Millisecond
	v := &victim{t: t, plot: p, enough: make(chan struct{}), limit: killsWanted(t)}
	v.start()
	t.Cleanup(v.stop)
	var wait sync.WaitGroup
	for worker := range 2 {
		wait.Go(func() {
			c := &killClient{t: t, v: v, random: rand.New(rand.NewPCG(uint64(worker), 1)), http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
			for round := 0; !t.Failed(); round++ {
				c.film(uint64(1000*worker+round), round)
				select {
				case <-v.enough:
					return
				default:
				}
			}
		})
	}
	wait.Wait()
	v.stop()
	checkAfterKills(t, p)
}

// killClient uploads one film after the other, whatever happens to the server.
type killClient struct {
	t      *testing.T
	v      *victim
	random *rand.Rand
	http   *http.Client
}

func (c *killClient) request(method, path string, header map[string]string, body io.Reader) (answer, error) {
	w := &world{t: c.t}
	return (&client{w: w, base: c.v.address(), token: "secret-ann", http: c.http}).do(method, path, header, body)
}

func (c *killClient) film(seed uint64, round int) {
	film := random(seed, 1+c.random.IntN(3*minPartSize))
	sum := hexSum(film)
	location := ""
	for end := time.Now().Add(time.Minute); location == ""; {
		a, err := c.request(http.MethodPost, root, map[string]string{
			"Upload-Length": strconv.Itoa(len(film)), "Upload-Metadata": metaHeader(map[string]string{"filename": fmt.Sprintf("%d.mp4", round), "sha256": sum}),
		}, nil)
		if err == nil && a.status != http.StatusCreated && a.status < 500 || time.Now().After(end) {
			c.t.Errorf("create: %d %s %v", a.status, a.code, err)
			return
		}
		location = a.header.Get("Location")
	}
	acknowledged := int64(0)
	for end := time.Now().Add(time.Minute); acknowledged < int64(len(film)); {
		if time.Now().After(end) {
			c.t.Errorf("%s stands at %d of %d", location, acknowledged, len(film))
			return
		}
		a, err := c.request(http.MethodHead, location, nil, nil)
		if err != nil || a.status >= 500 || a.status == http.StatusLocked {
			continue // the server is dead, or just was
		}
		at := a.offset()
		if a.status != http.StatusOK || at < acknowledged || at > int64(len(film)) {
			c.t.Errorf("%s: %d, %d bytes were acknowledged, %d of %d are told", location, a.status, acknowledged, at, len(film))
			return
		}
		acknowledged = at
		body := &deadly{Reader: bytes.NewReader(film[at:]), after: -1, kill: c.v.kill}
		length := min(int64(1+c.random.IntN(2*minPartSize)), int64(len(film))-at)
		if length > 0 && c.random.IntN(3) > 0 {
			body.after = c.random.IntN(int(length) + 1)
		}
		a, err = c.request(http.MethodPatch, location, patchHeader(at), io.LimitReader(body, length))
		switch {
		case err != nil || a.status >= 500 || a.status == http.StatusLocked || a.status == http.StatusConflict:
		case a.status == http.StatusNoContent && a.offset() == at+length:
			acknowledged = a.offset()
		default:
			c.t.Errorf("%s: patch at %d: %d %s, offset %d", location, at, a.status, a.code, a.offset())
			return
		}
	}
}

// checkAfterKills looks at all that is left, a long time later.
func checkAfterKills(t *testing.T, p plot) {
	t.Helper()
	later := time.Now().Add(time.Hour)
	u, store, end, err := p.open(t.Context(), func() time.Time { return later })
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	for range 2 {
		if _, err := u.Sweep(t.Context()); err != nil {
			t.Fatalf("sweep: %v", err)
		}
		later = later.Add(8 * 24 * time.Hour) // what nobody went on with expires
	}
	rows, err := u.deps.Rows.Uploads(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, row := range rows {
		if row.State == vod.UploadRefused && row.Reason == reasonExpired {
			continue // its creation was not heard
		}
		named["object "+row.Object] = true
		if row.State != vod.UploadComplete {
			t.Errorf("upload %s is %s %s", row.ID, row.State, row.Reason)
			continue
		}
		if err := sameBytes(t.Context(), store, &row); err != nil {
			t.Errorf("upload %s: %v", row.ID, err)
		}
	}
	for _, name := range left(t, p.Dir, store) {
		if !named[name] {
			t.Errorf("an orphan: %s", name)
		}
		delete(named, name)
	}
	if len(named) > 0 {
		t.Errorf("lost: %v", named)
	}
	t.Logf("%d uploads", len(rows))
}

// sameBytes compares an object with the checksum that the client announced.
func sameBytes(ctx context.Context, store storage.Store, row *vod.Upload) error {
	o, err := store.Open(ctx, storage.Key(row.Object))
	if err != nil {
		return err
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	if err != nil {
		return err
	}
	if int64(len(b)) != row.Size || hexSum(b) != row.SHA256 {
		return errors.New("the object is not what was sent")
	}
	return nil
}
