package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// keep is how long finished jobs stay to be asked about.
const keep = 7 * 24 * time.Hour

// Run takes up the jobs of dead processes, then does jobs until ctx ends. Then
// it ends the context of running jobs, waits for their handlers, and leaves
// those jobs as if they had not been started, for another process or the next
// start. Without handlers it runs no job but still looks after the dead.
func (q *Queue) Run(ctx context.Context) error {
	err := q.runJoined(ctx)
	if errors.Is(err, ErrStuck) {
		return err // its jobs still run: they are free when the process is gone
	}
	// The node leaves last: while it is listed nobody takes its jobs.
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if left := q.node.leave(leave); left != nil {
		err = errors.Join(err, fmt.Errorf("run queue: leave: %w", left))
	}
	return err
}

func (q *Queue) runJoined(ctx context.Context) error {
	if err := errors.Join(q.node.join(ctx), q.reap(ctx)); err != nil {
		return ended(ctx, fmt.Errorf("run queue: %w", err))
	}
	if len(q.handlers) == 0 {
		q.watch(ctx)
		return nil
	}
	client, err := q.client()
	if err != nil {
		return fmt.Errorf("run queue: %w", err)
	}
	// The client gets a context of its own: it is stopped below, in order.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return ended(ctx, fmt.Errorf("run queue: start: %w", err))
	}
	q.watch(ctx)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.cfg.StopTimeout)
	defer cancel()
	if err := client.StopAndCancel(stop); err != nil {
		return fmt.Errorf("run queue: %w within %v: %w", ErrStuck, q.cfg.StopTimeout, err)
	}
	return nil
}

// ended makes of an error that came because ctx ended an ordinary end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// watch says that this node lives, and looks for those that do not, until ctx ends.
func (q *Queue) watch(ctx context.Context) {
	beat := time.NewTicker(q.cfg.Heartbeat)
	defer beat.Stop()
	var check <-chan time.Time // never, where locks cannot be lost
	if grace := q.node.grace(); grace > 0 {
		t := time.NewTicker(grace / 4)
		defer t.Stop()
		check = t.C
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-check:
			err = q.node.keep(ctx)
		case <-beat.C:
			err = errors.Join(q.node.beat(ctx), q.reap(ctx))
		}
		if err != nil && ctx.Err() == nil {
			q.deps.Log.WarnContext(ctx, "queue heartbeat failed, trying again", "node", q.node.id, "in", q.cfg.Heartbeat, "error", err)
		}
	}
}

// reap frees the jobs of dead nodes and says so.
func (q *Queue) reap(ctx context.Context) error {
	freed, dead, err := q.node.reap(ctx)
	if err != nil {
		return fmt.Errorf("free jobs of dead nodes: %w", err)
	}
	if freed > 0 || len(dead) > 0 {
		q.deps.Log.InfoContext(ctx, "jobs of dead nodes are free again", "jobs", freed, "nodes", dead)
	}
	return nil
}

// client makes the river client that does the jobs: one river queue a kind, so
// that each has its own number of workers.
func (q *Queue) client() (client, error) {
	workers := river.NewWorkers()
	queues := make(map[string]river.QueueConfig)
	for kind, h := range q.handlers {
		river.AddWorkerArgs(workers, args{kind: kind}, river.Worker[args](&worker{h: h}))
		queues[kind] = river.QueueConfig{MaxWorkers: h.workers}
	}
	return q.engine.client(&river.Config{
		ID:                          q.node.id,
		Logger:                      q.deps.Log,
		Workers:                     workers,
		Queues:                      queues,
		FetchOnlyKnownKinds:         true,
		JobTimeout:                  q.cfg.Timeout,
		RescueStuckJobsAfter:        q.cfg.Timeout + time.Hour,
		RetryPolicy:                 retries{q},
		CompletedJobRetentionPeriod: keep,
		CancelledJobRetentionPeriod: keep,
		DiscardedJobRetentionPeriod: keep,
	})
}

// worker gives a river job to a handler.
type worker struct {
	river.WorkerDefaults[args]
	h handler
}

func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	err := w.h.f(ctx, job.Args.ID)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) && !errors.Is(err, context.Canceled) {
		// A child killed because we stop says "signal: killed". River must see
		// the reason, or the stop would count as a failure of the job.
		return fmt.Errorf("%w: %w", context.Canceled, err)
	}
	return err
}

// retries is the retry policy. Deaths of the process do not count.
type retries struct{ q *Queue }

func (r retries) NextRetry(job *rivertype.JobRow) time.Time {
	failures := 1
	for _, e := range job.Errors {
		if e.Error != deathReason {
			failures++
		}
	}
	return riverNow().Add(r.q.cfg.Backoff(failures))
}

// riverNow is river's clock, which is not the injected one: what river wrote,
// and what it will compare with its own, is told by it.
func riverNow() time.Time { return time.Now() }
