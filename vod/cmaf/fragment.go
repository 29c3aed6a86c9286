package cmaf

import (
	"fmt"
	"io"
	"math/bits"
)

// maxRuns bounds the track runs of one moof.
const maxRuns = 1 << 14

// trackExtends are the defaults of trex.
type trackExtends struct{ dur, size, flags uint32 }

// Flags of tfhd and trun (ISO/IEC 14496-12 8.8.7, 8.8.8), and of a sample (8.8.3.1).
const (
	tfhdBaseOffset  = 0x1
	tfhdDescription = 0x2
	tfhdDuration    = 0x8
	tfhdSize        = 0x10
	tfhdFlags       = 0x20
	tfhdBaseIsMoof  = 0x20000

	trunDataOffset  = 0x1
	trunFirstFlags  = 0x4
	trunDuration    = 0x100
	trunSize        = 0x200
	trunFlags       = 0x400
	trunComposition = 0x800

	sampleNonSync = 0x10000
	flagsSync     = 0x02000000 // depends on no other
	flagsNonSync  = 0x01010000 // depends on others, no sync sample
)

// run is one trun with the defaults that apply to it.
type run struct {
	entries table // stride 0 when everything is default
	flags   uint32
	data    int64 // where its first sample is; -1: after the run before
	first   uint32
	trackExtends
}

// traf is what a track fragment says before its runs.
type traf struct {
	track   uint32
	decode  int64 // tfdt
	hasTime bool
}

// moof calls f for each run of a movie fragment. extends gives a track's defaults.
func (r *reader) moof(b box, extends func(track uint32) trackExtends, f func(traf, run) error) error {
	return r.children(b.body, b.end, func(c box) error {
		if c.typ != "traf" {
			return nil
		}
		return r.traf(c, b.start, extends, f)
	})
}

func (r *reader) traf(b box, moofStart int64, extends func(track uint32) trackExtends, f func(traf, run) error) error {
	var t traf
	var d trackExtends
	base, found := moofStart, false
	err := r.children(b.body, b.end, func(c box) error {
		switch c.typ {
		case "tfhd":
			p, err := r.payload(c, 8, 64)
			if err != nil {
				return err
			}
			found = true
			t.track = u32(p[4:])
			d = extends(t.track)
			return d.header(p, &base)
		case "tfdt":
			p, err := r.payload(c, 8, 16)
			if err != nil {
				return err
			}
			t.decode, t.hasTime = int64(u32(p[4:])), true
			if p[0] == 1 {
				if len(p) < 12 || p[4]&0x80 != 0 {
					return fmt.Errorf("%w: tfdt at %d", ErrMalformed, c.start)
				}
				t.decode = int64(u64(p[4:]))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: traf at %d without tfhd", ErrMalformed, b.start)
	}
	return r.children(b.body, b.end, func(c box) error {
		if c.typ != "trun" {
			return nil
		}
		one, err := r.trun(c, base, d)
		if err != nil {
			return err
		}
		return f(t, one)
	})
}

// header overrides the defaults by what tfhd says.
func (d *trackExtends) header(p []byte, base *int64) error {
	flags := u32(p) & 0xffffff
	p = p[8:]
	take := func(n int) []byte {
		if len(p) < n {
			p = nil
			return nil
		}
		v := p[:n]
		p = p[n:]
		return v
	}
	ok := true
	if flags&tfhdBaseOffset != 0 {
		v := take(8)
		if ok = ok && v != nil && v[0]&0x80 == 0; ok {
			*base = int64(u64(v))
		}
	}
	if flags&tfhdDescription != 0 {
		ok = ok && take(4) != nil
	}
	for _, field := range []struct {
		flag uint32
		to   *uint32
	}{{tfhdDuration, &d.dur}, {tfhdSize, &d.size}, {tfhdFlags, &d.flags}} {
		if flags&field.flag != 0 {
			v := take(4)
			if ok = ok && v != nil; ok {
				*field.to = u32(v)
			}
		}
	}
	if !ok {
		return fmt.Errorf("%w: tfhd is too short", ErrMalformed)
	}
	return nil
}

func (r *reader) trun(b box, base int64, d trackExtends) (run, error) {
	p, err := r.payload(b, 8, 16)
	if err != nil {
		return run{}, err
	}
	one := run{flags: u32(p) & 0xffffff, data: -1, trackExtends: d}
	one.first = d.flags
	head := 8
	field := func() (uint32, error) {
		if len(p) < head+4 {
			return 0, fmt.Errorf("%w: trun at %d is too short", ErrMalformed, b.start)
		}
		v := u32(p[head:])
		head += 4
		return v, nil
	}
	if one.flags&trunDataOffset != 0 {
		v, err := field()
		if err != nil {
			return run{}, err
		}
		one.data = base + int64(int32(v))
	}
	if one.flags&trunFirstFlags != 0 {
		if one.first, err = field(); err != nil {
			return run{}, err
		}
	}
	stride := 4 * int64(bits.OnesCount32(one.flags&0xf00))
	one.entries = table{off: b.body + int64(head), count: int64(u32(p[4:])), stride: stride}
	if one.entries.count*stride > b.size()-int64(head) {
		return run{}, fmt.Errorf("%w: trun at %d is too short for %d samples", ErrMalformed, b.start, one.entries.count)
	}
	return one, nil
}

// entry reads the fields of sample i of the run from its entry (nil when the
// run has none), and returns its flags.
func (one *run) entry(i int64, e []byte, s *sample) (flags uint32) {
	s.dur, s.size, s.cts = int64(one.dur), int64(one.size), 0
	flags = one.trackExtends.flags
	k := 0
	if one.flags&trunDuration != 0 {
		s.dur = int64(u32(e[k:]))
		k += 4
	}
	if one.flags&trunSize != 0 {
		s.size = int64(u32(e[k:]))
		k += 4
	}
	if one.flags&trunFlags != 0 {
		flags = u32(e[k:])
		k += 4
	}
	if one.flags&trunComposition != 0 {
		s.cts = compositionOffset(e[k:])
	}
	if i == 0 && one.flags&trunFirstFlags != 0 {
		flags = one.first
	}
	s.sync = flags&sampleNonSync == 0
	return flags
}

// fragmented reads a track's samples from the movie fragments.
type fragmented struct {
	r       *reader
	track   *Track
	at      int64 // next top-level box
	runs    []run
	times   []traf
	run     int   // index into runs, the one being read
	index   int64 // in the run
	entries cursor
	data    int64 // of the next sample
	dts     int64
}

func (m *Movie) openFragments(t *Track) *fragmented {
	return &fragmented{
		r: newReader(m.r, m.Size), track: t, at: m.fragments, run: -1,
		entries: cursor{r: m.r}, dts: t.FirstDTS,
	}
}

func (f *fragmented) next(s *sample) error {
	for f.run < 0 || f.run >= len(f.runs) || f.index >= f.runs[f.run].entries.count {
		if err := f.nextRun(); err != nil {
			return err
		}
	}
	one := &f.runs[f.run]
	var e []byte
	if one.entries.stride > 0 {
		var err error
		if e, err = f.entries.at(f.index); err != nil {
			return err
		}
	}
	one.entry(f.index, e, s)
	s.off, s.dts = f.data, f.dts
	f.data += s.size
	f.dts += s.dur
	f.index++
	return nil
}

// nextRun moves to the next run of the track, in this moof or a later one.
func (f *fragmented) nextRun() error {
	f.run++
	f.index = 0
	for f.run >= len(f.runs) {
		if err := f.nextMoof(); err != nil {
			return err
		}
		f.run = 0
	}
	one := f.runs[f.run]
	f.entries.reset(one.entries)
	if one.data >= 0 {
		f.data = one.data
	}
	if t := f.times[f.run]; t.hasTime && (f.run == 0 || f.times[f.run-1] != t) {
		f.dts = t.decode
	}
	return nil
}

func (f *fragmented) nextMoof() error {
	f.runs, f.times = f.runs[:0], f.times[:0]
	for f.at < f.r.size {
		b, done, err := f.r.header(f.at, f.r.size, true)
		if err != nil || done {
			return io.EOF // Inspect has reported it
		}
		f.at = b.end
		if b.typ != "moof" || b.end > f.r.size {
			continue
		}
		f.r.boxes = 0
		err = f.r.moof(b, func(uint32) trackExtends { return f.track.trex }, func(t traf, one run) error {
			if t.track != f.track.ID {
				return nil
			}
			if len(f.runs) == maxRuns {
				return fmt.Errorf("%w: too many runs in moof at %d", ErrMalformed, b.start)
			}
			if one.data < 0 && len(f.runs) == 0 {
				one.data = b.end + 8 // no offset at all: the mdat that follows
			}
			f.runs = append(f.runs, one)
			f.times = append(f.times, t)
			return nil
		})
		if err != nil {
			return err
		}
		if len(f.runs) > 0 {
			return nil
		}
	}
	return io.EOF
}

// measureFragments counts the samples of all movie fragments.
func (m *Movie) measureFragments(in *reader) error {
	byID := map[uint32]int{}
	for i, t := range m.Tracks {
		byID[t.ID] = i
	}
	states := make([]fragmentState, len(m.Tracks))
	var entries cursor
	entries.r = m.r
	extends := func(id uint32) trackExtends {
		if i, ok := byID[id]; ok {
			return m.Tracks[i].trex
		}
		return trackExtends{}
	}
	for off := m.fragments; off > 0 && off < in.size; {
		b, done, err := in.header(off, in.size, true)
		if err != nil || done {
			break
		}
		off = b.end
		if b.typ != "moof" || b.end > in.size {
			continue
		}
		in.boxes = 0
		err = in.moof(b, extends, func(tf traf, one run) error {
			i, ok := byID[tf.track]
			if !ok {
				return fmt.Errorf("%w: fragment at %d of unknown track %d", ErrMalformed, b.start, tf.track)
			}
			return states[i].add(m.Tracks[i], &entries, b, tf, one, in.size)
		})
		if err != nil {
			return err
		}
	}
	for i, t := range m.Tracks {
		s := &states[i]
		if s.samples > 0 && t.stbl.samples > 0 {
			m.Hybrid = true
		}
		if s.samples > 0 {
			s.finish(t)
		}
		if s.outside > 0 {
			m.fault(i, ErrSampleRange, fmt.Sprintf("%d of %d samples", s.outside, s.samples))
		}
	}
	return nil
}

// fragmentState adds up the runs of one track.
type fragmentState struct {
	samples, sync, bytes, outside int64
	dts, data, moof               int64
	last                          traf
	firstDTS, firstPTS, endPTS    int64
	length, least                 int64
	pending                       int64 // duration of the last sample so far
}

func (s *fragmentState) add(t *Track, c *cursor, moof box, tf traf, one run, fileSize int64) error {
	if s.moof != moof.start {
		s.data, s.last = moof.end+8, traf{}
	}
	if tf.hasTime && (s.moof != moof.start || s.last != tf) {
		s.dts = tf.decode
	}
	s.moof, s.last = moof.start, tf
	if one.data >= 0 {
		s.data = one.data
	}
	c.reset(one.entries)
	var x sample
	if one.entries.stride == 0 {
		n := one.entries.count
		if n == 0 {
			return nil
		}
		if int64(one.dur) > 0 && n > 1<<40/int64(one.dur) {
			return fmt.Errorf("%w: durations overflow", ErrTables)
		}
		one.entry(0, nil, &x)
		s.sample(t, x, n, fileSize)
		return nil
	}
	for i := range one.entries.count {
		e, err := c.at(i)
		if err != nil {
			return err
		}
		one.entry(i, e, &x)
		s.sample(t, x, 1, fileSize)
	}
	if s.dts > 1<<61 || s.dts < 0 {
		return fmt.Errorf("%w: times overflow", ErrTables)
	}
	return nil
}

// sample adds n samples like x.
func (s *fragmentState) sample(t *Track, x sample, n, fileSize int64) {
	if s.samples == 0 {
		s.firstDTS, s.firstPTS = s.dts, s.dts+x.cts
	}
	s.firstPTS, s.least = min(s.firstPTS, s.dts+x.cts), min(s.least, x.cts)
	s.samples += n
	if x.sync {
		s.sync += n
	}
	size := times(n, x.size)
	if s.data < 0 || s.data > fileSize-size {
		s.outside += n
	}
	s.data = min(s.data+size, maxBytes)
	s.bytes = min(s.bytes+size, maxBytes)
	s.dts += n * x.dur
	s.length += n * x.dur
	s.endPTS = max(s.endPTS, s.dts+x.cts)
	if s.samples > n {
		t.frame(s.pending, 1, false)
	}
	t.frame(x.dur, n-1, false)
	s.pending = x.dur
}

func (s *fragmentState) finish(t *Track) {
	t.Samples, t.Length, t.SyncSamples, t.Bytes = s.samples, s.length, s.sync, s.bytes
	t.FirstDTS, t.FirstPTS, t.EndPTS, t.LeastOffset = s.firstDTS, s.firstPTS, s.endPTS, s.least
	t.frame(s.pending, 1, true)
}
