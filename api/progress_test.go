package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"reprise/api/token"
	"reprise/vod"
)

// sse is one event of a stream, or a comment.
type sse struct{ event, id, data, comment, retry string }

// events reads a stream in the background; the channel closes with it.
func events(t testing.TB, body io.Reader) <-chan sse {
	t.Helper()
	out := make(chan sse)
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		defer close(out)
		var e sse
		for lines := bufio.NewScanner(body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "":
				if lines.Text() == "" {
					select {
					case out <- e:
					case <-t.Context().Done():
						return
					}
					e = sse{}
					continue
				}
				e.comment = value
			case "event":
				e.event = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			case "retry":
				e.retry = value
			}
		}
	}()
	return out
}

// next returns the next event, within a deadline.
func next(t testing.TB, from <-chan sse) sse {
	t.Helper()
	select {
	case e, ok := <-from:
		if !ok {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is told")
	}
	return sse{}
}

// listen opens a stream of a running server.
func listen(t testing.TB, client *http.Client, base, last string, header string) <-chan sse {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", base+apiPrefix+"/progress", nil)
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(header, ": ")
	r.Header.Set(name, value)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != noStore {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	from := events(t, resp.Body)
	if e := next(t, from); e.retry != "2000" {
		t.Fatalf("%+v", e)
	}
	return from
}

// upTo reads events up to and with the one that has an id: a whole batch.
func upTo(t testing.TB, from <-chan sse) (names []string, id string) {
	t.Helper()
	for {
		e := next(t, from)
		var what struct{ ID, Kind string }
		if err := json.Unmarshal([]byte(e.data), &what); err != nil {
			t.Fatalf("%+v: %v", e, err)
		}
		names = append(names, strings.Join(strings.Fields(e.event+" "+what.Kind+" "+what.ID), " "))
		if e.id != "" {
			return names, e.id
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	base, client, _, _ := w.run()
	client.Timeout = 0
	from := listen(t, client, base, "", w.desk())
	got, _ := upTo(t, from)
	if want := "asset film-t1,asset film-t2,asset loose,asset by-upload,upload up-open,upload up-taken,job process,job take,job process,all"; strings.Join(got, ",") != want {
		t.Fatalf("%v", got)
	}
	// Nothing happens: nothing is told, but that all is well.
	for range 15 {
		w.clock.untilWaiting(1)
		w.clock.add(time.Second)
	}
	if e := next(t, from); e.comment != "all is well" {
		t.Fatalf("%+v", e)
	}
	w.clock.untilWaiting(1)
	if _, err := (*fakeLibrary)(in).UpdateAsset(t.Context(), filmT2, func(a *vod.Asset) error { a.Percent = 50; return nil }); err != nil {
		t.Fatal(err)
	}
	w.clock.add(time.Second)
	got, id := upTo(t, from)
	if strings.Join(got, ",") != "asset film-t2" {
		t.Fatalf("%v", got)
	}
	w.clock.untilWaiting(1)
	in.mu.Lock()
	delete(in.assets, loose)
	in.work = in.work[:3]
	in.fail = errors.New("the store is away")
	in.mu.Unlock()
	w.clock.add(time.Second) // cannot be read: the next turn tells it
	until(t, "the fault is logged", func() bool { return strings.Contains(w.log.String(), "the store is away") })
	w.clock.untilWaiting(1)
	in.mu.Lock()
	in.fail = nil
	in.mu.Unlock()
	w.clock.add(time.Second)
	if got, _ := upTo(t, from); strings.Join(got, ",") != "gone asset loose,gone job process/loose" {
		t.Fatalf("%v", got)
	}
	w.clock.untilWaiting(1)
	// Somebody who was cut off hears what changed since, and what is there.
	w.clock.add(time.Minute)
	if _, err := (*fakeLibrary)(in).UpdateAsset(t.Context(), filmT1, func(a *vod.Asset) error { a.Title = "New"; return nil }); err != nil {
		t.Fatal(err)
	}
	again := listen(t, client, base, id, w.desk())
	if got, _ := upTo(t, again); strings.Join(got, ",") != "asset film-t1,asset film-t2,all" && strings.Join(got, ",") != "asset film-t1,all" {
		t.Fatalf("%v", got)
	}
}

// until polls for what no signal tells, within a deadline.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not so in time: %s", what)
		}
	}
}

// TestProgressOfASpeaker: a speaker hears of their own film, until the link is withdrawn.
func TestProgressOfASpeaker(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	base, client, _, _ := w.run()
	client.Timeout = 0
	from := listen(t, client, base, "", w.speaker())
	if got, _ := upTo(t, from); strings.Join(got, ",") != "asset by-upload,upload up-taken,all" {
		t.Fatalf("%v", got)
	}
	h := in.handIns[handInID]
	h.Revoked = noon
	in.mu.Lock()
	in.handIns[handInID] = h
	in.mu.Unlock()
	for range 15 {
		w.clock.untilWaiting(1)
		w.clock.add(time.Second)
	}
	if e := next(t, from); e.event != "end" || e.data != `{"reason":"hand-in-revoked"}` {
		t.Fatalf("%+v", e)
	}
	if e, ok := <-from; ok {
		t.Fatalf("goes on: %+v", e)
	}
}

// TestProgressIsReadOnceForAll: however many listen, the stores are read once a second.
func TestProgressIsReadOnceForAll(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	base, client, stop, done := w.run()
	client.Timeout = 0
	const listeners = 20
	var streams []<-chan sse
	for range listeners {
		streams = append(streams, listen(t, client, base, "", w.desk()))
	}
	for _, from := range streams {
		upTo(t, from)
	}
	w.clock.untilWaiting(listeners)
	readings := func() int {
		in.mu.Lock()
		defer in.mu.Unlock()
		return in.readings
	}
	before := readings()
	for i := range 5 {
		w.clock.add(time.Second)
		until(t, "somebody reads", func() bool { return readings() > before+i })
		w.clock.untilWaiting(listeners)
	}
	if n := readings() - before; n != 5 {
		t.Errorf("read %d times in 5 s", n)
	}
	// A server that stops says so, and when to come back.
	stop()
	for _, from := range streams {
		if e := next(t, from); e.event != "end" || e.retry != "1000" || e.data != `{"reason":"stopping"}` {
			t.Fatalf("%+v", e)
		}
	}
	if err := wantEnd(t, done); err != nil {
		t.Errorf("Run: %v", err)
	}
	if n := w.server.listeners.Load(); n != 0 {
		t.Errorf("%d listeners are left", n)
	}
	wantProblem(t, w.call("GET", "/progress", "", w.desk()), 503, "not-ready", noStore)
}

func TestProgressHasALimit(t *testing.T) {
	t.Parallel()
	w, _ := takingIn(t)
	w.server.listeners.Store(mostListeners)
	wantProblem(t, w.call("GET", "/progress", "", w.desk()), 503, "not-ready", noStore)
	if n := w.server.listeners.Load(); n != mostListeners {
		t.Errorf("%d", n)
	}
}

// stuck is a client that reads nothing: writing to it fails once the deadline has passed.
type stuck struct {
	h        http.Header
	deadline time.Time
	writes   int
}

func (s *stuck) Header() http.Header { return s.h }
func (s *stuck) WriteHeader(int)     {}
func (s *stuck) Write(p []byte) (int, error) {
	s.writes++
	if s.writes == 3 {
		return 0, context.DeadlineExceeded
	}
	return len(p), nil
}
func (s *stuck) SetWriteDeadline(t time.Time) error { s.deadline = t; return nil }
func (s *stuck) SetReadDeadline(time.Time) error    { return nil }
func (s *stuck) FlushError() error                  { return nil }

func TestProgressCutsOffWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	claims := &token.Claims{Event: "conf", Staff: true, Kind: token.Link}
	client := &stuck{h: http.Header{}}
	l := &listener{server: w.server, caller: &caller{claims: claims, event: "conf"}, told: map[string]string{}, out: client, control: http.NewResponseController(client)}
	done := make(chan struct{})
	go func() { l.run(t.Context()); close(done) }()
	w.clock.untilWaiting(1)
	if left := time.Until(client.deadline); left <= 0 || left > progressWrite {
		t.Errorf("writes may take %v", left)
	}
	in.mu.Lock()
	delete(in.assets, loose)
	in.mu.Unlock()
	w.clock.add(time.Second)
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it holds on")
	}
}

// TestProgressOutlivesTheReadTimeout: net/http would take the passing of its
// read deadline for the client's leaving.
func TestProgressOutlivesTheReadTimeout(t *testing.T) {
	t.Parallel()
	w, _ := takingIn(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: w.handler, ReadTimeout: 200 * time.Millisecond, WriteTimeout: 200 * time.Millisecond}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{}}
	from := listen(t, client, "http://"+l.Addr().String(), "", w.desk())
	upTo(t, from)
	for deadline := time.Now().Add(700 * time.Millisecond); time.Now().Before(deadline); {
		select {
		case e, ok := <-from:
			if !ok {
				t.Fatal("cut off by the read timeout")
			}
			t.Fatalf("%+v", e)
		case <-time.After(time.Until(deadline)):
		}
	}
	w.clock.untilWaiting(1)
	w.server.release()
	if e := next(t, from); e.event != "end" {
		t.Fatalf("%+v", e)
	}
	_ = srv.Close()
	<-served
	client.CloseIdleConnections()
}
