package cache

import (
	"context"
	"fmt"
	"io"
	"os"

	"reprise/storage"
)

// attempts is how often a read begins anew when blocks vanish under it.
const attempts = 4

// handle is an open object: one version, with the context that bounds its reads.
type handle struct {
	cache *Cache
	entry *entry
	ctx   context.Context // of the one operation that the handle is: that of Open
}

// lesson is the finding out of what an object is, once for all who ask at a time.
type lesson struct {
	done  chan struct{}
	entry *entry
	err   error
}

// handle opens the version of an object that is known, or asks the origin for it.
func (c *Cache) handle(ctx context.Context, key storage.Key) (*handle, error) {
	for {
		c.mu.Lock()
		if e := c.entries[key]; e != nil {
			e.handles++
			c.ask(e)
			c.mu.Unlock()
			return &handle{c, e, ctx}, nil
		}
		l := c.learning[key]
		mine := l == nil
		if mine {
			l = &lesson{done: make(chan struct{})}
			c.learning[key] = l
		}
		c.mu.Unlock()
		if mine {
			c.learn(ctx, key, l)
		}
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("open %s: %w", key, context.Cause(ctx))
		}
		switch {
		case l.err == nil:
			c.mu.Lock()
			l.entry.handles++
			c.mu.Unlock()
			return &handle{c, l.entry, ctx}, nil
		case mine || !ofContext(l.err):
			return nil, l.err
		} // whoever asked left; now it is our turn
	}
}

// learn asks the origin what an object is. What was dropped meanwhile is not remembered.
func (c *Cache) learn(ctx context.Context, key storage.Key, l *lesson) {
	c.mu.Lock()
	drops := c.drops
	c.mu.Unlock()
	c.metrics.requests.Inc()
	info, err := c.origin.Stat(ctx, key)
	if err != nil {
		l.err = c.originError(err)
	} else {
		l.entry = c.newEntry(key, info)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.learning, key)
	if err == nil {
		if l.entry.checked = c.cfg.Now(); c.drops == drops && c.entries[key] == nil {
			c.entries[key] = l.entry
		} else {
			l.entry.gone = true // it reads what it finds, and keeps nothing
		}
	}
	close(l.done)
}

func (h *handle) close() error {
	c := h.cache
	c.mu.Lock()
	h.entry.handles--
	l := c.forget(h.entry)
	c.mu.Unlock()
	c.remove(l)
	return nil
}

// ReadAt implements io.ReaderAt.
func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read %s: negative offset", h.entry.key)
	}
	size := h.entry.info.Size
	switch {
	case len(p) == 0:
		return 0, nil
	case off >= size:
		return 0, io.EOF
	}
	want := min(int64(len(p)), size-off)
	n := int64(0)
	for n < want {
		parts, err := h.parts(off+n, min(want-n, h.cache.cfg.MaxRequest))
		for i := range parts {
			if err == nil {
				var m int
				m, err = parts[i].readAt(p[n:n+parts[i].length], 0)
				n += int64(m)
			}
			parts[i].close()
		}
		if err != nil {
			return int(n), fmt.Errorf("read %s: %w", h.entry.key, err)
		}
	}
	if want < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// part is a piece of a range that is at hand: of a block file, or in memory.
type part struct {
	file   *os.File // nil: data
	data   []byte
	offset int64 // in file or data
	length int64
}

func (p *part) readAt(b []byte, from int64) (int, error) {
	if p.file == nil {
		return copy(b, p.data[p.offset+from:p.offset+p.length]), nil
	}
	n, err := p.file.ReadAt(b, p.offset+from)
	if err == io.EOF && n < len(b) {
		err = io.ErrUnexpectedEOF // a block is whole, or it is not used
	}
	return n, err
}

func (p *part) close() {
	if p.file != nil {
		p.file.Close() // opened for reading: nothing can be lost
	}
}

// body is a range being read, some blocks at a time.
type body struct {
	handle *handle
	at     int64 // of what is not in parts yet
	end    int64
	step   int64 // how much is asked for next
	parts  []part
	read   int64 // of parts[0]
}

// newBody reads a range in steps: all at once what a segment is, and a longer
// one slowly at first, since many readers of a film want no more than its head.
func newBody(h *handle, offset, length int64) *body {
	size := h.entry.info.Size
	offset = min(max(offset, 0), size)
	b := &body{handle: h, at: offset, end: offset + min(max(length, 0), size-offset), step: h.cache.cfg.MaxRequest}
	if length > b.step {
		b.step = h.cache.cfg.BlockSize
	}
	return b
}

// fill gets the next parts; io.EOF at the end.
func (b *body) fill() error {
	if b.at >= b.end {
		return io.EOF
	}
	n := min(b.step, b.end-b.at)
	parts, err := b.handle.parts(b.at, n)
	if err != nil {
		return fmt.Errorf("read %s: %w", b.handle.entry.key, err)
	}
	b.parts, b.read, b.at = parts, 0, b.at+n
	b.step = min(2*b.step, b.handle.cache.cfg.MaxRequest)
	return nil
}

// next closes the first part.
func (b *body) next() {
	b.parts[0].close()
	b.parts, b.read = b.parts[1:], 0
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(b.parts) == 0 {
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	first := &b.parts[0]
	n, err := first.readAt(p[:min(int64(len(p)), first.length-b.read)], b.read)
	if b.read += int64(n); b.read == first.length {
		b.next()
	}
	return n, err
}

// WriteTo implements io.WriterTo. A writer that is an io.ReaderFrom is handed the open files themselves.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	written := int64(0)
	for {
		for len(b.parts) > 0 {
			n, err := b.parts[0].writeTo(w, b.read)
			written, b.read = written+n, b.read+n
			if err != nil {
				return written, err
			}
			b.next()
		}
		if err := b.fill(); err == io.EOF {
			return written, nil
		} else if err != nil {
			return written, err
		}
	}
}

func (p *part) writeTo(w io.Writer, from int64) (int64, error) {
	if p.file == nil {
		n, err := w.Write(p.data[p.offset+from : p.offset+p.length])
		return int64(n), err
	}
	if _, err := p.file.Seek(p.offset+from, io.SeekStart); err != nil {
		return 0, err
	}
	return io.CopyN(w, p.file, p.length-from)
}

// Close implements io.Closer.
func (b *body) Close() error {
	for len(b.parts) > 0 {
		b.next()
	}
	return b.handle.close()
}
