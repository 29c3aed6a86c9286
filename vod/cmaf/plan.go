package cmaf

import (
	"context"
	"io"
	"time"
)

// TimeScale is the timescale of everything written: ticks of 1/48000 s.
const TimeScale = 48000

// MediaTimeBase is the media time of a recording's first frame, in ticks (R158).
const MediaTimeBase = 10 * TimeScale

// MinLast is the shortest last segment, in ticks (0.64 s): a shorter one is
// merged into the one before.
const MinLast = 30720

// frameTicks is the length of a frame of AAC-LC at 48 kHz.
const frameTicks = 1024

// Plan says how to cut a track. All lengths are ticks of 1/48000 s.
type Plan struct {
	Nominal int64 // length of a segment
	// Length is the exact length of the recording, the same for all its tracks:
	// sound past it is dropped, a track that ends more than a frame before it
	// is an ErrShort. 0: as long as the track's own pictures.
	Length   int64
	Language string // BCP 47, written into the init segment; "" undetermined
	// Priming is how many samples of AAC come before the first sound; 0 or less:
	// as the edit list says.
	Priming int64
}

// Grid returns the number of segments of a recording and the length of the
// last one: a remainder under MinLast is merged into the segment before.
func Grid(length, nominal int64) (count int, last int64) {
	if length <= 0 || nominal <= 0 {
		return 0, 0
	}
	count, last = int(length/nominal), length%nominal
	switch {
	case last == 0:
		last = nominal
	case last < MinLast && count > 0:
		last += nominal
	default:
		count++
	}
	return count, last
}

// Job is one track to package.
type Job struct {
	Track int // index into Movie.Tracks
	Plan  Plan
	W     io.Writer // gets the init segment and the segments back to back
}

// Index says where the segments of a packaged track are.
type Index struct {
	Kind          Kind
	Codec         string // RFC 6381, as the init segment says
	InitSize      int64  // the init segment is bytes [0, InitSize)
	Segments      []IndexSegment
	Width, Height int
	Channels      int
	Frame         int64 // ticks of a frame of video; 1024 for sound
	Length        int64 // ticks of all segments
}

// IndexSegment is one segment in the output of a Job.
type IndexSegment struct {
	Offset, Size int64
	// IFrame is how many bytes from Offset on hold the moof, the header of mdat
	// and the first sample: the byte range of an I-frame playlist (R182). 0 for
	// sound.
	IFrame   int64
	Duration int64 // ticks presented (R161)
}

// Package writes one track of the movie as CMAF to w: PackageAll with one job.
func Package(ctx context.Context, movie *Movie, track int, plan Plan, w io.Writer) (*Index, error) {
	indexes, err := PackageAll(ctx, movie, []Job{{Track: track, Plan: plan, W: w}})
	if err != nil {
		return nil, err
	}
	return indexes[0], nil
}

// scaled returns n units of 1/scale s as a duration.
func scaled(n int64, scale uint32) time.Duration {
	if scale == 0 {
		return 0
	}
	s := int64(scale)
	whole, rest := n/s, n%s
	const limit = int64(1<<63-1) / int64(time.Second)
	if whole >= limit || whole <= -limit {
		whole, rest = limit*sign(n), 0
	}
	return time.Duration(whole)*time.Second + time.Duration(rest*int64(time.Second)/s)
}

func sign(n int64) int64 {
	if n < 0 {
		return -1
	}
	return 1
}
