package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"reprise/storage"
)

// TestRunAsksBehindTheReadersBack: readers never wait for the question, and the answer counts.
func TestRunAsksBehindTheReadersBack(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.origin.put("k", pattern("k", 4*kib))
	w.want(t, "k", 0, 4*kib)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, nil) }()
	w.origin.put("k", pattern("kx", 4*kib))
	w.clock.add(defaultRecheck + time.Second)
	for deadline := time.Now().Add(20 * time.Second); ; {
		got, err := w.read("k", 0, 4*kib)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(got, pattern("kx", 4*kib)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it is never noticed")
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestRunFetchesTheMostUrgentFirst also bounds how many requests it makes at once, and ends with its context.
func TestRunFetchesTheMostUrgentFirst(t *testing.T) {
	t.Parallel()
	turns, settled := 0, make(chan struct{})
	var w *world
	w = setup(t, func(c *Config) {
		c.ReadAhead = 2
		c.MaxBytes = 20 * (c.BlockSize + trailerSize)
		c.Wait = func(ctx context.Context, _ time.Time) error {
			// Only the first turn learns how large all is, and that there is no room for all.
			if turns++; turns < 3 {
				w.clock.add(turnEvery)
				return nil
			}
			close(settled)
			<-ctx.Done()
			return ctx.Err()
		}
	})
	var ranges []Range
	for i := range 12 {
		key := storage.Key(fmt.Sprintf("k%02d", i))
		w.origin.put(key, pattern(key, 8*kib))
		ranges = append(ranges, Range{Key: key, Length: -1})
	}
	ranges = slices.Insert(ranges, 3, Range{Key: "never", Length: 5})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, func(time.Time) []Range { return ranges }) }()
	<-settled
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if w.origin.most > 2 {
		t.Errorf("%d requests at once", w.origin.most)
	}
	w.origin.cut(errCut)
	for i := range 9 { // the last ones have no room
		w.want(t, storage.Key(fmt.Sprintf("k%02d", i)), 0, 8*kib)
	}
	if _, err := w.read("k11", 0, 8*kib); err == nil {
		t.Error("the least urgent was fetched though there is no room")
	}
}

// TestTheOriginIsCutForAWholeTalk: what was read ahead is served for as long as
// it is asked for, whatever else is read, and after a restart.
func TestTheOriginIsCutForAWholeTalk(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *Config) {
		c.Wait = func(ctx context.Context, _ time.Time) error { <-ctx.Done(); return ctx.Err() }
	})
	w.origin.put("talk", pattern("talk", 150*kib))
	w.origin.put("other", pattern("other", 400*kib))
	ahead := []Range{{Key: "talk", Length: -1}}
	for range 3 {
		if _, err := w.turn(t.Context(), ahead, w.clock.Now()); err != nil {
			t.Fatal(err)
		}
		w.want(t, "other", 0, 400*kib)
		w.clock.add(time.Minute)
	}
	w.origin.cut(errCut)
	for minute := range 90 {
		_, _ = w.turn(t.Context(), ahead, w.clock.Now())
		w.want(t, "talk", int64(minute)*kib, 60*kib)
		_, _ = w.read("other", int64(minute%100)*4*kib, 4*kib)
		w.clock.add(time.Minute)
		if minute == 45 {
			w.restart(t)
		}
	}
}
