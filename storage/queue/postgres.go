package queue

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// postgres keeps jobs in PostgreSQL.
type postgres struct {
	db   *sql.DB // over pool
	pool *pgxpool.Pool
	log  *slog.Logger
}

func (e *postgres) client(cfg *river.Config) (client, error) {
	return river.NewClient(riverpgxv5.New(e.pool), cfg)
}

// migrate works under a lock of the session: one transaction would not do, as
// PostgreSQL cannot use a new value of a type in the transaction that adds it.
// Each version is a transaction; after a kill the next process goes on.
func (e *postgres) migrate(ctx context.Context) (err error) {
	migrator, err := rivermigrate.New(riverpgxv5.New(e.pool), &rivermigrate.Config{Logger: e.log})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if res, err := migrator.Validate(ctx, nil); err == nil && res.OK {
		return nil // the usual start writes nothing
	}
	// A connection of its own: closing it gives the lock back, whatever happened.
	conn, err := pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer func() { err = errors.Join(err, closeConn(ctx, conn)) }()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, lockKey("migrate jobs")); err != nil {
		return fmt.Errorf("migrate: lock: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// clock is the server's: machines' clocks differ.
func (e *postgres) clock(ctx context.Context, _ func() time.Time) (time.Time, error) {
	var now time.Time
	err := e.db.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&now)
	return now, err
}

func (e *postgres) begin(ctx context.Context) (*sql.Tx, error) {
	tx, err := e.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	// Reading is still possible, writing waits.
	if _, err := tx.ExecContext(ctx, `LOCK TABLE node IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

func (e *postgres) locks(_ context.Context, deadAfter time.Duration) (locks, error) {
	return &sessionLocks{pool: e.pool, deadAfter: deadAfter}, nil
}

func (e *postgres) sql() dialect {
	micros := func(column string) string { return `(extract(epoch FROM ` + column + `) * 1000000)::bigint` }
	const (
		ranked = `(metadata->>'rank')::timestamp AT TIME ZONE 'UTC'`
		rank   = `coalesce(` + ranked + `, scheduled_at)`
		last   = `coalesce(attempted_by[array_upper(attempted_by, 1)], '')`
		reason = `errors = array_append(errors,
			jsonb_build_object('at', $1::text, 'attempt', attempt, 'error', $2::text, 'trace', ''))`
		orphan = `state = 'running' AND ` + last + ` NOT IN (SELECT id FROM node)`
	)
	return dialect{
		columns: `id, kind, coalesce(args->>'id', ''), state::text, attempt, priority, (metadata->>'due')::bigint, ` +
			micros("created_at") + `, ` + micros("attempted_at") + `, ` + micros("scheduled_at") + `, ` + micros("finalized_at") +
			`, ` + last + `, coalesce(to_jsonb(errors)::text, '[]')`,
		byArgs: `kind = $1 AND args @> jsonb_build_object('id', $2::text)`,
		rank:   rank,
		retry:  `UPDATE river_job SET state = 'available', scheduled_at = ` + rank + ` WHERE id = $1 AND state = 'retryable'`,
		prioritize: `UPDATE river_job SET priority = $2, metadata = metadata || jsonb_build_object('due', $3::bigint, 'rank', $4::text),
				scheduled_at = CASE WHEN state = 'available' AND (attempt = 0 OR scheduled_at <= now()) THEN $4::timestamp AT TIME ZONE 'UTC' ELSE scheduled_at END
			WHERE id = $1 AND state IN ('available', 'retryable', 'scheduled', 'pending')`,
		reorder: `UPDATE river_job SET scheduled_at = ` + ranked + `
			WHERE state = 'available' AND scheduled_at <= now() AND scheduled_at > ` + ranked,
		freeJobs: `UPDATE river_job SET state = 'available', max_attempts = max_attempts + 1, ` + reason +
			` WHERE max_attempts < $3 AND ` + orphan,
		giveUpJobs: `UPDATE river_job SET state = 'discarded', finalized_at = now(), ` + reason +
			` WHERE max_attempts >= $3 AND ` + orphan,
	}
}

// lockTimeout is how long a session may take to answer, or to begin.
const lockTimeout = 5 * time.Second

// sessionLocks are for processes that share a PostgreSQL server: each holds an
// advisory lock by a connection of its own. The server lets go of it when the
// connection ends, which a kill does at once. A process may lose its connection
// and live, when the server restarts or the network fails: it takes the lock
// again and shows by its heartbeat that it is there.
//
// The lock is shared, so that a process that lost its connection can take it
// again before the server noticed; nobody but who asks (alive) wants it alone.
type sessionLocks struct {
	pool      *pgxpool.Pool
	deadAfter time.Duration
	id        string
	conn      *pgx.Conn // from take to release; nil while it is lost
}

func lockKey(name string) int64 {
	sum := sha256.Sum256([]byte("reprise " + name))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

func (l *sessionLocks) take(ctx context.Context, id string) error {
	l.id = id
	return l.connect(ctx)
}

func (l *sessionLocks) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	cfg := l.pool.Config().ConnConfig
	// A machine that vanished without a word is noticed by the server after 25 s.
	for name, value := range map[string]string{"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"} {
		cfg.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock_shared($1)`, lockKey("node "+l.id)); err != nil {
		return errors.Join(fmt.Errorf("lock: %w", err), closeConn(ctx, conn))
	}
	l.conn = conn
	return nil
}

// keep takes the lock again if it was lost, and says whether it was.
func (l *sessionLocks) keep(ctx context.Context) (lost bool, err error) {
	if l.conn != nil {
		ping, cancel := context.WithTimeout(ctx, lockTimeout)
		defer cancel()
		if l.conn.Ping(ping) == nil {
			return false, nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		closeConn(ctx, l.conn) // it is broken: what closing it says is no news
		l.conn = nil
	}
	return true, l.connect(ctx)
}

func (l *sessionLocks) release(ctx context.Context) error {
	if l.conn == nil {
		return nil
	}
	err := closeConn(ctx, l.conn)
	l.conn = nil
	return err
}

// alive: who holds its lock lives, unless it is silent for so long that its
// machine is gone and the server has not noticed; who does not has lost its
// connection, and lives if it said so lately.
func (l *sessionLocks) alive(ctx context.Context, from querier, id string, silent, grace time.Duration) (bool, error) {
	var free bool
	// The lock of a transaction is given back at its end.
	if err := from.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock($1)`, lockKey("node "+id)).Scan(&free); err != nil {
		return false, err
	}
	if free {
		return silent < grace, nil
	}
	return silent < l.deadAfter, nil
}

func (l *sessionLocks) forget(string) error { return nil }

func closeConn(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockTimeout)
	defer cancel()
	return conn.Close(ctx)
}
