package mail

import (
	"context"
	"errors"
	"time"
)

// ID names a message: 26 random characters [a-z2-7].
type ID string

// State is where a message stands.
type State string

const (
	Waiting State = "waiting" // a job will send it, or try again
	Sent    State = "sent"    // the server took it
	Failed  State = "failed"  // it will not be sent: Reason says why
)

// Kind says which letter it is.
type Kind string

const (
	Invitation Kind = "invitation" // to the speaker: hand in your film here
	Reminder   Kind = "reminder"   // to the speaker: the deadline comes near
	Received   Kind = "received"   // to the speaker: we have it, here is how it looks
	CameIn     Kind = "came-in"    // to the organizer: a film came in
	Refused    Kind = "refused"    // to the speaker: it cannot be used, and why
	Ready      Kind = "ready"      // to the speaker: it is ready for the air
)

// Message is one letter to one person.
type Message struct {
	ID       ID
	Kind     Kind
	Event    string // event.ID that it belongs to
	HandIn   string // event.HandInID that it is about; empty: none
	To       string // mail address, without a name
	ReplyTo  string // mail address that answers go to; empty: the sender's
	Language string // "fr" or "en": of the words in it
	Subject  string
	Text     string // plain text; emptied once sent, as it holds a personal link
	HTML     string // the same as HTML; emptied likewise
	State    State
	Attempts int    // how often the server was asked
	Reason   string // what the server answered last; empty: nothing bad
	Created  time.Time
	Sent     time.Time // when the server took it; zero: not yet
}

var (
	// ErrNotFound is returned by every Store for an unknown id.
	ErrNotFound = errors.New("mail: not found")
	// ErrConflict is returned when a message with this id exists already.
	ErrConflict = errors.New("mail: conflict")
)

// Store keeps messages; storage/db implements it. Safe for concurrent use;
// what a method acknowledged survives a kill.
type Store interface {
	// PutMail adds a message. ErrConflict if the id exists.
	PutMail(ctx context.Context, m Message) error
	// Mail returns one message. ErrNotFound if there is none.
	Mail(ctx context.Context, id ID) (Message, error)
	// UpdateMail reads the message, lets change alter it, and writes it, in one
	// transaction. An error of change is returned and nothing is written.
	UpdateMail(ctx context.Context, id ID, change func(*Message) error) (Message, error)
	// Mails returns those of an event, oldest first; of all events when event is empty.
	Mails(ctx context.Context, event string) ([]Message, error)
}
