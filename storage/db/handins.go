package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"reprise/event"
)

func handInBody(h *event.HandIn) (string, error) {
	h.Deadline, h.Lock, h.Accepted = h.Deadline.UTC(), h.Lock.UTC(), h.Accepted.UTC()
	h.Revoked, h.Invited, h.Created = h.Revoked.UTC(), h.Invited.UTC(), h.Created.UTC()
	return toJSON(h)
}

func scanHandIn(row scanner) (event.HandIn, error) {
	var (
		h    event.HandIn
		body string
	)
	err := row.Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return event.HandIn{}, event.ErrNotFound
	}
	if err != nil {
		return event.HandIn{}, err
	}
	err = fromJSON(body, &h)
	return h, err
}

// CreateHandIn implements event.HandIns. Created is now when it is zero.
func (d *DB) CreateHandIn(ctx context.Context, h event.HandIn) error {
	if h.Created.IsZero() {
		h.Created = d.now()
	}
	body, err := handInBody(&h)
	if err != nil {
		return fmt.Errorf("create hand-in: %w", err)
	}
	err = d.write(ctx, func(tx *sql.Tx) error {
		added, err := one(ctx, tx, `INSERT INTO handin (id, event, created, body) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
			h.ID, h.Event, micros(h.Created), body)
		if err == nil && !added {
			err = event.ErrConflict
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("create hand-in: %w", err)
	}
	return nil
}

// HandIn implements event.HandIns.
func (d *DB) HandIn(ctx context.Context, id event.HandInID) (event.HandIn, error) {
	h, err := scanHandIn(d.sql.QueryRowContext(ctx, `SELECT body FROM handin WHERE id = $1`, id))
	if err != nil {
		return event.HandIn{}, fmt.Errorf("load hand-in: %w", err)
	}
	return h, nil
}

// HandIns implements event.HandIns.
func (d *DB) HandIns(ctx context.Context, id event.ID) ([]event.HandIn, error) {
	list, err := all(ctx, d.sql, scanHandIn, `SELECT body FROM handin WHERE event = $1 ORDER BY created, id`, id)
	if err != nil {
		return nil, fmt.Errorf("load hand-ins of %s: %w", id, err)
	}
	return list, nil
}

// UpdateHandIn implements event.HandIns. The id, the event and Created cannot be changed.
func (d *DB) UpdateHandIn(ctx context.Context, id event.HandInID, change func(*event.HandIn) error) (event.HandIn, error) {
	var after event.HandIn
	err := d.write(ctx, func(tx *sql.Tx) error {
		before, err := scanHandIn(tx.QueryRowContext(ctx, `UPDATE handin SET event = event WHERE id = $1 RETURNING body`, id))
		if err != nil {
			return err
		}
		after = before
		if err := change(&after); err != nil {
			return err
		}
		after.ID, after.Event, after.Created = before.ID, before.Event, before.Created
		body, err := handInBody(&after)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE handin SET body = $2 WHERE id = $1`, id, body)
		return err
	})
	if err != nil {
		return event.HandIn{}, fmt.Errorf("update hand-in: %w", err)
	}
	return after, nil
}
