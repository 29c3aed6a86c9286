package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// copyPiece is how much is copied from file to file between two looks at the context.
const copyPiece = 4 << 20

// diskWriter writes a hidden file that Commit gives its name.
type diskWriter struct {
	ctx  context.Context // of the one operation that the writer is; checked at each write
	disk *Disk
	key  Key
	file *os.File
	err  error // first error: a writer that failed once cannot be committed
	done bool
}

// Create implements Creator. Once ctx ends, writes and Commit fail.
func (d *Disk) Create(ctx context.Context, key Key) (Writer, error) {
	w, err := d.create(ctx, key)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (d *Disk) create(ctx context.Context, key Key) (*diskWriter, error) {
	if err := key.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("put %s: %w", key, err)
	}
	f, err := os.OpenFile(filepath.Join(d.tmp, RandomName()), os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	if err != nil {
		return nil, d.explain("put "+string(key), err)
	}
	return &diskWriter{ctx: ctx, disk: d, key: key, file: f}, nil
}

// Write implements Writer; it appends to what Write wrote before, whatever WriteAt did.
func (w *diskWriter) Write(p []byte) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	n, err := w.file.Write(p)
	return n, w.fail(err)
}

// WriteAt implements Writer.
func (w *diskWriter) WriteAt(p []byte, off int64) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	n, err := w.file.WriteAt(p, off)
	return n, w.fail(err)
}

// readFrom copies all of r. From a file the kernel copies by itself, piece by piece.
func (w *diskWriter) readFrom(r io.Reader) error {
	if f, ok := r.(*os.File); ok {
		for {
			if err := w.ready(); err != nil {
				return err
			}
			_, err := io.CopyN(w.file, f, copyPiece)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if w.fail(err) != nil {
				return w.err
			}
		}
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return w.fail(err)
}

// ready says why the writer cannot take more, if it cannot.
func (w *diskWriter) ready() error {
	if w.done {
		return fmt.Errorf("put %s: %w", w.key, fs.ErrClosed)
	}
	if w.err == nil && w.ctx.Err() != nil {
		w.err = fmt.Errorf("put %s: %w", w.key, context.Cause(w.ctx))
	}
	return w.err
}

// fail remembers the first error.
func (w *diskWriter) fail(err error) error {
	if err != nil && w.err == nil {
		w.err = w.disk.explain("put "+string(w.key), err)
	}
	return w.err
}

// Commit implements Writer: bytes first, then the name, then the folders that
// hold the name. Any error before the rename leaves the key as it was.
func (w *diskWriter) Commit() (Info, error) {
	if err := w.ready(); err != nil {
		return Info{}, errors.Join(err, w.Abort())
	}
	w.fail(w.file.Sync())
	st, err := w.file.Stat()
	w.fail(err)
	if w.err != nil {
		return Info{}, errors.Join(w.err, w.Abort())
	}
	w.done = true
	if w.fail(w.file.Close()) == nil {
		w.fail(w.disk.publish(w.file.Name(), w.key))
	}
	if w.err != nil {
		os.Remove(w.file.Name())
		return Info{}, w.err
	}
	if err := w.disk.syncFolders(filepath.Dir(w.disk.path(w.key))); err != nil {
		return Info{}, w.disk.explain("put "+string(w.key), err)
	}
	return infoOf(w.key, st), nil
}

// publish gives a file of the same file system the name of key. A Delete at the same moment may take
// the folder away as empty, between the two steps: then once more.
func (d *Disk) publish(file string, key Key) error {
	path := d.path(key)
	for range 100 {
		err := os.MkdirAll(filepath.Dir(path), dirMode)
		if errors.Is(err, syscall.ENOTDIR) {
			return fmt.Errorf("%w: %s lies below another object", ErrInvalidKey, key)
		}
		if err == nil {
			err = os.Rename(file, path)
		}
		if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.EISDIR) {
			return fmt.Errorf("%w: other objects lie below %s", ErrInvalidKey, key)
		}
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("folder of %s is removed again and again", key)
}

// syncFolders makes the names on the way to dir durable, its own and those of
// the folders above, which may be new. The object is visible already, so a
// folder that a Delete took away meanwhile is no error.
func (d *Disk) syncFolders(dir string) error {
	for {
		if err := syncFolder(dir); err != nil {
			return err
		}
		if dir == d.root {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// syncFolder makes the names in dir durable; one that is gone is no error.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if missing(err) {
		return nil
	}
	return err
}

// Abort implements Writer. After Commit it does nothing, so that it can be deferred.
func (w *diskWriter) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	return w.disk.explain("abort "+string(w.key), errors.Join(w.file.Close(), os.Remove(w.file.Name())))
}
