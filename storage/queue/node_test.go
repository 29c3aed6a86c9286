package queue

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/storage/db"
)

// TestHeartbeatDecidesWithoutLocks: where there is no folder for locks (nodes on
// several machines) a node is dead when it was silent for DeadAfter, by the
// injected clock, and only then are its jobs free.
func TestHeartbeatDecidesWithoutLocks(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { return clock }
	pool := openDB(t, now)
	cfg := Config{}.withDefaults()
	q, err := New(cfg, Deps{DB: pool, Log: slog.New(slog.DiscardHandler), Node: "a", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	member := func(id string) *node {
		return &node{id: id, engine: q.engine, locks: silence{after: cfg.DeadAfter}, db: pool, now: now, cfg: cfg}
	}
	one, two := member("one"), member("two")
	for _, n := range []*node{one, two} {
		if err := n.join(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// Two jobs run, as river marks them: one with node one after node zero lost it, one with node two.
	for id, by := range map[string]string{"x": `["zero","one"]`, "y": `["two"]`} {
		if err := q.Enqueue(t.Context(), "work", id, Options{Priority: Normal}); err != nil {
			t.Fatal(err)
		}
		if _, err := pool.ExecContext(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_by = jsonb($1)
			WHERE json_extract(args, '$.id') = $2`, by, id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.ExecContext(t.Context(), `INSERT INTO river_leader (elected_at, expires_at, leader_id) VALUES ('2026-11-24', '2099-01-01', 'one')`); err != nil {
		t.Fatal(err)
	}
	reap := func(wantFreed int64, wantDead ...string) {
		t.Helper()
		freed, dead, err := two.reap(t.Context())
		if err != nil || freed != wantFreed || !slices.Equal(dead, wantDead) {
			t.Fatalf("freed %d of %q (%v), want %d of %q", freed, dead, err, wantFreed, wantDead)
		}
	}
	clock = clock.Add(cfg.DeadAfter - 1)
	reap(0)
	clock = clock.Add(1)
	reap(1, "one")
	reap(0)
	s, err := q.State(t.Context(), "work", "x")
	if err != nil || s.State != Queued || len(s.Failures) != 1 || s.Failures[0].Reason != deathReason || !s.Failures[0].At.Equal(clock) {
		t.Errorf("job of the dead node: %+v, %v", s, err)
	}
	if s, err := q.State(t.Context(), "work", "y"); err != nil || s.State != Running {
		t.Errorf("job of the living node: %+v, %v", s, err)
	}
	var leaders int
	if err := pool.QueryRowContext(t.Context(), `SELECT count(*) FROM river_leader`).Scan(&leaders); err != nil || leaders != 0 {
		t.Errorf("a dead leader is left: %v", err)
	}
	// One was only slow: it is back on the list with its next heartbeat.
	if err := one.beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	reap(0)
}

func openDB(t *testing.T, now func() time.Time) *sql.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{DSN: filepath.Join(t.TempDir(), "reprise.db"), Now: now}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d.SQL()
}

// TestTwoMigrateAtOnce opens the queue of a fresh database from many sides.
func TestTwoMigrateAtOnce(t *testing.T) {
	t.Parallel()
	pool := openDB(t, time.Now)
	errs := make(chan error)
	for range 4 {
		go func() {
			_, err := New(Config{}, Deps{DB: pool, Log: slog.New(slog.DiscardHandler), Now: time.Now})
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Errorf("open: %v", err)
		}
	}
}

func TestNodeIDsDiffer(t *testing.T) {
	t.Parallel()
	a, b := nodeID(strings.Repeat("Ü x", 50)), nodeID(strings.Repeat("Ü x", 50))
	if a == b || len(a) > 127 || strings.ContainsAny(a, "/ ") {
		t.Errorf("%q %q", a, b)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{0: 2 * time.Second, 1: 2 * time.Second, 2: 8 * time.Second, 4: 128 * time.Second, 6: 10 * time.Minute, 1000: 10 * time.Minute} {
		if got := backoff(failures); got != want {
			t.Errorf("%d failures: %v, want %v", failures, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("opened without a database")
	}
	q, err := New(Config{}, Deps{DB: openDB(t, time.Now), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Run(ctx); err != nil {
		t.Errorf("run with ended context: %v", err)
	}
}
