package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Adopt implements Adopter. A file of another file system is copied, then removed.
func (d *Disk) Adopt(ctx context.Context, key Key, path string) (Info, error) {
	if err := key.Validate(); err != nil {
		return Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return Info{}, fmt.Errorf("adopt %s: %w", key, context.Cause(ctx))
	}
	// The name itself must be a file: a link would be adopted as a link. O_NONBLOCK: opening a pipe must not wait.
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return Info{}, d.adoptFault(key, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Info{}, d.adoptFault(key, err)
	}
	if !st.Mode().IsRegular() {
		return Info{}, fmt.Errorf("adopt %s: not a regular file", key)
	}
	if err := errors.Join(f.Chmod(fileMode), f.Sync()); err != nil {
		return Info{}, d.adoptFault(key, err)
	}
	err = d.publish(path, key)
	if errors.Is(err, syscall.EXDEV) {
		info, err := d.Put(ctx, key, f)
		if err != nil {
			return Info{}, err
		}
		return info, d.adoptFault(key, os.Remove(path))
	}
	if err != nil {
		return Info{}, d.adoptFault(key, err)
	}
	// The old folder too: after a power cut the file must not be under both names.
	if err := errors.Join(d.syncFolders(filepath.Dir(d.path(key))), syncFolder(filepath.Dir(path))); err != nil {
		return Info{}, d.adoptFault(key, err)
	}
	return infoOf(key, st), nil
}

// adoptFault is explain for a file of which a missing one is no missing object.
func (d *Disk) adoptFault(key Key, err error) error {
	if missing(err) {
		return fmt.Errorf("adopt %s: no such file: %w", key, err)
	}
	return d.explain("adopt "+string(key), err)
}
