package vod

import (
	"errors"
	"time"
)

// AssetID names one finished piece of media across its revisions (UUIDv7 text).
type AssetID string

// SourceID names an uploaded original (UUIDv7 text).
type SourceID string

// MediaID names one revision of an asset, or one slate, in URLs and journals: 26
// random characters [a-z2-7], so that it cannot be guessed.
type MediaID string

// State is where an asset stands between upload and air.
type State string

const (
	Uploading  State = "uploading"
	Uploaded   State = "uploaded"
	Probing    State = "probing"
	Processing State = "processing"
	Ready      State = "ready"
	Failed     State = "failed"
)

// Verdict is what preflight says of a source.
type Verdict string

const (
	VerdictReady   Verdict = "ready"
	VerdictRemarks Verdict = "remarks"
	VerdictRefused Verdict = "refused"
)

// Finding is one thing that preflight noticed, in words for people who do not know codecs.
type Finding struct {
	Code  string `json:"code"`  // stable, kebab-case: "variable-frame-rate"
	Fatal bool   `json:"fatal"` // true: the source is refused
	FR    string `json:"fr"`    // what it is and what to do about it
	EN    string `json:"en"`
	Spans []Span `json:"spans,omitempty"` // where in the film; the longest first when there are many
}

// Span is a stretch of a film, in seconds from its beginning.
type Span struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// Captions is one language of captions: a file that came beside a source, or
// that somebody gave or made later.
type Captions struct {
	Language string    `json:"language"`           // BCP 47
	Object   string    `json:"object"`             // storage key: of the file as it came (WebVTT, SRT or TTML), or of the WebVTT made of Original; empty in Extras: these captions are taken away
	Original string    `json:"original,omitempty"` // storage key of the file as it came, when Object is made of it
	Name     string    `json:"name,omitempty"`     // of the file as it came
	Format   string    `json:"format,omitempty"`   // of the file as it came: webvtt srt ttml ass mov_text
	Encoding string    `json:"encoding,omitempty"` // of the file as it came, as guessed: utf-8 utf-16le windows-1252 iso-8859-15 …
	Origin   string    `json:"origin,omitempty"`   // beside (the film), film (in it), upload, edited, command
	Shift    float64   `json:"shift,omitempty"`    // seconds, applied when the media is made
	By       string    `json:"by,omitempty"`       // who gave them
	At       time.Time `json:"at,omitzero"`
}

// Source is the uploaded original an asset is made from, kept as it came.
type Source struct {
	ID          SourceID   `json:"id"`
	Name        string     `json:"name"`        // file name as it came, base name only
	Object      string     `json:"object"`      // storage key
	Size        int64      `json:"size"`        // bytes
	SHA256      string     `json:"sha256"`      // hex
	Fingerprint string     `json:"fingerprint"` // quick identity before all bytes are here: size and hash of both ends
	Captions    []Captions `json:"captions,omitempty"`
	Language    string     `json:"language,omitempty"` // language of untagged sound, if the uploader said
	By          string     `json:"by,omitempty"`       // who handed it in, as people know them
	Event       string     `json:"event,omitempty"`    // event.ID that it was handed in for: others do not see it; empty: brought by the operator, for any
	Chapters    []Chapter  `json:"chapters,omitempty"` // found in the file
	Preview     string     `json:"preview,omitempty"`  // storage key of an MP4 file that browsers play as it is (it may be Object itself); empty: not made yet
}

// Extras is what people say of a film beside its file. Changing them makes a
// new revision without encoding anything again.
type Extras struct {
	Captions []Captions `json:"captions,omitempty"`  // by language; they cover those of the source
	Chapters []Chapter  `json:"chapters,omitzero"`   // nil: as found in the file; empty but not nil: none
	PosterAt *float64   `json:"poster_at,omitempty"` // seconds from the beginning; nil: chosen by the program
	Poster   string     `json:"poster,omitempty"`    // storage key of a picture that was uploaded; wins over PosterAt
}

// Progress is how the work on an asset is getting on. It means something only while State says that work goes on.
type Progress struct {
	Stage string        `json:"stage,omitempty"` // checking, measuring, first (rendition), encoding, packaging, pictures
	Speed float64       `json:"speed,omitempty"` // seconds of film a second; 0: unknown
	Left  time.Duration `json:"left,omitempty"`  // until ready, estimated; 0: unknown
	Node  string        `json:"node,omitempty"`  // machine that works on it
}

// Revision is a past revision of an asset: a source, or extras, that was replaced.
type Revision struct {
	Number   int       `json:"number"` // of the media; 0: it never became one
	Source   Source    `json:"source"`
	Extras   Extras    `json:"extras"`
	Media    MediaID   `json:"media,omitempty"`
	Verdict  Verdict   `json:"verdict,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
	At       time.Time `json:"at"`     // when it was replaced
	Reason   string    `json:"reason"` // replaced, extras, restored
}

// Asset is one piece of media in the library.
//
// State, Percent, Progress, Verdict, Findings, Source and Extras are of the
// latest hand-in; Revision and Media of the latest that became ready. So an
// asset whose film was replaced keeps its media until the new one is ready, and
// for good when the new one is refused.
type Asset struct {
	ID       AssetID
	Title    string
	State    State
	Percent  float64 // of the current state, 0..100
	Progress Progress
	Verdict  Verdict // empty until probed
	Findings []Finding
	Source   Source
	Extras   Extras
	Revision int        // 0 until the first revision is ready
	Media    MediaID    // of Revision; empty until ready
	First    MediaID    // media of Source with the first rendition alone, while the rest is being made; empty: none
	Making   MediaID    // media whose objects are being written by some process: they are nobody's orphans
	History  []Revision // past revisions, oldest first; at most MaxHistory
	Created  time.Time
	Updated  time.Time
}

// MaxHistory bounds Asset.History; beyond it the oldest go, and their objects with the next sweep.
const MaxHistory = 20

// Playable returns the media to put on air: the ready one, else the first rendition. Empty: there is none.
func (a *Asset) Playable() MediaID {
	if a.Media != "" {
		return a.Media
	}
	return a.First
}

var (
	// ErrNotFound is returned by every store of this package for an unknown id.
	ErrNotFound = errors.New("vod: not found")
	// ErrConflict is returned when a row exists already or changed meanwhile.
	ErrConflict = errors.New("vod: conflict")
)
