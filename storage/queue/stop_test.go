package queue_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"reprise/storage/queue"
)

func testCancel(t *testing.T, w *world) {
	q, other := w.queue(quick), w.queue(quick)
	started := make(chan string, 10)
	q.Handle("work", 1, func(ctx context.Context, id string) error {
		started <- id
		<-ctx.Done()
		return errors.New("signal: killed") // what a child process says
	})
	w.run(q)
	w.enqueue(q, "work", "running", queue.Normal)
	recv(t, started)
	w.enqueue(q, "work", "waiting", queue.Normal)
	if err := other.Cancel(t.Context(), "work", "waiting"); err != nil {
		t.Fatal(err)
	}
	w.until(q, "waiting", queue.Cancelled)
	if err := other.Cancel(t.Context(), "work", "running"); err != nil { // from another queue, as another process would
		t.Fatal(err)
	}
	w.until(q, "running", queue.Cancelled)
	for _, id := range []string{"running", "none"} {
		if err := q.Cancel(t.Context(), "work", id); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("cancel %s again: %v", id, err)
		}
	}
	if n := len(started); n != 0 {
		t.Errorf("%d more runs", n)
	}
}

// testCancelInAnotherProcess: the context of a job that another process runs ends within a second.
func testCancelInAnotherProcess(t *testing.T, w *world) {
	q := w.queue(quick)
	w.enqueue(q, "work", "a", queue.Normal)
	_, said := w.start("a")
	start := time.Now()
	if err := q.Cancel(t.Context(), "work", "a"); err != nil {
		t.Fatal(err)
	}
	if line, _ := said.ReadString('\n'); strings.TrimSpace(line) != "stopped a" {
		t.Errorf("child: %q", line)
	}
	took := time.Since(start)
	t.Logf("cancelled after %v", took)
	if took > 2*time.Second { // one, and one for a busy machine
		t.Error("that is too late")
	}
	w.until(q, "a", queue.Cancelled)
}

func testStopPutsJobsBack(t *testing.T, w *world) {
	q := w.queue(quick)
	started := make(chan string, 10)
	q.Handle("work", 1, func(ctx context.Context, id string) error {
		started <- id
		<-ctx.Done()
		return errors.New("signal: killed")
	})
	stop := w.run(q)
	w.enqueue(q, "work", "a", queue.Normal)
	recv(t, started)
	stop()
	if s := w.until(q, "a", queue.Queued); s.Attempt != 0 || len(s.Failures) != 0 {
		t.Errorf("after the stop: %+v", s)
	}
	if n := w.nodes(); n != 0 {
		t.Errorf("%d nodes are listed", n)
	}
	again := w.queue(quick)
	again.Handle("work", 1, func(_ context.Context, id string) error { started <- id; return nil })
	w.run(again)
	recv(t, started)
	w.until(again, "a", queue.Done)
}

func testStuckHandler(t *testing.T, w *world) {
	cfg := quick
	cfg.StopTimeout = 20 * time.Millisecond
	q := w.queue(cfg)
	started, release := make(chan string, 1), make(chan struct{})
	q.Handle("work", 1, func(_ context.Context, id string) error { started <- id; <-release; return nil })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	w.enqueue(q, "work", "a", queue.Normal)
	recv(t, started)
	cancel()
	if err := recv(t, done); !errors.Is(err, queue.ErrStuck) {
		t.Errorf("got %v", err)
	}
	if n := w.nodes(); n != 1 {
		t.Errorf("a node with a running job left the list: %d", n)
	}
	close(release)
	w.until(q, "a", queue.Done)
}

func (w *world) nodes() (n int) {
	w.t.Helper()
	if err := w.db.SQL().QueryRowContext(w.t.Context(), `SELECT count(*) FROM node`).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}
