package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/api"
	"reprise/configs"
	"reprise/storage"
	"reprise/storage/dbtest"
	"reprise/storage/storagetest"
	"reprise/stream"
	"reprise/vod"
)

// cluster is machines that share a PostgreSQL database and a bucket, and
// nothing else. Their clocks run, from two minutes before noon.
type cluster struct {
	file  string // configuration
	ahead time.Duration
	token string // of the organizers
}

// newCluster makes an event whose doors are open, with two talks that have no films yet.
func newCluster(t testing.TB) *cluster {
	t.Helper()
	s3 := storagetest.StartGateway(t).Config("films")
	c := &cluster{ahead: time.Until(noon().Add(-2 * time.Minute))}
	c.file = scratch(t, "cluster.yaml", fmt.Sprintf(`database: {dsn: %q}
storage: {s3: {bucket: %s, prefix: reprise/, endpoint: %q, region: %s, pathStyle: %v, accessKeyId: %s, secretAccessKey: %s, partSize: 5MiB}}
http: {listen: "127.0.0.1:0"}
metrics: {listen: ""}
ingest: {preset: ultrafast, threads: 1}
`, dbtest.Postgres(t), s3.Bucket, s3.Endpoint, s3.Region, s3.PathStyle, s3.AccessKeyID, s3.SecretAccessKey))
	event := `event: test
title: {fr: Essai, en: Test}
languages: [fr, en]
zone: Europe/Paris
auditoriums:
  - {id: main, title: {fr: Salle, en: Hall}, opens: 2026-09-14 11:58, closes: 2026-09-14 14:00}
talks:
  - {id: second, auditorium: main, title: {fr: Deuxième, en: Second}, starts: 2026-09-14 13:00, slot: 1m}
  - {id: third, auditorium: main, title: {fr: Troisième, en: Third}, starts: 2026-09-14 13:30, slot: 1m}
`
	data := filepath.Join(t.TempDir(), "data")
	clock := running(c.ahead)
	good(t, clock, "schedule", "set", "--config", c.file, "--data", data, scratch(t, "event.yaml", event))
	var link struct{ Token string }
	if err := json.Unmarshal([]byte(good(t, clock, "token", "desk", "test", "--config", c.file, "--data", data, "--json")), &link); err != nil {
		t.Fatal(err)
	}
	c.token = link.Token
	return c
}

// machine starts a process on a data folder of its own.
func (c *cluster) machine(t *testing.T, data, verb string, args ...string) *child {
	t.Helper()
	return startChildIn(t, []string{aheadVariable + "=" + c.ahead.String()}, append([]string{verb, "--config", c.file, "--data", data}, args...)...)
}

// config is the configuration of a machine of the cluster.
func (c *cluster) config(t *testing.T, data string) configs.Config {
	t.Helper()
	cfg, err := configs.Load(c.file, nil, []string{"data.dir=" + data})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// padded makes a film larger, as what follows its end does: a box of bytes that nobody reads.
func padded(film []byte, size int) []byte {
	box := make([]byte, max(size-len(film), 8))
	_, _ = rand.Read(box)
	binary.BigEndian.PutUint32(box, uint32(len(box)))
	copy(box[4:], "free")
	return append(slices.Clone(film), box...)
}

// board is what the server-sent events of a node have said of films.
type board struct {
	mu   sync.Mutex
	said []api.Asset
}

// listen follows the progress of the work, as the desk's page does, until the test ends.
func (d desk) listen(t *testing.T) *board {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+"/api/v1/progress", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	b := &board{}
	var wait sync.WaitGroup
	wait.Go(func() {
		lines, kind := bufio.NewScanner(resp.Body), ""
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				kind = name
			}
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			var a api.Asset
			if ok && kind == "asset" && json.Unmarshal([]byte(data), &a) == nil {
				b.mu.Lock()
				b.said = append(b.said, a)
				b.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = resp.Body.Close()
		wait.Wait()
	})
	return b
}

// heard waits until something was said of a film.
func (b *board) heard(t *testing.T, what string, is func(a *api.Asset) bool) {
	t.Helper()
	within(t, patience, "it is said that "+what, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.ContainsFunc(b.said, func(a api.Asset) bool { return is(&a) })
	})
}

// stalls is a body that lets so many bytes through and then says so and stands still until it is let go.
type stalls struct {
	content []byte
	sent    chan struct{}
	end     chan struct{}
}

// Read implements io.Reader.
func (s *stalls) Read(p []byte) (int, error) {
	if len(s.content) == 0 {
		if s.sent != nil {
			close(s.sent)
			s.sent = nil
		}
		<-s.end
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, s.content)
	s.content = s.content[n:]
	return n, nil
}

// Two servers and two workers without a common disk: an upload goes on at the
// other server when its own is killed, a film is made by the other worker when
// its own is killed, and all say the same.
func TestNodesTakeOverFromOneAnother(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	folder := func(name string) string { return filepath.Join(t.TempDir(), name) }
	firstData, secondData := folder("one"), folder("two")
	serve := []string{"--set", "ingest.workers=0"}
	first := c.machine(t, firstData, "serve", serve...)
	second := c.machine(t, secondData, "serve", serve...)
	one, two := desk{first.base, c.token}, desk{second.base, c.token}
	content := padded(longRecording(t), 14<<20)
	id, err := one.begin(t.Context(), len(content), map[string]string{"filename": "talk.mp4", "talk": "second", "sha256": hexSum(content)})
	if err != nil {
		t.Fatal(err)
	}
	board := two.listen(t)
	acknowledged, err := one.patch(t.Context(), id, 0, bytes.NewReader(content[:6<<20]))
	if err != nil {
		t.Fatal(err)
	}
	// In the middle of the next request the server dies.
	body := &stalls{content: content[6<<20 : 12<<20], sent: make(chan struct{}), end: make(chan struct{})}
	sent, broken := body.sent, make(chan error, 1)
	go func() {
		_, err := one.patch(context.WithoutCancel(t.Context()), id, acknowledged, body)
		broken <- err
	}()
	<-sent
	first.kill()
	close(body.end)
	if err := <-broken; err == nil {
		t.Fatal("the request survived its server")
	}
	at := 0
	within(t, patience, "the other server goes on", func() bool {
		at, err = two.offset(t.Context(), id)
		return err == nil // it is locked for as long as the dead one's lease lasts
	})
	if at < acknowledged {
		t.Errorf("%d bytes of %d acknowledged ones are there", at, acknowledged)
	}
	if err := two.goOn(t.Context(), id, content); err != nil {
		t.Fatal(err)
	}
	u := two.taken(t, id)
	if u.State != vod.UploadTaken {
		t.Fatalf("the upload is %s: %s", u.State, u.Reason)
	}
	worker := c.machine(t, folder("three"), "worker", "--workers", "1")
	board.heard(t, "the worker encodes it", func(a *api.Asset) bool {
		return a.ID == u.Asset && a.State == vod.Processing && a.Progress.Stage == "encoding" && a.Percent > 0 && a.Progress.Node != ""
	})
	c.machine(t, folder("four"), "worker", "--workers", "1")
	worker.kill()
	killed := time.Now()
	board.heard(t, "the other worker does it", func(a *api.Asset) bool {
		return a.ID == u.Asset && a.Job != nil && a.Job.State == "running" && len(a.Job.Failures) > 0
	})
	t.Logf("taken over %s after the kill", time.Since(killed).Round(time.Second))
	board.heard(t, "it is ready", func(a *api.Asset) bool { return a.ID == u.Asset && a.State == vod.Ready && a.Revision == 1 })
	first = c.machine(t, firstData, "serve", serve...)
	one = desk{first.base, c.token}
	sameOnBoth(t, one, two, u.Asset)
	c.sameFeed(t, one, two)
	for _, d := range []desk{one, two} {
		if a := d.asset(t, u.Asset); a.Source.SHA256 != hexSum(content) {
			t.Errorf("the film is another one: %+v", a)
		}
	}
	first.kill()
	second.kill()
	c.clean(t, secondData)
}

// longRecording is a film whose encoding takes a while.
func longRecording(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "long.mp4")
	if err := recordFilm(path, 40); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// sameOnBoth plays a film on both servers and compares what they answer.
func sameOnBoth(t *testing.T, one, two desk, id vod.AssetID) {
	t.Helper()
	var p api.Preview
	one.must(t, http.MethodPost, "/assets/"+string(id)+"/preview", nil, &p)
	status, list := get(t, one.base+p.URL)
	if status != http.StatusOK {
		t.Fatalf("preview: %d %s", status, list)
	}
	compared := 0
	for _, uri := range append(uris(list), p.URL) {
		_, a := get(t, resolve(t, one.base+p.URL, uri))
		_, b := get(t, resolve(t, two.base+p.URL, uri))
		if a != b {
			t.Errorf("%s is not the same on both:\n%s\nand\n%s", uri, a, b)
		}
		compared++
		for _, file := range uris(a) {
			base := resolve(t, one.base+p.URL, uri)
			if status, x := get(t, resolve(t, base, file)); status != http.StatusOK || x == "" {
				t.Errorf("%s: %d", file, status)
			}
		}
	}
	if compared < 4 {
		t.Errorf("only %d playlists", compared)
	}
}

// sameFeed compares the feed of the auditorium, which moves on meanwhile.
func (c *cluster) sameFeed(t *testing.T, one, two desk) {
	t.Helper()
	address := good(t, running(c.ahead), "token", "playback", "test", "--config", c.file, "--data", filepath.Join(t.TempDir(), "x"), "--auditorium", "main", "--base", "http://x")
	path := strings.TrimSpace(strings.TrimPrefix(address, "http://x"))
	if !strings.Contains(path, string(stream.Live)) {
		t.Fatalf("address %s", path)
	}
	for _, name := range []string{"v234.m3u8", "a-fr.m3u8", "v720.m3u8"} {
		at := strings.Replace(path, "multivariant.m3u8", name, 1)
		var before, other, after string
		within(t, patience, name+" is on the air", func() bool {
			var a, b, c int
			a, before = get(t, one.base+at)
			b, other = get(t, two.base+at)
			c, after = get(t, one.base+at)
			return a == http.StatusOK && b == http.StatusOK && c == http.StatusOK && before == after
		})
		if other != before || !strings.Contains(before, ".m4s") {
			t.Errorf("%s is not the same on both:\n%s\nand\n%s", name, before, other)
		}
	}
}

// clean checks that nothing is left in the bucket: no object that no row names, no upload in parts.
func (c *cluster) clean(t *testing.T, data string) {
	t.Helper()
	s := sweepAll(t, c.config(t, data), running(c.ahead).Now)
	s.checkLeftovers(t)
	if err := s.store.(storage.Parter).Unfinished(t.Context(), "", func(u storage.Unfinished) error {
		t.Errorf("an upload in parts is left: %s", u.Key)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
