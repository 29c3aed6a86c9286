package cmaf

import (
	"errors"
	"fmt"
	"io"
)

// maxTracks bounds the tracks that are described.
const maxTracks = 128

// maxFaults bounds Movie.Faults: a broken file has one cause and many symptoms.
const maxFaults = 32

// Inspect reads what the file holds: progressive (moov anywhere), fragmented,
// MP4 or QuickTime. It reads no media, never all of a table, and takes bounded
// memory whatever the file says of itself.
//
// It returns ErrNotMP4, ErrNoMovie, ErrTruncated (the movie header is cut off),
// ErrMalformed or ErrNoTracks, wrapped, when nothing useful can be said, or the
// reader's own error. Everything else that is wrong is in Movie.Faults.
func Inspect(r io.ReaderAt, size int64) (*Movie, error) {
	m := &Movie{Size: size, Brand: "qt  ", r: r}
	in := newReader(r, size)
	moov, err := m.topLevel(in)
	if err != nil {
		return nil, err
	}
	if err := m.movieHeader(in, moov); err != nil {
		return nil, err
	}
	if len(m.Tracks) == 0 {
		return nil, fmt.Errorf("inspect: %w", ErrNoTracks)
	}
	for i, t := range m.Tracks {
		if err := m.measure(i, t); err != nil {
			m.fault(i, err, "")
		}
	}
	if m.Fragmented {
		if err := m.measureFragments(in); err != nil {
			m.fault(-1, err, "")
		}
	}
	for i, t := range m.Tracks {
		t.finish(m.TimeScale)
		if t.Encrypted {
			m.fault(i, ErrEncrypted, t.FourCC)
		}
		if t.Kind == Video || t.Kind == Audio {
			m.Duration = max(m.Duration, t.Duration())
		}
	}
	m.readChapters()
	return m, nil
}

// fault records what is wrong, under the sentinel it wraps.
func (m *Movie) fault(track int, err error, detail string) {
	if len(m.Faults) >= maxFaults {
		return
	}
	var f *Fault
	if errors.As(err, &f) {
		m.Faults = append(m.Faults, f)
		return
	}
	for _, known := range []error{
		ErrMalformed, ErrTruncated, ErrSampleRange, ErrMediaPastEnd, ErrTables, ErrEncrypted,
	} {
		if errors.Is(err, known) {
			if detail == "" && err != known {
				detail = err.Error()
			}
			m.Faults = append(m.Faults, &Fault{Err: known, Track: track, Detail: detail})
			return
		}
	}
	m.Faults = append(m.Faults, &Fault{Err: fmt.Errorf("%w: %w", ErrMalformed, err), Track: track, Detail: detail})
}

// Has tells whether the movie has a fault of that kind.
func (m *Movie) Has(kind error) bool {
	for _, f := range m.Faults {
		if errors.Is(f, kind) {
			return true
		}
	}
	return false
}

// topLevel walks the boxes of the file and returns moov.
func (m *Movie) topLevel(in *reader) (moov box, err error) {
	var known, found, cut bool
	for off := int64(0); off < in.size; {
		b, done, err := in.header(off, in.size, true)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return box{}, fmt.Errorf("inspect: %w", err)
			}
			if !known {
				return box{}, fmt.Errorf("inspect: %w", ErrNotMP4)
			}
			m.fault(-1, err, "")
			break
		}
		if done {
			break
		}
		switch b.typ {
		case "ftyp":
			known = true
			m.brands(in, b)
		case "moov":
			known = true
			if b.end > in.size {
				return box{}, fmt.Errorf("inspect: %w: %w: it needs %d bytes more", ErrTruncated, ErrNoMovie, b.end-in.size)
			}
			if !found {
				moov, found = b, true
			}
		case "moof":
			known = true
			m.Fragmented = true
			if m.fragments == 0 {
				m.fragments = b.start
			}
		case "mdat", "free", "skip", "wide", "pnot", "sidx", "styp", "uuid", "meta", "udta", "emsg", "prft", "ssix", "mfra":
			known = true
		default:
			if !known {
				return box{}, fmt.Errorf("inspect: %w", ErrNotMP4)
			}
		}
		if b.end > in.size {
			cut = true
			kind := ErrTruncated
			if b.typ == "mdat" {
				kind = ErrMediaPastEnd
			}
			m.fault(-1, kind, fmt.Sprintf("%q at %d needs %d bytes more", b.typ, b.start, b.end-in.size))
		}
		off = b.end
	}
	switch {
	case found:
		return moov, nil
	case !known:
		return box{}, fmt.Errorf("inspect: %w", ErrNotMP4)
	case m.Fragmented:
		return box{}, fmt.Errorf("inspect: %w: fragments without their init segment", ErrNoMovie)
	case cut:
		return box{}, fmt.Errorf("inspect: %w: %w", ErrTruncated, ErrNoMovie)
	}
	return box{}, fmt.Errorf("inspect: %w", ErrNoMovie)
}

func (m *Movie) brands(in *reader, b box) {
	p, err := in.payload(b, 8, 1024)
	if err != nil {
		return
	}
	m.Brand = printable(p[:4])
	m.Brands = nil
	for p = p[8:]; len(p) >= 4; p = p[4:] {
		m.Brands = append(m.Brands, printable(p[:4]))
	}
}

// printable makes a four-character code safe to print.
func printable(p []byte) string {
	out := make([]byte, len(p))
	for i, c := range p {
		if c < 0x20 || c > 0x7e {
			c = '.'
		}
		out[i] = c
	}
	return string(out)
}

// movieHeader reads moov.
func (m *Movie) movieHeader(in *reader, moov box) error {
	extends := map[uint32]trackExtends{}
	err := in.children(moov.body, moov.end, func(b box) error {
		switch b.typ {
		case "mvhd":
			p, err := in.payload(b, 20, 32)
			if err != nil {
				return err
			}
			m.TimeScale = u32(p[12:])
			if p[0] == 1 && len(p) >= 24 {
				m.TimeScale = u32(p[20:])
			}
		case "trak":
			if len(m.Tracks) == maxTracks {
				return fmt.Errorf("%w: more than %d tracks", ErrMalformed, maxTracks)
			}
			t := &Track{PixelAspect: [2]uint32{1, 1}}
			m.Tracks = append(m.Tracks, t)
			if err := t.read(in, b); err != nil {
				m.fault(len(m.Tracks)-1, err, "")
			}
		case "mvex":
			m.Fragmented = true
			return in.children(b.body, b.end, func(c box) error {
				if c.typ != "trex" {
					return nil
				}
				p, err := in.payload(c, 24, 24)
				if err != nil {
					return err
				}
				if len(extends) < maxTracks {
					extends[u32(p[4:])] = trackExtends{dur: u32(p[12:]), size: u32(p[16:]), flags: u32(p[20:])}
				}
				return nil
			})
		case "udta":
			// Chapters only; what is wrong in there harms nobody.
			_ = in.children(b.body, b.end, func(c box) error {
				if c.typ == "chpl" {
					m.neroChapters(in, c)
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		if len(m.Tracks) == 0 {
			return fmt.Errorf("inspect: %w", err)
		}
		m.fault(-1, err, "")
	}
	for _, t := range m.Tracks {
		t.trex = extends[t.ID]
	}
	return nil
}

// measure counts a track's samples from its tables, in time that depends on the
// size of the tables and not on the numbers in them.
func (m *Movie) measure(index int, t *Track) error {
	if t.stbl.samples == 0 {
		return nil
	}
	t.Samples = t.stbl.samples
	if t.stbl.hasStss {
		t.SyncSamples = t.stbl.stss.count
	} else {
		t.SyncSamples = t.Samples
	}
	if err := t.measureTimes(m.r); err != nil {
		return err
	}
	return t.measurePlaces(m.r, m.Size, index)
}

// runs yields the (count, value) pairs of stts or ctts, limited to n samples.
type runs struct {
	cursor
	entry, left int64
}

// take returns the value at the current position and for how many samples it holds.
func (r *runs) take() (left int64, e []byte, err error) {
	for {
		if e, err = r.at(r.entry); err != nil {
			return 0, nil, err
		}
		if r.left == 0 {
			r.left = int64(u32(e))
		}
		if r.left > 0 {
			return r.left, e, nil
		}
		r.entry++
	}
}

func (r *runs) skip(n int64) {
	if r.left -= n; r.left == 0 {
		r.entry++
	}
}

// measureTimes adds up stts and ctts.
func (t *Track) measureTimes(src io.ReaderAt) error {
	dur := runs{cursor: t.stbl.stts.open(src)}
	off := runs{cursor: t.stbl.ctts.open(src)}
	var dts, first, end int64
	for done := int64(0); done < t.Samples; {
		n, e, err := dur.take()
		if err != nil {
			return fmt.Errorf("%d of %d samples have a duration: %w", done, t.Samples, err)
		}
		d := int64(u32(e[4:]))
		n = min(n, t.Samples-done)
		var cts int64
		if t.stbl.ctts.count > 0 {
			k, e, err := off.take()
			if err != nil {
				return fmt.Errorf("%d of %d samples have a composition time: %w", done, t.Samples, err)
			}
			cts = compositionOffset(e[4:])
			n = min(n, k)
			off.skip(n)
		}
		dur.skip(n)
		t.frame(d, n, done+n == t.Samples)
		if d > 0 && n > (1<<61-dts)/d {
			return fmt.Errorf("%w: durations overflow", ErrTables)
		}
		if done == 0 || dts+cts < first {
			first = dts + cts
		}
		dts += n * d
		if done == 0 || dts+cts > end {
			end = dts + cts
		}
		done += n
	}
	t.Length, t.FirstPTS, t.EndPTS = dts, first, end
	return nil
}

// frame notes that n samples last d; the very last sample's length says nothing
// about the rate.
func (t *Track) frame(d, n int64, last bool) {
	if last && t.MaxFrame > 0 {
		n--
	}
	if n <= 0 {
		return
	}
	if t.MaxFrame == 0 || d < t.MinFrame {
		t.MinFrame = d
	}
	t.MaxFrame = max(t.MaxFrame, d)
}

// measurePlaces checks that all samples are inside the file.
func (t *Track) measurePlaces(src io.ReaderAt, size int64, index int) error {
	p := t.stbl.open(src)
	var outside, firstOutside int64
	for done := int64(0); done < t.Samples; {
		if err := p.nextChunk(); err != nil {
			return fmt.Errorf("%d of %d samples have a place: %w", done, t.Samples, err)
		}
		n := min(p.perChunk, t.Samples-done)
		bytes := int64(0)
		if t.stbl.size > 0 {
			bytes = times(n, t.stbl.size)
		} else {
			for i := range n {
				one, err := p.sizeOf(done + i)
				if err != nil {
					return err
				}
				bytes += one
			}
		}
		if bytes > size || p.chunkAt > size-bytes {
			if outside == 0 {
				firstOutside = done
			}
			outside += n
		}
		t.Bytes = min(t.Bytes+bytes, maxBytes)
		done += n
	}
	if outside > 0 {
		return &Fault{Err: ErrSampleRange, Track: index, Detail: fmt.Sprintf(
			"%d of %d samples, from sample %d on", outside, t.Samples, firstOutside)}
	}
	return nil
}

// finish settles what needs the sample count: edit list, still pictures.
func (t *Track) finish(movieScale uint32) {
	t.classify(movieScale)
	switch t.FourCC {
	case "jpeg", "mjpa", "mjpb", "png ", "mp4v":
		t.AttachedPicture = t.Kind == Video && t.Samples == 1 && (t.FourCC != "mp4v" || t.still)
	}
}

// maxBytes is where byte counts saturate: more than any file has.
const maxBytes = 1 << 60

// times multiplies two counts, saturating.
func times(a, b int64) int64 {
	if b > 0 && a > maxBytes/b {
		return maxBytes
	}
	return a * b
}

// toTicks converts to 1/48000 s.
func toTicks(n int64, scale uint32) (ticks int64, exact bool) {
	if scale == 0 {
		return 0, false
	}
	s := int64(scale)
	whole, rest := n/s, n%s
	if whole > 1<<45 || whole < -1<<45 {
		return 0, false
	}
	return whole*TimeScale + rest*TimeScale/s, rest*TimeScale%s == 0
}
