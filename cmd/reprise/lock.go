package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errInUse is returned when another process holds a lock.
var errInUse = errors.New("in use")

// fileLock is an advisory lock on a file; the kernel lets go of it when the
// process dies, however it dies. The file stays: removing it would let two
// processes lock two files of one name.
type fileLock struct{ file *os.File }

// lockFile takes the lock (shared or exclusive), or returns errInUse at once.
func lockFile(path string, shared bool) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errInUse
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &fileLock{file: f}, nil
}

// lockWithin takes the lock, asking again for a while; errInUse when it is still held then.
func lockWithin(ctx context.Context, path string, shared bool, while time.Duration, c clock) (*fileLock, error) {
	const pause = 50 * time.Millisecond
	for tries := while / pause; ; tries-- { // counted, for the clock of a test may stand still
		l, err := lockFile(path, shared)
		if !errors.Is(err, errInUse) || tries <= 0 {
			return l, err
		}
		if err := c.Wait(ctx, c.Now().Add(pause)); err != nil {
			return nil, fmt.Errorf("wait for %s: %w", path, err)
		}
	}
}

// waitForLock takes an exclusive lock, asking again until ctx ends.
func waitForLock(ctx context.Context, path string, c clock) (*fileLock, error) {
	for {
		l, err := lockFile(path, false)
		if !errors.Is(err, errInUse) {
			return l, err
		}
		if err := c.Wait(ctx, c.Now().Add(200*time.Millisecond)); err != nil {
			return nil, fmt.Errorf("wait for %s: %w", path, err)
		}
	}
}

// share lets others hold the lock too. It may fail, when another process was
// quicker in between; then the lock is lost.
func (l *fileLock) share() error {
	if err := syscall.Flock(int(l.file.Fd()), syscall.LOCK_SH); err != nil {
		return fmt.Errorf("share lock: %w", err)
	}
	return nil
}

// free lets go of the lock. Nothing was written that could be lost, so a fault of Close says nothing.
func (l *fileLock) free() {
	_ = l.file.Close()
}

// dying is how long a killed process may go on holding its locks: the kernel
// takes it apart after the kill has returned. Without this grace a restart
// right after kill -9 would be refused.
const dying = 2 * time.Second

// Waits for locks go by the machine's clock: other processes do, whatever hour this one is told.

// lockServer makes sure that one server runs on a data folder: two would both
// write journals and count the same jobs. The holder's process id is in the file.
func lockServer(ctx context.Context, dir string, c clock) (*fileLock, error) {
	path := filepath.Join(dir, "server.lock")
	l, err := lockWithin(ctx, path, false, dying, c)
	if errors.Is(err, errInUse) {
		holder := "another process"
		if content, err := os.ReadFile(path); err == nil && len(content) > 0 {
			holder = "process " + strings.TrimSpace(string(content))
		}
		return nil, fmt.Errorf("the data folder %s is in use: a reprise server (%s) runs on it; stop that one first, or give this one a folder of its own with --data DIR", dir, holder)
	}
	if err != nil {
		return nil, err
	}
	if err := l.file.Truncate(0); err != nil {
		l.free()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	if _, err := io.WriteString(l.file, strconv.Itoa(os.Getpid())+"\n"); err != nil {
		l.free()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return l, nil
}
