package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sqliteConns bounds the pool: readers work beside the one writer that SQLite allows.
const sqliteConns = 8

// openSQLite opens and migrates an SQLite file.
//
// synchronous=FULL: in WAL mode each commit is then fsynced, so what was
// acknowledged survives a power cut (NORMAL would lose the last commits).
// Immediate transactions: a writer waits at BEGIN, where busy_timeout works;
// a reader that turns writer would get SQLITE_BUSY at once. The wait is long, as
// those who wait are not served in turn, and a slow disk makes each commit long.
func openSQLite(ctx context.Context, path string, log *slog.Logger) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	unlock, err := prepareFile(path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	query := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			"busy_timeout(30000)", "journal_mode(WAL)", "synchronous(FULL)",
			"foreign_keys(1)", "journal_size_limit(67108864)",
		},
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	pool, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(sqliteConns)
	pool.SetMaxIdleConns(sqliteConns)
	if err := migrate(ctx, goose.DialectSQLite3, pool, log); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return pool, nil
}

// prepareFile makes the folder and the file, readable by us alone (it holds
// secrets; SQLite gives its -wal and -shm the same rights), and takes the lock
// under which one process at a time sets WAL mode and migrates.
func prepareFile(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, explainFile(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, explainFile(err)
	}
	// Never lock, nor close, a second descriptor of the database file while
	// SQLite has it open: POSIX drops all locks of the process with it.
	if err := f.Close(); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, explainFile(err)
	}
	for {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", lock.Name(), err), lock.Close())
	}
	return func() { lock.Close() }, nil
}

func explainFile(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("this user (uid %d) may not write there: %w", os.Getuid(), err)
	}
	return err
}
