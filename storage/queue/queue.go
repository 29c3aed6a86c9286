package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
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
	DB   *sql.DB       // migrated by storage/db: the node table is there
	Pool *pgxpool.Pool // of the same database when it is PostgreSQL; nil: SQLite
	Log  *slog.Logger
	Node string           // name of this machine, for the log and the node table; the process is added to it
	Now  func() time.Time // clock of the heartbeat, and of jobs that are due at no instant
}

// Queue is a durable job queue. All methods but Handle are safe for concurrent use.
type Queue struct {
	cfg      Config
	deps     Deps
	engine   engine
	node     *node
	insert   client // enqueues and cancels; does not run
	handlers map[string]handler
}

// client is what we use of a river client, whose type depends on the database.
type client interface {
	Insert(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
	JobCancel(ctx context.Context, id int64) (*rivertype.JobRow, error)
	Start(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
}

// engine is what differs between the databases that jobs are kept in.
type engine interface {
	// client makes a river client.
	client(cfg *river.Config) (client, error)
	// migrate brings river's tables up to date. Several processes may call it at once.
	migrate(ctx context.Context) error
	// clock returns the time of heartbeats.
	clock(ctx context.Context, now func() time.Time) (time.Time, error)
	// locks returns how processes see that one of them lives.
	locks(ctx context.Context, deadAfter time.Duration) (locks, error)
	// begin starts a transaction in which nobody else joins, leaves or reaps.
	begin(ctx context.Context) (*sql.Tx, error)
	// sql returns the statements that the engines spell each in its own way.
	sql() dialect
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
	var e engine = &sqlite{db: deps.DB, log: deps.Log}
	if deps.Pool != nil {
		e = &postgres{db: deps.DB, pool: deps.Pool, log: deps.Log}
	}
	if err := e.migrate(ctx); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	insert, err := e.client(&river.Config{Logger: deps.Log, MaxAttempts: cfg.MaxAttempts})
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	locks, err := e.locks(ctx, cfg.DeadAfter)
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	return &Queue{
		cfg:      cfg,
		deps:     deps,
		engine:   e,
		node:     &node{id: nodeID(deps.Node), engine: e, locks: locks, db: deps.DB, log: deps.Log, now: deps.Now, cfg: cfg},
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

// Options say when a job's turn comes.
type Options struct {
	Priority int       // Urgent to Idle; others are taken as the nearest of these
	Due      time.Time // among jobs of equal priority the earlier goes first; zero: the time of enqueueing
}

// Enqueue writes a job down; it is done soon after by whichever process handles
// the kind. While a job of that kind and id is not finished there is no second
// one: one that runs or waits stays as it is, one that waits for its next
// attempt is tried at once.
func (q *Queue) Enqueue(ctx context.Context, kind, id string, o Options) error {
	if !validKind.MatchString(kind) || id == "" {
		return fmt.Errorf("enqueue %s %q: invalid kind or id", kind, id)
	}
	o = q.complete(o)
	metadata, err := turnOf(o.Due).json()
	if err != nil {
		return fmt.Errorf("enqueue %s %s: %w", kind, id, err)
	}
	res, err := q.insert.Insert(ctx, args{kind: kind, ID: id}, &river.InsertOpts{
		Queue:    kind,
		Priority: o.Priority,
		Metadata: metadata,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
			rivertype.JobStateRunning, rivertype.JobStateScheduled,
		}},
	})
	if err != nil {
		return fmt.Errorf("enqueue %s %s: %w", kind, id, err)
	}
	switch {
	case !res.UniqueSkippedAsDuplicate:
		// A worker that is free may have it already: then there is no line to stand in.
		err = q.setTurn(ctx, res.Job.ID, o)
	case res.Job.State == rivertype.JobStateRetryable:
		_, err = q.deps.DB.ExecContext(ctx, q.engine.sql().retry, res.Job.ID)
	}
	if err != nil {
		return fmt.Errorf("enqueue %s %s: %w", kind, id, err)
	}
	return nil
}

// Prioritize changes the turn of a job that waits. One that runs or is finished
// is left alone. ErrNotFound when there is no job of that kind and id.
func (q *Queue) Prioritize(ctx context.Context, kind, id string, o Options) error {
	o = q.complete(o)
	number, _, err := q.find(ctx, kind, id)
	if err == nil {
		err = q.setTurn(ctx, number, o)
	}
	if err != nil {
		return fmt.Errorf("prioritize %s %s: %w", kind, id, err)
	}
	return nil
}

func (q *Queue) setTurn(ctx context.Context, number int64, o Options) error {
	t := turnOf(o.Due)
	_, err := q.deps.DB.ExecContext(ctx, q.engine.sql().prioritize, number, o.Priority, t.Due, t.Rank)
	return err
}

// complete fills in what o leaves open.
func (q *Queue) complete(o Options) Options {
	o.Priority = min(max(o.Priority, Urgent), Idle)
	if o.Due.IsZero() {
		o.Due = q.deps.Now()
	}
	return o
}

// Cancel gives a job up: a waiting one is not started, the context of a running
// one ends within a second, in whatever process it runs. ErrNotFound when there
// is no unfinished job of that kind and id.
func (q *Queue) Cancel(ctx context.Context, kind, id string) error {
	number, job, err := q.find(ctx, kind, id)
	if err == nil && !job.Finished.IsZero() {
		err = ErrNotFound
	}
	if err == nil {
		_, err = q.insert.JobCancel(ctx, number)
	}
	if errors.Is(err, rivertype.ErrNotFound) {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("cancel %s %s: %w", kind, id, err)
	}
	return nil
}
