package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/api"
	"reprise/configs"
	"reprise/storage"
	"reprise/vod"
)

// Environment of the kill tests.
const (
	killsVariable = "REPRISETEST_KILLS" // how many on each kind of store; the long run has 100
	seedVariable  = "REPRISETEST_SEED"  // of the run to repeat
)

// number is a number in the environment.
func number(t testing.TB, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s: %q is not a number", variable, text)
	}
	return n
}

// A server is killed again and again while films come in and are made ready.
// Whatever it has acknowledged is there in the end: bytes, uploads, titles,
// captions; each film is one asset, ready; nothing is left over.
func TestKillsWhileFilmsComeIn(t *testing.T) {
	t.Parallel()
	data := invited(t)
	ahead := time.Until(noon().Add(-time.Hour))
	args := []string{"--data", data, "--set", "ingest.preset=ultrafast", "--set", "metrics.listen=", "--set", "http.listen=127.0.0.1:0"}
	k := newKilling(t, ahead, args, testConfig(data), 8)
	k.run(t)
}

// The same on PostgreSQL and a bucket; only the long run does it.
func TestKillsOnPostgreSQLAndS3(t *testing.T) {
	t.Parallel()
	if os.Getenv(killsVariable) == "" {
		t.Skip("takes minutes: set " + killsVariable)
	}
	c := newCluster(t)
	data := filepath.Join(t.TempDir(), "data")
	k := newKilling(t, c.ahead, []string{"--data", data, "--config", c.file}, c.config(t, data), 8)
	k.run(t)
	c.clean(t, data)
}

// killing is a server that is killed, and those who use it.
type killing struct {
	args  []string
	cfg   configs.Config
	ahead time.Duration
	kills int
	seed  uint64
	films []*sentFilm
	wish  chan struct{} // a sender is in the middle of a request

	mu   sync.Mutex
	desk desk // the server that runs now
	over bool // no more kills
}

// sentFilm is what a sender knows of a film of theirs.
type sentFilm struct {
	name, sum  string
	content    []byte
	upload     vod.UploadID
	stored     int // bytes that were acknowledged
	asset      vod.AssetID
	title      string // acknowledged
	captions   string // acknowledged
	interrupts int
}

func newKilling(t *testing.T, ahead time.Duration, args []string, cfg configs.Config, kills int) *killing {
	t.Helper()
	k := &killing{wish: make(chan struct{}, 1), args: args, cfg: cfg, ahead: ahead, kills: number(t, killsVariable, kills), seed: uint64(number(t, seedVariable, 0))}
	if k.seed == 0 {
		k.seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	t.Logf("%s=%d", seedVariable, k.seed)
	var link struct{ Token string }
	out := good(t, running(ahead), append([]string{"token", "desk", "test", "--life", "48h", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &link); err != nil {
		t.Fatal(err)
	}
	k.desk.token = link.Token
	return k
}

// run kills the server while four senders are at work, and then looks at what is there.
func (k *killing) run(t *testing.T) {
	base := recording(t, "gray", 2)
	var (
		senders sync.WaitGroup
		mu      sync.Mutex
	)
	defer senders.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Duration(k.kills)*time.Minute/2+2*patience)
	defer cancel()
	server := k.start(t)
	for i := range 4 {
		senders.Go(func() {
			random := mathrand.New(mathrand.NewPCG(k.seed, uint64(i)))
			for n := 0; !k.finished() || n == 0; n++ {
				size := 20_000
				if random.IntN(4) == 0 {
					size = 6 << 20 // more than a part of S3
				}
				f := newFilm(base, fmt.Sprintf("film-%d-%d.mp4", i, n), size)
				mu.Lock()
				k.films = append(k.films, f)
				mu.Unlock()
				if err := k.handIn(ctx, f, random); err != nil {
					t.Errorf("%s, after %d interruptions: %v", f.name, f.interrupts, err)
					return
				}
			}
		})
	}
	random := mathrand.New(mathrand.NewPCG(k.seed, 1000))
	for n := range k.kills {
		life := time.NewTimer(100*time.Millisecond + time.Duration(random.Int64N(int64(4*time.Second))))
		var wish chan struct{}
		if n%2 == 1 {
			wish = k.wish
		}
		select {
		case <-life.C:
		case <-wish:
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
		life.Stop()
		server.kill()
		server = k.start(t)
	}
	k.mu.Lock()
	k.over = true
	k.mu.Unlock()
	senders.Wait()
	k.check(t)
	server.kill()
	k.checkStores(t)
	interrupts := 0
	for _, f := range k.films {
		interrupts += f.interrupts
	}
	t.Logf("%d kills, %d films, %d requests in vain", k.kills, len(k.films), interrupts)
}

// start starts the server and tells the senders where it is.
func (k *killing) start(t *testing.T) *child {
	t.Helper()
	c := startChildIn(t, []string{aheadVariable + "=" + k.ahead.String()}, append([]string{"serve"}, k.args...)...)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.desk.base = c.base
	return c
}

func (k *killing) now() desk {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.desk
}

func (k *killing) finished() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.over
}

// newFilm is a film whose bytes are nobody else's.
func newFilm(base []byte, name string, more int) *sentFilm {
	content := padded(base, len(base)+more)
	return &sentFilm{name: name, content: content, sum: hexSum(content)}
}

// try does something again until the server that happens to run answers.
// Answers that say "not now" count as none.
func (k *killing) try(ctx context.Context, f *sentFilm, do func(d desk) error) error {
	for {
		err := do(k.now())
		var p *problem
		refused := errors.As(err, &p) && p.Status < http.StatusInternalServerError && p.Status != http.StatusLocked && p.Status != http.StatusTooManyRequests && p.Code != "busy"
		if err == nil || refused || ctx.Err() != nil {
			return err
		}
		f.interrupts++
		if err := (systemClock{}).Wait(ctx, time.Now().Add(50*time.Millisecond)); err != nil {
			return err
		}
	}
}

// handIn sends one film as a patient client does, gives it a title and captions, and waits until it is ready.
func (k *killing) handIn(ctx context.Context, f *sentFilm, random *mathrand.Rand) error {
	steps := []struct {
		name string
		do   func(context.Context, *sentFilm, *mathrand.Rand) error
	}{{"begin", k.begin}, {"send", k.sendAll}, {"wait for the film", k.awaitFilm}, {"name it", k.rename}, {"give captions", k.caption}, {"wait until it is ready", k.awaitReady}}
	for _, s := range steps {
		if err := s.do(ctx, f, random); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// begin begins the upload, or finds it: the answer to a first try may have been lost.
func (k *killing) begin(ctx context.Context, f *sentFilm, _ *mathrand.Rand) error {
	return k.try(ctx, f, func(d desk) error {
		var list api.UploadList
		if err := d.call(ctx, http.MethodGet, "/uploads", nil, &list); err != nil {
			return err
		}
		for _, u := range list.Uploads {
			if u.Name == f.name && u.State == vod.UploadOpen {
				f.upload = u.ID
				return nil
			}
		}
		id, err := d.begin(ctx, len(f.content), map[string]string{"filename": f.name, "sha256": f.sum})
		f.upload = id
		return err
	})
}

// sendAll sends all bytes, in a few requests.
func (k *killing) sendAll(ctx context.Context, f *sentFilm, random *mathrand.Rand) error {
	for f.stored < len(f.content) {
		if err := k.try(ctx, f, func(d desk) error {
			at, err := d.offset(ctx, f.upload)
			if err != nil {
				return err
			}
			if at < f.stored {
				return &problem{Detail: fmt.Sprintf("%d bytes are stored, %d were acknowledged", at, f.stored)}
			}
			if f.stored = at; at == len(f.content) {
				return nil
			}
			n := min(1+random.IntN(len(f.content)/3), len(f.content)-at)
			now, err := d.patch(ctx, f.upload, at, &wishful{bytes.NewReader(f.content[at : at+n]), random.IntN(n), k.wish})
			if err == nil {
				f.stored = now
			}
			if codeOf(err) == "upload-offset" { // what a request that was given up has sent came late
				err = io.ErrUnexpectedEOF
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// wishful is a body that, somewhere in it, wishes that its server were killed.
type wishful struct {
	io.Reader
	after int // bytes
	wish  chan struct{}
}

// Read implements io.Reader.
func (w *wishful) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p[:min(len(p), max(w.after, 1000))])
	if w.after -= n; w.after <= 0 && w.wish != nil {
		select {
		case w.wish <- struct{}{}:
		default:
		}
		w.wish = nil
	}
	return n, err
}

// awaitFilm waits until an asset is made of the upload.
func (k *killing) awaitFilm(ctx context.Context, f *sentFilm, _ *mathrand.Rand) error {
	return k.until(ctx, f, func(d desk) (bool, error) {
		var list api.UploadList
		if err := d.call(ctx, http.MethodGet, "/uploads", nil, &list); err != nil {
			return false, err
		}
		for _, u := range list.Uploads {
			switch {
			case u.ID != f.upload:
			case u.State == vod.UploadRefused || u.Offset != int64(len(f.content)):
				return false, &problem{Detail: fmt.Sprintf("the upload is %s %s with %d bytes", u.State, u.Reason, u.Offset)}
			default:
				f.asset = u.Asset
				return u.State == vod.UploadTaken, nil
			}
		}
		return false, &problem{Detail: "the upload is gone"}
	})
}

// until asks again until the answer is yes.
func (k *killing) until(ctx context.Context, f *sentFilm, ask func(d desk) (bool, error)) error {
	for {
		yes := false
		err := k.try(ctx, f, func(d desk) (err error) {
			yes, err = ask(d)
			return err
		})
		if err != nil || yes {
			return err
		}
		if err := (systemClock{}).Wait(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
			return err
		}
	}
}

func (k *killing) rename(ctx context.Context, f *sentFilm, _ *mathrand.Rand) error {
	title := "Title of " + f.name
	err := k.try(ctx, f, func(d desk) error {
		return d.call(ctx, http.MethodPatch, "/assets/"+string(f.asset), map[string]string{"title": title}, nil)
	})
	if err == nil {
		f.title = title
	}
	return err
}

func (k *killing) caption(ctx context.Context, f *sentFilm, random *mathrand.Rand) error {
	if random.IntN(3) == 0 { // while it is being made, or after
		if err := k.awaitReady(ctx, f, random); err != nil {
			return err
		}
	}
	words := "Words of " + f.name
	err := k.try(ctx, f, func(d desk) error {
		_, err := d.request(ctx, http.MethodPut, "/api/v1/assets/"+string(f.asset)+"/captions/fr", map[string]string{"If-Match": "*"},
			strings.NewReader("WEBVTT\n\n00:00.500 --> 00:01.500\n"+words+"\n"), nil)
		return err
	})
	if err == nil {
		f.captions = words
	}
	return err
}

func (k *killing) awaitReady(ctx context.Context, f *sentFilm, _ *mathrand.Rand) error {
	return k.until(ctx, f, func(d desk) (bool, error) {
		var a api.Asset
		if err := d.call(ctx, http.MethodGet, "/assets/"+string(f.asset), nil, &a); err != nil {
			return false, err
		}
		if a.State == vod.Failed {
			return false, &problem{Detail: fmt.Sprintf("the film is refused: %+v", a.Findings)}
		}
		return a.State == vod.Ready, nil
	})
}

// check looks at films and jobs through the server that is left.
func (k *killing) check(t *testing.T) {
	t.Helper()
	d := k.now()
	within(t, patience, "no work is left", func() bool {
		var jobs api.JobList
		d.must(t, http.MethodGet, "/jobs?limit=1000", nil, &jobs)
		for _, j := range jobs.Jobs {
			switch j.State {
			case "done", "cancelled":
			case "given-up":
				t.Fatalf("a job is given up: %+v", j)
			default:
				return false
			}
		}
		return true
	})
	var list api.AssetList
	d.must(t, http.MethodGet, "/assets", nil, &list)
	made := map[string][]api.Asset{}
	for _, a := range list.Assets {
		made[a.Source.SHA256] = append(made[a.Source.SHA256], a)
	}
	for _, f := range k.films {
		got := made[f.sum]
		if len(got) != 1 {
			t.Errorf("%s is %d films", f.name, len(got))
			continue
		}
		if a := got[0]; a.ID != f.asset || a.State != vod.Ready || a.Title != f.title || a.Source.Name != f.name {
			t.Errorf("%s: %+v", f.name, a)
		}
		within(t, patience, "captions of "+f.name+" are in it", func() bool { return strings.Contains(d.subtitles(t, f.asset), f.captions) })
	}
	if extra := len(list.Assets) - len(k.films); extra > 1 { // the one of the event
		t.Errorf("%d films too many", extra)
	}
}

// checkStores looks at rows, objects and files when nobody is at work any more.
func (k *killing) checkStores(t *testing.T) {
	t.Helper()
	s := sweepAll(t, k.cfg, running(k.ahead).Now)
	s.checkLeftovers(t)
	s.checkRows(t)
	for i := range s.assets {
		object, err := s.store.Open(t.Context(), storage.Key(s.assets[i].Source.Object))
		if err != nil {
			t.Errorf("film of %s: %v", s.assets[i].Title, err)
			continue
		}
		content := make([]byte, object.Size())
		_, err = object.ReadAt(content, 0)
		if err = errors.Join(ignoreEOF(err), object.Close()); err != nil || hexSum(content) != s.assets[i].Source.SHA256 {
			t.Errorf("film of %s is not what was sent: %v", s.assets[i].Title, err)
		}
	}
	for _, u := range s.upload {
		if u.State != vod.UploadTaken {
			t.Errorf("upload %s is %s %s", u.Name, u.State, u.Reason)
		}
	}
	for _, dir := range []string{uploadsDir(k.cfg), filepath.Join(k.cfg.Data.Dir, "scratch")} {
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				t.Errorf("a file is left: %s", strings.TrimPrefix(path, k.cfg.Data.Dir))
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
