package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"
)

// Priorities of jobs, 1 to 4: a lower number goes first.
const (
	Urgent = 1 // somebody waits: a talk that goes on air soon
	Normal = 2
	Low    = 3
	Idle   = 4 // housekeeping
)

var (
	// ErrNotFound is returned for a job that was never enqueued, or long ago.
	ErrNotFound = errors.New("queue: no such job")
	// ErrStuck is returned by Run when handlers did not return in time after their context ended.
	ErrStuck = errors.New("queue: jobs did not stop")
)

// Config holds the limits; the zero value of each field means its default.
type Config struct {
	Timeout     time.Duration // of one attempt; 12 h
	MaxAttempts int           // failures until a job is given up; 8
	MaxDeaths   int           // killed attempts until a job is given up, for a job that kills its process; 100
	Backoff     func(failures int) time.Duration
	Heartbeat   time.Duration // how often a node says that it lives, and looks for dead ones; 10 s
	DeadAfter   time.Duration // silence after which a node counts as dead where locks cannot tell; 35 s
	StopTimeout time.Duration // how long Run waits for cancelled handlers; 20 s
}

// Deps is what a queue needs.
type Deps struct {
	DB   *sql.DB // SQLite, migrated by storage/db: the node table is there
	Log  *slog.Logger
	Node string           // name of this machine, for the log and the node table; the process is added to it
	Now  func() time.Time // clock of the heartbeat
}

// Queue is a durable job queue. All methods but Handle are safe for concurrent use.
type Queue struct {
	cfg      Config
	deps     Deps
	node     *node
	insert   *river.Client[*sql.Tx] // enqueues and cancels; does not run
	handlers map[string]handler
}

type handler struct {
	workers int
	f       func(ctx context.Context, id string) error
}

// args is the river form of every job. Its JSON is the id alone; the kind is in river's own column.
type args struct {
	kind string
	ID   string `json:"id"`
}

func (a args) Kind() string { return a.kind }

// New opens the queue and makes or migrates its tables. Several processes may
// use the same database.
func New(cfg Config, deps Deps) (*Queue, error) {
	if deps.DB == nil || deps.Log == nil || deps.Now == nil {
		return nil, errors.New("open queue: database, log and clock are needed")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cfg = cfg.withDefaults()
	if err := migrate(ctx, deps.DB, deps.Log); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	insert, err := river.NewClient(riversqlite.New(deps.DB), &river.Config{Logger: deps.Log, MaxAttempts: cfg.MaxAttempts})
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	folder, err := lockFolder(ctx, deps.DB)
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	return &Queue{
		cfg:      cfg,
		deps:     deps,
		node:     &node{id: nodeID(deps.Node), folder: folder, db: deps.DB, now: deps.Now, cfg: cfg},
		insert:   insert,
		handlers: make(map[string]handler),
	}, nil
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&c.Timeout, 12*time.Hour)
	set(&c.Heartbeat, 10*time.Second)
	set(&c.DeadAfter, 35*time.Second)
	set(&c.StopTimeout, 20*time.Second)
	if c.MaxAttempts <= 0 {
		c.MaxAttempts = 8
	}
	if c.MaxDeaths <= 0 {
		c.MaxDeaths = 100
	}
	if c.Backoff == nil {
		c.Backoff = backoff
	}
	return c
}

// backoff is 2 s, 8 s, 32 s, ... up to 10 minutes.
func backoff(failures int) time.Duration {
	return min(2*time.Second<<(2*min(max(failures-1, 0), 8)), 10*time.Minute)
}

// Kinds are names of river queues too: letters, digits, - and _.
var validKind = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// Handle says what does the jobs of a kind, up to workers at once in this
// process. It must be called before Run; twice for a kind, or with a kind that
// is not [a-z][a-z0-9_-]*, it panics.
//
// f gets the id and a context that ends when the job is cancelled, when its
// time is over, and when Run stops. It may run again for the same id after a
// failure or a kill, so it must take up what it finds. Its error is kept and
// the job is tried again later, up to the limit; an error wrapped in Permanent
// gives up at once.
func (q *Queue) Handle(kind string, workers int, f func(ctx context.Context, id string) error) {
	if !validKind.MatchString(kind) {
		panic("queue: invalid kind " + kind)
	}
	if _, ok := q.handlers[kind]; ok {
		panic("queue: two handlers for " + kind)
	}
	q.handlers[kind] = handler{workers: max(workers, 1), f: f}
}

// Permanent marks an error as one that trying again cannot mend.
func Permanent(err error) error { return river.JobCancel(err) }

// Enqueue writes a job down; it is done soon after by whichever process handles
// the kind. While a job of that kind and id is not finished there is no second
// one: one that runs or waits stays as it is, one that waits for its next
// attempt is tried at once.
func (q *Queue) Enqueue(ctx context.Context, kind, id string, priority int) error {
	if !validKind.MatchString(kind) || id == "" {
		return fmt.Errorf("enqueue %s %q: invalid kind or id", kind, id)
	}
	res, err := q.insert.Insert(ctx, args{kind: kind, ID: id}, &river.InsertOpts{
		Queue:    kind,
		Priority: min(max(priority, Urgent), Idle),
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
			rivertype.JobStateRunning, rivertype.JobStateScheduled,
		}},
	})
	if err != nil {
		return fmt.Errorf("enqueue %s %s: %w", kind, id, err)
	}
	if !res.UniqueSkippedAsDuplicate || res.Job.State != rivertype.JobStateRetryable {
		return nil
	}
	if _, err := q.insert.JobRetry(ctx, res.Job.ID); err != nil {
		return fmt.Errorf("retry %s %s: %w", kind, id, err)
	}
	return nil
}

// Cancel gives a job up: a waiting one is not started, the context of a running
// one ends within a second, in whatever process it runs. ErrNotFound when there
// is no unfinished job of that kind and id.
func (q *Queue) Cancel(ctx context.Context, kind, id string) error {
	job, err := q.find(ctx, kind, id)
	if err == nil && job.FinalizedAt != nil {
		err = ErrNotFound
	}
	if err == nil {
		_, err = q.insert.JobCancel(ctx, job.ID)
	}
	if err != nil {
		return fmt.Errorf("cancel %s %s: %w", kind, id, err)
	}
	return nil
}

// find returns the latest job of that kind and id.
func (q *Queue) find(ctx context.Context, kind, id string) (*rivertype.JobRow, error) {
	var row int64
	err := q.deps.DB.QueryRowContext(ctx, `SELECT id FROM river_job
		WHERE kind = $1 AND json_extract(args, '$.id') = $2 ORDER BY id DESC LIMIT 1`, kind, id).Scan(&row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	job, err := q.insert.JobGet(ctx, row)
	if errors.Is(err, rivertype.ErrNotFound) {
		return nil, ErrNotFound
	}
	return job, err
}
