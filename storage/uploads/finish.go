package uploads

import (
	"context"
	"errors"
	"fmt"
	"time"

	"reprise/vod"
)

// finish makes an upload complete whose bytes are all stored: the object first,
// then the row, then word of it. Each step may be repeated after a kill. The
// bytes are compared with the announced checksum if their sum is known;
// otherwise (Hashed < Size) whoever takes the upload does that.
func (u *Uploads) finish(ctx context.Context, row *vod.Upload, s sink, sum *sum) error {
	if row.State != vod.UploadOpen {
		return nil
	}
	measured := sum.hex(row.Size)
	if measured != "" && row.SHA256 != "" && measured != row.SHA256 {
		u.deps.Log.Warn("an upload is refused: its bytes are not those announced", "upload_id", row.ID, "announced", row.SHA256, "sha256", measured)
		return errors.Join(u.refuse(ctx, row, reasonChecksum), ErrChecksum)
	}
	if err := s.finish(ctx); err != nil {
		return err
	}
	now := u.deps.Now().UTC()
	next, err := u.deps.Rows.UpdateUpload(ctx, row.ID, func(r *vod.Upload) error {
		if r.State != vod.UploadOpen {
			return errRefused(r.Reason)
		}
		r.State, r.Offset, r.Touched = vod.UploadComplete, r.Size, now
		r.Hash, r.Hashed = nil, 0
		if measured != "" {
			r.SHA256, r.Hashed = measured, r.Size
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("complete upload %s: %w", row.ID, err)
	}
	*row = next
	u.deps.Log.Info("an upload is complete", "upload_id", row.ID, "event_id", row.Event, "size", row.Size, "took", now.Sub(row.Created).Round(time.Second))
	u.tell(ctx, *row)
	return nil
}

// tell gives word of a complete upload. Should that fail, the next sweep does it.
func (u *Uploads) tell(ctx context.Context, row vod.Upload) {
	if err := u.deps.Finished(ctx, row); err != nil {
		u.deps.Log.Error("nobody knows of a complete upload yet; trying again with the next sweep", "upload_id", row.ID, "error", err)
	}
}

// refuse gives an upload up, for good: the row first, so that no one goes on
// with what is being removed, then the bytes. The row stays a while to say why.
func (u *Uploads) refuse(ctx context.Context, row *vod.Upload, reason string) error {
	now := u.deps.Now().UTC()
	next, err := u.deps.Rows.UpdateUpload(ctx, row.ID, func(r *vod.Upload) error {
		switch r.State {
		case vod.UploadTaken:
			return ErrTaken
		case vod.UploadRefused:
			return nil
		}
		r.State, r.Reason, r.Touched = vod.UploadRefused, reason, now
		r.Hash, r.Hashed = nil, 0
		return nil
	})
	if err != nil {
		return fmt.Errorf("give upload %s up: %w", row.ID, err)
	}
	*row = next
	if err := u.back.remove(ctx, row); err != nil {
		return fmt.Errorf("remove upload %s: %w", row.ID, err)
	}
	u.deps.Log.Info("an upload is given up", "upload_id", row.ID, "reason", row.Reason)
	return nil
}
