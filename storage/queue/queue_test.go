package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reprise/storage/db"
	"reprise/storage/queue"
)

// childVar tells the test binary that it is a child that takes a job and never ends it.
const childVar = "REPRISE_QUEUETEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVar); path != "" {
		os.Exit(child(path))
	}
	goleak.VerifyTestMain(m)
}

// child runs the queue in path; its handler says the id and hangs until the process is killed.
func child(path string) int {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Config{DSN: path, Now: time.Now}, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	q, err := queue.New(queue.Config{}, queue.Deps{DB: d.SQL(), Log: slog.New(slog.DiscardHandler), Node: "child", Now: time.Now})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	q.Handle("work", 1, func(_ context.Context, id string) error {
		fmt.Println(id)
		select {}
	})
	fmt.Println(q.Run(ctx))
	return 1
}

// world is a database with queues that run until the test ends.
type world struct {
	t    *testing.T
	path string
	db   *db.DB
}

func setup(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "reprise.db")}
	d, err := db.Open(t.Context(), db.Config{DSN: w.path, Now: time.Now}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	w.db = d
	return w
}

// quick makes retries and heartbeats fit for tests.
var quick = queue.Config{Backoff: func(int) time.Duration { return 10 * time.Millisecond }, Heartbeat: 50 * time.Millisecond, MaxAttempts: 3}

func (w *world) queue(cfg queue.Config) *queue.Queue {
	w.t.Helper()
	q, err := queue.New(cfg, queue.Deps{DB: w.db.SQL(), Log: slog.New(slog.DiscardHandler), Node: "Nœud 1", Now: time.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

// run runs q; stop ends it and waits. Without stop the end of the test does.
func (w *world) run(q *queue.Queue) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("run: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) enqueue(q *queue.Queue, kind, id string, priority int) {
	w.t.Helper()
	if err := q.Enqueue(w.t.Context(), kind, id, queue.Options{Priority: priority}); err != nil {
		w.t.Fatal(err)
	}
}

// until polls the state of a job; there is no signal for what river writes after a handler returned.
func (w *world) until(q *queue.Queue, id string, want queue.JobState) queue.Status {
	w.t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		s, err := q.State(w.t.Context(), "work", id)
		if err != nil {
			w.t.Fatal(err)
		}
		if s.State == want {
			return s
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("job %s is %+v, want %s", id, s, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func recv[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(15 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestRunsJobs(t *testing.T) {
	w := setup(t)
	q := w.queue(quick)
	ids := make(chan string, 10)
	q.Handle("work", 2, func(_ context.Context, id string) error { ids <- id; return nil })
	_, err := q.State(t.Context(), "work", "a")
	if !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("unknown job: %v", err)
	}
	w.enqueue(q, "work", "a", queue.Normal)
	if s := w.until(q, "a", queue.Queued); s.Attempt != 0 || s.Enqueued.IsZero() || !s.Started.IsZero() || s.Failures != nil {
		t.Errorf("queued: %+v", s)
	}
	w.run(q)
	if id := recv(t, ids); id != "a" {
		t.Errorf("id %q", id)
	}
	if s := w.until(q, "a", queue.Done); s.Attempt != 1 || s.Started.IsZero() || s.Finished.IsZero() || !strings.HasPrefix(s.Node, "n-ud-1.") {
		t.Errorf("done: %+v", s)
	}
	w.enqueue(q, "work", "a", queue.Normal) // again, after the end
	recv(t, ids)
}

func TestUniqueWhileUnfinished(t *testing.T) {
	w := setup(t)
	q := w.queue(quick)
	started, release := make(chan string, 10), make(chan struct{})
	q.Handle("work", 4, func(_ context.Context, id string) error { started <- id; <-release; return nil })
	q.Handle("other", 1, func(_ context.Context, id string) error { started <- "other " + id; return nil })
	for range 3 {
		w.enqueue(q, "work", "a", queue.Normal)
	}
	w.run(q)
	recv(t, started)
	w.enqueue(q, "work", "a", queue.Normal) // it runs
	w.enqueue(q, "other", "a", queue.Normal)
	if got := recv(t, started); got != "other a" {
		t.Errorf("second run: %s", got)
	}
	w.enqueue(q, "work", "b", queue.Normal)
	if got := recv(t, started); got != "b" {
		t.Errorf("second run: %s", got)
	}
	close(release)
	w.until(q, "a", queue.Done)
	w.until(q, "b", queue.Done)
	if n := len(started); n != 0 {
		t.Errorf("%d more runs", n)
	}
}

func TestPriorities(t *testing.T) {
	w := setup(t)
	q := w.queue(quick)
	order := make(chan string, 10)
	q.Handle("work", 1, func(_ context.Context, id string) error { order <- id; return nil })
	for id, priority := range map[string]int{"idle": 9, "urgent": queue.Urgent, "low": queue.Low, "normal": queue.Normal} {
		w.enqueue(q, "work", id, priority)
	}
	w.run(q)
	for _, want := range []string{"urgent", "normal", "low", "idle"} {
		if got := recv(t, order); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRetriesAndReasons(t *testing.T) {
	w := setup(t)
	q := w.queue(quick)
	var runs atomic.Int32
	q.Handle("work", 1, func(_ context.Context, id string) error {
		switch n := runs.Add(1); {
		case id == "permanent":
			return queue.Permanent(errors.New("no such asset"))
		case id == "panics":
			panic("boom")
		default:
			return fmt.Errorf("no luck the %d. time", n)
		}
	})
	w.run(q)
	w.enqueue(q, "work", "fails", queue.Normal)
	s := w.until(q, "fails", queue.GivenUp)
	if s.Attempt != 3 || len(s.Failures) != 3 || s.Failures[1].Reason != "no luck the 2. time" || s.Failures[1].Attempt != 2 || s.Failures[1].At.IsZero() {
		t.Errorf("given up: %+v", s)
	}
	w.enqueue(q, "work", "permanent", queue.Normal)
	if s := w.until(q, "permanent", queue.Cancelled); s.Attempt != 1 || len(s.Failures) != 1 || !strings.Contains(s.Failures[0].Reason, "no such asset") {
		t.Errorf("permanent: %+v", s)
	}
	w.enqueue(q, "work", "panics", queue.Normal)
	if s := w.until(q, "panics", queue.GivenUp); len(s.Failures) != 3 || !strings.Contains(s.Failures[0].Reason, "boom") {
		t.Errorf("panics: %+v", s)
	}
}

func TestEnqueueHurriesARetry(t *testing.T) {
	w := setup(t)
	cfg := quick
	cfg.Backoff = func(int) time.Duration { return time.Hour }
	q := w.queue(cfg)
	var runs atomic.Int32
	q.Handle("work", 1, func(context.Context, string) error {
		if runs.Add(1) == 1 {
			return errors.New("disk full")
		}
		return nil
	})
	w.run(q)
	w.enqueue(q, "work", "a", queue.Normal)
	if s := w.until(q, "a", queue.Waiting); time.Until(s.Next) < 50*time.Minute || len(s.Failures) != 1 {
		t.Errorf("waiting: %+v", s)
	}
	w.enqueue(q, "work", "a", queue.Normal)
	w.until(q, "a", queue.Done)
}

func TestCancel(t *testing.T) {
	w := setup(t)
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

func TestStopPutsJobsBack(t *testing.T) {
	w := setup(t)
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

func TestStuckHandler(t *testing.T) {
	w := setup(t)
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

// start starts a child process that takes the job and never ends it, and waits until it has it.
func (w *world) start(id string) *exec.Cmd {
	w.t.Helper()
	child := exec.CommandContext(w.t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childVar+"="+w.path)
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		child.Process.Kill()
		child.Wait() // killed: always an error
	})
	if line, _ := bufio.NewReader(out).ReadString('\n'); strings.TrimSpace(line) != id {
		w.t.Fatalf("child: %q", line)
	}
	return child
}

// TestKilledProcess: what a killed process was doing is taken up by the next one at once, not
// after the hours that the job may take.
func TestKilledProcess(t *testing.T) {
	w := setup(t)
	q := w.queue(queue.Config{}) // heartbeat 10 s: not needed for this
	w.enqueue(q, "work", "a", queue.Normal)
	for range 2 { // killed twice
		child := w.start("a")
		child.Process.Kill()
		child.Wait()
	}
	done := make(chan string, 1)
	q.Handle("work", 1, func(_ context.Context, id string) error { done <- id; return nil })
	start := time.Now()
	w.run(q)
	recv(t, done)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("taken up after %v", took)
	}
	s := w.until(q, "a", queue.Done)
	if s.Attempt != 3 || len(s.Failures) != 2 || !strings.Contains(s.Failures[0].Reason, "died") {
		t.Errorf("state: %+v", s)
	}
	if n := w.nodes(); n != 1 {
		t.Errorf("%d nodes are listed", n)
	}
	files, err := os.ReadDir(w.path + ".nodes")
	if err != nil || len(files) != 1 {
		t.Errorf("%d lock files are left, %v", len(files), err)
	}
}

// TestLivingProcessKeepsItsJob: a second process, started beside the first and
// looking for the dead all the time, leaves the first one's job alone; when the
// first is killed it takes the job without a restart.
func TestLivingProcessKeepsItsJob(t *testing.T) {
	w := setup(t)
	q := w.queue(quick)
	w.enqueue(q, "work", "a", queue.Normal)
	child := w.start("a")
	taken := make(chan string, 1)
	q.Handle("work", 1, func(_ context.Context, id string) error { taken <- id; return nil })
	w.run(q)
	w.enqueue(q, "work", "b", queue.Normal)
	if id := recv(t, taken); id != "b" {
		t.Errorf("took %s from a living process", id)
	}
	// Several looks for the dead later...
	select {
	case id := <-taken:
		t.Errorf("took %s from a living process", id)
	case <-time.After(10 * quick.Heartbeat):
	}
	child.Process.Kill()
	child.Wait()
	if id := recv(t, taken); id != "a" {
		t.Errorf("took %s", id)
	}
	w.until(q, "a", queue.Done)
}

// TestDeadlyJob: a job that kills its process each time is given up in the end.
func TestDeadlyJob(t *testing.T) {
	w := setup(t)
	cfg := quick
	cfg.MaxAttempts, cfg.MaxDeaths = 1, 2
	q := w.queue(cfg)
	w.enqueue(q, "work", "a", queue.Normal)
	for range 3 {
		child := w.start("a")
		child.Process.Kill()
		child.Wait()
		stop := w.run(w.queue(cfg)) // has no handler, only looks for the dead
		deadline := time.Now().Add(10 * time.Second)
		for {
			s, err := q.State(t.Context(), "work", "a")
			if err != nil {
				t.Fatal(err)
			}
			if s.State != queue.Running {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("still running: %+v", s)
			}
			time.Sleep(5 * time.Millisecond)
		}
		stop()
	}
	if s := w.until(q, "a", queue.GivenUp); len(s.Failures) != 3 || s.Finished.IsZero() {
		t.Errorf("state: %+v", s)
	}
}

func TestNamesAreChecked(t *testing.T) {
	w := setup(t)
	q := w.queue(quick)
	for _, bad := range [][2]string{{"", "a"}, {"work", ""}, {"Work", "a"}, {"a b", "a"}} {
		if err := q.Enqueue(t.Context(), bad[0], bad[1], queue.Options{}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	q.Handle("work", 1, nil)
	for _, kind := range []string{"work", "Bad kind"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Handle(%q) does not panic", kind)
				}
			}()
			q.Handle(kind, 1, nil)
		}()
	}
}
