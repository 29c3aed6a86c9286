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
	FR    string `json:"fr"`
	EN    string `json:"en"`
}

// Captions is a caption file that came beside a source.
type Captions struct {
	Language string `json:"language"` // BCP 47
	Object   string `json:"object"`   // storage key of the file as it came (WebVTT or SRT)
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
}

// Asset is one piece of media in the library.
type Asset struct {
	ID       AssetID
	Title    string
	State    State
	Percent  float64 // of the current state, 0..100
	Verdict  Verdict // empty until probed
	Findings []Finding
	Source   Source
	Revision int     // 0 until the first revision is ready
	Media    MediaID // of Revision; empty until ready
	Created  time.Time
	Updated  time.Time
}

var (
	// ErrNotFound is returned by every store of this package for an unknown id.
	ErrNotFound = errors.New("vod: not found")
	// ErrConflict is returned when a row exists already or changed meanwhile.
	ErrConflict = errors.New("vod: conflict")
)
