package cmaf

import (
	"fmt"
	"io"
)

// window is how much of a table is held in memory.
const window = 8 << 10

// table is an array of fixed-size entries in the file, read in windows.
type table struct {
	off    int64
	count  int64
	stride int64
}

// cursor reads a table, best forward.
type cursor struct {
	table
	r     io.ReaderAt
	buf   []byte
	first int64 // index of buf[0]
	n     int64 // entries in buf
}

func (t table) open(r io.ReaderAt) cursor { return cursor{table: t, r: r} }

// reset turns the cursor to another table and keeps its buffer.
func (c *cursor) reset(t table) { c.table, c.first, c.n = t, 0, 0 }

// at returns entry i, valid until the next call.
func (c *cursor) at(i int64) ([]byte, error) {
	if k := i - c.first; k >= 0 && k < c.n {
		return c.buf[k*c.stride:][:c.stride], nil
	}
	return c.load(i)
}

func (c *cursor) load(i int64) ([]byte, error) {
	if i < 0 || i >= c.count {
		return nil, fmt.Errorf("%w: entry %d of %d", ErrTables, i, c.count)
	}
	n := min(window/c.stride, c.count-i)
	if size := n * c.stride; int64(cap(c.buf)) < size {
		c.buf = make([]byte, size)
	}
	c.n = 0
	c.buf = c.buf[:n*c.stride]
	if err := readFull(c.r, c.buf, c.off+i*c.stride); err != nil {
		return nil, fmt.Errorf("sample table: %w", err)
	}
	c.first, c.n = i, n
	return c.buf[:c.stride], nil
}

// tables are the sample tables of a track, all still in the file.
type tables struct {
	stts, ctts, stsc, chunks, stss, sizes table
	co64                                  bool
	hasStss                               bool
	sizeBits                              int   // of an entry of sizes: 32, or 4, 8, 16 (stz2)
	size                                  int64 // of every sample, 0: see sizes
	samples                               int64
}

// sample is one sample: where it is and when, in the track's timescale.
type sample struct {
	off  int64
	size int64
	dts  int64
	dur  int64
	cts  int64
	sync bool // as the file says
}

// samples yields a track's samples in decode order. Its next returns io.EOF
// after the last.
type samples interface {
	next(*sample) error
}

// progressive reads samples from the tables in moov.
type progressive struct {
	t                                     *tables
	stts, ctts, stsc, chunks, stss, sizes cursor
	index                                 int64
	dts                                   int64

	sttsNext, sttsLeft, dur   int64
	cttsNext, cttsLeft, cts   int64
	chunk, chunkLeft, chunkAt int64
	stscNext, perChunk        int64
	nextFirst                 int64 // first chunk of the following stsc entry, 1-based; 0 none
	stssNext, syncAt          int64
}

func (t *tables) open(r io.ReaderAt) *progressive {
	p := &progressive{
		t: t, stts: t.stts.open(r), ctts: t.ctts.open(r), stsc: t.stsc.open(r),
		chunks: t.chunks.open(r), stss: t.stss.open(r), sizes: t.sizes.open(r),
	}
	p.nextFirst = 1
	return p
}

func (p *progressive) next(s *sample) error {
	if p.index >= p.t.samples {
		return io.EOF
	}
	if err := p.place(s); err != nil {
		return err
	}
	if p.sttsLeft == 0 {
		if err := p.nextRun(); err != nil {
			return err
		}
	}
	p.sttsLeft--
	s.dts, s.dur = p.dts, p.dur
	p.dts += p.dur
	if p.t.ctts.count > 0 {
		if p.cttsLeft == 0 {
			if err := p.nextOffset(); err != nil {
				return err
			}
		}
		p.cttsLeft--
	}
	s.cts = p.cts
	s.sync = true
	if p.t.hasStss {
		if err := p.syncFlag(s); err != nil {
			return err
		}
	}
	p.index++
	return nil
}

// place finds offset and size of the next sample.
func (p *progressive) place(s *sample) error {
	for p.chunkLeft == 0 {
		if err := p.nextChunk(); err != nil {
			return err
		}
	}
	size, err := p.sizeOf(p.index)
	if err != nil {
		return err
	}
	s.off, s.size = p.chunkAt, size
	p.chunkAt += size
	p.chunkLeft--
	return nil
}

func (p *progressive) sizeOf(i int64) (int64, error) {
	if p.t.size > 0 {
		return p.t.size, nil
	}
	switch p.t.sizeBits {
	case 32:
		e, err := p.sizes.at(i)
		if err != nil {
			return 0, err
		}
		return int64(u32(e)), nil
	case 16:
		e, err := p.sizes.at(i)
		if err != nil {
			return 0, err
		}
		return int64(u16(e)), nil
	case 8:
		e, err := p.sizes.at(i)
		if err != nil {
			return 0, err
		}
		return int64(e[0]), nil
	default:
		e, err := p.sizes.at(i / 2)
		if err != nil {
			return 0, err
		}
		if i%2 == 0 {
			return int64(e[0] >> 4), nil
		}
		return int64(e[0] & 15), nil
	}
}

// nextChunk moves to the next chunk: its offset and how many samples it has.
func (p *progressive) nextChunk() error {
	p.chunk++
	if p.nextFirst != 0 && p.chunk >= p.nextFirst {
		e, err := p.stsc.at(p.stscNext)
		if err != nil {
			return err
		}
		if first := int64(u32(e)); first != p.nextFirst {
			return fmt.Errorf("%w: chunk runs start at %d instead of %d", ErrTables, first, p.nextFirst)
		}
		p.perChunk = int64(u32(e[4:]))
		p.stscNext++
		p.nextFirst = 0
		if p.stscNext < p.stsc.count {
			if e, err = p.stsc.at(p.stscNext); err != nil {
				return err
			}
			p.nextFirst = int64(u32(e))
			if p.nextFirst <= p.chunk {
				return fmt.Errorf("%w: chunk runs are not in order", ErrTables)
			}
		}
	}
	if p.perChunk == 0 {
		return fmt.Errorf("%w: a chunk of no samples", ErrTables)
	}
	e, err := p.chunks.at(p.chunk - 1)
	if err != nil {
		return err
	}
	if p.t.co64 {
		p.chunkAt = int64(u64(e) & (1<<63 - 1))
	} else {
		p.chunkAt = int64(u32(e))
	}
	p.chunkLeft = p.perChunk
	return nil
}

func (p *progressive) nextRun() error {
	for p.sttsLeft == 0 {
		e, err := p.stts.at(p.sttsNext)
		if err != nil {
			return err
		}
		p.sttsNext++
		p.sttsLeft, p.dur = int64(u32(e)), int64(u32(e[4:]))
	}
	return nil
}

func (p *progressive) nextOffset() error {
	for p.cttsLeft == 0 {
		e, err := p.ctts.at(p.cttsNext)
		if err != nil {
			return err
		}
		p.cttsNext++
		p.cttsLeft, p.cts = int64(u32(e)), compositionOffset(e[4:])
	}
	return nil
}

// compositionOffset reads a ctts or trun offset. Version 0 is unsigned by the
// standard, but encoders write negative numbers into it; no file has offsets of
// 2^31 units, so the sign bit is a sign in both.
func compositionOffset(e []byte) int64 { return int64(int32(u32(e))) }

func (p *progressive) syncFlag(s *sample) error {
	for p.syncAt <= p.index && p.stssNext < p.stss.count {
		e, err := p.stss.at(p.stssNext)
		if err != nil {
			return err
		}
		p.stssNext++
		p.syncAt = int64(u32(e))
	}
	s.sync = p.syncAt == p.index+1
	return nil
}
