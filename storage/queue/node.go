package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// deathReason is kept with a job whose process died.
const deathReason = "the process that did this job died"

// node is this process in the table of those that do jobs. River marks a job
// with the process that runs it but never notices that the process is gone; we
// do, and free the job.
type node struct {
	id     string // unique for each run of each process
	engine engine
	locks  locks
	db     *sql.DB
	log    *slog.Logger
	now    func() time.Time
	cfg    Config
}

// locks are how processes see, faster and surer than by heartbeats, that one of them lives.
type locks interface {
	// take takes the lock of this process, which has that id, until release.
	take(ctx context.Context, id string) error
	release(ctx context.Context) error
	// alive tells whether a process lives: silent is the time since its last
	// heartbeat, grace the time that one which lost its lock has to show itself.
	alive(ctx context.Context, from querier, id string, silent, grace time.Duration) (bool, error)
	// forget clears away what a dead process left.
	forget(id string) error
}

// losable are locks that a process may lose and live.
type losable interface {
	// keep takes the lock again if it was lost, and says whether it was.
	keep(ctx context.Context) (lost bool, err error)
}

// querier is *sql.DB or *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// silence stands for locks where there are none: who is silent for too long is dead.
type silence struct{ after time.Duration }

func (silence) take(context.Context, string) error { return nil }
func (silence) release(context.Context) error      { return nil }
func (silence) forget(string) error                { return nil }

func (s silence) alive(_ context.Context, _ querier, _ string, silent, _ time.Duration) (bool, error) {
	return silent < s.after, nil
}

// nodeID makes a name that no other process has or had: the machine, the
// process and a random part. It is a file name and at most 127 bytes (river's limit).
func nodeID(machine string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(machine))
	return clean[:min(len(clean), 60)] + "." + strconv.Itoa(os.Getpid()) + "." + uuid.NewString()[:13]
}

// join takes the lock, then lists the node: whoever sees the row can test the lock.
func (n *node) join(ctx context.Context) error {
	if err := n.locks.take(ctx, n.id); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	return n.beat(ctx)
}

// beat writes that the node lives. A row that was taken away by mistake comes back.
func (n *node) beat(ctx context.Context) error {
	now, err := n.engine.clock(ctx, n.now)
	if err == nil {
		_, err = n.db.ExecContext(ctx, `INSERT INTO node (id, started, seen_at) VALUES ($1, $2, $2)
			ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`, n.id, now.UnixMicro())
	}
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}

// keep sees to it that the lock is still held; while it is not the node shows by
// heartbeats that it lives. Where locks cannot be lost it does nothing.
func (n *node) keep(ctx context.Context) error {
	l, ok := n.locks.(losable)
	if !ok {
		return nil
	}
	lost, err := l.keep(ctx)
	if err != nil {
		err = fmt.Errorf("take the node's lock again: %w", err)
	}
	if lost {
		err = errors.Join(err, n.beat(ctx))
	}
	return err
}

// grace is how long a node that lost its lock has to show that it lives; 0: locks cannot be lost.
func (n *node) grace() time.Duration {
	if _, ok := n.locks.(losable); !ok {
		return 0
	}
	return min(n.cfg.Heartbeat, 2*time.Second)
}

// leave takes the node off the list. Jobs that it did not put back are free from then on.
func (n *node) leave(ctx context.Context) error {
	_, err := n.db.ExecContext(ctx, `DELETE FROM node WHERE id = $1`, n.id)
	return errors.Join(err, n.locks.release(ctx))
}

// A dead leader would hold up retries until its term is over.
const freeLead = `DELETE FROM river_leader WHERE leader_id NOT IN (SELECT id FROM node)`

// reap takes dead nodes off the list and frees all running jobs whose node is
// not on it. It is one transaction beside which no node joins: one that joins
// later has no job yet.
func (n *node) reap(ctx context.Context) (freed int64, dead []string, err error) {
	if err := n.giveGrace(ctx); err != nil {
		return 0, nil, err
	}
	tx, err := n.engine.begin(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer func() {
		if back := tx.Rollback(); back != nil && !errors.Is(back, sql.ErrTxDone) {
			err = errors.Join(err, back)
		}
	}()
	if dead, err = n.findDead(ctx, tx, n.grace()); err != nil {
		return 0, nil, err
	}
	for _, id := range dead {
		if _, err := tx.ExecContext(ctx, `DELETE FROM node WHERE id = $1`, id); err != nil {
			return 0, nil, err
		}
	}
	if freed, err = n.freeJobs(ctx, tx); err != nil {
		return 0, nil, err
	}
	if err := tx.Commit(); err != nil {
		return 0, nil, err
	}
	for _, id := range dead {
		err = errors.Join(err, n.locks.forget(id))
	}
	return freed, dead, err
}

// giveGrace waits, if a node seems to have lost its lock, until it has had the time to show that it lives.
func (n *node) giveGrace(ctx context.Context) error {
	grace := n.grace()
	if grace == 0 {
		return nil
	}
	if suspects, err := n.findDead(ctx, n.db, 0); err != nil || len(suspects) == 0 {
		return err
	}
	over := time.NewTimer(grace)
	defer over.Stop()
	check := time.NewTicker(grace / 4)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return nil
		case <-check.C: // our own lock may be among the lost
			if err := n.keep(ctx); err != nil {
				return err
			}
		}
	}
}

// freeJobs frees all running jobs whose node is not listed, or gives them up.
func (n *node) freeJobs(ctx context.Context, tx *sql.Tx) (freed int64, err error) {
	text := n.engine.sql()
	for _, query := range []string{freeLead, text.reorder} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return 0, err
		}
	}
	for _, query := range []string{text.giveUpJobs, text.freeJobs} {
		res, err := tx.ExecContext(ctx, query, n.now().UTC().Format(time.RFC3339Nano), deathReason, n.cfg.MaxAttempts+n.cfg.MaxDeaths)
		if err != nil {
			return 0, err
		}
		count, err := res.RowsAffected()
		if err != nil {
			return 0, err
		}
		freed += count
	}
	return freed, nil
}

// findDead returns the listed nodes that do not live.
func (n *node) findDead(ctx context.Context, from querier, grace time.Duration) ([]string, error) {
	now, err := n.engine.clock(ctx, n.now)
	if err != nil {
		return nil, err
	}
	seen, err := n.others(ctx, from)
	if err != nil {
		return nil, err
	}
	var dead []string
	for id, at := range seen {
		alive, err := n.locks.alive(ctx, from, id, now.Sub(at), grace)
		if err != nil {
			return nil, err
		}
		if !alive {
			dead = append(dead, id)
		}
	}
	return dead, nil
}

// others returns the other nodes of the list and when each was seen last.
func (n *node) others(ctx context.Context, from querier) (map[string]time.Time, error) {
	rows, err := from.QueryContext(ctx, `SELECT id, seen_at FROM node WHERE id <> $1`, n.id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	seen := map[string]time.Time{}
	for rows.Next() {
		var (
			id string
			at int64
		)
		if err := rows.Scan(&id, &at); err != nil {
			return nil, err
		}
		seen[id] = time.UnixMicro(at)
	}
	return seen, rows.Err()
}
