package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"reprise/api/mail"
	"reprise/event"
	"reprise/vod"
)

// What Open returns when people must do something.
var (
	// ErrNewerSchema: a newer version of the program migrated the database.
	ErrNewerSchema = errors.New("db: the database is newer than this program")
	// ErrUnreachable: no server answers there.
	ErrUnreachable = errors.New("db: the server cannot be reached")
	// ErrDenied: the server does not know the user or the password, or the user may not do what is needed.
	ErrDenied = errors.New("db: access denied")
	// ErrNoDatabase: the server has no database of that name.
	ErrNoDatabase = errors.New("db: there is no such database")
	// ErrUnfit: the server is too old, a standby, or its database is not in UTF-8.
	ErrUnfit = errors.New("db: this server cannot be used")
)

// Config says which database, and whose clock.
type Config struct {
	// DSN is the path of an SQLite file, which is made when there is none, or the
	// address of a PostgreSQL database, which must be there: postgres://….
	DSN string
	// Now is the clock for the instants that rows get; required.
	Now func() time.Time
}

// DB is an open database. All methods are safe for concurrent use.
type DB struct {
	sql  *sql.DB
	pool *pgxpool.Pool // under sql; nil: SQLite
	now  func() time.Time
}

var (
	_ vod.Library   = (*DB)(nil)
	_ vod.Uploads   = (*DB)(nil)
	_ event.Store   = (*DB)(nil)
	_ event.HandIns = (*DB)(nil)
	_ mail.Store    = (*DB)(nil)
)

// Open opens the database, makes (SQLite) and migrates it as needed, and returns
// it ready. Several processes may open the same one at once. No error of it
// holds a password.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*DB, error) {
	if cfg.Now == nil {
		return nil, errors.New("open database: no clock given")
	}
	if cfg.DSN == "" {
		return nil, errors.New("open database: no file given")
	}
	d := &DB{now: cfg.Now}
	var err error
	switch scheme, _, ok := strings.Cut(cfg.DSN, "://"); {
	case !ok:
		if d.sql, err = openSQLite(ctx, cfg.DSN, log); err != nil {
			return nil, fmt.Errorf("open database %s: %w", cfg.DSN, err)
		}
	case scheme == "postgres" || scheme == "postgresql":
		if d.sql, d.pool, err = openPostgres(ctx, cfg.DSN, log); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("open database: %s:// is not supported: give the path of an SQLite file, or postgres://…", scheme)
	}
	return d, nil
}

// SQL returns the pool, for the job queue, which keeps its tables beside ours.
func (d *DB) SQL() *sql.DB { return d.sql }

// Postgres returns the pool under SQL, for the job queue; nil when the engine is SQLite.
func (d *DB) Postgres() *pgxpool.Pool { return d.pool }

// Ping reports whether the database answers: one real read.
func (d *DB) Ping(ctx context.Context) error {
	_, err := d.Version(ctx)
	return err
}

// Close waits for running queries and closes the pool.
func (d *DB) Close() error {
	err := d.sql.Close()
	if d.pool != nil {
		d.pool.Close()
	}
	return err
}
