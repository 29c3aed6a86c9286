package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/storage/queue"
)

func testPriorities(t *testing.T, w *world) {
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

// testDueOrder: among equal priority what is due first is done first, however
// far away, and before what is due nothing says waits for its hour.
func testDueOrder(t *testing.T, w *world) {
	q := w.queue(quick)
	now := time.Now()
	order := make(chan string, 10)
	q.Handle("work", 1, func(_ context.Context, id string) error { order <- id; return nil })
	for _, job := range []struct {
		id string
		o  queue.Options
	}{
		{"in a year", queue.Options{Priority: queue.Normal, Due: now.AddDate(1, 0, 0)}},
		{"tomorrow", queue.Options{Priority: queue.Normal, Due: now.Add(24 * time.Hour)}},
		{"never", queue.Options{Priority: queue.Normal, Due: now.AddDate(5000, 0, 0)}},
		{"first come", queue.Options{Priority: queue.Normal}},
		{"first served", queue.Options{Priority: queue.Normal}},
		{"yesterday", queue.Options{Priority: queue.Normal, Due: now.Add(-24 * time.Hour)}},
		{"urgent", queue.Options{Priority: queue.Urgent, Due: now.AddDate(2, 0, 0)}},
		{"raised", queue.Options{Priority: queue.Idle, Due: now.AddDate(2, 0, 0)}},
	} {
		if err := q.Enqueue(t.Context(), "work", job.id, job.o); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Prioritize(t.Context(), "work", "raised", queue.Options{Priority: queue.Urgent, Due: now.AddDate(1, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	want := []string{"raised", "urgent", "yesterday", "first come", "first served", "tomorrow", "in a year", "never"}
	if diff := cmp.Diff(want, w.listed(q)); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	w.run(q)
	var got []string
	for range want {
		got = append(got, recv(t, order))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
	w.until(q, "never", queue.Done)
	for i, j := 0, len(got)-1; i < j; i, j = i+1, j-1 {
		got[i], got[j] = got[j], got[i]
	}
	if diff := cmp.Diff(got, w.listed(q)); diff != "" {
		t.Errorf("finished, newest first (-want +got):\n%s", diff)
	}
}

// listed returns the ids of Jobs.
func (w *world) listed(q *queue.Queue) (ids []string) {
	w.t.Helper()
	jobs, err := q.Jobs(w.t.Context(), 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, j := range jobs {
		ids = append(ids, j.ID)
	}
	return ids
}

// testRetryKeepsItsTurn: a job that failed stands in line where it stood before, not behind those that came later.
func testRetryKeepsItsTurn(t *testing.T, w *world) {
	cfg := quick
	cfg.Backoff = func(int) time.Duration { return 2 * time.Second } // so that the next one begins meanwhile
	q := w.queue(cfg)
	now := time.Now()
	order, release := make(chan string, 20), make(chan struct{})
	failed := false
	q.Handle("work", 1, func(_ context.Context, id string) error {
		order <- id
		switch {
		case id == "a" && !failed:
			failed = true
			return errors.New("no luck")
		case id == "b":
			<-release
		}
		return nil
	})
	for i, id := range []string{"a", "b", "c", "d"} {
		if err := q.Enqueue(t.Context(), "work", id, queue.Options{Priority: queue.Normal, Due: now.Add(time.Duration(i) * time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	w.run(q)
	for _, want := range []string{"a", "b"} {
		if got := recv(t, order); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	w.until(q, "a", queue.Queued)
	if diff := cmp.Diff([]string{"b", "a", "c", "d"}, w.listed(q)); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	w.reordered("a")
	close(release)
	for _, want := range []string{"a", "c", "d"} {
		if got := recv(t, order); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	w.until(q, "d", queue.Done)
}

// reordered waits until a job has its old rank again; the queue looks after that at each heartbeat.
func (w *world) reordered(id string) {
	w.t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		var n int
		err := w.db.SQL().QueryRowContext(w.t.Context(), `SELECT count(*) FROM river_job WHERE scheduled_at < '1900-01-01' AND state = 'available' AND errors IS NOT NULL`).Scan(&n)
		if err != nil {
			w.t.Fatal(err)
		}
		if n > 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("job %s did not get its turn back", id)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func testPrioritizeLeavesOthersAlone(t *testing.T, w *world) {
	q := w.queue(quick)
	started, release := make(chan string, 1), make(chan struct{})
	q.Handle("work", 1, func(_ context.Context, id string) error { started <- id; <-release; return nil })
	if err := q.Prioritize(t.Context(), "work", "none", queue.Options{}); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("unknown job: %v", err)
	}
	w.run(q)
	w.enqueue(q, "work", "a", queue.Low)
	recv(t, started)
	raise := func(what string) {
		t.Helper()
		if err := q.Prioritize(t.Context(), "work", "a", queue.Options{Priority: queue.Urgent}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		jobs, err := q.Jobs(t.Context(), 1)
		if err != nil || len(jobs) != 1 || jobs[0].Priority != queue.Low || jobs[0].Kind != "work" {
			t.Errorf("%s: %+v, %v", what, jobs, err)
		}
	}
	raise("running")
	close(release)
	w.until(q, "a", queue.Done)
	raise("done")
}
