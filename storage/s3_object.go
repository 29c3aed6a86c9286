package storage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	firstWindow = 256 << 10 // bytes asked for at the beginning of a run of reads
	lastWindow  = 64 << 20  // and at most: the run doubles it each time it goes on
	readBuffer  = 128 << 10 // bytes taken from the network at once for small reads
	maxSkip     = 256 << 10 // bytes that are read and thrown away rather than asked for anew
	maxCursors  = 4         // runs of reads of one object that are remembered
	smallObject = 256 << 10 // bytes; such an object is kept in memory once it is read
)

// s3Object is an open object. Reads of any kind go through cursors: a cursor is
// a running download. A read that begins where one of them stands (or a little
// after) goes on with it, so that reading from front to back, from several places
// at once too, is a few long downloads, and a single read is one exact one.
type s3Object struct {
	s    *S3
	key  Key
	name string
	size int64
	etag string
	date time.Time       // when it was last modified, as the server says
	ctx  context.Context // of Open: it bounds all reads; see Store
	stop context.CancelFunc

	seek   sync.Mutex // guards offset
	offset int64

	load    sync.Mutex // guards content; held while it is read
	content []byte     // of a small object

	mu     sync.Mutex // guards below
	idle   []*cursor  // the last is the one used last
	closed bool
}

func newS3Object(ctx context.Context, s *S3, key Key, head *s3.HeadObjectOutput) *s3Object {
	o := &s3Object{s: s, key: key, name: s.ObjectName(key), size: *head.ContentLength, etag: aws.ToString(head.ETag), date: aws.ToTime(head.LastModified).UTC()}
	o.ctx, o.stop = context.WithCancel(ctx)
	return o
}

// Size implements Object.
func (o *s3Object) Size() int64 { return o.size }

var _ Informed = (*s3Object)(nil)

// Info implements Informed.
func (o *s3Object) Info() Info { return Info{Key: o.key, Size: o.size, Modified: o.date} }

// Read implements Object.
func (o *s3Object) Read(p []byte) (int, error) {
	o.seek.Lock()
	defer o.seek.Unlock()
	n, err := o.readAt(p, o.offset, false)
	o.offset += int64(n)
	return n, err
}

// Seek implements Object.
func (o *s3Object) Seek(offset int64, whence int) (int64, error) {
	o.seek.Lock()
	defer o.seek.Unlock()
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += o.offset
	case io.SeekEnd:
		offset += o.size
	default:
		return 0, fmt.Errorf("seek in %s: unknown whence %d", o.key, whence)
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek in %s: before the beginning", o.key)
	}
	o.offset = offset
	return offset, nil
}

// ReadAt implements Object.
func (o *s3Object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read %s: before the beginning", o.key)
	}
	return o.readAt(p, off, true)
}

// Close implements Object. It ends reads that run.
func (o *s3Object) Close() error {
	o.mu.Lock()
	idle := o.idle
	again := o.closed
	o.idle, o.closed = nil, true
	o.mu.Unlock()
	o.stop()
	for _, c := range idle {
		c.close()
	}
	if again {
		return fmt.Errorf("close %s: %w", o.key, fs.ErrClosed)
	}
	return nil
}

// readAt reads at an offset: all of p, or what the network gives at once.
func (o *s3Object) readAt(p []byte, off int64, all bool) (n int, err error) {
	if o.size <= smallObject || off >= o.size {
		return o.readSmall(p, off)
	}
	c, err := o.take(off)
	if err != nil {
		return 0, err
	}
	if len(p) == 0 {
		o.put(c)
		return 0, nil
	}
	want := p[:min(int64(len(p)), o.size-off)]
	if n, err = c.read(want, off, all); err != nil {
		c.close()
		return n, err
	}
	o.put(c)
	if all && n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readSmall reads from the content in memory, which the first read fetches, or past the end.
func (o *s3Object) readSmall(p []byte, off int64) (int, error) {
	o.mu.Lock()
	closed := o.closed
	o.mu.Unlock()
	if closed {
		return 0, fmt.Errorf("read %s: %w", o.key, fs.ErrClosed)
	}
	if off >= o.size {
		return 0, io.EOF
	}
	o.load.Lock()
	defer o.load.Unlock()
	if o.content == nil {
		b := make([]byte, o.size)
		c := &cursor{o: o}
		defer c.close()
		if _, err := c.read(b, 0, true); err != nil {
			return 0, err
		}
		o.content = b
	}
	return bytes.NewReader(o.content).ReadAt(p, off)
}

// take returns the idle cursor that a read at off can go on with, or a new one.
func (o *s3Object) take(off int64) (*cursor, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, fmt.Errorf("read %s: %w", o.key, fs.ErrClosed)
	}
	best := -1
	for i, c := range o.idle {
		if c.at <= off && off-c.at <= maxSkip && (best < 0 || c.at > o.idle[best].at) {
			best = i
		}
	}
	if best < 0 {
		return &cursor{o: o, at: off, end: off}, nil
	}
	c := o.idle[best]
	o.idle = append(o.idle[:best], o.idle[best+1:]...)
	return c, nil
}

// put keeps a cursor for the read that follows.
func (o *s3Object) put(c *cursor) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		c.close()
		return
	}
	o.idle = append(o.idle, c)
	if len(o.idle) > maxCursors {
		o.idle[0].close()
		o.idle = append(o.idle[:0], o.idle[1:]...)
	}
}

// cursor is a download that stands at a place of an object. One goroutine uses it at a time.
type cursor struct {
	o      *s3Object
	at     int64 // of the next byte
	end    int64 // of what was asked for
	window int64 // bytes asked for last; 0: nothing yet
	body   io.ReadCloser
	buffer *bufio.Reader // of body; nil for large reads
}

func (c *cursor) close() {
	if c.body != nil {
		_ = c.body.Close() // nothing was written
	}
	c.body, c.buffer = nil, nil
}

// read reads into p from off on, which is not past the object's end. A download
// that breaks off is begun again where it broke, as often as a request may be tried without a byte coming.
func (c *cursor) read(p []byte, off int64, all bool) (n int, err error) {
	if off != c.at {
		if err := c.skip(off); err != nil {
			return 0, err
		}
	}
	for failures := 0; n < len(p); {
		m, err := c.some(p[n:])
		n += m
		if err == nil {
			failures = 0
			if !all {
				return n, nil
			}
			continue
		}
		if m > 0 {
			failures = 0
		}
		if failures++; failures >= c.o.s.cfg.Attempts || !again(err) {
			return n, c.o.fault(err)
		}
		if err := c.o.rest(failures, err); err != nil {
			return n, err
		}
	}
	return n, nil
}

// skip reads on to off; a fault there is met again by the read itself.
func (c *cursor) skip(off int64) error {
	if c.body != nil && off <= c.end {
		var err error
		if c.buffer != nil {
			_, err = io.CopyN(io.Discard, c.buffer, off-c.at)
		} else {
			_, err = io.CopyN(io.Discard, c.body, off-c.at)
		}
		if err == nil {
			c.at = off
			return nil
		}
	}
	c.close()
	c.at, c.end = off, off
	return nil
}

// some reads what comes at once. It asks for more of the object when what was asked for is used up.
func (c *cursor) some(p []byte) (int, error) {
	if c.at >= c.end {
		c.close()
	}
	if c.body == nil {
		if err := c.ask(int64(len(p))); err != nil {
			return 0, err
		}
	}
	p = p[:min(int64(len(p)), c.end-c.at)]
	var n int
	var err error
	if c.buffer != nil {
		n, err = c.buffer.Read(p)
	} else {
		n, err = c.body.Read(p)
	}
	c.at += int64(n)
	if c.at == c.end { // whatever it said: all is there
		c.close()
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		c.close()
	}
	return n, err
}

// ask begins a download at the cursor, of want bytes at least.
func (c *cursor) ask(want int64) error {
	o := c.o
	c.window = min(max(c.window*2, min(firstWindow, readAhead(want))), lastWindow)
	length := min(max(want, c.window), o.size-c.at)
	asked := fmt.Sprintf("bytes=%d-%d", c.at, c.at+length-1)
	out, err := o.s.client.GetObject(o.ctx, &s3.GetObjectInput{
		Bucket: &o.s.cfg.Bucket, Key: &o.name, Range: &asked, IfMatch: optional(o.etag),
	})
	if err != nil {
		if s := statusOf(err); s == http.StatusNotFound || s == http.StatusPreconditionFailed || s == http.StatusRequestedRangeNotSatisfiable {
			return fmt.Errorf("read %s: %w", o.key, ErrChanged)
		}
		return err
	}
	if err := o.same(out, c.at, length); err != nil {
		_ = out.Body.Close() // not read
		return err
	}
	c.body, c.end = out.Body, c.at+length
	if want < readBuffer {
		c.buffer = bufio.NewReaderSize(out.Body, int(min(readBuffer, length)))
	}
	return nil
}

// readAhead is how much a first read of want bytes asks for: small ones are of a
// parser that will want more, large ones of somebody who knows what he wants.
func readAhead(want int64) int64 {
	if want < 64<<10 {
		return firstWindow
	}
	return want
}

// same checks that an answer is of the object that was opened, and of the range
// that was asked for: some servers do not know If-Match, some read the version
// before they open the file.
func (o *s3Object) same(out *s3.GetObjectOutput, from, length int64) error {
	if o.etag != "" && out.ETag != nil && *out.ETag != o.etag {
		return fmt.Errorf("read %s: %w", o.key, ErrChanged)
	}
	start, end, size, ok := parseContentRange(aws.ToString(out.ContentRange))
	if !ok { // the whole object: fine when that was asked for
		if from == 0 && length == o.size && aws.ToInt64(out.ContentLength) == o.size {
			return nil
		}
		return fmt.Errorf("read %s: the server does not know ranges", o.key)
	}
	if size != o.size {
		return fmt.Errorf("read %s: %w", o.key, ErrChanged)
	}
	if start != from || end != from+length-1 {
		return fmt.Errorf("read %s: the server sent another range than was asked for", o.key)
	}
	return nil
}

// parseContentRange reads "bytes 0-9/100"; no other form is one of an answer to a range.
func parseContentRange(s string) (start, end, size int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	first, rest, ok1 := strings.Cut(rest, "-")
	last, total, ok2 := strings.Cut(rest, "/")
	if !ok || !ok1 || !ok2 {
		return 0, 0, 0, false
	}
	numbers := [3]int64{}
	for i, text := range []string{first, last, total} {
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return 0, 0, 0, false
		}
		numbers[i] = int64(n)
	}
	start, end, size = numbers[0], numbers[1], numbers[2]
	return start, end, size, start <= end && end < size
}

// again reports whether a download that failed may be begun again. Requests that
// failed were tried again by the client already: only what broke off afterwards is left.
func again(err error) bool {
	return brokeOff(err) && !isNetwork(err)
}

// rest waits before a download is begun again.
func (o *s3Object) rest(failures int, err error) error {
	wait := pause(failures)
	o.s.log.Debug("object store broke off; going on where it did", "object", string(o.key), "attempt", failures, "wait", wait, "error", o.s.plain(err))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-o.ctx.Done():
		return o.fault(o.ctx.Err())
	case <-timer.C:
		return nil
	}
}

// fault says what ended a read: a Close, the caller's context, or the server.
func (o *s3Object) fault(err error) error {
	if errors.Is(err, ErrChanged) {
		return err
	}
	o.mu.Lock()
	closed := o.closed
	o.mu.Unlock()
	if closed {
		return fmt.Errorf("read %s: %w", o.key, fs.ErrClosed)
	}
	return o.s.explain(o.ctx, "read "+string(o.key), err)
}
