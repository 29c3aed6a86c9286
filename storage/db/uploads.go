package db

import (
	"context"
	"fmt"
	"time"

	"reprise/vod"
)

// uploadRow is the stored form of an upload. It has its own type so that a field
// renamed in package vod does not lose what is stored.
type uploadRow struct {
	ID          vod.UploadID    `json:"id"`
	State       vod.UploadState `json:"state"`
	Reason      string          `json:"reason,omitempty"`
	Owner       string          `json:"owner,omitempty"`
	HandIn      string          `json:"handin,omitempty"`
	Event       string          `json:"event"`
	Talk        string          `json:"talk,omitempty"`
	Languages   []string        `json:"languages,omitempty"`
	Asset       vod.AssetID     `json:"asset,omitempty"`
	Name        string          `json:"name"`
	Type        string          `json:"type,omitempty"`
	Language    string          `json:"language,omitempty"`
	By          string          `json:"by,omitempty"`
	Fingerprint string          `json:"fingerprint,omitempty"`
	Size        int64           `json:"size"`
	Offset      int64           `json:"offset"`
	Object      string          `json:"object"`
	SHA256      string          `json:"sha256,omitempty"`
	Hash        []byte          `json:"hash,omitempty"`
	Hashed      int64           `json:"hashed,omitempty"`
	Placed      bool            `json:"placed,omitempty"`
	Created     time.Time       `json:"created,omitzero"`
	Touched     time.Time       `json:"touched,omitzero"`
	Expires     time.Time       `json:"expires,omitzero"`
}

func uploadRows() *documents[vod.Upload] {
	return &documents[vod.Upload]{
		table: "upload",
		head: func(u *vod.Upload) (id, event *string, created *time.Time) {
			return (*string)(&u.ID), &u.Event, &u.Created
		},
		pack: func(u *vod.Upload) (string, error) {
			u.Created, u.Touched, u.Expires = u.Created.UTC(), u.Touched.UTC(), u.Expires.UTC()
			return toJSON(uploadRow(*u))
		},
		unpack: func(body string, u *vod.Upload) error {
			var row uploadRow
			err := fromJSON(body, &row)
			*u = vod.Upload(row)
			return err
		},
		notFound: vod.ErrNotFound,
		conflict: vod.ErrConflict,
	}
}

// CreateUpload implements vod.Uploads. Created is now when it is zero.
func (d *DB) CreateUpload(ctx context.Context, u vod.Upload) error {
	if err := uploadRows().create(ctx, d, u); err != nil {
		return fmt.Errorf("create upload: %w", err)
	}
	return nil
}

// Upload implements vod.Uploads.
func (d *DB) Upload(ctx context.Context, id vod.UploadID) (vod.Upload, error) {
	u, err := uploadRows().get(ctx, d, string(id))
	if err != nil {
		return vod.Upload{}, fmt.Errorf("load upload: %w", err)
	}
	return u, nil
}

// Uploads implements vod.Uploads.
func (d *DB) Uploads(ctx context.Context, event string) ([]vod.Upload, error) {
	list, err := uploadRows().list(ctx, d, event)
	if err != nil {
		return nil, fmt.Errorf("load uploads: %w", err)
	}
	return list, nil
}

// UpdateUpload implements vod.Uploads. The id, the event and Created cannot be changed.
func (d *DB) UpdateUpload(ctx context.Context, id vod.UploadID, change func(*vod.Upload) error) (vod.Upload, error) {
	u, err := uploadRows().update(ctx, d, string(id), change)
	if err != nil {
		return vod.Upload{}, fmt.Errorf("update upload: %w", err)
	}
	return u, nil
}

// DeleteUpload implements vod.Uploads.
func (d *DB) DeleteUpload(ctx context.Context, id vod.UploadID) error {
	if _, err := d.sql.ExecContext(ctx, `DELETE FROM upload WHERE id = $1`, id); err != nil {
		return fmt.Errorf("delete upload: %w", err)
	}
	return nil
}
