package uploads

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"reprise/storage"
	"reprise/vod"
)

const (
	pieceSize = 1 << 20   // bytes written at once
	syncEvery = 128 << 20 // bytes between two fsyncs, so that the last one need not wait for gigabytes
	fileMode  = 0o640
	dirMode   = 0o750
	suffix    = ".upload"
)

// diskBackend keeps an unfinished upload in a file of its own, which the store
// takes over when it is whole. How long the file is says how far the upload came.
type diskBackend struct {
	dir   string
	store storage.Store
	adopt storage.Adopter
}

func newDiskBackend(dir string, store storage.Store, adopt storage.Adopter) (*diskBackend, error) {
	if dir == "" {
		return nil, errors.New("no folder for unfinished files")
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("folder of unfinished files: %w", err)
	}
	return &diskBackend{dir: dir, store: store, adopt: adopt}, nil
}

func (b *diskBackend) path(id vod.UploadID) string {
	return filepath.Join(b.dir, string(id)+suffix)
}

// begin also looks whether the disk has room: it is better heard before the
// first byte than after forty gigabytes.
func (b *diskBackend) begin(_ context.Context, row *vod.Upload) error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(b.dir, &disk); err == nil && uint64(row.Size)/uint64(disk.Bsize) > disk.Bavail {
		return fmt.Errorf("%w in %s for %d bytes", storage.ErrNoSpace, b.dir, row.Size)
	}
	f, err := os.OpenFile(b.path(row.ID), os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return explain(err)
	}
	return explain(f.Close())
}

func (b *diskBackend) open(ctx context.Context, row *vod.Upload) (sink, error) {
	st, err := os.Stat(b.path(row.ID))
	if err == nil {
		return &diskSink{backend: b, row: row, at: min(st.Size(), row.Size)}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, explain(err)
	}
	return openWhole(ctx, b.store, row)
}

func (b *diskBackend) remove(ctx context.Context, row *vod.Upload) error {
	err := os.Remove(b.path(row.ID))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(explain(err), b.store.Delete(ctx, objectKey(row.ID)))
}

func (b *diskBackend) sweep(ctx context.Context, open func(vod.UploadID) (bool, error)) (int, error) {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return 0, explain(err)
	}
	n := 0
	for _, e := range entries {
		id, ours := cutSuffix(e.Name())
		if !ours || ctx.Err() != nil {
			continue
		}
		if keep, err := open(id); err != nil {
			return n, err
		} else if keep {
			continue
		}
		if err := os.Remove(b.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return n, explain(err)
		}
		n++
	}
	return n, ctx.Err()
}

// cutSuffix takes a file's name apart. Other files in the folder are none of ours.
func cutSuffix(name string) (vod.UploadID, bool) {
	if len(name) != idLength+len(suffix) || name[idLength:] != suffix || !validID(name[:idLength]) {
		return "", false
	}
	return vod.UploadID(name[:idLength]), true
}

// diskSink is the file of an upload.
type diskSink struct {
	backend *diskBackend
	row     *vod.Upload
	at      int64
}

func (s *diskSink) offset() int64 { return s.at }

// ReadAt lets a sum be taken up that a kill left behind.
func (s *diskSink) ReadAt(p []byte, off int64) (int, error) {
	f, err := os.Open(s.backend.path(s.row.ID))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(p, off)
}

// write puts the bytes where they belong, not at the end of the file: should a
// lost holder still write, it writes the same bytes to the same place.
func (s *diskSink) write(ctx context.Context, src io.Reader, sum *sum, stored func(progress) error) (err error) {
	f, err := os.OpenFile(s.backend.path(s.row.ID), os.O_WRONLY, 0)
	if err != nil {
		return explain(err)
	}
	defer func() {
		if err = errors.Join(err, explain(f.Close())); err == nil {
			err = stored(sum.at(s.at))
		}
	}()
	buf := make([]byte, pieceSize)
	synced := s.at
	for {
		n, readErr := readPiece(src, buf)
		written, err := f.WriteAt(buf[:n], s.at)
		sum.add(buf[:written])
		s.at += int64(written)
		if err != nil {
			return errors.Join(explain(err), f.Sync())
		}
		if s.at-synced >= syncEvery || readErr != nil {
			if err := f.Sync(); err != nil {
				return explain(err)
			}
			synced = s.at
		}
		switch {
		case errors.Is(readErr, io.EOF):
			return nil
		case readErr != nil:
			return readErr
		case ctx.Err() != nil:
			return errors.Join(context.Cause(ctx), f.Sync())
		}
		if err := stored(sum.at(s.at)); err != nil {
			return errors.Join(err, f.Sync())
		}
	}
}

// readPiece reads what comes with one read: what came should be stored before
// the next byte is waited for.
func readPiece(src io.Reader, buf []byte) (int, error) {
	for range 100 {
		if n, err := src.Read(buf); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

func (s *diskSink) finish(ctx context.Context) error {
	if _, err := s.backend.adopt.Adopt(ctx, objectKey(s.row.ID), s.backend.path(s.row.ID)); err != nil {
		return fmt.Errorf("make the object: %w", err)
	}
	return nil
}

// wholeSink is an upload whose object is there: the process died before its row said so.
type wholeSink struct {
	store storage.Store
	row   *vod.Upload
}

// openWhole finds the finished object of an upload.
func openWhole(ctx context.Context, store storage.Store, row *vod.Upload) (sink, error) {
	info, err := store.Stat(ctx, objectKey(row.ID))
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && info.Size != row.Size:
		return nil, ErrNotFound
	case err != nil:
		return nil, err
	}
	return &wholeSink{store: store, row: row}, nil
}

func (s *wholeSink) offset() int64 { return s.row.Size }

func (s *wholeSink) write(context.Context, io.Reader, *sum, func(progress) error) error { return nil }

func (s *wholeSink) finish(context.Context) error { return nil }

// explain makes a full disk storage.ErrNoSpace, as the disk store does.
func explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
	}
	return err
}
