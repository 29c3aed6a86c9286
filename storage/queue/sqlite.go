package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// sqlite keeps jobs in an SQLite file.
type sqlite struct {
	db  *sql.DB
	log *slog.Logger
}

func (e *sqlite) client(cfg *river.Config) (client, error) {
	return river.NewClient(riversqlite.New(e.db), cfg)
}

// migrate works in one transaction that has the write lock.
func (e *sqlite) migrate(ctx context.Context) error {
	migrator, err := rivermigrate.New(riversqlite.New(e.db), &rivermigrate.Config{Logger: e.log})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if res, err := migrator.Validate(ctx, nil); err == nil && res.OK {
		return nil // the usual start writes nothing
	}
	tx, err := e.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	//lint:ignore SA1019 one transaction keeps other processes out and leaves nothing half done after a kill; all of riversqlite's migrations allow it
	if _, err := migrator.MigrateTx(ctx, tx, rivermigrate.DirectionUp, nil); err != nil {
		return errors.Join(fmt.Errorf("migrate: %w", err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// clock is the injected one: processes that share a file share the machine's clock.
func (e *sqlite) clock(_ context.Context, now func() time.Time) (time.Time, error) { return now(), nil }

// begin: every transaction that may write has the write lock from its beginning.
func (e *sqlite) begin(ctx context.Context) (*sql.Tx, error) { return e.db.BeginTx(ctx, nil) }

// locks are files in a folder beside the database, which one in memory has not.
func (e *sqlite) locks(ctx context.Context, deadAfter time.Duration) (locks, error) {
	var file string
	if err := e.db.QueryRowContext(ctx, `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&file); err != nil {
		return nil, fmt.Errorf("find database file: %w", err)
	}
	if file == "" {
		return silence{after: deadAfter}, nil
	}
	return &fileLocks{folder: file + ".nodes"}, nil
}

func (e *sqlite) sql() dialect {
	micros := func(column string) string {
		return `CAST(round(unixepoch(` + column + `, 'subsec') * 1000) AS INTEGER) * 1000`
	}
	const (
		rank   = `coalesce(json_extract(metadata, '$.rank'), scheduled_at)`
		now    = `strftime('%Y-%m-%d %H:%M:%f', 'now')`
		reason = `errors = jsonb(json_insert(json(coalesce(errors, jsonb('[]'))), '$[#]',
			json_object('at', $1, 'attempt', attempt, 'error', $2, 'trace', '')))`
		orphan = `state = 'running' AND coalesce(json_extract(attempted_by, '$[#-1]'), '') NOT IN (SELECT id FROM node)`
	)
	return dialect{
		columns: `id, kind, json_extract(args, '$.id'), state, attempt, priority, json_extract(metadata, '$.due'), ` +
			micros("created_at") + `, ` + micros("attempted_at") + `, ` + micros("scheduled_at") + `, ` + micros("finalized_at") +
			`, coalesce(json_extract(attempted_by, '$[#-1]'), ''), coalesce(json(errors), '[]')`,
		byArgs: `kind = $1 AND json_extract(args, '$.id') = $2`,
		rank:   rank,
		retry:  `UPDATE river_job SET state = 'available', scheduled_at = ` + rank + ` WHERE id = $1 AND state = 'retryable'`,
		prioritize: `UPDATE river_job SET priority = $2, metadata = jsonb_set(metadata, '$.due', $3, '$.rank', $4),
				scheduled_at = CASE WHEN state = 'available' AND (attempt = 0 OR scheduled_at <= ` + now + `) THEN $4 ELSE scheduled_at END
			WHERE id = $1 AND state IN ('available', 'retryable', 'scheduled', 'pending')`,
		reorder: `UPDATE river_job SET scheduled_at = json_extract(metadata, '$.rank')
			WHERE state = 'available' AND scheduled_at <= ` + now + ` AND scheduled_at > json_extract(metadata, '$.rank')`,
		freeJobs: `UPDATE river_job SET state = 'available', max_attempts = max_attempts + 1, ` + reason +
			` WHERE max_attempts < $3 AND ` + orphan,
		giveUpJobs: `UPDATE river_job SET state = 'discarded', finalized_at = ` + now + `, ` + reason +
			` WHERE max_attempts >= $3 AND ` + orphan,
	}
}

// fileLocks are for processes that share an SQLite file, and so its folder and
// its kernel: each holds a lock on a file of its name. The kernel lets go of it
// at the very instant the process dies, however it dies, and not before,
// however slow it is.
type fileLocks struct {
	folder string
	own    *os.File // from take to release
}

func (l *fileLocks) path(id string) string { return filepath.Join(l.folder, id) }

func (l *fileLocks) take(_ context.Context, id string) error {
	if err := os.MkdirAll(l.folder, 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path(id), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("lock: %w", err), f.Close())
	}
	l.own = f
	return nil
}

func (l *fileLocks) release(context.Context) error {
	if l.own == nil {
		return nil
	}
	err := errors.Join(os.Remove(l.own.Name()), l.own.Close())
	l.own = nil
	return err
}

// alive reports whether a process holds the lock of that file.
func (l *fileLocks) alive(_ context.Context, _ querier, id string, _, _ time.Duration) (bool, error) {
	f, err := os.Open(l.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

func (l *fileLocks) forget(id string) error {
	if err := os.Remove(l.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
