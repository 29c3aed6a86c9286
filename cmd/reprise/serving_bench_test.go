package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkServing loads the program and nginx with the same bytes, in turn,
// on loopback: a live playlist, a replay playlist, a segment, with 64 and 512
// connections. It reports the processor time of one request as a multiple of
// nginx's (sendfile, no cache of open files), the requests a second as a
// fraction of nginx's, and the memory of the program. Medians of the rounds.
//
// It runs for about two minutes: `make bench`, or
// go test -run '^$' -bench Serving -benchtime 1x ./cmd/reprise
func BenchmarkServing(b *testing.B) {
	for _, tool := range []string{"nginx", "wrk", "ffmpeg"} {
		if _, err := exec.LookPath(tool); err != nil {
			b.Fatalf("the benchmark needs %s: %v", tool, err)
		}
	}
	w := newServingWorld(b)
	for _, kind := range []string{"live", "replay", "segment"} {
		for _, connections := range []int{64, 512} {
			b.Run(fmt.Sprintf("%s/c%d", kind, connections), func(b *testing.B) { w.compare(b, kind, connections) })
		}
	}
	b.Run("memory", func(b *testing.B) {
		for range b.N {
		}
		b.ReportMetric(float64(statusKiB(b, w.reprise.pid, "VmHWM"))/1024, "MiB-high-water")
	})
}

const (
	servingRounds  = 3
	servingSeconds = 3
)

// served is one server under load.
type served struct {
	pid  int
	urls map[string]string
}

type servingWorld struct {
	reprise, nginx served
}

// compare runs both servers in turn and reports ours as a multiple of nginx's.
func (w *servingWorld) compare(b *testing.B, kind string, connections int) {
	for range b.N {
		var cpu, rate, ours []float64
		for range servingRounds {
			n := load(b, w.nginx, kind, connections)
			r := load(b, w.reprise, kind, connections)
			cpu = append(cpu, r.cpu/n.cpu)
			rate = append(rate, r.rate/n.rate)
			ours = append(ours, r.rate)
		}
		b.ReportMetric(median(cpu), "x-nginx-cpu")
		b.ReportMetric(median(rate), "x-nginx-rate")
		b.ReportMetric(median(ours), "req/s")
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// loaded is the outcome of one round: seconds of processor time per request, requests per second.
type loaded struct{ cpu, rate float64 }

var (
	wrkTotal = regexp.MustCompile(`(\d+) requests in`)
	wrkRate  = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
)

func load(b *testing.B, s served, kind string, connections int) loaded {
	b.Helper()
	before := cpuSeconds(b, s.pid)
	out, err := exec.Command("wrk", "-t2", "-c", strconv.Itoa(connections), "-d", fmt.Sprintf("%ds", servingSeconds), "--timeout", "10s", s.urls[kind]).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("Non-2xx")) {
		b.Fatalf("wrk on %s: %v\n%s", kind, err, out)
	}
	spent := cpuSeconds(b, s.pid) - before
	total, rate := wrkTotal.FindSubmatch(out), wrkRate.FindSubmatch(out)
	if total == nil || rate == nil {
		b.Fatalf("wrk said:\n%s", out)
	}
	n, _ := strconv.ParseFloat(string(total[1]), 64)
	r, _ := strconv.ParseFloat(string(rate[1]), 64)
	return loaded{cpu: spent / n, rate: r}
}

// cpuSeconds returns the processor time of a process and its children so far.
func cpuSeconds(b *testing.B, pid int) float64 {
	b.Helper()
	pids := []int{pid}
	out, err := exec.Command("pgrep", "-P", strconv.Itoa(pid)).Output()
	if err == nil {
		for _, f := range strings.Fields(string(out)) {
			child, _ := strconv.Atoi(f)
			pids = append(pids, child)
		}
	}
	ticks := 0.0
	for _, p := range pids {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+2:]))
		for _, f := range fields[11:13] { // utime, stime
			n, _ := strconv.ParseFloat(f, 64)
			ticks += n
		}
	}
	return ticks / 100 // USER_HZ
}

func statusKiB(b *testing.B, pid int, field string) int {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(field + `:\s+(\d+) kB`).FindSubmatch(raw)
	if m == nil {
		b.Fatalf("no %s in /proc/%d/status", field, pid)
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// newServingWorld ingests a noisy film, schedules it twice (once over, once on
// air), starts the program, and nginx with what it answers.
func newServingWorld(b *testing.B) *servingWorld {
	b.Helper()
	dir := b.TempDir()
	bin := filepath.Join(dir, "reprise")
	command(b, "go", "build", "-o", bin, ".")
	film := filepath.Join(dir, "film.mp4")
	command(b, "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25,noise=alls=60:allf=t", "-f", "lavfi", "-i", "sine=r=48000",
		"-t", "60", "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "6M", "-pix_fmt", "yuv420p", "-c:a", "aac", film)
	data := filepath.Join(dir, "data")
	var imported struct{ Asset string }
	if err := json.Unmarshal([]byte(command(b, bin, "--data", data, "--set", "ingest.preset=ultrafast", "import", "--json", film)), &imported); err != nil || imported.Asset == "" {
		b.Fatalf("import: %v", err)
	}
	now := time.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format("2006-01-02 15:04:05") }
	file := filepath.Join(dir, "event.yaml")
	text := fmt.Sprintf(`event: bench
title: {fr: Mesure, en: Bench}
languages: [fr, en]
zone: UTC
auditoriums:
  - {id: main, title: {fr: Salle, en: Room}, opens: %q, closes: %q}
talks:
  - {id: over, auditorium: main, title: {fr: Finie, en: Over}, starts: %q, spoken: fr, films: {fr: %s, en: %s}}
  - {id: now, auditorium: main, title: {fr: Maintenant, en: Now}, starts: %q, spoken: fr, films: {fr: %s, en: %s}}
`, at(-20*time.Minute), at(2*time.Hour), at(-5*time.Minute), imported.Asset, imported.Asset, at(-10*time.Second), imported.Asset, imported.Asset)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	command(b, bin, "--data", data, "schedule", "set", file)

	listen := freeAddress(b)
	start(b, exec.Command(bin, "--data", data, "--set", "http.listen="+listen, "--set", "metrics.listen=", "--set", "log.level=warn", "serve"))
	w := &servingWorld{reprise: served{pid: lastPID(b), urls: map[string]string{}}, nginx: served{urls: map[string]string{}}}
	live := strings.TrimSpace(command(b, bin, "--data", data, "token", "playback", "bench", "--auditorium", "main", "--language", "fr", "--base", "http://"+listen))
	replay := strings.TrimSpace(command(b, bin, "--data", data, "token", "playback", "bench", "--talk", "over", "--language", "fr", "--base", "http://"+listen))
	w.reprise.urls["live"] = beside(b, live, "v720.m3u8")
	w.reprise.urls["replay"] = beside(b, replay, "v720.m3u8")
	w.reprise.urls["segment"] = firstSegment(b, w.reprise.urls["replay"])
	w.startNginx(b, filepath.Join(dir, "nginx"))
	return w
}

func (w *servingWorld) startNginx(b *testing.B, dir string) {
	b.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "root"), 0o755); err != nil {
		b.Fatal(err)
	}
	listen := freeAddress(b)
	for kind, u := range w.reprise.urls {
		if err := os.WriteFile(filepath.Join(dir, "root", kind), fetch(b, u), 0o600); err != nil {
			b.Fatal(err)
		}
		w.nginx.urls[kind] = "http://" + listen + "/" + kind
	}
	config := fmt.Sprintf(`daemon off; worker_processes auto; pid %[1]s/pid; error_log %[1]s/error.log; user root;
events { worker_connections 4096; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_timeout 60s; keepalive_requests 10000000;
  default_type application/vnd.apple.mpegurl;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server { listen %[2]s; root %[1]s/root; } }`, dir, listen)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	start(b, exec.Command("nginx", "-c", path))
	w.nginx.pid = lastPID(b)
	fetch(b, w.nginx.urls["live"])
}

// started holds the pids of what a benchmark started, newest last.
var started []int

func lastPID(b *testing.B) int {
	b.Helper()
	return started[len(started)-1]
}

// start starts a server and stops it when the benchmark ends.
func start(b *testing.B, c *exec.Cmd) {
	b.Helper()
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	started = append(started, c.Process.Pid)
	b.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
	})
}

func command(b *testing.B, name string, args ...string) string {
	b.Helper()
	c := exec.Command(name, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		b.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// beside returns the address of name in the folder of the playlist at base.
func beside(b *testing.B, base, name string) string {
	b.Helper()
	u, err := url.Parse(base)
	if err != nil {
		b.Fatal(err)
	}
	return u.ResolveReference(&url.URL{Path: name}).String()
}

// firstSegment returns the address of the first segment of a media playlist.
func firstSegment(b *testing.B, playlist string) string {
	b.Helper()
	for line := range strings.Lines(string(fetch(b, playlist))) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return beside(b, playlist, line)
		}
	}
	b.Fatalf("no segment in %s", playlist)
	return ""
}

// fetch gets an address, until the server is up.
func fetch(b *testing.B, address string) []byte {
	b.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		r, err := http.Get(address)
		if err == nil {
			body, err := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if err == nil && r.StatusCode == http.StatusOK {
				return body
			}
			if time.Now().After(deadline) {
				b.Fatalf("%s answers %s %s", address, r.Status, body)
			}
		} else if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
}
