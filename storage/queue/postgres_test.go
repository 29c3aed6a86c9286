package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reprise/storage/db"
	"reprise/storage/dbtest"
)

func openPostgres(t *testing.T, dsn string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{DSN: dsn, Now: time.Now}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

func openQueue(t *testing.T, cfg Config, d *db.DB) *Queue {
	t.Helper()
	q, err := New(cfg, Deps{DB: d.SQL(), Pool: d.Postgres(), Log: slog.New(slog.DiscardHandler), Node: "a", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestSessionLocks: who holds its lock lives, unless it is silent for too long;
// who does not has a moment to show itself.
func TestSessionLocks(t *testing.T) {
	t.Parallel()
	d := openPostgres(t, dbtest.Postgres(t))
	ctx := t.Context()
	cfg := Config{Heartbeat: time.Hour, DeadAfter: time.Minute}.withDefaults()
	other, one := openQueue(t, cfg, d).node, openQueue(t, cfg, d).node
	if err := one.join(ctx); err != nil {
		t.Fatal(err)
	}
	defer one.locks.release(context.WithoutCancel(ctx))
	silentFor := func(s time.Duration) {
		t.Helper()
		if _, err := d.SQL().ExecContext(ctx, `UPDATE node SET seen_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1`, s.Microseconds()); err != nil {
			t.Fatal(err)
		}
	}
	dead := func(what string, grace time.Duration, want bool) {
		t.Helper()
		ids, err := other.findDead(ctx, d.SQL(), grace)
		if err != nil || slices.Contains(ids, one.id) != want {
			t.Errorf("%s: dead are %q, %v", what, ids, err)
		}
	}
	dead("lock held", 0, false)
	silentFor(50 * time.Second)
	dead("lock held, silent for a while", time.Second, false)
	silentFor(61 * time.Second)
	dead("lock held by a machine that is gone", time.Second, true)
	silentFor(0)
	lock := one.locks.(*sessionLocks)
	if _, err := d.SQL().ExecContext(ctx, `SELECT pg_terminate_backend($1)`, lock.conn.PgConn().PID()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		ids, err := other.findDead(ctx, d.SQL(), 0)
		return err == nil && len(ids) == 1
	})
	dead("lock lost, seen just now", time.Minute, false)
	silentFor(30 * time.Second)
	dead("lock lost and silent", time.Second, true)
	if err := one.keep(ctx); err != nil {
		t.Fatal(err)
	}
	dead("lock taken again", 0, false)
	if lost, err := lock.keep(ctx); lost || err != nil {
		t.Errorf("lost again: %v, %v", lost, err)
	}
	if err := one.leave(ctx); err != nil {
		t.Fatal(err)
	}
	dead("gone", 0, false)
}

func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for too long")
		}
	}
}

// TestServerRestart: a restart of the server takes the locks of all nodes away
// at once. Each takes its own again, and no job goes to another node.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	cluster := dbtest.New(t, dbtest.Options{Fsync: true})
	dsn := cluster.Database(t)
	cfg := Config{Heartbeat: time.Second}
	var runs atomic.Int32
	started, release := make(chan struct{}, 10), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var queues []*Queue
	for i := range 2 {
		q := openQueue(t, cfg, openPostgres(t, dsn))
		ready := make(chan struct{}, 1)
		q.Handle(fmt.Sprint("ready-", i), 1, func(context.Context, string) error { ready <- struct{}{}; return nil })
		q.Handle("work", 1, func(ctx context.Context, _ string) error {
			runs.Add(1)
			started <- struct{}{}
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		wg.Go(func() {
			if err := q.Run(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
		if err := q.Enqueue(t.Context(), fmt.Sprint("ready-", i), "a", Options{}); err != nil {
			t.Fatal(err)
		}
		<-ready
		queues = append(queues, q)
	}
	if err := queues[0].Enqueue(t.Context(), "work", "a", Options{Priority: Normal}); err != nil {
		t.Fatal(err)
	}
	<-started
	if err := errors.Join(cluster.Crash(), cluster.Start()); err != nil {
		t.Fatal(err)
	}
	// Every node has its lock again …
	waitFor(t, func() bool {
		var held int
		err := queues[0].deps.DB.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted`).Scan(&held)
		return err == nil && held == 2
	})
	// … and has looked for the dead since: it does so after each heartbeat.
	now, err := queues[0].engine.clock(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		var seen int64
		err := queues[0].deps.DB.QueryRowContext(t.Context(), `SELECT min(seen_at) FROM node`).Scan(&seen)
		return err == nil && seen > now.Add(cfg.Heartbeat).UnixMicro()
	})
	if n := runs.Load(); n != 1 {
		t.Errorf("%d runs of a job that nobody lost", n)
	}
	close(release)
	waitFor(t, func() bool {
		s, err := queues[1].State(t.Context(), "work", "a")
		return err == nil && s.State == Done
	})
	if n := runs.Load(); n != 1 {
		t.Errorf("%d runs", n)
	}
}

// TestOwnerIsEnough: the user of the operator's guide, who owns the database and
// is nothing else, may do all that is needed.
func TestOwnerIsEnough(t *testing.T) {
	t.Parallel()
	cluster := dbtest.New(t, dbtest.Options{})
	super := openPostgres(t, cluster.Database(t))
	for _, statement := range []string{`CREATE ROLE reprise LOGIN`, `CREATE DATABASE reprise OWNER reprise ENCODING 'UTF8' TEMPLATE template0`} {
		if _, err := super.SQL().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(cluster.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.Path = url.User("reprise"), "/reprise"
	q := openQueue(t, Config{}, openPostgres(t, u.String()))
	done := make(chan struct{})
	q.Handle("work", 1, func(context.Context, string) error { close(done); return nil })
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := q.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	if err := q.Enqueue(ctx, "work", "a", Options{}); err != nil {
		t.Fatal(err)
	}
	<-done
	cancel()
	wg.Wait()
}
