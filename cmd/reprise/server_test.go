package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"reprise/api/token"
	"reprise/configs"
	"reprise/event"
	"reprise/stream"
)

// testServer is a whole server in this process, on a clock that the test sets.
type testServer struct {
	app   *app
	clock *setClock
	base  string
	stop  func() error // asks for an orderly end, and waits for it
	links linkMaker
	play  string // a playback token
}

// startServer builds a server on data and runs it.
func startServer(t *testing.T, data string, now time.Time) *testServer {
	t.Helper()
	return startServerAs(t, testConfig(data), now)
}

func startServerAs(t *testing.T, cfg configs.Config, now time.Time) *testServer {
	t.Helper()
	c := newSetClock(now)
	s := startServerOn(t, cfg, c)
	s.clock = c
	return s
}

// startServerOn is startServerAs with any clock; the server's own then stays nil.
func startServerOn(t *testing.T, cfg configs.Config, c clock) *testServer {
	t.Helper()
	a, err := newApp(t.Context(), cfg, deps{clock: c, log: silent()})
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{app: a, base: "http://" + a.listener.Addr().String()}
	e, err := a.rows.Event(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	s.links = a.links(e, s.base, "test", 0)
	if s.play, err = s.links.mint(token.Playback, false, token.WholeEvent); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.run(ctx) }()
	stopped := false
	s.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("the server did not stop in order: %v", err)
		}
	})
	return s
}

// get fetches an address.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	status, body, err := fetchPage(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func fetchPage(ctx context.Context, url string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), errors.Join(err, response.Body.Close())
}

// playlist fetches a media playlist of a view.
func (s *testServer) playlist(t *testing.T, view stream.View, place string, language event.Language, name string) (int, string) {
	t.Helper()
	return get(t, strings.Replace(s.links.playlist(view, place, language, s.play), "multivariant.m3u8", name, 1))
}

// dates returns the PROGRAM-DATE-TIME of each segment of a playlist.
func dates(t *testing.T, playlist string) []time.Time {
	t.Helper()
	var list []time.Time
	for _, m := range regexp.MustCompile(`(?m)^#EXT-X-PROGRAM-DATE-TIME:(.*)$`).FindAllStringSubmatch(playlist, -1) {
		at, err := time.Parse(time.RFC3339Nano, m[1])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, at)
	}
	return list
}

// A talk goes on air at its hour, to the tick, and is a replay afterwards (R233, R236, R238, R239).
func TestTalkGoesOnAirAndBecomesAReplay(t *testing.T) {
	t.Parallel()
	s := startServer(t, planned(t), noon().Add(-time.Minute))
	const listed = 16 * time.Second // HOLD-BACK: segments are listed so long before their air end (R231)
	airEnd := 3840 * time.Millisecond
	for _, language := range []event.Language{"fr", "en"} {
		if status, body := s.playlist(t, stream.StartOver, "noon", language, "multivariant.m3u8"); status != http.StatusNotFound {
			t.Errorf("R239: the talk is there a minute before its hour: %d %s", status, body)
		}
	}
	s.clock.set(noon().Add(airEnd - listed - time.Millisecond))
	_, before := s.playlist(t, stream.Live, "main", "fr", "v234.m3u8")
	for _, at := range dates(t, before) {
		if !at.Before(noon()) {
			t.Errorf("R239: a segment of the talk is listed too early:\n%s", before)
		}
	}
	s.clock.set(noon().Add(airEnd - listed))
	for _, name := range []string{"v234.m3u8", "v1080.m3u8", "a-fr.m3u8", "a-en.m3u8", "s-fr.m3u8"} {
		status, now := s.playlist(t, stream.Live, "main", "fr", name)
		list := dates(t, now)
		if status != http.StatusOK || len(list) == 0 || !list[len(list)-1].Equal(noon()) {
			t.Fatalf("R233: %s: the talk's first segment is not listed at its instant: %d\n%s", name, status, now)
		}
		if !strings.Contains(now, "#EXT-X-DISCONTINUITY\n") {
			t.Errorf("R130: %s: no discontinuity before the talk:\n%s", name, now)
		}
	}
	if status, _ := s.playlist(t, stream.Replay, "noon", "fr", "multivariant.m3u8"); status != http.StatusNotFound {
		t.Errorf("R239: a replay during the talk: %d", status)
	}
	s.clock.set(noon().Add(filmSeconds*time.Second + time.Second))
	status, startOver := s.playlist(t, stream.StartOver, "noon", "fr", "v234.m3u8")
	if status != http.StatusOK || !strings.Contains(startOver, "#EXT-X-ENDLIST") {
		t.Errorf("R236: start-over after the talk: %d\n%s", status, startOver)
	}
	status, replay := s.playlist(t, stream.Replay, "noon", "en", "v234.m3u8")
	if status != http.StatusOK || !strings.Contains(replay, "#EXT-X-PLAYLIST-TYPE:VOD") {
		t.Fatalf("R238: replay after the talk: %d\n%s", status, replay)
	}
	uri := regexp.MustCompile(`(?m)^\.\./.*\.m4s$`).FindString(replay)
	if !strings.Contains(startOver, uri) || uri == "" {
		t.Errorf("R238: the replay is not made of the segments that were live: %q", uri)
	}
	list, err := url.Parse(s.links.playlist(stream.Replay, "noon", "en", s.play))
	if err != nil {
		t.Fatal(err)
	}
	segment, err := list.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := get(t, segment.String()); status != http.StatusOK || len(body) < 1000 {
		t.Errorf("a segment: %d, %d bytes", status, len(body))
	}
	if status, body := get(t, s.base+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz: %d %s", status, body)
	}
	if status, body := get(t, "http://"+s.app.metrics.Addr().String()+"/metrics"); status != http.StatusOK || !strings.Contains(body, "go_goroutines") {
		t.Errorf("metrics: %d", status)
	}
}

// A stop releases players that wait, ends what runs, and frees the folder; meanwhile a second server is told who is there.
func TestStopInOrder(t *testing.T) {
	t.Parallel()
	data := planned(t)
	s := startServer(t, data, noon().Add(-30*time.Second))
	_, err := newApp(t.Context(), testConfig(data), deps{clock: s.clock, log: silent()})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("a reprise server (process %d) runs on it", os.Getpid())) {
		t.Errorf("a second server on one folder: %v", err)
	}
	_, playlist := s.playlist(t, stream.Live, "main", "fr", "v234.m3u8")
	last := dates(t, playlist)
	first := regexp.MustCompile(`#EXT-X-MEDIA-SEQUENCE:(\d+)`).FindStringSubmatch(playlist)
	if len(last) == 0 || first == nil {
		t.Fatalf("no playlist:\n%s", playlist)
	}
	var msn int
	if _, err := fmt.Sscan(first[1], &msn); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	address := strings.Replace(s.links.playlist(stream.Live, "main", "fr", s.play), "multivariant.m3u8", fmt.Sprintf("v234.m3u8?_HLS_msn=%d", msn+len(last)), 1)
	go func() {
		status, body, err := fetchPage(context.WithoutCancel(t.Context()), address)
		if err == nil && status != http.StatusOK && status != http.StatusServiceUnavailable {
			err = fmt.Errorf("status %d: %s", status, body)
		}
		answered <- err
	}()
	for {
		// The playout looks twice a second, other loops each quarter of a minute or less often; who waits for a segment waits for another time.
		if d := <-s.clock.asked; d != 500*time.Millisecond && d < reorderEvery {
			break
		}
	}
	if err := s.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := <-answered; err != nil {
		t.Errorf("a blocking reload at the stop: %v", err)
	}
	again := startServer(t, data, noon().Add(-20*time.Second))
	if status, _ := again.playlist(t, stream.Live, "main", "fr", "v234.m3u8"); status != http.StatusOK {
		t.Errorf("after a restart: %d", status)
	}
}

// child is the program in a process of its own.
type child struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
	base   string
}

// startChild starts the program; a zero now leaves it the machine's clock.
func startChild(t *testing.T, now time.Time, args ...string) *child {
	t.Helper()
	if now.IsZero() {
		return startChildIn(t, nil, args...)
	}
	return startChildIn(t, []string{nowVariable + "=" + now.Format(time.RFC3339)}, args...)
}

// startChildIn is startChild with more lines in the environment.
func startChildIn(t testing.TB, environ []string, args ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0], args...)}
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "REPRISE_") { // who runs the tests may have a server of their own
			c.cmd.Env = append(c.cmd.Env, line)
		}
	}
	c.cmd.Env = append(append(c.cmd.Env, childVariable+"=1"), environ...)
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin = stdin
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdout = bufio.NewReader(stdout)
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.kill() })
	address := make(chan string, 1)
	var last string // of what it said, until address is closed
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			last = lines.Text()
			if m := regexp.MustCompile(`msg=listening.* address=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
			}
		}
		close(address)
	}()
	if args[0] == "serve" {
		listening, ok := <-address
		if !ok {
			t.Fatalf("the server ended before it listened: %s", last)
		}
		c.base = "http://" + listening
	}
	return c
}

// kill ends the child as kill -9 does.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// end asks for an orderly end and returns the exit code.
func (c *child) end() int {
	_ = c.stdin.Close()
	_ = c.cmd.Wait()
	return c.cmd.ProcessState.ExitCode()
}

// kill -9 in the middle of a talk changes nothing: the playlists after the restart are the same bytes (R104, R115).
func TestKillInTheMiddleOfATalk(t *testing.T) {
	t.Parallel()
	data := planned(t)
	middle := noon().Add(8 * time.Second)
	args := []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--set", "metrics.listen=", "--set", "ingest.preset=ultrafast"}
	names := []string{"v234.m3u8", "v720.m3u8", "a-fr.m3u8", "al-en.m3u8", "s-fr.m3u8", "i360.m3u8", "multivariant.m3u8"}
	feed := func(c *child, name string) (int, string) {
		address := good(t, stoppedClock(middle), "token", "playback", "test", "--data", data, "--auditorium", "main", "--base", c.base)
		return get(t, strings.TrimSpace(strings.Replace(address, "multivariant.m3u8", name, 1)))
	}
	first := startChild(t, middle, args...)
	before := map[string]string{}
	for deadline := time.Now().Add(time.Minute); ; {
		status, body := feed(first, "v234.m3u8")
		if status == http.StatusOK && strings.Contains(body, "2026-09-14T10:00:") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the feed does not begin: %d %s", status, body)
		}
		if err := (systemClock{}).Wait(t.Context(), time.Now().Add(100*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		status, body := feed(first, name)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		before[name] = body
	}
	first.kill()
	second := startChild(t, middle, args...)
	for _, name := range names {
		if status, after := feed(second, name); status != http.StatusOK || after != before[name] {
			t.Errorf("R104, R115: %s differs after a kill: %d\nbefore:\n%s\nafter:\n%s", name, status, before[name], after)
		}
	}
	if code := second.end(); code != exitDone {
		t.Errorf("an orderly end gives exit code %d", code)
	}
}

// The demonstration, from an empty folder to its links, and a second start.
func TestDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("makes films for a minute")
	}
	for _, tool := range []string{"ffmpeg", "espeak-ng"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatal(tool + " is missing: .ci/setup test installs it")
		}
	}
	data := filepath.Join(t.TempDir(), "data")
	args := []string{"demo", "--json", "--data", data, "--listen", "127.0.0.1:0", "--set", "ingest.preset=ultrafast"}
	asked := time.Now()
	first := startChild(t, time.Time{}, args...)
	links := readLinks(t, first)
	t.Logf("first talk ready after %s, on air %s after the command", time.Since(asked).Round(time.Second), links.Talks[0].StartsAt.Sub(asked).Round(time.Second))
	checkLinks(t, links)
	if code := first.end(); code != exitDone {
		t.Errorf("an orderly end gives exit code %d", code)
	}
	asked = time.Now()
	second := startChild(t, time.Time{}, args...)
	again := readLinks(t, second)
	t.Logf("second start in %s", time.Since(asked))
	if len(again.Talks) != 3 || !again.Talks[0].StartsAt.Equal(links.Talks[0].StartsAt) {
		t.Errorf("the second start shows another programme: %+v", again.Talks)
	}
	if code := second.end(); code != exitDone {
		t.Errorf("an orderly end gives exit code %d", code)
	}
}

func readLinks(t *testing.T, c *child) demoLinks {
	t.Helper()
	line, err := c.stdout.ReadString('\n')
	var links demoLinks
	if err := errors.Join(err, json.Unmarshal([]byte(line), &links)); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return links
}

func checkLinks(t *testing.T, links demoLinks) {
	t.Helper()
	for _, auditorium := range []event.AuditoriumID{"main", "studio"} {
		for _, language := range []event.Language{"fr", "en"} {
			feed := links.Feeds[auditorium][language]
			if status, body := get(t, feed); status != http.StatusOK || !strings.HasPrefix(body, "#EXTM3U") {
				t.Errorf("%s: %d %s", feed, status, body)
			}
		}
	}
	for _, link := range []string{links.URL, links.OrganizerURL} {
		if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/fr/\S+#k=\S+$`).MatchString(link) {
			t.Errorf("link %q", link)
		}
	}
	if len(links.Talks) != 3 {
		t.Fatalf("%d talks", len(links.Talks))
	}
	for i, talk := range links.Talks {
		if talk.Title == "" || talk.Replay["fr"] == "" || talk.Replay["en"] == "" || talk.EndsAt.Sub(talk.StartsAt) < 30*time.Second {
			t.Errorf("talk %d: %+v", i, talk)
		}
	}
	if status, _ := get(t, links.Talks[0].Replay["fr"]); status != http.StatusNotFound {
		t.Errorf("R239: a replay before the talk: %d", status)
	}
}
