package cmaf

import (
	"cmp"
	"context"
	"fmt"
	"io"
)

// Sizes of the buffers of PackageAll: one for reading, one a job for writing.
// They fit the second-level cache, and together they are all the memory a
// recording of any length takes.
const (
	readSize  = 512 << 10
	writeSize = 256 << 10
)

// PackageAll writes several tracks of the movie as CMAF, each to its own
// writer, in one pass over the file. The indexes are in the order of the jobs.
//
// The tracks must fit the grid: H.264 (avc1) with an IDR, NAL unit type 5, at
// every multiple of Plan.Nominal, or AAC-LC at 48 kHz; otherwise it returns a
// *GridError, or ErrCodec, ErrEdit, ErrEncrypted, ErrParameterSets, ErrShort,
// ErrSampleRange, ErrPlan. What was written until then is worthless.
// Use [Movie.Fits] to know before writing.
func PackageAll(ctx context.Context, movie *Movie, jobs []Job) ([]*Index, error) {
	packers, err := movie.packers(jobs)
	if err != nil {
		return nil, fmt.Errorf("package: %w", err)
	}
	in := newMediaReader(movie)
	for _, p := range packers {
		if err := p.writeInit(); err != nil {
			return nil, fmt.Errorf("package track %d: %w", p.number, err)
		}
	}
	for {
		p := behind(packers)
		if p == nil {
			break
		}
		if err := p.copySamples(ctx, in, ahead(packers, p)); err != nil {
			return nil, fmt.Errorf("package track %d: %w", p.number, err)
		}
	}
	indexes := make([]*Index, len(packers))
	for i, p := range packers {
		if err := p.flush(); err != nil {
			return nil, fmt.Errorf("package track %d: %w", p.number, err)
		}
		indexes[i] = &p.index
	}
	return indexes, nil
}

// Fits tells whether the jobs can be packaged, without reading more media than
// the starts of key frames: the errors of PackageAll, but for parameter sets
// hidden in other pictures. The writers may be nil.
func (m *Movie) Fits(ctx context.Context, jobs []Job) error {
	packers, err := m.packers(jobs)
	if err != nil {
		return err
	}
	for _, p := range packers {
		for !p.done {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.plan(); err != nil {
				return err
			}
		}
	}
	return nil
}

// packers prepares the jobs. Sound without a length of its own takes that of
// the pictures.
func (m *Movie) packers(jobs []Job) ([]*packer, error) {
	var length int64
	for _, j := range jobs {
		if j.Track < 0 || j.Track >= len(m.Tracks) {
			return nil, fmt.Errorf("%w: no track %d", ErrPlan, j.Track)
		}
		if t := m.Tracks[j.Track]; t.Kind == Video && length == 0 {
			length = cmp.Or(j.Plan.Length, lengthOf(t))
		}
	}
	packers := make([]*packer, 0, len(jobs))
	for _, j := range jobs {
		j.Plan.Length = cmp.Or(j.Plan.Length, length)
		p, err := newPacker(m, j)
		if err != nil {
			return nil, err
		}
		packers = append(packers, p)
	}
	return packers, nil
}

func lengthOf(t *Track) int64 {
	ticks, _ := t.Ticks()
	return ticks
}

// behind returns the packer whose next sample comes first in the file, nil when
// all are done.
func behind(packers []*packer) *packer {
	var first *packer
	for _, p := range packers {
		if p.more() && (first == nil || p.offset() < first.offset()) {
			first = p
		}
	}
	return first
}

// ahead returns the file offset up to which p may copy before it is another
// one's turn.
func ahead(packers []*packer, p *packer) int64 {
	limit := int64(maxBytes)
	for _, q := range packers {
		if q != p && q.more() {
			limit = min(limit, q.offset())
		}
	}
	return limit
}

// mediaReader reads media through one large window.
type mediaReader struct {
	r    io.ReaderAt
	size int64
	buf  []byte
	off  int64
	n    int
}

func newMediaReader(m *Movie) *mediaReader {
	return &mediaReader{r: m.r, size: m.Size, buf: make([]byte, readSize)}
}

// get returns up to n bytes at off, fewer only when n is more than the window.
func (in *mediaReader) get(off, n int64) ([]byte, error) {
	n = min(n, readSize)
	if k := off - in.off; k >= 0 && k+n <= int64(in.n) {
		return in.buf[k : k+n], nil
	}
	if off < 0 || off > in.size-n {
		return nil, ErrSampleRange
	}
	in.n = 0
	want := in.buf[:min(readSize, in.size-off)]
	if err := readFull(in.r, want, off); err != nil {
		return nil, err
	}
	in.off, in.n = off, len(want)
	return in.buf[:n], nil
}
