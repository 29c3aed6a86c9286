package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"reprise/vod"
)

const assetColumns = `id, title, state, percent, verdict, findings, source, revision, media, created, updated,
	progress, extras, history, first_media, making_media`

func scanAsset(row scanner) (vod.Asset, error) {
	var (
		a                         vod.Asset
		findings, source          string
		progress, extras, history string
		created, updated          int64
	)
	err := row.Scan(&a.ID, &a.Title, &a.State, &a.Percent, &a.Verdict, &findings, &source, &a.Revision, &a.Media, &created, &updated,
		&progress, &extras, &history, &a.First, &a.Making)
	if missing(err) {
		return vod.Asset{}, vod.ErrNotFound
	}
	if err != nil {
		return vod.Asset{}, err
	}
	a.Created, a.Updated = instant(created), instant(updated)
	err = errors.Join(fromJSON(findings, &a.Findings), fromJSON(source, &a.Source),
		fromJSON(progress, &a.Progress), fromJSON(extras, &a.Extras), fromJSON(history, &a.History))
	return a, err
}

// assetArgs returns the values of assetColumns.
func assetArgs(a *vod.Asset) ([]any, error) {
	var texts [5]string
	for i, v := range []any{a.Findings, a.Source, a.Progress, a.Extras, a.History[max(0, len(a.History)-vod.MaxHistory):]} {
		var err error
		if texts[i], err = toJSON(v); err != nil {
			return nil, err
		}
	}
	return []any{a.ID, sayable(a.Title), a.State, a.Percent, a.Verdict, texts[0], texts[1], a.Revision, a.Media, micros(a.Created), micros(a.Updated),
		texts[2], texts[3], texts[4], a.First, a.Making}, nil
}

// CreateAsset implements vod.Library. Created and Updated are now when they are zero.
func (d *DB) CreateAsset(ctx context.Context, a vod.Asset) error {
	if a.Created.IsZero() {
		a.Created = d.now()
	}
	if a.Updated.IsZero() {
		a.Updated = a.Created
	}
	args, err := assetArgs(&a)
	if err != nil {
		return fmt.Errorf("create asset %s: %w", a.ID, err)
	}
	err = d.write(ctx, func(tx *sql.Tx) error {
		added, err := one(ctx, tx, `INSERT INTO asset (`+assetColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (id) DO NOTHING`, args...)
		if err != nil {
			return err
		}
		if !added {
			return vod.ErrConflict
		}
		return raise(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("create asset %s: %w", a.ID, err)
	}
	return nil
}

// Asset implements vod.Library.
func (d *DB) Asset(ctx context.Context, id vod.AssetID) (vod.Asset, error) {
	a, err := scanAsset(d.sql.QueryRowContext(ctx, `SELECT `+assetColumns+` FROM asset WHERE id = $1`, id))
	if err != nil {
		return vod.Asset{}, fmt.Errorf("load asset %s: %w", id, err)
	}
	return a, nil
}

// Assets implements vod.Library.
func (d *DB) Assets(ctx context.Context) ([]vod.Asset, error) {
	list, err := all(ctx, d.sql, scanAsset, `SELECT `+assetColumns+` FROM asset ORDER BY created, id`)
	if err != nil {
		return nil, fmt.Errorf("load assets: %w", err)
	}
	return list, nil
}

// UpdateAsset implements vod.Library; Updated becomes now. The id and Created
// cannot be changed. Version is raised when playout can see the difference
// (title, state, media), not for each percent of progress.
func (d *DB) UpdateAsset(ctx context.Context, id vod.AssetID, change func(*vod.Asset) error) (vod.Asset, error) {
	var after vod.Asset
	err := d.write(ctx, func(tx *sql.Tx) error {
		before, err := lockAsset(ctx, tx, id)
		if err != nil {
			return err
		}
		after = before
		if err := change(&after); err != nil {
			return err
		}
		after.ID, after.Created, after.Updated = before.ID, before.Created, instant(micros(d.now()))
		if err := storeAsset(ctx, tx, &after); err != nil || !visible(&before, &after) {
			return err
		}
		return raise(ctx, tx)
	})
	if err != nil {
		return vod.Asset{}, fmt.Errorf("update asset %s: %w", id, err)
	}
	return after, nil
}

// lockAsset reads an asset that tx is about to change. Reading by UPDATE locks the row on every engine.
func lockAsset(ctx context.Context, tx *sql.Tx, id vod.AssetID) (vod.Asset, error) {
	return scanAsset(tx.QueryRowContext(ctx, `UPDATE asset SET updated = updated WHERE id = $1 RETURNING `+assetColumns, id))
}

// storeAsset writes an asset that lockAsset read.
func storeAsset(ctx context.Context, tx *sql.Tx, a *vod.Asset) error {
	args, err := assetArgs(a)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE asset SET title = $2, state = $3, percent = $4, verdict = $5,
		findings = $6, source = $7, revision = $8, media = $9, created = $10, updated = $11,
		progress = $12, extras = $13, history = $14, first_media = $15, making_media = $16 WHERE id = $1`, args...)
	return err
}

// visible tells whether playout sees the difference.
func visible(before, after *vod.Asset) bool {
	return before.State != after.State || before.Title != after.Title ||
		before.Media != after.Media || before.Revision != after.Revision || before.First != after.First
}

// DeleteAsset implements vod.Library.
func (d *DB) DeleteAsset(ctx context.Context, id vod.AssetID) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		// The lock comes first: a media that is put meanwhile would keep the asset from going.
		if _, err := lockAsset(ctx, tx, id); errors.Is(err, vod.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		for _, query := range []string{
			`DELETE FROM report WHERE asset = $1`, `DELETE FROM media WHERE asset = $1`, `DELETE FROM asset WHERE id = $1`,
		} {
			if _, err := tx.ExecContext(ctx, query, id); err != nil {
				return err
			}
		}
		return raise(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("delete asset %s: %w", id, err)
	}
	return nil
}
