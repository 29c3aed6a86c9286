package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reprise/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run starts the world's server on a socket. stop ends its context; done delivers what Run returned.
func (w *world) run() (base string, client *http.Client, stop context.CancelFunc, done chan error) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done = make(chan error, 1)
	go func() { done <- w.server.Run(ctx, l) }()
	client = &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: time.Minute}
	w.t.Cleanup(func() { stop(); client.CloseIdleConnections() })
	return "http://" + l.Addr().String(), client, stop, done
}

func get(t testing.TB, c *http.Client, url string) *http.Response {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// big stores the object of big.m4s and returns its bytes.
func (w *world) big() []byte {
	w.t.Helper()
	b := bytes.Repeat(w.object[:1<<12], bigLen>>12)
	if _, err := w.store.Put(w.t.Context(), "media/big", bytes.NewReader(b)); err != nil {
		w.t.Fatal(err)
	}
	return b
}

// refused blocks until the server's socket takes no connection any more.
func refused(t testing.TB, base string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			return
		}
		_ = c.Close()
	}
	t.Fatal("the listener never closed")
}

func wantEnd(t testing.TB, done chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("Run does not return")
		return nil
	}
}

func TestShutdownFinishesASlowDownload(t *testing.T) {
	t.Parallel()
	w := setup(t)
	want := w.big()
	base, client, stop, done := w.run()
	resp := get(t, client, base+"/p/"+w.mint("playback", "event")+"/s/"+mediaID+"/v720/big.m4s")
	head := make([]byte, 1000)
	if _, err := io.ReadFull(resp.Body, head); err != nil {
		t.Fatal(err)
	}
	stop()
	refused(t, base)
	select {
	case err := <-done:
		t.Fatalf("Run returned %v with an answer under way", err)
	default:
	}
	if got := append(head, readAll(t, resp.Body)...); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
	if err := wantEnd(t, done); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestShutdownReleasesBlockingReloads(t *testing.T) {
	t.Parallel()
	w := setup(t)
	base, client, stop, done := w.run()
	live := base + "/p/" + w.mint("playback", "event") + "/live/main/fr/v720.m3u8"
	type answer struct {
		resp *http.Response
		err  error
	}
	answers := make(chan answer, 5)
	for range cap(answers) {
		go func() {
			resp, err := client.Get(live + "?_HLS_msn=101")
			answers <- answer{resp, err}
		}()
	}
	w.clock.untilWaiting(cap(answers))
	stop()
	for range cap(answers) {
		a := <-answers
		if a.err != nil {
			t.Fatal(a.err)
		}
		body := readAll(t, a.resp.Body)
		_ = a.resp.Body.Close()
		if a.resp.StatusCode != 200 || !strings.HasPrefix(string(body), "#EXTM3U") || a.resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %v", a.resp.StatusCode, a.resp.Header)
		}
	}
	if err := wantEnd(t, done); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestShutdownOrder(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *Config, _ *Deps) { c.DrainDelay = 2 * time.Second })
	base, client, stop, done := w.run()
	if resp := get(t, client, base+"/readyz"); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	stop()
	var resp *http.Response
	for resp == nil || resp.StatusCode == 200 { // until the stop is noticed
		resp = get(t, client, base+"/readyz")
		readAll(t, resp.Body)
	}
	if resp.StatusCode != 503 {
		t.Errorf("during the delay: %s, want 503", resp.Status)
	}
	if w.server.draining.Load() {
		t.Error("reloads are released while the listener still accepts")
	}
	if resp := get(t, client, base+"/p/"+w.mint("playback", "event")+"/live/main/fr/v720.m3u8"); resp.StatusCode != 200 {
		t.Errorf("a playlist during the delay: %s", resp.Status)
	}
	if err := wantEnd(t, done); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestShutdownHasADeadline(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *Config, _ *Deps) { c.DrainTimeout = 100 * time.Millisecond })
	w.big()
	base, client, stop, done := w.run()
	resp := get(t, client, base+"/p/"+w.mint("playback", "event")+"/s/"+mediaID+"/v720/big.m4s") // and never reads
	stop()
	if err := wantEnd(t, done); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v, want the deadline", err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("a cut answer looks whole")
	}
}

// What is left of a body that came too late must not be read as a request.
func TestLateBodyEndsTheConnection(t *testing.T) {
	t.Parallel()
	w := setup(t)
	base, _, stop, done := w.run()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /api/v1/playback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	answer, err := io.ReadAll(conn) // to the end of the connection
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 408 ")) {
		t.Errorf("%v: %.300s", err, answer)
	}
	stop()
	if err := wantEnd(t, done); err != nil {
		t.Error(err)
	}
}

func TestListenerFailureEndsRun(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := w.server.Run(t.Context(), l); err == nil {
		t.Error("no error")
	}
}

func TestOnTheWire(t *testing.T) {
	t.Parallel()
	w := setup(t)
	base, client, stop, done := w.run()
	p := base + "/p/" + w.mint("playback", "event")
	for _, target := range []string{"/live/main/fr/v720.m3u8", "/s/" + mediaID + "/v720/0-x.m4s", "/nothing"} {
		resp := get(t, client, p+target)
		body := readAll(t, resp.Body)
		if resp.Header.Get("Date") == "" || resp.ContentLength != int64(len(body)) || len(resp.TransferEncoding) > 0 {
			t.Errorf("R207 %s: Date %q, length %d of %d, %v", target, resp.Header.Get("Date"), resp.ContentLength, len(body), resp.TransferEncoding)
		}
	}
	// R202: odd spellings are not redirected.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("redirect") }
	for _, target := range []string{"/live//main/fr/v720.m3u8", "//live/main/fr/v720.m3u8", "/live/main/fr/v720.m3u8/", "/./live/main/fr/v720.m3u8"} {
		if resp := get(t, client, p+target); resp.StatusCode != 404 {
			t.Errorf("R202 %s: %s", target, resp.Status)
		}
	}
	stop()
	if err := wantEnd(t, done); err != nil {
		t.Error(err)
	}
}

// TestBigPlaylistsOnTheWire: what goes out in one system call is whole, whatever
// its size against the buffers, and the connection goes on being used.
func TestBigPlaylistsOnTheWire(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, oneWrite, oneWrite + 1, 3300, 3400, 3500, 3600, 4096, 8192, 10_000, 20_000, 42_000, 64 << 10, 300_000} {
		body := bytes.Repeat([]byte("#EXTM3U\n"), size/8+1)[:size]
		w := setup(t, func(_ *Config, d *Deps) {
			d.Playout = steady{d.Playout, &stream.Document{Body: body, ETag: `"e"`, LastMSN: 7}}
		})
		base, client, stop, done := w.run()
		target := base + "/p/" + w.mint("playback", "event") + "/live/main/fr/v720.m3u8"
		for range 3 {
			resp := get(t, client, target)
			if got := readAll(t, resp.Body); !bytes.Equal(got, body) || resp.ContentLength != int64(size) {
				t.Errorf("%d bytes, Content-Length %d, want %d", len(got), resp.ContentLength, size)
			}
			resp, err := client.Head(target)
			if err != nil || resp.ContentLength != int64(size) {
				t.Errorf("HEAD: %v, Content-Length %d, want %d", err, resp.ContentLength, size)
			}
		}
		stop()
		if err := wantEnd(t, done); err != nil {
			t.Error(err)
		}
	}
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	w := setup(t)
	base, client, stop, done := w.run()
	req, _ := http.NewRequest("GET", base+"/healthz", nil)
	req.Header.Set("X", strings.Repeat("x", 2*maxHeaderBytes))
	resp, err := client.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if err == nil && resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v %v", resp, err)
	}
	stop()
	_ = wantEnd(t, done)
}

// TestSegmentsGoBySendfile runs one download under strace and adds up what sendfile sent.
func TestSegmentsGoBySendfile(t *testing.T) {
	const trigger = "REPRISE_TEST_TRACED"
	if os.Getenv(trigger) != "" {
		w := setup(t)
		base, client, stop, done := w.run()
		for range 3 {
			resp := get(t, client, base+"/p/"+w.mint("playback", "event")+"/s/"+mediaID+"/v720/1-x.m4s")
			if body := readAll(t, resp.Body); !bytes.Equal(body, w.object[initLen+segLen:]) {
				t.Error("wrong bytes")
			}
		}
		stop()
		_ = wantEnd(t, done)
		return
	}
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is missing: .ci/setup test installs it")
	}
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-e", "trace=sendfile", "-o", trace, os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), trigger+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "ptrace") {
			t.Skipf("strace may not trace here: %s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, m := range regexp.MustCompile(`sendfile.*= (\d+)\n`).FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[1])
		sum += n
	}
	// net/http copies the first 512 bytes of each answer, to send them with the headers.
	if want := 3 * (segLen - 512); sum < want {
		t.Errorf("sendfile sent %d bytes, want %d:\n%.2000s", sum, want, text)
	}
}

func TestCopyThroughAnyStoreOnTheWire(t *testing.T) {
	t.Parallel()
	w := setup(t, withoutFiles)
	base, client, stop, done := w.run()
	resp := get(t, client, base+"/p/"+w.mint("playback", "event")+"/s/"+mediaID+"/v720/1-x.m4s")
	if body := readAll(t, resp.Body); !bytes.Equal(body, w.object[initLen+segLen:]) {
		t.Error("wrong bytes")
	}
	stop()
	if err := wantEnd(t, done); err != nil {
		t.Error(err)
	}
}
