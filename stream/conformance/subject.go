package conformance

import (
	"time"

	"reprise/stream/timeline"
)

// View is one of the presentations that a feed has.
type View string

// The views: what is on air, a talk on air from its beginning, and a talk that is over.
const (
	Live      View = "live"
	StartOver View = "startover"
	Replay    View = "replay"
)

// Feed names one feed of a programme and its hours.
type Feed struct {
	Name          string // for the report: "main/fr"
	Opens, Closes time.Time
	Talks         []Talk
}

// Talk is a talk of a feed.
type Talk struct {
	ID     string
	Starts time.Time // the hour that was promised; zero: not checked (R233)
}

// Address names one presentation.
type Address struct {
	View View
	Feed string // Feed.Name
	Talk string // Talk.ID; empty for Live
}

func (a Address) String() string {
	if a.Talk == "" {
		return string(a.View) + " " + a.Feed
	}
	return string(a.View) + " " + a.Feed + " " + a.Talk
}

// Playlist is a playlist as it is at one instant. Body must never change
// afterwards, and should be the same slice as long as the playlist is the same:
// then nothing of it is read again.
type Playlist struct {
	Body []byte
	Next time.Time // when it changes next; zero: unknown or never
}

// Subject is what Run looks at: one node that serves playlists. All methods
// are safe for concurrent use, and depend on nothing but their arguments and
// the stored journals. An error of Multivariant or Media says that there is no
// such playlist at that instant.
type Subject interface {
	// Feeds lists the feeds of the programme.
	Feeds() []Feed
	// Journal returns the journal of a feed as it stands.
	Journal(feed string) (timeline.Journal, error)
	// Multivariant returns the multivariant playlist of a.
	Multivariant(a Address, now time.Time) (Playlist, error)
	// Media returns the media playlist that the multivariant playlist of a calls uri.
	Media(a Address, uri string, now time.Time) (Playlist, error)
}

// Skipper is a Subject that has delta updates (R190).
type Skipper interface {
	// Delta returns the answer to _HLS_skip=YES, which may be the whole playlist.
	Delta(a Address, uri string, now time.Time) (Playlist, error)
}
