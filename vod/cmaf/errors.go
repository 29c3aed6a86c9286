package cmaf

import (
	"errors"
	"fmt"
	"time"
)

// What may be wrong with a file. Inspect returns the first group; the second
// group is found in Movie.Faults (as *Fault) and returned by the packager.
var (
	ErrNotMP4    = errors.New("not an MP4 or QuickTime file")
	ErrNoMovie   = errors.New("no movie header (moov)")
	ErrMalformed = errors.New("malformed box")
	ErrTruncated = errors.New("file is truncated")

	ErrSampleRange  = errors.New("samples outside the file")
	ErrMediaPastEnd = errors.New("media data runs past the end of the file")
	ErrTables       = errors.New("sample tables contradict each other")
	ErrNoTracks     = errors.New("no tracks")
	ErrEncrypted    = errors.New("encrypted")
)

// Why a track cannot be packaged without re-encoding.
var (
	ErrCodec         = errors.New("codec cannot be packaged")
	ErrEdit          = errors.New("edit list cannot be packaged")
	ErrGrid          = errors.New("not on the segment grid")
	ErrParameterSets = errors.New("parameter sets change inside the track")
	ErrShort         = errors.New("track is shorter than the recording")
	ErrTemplate      = errors.New("not a slate template")
	ErrPlan          = errors.New("impossible plan")
)

// Fault is something wrong with a movie that can still be described.
type Fault struct {
	Err    error  // one of the sentinels of this package
	Track  int    // index into Movie.Tracks, -1 for the whole file
	Detail string // numbers, for the log
}

func (f *Fault) Error() string {
	where := "file"
	if f.Track >= 0 {
		where = fmt.Sprintf("track %d", f.Track)
	}
	if f.Detail == "" {
		return where + ": " + f.Err.Error()
	}
	return fmt.Sprintf("%s: %v: %s", where, f.Err, f.Detail)
}

func (f *Fault) Unwrap() error { return f.Err }

// GridError says where a track leaves the segment grid. It is an ErrGrid.
type GridError struct {
	Track  int
	At     time.Duration // from the first frame of the recording
	Reason string
}

func (e *GridError) Error() string {
	return fmt.Sprintf("track %d at %v: %v: %s", e.Track, e.At, ErrGrid, e.Reason)
}

func (e *GridError) Unwrap() error { return ErrGrid }
