//go:build unix

package cache

import (
	"os"
	"syscall"
)

// tryLock takes the lock of an open file if nobody has it. The kernel gives it
// back when the file is closed or the process dies.
func tryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// unlock gives the lock back at once: a child that is being started still has
// the file open for a moment after we have closed it.
func unlock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
}
