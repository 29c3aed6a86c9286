package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	hidden   = ".tmp" // folder of what is being written; no key can name it
	fileMode = 0o640
	dirMode  = 0o750
)

// Disk is a Store in a folder: an object is the file of its key. It is also a
// Creator, a Filer and an Adopter.
//
// What is being written lies in a hidden folder of this process in the same
// file system, under a lock that dies with the process, and reaches its name by
// rename. NewDisk sweeps the folders of the dead and leaves those of the living
// alone, so that a server and a command-line import may share the folder.
//
// As objects are files, a key cannot lie below another object's key (a, a/b):
// Put returns ErrInvalidKey.
type Disk struct {
	root string
	tmp  string   // this process's hidden folder
	lock *os.File // held locked while tmp is in use
}

var (
	_ Store   = (*Disk)(nil)
	_ Creator = (*Disk)(nil)
	_ Filer   = (*Disk)(nil)
	_ Adopter = (*Disk)(nil)
)

// NewDisk opens the store in dir, makes the folder when there is none, and
// removes what killed processes left unfinished. Close it when done.
func NewDisk(dir string) (*Disk, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", dir, err)
	}
	d := &Disk{root: root}
	if err := os.MkdirAll(filepath.Join(root, hidden), dirMode); err != nil {
		return nil, d.explain("open object store", err)
	}
	if err := d.claim(); err != nil {
		return nil, d.explain("open object store", err)
	}
	return d, nil
}

// claim sweeps the hidden folders of dead processes and makes our own. One
// process at a time: without the outer lock a folder that was just made, but is
// not locked yet, would look dead.
func (d *Disk) claim() error {
	outer, err := os.OpenFile(filepath.Join(d.root, hidden, "lock"), os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	defer outer.Close()
	if err := lockFile(outer); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(d.root, hidden))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := sweep(filepath.Join(d.root, hidden, e.Name())); err != nil {
				return err
			}
		}
	}
	d.tmp = filepath.Join(d.root, hidden, RandomName())
	if err := os.Mkdir(d.tmp, dirMode); err != nil {
		return err
	}
	if d.lock, err = os.OpenFile(filepath.Join(d.tmp, "lock"), os.O_CREATE|os.O_RDWR, fileMode); err != nil {
		return err
	}
	return lockFile(d.lock)
}

// sweep removes the hidden folder of another process unless it lives.
func sweep(dir string) error {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
	if err == nil {
		defer lock.Close()
		if !tryLockFile(lock) {
			return nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(dir)
}

// Close gives up the hidden folder. Writers that are still open fail.
func (d *Disk) Close() error {
	return errors.Join(os.RemoveAll(d.tmp), d.lock.Close())
}

// Put implements Store. It cannot interrupt a Read of r that blocks: cancel that too.
func (d *Disk) Put(ctx context.Context, key Key, r io.Reader) (Info, error) {
	w, err := d.create(ctx, key)
	if err != nil {
		return Info{}, err
	}
	if err := w.readFrom(r); err != nil {
		return Info{}, errors.Join(err, w.Abort())
	}
	return w.Commit()
}

// Open implements Store.
func (d *Disk) Open(_ context.Context, key Key) (Object, error) {
	f, err := d.File(key)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(d.explain("open "+string(key), err), f.Close())
	}
	return object{File: f, size: st.Size()}, nil
}

// object is an open file whose size cannot change: objects are replaced by rename.
type object struct {
	*os.File
	size int64
}

func (o object) Size() int64 { return o.size }

// File implements Filer.
func (d *Disk) File(key Key) (*os.File, error) {
	if err := key.Validate(); err != nil {
		return nil, err
	}
	f, err := os.Open(d.path(key))
	if err != nil {
		return nil, d.explain("open "+string(key), err)
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("open %s: %w", key, errors.Join(ErrNotFound, err))
	}
	return f, nil
}

// Stat implements Store.
func (d *Disk) Stat(_ context.Context, key Key) (Info, error) {
	if err := key.Validate(); err != nil {
		return Info{}, err
	}
	st, err := os.Stat(d.path(key))
	if err != nil {
		return Info{}, d.explain("stat "+string(key), err)
	}
	if !st.Mode().IsRegular() {
		return Info{}, fmt.Errorf("stat %s: %w", key, ErrNotFound)
	}
	return infoOf(key, st), nil
}

func infoOf(key Key, st fs.FileInfo) Info {
	return Info{Key: key, Size: st.Size(), Modified: st.ModTime().UTC()}
}

// Delete implements Store. Folders that become empty go too.
func (d *Disk) Delete(_ context.Context, key Key) error {
	if err := key.Validate(); err != nil {
		return err
	}
	path := d.path(key)
	if st, err := os.Lstat(path); err == nil && st.IsDir() {
		return nil // a folder of other objects, not an object
	}
	if err := os.Remove(path); missing(err) {
		return nil
	} else if err != nil {
		return d.explain("delete "+string(key), err)
	}
	// Rmdir, not os.Remove: what became a file meanwhile must stay.
	for dir := filepath.Dir(path); dir != d.root; dir = filepath.Dir(dir) {
		if syscall.Rmdir(dir) != nil { // not empty, or gone already
			break
		}
	}
	return nil
}

// List implements Store. It holds the names of one folder, and of the folders above it, at a time.
func (d *Disk) List(ctx context.Context, prefix Key, yield func(Info) error) error {
	folder, start, err := splitPrefix(prefix)
	if err != nil {
		return err
	}
	return d.walk(ctx, folder, start, yield)
}

// walk yields what lies in folder ("" or "a/b/") under names that begin with start, in key order.
func (d *Disk) walk(ctx context.Context, folder, start string, yield func(Info) error) error {
	names, err := d.names(folder, start)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if strings.HasSuffix(name, "/") {
			err = d.walk(ctx, folder+name, "", yield)
		} else {
			var st fs.FileInfo
			if st, err = os.Lstat(filepath.Join(d.root, filepath.FromSlash(folder+name))); err == nil {
				err = yield(infoOf(Key(folder+name), st))
			} else if missing(err) {
				err = nil // deleted since the folder was read
			} else {
				err = d.explain("list "+folder, err)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// names returns the names in a folder that are part of keys, in key order;
// folders end in a slash, which also puts them where their keys belong ("a-b" < "a/b" < "a0").
func (d *Disk) names(folder, start string) ([]string, error) {
	f, err := os.Open(filepath.Join(d.root, filepath.FromSlash(folder)))
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, d.explain("list "+folder, err)
	}
	defer f.Close()
	var names []string
	for {
		entries, err := f.ReadDir(1024)
		for _, e := range entries {
			name := e.Name()
			if !strings.HasPrefix(name, start) || !validSegment(name) {
				continue
			}
			switch {
			case e.IsDir():
				names = append(names, name+"/")
			case e.Type().IsRegular():
				names = append(names, name)
			}
		}
		if errors.Is(err, io.EOF) || missing(err) {
			slices.Sort(names)
			return names, nil
		}
		if err != nil {
			return nil, d.explain("list "+folder, err)
		}
	}
}

func (d *Disk) path(key Key) string {
	return filepath.Join(d.root, filepath.FromSlash(string(key)))
}

// missing reports whether err says that there is no such file; a file where a
// folder is asked for (a/b when a is an object) says the same.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// explain wraps an error of the file system with what was being done and, when
// the operator can help, with what is wrong: errors.Is finds ErrNotFound,
// ErrNoSpace and fs.ErrPermission.
func (d *Disk) explain(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case missing(err):
		return fmt.Errorf("%s: %w", doing, ErrNotFound)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: %w on the disk of %s: %w", doing, ErrNoSpace, d.root, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s: this user (uid %d) may not write or read in %s: %w", doing, os.Getuid(), d.root, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
