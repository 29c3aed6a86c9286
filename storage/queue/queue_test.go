package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reprise/storage/db"
	"reprise/storage/dbtest"
	"reprise/storage/queue"
)

// What the test binary is told to be when it is a child, and of which database.
const (
	childVar = "REPRISE_QUEUETEST_CHILD"
	whereVar = "REPRISE_QUEUETEST_DATABASE"
)

// enqueued is how many jobs each of four processes enqueues: the same ones.
const enqueued = 25

func TestMain(m *testing.M) {
	if what := os.Getenv(childVar); what != "" {
		if err := child(what, os.Getenv(whereVar)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child runs the queue; its handler says the id and works until it is told to
// stop, which it says too. As "enqueuer" it enqueues jobs as soon as a line comes in.
func child(what, where string) error {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Config{DSN: where, Now: time.Now}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	q, err := queue.New(queue.Config{}, queue.Deps{DB: d.SQL(), Pool: d.Postgres(), Log: slog.New(slog.DiscardHandler), Node: "child", Now: time.Now})
	if err != nil {
		return err
	}
	if what == "enqueuer" {
		fmt.Println("ready")
		bufio.NewReader(os.Stdin).ReadString('\n') // the end of it will do as well
		for i := range enqueued {
			if err := q.Enqueue(ctx, "work", strconv.Itoa(i), queue.Options{Priority: queue.Normal}); err != nil {
				return err
			}
		}
		return d.Close()
	}
	q.Handle("work", 1, func(ctx context.Context, id string) error {
		fmt.Println(id)
		<-ctx.Done()
		fmt.Println("stopped", id)
		return ctx.Err()
	})
	return q.Run(ctx)
}

// world is a database with queues that run until the test ends.
type world struct {
	t     *testing.T
	where string
	db    *db.DB
}

// engines are the databases that the suite runs on; each makes an empty one and says where.
var engines = map[string]func(t testing.TB) (where string){
	"sqlite":     func(t testing.TB) string { return filepath.Join(t.TempDir(), "reprise.db") },
	"postgresql": dbtest.Postgres,
}

// TestQueue runs the suite on every engine.
func TestQueue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		test func(t *testing.T, w *world)
	}{
		{"runs jobs", testRunsJobs},
		{"unique while unfinished", testUniqueWhileUnfinished},
		{"unique among processes", testUniqueAmongProcesses},
		{"priorities", testPriorities},
		{"due order", testDueOrder},
		{"retry keeps its turn", testRetryKeepsItsTurn},
		{"prioritize leaves others alone", testPrioritizeLeavesOthersAlone},
		{"retries and reasons", testRetriesAndReasons},
		{"enqueue hurries a retry", testEnqueueHurriesARetry},
		{"cancel", testCancel},
		{"cancel in another process", testCancelInAnotherProcess},
		{"stop puts jobs back", testStopPutsJobsBack},
		{"stuck handler", testStuckHandler},
		{"killed process", testKilledProcess},
		{"living process keeps its job", testLivingProcessKeepsItsJob},
		{"deadly job", testDeadlyJob},
		{"names are checked", testNamesAreChecked},
	}
	for name, create := range engines {
		for _, tt := range tests {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				tt.test(t, openWorld(t, create(t)))
			})
		}
	}
}

func openWorld(t *testing.T, where string) *world {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{DSN: where, Now: time.Now}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &world{t: t, where: where, db: d}
}

// quick makes retries and heartbeats fit for tests.
var quick = queue.Config{Backoff: func(int) time.Duration { return 10 * time.Millisecond }, Heartbeat: 50 * time.Millisecond, MaxAttempts: 3}

func (w *world) queue(cfg queue.Config) *queue.Queue {
	w.t.Helper()
	q, err := queue.New(cfg, queue.Deps{DB: w.db.SQL(), Pool: w.db.Postgres(), Log: slog.New(slog.DiscardHandler), Node: "Nœud 1", Now: time.Now})
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

func testRunsJobs(t *testing.T, w *world) {
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

func testUniqueWhileUnfinished(t *testing.T, w *world) {
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

// testUniqueAmongProcesses: of what several processes enqueue at once there is one job each.
func testUniqueAmongProcesses(t *testing.T, w *world) {
	var (
		children [4]*exec.Cmd
		starters [4]io.Closer
		said     [4]*bufio.Reader
	)
	for i := range children {
		children[i] = exec.CommandContext(t.Context(), os.Args[0])
		children[i].Env = append(os.Environ(), childVar+"=enqueuer", whereVar+"="+w.where)
		in, err := children[i].StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := children[i].StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := children[i].Start(); err != nil {
			t.Fatal(err)
		}
		starters[i], said[i] = in, bufio.NewReader(out)
	}
	for i := range children {
		if line, _ := said[i].ReadString('\n'); strings.TrimSpace(line) != "ready" {
			t.Errorf("child: %q", line)
		}
	}
	for i := range children {
		starters[i].Close()
	}
	for i := range children {
		if line, _ := said[i].ReadString('\n'); line != "" {
			t.Errorf("child: %s", line)
		}
		if err := children[i].Wait(); err != nil {
			t.Errorf("child: %v", err)
		}
	}
	jobs, err := w.queue(quick).Jobs(t.Context(), 1000)
	if err != nil || len(jobs) != enqueued {
		t.Errorf("%d jobs, want %d: %v", len(jobs), enqueued, err)
	}
}

func testRetriesAndReasons(t *testing.T, w *world) {
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

func testEnqueueHurriesARetry(t *testing.T, w *world) {
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

func testNamesAreChecked(t *testing.T, w *world) {
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
