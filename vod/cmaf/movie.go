package cmaf

import (
	"io"
	"time"
)

// Kind is what a track holds.
type Kind string

// Kinds of tracks. Timecode, metadata, hints and unknown handlers are Other.
const (
	Video Kind = "video"
	Audio Kind = "audio"
	Text  Kind = "text" // subtitles, captions, chapters
	Other Kind = "other"
)

// Movie is what an MP4 or QuickTime file holds. It reads from the io.ReaderAt
// given to Inspect for as long as it is used, and never changes after Inspect:
// it is safe for concurrent use where that reader is.
type Movie struct {
	Brand      string   // major brand; "qt  " for QuickTime and for files without ftyp
	Brands     []string // compatible brands
	Size       int64
	TimeScale  uint32 // of the edit lists
	Fragmented bool   // has movie fragments
	Hybrid     bool   // has samples in moov and movie fragments: repackage with ffmpeg first
	Duration   time.Duration
	Tracks     []*Track
	Chapters   []Chapter
	Faults     []*Fault

	r io.ReaderAt
	// fragments is where the first moof starts, 0 when there is none.
	fragments int64
}

// Chapter is a named point of the movie.
type Chapter struct {
	Start time.Duration
	Title string
}

// Track is one track of a movie.
type Track struct {
	ID        uint32
	Kind      Kind
	FourCC    string // sample entry, the original one if encrypted: avc1, mp4a, apcn
	Codec     string // RFC 6381, the FourCC when no better is known: avc1.64001f, mp4a.40.2
	Encrypted bool
	Enabled   bool
	Language  string // BCP 47 (elng, else mdhd), "" when undetermined
	Name      string // of the handler
	Entries   int    // sample entries; more than one cannot be packaged

	TimeScale uint32
	Samples   int64
	// Length is the sum of the sample durations in TimeScale, counted from the
	// sample tables and not from any header. Min- and MaxFrame are the shortest
	// and longest sample duration but for the last one's; equal: constant rate.
	Length             int64
	MinFrame, MaxFrame int64
	// FirstDTS is the decode time of the first sample: 0 but in fragments.
	FirstDTS int64
	// FirstPTS, EndPTS bound the presentation times, before the edit list.
	FirstPTS, EndPTS int64
	// LeastOffset is the composition offset furthest below 0 in fragments; 0: none is.
	LeastOffset int64
	Bytes       int64 // of all samples
	SyncSamples int64 // as the file says (stss); it lies about open GOPs

	Edit Edit

	// Video.
	Width, Height   int // coded, cropped
	PixelAspect     [2]uint32
	Rotation        int  // degrees clockwise: 0, 90, 180, 270
	Mirrored        bool // or another matrix that is no rotation
	BitDepth        int  // 0 unknown
	Chroma          string
	MaybeInterlaced bool // the bit stream allows fields (frame_mbs_only_flag 0); a decoder must tell
	Colour          Colour
	DolbyVision     bool
	AttachedPicture bool     // a still: one sample of JPEG or PNG
	AVCC            []byte   // H.264: the AVCDecoderConfigurationRecord
	ParameterSets   [][]byte // H.264: SPS and PPS of it
	// Audio.
	SampleRate int
	Channels   int
	Config     []byte // AudioSpecificConfig
	SBR        bool   // HE-AAC, signalled openly or not

	chapters   []uint32 // tref/chap: tracks with this one's chapters
	lengthSize int      // of NAL units
	still      bool     // MPEG-4 visual entry that holds a picture
	edits      []rawEdit
	stbl       tables
	trex       trackExtends
}

// Colour is how pictures are coded (ISO/IEC 23091-2), 0 or 2 for unknown.
type Colour struct {
	Primaries, Transfer, Matrix uint16
	FullRange                   bool
}

// HDR tells whether the transfer function is PQ or HLG.
func (c Colour) HDR() bool { return c.Transfer == 16 || c.Transfer == 18 }

// EditKind is what an edit list does, by what it asks of a packager.
type EditKind int

// Edit lists from harmless to impossible without decoding.
const (
	EditNone    EditKind = iota // no edit list, or one that does nothing
	EditTrivial                 // skips the B-frame delay or the encoder's priming only
	EditLate                    // starts with an empty edit: the track begins later
	EditTrims                   // hides samples at the start or at the end
	EditSeveral                 // several edits with media
	EditRate                    // plays at another rate
)

var editNames = [...]string{"none", "trivial", "late", "trims", "several", "rate"}

func (k EditKind) String() string {
	if k < 0 || int(k) >= len(editNames) {
		return "unknown"
	}
	return editNames[k]
}

// Edit is a track's edit list, classified. Of a list with several things to say
// the worst one is told.
type Edit struct {
	Kind      EditKind
	Delay     time.Duration // of the empty edit at the start
	MediaTime int64         // media time shown first, in the track's TimeScale
	Length    time.Duration // of the edits with media, 0: to the end
	Count     int
}

// Start returns when the track's first presented sample is shown, from the
// start of the movie.
func (t *Track) Start() time.Duration {
	start := t.Edit.Delay
	if t.Edit.Kind == EditNone {
		start += scaled(t.FirstPTS, t.TimeScale)
	}
	return start
}

// Duration returns the sum of the sample durations.
func (t *Track) Duration() time.Duration { return scaled(t.Length, t.TimeScale) }

// FrameRate returns the average number of samples a second, 0 when unknown.
func (t *Track) FrameRate() float64 {
	if t.Length <= 0 || t.TimeScale == 0 {
		return 0
	}
	return float64(t.Samples) * float64(t.TimeScale) / float64(t.Length)
}

// ConstantRate tells whether all samples but the last are equally long.
func (t *Track) ConstantRate() bool { return t.Samples > 0 && t.MinFrame == t.MaxFrame }

// Ticks returns the length of the track in 1/48000 s; exact is false when it
// had to be rounded.
func (t *Track) Ticks() (ticks int64, exact bool) { return toTicks(t.Length, t.TimeScale) }
