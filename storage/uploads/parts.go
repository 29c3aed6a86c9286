package uploads

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"reprise/storage"
	"reprise/vod"
)

const (
	minPartSize     = 5 << 20 // S3's own bound, for all but the last
	defaultPartSize = 16 << 20
	maxParts        = 10_000
	readSize        = 256 << 10
)

// partsBackend keeps an unfinished upload as parts of its object to be, all of
// one size but the last (R2 asks for that). What does not fill a part yet lies
// beside them as an object of its own, the tail; its name says which part it
// will begin, so that it counts only while that part is not there. Parts are
// sent one after the other: what is there has no hole.
type partsBackend struct {
	dir      string // of the part being filled: a file that has no name
	partSize int64
	store    storage.Store
	parts    storage.Parter
}

func newPartsBackend(dir string, partSize int64, store storage.Store, parts storage.Parter) (*partsBackend, error) {
	if dir == "" {
		return nil, errors.New("no folder for parts on their way")
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("folder of parts on their way: %w", err)
	}
	return &partsBackend{dir: dir, partSize: partSize, store: store, parts: parts}, nil
}

// partSizeOf is the size of an upload's parts: that of the first one if it is
// there, as the configuration may have changed since.
func (b *partsBackend) partSizeOf(row *vod.Upload, parts []storage.Part) int64 {
	if len(parts) > 0 {
		return parts[0].Size
	}
	const unit = 1 << 20
	needed := (row.Size + maxParts - 1) / maxParts
	return max(b.partSize, (needed+unit-1)/unit*unit)
}

func tailKey(id vod.UploadID, parts int) storage.Key {
	return storage.Key(prefix + string(id) + "/tail." + strconv.Itoa(parts))
}

// cutTail takes a tail's key apart.
func cutTail(key storage.Key) (id vod.UploadID, ok bool) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(string(key), prefix), "/")
	return vod.UploadID(name), strings.HasPrefix(rest, "tail.") && validID(name)
}

func (b *partsBackend) begin(ctx context.Context, row *vod.Upload) error {
	_, err := b.parts.BeginParts(ctx, objectKey(row.ID))
	return err
}

// unfinished returns what the store calls an upload's object to be. Should a
// beginning have been sent twice, all nodes choose the same of the two.
func (b *partsBackend) unfinished(ctx context.Context, id vod.UploadID) ([]storage.Unfinished, error) {
	var found []storage.Unfinished
	err := b.parts.Unfinished(ctx, objectKey(id), func(u storage.Unfinished) error {
		if u.Key == objectKey(id) {
			found = append(found, u)
		}
		return nil
	})
	slices.SortFunc(found, func(a, b storage.Unfinished) int {
		return cmp.Or(a.Begun.Compare(b.Begun), strings.Compare(a.Name, b.Name))
	})
	return found, err
}

func (b *partsBackend) open(ctx context.Context, row *vod.Upload) (sink, error) {
	found, err := b.unfinished(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return openWhole(ctx, b.store, row)
	}
	s := &partsSink{backend: b, row: row, name: found[0].Name}
	parts, err := b.parts.Parts(ctx, objectKey(row.ID), s.name)
	if errors.Is(err, storage.ErrNotFound) { // made whole, or given up, this moment
		return openWhole(ctx, b.store, row)
	}
	if err != nil {
		return nil, err
	}
	for i, part := range parts {
		if part.Number != i+1 {
			break // a hole: what follows was never told, and is sent again
		}
		s.count++
		s.partsEnd += part.Size
	}
	s.partSize = b.partSizeOf(row, parts)
	tail, err := b.store.Stat(ctx, tailKey(row.ID, s.count))
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	s.tail = tail.Size
	if s.count == 0 { // begun with larger parts than are configured now
		s.partSize = max(s.partSize, s.tail)
	}
	return s, nil
}

func (b *partsBackend) remove(ctx context.Context, row *vod.Upload) error {
	found, err := b.unfinished(ctx, row.ID)
	for _, u := range found {
		err = errors.Join(err, b.parts.AbortParts(ctx, u.Key, u.Name))
	}
	return errors.Join(err, b.removeTails(ctx, row.ID), b.store.Delete(ctx, objectKey(row.ID)))
}

func (b *partsBackend) removeTails(ctx context.Context, id vod.UploadID) error {
	var keys []storage.Key
	err := b.store.List(ctx, storage.Key(prefix+string(id)+"/tail."), func(i storage.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	for _, key := range keys {
		err = errors.Join(err, b.store.Delete(ctx, key))
	}
	return err
}

// spoolName is how the names of spools begin, for the moment that they have one.
const spoolName = ".part-"

func (b *partsBackend) sweep(ctx context.Context, open func(vod.UploadID) (bool, error)) (int, error) {
	var stray []func() error
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return 0, explain(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), spoolName) { // of who was killed in that moment
			stray = append(stray, func() error { return os.Remove(filepath.Join(b.dir, e.Name())) })
		}
	}
	err = b.parts.Unfinished(ctx, prefix, func(u storage.Unfinished) error {
		name, rest, _ := strings.Cut(strings.TrimPrefix(string(u.Key), prefix), "/")
		if !validID(name) || rest != "film" {
			return nil
		}
		keep, err := open(vod.UploadID(name))
		if !keep && err == nil {
			stray = append(stray, func() error { return b.parts.AbortParts(ctx, u.Key, u.Name) })
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	err = b.store.List(ctx, prefix, func(i storage.Info) error {
		id, ok := cutTail(i.Key)
		if !ok {
			return nil
		}
		keep, err := open(id)
		if !keep && err == nil {
			stray = append(stray, func() error { return b.store.Delete(ctx, i.Key) })
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	for i, away := range stray {
		if err := away(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return i, err
		}
	}
	return len(stray), nil
}

// partsSink is an unfinished object.
type partsSink struct {
	backend  *partsBackend
	row      *vod.Upload
	name     string
	partSize int64
	count    int   // parts that are there
	partsEnd int64 // bytes in them
	tail     int64 // bytes after them
}

func (s *partsSink) offset() int64 { return s.partsEnd + s.tail }

// finish makes the object of the parts, as the store has them: that is asked
// anew, because a part may have been sent twice.
func (s *partsSink) finish(ctx context.Context) error {
	parts, err := s.backend.parts.Parts(ctx, objectKey(s.row.ID), s.name)
	if err != nil {
		return fmt.Errorf("make the object: %w", err)
	}
	var size int64
	for i, part := range parts {
		if size += part.Size; part.Number != i+1 {
			return fmt.Errorf("make the object: part %d is missing", i+1)
		}
	}
	if size != s.row.Size {
		return fmt.Errorf("make the object: its parts have %d bytes, not %d", size, s.row.Size)
	}
	if err := s.backend.parts.CompleteParts(ctx, objectKey(s.row.ID), s.name, parts); err != nil {
		return fmt.Errorf("make the object: %w", err)
	}
	return s.backend.removeTails(ctx, s.row.ID) // a sweep takes what stays
}

// spool is a part being filled, in a file without a name: nothing is left of it after a kill.
type spool struct {
	file  *os.File
	size  int64
	after progress // what is stored when it is
}

func (s *partsSink) newSpool() (*spool, error) {
	f, err := os.CreateTemp(s.backend.dir, spoolName)
	if err != nil {
		return nil, explain(err)
	}
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) { // a sweep may be faster
		return nil, errors.Join(err, f.Close())
	}
	return &spool{file: f}, nil
}

func (p *spool) clear() error {
	p.size = 0
	_, err := p.file.Seek(0, io.SeekStart)
	return errors.Join(err, p.file.Truncate(0))
}

// body reads the spool from its beginning, as often as a request is tried.
func (p *spool) body() *io.SectionReader { return io.NewSectionReader(p.file, 0, p.size) }

// partsWriter sends one request's bytes: one part is filled while the one before is sent.
type partsWriter struct {
	*partsSink
	sum     *sum
	stored  func(progress) error
	filling *spool
	spare   *spool
	latest  progress   // what is stored
	sending chan error // of the part on its way; nil: none
	sent    *spool
}

func (s *partsSink) write(ctx context.Context, src io.Reader, sum *sum, stored func(progress) error) (err error) {
	w := &partsWriter{partsSink: s, sum: sum, stored: stored, latest: sum.at(s.offset())}
	for _, p := range []**spool{&w.filling, &w.spare} {
		if *p, err = s.newSpool(); err != nil {
			return err
		}
		defer (*p).file.Close()
	}
	first := s.count
	defer func() { err = errors.Join(err, w.wait()) }() // no part outlives its request
	if err := w.takeTail(ctx); err != nil {
		return err
	}
	if err := w.fill(ctx, src); err != nil {
		return err
	}
	if err := w.wait(); err != nil {
		return err
	}
	if err := w.putTail(ctx); err != nil {
		return err
	}
	if s.count > first {
		if err := s.dropTail(ctx, first); err != nil {
			return err
		}
	}
	return stored(sum.at(s.offset()))
}

// takeTail begins the part to be filled with what is there of it. The tail
// stays until the part is stored: its bytes were acknowledged.
func (w *partsWriter) takeTail(ctx context.Context) error {
	if w.tail == 0 {
		return nil
	}
	o, err := w.backend.store.Open(ctx, tailKey(w.row.ID, w.count))
	if err != nil {
		return err
	}
	defer o.Close()
	if w.filling.size, err = io.Copy(w.filling.file, o); err != nil {
		return explain(err)
	}
	if w.filling.size != w.tail {
		return fmt.Errorf("the tail has %d bytes, not %d", w.filling.size, w.tail)
	}
	return nil
}

// fill reads src to its end into parts, and sends those that are full.
func (w *partsWriter) fill(ctx context.Context, src io.Reader) error {
	buf := make([]byte, readSize)
	end := w.offset() // of what was read
	for {
		full := w.filling.size == w.partSize || end == w.row.Size && w.filling.size > 0
		if full {
			if err := w.send(ctx); err != nil {
				return err
			}
		}
		n, readErr := readPiece(src, buf[:min(readSize, w.partSize-w.filling.size)])
		if _, err := w.filling.file.Write(buf[:n]); err != nil {
			w.sum.lose()
			return explain(err)
		}
		w.sum.add(buf[:n])
		w.filling.size += int64(n)
		end += int64(n)
		select {
		case err := <-w.sending: // nil: never
			if err := w.take(err); err != nil {
				return err
			}
		default:
			if err := w.stored(w.latest); err != nil { // not further, but alive
				return err
			}
		}
		switch {
		case errors.Is(readErr, io.EOF) && end == w.row.Size && w.filling.size > 0:
			return w.send(ctx)
		case errors.Is(readErr, io.EOF):
			return nil
		case readErr != nil:
			return readErr
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
	}
}

// send waits for the part on its way, sends the one that is full, and turns to the other.
func (w *partsWriter) send(ctx context.Context) error {
	if err := w.wait(); err != nil {
		return err
	}
	part, number := w.filling, w.count+1
	part.after = w.sum.at(w.partsEnd + part.size)
	w.filling, w.spare = w.spare, nil
	w.sent = part
	w.sending = make(chan error, 1)
	go func(done chan<- error) { // wait waits for it
		done <- w.backend.parts.PutPart(ctx, objectKey(w.row.ID), w.name, number, part.body(), part.size)
	}(w.sending)
	return nil
}

// wait waits for the part on its way.
func (w *partsWriter) wait() error {
	if w.sending == nil {
		return nil
	}
	return w.take(<-w.sending)
}

// take counts the part that was sent. The sum has gone past a part that failed: it is lost.
func (w *partsWriter) take(err error) error {
	part := w.sent
	w.sending, w.sent, w.spare = nil, nil, part
	if err != nil {
		w.sum.lose()
		return err
	}
	w.count++
	w.partsEnd += part.size
	w.tail = 0
	if err := part.clear(); err != nil {
		return explain(err)
	}
	w.latest = part.after
	return w.stored(w.latest)
}

// putTail stores what does not fill a part.
func (w *partsWriter) putTail(ctx context.Context) error {
	if w.filling.size == 0 || w.filling.size == w.tail {
		return nil
	}
	if _, err := w.backend.store.Put(ctx, tailKey(w.row.ID, w.count), w.filling.body()); err != nil {
		w.sum.lose()
		return err
	}
	w.tail = w.filling.size
	return nil
}

// dropTail removes the tail that a part has taken in.
func (s *partsSink) dropTail(ctx context.Context, count int) error {
	return s.backend.store.Delete(ctx, tailKey(s.row.ID, count))
}
