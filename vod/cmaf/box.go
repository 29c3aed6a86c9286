package cmaf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxPayload bounds what is read of one small box (sample descriptions, edit
// lists, names); tables are never read whole.
const maxPayload = 1 << 20

// maxBoxes bounds the boxes visited inside moov: a file made of empty boxes
// must not keep a worker busy for ever.
const maxBoxes = 1 << 20

// box is the header of a box: offsets in the file. end may lie past the file.
type box struct {
	typ              string
	start, body, end int64
}

func (b box) size() int64 { return b.end - b.body }

// reader reads boxes through a small window.
type reader struct {
	r     io.ReaderAt
	size  int64
	win   []byte // capacity is the window
	off   int64  // of win[0]
	boxes int    // visited so far
}

func newReader(r io.ReaderAt, size int64) *reader {
	return &reader{r: r, size: size, win: make([]byte, 0, 4096)}
}

// bytes returns n bytes at off, valid until the next call. n is at most the
// window. Past the end it is io.ErrUnexpectedEOF.
func (r *reader) bytes(off int64, n int) ([]byte, error) {
	if off >= r.off && off+int64(n) <= r.off+int64(len(r.win)) {
		return r.win[off-r.off:][:n], nil
	}
	if off < 0 || off > r.size-int64(n) {
		return nil, io.ErrUnexpectedEOF
	}
	r.off = off
	r.win = r.win[:min(int64(cap(r.win)), r.size-off)]
	if err := readFull(r.r, r.win, off); err != nil {
		r.win = r.win[:0]
		return nil, err
	}
	return r.win[:n], nil
}

// readFull fills p from off. A reader that ends early is io.ErrUnexpectedEOF.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read at %d: %w", off, err)
}

// header reads the box at off inside a container that ends at end. done is true
// where the container has no more boxes. A size of 0 means "to the end of the
// file" at top level and a terminator inside (QuickTime).
func (r *reader) header(off, end int64, top bool) (b box, done bool, err error) {
	if end-off < 8 {
		return box{}, true, nil
	}
	h, err := r.bytes(off, 8)
	if err != nil {
		return box{}, true, err
	}
	size := int64(binary.BigEndian.Uint32(h))
	b = box{typ: string(h[4:8]), start: off, body: off + 8}
	switch size {
	case 0:
		if !top {
			return box{}, true, nil
		}
		b.end = end
		return b, false, nil
	case 1:
		if h, err = r.bytes(off, 16); err != nil {
			return box{}, true, fmt.Errorf("%w: %q at %d: %w", ErrMalformed, b.typ, off, err)
		}
		b.body = off + 16
		large := binary.BigEndian.Uint64(h[8:])
		if large < 16 || large > 1<<62 {
			return box{}, true, fmt.Errorf("%w: %q at %d has size %d", ErrMalformed, b.typ, off, large)
		}
		size = int64(large)
	}
	if size < b.body-off {
		return box{}, true, fmt.Errorf("%w: %q at %d has size %d", ErrMalformed, b.typ, off, size)
	}
	if size > 1<<62-off {
		return box{}, true, fmt.Errorf("%w: %q at %d has size %d", ErrMalformed, b.typ, off, size)
	}
	b.end = off + size
	return b, false, nil
}

// children calls f for each box in [off, end). A box that runs past end is an
// ErrMalformed, after those before it were seen.
func (r *reader) children(off, end int64, f func(box) error) error {
	for off < end {
		if r.boxes++; r.boxes > maxBoxes {
			return fmt.Errorf("%w: too many boxes", ErrMalformed)
		}
		b, done, err := r.header(off, end, false)
		if err != nil || done {
			return err
		}
		if b.end > end {
			return fmt.Errorf("%w: %q at %d ends %d bytes past its container", ErrMalformed, b.typ, b.start, b.end-end)
		}
		if err := f(b); err != nil {
			return err
		}
		off = b.end
	}
	return nil
}

// payload returns a copy of a small box's content, at least need bytes of it
// and at most limit.
func (r *reader) payload(b box, need, limit int) ([]byte, error) {
	n := min(b.size(), int64(min(limit, maxPayload)))
	if n < int64(need) {
		return nil, fmt.Errorf("%w: %q at %d is too short", ErrMalformed, b.typ, b.start)
	}
	if b.body+n > r.size {
		return nil, fmt.Errorf("%w: %q at %d", ErrTruncated, b.typ, b.start)
	}
	p := make([]byte, n)
	if err := readFull(r.r, p, b.body); err != nil {
		return nil, fmt.Errorf("%q: %w", b.typ, err)
	}
	return p, nil
}

func u16(p []byte) uint16 { return binary.BigEndian.Uint16(p) }
func u32(p []byte) uint32 { return binary.BigEndian.Uint32(p) }
func u64(p []byte) uint64 { return binary.BigEndian.Uint64(p) }

// boxesIn calls f for each box in a payload held in memory, until it returns
// false or the bytes make no sense.
func boxesIn(p []byte, f func(typ string, body []byte) bool) {
	for len(p) >= 8 {
		size := uint64(u32(p))
		body := p[8:]
		switch {
		case size == 1 && len(p) >= 16:
			size, body = u64(p[8:]), p[16:]
		case size == 0:
			size = uint64(len(p))
		}
		head := uint64(len(p) - len(body))
		if size < head || size > uint64(len(p)) {
			return
		}
		if !f(string(p[4:8]), body[:size-head]) {
			return
		}
		p = p[size:]
	}
}
