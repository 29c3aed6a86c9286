// Package event is who and when: an event, its auditoriums and talks. It knows
// nothing of media but the ids of assets, given as plain strings.
package event

import (
	"context"
	"errors"
	"time"
)

// ID, AuditoriumID and TalkID are chosen by the organizer: [a-z0-9-]{1,64}, unique in their event
// (an event's id is unique in the server).
type (
	ID           string
	AuditoriumID string
	TalkID       string
)

// Language is a BCP 47 tag of an event's language: "fr", "en".
type Language string

// Text is one text in the event's languages.
type Text map[Language]string

// In returns the text in language l, or in any language that has one (the alphabetically first).
func (t Text) In(l Language) string {
	if s, ok := t[l]; ok {
		return s
	}
	best := Language("")
	for k := range t {
		if best == "" || k < best {
			best = k
		}
	}
	return t[best]
}

// Event is one conference.
type Event struct {
	ID          ID
	Title       Text
	Languages   []Language // first is the default
	Zone        string     // IANA time zone
	Auditoriums []Auditorium
	Talks       []Talk
	ReplayUntil time.Time // replays are gone from this instant; zero: three calendar months after the last day
	Version     int64     // raised by each PutEvent
}

// Auditorium is a place that viewers tune to; it has one feed per language.
type Auditorium struct {
	ID     AuditoriumID
	Title  Text
	Opens  time.Time // doors: the feed begins, with slate
	Closes time.Time // doors: the feed ends
}

// Talk is one talk on the programme.
type Talk struct {
	ID         TalkID
	Auditorium AuditoriumID
	Title      Text
	Abstract   Text
	Speakers   []string
	Starts     time.Time
	Slot       time.Duration       // planned length; 0: as long as the film
	Films      map[Language]string // vod.AssetID per language; one film with both sounds has the same id twice
	Spoken     Language            // language of the talk's own sound
}

var (
	// ErrNotFound is returned for an unknown event, auditorium or talk.
	ErrNotFound = errors.New("event: not found")
	// ErrConflict is returned when the event changed since it was read.
	ErrConflict = errors.New("event: conflict")
)

// Store keeps events; storage/db implements it. Safe for concurrent use.
type Store interface {
	// PutEvent validates nothing: it writes the whole event and raises its
	// version. ErrConflict when e.Version is not the stored one (0: new).
	PutEvent(ctx context.Context, e Event) (Event, error)
	// Event returns one event.
	Event(ctx context.Context, id ID) (Event, error)
	// Events returns all events, by id.
	Events(ctx context.Context) ([]Event, error)
	// Version returns a number that changes whenever any event, media or
	// journal changed: cheap enough to ask twice a second.
	Version(ctx context.Context) (int64, error)
}
