package main

import (
	"context"
	"time"
)

// clock is the hour that everything below is told; tests set it.
// Safe for concurrent use.
type clock interface {
	// Now is the current instant.
	Now() time.Time
	// Wait returns nil at or after until, or the error of ctx if that ends first.
	Wait(ctx context.Context, until time.Time) error
}

// systemClock is the machine's clock.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Wait(ctx context.Context, until time.Time) error {
	d := time.Until(until)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
