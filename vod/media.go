package vod

import (
	"reprise/stream/timeline"
)

// RenditionKind tells pictures, sound and captions apart.
type RenditionKind string

const (
	Video     RenditionKind = "video"
	Audio     RenditionKind = "audio"
	Subtitles RenditionKind = "subtitles"
)

// Segment is where one segment lies in its rendition's object.
type Segment struct {
	Offset int64 `json:"o"`           // bytes from the start of the object
	Size   int64 `json:"s"`           // bytes
	IFrame int64 `json:"i,omitempty"` // video: bytes from the segment's start to the end of its first sample (R180, R182)
}

// Rendition is one encoding of a media: a size of picture, a language of sound, or of captions.
// It is one object: init segment and segments back to back (captions have no init).
type Rendition struct {
	Name     string         `json:"name"` // v1080 v720 v540 v360 v234, a-fr (128k), al-fr (64k), s-fr
	Kind     RenditionKind  `json:"kind"`
	Language string         `json:"language,omitempty"` // BCP 47; audio and subtitles
	Codec    string         `json:"codec"`              // RFC 6381 as the init segment says: avc1.64001f, mp4a.40.2, wvtt
	Width    int            `json:"width,omitempty"`
	Height   int            `json:"height,omitempty"`
	Frame    timeline.Ticks `json:"frame,omitempty"` // video: duration of one frame (25 fps: 1920)
	Channels int            `json:"channels,omitempty"`
	Copied   bool           `json:"copied,omitempty"` // bytes of the source, not re-encoded
	Object   string         `json:"object"`           // storage key
	InitSize int64          `json:"init_size"`        // the init segment is bytes [0, InitSize)
	Segments []Segment      `json:"segments"`
}

// Media is one finished revision of an asset, or a slate. It never changes.
//
// Every rendition has the same number of segments at the same media times
// (R139): segment i lasts Nominal, the last one Last.
//
// A slate is a Loop: its renditions hold one long template segment (from media
// time 10 s); segment i of any length is made from it on request (cmaf.Retime).
type Media struct {
	ID         MediaID           `json:"id"`
	Asset      AssetID           `json:"asset,omitempty"` // empty for a slate
	Revision   int               `json:"revision"`
	Source     SourceID          `json:"source,omitempty"`  // what it was made from
	Extras     Extras            `json:"extras,omitzero"`   // what it was made with
	Partial    bool              `json:"partial,omitempty"` // the first rendition alone: Asset.First
	Ladder     []string          `json:"ladder,omitempty"`  // of a Partial: the video renditions that the whole media will have, high to low
	Loop       bool              `json:"loop,omitempty"`
	NameKey    []byte            `json:"name_key"` // 32 random bytes: key of segment names
	Nominal    timeline.Ticks    `json:"nominal"`
	Last       timeline.Ticks    `json:"last"`
	Count      int               `json:"count"` // segments; 0 for a Loop
	Renditions []Rendition       `json:"renditions"`
	Poster     string            `json:"poster,omitempty"`  // storage key, JPEG
	Sprites    []string          `json:"sprites,omitempty"` // storage keys, JPEG, 10x10 tiles of 160x90, one each 10 s
	Chapters   []Chapter         `json:"chapters,omitempty"`
	Waveform   string            `json:"waveform,omitempty"` // storage key, JSON: see Waveform
	Audio      map[string]string `json:"audio,omitempty"`    // language -> storage key of an .m4a file of the sound alone
	Loudness   float64           `json:"loudness,omitempty"` // LUFS integrated of the first sound track after processing
}

// Chapter is a named point of a recording.
type Chapter struct {
	Start timeline.Ticks `json:"start"`
	Title string         `json:"title"`
}

// Waveform is the loudness of a film over time, for drawing.
type Waveform struct {
	Step  float64 `json:"step"`  // seconds a value
	Peaks []uint8 `json:"peaks"` // 0..255 of full scale, base64 in JSON
}

// MediaTimeBase is the media time of an entry's first frame (R158).
const MediaTimeBase = 10 * timeline.TicksPerSecond

// Duration returns the whole length of a recording, 0 for a Loop.
func (m *Media) Duration() timeline.Ticks {
	if m.Count == 0 {
		return 0
	}
	return timeline.Ticks(m.Count-1)*m.Nominal + m.Last
}

// Rendition returns the rendition of that name, or nil.
func (m *Media) Rendition(name string) *Rendition {
	for i := range m.Renditions {
		if m.Renditions[i].Name == name {
			return &m.Renditions[i]
		}
	}
	return nil
}
