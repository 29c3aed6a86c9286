package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"reprise/api/mail"
	"reprise/event"
	"reprise/vod"
)

// ErrNewerSchema is returned by Open for a database that a newer version of the program migrated.
var ErrNewerSchema = errors.New("db: the database is newer than this program")

// Config says which database, and whose clock.
type Config struct {
	// DSN is the path of an SQLite file, which is made when there is none.
	// URLs (postgres://...) are kept for engines to come.
	DSN string
	// Now is the clock for the instants that rows get; required.
	Now func() time.Time
}

// DB is an open database. All methods are safe for concurrent use.
type DB struct {
	sql *sql.DB
	now func() time.Time
}

var (
	_ vod.Library   = (*DB)(nil)
	_ vod.Uploads   = (*DB)(nil)
	_ event.Store   = (*DB)(nil)
	_ event.HandIns = (*DB)(nil)
	_ mail.Store    = (*DB)(nil)
)

// Open opens the database, makes and migrates it as needed, and returns it
// ready. Several processes may open the same file at once. The error is
// ErrNewerSchema when a newer program was here before.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*DB, error) {
	if cfg.Now == nil {
		return nil, errors.New("open database: no clock given")
	}
	if cfg.DSN == "" {
		return nil, errors.New("open database: no file given")
	}
	if scheme, _, ok := strings.Cut(cfg.DSN, "://"); ok {
		return nil, fmt.Errorf("open database: %s:// is not supported yet: give the path of an SQLite file", scheme)
	}
	pool, err := openSQLite(ctx, cfg.DSN, log)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", cfg.DSN, err)
	}
	return &DB{sql: pool, now: cfg.Now}, nil
}

// SQL returns the pool, for the job queue, which keeps its tables beside ours.
func (d *DB) SQL() *sql.DB { return d.sql }

// Ping reports whether the database answers: one real read.
func (d *DB) Ping(ctx context.Context) error {
	_, err := d.Version(ctx)
	return err
}

// Close waits for running queries and closes the pool.
func (d *DB) Close() error { return d.sql.Close() }
