package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"reprise/storage"
	"reprise/vod"
)

// tagOf returns the ETag of a value: equal values have equal tags, on every node.
func tagOf(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types
	}
	sum := sha256.Sum256(raw)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// Guard is the condition of a change that must not undo somebody else's. Exported, as huma fills only exported fields.
type Guard struct {
	IfMatch string `header:"If-Match" doc:"the ETag that was read, or * to overwrite whatever is there"`
}

// check compares the condition with what is there. Without one only what
// nobody has written yet may be written: fresh.
func (g *Guard) check(tag string, fresh bool) error {
	switch {
	case g.IfMatch == "" && fresh, g.IfMatch == "*":
		return nil
	case g.IfMatch == "":
		return errCondition
	}
	for item := range strings.SplitSeq(g.IfMatch, ",") {
		// A proxy that compresses makes tags weak: the value is the same all the same.
		if strings.TrimPrefix(strings.TrimSpace(item), "W/") == tag {
			return nil
		}
	}
	return errStale
}

// How long a change may hold others off, and how often those ask again.
const (
	changeLease = 30 * time.Second
	changeAsks  = 8
	changePause = 250 * time.Millisecond
)

// exclusively runs change while nobody else, on any node, runs one of that
// name: for changes that read in one step and write in another.
func (s *Server) exclusively(ctx context.Context, name string, change func() error) error {
	holder := storage.RandomName()
	for ask := 0; ; ask++ {
		now := s.deps.Now()
		ok, err := s.in.Uploads.AcquireLease(ctx, name, holder, now, now.Add(changeLease))
		if err != nil {
			return err
		}
		if ok {
			break
		}
		if ask == changeAsks {
			return errInUseNow
		}
		if err := s.deps.Wait(ctx, now.Add(changePause)); err != nil {
			return err
		}
	}
	changed := change()
	// Even for a client that left: the next one must not wait for the lease to run out.
	if err := s.in.Uploads.ReleaseLease(context.WithoutCancel(ctx), name, holder); err != nil && changed == nil {
		return err
	}
	return changed
}

// remake lets a changed film go to its viewers. The work on one that is being
// processed ends with it anyway; of one that was refused there is nothing to remake.
func (s *Server) remake(ctx context.Context, a *vod.Asset) error {
	if a.Media == "" || a.State != vod.Ready {
		return nil
	}
	return s.in.Jobs.Enqueue(ctx, JobRemake, string(a.ID), JobOptions{Urgent: true, Due: s.due(ctx, a.ID)})
}
