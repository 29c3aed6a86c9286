package db

import (
	"context"
	"database/sql"
	"time"
)

// documents is a table of JSON documents that are read and written whole, each
// of one event: its columns are id, event, created and body.
type documents[T any] struct {
	table string
	// head points at what a document is found by; it never changes.
	head     func(*T) (id, event *string, created *time.Time)
	pack     func(*T) (string, error) // turns instants to UTC, as they come back
	unpack   func(body string, v *T) error
	notFound error
	conflict error
}

func (t *documents[T]) scan(row scanner) (v T, err error) {
	var body string
	err = row.Scan(&body)
	if missing(err) {
		return v, t.notFound
	}
	if err != nil {
		return v, err
	}
	err = t.unpack(body, &v)
	return v, err
}

// create adds v, as created now unless it says otherwise.
func (t *documents[T]) create(ctx context.Context, d *DB, v T) error {
	id, event, created := t.head(&v)
	if created.IsZero() {
		*created = d.now()
	}
	body, err := t.pack(&v)
	if err != nil {
		return err
	}
	return d.write(ctx, func(tx *sql.Tx) error {
		added, err := one(ctx, tx, `INSERT INTO `+t.table+` (id, event, created, body) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
			*id, *event, micros(*created), body)
		if err == nil && !added {
			err = t.conflict
		}
		return err
	})
}

func (t *documents[T]) get(ctx context.Context, d *DB, id string) (T, error) {
	return t.scan(d.sql.QueryRowContext(ctx, `SELECT body FROM `+t.table+` WHERE id = $1`, id))
}

// list returns those of an event, oldest first; of all events when it is empty.
func (t *documents[T]) list(ctx context.Context, d *DB, event string) ([]T, error) {
	if event == "" {
		return all(ctx, d.sql, t.scan, `SELECT body FROM `+t.table+` ORDER BY created, id`)
	}
	return all(ctx, d.sql, t.scan, `SELECT body FROM `+t.table+` WHERE event = $1 ORDER BY created, id`, event)
}

// update lets change alter a document. An error of change is returned and nothing is written.
func (t *documents[T]) update(ctx context.Context, d *DB, id string, change func(*T) error) (T, error) {
	var after T
	err := d.write(ctx, func(tx *sql.Tx) error {
		// Reading by UPDATE locks the row on every engine.
		before, err := t.scan(tx.QueryRowContext(ctx, `UPDATE `+t.table+` SET event = event WHERE id = $1 RETURNING body`, id))
		if err != nil {
			return err
		}
		after = before
		if err := change(&after); err != nil {
			return err
		}
		oldID, oldEvent, oldCreated := t.head(&before)
		newID, newEvent, newCreated := t.head(&after)
		*newID, *newEvent, *newCreated = *oldID, *oldEvent, *oldCreated
		body, err := t.pack(&after)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE `+t.table+` SET body = $2 WHERE id = $1`, id, body)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return after, nil
}
