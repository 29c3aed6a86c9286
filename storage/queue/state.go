package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// JobState is where a job stands.
type JobState string

const (
	Queued    JobState = "queued"    // waits for a free worker
	Running   JobState = "running"   //
	Waiting   JobState = "waiting"   // failed, waits for its next attempt
	Done      JobState = "done"      //
	Cancelled JobState = "cancelled" // by Cancel, or by a Permanent error
	GivenUp   JobState = "given-up"  // failed too often
)

// Failure is one attempt that went wrong.
type Failure struct {
	Attempt int
	At      time.Time
	Reason  string
}

// Status is what is known of a job.
type Status struct {
	State    JobState
	Attempt  int // the running or last attempt, from 1; 0 before the first
	Enqueued time.Time
	Started  time.Time // of that attempt; zero before the first
	Next     time.Time // while Waiting: of the next attempt
	Finished time.Time // zero while unfinished
	Node     string    // process of that attempt
	Failures []Failure // oldest first
}

// State returns the state of the latest job of that kind and id. ErrNotFound
// when there was none, or when it was finished more than a week ago.
func (q *Queue) State(ctx context.Context, kind, id string) (Status, error) {
	job, err := q.find(ctx, kind, id)
	if err != nil {
		return Status{}, fmt.Errorf("state of %s %s: %w", kind, id, err)
	}
	s := Status{Attempt: job.Attempt, Enqueued: job.CreatedAt.UTC()}
	switch job.State {
	case rivertype.JobStateRunning:
		s.State = Running
	case rivertype.JobStateRetryable, rivertype.JobStateScheduled:
		s.State, s.Next = Waiting, job.ScheduledAt.UTC()
	case rivertype.JobStateCompleted:
		s.State = Done
	case rivertype.JobStateCancelled:
		s.State = Cancelled
	case rivertype.JobStateDiscarded:
		s.State = GivenUp
	default: // available; one that waits less than river's scheduling interval is that too
		s.State = Queued
		if len(job.Errors) > 0 && job.ScheduledAt.After(riverNow()) {
			s.State, s.Next = Waiting, job.ScheduledAt.UTC()
		}
	}
	if job.AttemptedAt != nil {
		s.Started = job.AttemptedAt.UTC()
	}
	if job.FinalizedAt != nil {
		s.Finished = job.FinalizedAt.UTC()
	}
	if n := len(job.AttemptedBy); n > 0 {
		s.Node = job.AttemptedBy[n-1]
	}
	for _, e := range job.Errors {
		s.Failures = append(s.Failures, Failure{Attempt: e.Attempt, At: e.At.UTC(), Reason: e.Error})
	}
	return s, nil
}
