package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// maxTries bounds how often a transaction is tried that failed for no fault of its own.
const maxTries = 10

// write runs f in a transaction that may write: committed when f returns nil,
// else rolled back. Where transactions run side by side one may have to give
// way to another: then f is run again, in a new one.
func (d *DB) write(ctx context.Context, f func(*sql.Tx) error) error {
	for try := 1; ; try++ {
		err := d.writeOnce(ctx, f)
		if err == nil || try == maxTries || !again(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(time.Duration(try) * 10 * time.Millisecond)):
		}
	}
}

func (d *DB) writeOnce(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.sql.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(tx); err != nil {
		if back := tx.Rollback(); back != nil && !errors.Is(back, sql.ErrTxDone) {
			return errors.Join(err, fmt.Errorf("roll back: %w", back))
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// one runs a statement and reports whether it touched a row.
func one(ctx context.Context, tx *sql.Tx, query string, args ...any) (bool, error) {
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// raise makes Version return a new number once tx commits. It is the last
// statement of a transaction: its row lock puts commits in the order of numbers.
func raise(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE counter SET value = value + 1 WHERE name = 'version'`)
	return err
}

// Version implements event.Store.
func (d *DB) Version(ctx context.Context) (int64, error) {
	var v int64
	err := d.sql.QueryRowContext(ctx, `SELECT value FROM counter WHERE name = 'version'`).Scan(&v)
	if err != nil {
		return 0, fmt.Errorf("read version: %w", err)
	}
	return v, nil
}

// missing tells whether an error of Scan says that there is no such row.
func missing(err error) bool { return errors.Is(err, sql.ErrNoRows) || unsayable(err) }

// scanner is a row being read: *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// all reads every row of a query; nil when there is none.
func all[T any](ctx context.Context, from querier, scan func(scanner) (T, error), query string, args ...any) (list []T, err error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if unsayable(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// querier is where rows come from: *sql.DB or *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// micros is an instant as it is stored; the zero time is 0, which no row of ours means otherwise.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant undoes micros, to the microsecond, UTC.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// sayable is text as every engine can hold it: UTF-8 without NUL.
func sayable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// toJSON marshals what cannot fail to marshal but for a fault in the program.
func toJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func fromJSON(s string, v any) error {
	return json.Unmarshal([]byte(s), v)
}
