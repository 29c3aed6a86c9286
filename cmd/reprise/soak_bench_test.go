package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/api"
	"reprise/storage/storagetest"
	"reprise/vod"
)

// talkVariable is how long the talk of BenchmarkFirstPlayable is, in seconds; 3600.
const talkVariable = "REPRISETEST_TALK"

// BenchmarkFirstPlayable sends a talk of an hour in 1280x720 to a whole server,
// a process of its own with disk and with a bucket, and reports how long after
// its last byte there is something to watch: the film as it came (preview-s),
// and the first rendition of a film that airs within minutes (first-s). It also
// reports the most memory that the server (server-MiB) and its children
// (children-MiB, all at one instant) had meanwhile. On a bucket it ends with the preview and
// the begin of encoding.
//
//	go test -run '^$' -bench FirstPlayable -benchtime 1x -timeout 60m ./cmd/reprise
func BenchmarkFirstPlayable(b *testing.B) {
	film := hourLong(b, number(b, talkVariable, 3600))
	b.Run("disk", func(b *testing.B) {
		for range b.N {
			newSoak(b, nil).measure(film, true)
		}
	})
	b.Run("s3", func(b *testing.B) {
		for range b.N {
			cfg := storagetest.StartGateway(b).Config("films")
			newSoak(b, []string{
				"storage.s3.bucket=" + cfg.Bucket, "storage.s3.endpoint=" + cfg.Endpoint, "storage.s3.region=" + cfg.Region, "storage.s3.pathStyle=true",
				"storage.s3.accessKeyId=" + cfg.AccessKeyID, "storage.s3.secretAccessKey=" + cfg.SecretAccessKey,
			}).measure(film, false)
		}
	})
}

// hourLong makes a minute of a talk's picture (slides, each held for twenty
// seconds, a speaker in a corner before a noisy camera) and repeats it beside a voice.
func hourLong(b *testing.B, seconds int) string {
	b.Helper()
	dir := b.TempDir()
	minute, film := filepath.Join(dir, "minute.mp4"), filepath.Join(dir, "talk.mp4")
	for _, args := range [][]string{
		{"-f", "lavfi", "-i", "testsrc2=s=1280x720:r=1/20:d=60", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=60",
			"-filter_complex", "[0:v]fps=25[slides];[1:v]noise=alls=12:allf=t[camera];[slides][camera]overlay=940:520,format=yuv420p[v]",
			"-map", "[v]", "-t", "60", "-c:v", "libx264", "-preset", "veryfast", minute},
		{"-stream_loop", "-1", "-i", minute, "-f", "lavfi", "-i", "anoisesrc=c=pink:a=0.2:r=48000:seed=1,tremolo=f=4:d=0.9",
			"-map", "0:v", "-map", "1:a", "-t", strconv.Itoa(seconds), "-c:v", "copy", "-c:a", "aac", "-metadata:s:a:0", "language=fra", "-movflags", "+faststart", film},
	} {
		if out, err := exec.CommandContext(b.Context(), "ffmpeg", append([]string{"-nostdin", "-v", "error", "-y"}, args...)...).CombinedOutput(); err != nil {
			b.Fatalf("make talk: %v\n%s", err, out)
		}
	}
	return film
}

// soak is a server with a talk that airs in five minutes and has no film yet.
type soak struct {
	b      *testing.B
	desk   desk
	server *child
}

func newSoak(b *testing.B, set []string) *soak {
	b.Helper()
	data := invited(b)
	ahead := time.Until(noon().Add(-4 * time.Minute)) // the second talk is a minute after noon
	args := []string{"--data", data, "--set", "metrics.listen=", "--set", "http.listen=127.0.0.1:0"}
	for _, s := range set {
		args = append(args, "--set", s)
	}
	var link struct{ Token string }
	if err := json.Unmarshal([]byte(good(b, running(ahead), append([]string{"token", "desk", "test", "--json"}, args...)...)), &link); err != nil {
		b.Fatal(err)
	}
	s := &soak{b: b, server: startChildIn(b, []string{aheadVariable + "=" + ahead.String()}, append([]string{"serve"}, args...)...)}
	s.desk = desk{s.server.base, link.Token}
	return s
}

// measure sends the film and waits for what can be watched of it.
func (s *soak) measure(film string, first bool) {
	ctx, end := context.WithCancel(s.b.Context())
	defer end()
	var most peaks
	var watch sync.WaitGroup
	watch.Go(func() { most = watchMemory(ctx, s.server.cmd.Process.Pid) })
	began := time.Now()
	id, size := s.send(film)
	last := time.Now()
	s.b.ReportMetric(float64(size)/(1<<20)/last.Sub(began).Seconds(), "upload-MiB/s")
	asset := s.asset(id)
	preview := s.until(asset, "preview", func(a *api.Asset) bool { return a.Preview }).Sub(last)
	s.b.ReportMetric(preview.Seconds(), "preview-s")
	if first {
		s.b.ReportMetric(s.until(asset, "first rendition", func(a *api.Asset) bool { return a.First != "" || a.Media != "" }).Sub(last).Seconds(), "first-s")
		var p api.Preview
		s.must(http.MethodPost, "/assets/"+string(asset)+"/preview", &p)
		if status, _, err := fetchPage(ctx, s.desk.base+p.URL); err != nil || status != http.StatusOK {
			s.b.Errorf("the first rendition: %d %v", status, err)
		}
	}
	s.until(asset, "encoding", func(a *api.Asset) bool {
		return a.Progress.Stage == "encoding" || a.Progress.Stage == "first" || a.Media != ""
	})
	end()
	watch.Wait()
	s.b.ReportMetric(most.server, "server-MiB")
	s.b.ReportMetric(most.children, "children-MiB")
	s.b.ReportMetric(0, "ns/op") // says nothing
	s.server.kill()
}

func (s *soak) must(method, path string, out any) {
	s.b.Helper()
	if err := s.desk.call(s.b.Context(), method, path, nil, out); err != nil {
		s.b.Fatalf("%s %s: %v", method, path, err)
	}
}

// send uploads the film in one request, as browsers do.
func (s *soak) send(film string) (vod.UploadID, int64) {
	f, err := os.Open(film)
	if err != nil {
		s.b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		s.b.Fatal(err)
	}
	id, err := s.desk.begin(s.b.Context(), int(info.Size()), map[string]string{"filename": "talk.mp4", "talk": "second"})
	if err == nil {
		_, err = s.desk.patch(s.b.Context(), id, 0, struct{ io.Reader }{f})
	}
	if err != nil {
		s.b.Fatal(err)
	}
	return id, info.Size()
}

// poll is how exactly times are measured.
const poll = 20 * time.Millisecond

// asset waits until the upload is a film.
func (s *soak) asset(id vod.UploadID) vod.AssetID {
	for {
		var list api.UploadList
		s.must(http.MethodGet, "/uploads", &list)
		for _, u := range list.Uploads {
			if u.ID == id && u.State == vod.UploadTaken {
				return u.Asset
			}
		}
		s.wait()
	}
}

// until waits until the film is as it should be, and says when it was.
func (s *soak) until(id vod.AssetID, what string, is func(a *api.Asset) bool) time.Time {
	for {
		var a api.Asset
		s.must(http.MethodGet, "/assets/"+string(id), &a)
		if is(&a) {
			return time.Now()
		}
		if a.State == vod.Failed {
			s.b.Fatalf("no %s: %+v", what, a.Findings)
		}
		s.wait()
	}
}

func (s *soak) wait() {
	if err := (systemClock{}).Wait(s.b.Context(), time.Now().Add(poll)); err != nil {
		s.b.Fatal(err)
	}
}

// peaks is the most memory, in MiB: of a process, and of all its children at one instant.
type peaks struct{ server, children float64 }

// watchMemory looks at a process and its children until ctx ends.
func watchMemory(ctx context.Context, pid int) (most peaks) {
	for (systemClock{}).Wait(ctx, time.Now().Add(10*poll)) == nil {
		most.server = max(most.server, resident(pid))
		most.children = max(most.children, descendants(pid))
	}
	return most
}

// resident is the memory that a process has now, in MiB; 0 for one that is gone.
func resident(pid int) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	return 0
}

// descendants is the memory of a process's children, and theirs.
func descendants(pid int) (sum float64) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				sum += resident(child) + descendants(child)
			}
		}
	}
	return sum
}
