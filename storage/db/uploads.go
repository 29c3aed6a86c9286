package db

import (
	"context"
	"database/sql"
	"errors"
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
	Created     time.Time       `json:"created,omitzero"`
	Touched     time.Time       `json:"touched,omitzero"`
	Expires     time.Time       `json:"expires,omitzero"`
}

func uploadBody(u *vod.Upload) (string, error) {
	u.Created, u.Touched, u.Expires = u.Created.UTC(), u.Touched.UTC(), u.Expires.UTC()
	return toJSON(uploadRow(*u))
}

func scanUpload(row scanner) (vod.Upload, error) {
	var (
		body string
		u    uploadRow
	)
	err := row.Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return vod.Upload{}, vod.ErrNotFound
	}
	if err != nil {
		return vod.Upload{}, err
	}
	err = fromJSON(body, &u)
	return vod.Upload(u), err
}

// CreateUpload implements vod.Uploads. Created is now when it is zero.
func (d *DB) CreateUpload(ctx context.Context, u vod.Upload) error {
	if u.Created.IsZero() {
		u.Created = d.now()
	}
	body, err := uploadBody(&u)
	if err != nil {
		return fmt.Errorf("create upload: %w", err)
	}
	err = d.write(ctx, func(tx *sql.Tx) error {
		added, err := one(ctx, tx, `INSERT INTO upload (id, event, created, body) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
			u.ID, u.Event, micros(u.Created), body)
		if err == nil && !added {
			err = vod.ErrConflict
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("create upload: %w", err)
	}
	return nil
}

// Upload implements vod.Uploads.
func (d *DB) Upload(ctx context.Context, id vod.UploadID) (vod.Upload, error) {
	u, err := scanUpload(d.sql.QueryRowContext(ctx, `SELECT body FROM upload WHERE id = $1`, id))
	if err != nil {
		return vod.Upload{}, fmt.Errorf("load upload: %w", err)
	}
	return u, nil
}

// Uploads implements vod.Uploads.
func (d *DB) Uploads(ctx context.Context, event string) ([]vod.Upload, error) {
	list, err := all(ctx, d.sql, scanUpload, `SELECT body FROM upload WHERE event = $1 OR $1 = '' ORDER BY created, id`, event)
	if err != nil {
		return nil, fmt.Errorf("load uploads: %w", err)
	}
	return list, nil
}

// UpdateUpload implements vod.Uploads. The id, the event and Created cannot be changed.
func (d *DB) UpdateUpload(ctx context.Context, id vod.UploadID, change func(*vod.Upload) error) (vod.Upload, error) {
	var after vod.Upload
	err := d.write(ctx, func(tx *sql.Tx) error {
		before, err := scanUpload(tx.QueryRowContext(ctx, `UPDATE upload SET event = event WHERE id = $1 RETURNING body`, id))
		if err != nil {
			return err
		}
		after = before
		if err := change(&after); err != nil {
			return err
		}
		after.ID, after.Event, after.Created = before.ID, before.Event, before.Created
		body, err := uploadBody(&after)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE upload SET body = $2 WHERE id = $1`, id, body)
		return err
	})
	if err != nil {
		return vod.Upload{}, fmt.Errorf("update upload: %w", err)
	}
	return after, nil
}

// DeleteUpload implements vod.Uploads.
func (d *DB) DeleteUpload(ctx context.Context, id vod.UploadID) error {
	if _, err := d.sql.ExecContext(ctx, `DELETE FROM upload WHERE id = $1`, id); err != nil {
		return fmt.Errorf("delete upload: %w", err)
	}
	return nil
}
