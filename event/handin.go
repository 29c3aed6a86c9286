package event

import (
	"context"
	"slices"
	"time"
)

// HandInID names a hand-in: 26 random characters, so that it cannot be guessed.
type HandInID string

// HandIn is a personal invitation to hand in the film of one talk: no account,
// a link that opens this talk's hand-in page and nothing else.
type HandIn struct {
	ID        HandInID   `json:"id"`
	Event     ID         `json:"event"`
	Talk      TalkID     `json:"talk"`
	Languages []Language `json:"languages"`         // languages the film is for; empty: all of the event
	Name      string     `json:"name"`              // of the speaker
	Email     string     `json:"email"`             // empty: no mail is sent
	Language  Language   `json:"language"`          // of the words they read
	Deadline  time.Time  `json:"deadline"`          // until then a first film is taken …
	Lock      time.Time  `json:"lock"`              // … and may be replaced until then; zero: the deadline
	Organizer string     `json:"organizer"`         // mail address that hears of it; empty: none
	Message   string     `json:"message,omitempty"` // from the organizer, shown on the page
	Accepted  time.Time  `json:"accepted,omitzero"` // when the terms were accepted
	Terms     string     `json:"terms,omitempty"`   // version of the terms accepted
	Revoked   time.Time  `json:"revoked,omitzero"`  // the link is dead from here
	Invited   time.Time  `json:"invited,omitzero"`  // last mail with the link
	Created   time.Time  `json:"created"`
}

// Open tells whether a film may be handed in at now: has is true when there is one to replace.
func (h *HandIn) Open(now time.Time, has bool) bool {
	return h.Revoked.IsZero() && now.Before(h.Until(has))
}

// Until returns when it closes: has is true when there is a film to replace.
func (h *HandIn) Until(has bool) time.Time {
	if has && !h.Lock.IsZero() {
		return h.Lock
	}
	return h.Deadline
}

// Covers tells whether the film is for language l.
func (h *HandIn) Covers(l Language) bool {
	return len(h.Languages) == 0 || slices.Contains(h.Languages, l)
}

// HandIns is the store of hand-ins; storage/db implements it. ErrNotFound and ErrConflict as in Store.
type HandIns interface {
	// CreateHandIn adds one. ErrConflict if the id exists.
	CreateHandIn(ctx context.Context, h HandIn) error
	HandIn(ctx context.Context, id HandInID) (HandIn, error)
	// HandIns returns those of an event, oldest first.
	HandIns(ctx context.Context, event ID) ([]HandIn, error)
	// UpdateHandIn reads it, lets change alter it, and writes it, in one transaction.
	UpdateHandIn(ctx context.Context, id HandInID, change func(*HandIn) error) (HandIn, error)
}
