package hls

import "time"

// MediaType is the TYPE of a rendition group.
type MediaType string

// The types of EXT-X-MEDIA (bis 4.4.6.1).
const (
	Audio          MediaType = "AUDIO"
	Video          MediaType = "VIDEO"
	Subtitles      MediaType = "SUBTITLES"
	ClosedCaptions MediaType = "CLOSED-CAPTIONS"
)

// PlaylistType is the value of EXT-X-PLAYLIST-TYPE; empty for a sliding window (R078).
type PlaylistType string

// The values of EXT-X-PLAYLIST-TYPE (bis 4.4.3.5).
const (
	Event PlaylistType = "EVENT" // only grows (start-over)
	VOD   PlaylistType = "VOD"   // never changes (replay)
)

// Absent is the DiscontinuitySequence of a playlist that does not carry the tag.
const Absent = -1

// FrameRate is a number of frames in a thousand seconds: 25000, 29970 (FRAME-RATE has three decimals, R026).
type FrameRate int

// Multivariant is a multivariant playlist (bis 4.4.6).
type Multivariant struct {
	Version             int    // EXT-X-VERSION; 0: no tag
	IndependentSegments bool   // EXT-X-INDEPENDENT-SEGMENTS
	Start               *Start // EXT-X-START
	Groups              []Group
	Variants            []Variant
	IFrameVariants      []IFrameVariant
	Tags                []Tag // tags without a type here
}

// Group is a rendition group: the EXT-X-MEDIA of one TYPE and GROUP-ID.
type Group struct {
	Type       MediaType
	ID         string // GROUP-ID
	Renditions []Rendition
}

// Rendition is one EXT-X-MEDIA (bis 4.4.6.1). DEFAULT and AUTOSELECT are always written (R030).
type Rendition struct {
	Name            string // NAME, in the language itself (R032)
	Language        string // LANGUAGE, BCP 47
	Default         bool   // DEFAULT
	Autoselect      bool   // AUTOSELECT
	Forced          bool   // FORCED, subtitles only
	Characteristics string // CHARACTERISTICS
	Channels        string // CHANNELS, audio only: "2"
	URI             string // URI; empty: none
	Other           []Attribute
}

// Variant is one EXT-X-STREAM-INF and its URI line (bis 4.4.6.2).
type Variant struct {
	Bandwidth        int64  // BANDWIDTH, bit/s
	AverageBandwidth int64  // AVERAGE-BANDWIDTH, bit/s; 0: none
	Codecs           string // CODECS: "avc1.64001f,mp4a.40.2"
	Width, Height    int    // RESOLUTION; 0: none
	FrameRate        FrameRate
	VideoRange       string // VIDEO-RANGE; empty: none (all is SDR, R027)
	Audio            string // AUDIO: a GROUP-ID
	Subtitles        string // SUBTITLES: a GROUP-ID
	NoClosedCaptions bool   // CLOSED-CAPTIONS=NONE
	URI              string
	Other            []Attribute
}

// IFrameVariant is one EXT-X-I-FRAME-STREAM-INF (bis 4.4.6.3).
type IFrameVariant struct {
	Bandwidth        int64
	AverageBandwidth int64
	Codecs           string
	Width, Height    int
	VideoRange       string
	URI              string
	Other            []Attribute
}

// Media is a media playlist (bis 4.4.3).
//
// The zero value of DiscontinuitySequence is printed as 0: a live playlist
// always carries the tag (R077). Use Absent to leave it out.
type Media struct {
	Version               int            // EXT-X-VERSION; 0: no tag
	TargetDuration        time.Duration  // EXT-X-TARGETDURATION, whole seconds
	MediaSequence         int64          // EXT-X-MEDIA-SEQUENCE
	DiscontinuitySequence int64          // EXT-X-DISCONTINUITY-SEQUENCE, or Absent
	Type                  PlaylistType   // EXT-X-PLAYLIST-TYPE
	IFramesOnly           bool           // EXT-X-I-FRAMES-ONLY
	IndependentSegments   bool           // EXT-X-INDEPENDENT-SEGMENTS
	Start                 *Start         // EXT-X-START; never in a live media playlist of ours
	ServerControl         *ServerControl // EXT-X-SERVER-CONTROL
	Skip                  *Skip          // EXT-X-SKIP: this is a delta update
	Segments              []Segment      // in a delta update without the skipped ones
	DateRanges            []DateRange    // by start; see AppendMedia for where they are printed
	EndList               bool           // EXT-X-ENDLIST
	Tags                  []Tag          // tags without a type here
}

// Segment is one media segment with its tags (bis 4.4.4).
type Segment struct {
	URI             string
	Duration        time.Duration // EXTINF, printed in whole microseconds; see Extinf
	ProgramDateTime time.Time     // EXT-X-PROGRAM-DATE-TIME, printed in milliseconds, UTC; zero: none
	Map             *Map          // EXT-X-MAP before this segment, in force until the next one; nil: no tag here
	ByteRange       ByteRange     // EXT-X-BYTERANGE; zero: none
	Title           string        // title of EXTINF
	Discontinuity   bool          // EXT-X-DISCONTINUITY before this segment
	Gap             bool          // EXT-X-GAP
}

// Map is EXT-X-MAP: the init segment (bis 4.4.4.5).
type Map struct {
	URI       string
	ByteRange ByteRange
}

// ByteRange is Length bytes from Offset of a resource. Length 0 means no range.
type ByteRange struct {
	Length, Offset int64
}

// Start is EXT-X-START: where a player begins (bis 4.4.2.2); negative counts from the end.
type Start struct {
	TimeOffset time.Duration // printed in milliseconds
	Precise    bool
}

// ServerControl is EXT-X-SERVER-CONTROL (bis 4.4.3.8); a zero duration is left out.
type ServerControl struct {
	CanBlockReload    bool
	HoldBack          time.Duration
	CanSkipUntil      time.Duration
	CanSkipDateRanges bool
	PartHoldBack      time.Duration
}

// Skip is EXT-X-SKIP (bis 4.4.5.2): what a delta update leaves out.
type Skip struct {
	SkippedSegments           int
	RecentlyRemovedDateRanges []string
}

// DateRange is EXT-X-DATERANGE (bis 4.4.5.1). Zero fields are left out.
type DateRange struct {
	ID              string
	Class           string
	StartDate       time.Time
	EndDate         time.Time
	Duration        time.Duration
	PlannedDuration time.Duration
	EndOnNext       bool
	Cue             string
	Other           []Attribute // X- and other attributes, in order
}

// Attribute is an attribute that has no field here.
type Attribute struct {
	Name   string
	Value  string // without quotes
	Quoted bool
}

// Tag is a tag that has no type here: EXT-X-KEY, EXT-X-PART, EXT-X-DEFINE, one that is unknown.
type Tag struct {
	Name  string // without #: EXT-X-KEY
	Value string // what follows the colon
	Bare  bool   // no colon
	Index int    // media playlists: how many segments (listed here) come before it
}

// Extinf returns the EXTINF of media from one cumulative time to another: the
// difference of both rounded to the microsecond, so that the sum over any run
// of segments is right to the microsecond, however long (R063, R161).
//
// Both must count from a point that does not move while the segment is listed,
// the start of its journal entry or of its recording, or R104 is broken.
func Extinf(from, to time.Duration) time.Duration {
	return to.Round(time.Microsecond) - from.Round(time.Microsecond)
}
