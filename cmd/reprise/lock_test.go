package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestServerLockWaitsForADyingProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := lockServer(t.Context(), dir, systemClock{})
	if err != nil {
		t.Fatal(err)
	}
	freed := time.AfterFunc(300*time.Millisecond, first.free)
	defer freed.Stop()
	second, err := lockServer(t.Context(), dir, systemClock{})
	if err != nil {
		t.Fatalf("a restart right after a kill: %v", err)
	}
	defer second.free()
	if _, err := lockServer(t.Context(), dir, systemClock{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second server on the folder: %v", err)
	}
}

func TestWorkWaitsForATidyingProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "working.lock")
	first, err := lockFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	shared := make(chan error, 1)
	timer := time.AfterFunc(200*time.Millisecond, func() { shared <- first.share() })
	defer timer.Stop()
	second, err := lockWithin(t.Context(), path, true, time.Minute, systemClock{})
	if err != nil {
		t.Fatal(err)
	}
	second.free()
	if err := <-shared; err != nil {
		t.Error(err)
	}
	if _, err := lockWithin(t.Context(), path, false, 100*time.Millisecond, systemClock{}); !errors.Is(err, errInUse) {
		t.Errorf("a held lock: %v", err)
	}
	first.free()
}
