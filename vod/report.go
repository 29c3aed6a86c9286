package vod

import "time"

// Report is what preflight found out about one source. It is stored with the
// source, so each revision keeps its own; what depends on the programme (slot,
// other language, other talks) is judged when it is read.
type Report struct {
	Source   SourceID  `json:"source"`
	Asset    AssetID   `json:"asset"`
	Made     time.Time `json:"made"`
	Complete bool      `json:"complete"` // false: what needs the whole film decoded is not known yet
	Verdict  Verdict   `json:"verdict"`
	Findings []Finding `json:"findings"`
	Duration float64   `json:"duration"`          // seconds
	Format   string    `json:"format"`            // container, for people: MP4, Matroska
	Picture  *Picture  `json:"picture,omitempty"` // nil: none
	Sounds   []Sound   `json:"sounds"`
	Chapters int       `json:"chapters"`
	Captions []string  `json:"captions"` // languages
	Errors   int       `json:"errors"`   // lines of complaint while the whole film was decoded
}

// Picture is what is known of a source's picture.
type Picture struct {
	Codec      string  `json:"codec"`
	Width      int     `json:"width"` // as shown: upright, square pixels
	Height     int     `json:"height"`
	Rate       float64 `json:"rate"` // frames a second
	Constant   bool    `json:"constant"`
	Interlaced bool    `json:"interlaced"`
	Rotation   int     `json:"rotation"` // degrees
	Aspect     string  `json:"aspect"`   // of a pixel, "1:1"
	Depth      int     `json:"depth"`    // bits
	HDR        bool    `json:"hdr"`
	BitRate    int64   `json:"bit_rate"`  // bits a second
	Black      []Span  `json:"black"`     // over 3 s
	Frozen     []Span  `json:"frozen"`    // over 3 s, and nothing is said meanwhile: a slide that stands still while somebody speaks is a slide
	Slides     []Span  `json:"slides"`    // stretches between changes of slide, for chapters
	Sharpness  float64 `json:"sharpness"` // 0..1, of the text that was found: 1 is as sharp as the picture's size allows; 0: none was found
}

// Sound is what is known of one sound track.
type Sound struct {
	Language string   `json:"language"` // BCP 47; "und": not said
	Codec    string   `json:"codec"`
	Channels int      `json:"channels"`
	Rate     int      `json:"rate"`     // Hz
	Loudness float64  `json:"loudness"` // LUFS integrated, of the source
	Peak     float64  `json:"peak"`     // dBTP, of the source
	Noise    float64  `json:"noise"`    // dBFS, between the words
	Balance  float64  `json:"balance"`  // dB, left minus right
	Clipped  []Span   `json:"clipped"`
	Silent   []Span   `json:"silent"`  // over 3 s
	Offsets  []Offset `json:"offsets"` // against the picture, at start, middle and end
}

// Offset is how far the sound is behind the picture at one instant of the film.
type Offset struct {
	At     float64 `json:"at"`     // seconds
	Offset float64 `json:"offset"` // seconds; positive: the sound comes late
}
