package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"reprise/configs"
	"reprise/storage"
	"reprise/storage/storagetest"
	"reprise/stream"
)

// inBucket moves the objects of a data folder into a bucket, as an operator
// would, and returns the configuration of a server on it.
func inBucket(t *testing.T, data string, g *storagetest.Gateway) configs.Config {
	t.Helper()
	cfg := testConfig(data)
	s3 := g.Config("films")
	cfg.Storage.S3 = configs.S3{
		Bucket: s3.Bucket, Endpoint: s3.Endpoint, Region: s3.Region, PathStyle: s3.PathStyle,
		AccessKeyID: s3.AccessKeyID, SecretAccessKey: s3.SecretAccessKey, PartSize: 5 * configs.MiB, Prefix: "reprise/",
	}
	file := filepath.Join(t.TempDir(), "bucket.yaml")
	text := fmt.Sprintf("storage: {s3: {bucket: %s, prefix: reprise/, endpoint: %q, region: %s, pathStyle: %v, accessKeyId: %s, secretAccessKey: %s, partSize: 5MiB}}\n",
		s3.Bucket, s3.Endpoint, s3.Region, s3.PathStyle, s3.AccessKeyID, s3.SecretAccessKey)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var first, second struct{ Copied, Skipped int }
	for _, report := range []any{&first, &second} {
		if err := json.Unmarshal([]byte(good(t, systemClock{}, "storage", "copy", file, "--data", data, "--json")), report); err != nil {
			t.Fatal(err)
		}
	}
	if first.Copied < 10 || second.Copied != 0 || second.Skipped != first.Copied {
		t.Fatalf("storage copy: %+v, then %+v", first, second)
	}
	// From here on only the bucket has them.
	if err := os.RemoveAll(objectsDir(cfg)); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// metric returns the value of a metric of the server.
func (s *testServer) metric(t *testing.T, name string) string {
	t.Helper()
	_, text := get(t, "http://"+s.app.metrics.Addr().String()+"/metrics")
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("there is no metric %s", name)
	}
	return m[1]
}

// eventually waits until what is true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in a minute: %s", what)
		}
		if err := (systemClock{}).Wait(t.Context(), time.Now().Add(50*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
}

// watcher fetches what players would, each file once.
type storeWatcher struct {
	now  func() time.Time
	seen map[string]bool
}

// watch fetches every playlist below a multivariant playlist, and every file in them.
func (w *storeWatcher) watch(t *testing.T, address string) {
	t.Helper()
	status, multivariant := get(t, address)
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, multivariant)
	}
	for _, uri := range uris(multivariant) {
		list := resolve(t, address, uri)
		status, playlist := get(t, list)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", uri, status, playlist)
		}
		for _, uri := range uris(playlist) {
			file := resolve(t, list, uri)
			if w.seen[file] {
				continue
			}
			w.seen[file] = true
			if status, body := get(t, file); status != http.StatusOK || body == "" {
				t.Errorf("at %s: %s: %d", w.now(), uri, status)
			}
		}
	}
}

// uris are the addresses in a playlist, whether on lines of their own or in tags.
func uris(playlist string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`(?m)^([^#\s].*)$|URI="([^"]+)"`).FindAllStringSubmatch(playlist, -1) {
		list = append(list, m[1]+m[2])
	}
	return list
}

func resolve(t *testing.T, base, uri string) string {
	t.Helper()
	b, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	u, err := b.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return u.String()
}

// A talk that is on air goes on to its end, in every rendition, though the
// store goes away right after its start; so does its replay.
func TestTalkGoesOnWithoutItsStore(t *testing.T) {
	t.Parallel()
	gateway := storagetest.StartGateway(t)
	cfg := inBucket(t, planned(t), gateway)
	s := startServerAs(t, cfg, noon().Add(-10*time.Minute))
	eventually(t, "all of the talk is on this machine", func() bool {
		if now := s.clock.Now(); now.Before(noon().Add(-time.Minute)) {
			s.clock.set(now.Add(time.Second)) // reading ahead looks again every few seconds
		}
		return s.metric(t, "reprise_cache_pinned_blocks") != "0" && s.metric(t, "reprise_cache_ahead_missing_bytes") == "0"
	})
	w := &storeWatcher{now: s.clock.Now, seen: map[string]bool{}}
	s.clock.set(noon().Add(2 * time.Second))
	gateway.Stop()
	if _, err := s.app.objects.Stat(t.Context(), "media/x"); err == nil || strings.Contains(err.Error(), storage.ErrNotFound.Error()) {
		t.Fatalf("the store still answers: %v", err)
	}
	for at := 2 * time.Second; at < (filmSeconds+20)*time.Second; at += 2 * time.Second {
		s.clock.set(noon().Add(at))
		for _, language := range s.links.event.Languages {
			w.watch(t, s.links.playlist(stream.Live, "main", language, s.play))
		}
	}
	// The node is started anew meanwhile: what was read ahead is still there.
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = startServerAs(t, cfg, noon().Add((filmSeconds+20)*time.Second))
	w.now = s.clock.Now
	live := len(w.seen)
	for _, language := range s.links.event.Languages {
		w.watch(t, s.links.playlist(stream.Replay, "noon", language, s.play))
	}
	if live < 50 || len(w.seen) == live {
		t.Errorf("only %d files live, %d with the replay", live, len(w.seen))
	}
	if status, body := get(t, s.base+"/readyz"); status != http.StatusOK {
		t.Errorf("the node calls itself unfit to serve, though it does: %d %s", status, body)
	}
}
