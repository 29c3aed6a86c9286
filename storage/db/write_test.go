package db

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"reprise/storage/dbtest"
)

func openPostgresDB(t *testing.T) *DB {
	t.Helper()
	d, err := Open(t.Context(), Config{DSN: dbtest.Postgres(t), Now: time.Now}, slog.New(slog.DiscardHandler))
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

// TestDeadlock: of two transactions that wait for one another one gives way and is run again.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	d := openPostgresDB(t)
	ctx := t.Context()
	if _, err := d.sql.ExecContext(ctx, `INSERT INTO counter (name, value) VALUES ('a', 0), ('b', 0)`); err != nil {
		t.Fatal(err)
	}
	var wg, bothHaveOne sync.WaitGroup
	bothHaveOne.Add(2)
	runs := make(chan string, 10)
	for _, names := range [][2]string{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			first := true
			err := d.write(ctx, func(tx *sql.Tx) error {
				runs <- names[0]
				for i, name := range names {
					if _, err := tx.ExecContext(ctx, `UPDATE counter SET value = value + 1 WHERE name = $1`, name); err != nil {
						return err
					}
					if i == 0 && first {
						first = false
						bothHaveOne.Done()
						bothHaveOne.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("write %v: %v", names, err)
			}
		})
	}
	wg.Wait()
	if n := len(runs); n < 3 {
		t.Errorf("%d runs: nobody gave way", n)
	}
	var sum int
	if err := d.sql.QueryRowContext(ctx, `SELECT sum(value) FROM counter WHERE name IN ('a', 'b')`).Scan(&sum); err != nil || sum != 4 {
		t.Errorf("sum %d, %v", sum, err)
	}
}

// TestGivesWay: what failed for no fault of its own is run again, up to a limit; the rest is not.
func TestGivesWay(t *testing.T) {
	t.Parallel()
	d := openPostgresDB(t)
	for name, tt := range map[string]struct {
		err   error
		fails int
		runs  int
		want  error
	}{
		"once":      {&pgconn.PgError{Code: codeSerialization}, 1, 2, nil},
		"always":    {&pgconn.PgError{Code: codeDeadlock}, 99, maxTries, &pgconn.PgError{}},
		"its fault": {&pgconn.PgError{Code: "23505"}, 99, 1, &pgconn.PgError{}},
		"cancelled": {context.Canceled, 99, 1, context.Canceled},
	} {
		runs := 0
		err := d.write(t.Context(), func(*sql.Tx) error {
			if runs++; runs <= tt.fails {
				return tt.err
			}
			return nil
		})
		if runs != tt.runs || (err == nil) != (tt.want == nil) || err != nil && !errors.Is(err, tt.err) {
			t.Errorf("%s: %d runs, %v", name, runs, err)
		}
	}
}
