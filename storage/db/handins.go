package db

import (
	"context"
	"fmt"
	"time"

	"reprise/event"
)

func handInRows() *documents[event.HandIn] {
	return &documents[event.HandIn]{
		table: "handin",
		head: func(h *event.HandIn) (id, of *string, created *time.Time) {
			return (*string)(&h.ID), (*string)(&h.Event), &h.Created
		},
		pack: func(h *event.HandIn) (string, error) {
			for _, at := range []*time.Time{&h.Deadline, &h.Lock, &h.Accepted, &h.Revoked, &h.Invited, &h.Created} {
				*at = at.UTC()
			}
			return toJSON(h)
		},
		unpack:   func(body string, h *event.HandIn) error { return fromJSON(body, h) },
		notFound: event.ErrNotFound,
		conflict: event.ErrConflict,
	}
}

// CreateHandIn implements event.HandIns. Created is now when it is zero.
func (d *DB) CreateHandIn(ctx context.Context, h event.HandIn) error {
	if err := handInRows().create(ctx, d, h); err != nil {
		return fmt.Errorf("create hand-in: %w", err)
	}
	return nil
}

// HandIn implements event.HandIns.
func (d *DB) HandIn(ctx context.Context, id event.HandInID) (event.HandIn, error) {
	h, err := handInRows().get(ctx, d, string(id))
	if err != nil {
		return event.HandIn{}, fmt.Errorf("load hand-in: %w", err)
	}
	return h, nil
}

// HandIns implements event.HandIns; those of all events when the id is empty.
func (d *DB) HandIns(ctx context.Context, id event.ID) ([]event.HandIn, error) {
	list, err := handInRows().list(ctx, d, string(id))
	if err != nil {
		return nil, fmt.Errorf("load hand-ins: %w", err)
	}
	return list, nil
}

// UpdateHandIn implements event.HandIns. The id, the event and Created cannot be changed.
func (d *DB) UpdateHandIn(ctx context.Context, id event.HandInID, change func(*event.HandIn) error) (event.HandIn, error) {
	h, err := handInRows().update(ctx, d, string(id), change)
	if err != nil {
		return event.HandIn{}, fmt.Errorf("update hand-in: %w", err)
	}
	return h, nil
}
