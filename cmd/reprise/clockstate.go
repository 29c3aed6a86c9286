package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// kernelClock is what the kernel knows of its clock's discipline.
type kernelClock struct {
	synchronised bool
	maxError     time.Duration
}

// clockState reads adjtimex(2), which needs no privilege for reading.
func clockState() (kernelClock, error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return kernelClock{}, fmt.Errorf("adjtimex: %w", err)
	}
	const timeError = 5 // TIME_ERROR of adjtimex(2): not synchronised
	return kernelClock{
		synchronised: state != timeError && t.Status&unix.STA_UNSYNC == 0,
		maxError:     time.Duration(t.Maxerror) * time.Microsecond,
	}, nil
}
