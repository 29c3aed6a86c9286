package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"reprise/event"
)

// The stored form of an event. It has its own types so that a field renamed in
// package event does not lose what is stored.
type (
	eventRow struct {
		Title       event.Text       `json:"title,omitempty"`
		Languages   []event.Language `json:"languages,omitempty"`
		Zone        string           `json:"zone"`
		Auditoriums []auditoriumRow  `json:"auditoriums,omitempty"`
		Talks       []talkRow        `json:"talks,omitempty"`
		ReplayUntil time.Time        `json:"replay_until"`
	}
	auditoriumRow struct {
		ID     event.AuditoriumID `json:"id"`
		Title  event.Text         `json:"title,omitempty"`
		Opens  time.Time          `json:"opens"`
		Closes time.Time          `json:"closes"`
	}
	talkRow struct {
		ID         event.TalkID              `json:"id"`
		Auditorium event.AuditoriumID        `json:"auditorium"`
		Title      event.Text                `json:"title,omitempty"`
		Abstract   event.Text                `json:"abstract,omitempty"`
		Speakers   []string                  `json:"speakers,omitempty"`
		Starts     time.Time                 `json:"starts"`
		Slot       time.Duration             `json:"slot,omitempty"` // nanoseconds
		Films      map[event.Language]string `json:"films,omitempty"`
		Spoken     event.Language            `json:"spoken,omitempty"`
	}
)

func rowOf(e *event.Event) eventRow {
	r := eventRow{Title: e.Title, Languages: e.Languages, Zone: e.Zone, ReplayUntil: e.ReplayUntil.UTC()}
	for _, a := range e.Auditoriums {
		a.Opens, a.Closes = a.Opens.UTC(), a.Closes.UTC()
		r.Auditoriums = append(r.Auditoriums, auditoriumRow(a))
	}
	for _, t := range e.Talks {
		t.Starts = t.Starts.UTC()
		r.Talks = append(r.Talks, talkRow(t))
	}
	return r
}

func scanEvent(row scanner) (event.Event, error) {
	var (
		e    event.Event
		body string
		r    eventRow
	)
	err := row.Scan(&e.ID, &e.Version, &body)
	if missing(err) {
		return event.Event{}, event.ErrNotFound
	}
	if err != nil {
		return event.Event{}, err
	}
	if err := fromJSON(body, &r); err != nil {
		return event.Event{}, err
	}
	e.Title, e.Languages, e.Zone, e.ReplayUntil = r.Title, r.Languages, r.Zone, r.ReplayUntil
	for _, a := range r.Auditoriums {
		e.Auditoriums = append(e.Auditoriums, event.Auditorium(a))
	}
	for _, t := range r.Talks {
		e.Talks = append(e.Talks, event.Talk(t))
	}
	return e, nil
}

// PutEvent implements event.Store. The event comes back as it is stored: instants in UTC.
func (d *DB) PutEvent(ctx context.Context, e event.Event) (event.Event, error) {
	body, err := toJSON(rowOf(&e))
	if err != nil {
		return event.Event{}, fmt.Errorf("put event %s: %w", e.ID, err)
	}
	query := `UPDATE event SET version = version + 1, body = $2 WHERE id = $1 AND version = $3 RETURNING id, version, body`
	if e.Version == 0 {
		query = `INSERT INTO event (id, body, version) VALUES ($1, $2, $3 + 1) ON CONFLICT (id) DO NOTHING RETURNING id, version, body`
	}
	var stored event.Event
	err = d.write(ctx, func(tx *sql.Tx) error {
		var err error
		stored, err = scanEvent(tx.QueryRowContext(ctx, query, e.ID, body, e.Version))
		if errors.Is(err, event.ErrNotFound) {
			return event.ErrConflict
		}
		if err != nil {
			return err
		}
		return raise(ctx, tx)
	})
	if err != nil {
		return event.Event{}, fmt.Errorf("put event %s: %w", e.ID, err)
	}
	return stored, nil
}

// Event implements event.Store.
func (d *DB) Event(ctx context.Context, id event.ID) (event.Event, error) {
	e, err := scanEvent(d.sql.QueryRowContext(ctx, `SELECT id, version, body FROM event WHERE id = $1`, id))
	if err != nil {
		return event.Event{}, fmt.Errorf("load event %s: %w", id, err)
	}
	return e, nil
}

// Events implements event.Store.
func (d *DB) Events(ctx context.Context) ([]event.Event, error) {
	list, err := all(ctx, d.sql, scanEvent, `SELECT id, version, body FROM event`)
	if err != nil {
		return nil, fmt.Errorf("load events: %w", err)
	}
	// Not by the engine, which may know a language's alphabet.
	slices.SortFunc(list, func(a, b event.Event) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}
