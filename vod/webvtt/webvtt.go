package webvtt

import "time"

// Cue is one caption. Times count from the first frame of the recording.
type Cue struct {
	ID         string
	Start, End time.Duration
	Settings   string // WebVTT cue settings as written: "line:90% align:start"
	Text       string // WebVTT cue text: may have b, i, u, c, v, lang, ruby tags, entities for & and <
}

// Problem is something in a caption file that was left out or repaired.
type Problem struct {
	Line   int // from 1
	Reason string
}

// Parse reads WebVTT or SubRip.
func Parse(data []byte) ([]Cue, []Problem) { return nil, nil }

// Empty returns a WebVTT segment without cues.
func Empty() []byte { return nil }

// Segments returns count segments.
func Segments(cues []Cue, nominal, last int64, count int) [][]byte { return nil }
