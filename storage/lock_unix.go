//go:build unix

package storage

import (
	"errors"
	"os"
	"syscall"
)

// lockFile waits for the lock of an open file. The kernel gives it back when
// the file is closed or the process dies, whatever kills it.
func lockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// tryLockFile takes the lock of an open file if nobody has it.
func tryLockFile(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
