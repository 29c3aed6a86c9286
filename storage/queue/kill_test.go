package queue_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"reprise/storage/queue"
)

// start starts a child process that takes the job and never ends it, and waits
// until it has it. What else it says comes from said.
func (w *world) start(id string) (child *exec.Cmd, said *bufio.Reader) {
	w.t.Helper()
	child = exec.CommandContext(w.t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childVar+"=worker", whereVar+"="+w.where)
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
	said = bufio.NewReader(out)
	if line, _ := said.ReadString('\n'); strings.TrimSpace(line) != id {
		w.t.Fatalf("child: %q", line)
	}
	return child, said
}

// testKilledProcess: what a killed process was doing is taken up by the next one at once, not
// after the hours that the job may take.
func testKilledProcess(t *testing.T, w *world) {
	q := w.queue(queue.Config{}) // heartbeat 10 s: not needed for this
	w.enqueue(q, "work", "a", queue.Normal)
	for range 2 { // killed twice
		child, _ := w.start("a")
		child.Process.Kill()
		child.Wait()
	}
	done := make(chan string, 1)
	q.Handle("work", 1, func(_ context.Context, id string) error { done <- id; return nil })
	start := time.Now()
	w.run(q)
	recv(t, done)
	took := time.Since(start)
	t.Logf("taken up after %v", took)
	if took > 6*time.Second {
		t.Error("that is too late")
	}
	s := w.until(q, "a", queue.Done)
	if s.Attempt != 3 || len(s.Failures) != 2 || !strings.Contains(s.Failures[0].Reason, "died") {
		t.Errorf("state: %+v", s)
	}
	if n := w.nodes(); n != 1 {
		t.Errorf("%d nodes are listed", n)
	}
	if w.db.Postgres() != nil {
		return
	}
	files, err := os.ReadDir(w.where + ".nodes")
	if err != nil || len(files) != 1 {
		t.Errorf("%d lock files are left, %v", len(files), err)
	}
}

// testLivingProcessKeepsItsJob: a second process, started beside the first and
// looking for the dead all the time, leaves the first one's job alone; when the
// first is killed it takes the job without a restart.
func testLivingProcessKeepsItsJob(t *testing.T, w *world) {
	q := w.queue(quick)
	w.enqueue(q, "work", "a", queue.Normal)
	child, _ := w.start("a")
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

// testDeadlyJob: a job that kills its process each time is given up in the end.
func testDeadlyJob(t *testing.T, w *world) {
	cfg := quick
	cfg.MaxAttempts, cfg.MaxDeaths = 1, 2
	q := w.queue(cfg)
	w.enqueue(q, "work", "a", queue.Normal)
	for range 3 {
		child, _ := w.start("a")
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
