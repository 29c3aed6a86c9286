package uploads

import (
	"context"
	"errors"
	"fmt"
	"time"

	"reprise/vod"
)

// Run sweeps now and again until ctx ends; then it breaks off what still runs.
func (u *Uploads) Run(ctx context.Context) error {
	// The second sweep comes soon: to the first one, uploads that died with a
	// process a moment ago look busy.
	tick := time.NewTimer(min(u.calm(), u.cfg.Sweep))
	defer tick.Stop()
	defer u.Interrupt()
	for {
		swept, err := u.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			u.deps.Log.Error("uploads are not swept whole; the rest waits for the next sweep", "error", err)
		case swept != (Swept{}):
			u.deps.Log.Info("uploads are swept", "finished", swept.Finished, "expired", swept.Expired, "forgotten", swept.Forgotten, "strays", swept.Strays)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			tick.Reset(u.cfg.Sweep)
		}
	}
}

// Swept is what a sweep did, counted in uploads; Strays in files, objects and unfinished objects.
type Swept struct {
	Finished  int // had all their bytes when a process died
	Expired   int // no byte came for too long
	Forgotten int // rows of taken and refused ones, after their time
	Strays    int // belonged to no row
}

// staleStore is a store that can drop what others began and never finished.
type staleStore interface {
	AbortStale(ctx context.Context, olderThan time.Duration) (int, error)
}

// Sweep finishes what died half way, gives up what nobody goes on with, and
// removes what no row names. Any number of nodes may do it at once.
func (u *Uploads) Sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	rows, err := u.deps.Rows.Uploads(ctx, "")
	if err != nil {
		return swept, fmt.Errorf("list uploads: %w", err)
	}
	for i := range rows {
		if ctx.Err() != nil {
			return swept, ctx.Err()
		}
		err = errors.Join(err, u.sweepRow(ctx, &rows[i], &swept))
	}
	n, strays := u.back.sweep(ctx, func(id vod.UploadID) (bool, error) {
		row, err := u.row(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		return row.State == vod.UploadOpen, err
	})
	swept.Strays += n
	err = errors.Join(err, strays)
	if store, ok := u.deps.Store.(staleStore); ok { // what Put began and a kill ended; ours never gets that old
		n, stale := store.AbortStale(ctx, u.lifetime()+24*time.Hour)
		swept.Strays += n
		err = errors.Join(err, stale)
	}
	return swept, err
}

// calm is how long no byte came of an upload that nobody is busy with.
func (u *Uploads) calm() time.Duration { return 2 * max(u.cfg.Lease, u.cfg.Idle) }

func (u *Uploads) sweepRow(ctx context.Context, row *vod.Upload, swept *Swept) error {
	quiet := u.deps.Now().Sub(row.Touched)
	kept := quiet < u.cfg.Keep
	switch row.State {
	case vod.UploadOpen:
		if quiet < u.calm() { // a request may be busy with it, and would be broken off
			return nil
		}
		return u.sweepOpen(ctx, row.ID, swept)
	case vod.UploadComplete:
		if kept && quiet > u.calm() { // or it was told a moment ago
			u.tell(ctx, *row)
		}
	case vod.UploadRefused:
		// Once more: the process may have died in between, or a part have come late.
		if kept && quiet > time.Hour {
			return nil
		}
		if err := u.back.remove(ctx, row); err != nil || kept {
			return err
		}
		swept.Forgotten++
		return u.deps.Rows.DeleteUpload(ctx, row.ID)
	case vod.UploadTaken:
		if !kept {
			swept.Forgotten++
			return u.deps.Rows.DeleteUpload(ctx, row.ID)
		}
	}
	return nil
}

// sweepOpen finishes an open upload that has all its bytes, or gives it up when
// its time is over. One that a request is busy with is left alone.
func (u *Uploads) sweepOpen(ctx context.Context, id vod.UploadID, swept *Swept) error {
	l := u.newLease(leaseName(id))
	free, err := l.try(ctx)
	if err != nil || !free {
		return err
	}
	defer func() { _ = l.Unlock() }() // never fails
	row, err := u.row(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && row.State != vod.UploadOpen {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := u.back.open(ctx, &row)
	switch {
	case err == nil && s.offset() == row.Size:
		if err = u.finish(ctx, &row, s, resume(&row, s)); err == nil || errors.Is(err, ErrChecksum) {
			swept.Finished++
			return nil
		}
		return fmt.Errorf("finish upload %s: %w", id, err)
	case err != nil && !errors.Is(err, ErrNotFound):
		return err // all of its bytes may be there: that is seen when the store answers
	case u.expired(&row):
		swept.Expired++
		return u.refuse(ctx, &row, reasonExpired)
	}
	return nil // nothing is left of it, and its row goes with its time; or it waits for its client
}
