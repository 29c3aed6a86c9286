package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
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
	_, job, err := q.find(ctx, kind, id)
	if err != nil {
		return Status{}, fmt.Errorf("state of %s %s: %w", kind, id, err)
	}
	return job.Status, nil
}

// Job is a job and what is known of it.
type Job struct {
	Kind, ID string
	Priority int       // Urgent to Idle
	Due      time.Time // as said at Enqueue or Prioritize, else the time of enqueueing
	Status
}

// maxJobs bounds what Jobs returns.
const maxJobs = 1000

// Jobs returns up to limit jobs: unfinished ones in the order that they will be
// done, beginning with those that run, then finished ones, the newest first.
func (q *Queue) Jobs(ctx context.Context, limit int) ([]Job, error) {
	text := q.engine.sql()
	rows, err := q.deps.DB.QueryContext(ctx, `SELECT `+text.columns+` FROM river_job ORDER BY `+text.order()+` LIMIT $1`, min(max(limit, 0), maxJobs))
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	defer rows.Close()
	var list []Job
	for rows.Next() {
		_, job, err := scanJob(rows)
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		list = append(list, job)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return list, nil
}

// find returns the latest job of that kind and id, and river's number of it.
func (q *Queue) find(ctx context.Context, kind, id string) (int64, Job, error) {
	text := q.engine.sql()
	number, job, err := scanJob(q.deps.DB.QueryRowContext(ctx,
		`SELECT `+text.columns+` FROM river_job WHERE `+text.byArgs+` ORDER BY id DESC LIMIT 1`, kind, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return number, job, err
}

// scanJob reads the columns of a dialect from *sql.Row or *sql.Rows.
func scanJob(row interface{ Scan(dest ...any) error }) (number int64, job Job, err error) {
	var (
		state, errorList                              string
		due, created, attempted, scheduled, finalized sql.Null[int64]
	)
	if err := row.Scan(&number, &job.Kind, &job.ID, &state, &job.Attempt, &job.Priority, &due,
		&created, &attempted, &scheduled, &finalized, &job.Node, &errorList); err != nil {
		return 0, Job{}, err
	}
	var failures []rivertype.AttemptError
	if err := json.Unmarshal([]byte(errorList), &failures); err != nil {
		return 0, Job{}, fmt.Errorf("errors of job %d: %w", number, err)
	}
	for _, e := range failures {
		job.Failures = append(job.Failures, Failure{Attempt: e.Attempt, At: e.At.UTC(), Reason: e.Error})
	}
	job.Enqueued, job.Started, job.Finished = instant(created), instant(attempted), instant(finalized)
	if job.Due = instant(due); job.Due.IsZero() {
		job.Due = job.Enqueued
	}
	job.State = jobState(rivertype.JobState(state))
	// One that waits less than river's scheduling interval is available already.
	if next := instant(scheduled); job.State == Waiting || job.State == Queued && len(failures) > 0 && next.After(riverNow()) {
		job.State, job.Next = Waiting, next
	}
	return number, job, nil
}

func jobState(s rivertype.JobState) JobState {
	switch s {
	case rivertype.JobStateRunning:
		return Running
	case rivertype.JobStateRetryable, rivertype.JobStateScheduled:
		return Waiting
	case rivertype.JobStateCompleted:
		return Done
	case rivertype.JobStateCancelled:
		return Cancelled
	case rivertype.JobStateDiscarded:
		return GivenUp
	default: // available, pending
		return Queued
	}
}

func instant(micros sql.Null[int64]) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return time.UnixMicro(micros.V).UTC()
}
