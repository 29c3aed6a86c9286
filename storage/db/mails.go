package db

import (
	"context"
	"fmt"
	"time"

	"reprise/api/mail"
)

// mailRow is the stored form of a letter. It has its own type so that a field
// renamed in package mail does not lose what is stored.
type mailRow struct {
	ID       mail.ID    `json:"id"`
	Kind     mail.Kind  `json:"kind"`
	Event    string     `json:"event"`
	HandIn   string     `json:"handin,omitempty"`
	To       string     `json:"to"`
	ReplyTo  string     `json:"reply_to,omitempty"`
	Language string     `json:"language"`
	Subject  string     `json:"subject"`
	Text     string     `json:"text,omitempty"`
	HTML     string     `json:"html,omitempty"`
	State    mail.State `json:"state"`
	Attempts int        `json:"attempts,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	Created  time.Time  `json:"created,omitzero"`
	Sent     time.Time  `json:"sent,omitzero"`
}

func mailRows() *documents[mail.Message] {
	return &documents[mail.Message]{
		table: "mail",
		head: func(m *mail.Message) (id, event *string, created *time.Time) {
			return (*string)(&m.ID), &m.Event, &m.Created
		},
		pack: func(m *mail.Message) (string, error) {
			m.Created, m.Sent = m.Created.UTC(), m.Sent.UTC()
			return toJSON(mailRow(*m))
		},
		unpack: func(body string, m *mail.Message) error {
			var row mailRow
			err := fromJSON(body, &row)
			*m = mail.Message(row)
			return err
		},
		notFound: mail.ErrNotFound,
		conflict: mail.ErrConflict,
	}
}

// PutMail implements mail.Store. Created is now when it is zero.
func (d *DB) PutMail(ctx context.Context, m mail.Message) error {
	if err := mailRows().create(ctx, d, m); err != nil {
		return fmt.Errorf("put mail %s: %w", m.ID, err)
	}
	return nil
}

// Mail implements mail.Store.
func (d *DB) Mail(ctx context.Context, id mail.ID) (mail.Message, error) {
	m, err := mailRows().get(ctx, d, string(id))
	if err != nil {
		return mail.Message{}, fmt.Errorf("load mail %s: %w", id, err)
	}
	return m, nil
}

// UpdateMail implements mail.Store. The id, the event and Created cannot be changed.
func (d *DB) UpdateMail(ctx context.Context, id mail.ID, change func(*mail.Message) error) (mail.Message, error) {
	m, err := mailRows().update(ctx, d, string(id), change)
	if err != nil {
		return mail.Message{}, fmt.Errorf("update mail %s: %w", id, err)
	}
	return m, nil
}

// Mails implements mail.Store.
func (d *DB) Mails(ctx context.Context, event string) ([]mail.Message, error) {
	list, err := mailRows().list(ctx, d, event)
	if err != nil {
		return nil, fmt.Errorf("load mails: %w", err)
	}
	return list, nil
}
