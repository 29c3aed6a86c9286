package storage_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"reprise/storage"
	"reprise/storage/storagetest"
)

// partNames lists what is unfinished.
func partNames(t *testing.T, s storage.Parter, prefix storage.Key) []string {
	t.Helper()
	var names []string
	err := s.Unfinished(t.Context(), prefix, func(u storage.Unfinished) error {
		if u.Begun.IsZero() {
			t.Errorf("%s has no beginning", u.Key)
		}
		names = append(names, string(u.Key)+" "+u.Name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestS3Parter(t *testing.T) {
	t.Parallel()
	cfg := storagetest.StartGateway(t).Config("parts")
	cfg.Prefix = "Below"
	s := newS3(t, cfg)
	ctx := t.Context()
	name, err := s.BeginParts(ctx, "up/a/film")
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
	put := func(number int, b []byte) {
		t.Helper()
		if err := s.PutPart(ctx, "up/a/film", name, number, bytes.NewReader(b), int64(len(b))); err != nil {
			t.Fatal(err)
		}
	}
	put(2, []byte("short"))
	put(1, content[1:])
	put(1, content) // again, whole
	if names := partNames(t, s, "up/a/"); len(names) != 1 || names[0] != "up/a/film "+name {
		t.Errorf("unfinished: %q", names)
	}
	if names := partNames(t, s, "up/b/"); len(names) != 0 {
		t.Errorf("unfinished elsewhere: %q", names)
	}
	parts, err := s.Parts(ctx, "up/a/film", name)
	if err != nil || len(parts) != 2 || parts[0].Number != 1 || parts[0].Size != 5<<20 || parts[1].Size != 5 {
		t.Fatalf("parts %+v: %v", parts, err)
	}
	if err := s.CompleteParts(ctx, "up/a/film", name, parts); err != nil {
		t.Fatal(err)
	}
	o, err := s.Open(ctx, "up/a/film")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if got, err := io.ReadAll(o); err != nil || !bytes.Equal(got, append(content, "short"...)) {
		t.Errorf("%d bytes: %v", len(got), err)
	}
	// It is over now.
	if _, err := s.Parts(ctx, "up/a/film", name); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("parts of a whole object: %v", err)
	}
	if err := s.PutPart(ctx, "up/a/film", name, 3, strings.NewReader("x"), 1); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a part for a whole object: %v", err)
	}
	if err := s.AbortParts(ctx, "up/a/film", name); err != nil {
		t.Errorf("giving a whole object up: %v", err)
	}
	if err := s.PutPart(ctx, "up/a/film", name, 10_001, strings.NewReader("x"), 1); err == nil {
		t.Error("there is a part 10,001")
	}
}

// TestS3ManyParts: a server tells 1,000 parts at a time.
func TestS3ParterPages(t *testing.T) {
	t.Parallel()
	s := newS3(t, storagetest.StartGateway(t).Config("parts"))
	ctx := t.Context()
	name, err := s.BeginParts(ctx, "many")
	if err != nil {
		t.Fatal(err)
	}
	const count = 1010
	var wait sync.WaitGroup
	for first := range 4 {
		wait.Go(func() {
			for number := 1 + first; number <= count; number += 4 {
				if err := s.PutPart(ctx, "many", name, number, strings.NewReader("x"), 1); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	parts, err := s.Parts(ctx, "many", name)
	if err != nil || len(parts) != count {
		t.Fatalf("%d parts: %v", len(parts), err)
	}
	for i, p := range parts {
		if p.Number != i+1 {
			t.Fatalf("part %d is told as number %d", i+1, p.Number)
		}
	}
	for range 2 {
		if err := s.AbortParts(ctx, "many", name); err != nil {
			t.Errorf("give it up: %v", err)
		}
	}
	if names := partNames(t, s, ""); len(names) != 0 {
		t.Errorf("unfinished: %q", names)
	}
}
