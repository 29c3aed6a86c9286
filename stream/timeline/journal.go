package timeline

import "time"

// SourceKind tells what a journal entry plays.
type SourceKind string

const (
	Recording SourceKind = "recording" // a revision of an asset
	Slate     SourceKind = "slate"     // generated filler
)

// Source names what an entry plays: a vod.MediaID, opaque here.
type Source struct {
	Kind SourceKind `json:"kind"`
	ID   string     `json:"id"`
}

// Entry is one stretch of air of a feed: Count segments of one source, on a regular grid.
//
// Segment i (From <= i < From+Count, an index into the source) lasts Nominal
// ticks, except the last of the entry, which lasts Last (> 0; a slate's last
// segment is cut so that the next talk starts on its instant).
type Entry struct {
	AirStart time.Time `json:"air_start"`      // instant of the first frame, UTC
	Source   Source    `json:"source"`         //
	Talk     string    `json:"talk,omitempty"` // event.TalkID; empty for a slate
	From     int       `json:"from"`           // first segment of the source
	Count    int       `json:"count"`          // segments in the entry, > 0
	Nominal  Ticks     `json:"nominal"`        // duration of every segment but the last
	Last     Ticks     `json:"last"`           // duration of the last segment
	BaseMSN  int64     `json:"base_msn"`       // media sequence number of segment From
	BaseDSN  int64     `json:"base_dsn"`       // discontinuity sequence number of the entry = its ordinal
}

// Journal is the only state of a broadcast: entries in air order, numbered without a hole.
// Closed says that the feed ends with the last entry (EXT-X-ENDLIST, R109, R236).
type Journal struct {
	Entries []Entry `json:"entries"`
	Closed  bool    `json:"closed"`
}
