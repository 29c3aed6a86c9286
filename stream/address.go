package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"reprise/event"
	"reprise/storage"
	"reprise/stream/timeline"
	"reprise/vod"
)

// Feed names one stream of an event: an auditorium in one language.
type Feed struct {
	Event      event.ID
	Auditorium event.AuditoriumID
	Language   event.Language
}

// String returns the feed as event/auditorium/language.
func (f Feed) String() string {
	return string(f.Event) + "/" + string(f.Auditorium) + "/" + string(f.Language)
}

// View is a way to look at a feed.
type View string

// The views.
const (
	Live      View = "live"      // the auditorium, now
	StartOver View = "startover" // a talk on air, from its beginning
	Replay    View = "replay"    // a talk that is over
	Preview   View = "preview"   // a media by itself, whatever the hour: for those who made it
)

// Address names a presentation: a multivariant playlist and all beside it.
// Live needs Auditorium and Language, StartOver and Replay Talk and Language,
// Preview Media; the other fields are not looked at.
//
// The Event of a Preview says whose staff asks: they see the media of their
// event and those of no event. Without one any media is shown, to somebody who
// was given leave for just that one.
type Address struct {
	View       View
	Event      event.ID
	Auditorium event.AuditoriumID
	Talk       event.TalkID
	Language   event.Language
	Media      vod.MediaID
}

// normal clears the fields that the view does not look at, so that one
// presentation has one key.
func (a Address) normal() Address {
	switch a.View {
	case Live:
		a.Talk, a.Media = "", ""
	case Preview:
		a.Auditorium, a.Talk, a.Language = "", "", ""
	default:
		a.Auditorium, a.Media = "", ""
	}
	return a
}

// Document is a playlist, ready to be sent. It is shared and must not be changed.
type Document struct {
	Body []byte
	Gzip []byte // the same, compressed (R200)
	ETag string // strong, with quotes

	LastMSN int64     // media sequence number of the last listed segment; -1 in a multivariant playlist
	Next    time.Time // when a newer one is due; zero: never, as things stand
	Ended   bool      // carries EXT-X-ENDLIST
}

// File is a segment, an init segment, or a picture: either a range of a stored
// object, or bytes made on request. All files never change (R203).
type File struct {
	ContentType string // R201
	ETag        string // strong, with quotes

	Object storage.Key // empty when Bytes is set
	Offset int64
	Length int64

	Bytes []byte // shared, must not be changed

	// Private says that this viewer alone may have it now: it is not listed yet,
	// or never will be. What keeps answers for others must not keep this one.
	Private bool
}

var (
	// ErrNotFound is returned for what is not there at all, or not for this viewer.
	ErrNotFound = errors.New("stream: not found")
	// ErrNotListed is returned for what has not begun to be listed (R239).
	ErrNotListed = errors.New("stream: not listed yet")
	// ErrConflict is returned by AppendJournal for a stale revision.
	ErrConflict = errors.New("stream: journal changed meanwhile")
)

// Gone is returned for a replay after its time.
type Gone struct {
	Until time.Time // it was there until then
}

func (g *Gone) Error() string {
	return fmt.Sprintf("stream: gone since %s", g.Until.UTC().Format(time.RFC3339))
}

// JournalStore keeps the journals; storage/db implements it. Safe for
// concurrent use by many nodes.
type JournalStore interface {
	// Journal returns a feed's journal and its revision: an empty one and 0 when there is none.
	Journal(ctx context.Context, feed Feed) (timeline.Journal, int64, error)
	// AppendJournal replaces the entries from index from on, keeping those before
	// it, and raises the revision by one. ErrConflict, with nothing written, when
	// revision is not the stored one. What was replaced stays in the log.
	AppendJournal(ctx context.Context, feed Feed, revision int64, from int, entries []timeline.Entry, closed bool, at time.Time) error
}

// SlateSpec says what a slate shows. Its fields are those of vod/ingest.
type SlateSpec struct {
	ID        vod.MediaID
	Languages []string // one silent audio rendition each
	Language  string   // of the texts
	Title     string   // the event and the auditorium
	Headline  string   // "À suivre"
	Talk      string   // title of the next talk, or empty
	When      string   // "14 h 00", or empty
}

// SlateMaker makes slates: it writes the objects and returns the media, which
// the caller puts in the library. It may take many seconds.
type SlateMaker interface {
	MakeSlate(ctx context.Context, spec SlateSpec) (vod.Media, error)
}

// objects is what is needed of storage.Store: to read slate templates.
type objects interface {
	Open(ctx context.Context, key storage.Key) (storage.Object, error)
}
