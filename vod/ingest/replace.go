package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"reprise/vod"
)

// Reasons of vod.Revision.
const (
	reasonReplaced = "replaced"
	reasonExtras   = "extras"
	reasonRestored = "restored"
)

// Replace gives an asset a new source and makes it Uploaded; the old one goes
// into its history, with the media that was made of it. Media stays until
// Process has made the new one, and for good when that is refused; a process
// that works on the old source stops at its next step. What people said of the
// old film (Extras) stays: most new films are the old ones, corrected.
// Replacing a source by itself changes nothing.
func (g *Ingester) Replace(ctx context.Context, id vod.AssetID, s vod.Source) (vod.Asset, error) {
	if s.ID == "" || s.Object == "" {
		return vod.Asset{}, errors.New("replace film: a source needs an id and an object")
	}
	a, err := g.library.Asset(ctx, id)
	if err != nil {
		return vod.Asset{}, fmt.Errorf("replace film of %s: %w", id, err)
	}
	for {
		// What the media was made of is asked before the asset is locked: a change in between begins anew.
		old, err := g.revision(ctx, &a, reasonReplaced)
		if err != nil {
			return vod.Asset{}, fmt.Errorf("replace film of %s: %w", id, err)
		}
		now := g.now().UTC()
		b, err := g.library.UpdateAsset(ctx, id, func(b *vod.Asset) error {
			if b.Source.ID == s.ID {
				return nil
			}
			if b.Media != a.Media || b.Source.ID != a.Source.ID {
				a = *b
				return errChanged
			}
			remember(b, old, now)
			b.Source = s
			b.State, b.Percent, b.Progress, b.Verdict, b.Findings = vod.Uploaded, 0, vod.Progress{}, "", nil
			b.First, b.Making, b.Updated = "", "", now
			return nil
		})
		if errors.Is(err, errChanged) {
			continue
		}
		if err != nil {
			return vod.Asset{}, fmt.Errorf("replace film of %s: %w", id, err)
		}
		return b, nil
	}
}

// errChanged says that an asset changed between two looks at it.
var errChanged = errors.New("ingest: asset changed meanwhile")

// revision is the asset as it stands, for its history: with its media when that was made of its source.
func (g *Ingester) revision(ctx context.Context, a *vod.Asset, reason string) (vod.Revision, error) {
	r := vod.Revision{Source: a.Source, Extras: a.Extras, Verdict: a.Verdict, Findings: a.Findings, Reason: reason}
	if a.Media == "" {
		return r, nil
	}
	m, err := g.library.Media(ctx, a.Media)
	if err != nil {
		return r, fmt.Errorf("media of the asset: %w", err)
	}
	if m.Source == a.Source.ID || m.Source == "" && a.State == vod.Ready { // media of old did not say
		r.Media, r.Number, r.Extras = m.ID, m.Revision, m.Extras
	}
	return r, nil
}

// remember appends a revision to the history of an asset, once for each media,
// and drops the oldest. Its objects go with the next Sweep.
func remember(a *vod.Asset, r vod.Revision, now time.Time) {
	r.At = now
	history := slices.DeleteFunc(slices.Clone(a.History), func(h vod.Revision) bool { return h.Media != "" && h.Media == r.Media })
	history = append(history, r)
	a.History = history[max(0, len(history)-vod.MaxHistory):]
}

// nextRevision is the number of an asset's next media.
func nextRevision(a *vod.Asset) int {
	number := a.Revision
	for _, r := range a.History {
		number = max(number, r.Number)
	}
	return number + 1
}

// sameExtras compares what people said of a film.
func sameExtras(a, b vod.Extras) bool {
	one, err := json.Marshal(a)
	other, fault := json.Marshal(b)
	return err == nil && fault == nil && bytes.Equal(one, other)
}

// Restore brings a media of the asset's history back, with its source, extras
// and findings, and makes the asset Ready; what it was goes into the history.
// The media itself is put back, under its own id: nothing is made. ErrNotReady
// when the history has no such media. Restoring the media that the asset has
// gives up a film that was handed in later and is not ready, or was refused.
func (g *Ingester) Restore(ctx context.Context, id vod.AssetID, media vod.MediaID) (vod.Asset, error) {
	fail := func(err error) (vod.Asset, error) {
		return vod.Asset{}, fmt.Errorf("restore a film of %s: %w", id, err)
	}
	a, err := g.library.Asset(ctx, id)
	if err != nil {
		return fail(err)
	}
	for {
		old, err := g.revision(ctx, &a, reasonRestored)
		if err != nil {
			return fail(err)
		}
		now := g.now().UTC()
		b, err := g.library.UpdateAsset(ctx, id, func(b *vod.Asset) error {
			if b.Media != a.Media || b.Source.ID != a.Source.ID {
				a = *b
				return errChanged
			}
			if b.Media == media && b.State == vod.Ready {
				return nil
			}
			at := slices.IndexFunc(b.History, func(r vod.Revision) bool { return r.Media == media && media != "" })
			if at < 0 {
				return ErrNotReady
			}
			r := b.History[at]
			b.History = slices.Delete(slices.Clone(b.History), at, at+1)
			remember(b, old, now)
			b.Source, b.Extras, b.Verdict, b.Findings = r.Source, r.Extras, r.Verdict, r.Findings
			b.Media, b.Revision, b.State, b.Percent, b.Progress = r.Media, r.Number, vod.Ready, 100, vod.Progress{}
			b.First, b.Making, b.Updated = "", "", now
			return nil
		})
		if errors.Is(err, errChanged) {
			continue
		}
		if err != nil {
			return fail(err)
		}
		return b, nil
	}
}
