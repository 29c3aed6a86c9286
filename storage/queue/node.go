package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// deathReason is kept with a job whose process died.
const deathReason = "the process that did this job died"

// node is this process in the table of those that do jobs. River marks a job
// with the process that runs it but never notices that the process is gone; we
// do, and free the job.
//
// Processes that share an SQLite file share its folder and its kernel, so each
// holds a lock on a file beside the database: the kernel lets go of it at the
// very instant the process dies, however it dies, and not before, however slow
// it is. Where there is no such folder the heartbeat alone decides.
type node struct {
	id     string // unique for each run of each process
	folder string // of lock files; "": none
	db     *sql.DB
	now    func() time.Time
	cfg    Config
	lock   *os.File // held from join to leave
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

// lockFolder returns the folder for lock files beside the database file, "" for a database in memory.
func lockFolder(ctx context.Context, db *sql.DB) (string, error) {
	var file string
	if err := db.QueryRowContext(ctx, `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&file); err != nil {
		return "", fmt.Errorf("find database file: %w", err)
	}
	if file == "" {
		return "", nil
	}
	return file + ".nodes", nil
}

// join takes the lock, then lists the node: whoever sees the row can test the lock.
func (n *node) join(ctx context.Context) error {
	if n.folder != "" {
		if err := os.MkdirAll(n.folder, 0o750); err != nil {
			return fmt.Errorf("join: %w", err)
		}
		f, err := os.OpenFile(n.lockPath(n.id), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err != nil {
			return fmt.Errorf("join: %w", err)
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return errors.Join(fmt.Errorf("join: lock: %w", err), f.Close())
		}
		n.lock = f
	}
	return n.beat(ctx)
}

// beat writes that the node lives. A row that was taken away by mistake comes back.
func (n *node) beat(ctx context.Context) error {
	now := n.now().UnixMicro()
	_, err := n.db.ExecContext(ctx, `INSERT INTO node (id, started, seen_at) VALUES ($1, $2, $2)
		ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`, n.id, now)
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}

// leave takes the node off the list. Jobs that it did not put back are free from then on.
func (n *node) leave(ctx context.Context) error {
	_, err := n.db.ExecContext(ctx, `DELETE FROM node WHERE id = $1`, n.id)
	if n.lock != nil {
		err = errors.Join(err, os.Remove(n.lock.Name()), n.lock.Close())
		n.lock = nil
	}
	return err
}

func (n *node) lockPath(id string) string { return filepath.Join(n.folder, id) }

// The last name in river's attempted_by is the process that has, or had, the job.
// Freeing a job raises its limit of attempts by the one that it lost without
// fault, up to the limit of deaths; then it is given up.
const (
	freeJobs = `UPDATE river_job SET
			state = 'available',
			max_attempts = max_attempts + 1,
			errors = jsonb(json_insert(json(coalesce(errors, jsonb('[]'))), '$[#]',
				json_object('at', $1, 'attempt', attempt, 'error', $2, 'trace', '')))
		WHERE state = 'running' AND max_attempts < $3
			AND coalesce(json_extract(attempted_by, '$[#-1]'), '') NOT IN (SELECT id FROM node)`
	giveUpJobs = `UPDATE river_job SET
			state = 'discarded',
			finalized_at = strftime('%Y-%m-%d %H:%M:%f', 'now'),
			errors = jsonb(json_insert(json(coalesce(errors, jsonb('[]'))), '$[#]',
				json_object('at', $1, 'attempt', attempt, 'error', $2, 'trace', '')))
		WHERE state = 'running' AND max_attempts >= $3
			AND coalesce(json_extract(attempted_by, '$[#-1]'), '') NOT IN (SELECT id FROM node)`
	// A dead leader would hold up retries until its term is over.
	freeLead = `DELETE FROM river_leader WHERE leader_id NOT IN (SELECT id FROM node)`
)

// reap takes dead nodes off the list and frees all running jobs whose node is
// not on it. It is one transaction with the write lock: a node that joins
// meanwhile is listed before it can have a job.
func (n *node) reap(ctx context.Context) (freed int64, dead []string, err error) {
	tx, err := n.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, nil, err
	}
	defer func() {
		if back := tx.Rollback(); back != nil && !errors.Is(back, sql.ErrTxDone) {
			err = errors.Join(err, back)
		}
	}()
	if dead, err = n.findDead(ctx, tx); err != nil {
		return 0, nil, err
	}
	for _, id := range dead {
		if _, err := tx.ExecContext(ctx, `DELETE FROM node WHERE id = $1`, id); err != nil {
			return 0, nil, err
		}
	}
	if _, err := tx.ExecContext(ctx, freeLead); err != nil {
		return 0, nil, err
	}
	for _, query := range []string{giveUpJobs, freeJobs} {
		res, err := tx.ExecContext(ctx, query, n.now().UTC().Format(time.RFC3339Nano), deathReason, n.cfg.MaxAttempts+n.cfg.MaxDeaths)
		if err != nil {
			return 0, nil, err
		}
		count, err := res.RowsAffected()
		if err != nil {
			return 0, nil, err
		}
		freed += count
	}
	if err := tx.Commit(); err != nil {
		return 0, nil, err
	}
	for _, id := range dead {
		if n.folder != "" {
			if err := os.Remove(n.lockPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return freed, dead, err
			}
		}
	}
	return freed, dead, nil
}

// findDead returns the listed nodes that do not live.
func (n *node) findDead(ctx context.Context, tx *sql.Tx) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, seen_at FROM node WHERE id <> $1`, n.id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var dead []string
	for rows.Next() {
		var (
			id   string
			seen int64
		)
		if err := rows.Scan(&id, &seen); err != nil {
			return nil, err
		}
		alive := n.now().Sub(time.UnixMicro(seen)) < n.cfg.DeadAfter
		if n.folder != "" {
			if alive, err = locked(n.lockPath(id)); err != nil {
				return nil, err
			}
		}
		if !alive {
			dead = append(dead, id)
		}
	}
	return dead, rows.Err()
}

// locked reports whether a process holds the lock of that file.
func locked(path string) (bool, error) {
	f, err := os.Open(path)
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
