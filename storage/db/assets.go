package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"reprise/vod"
)

const assetColumns = `id, title, state, percent, verdict, findings, source, revision, media, created, updated`

func scanAsset(row scanner) (vod.Asset, error) {
	var (
		a                vod.Asset
		findings, source string
		created, updated int64
	)
	err := row.Scan(&a.ID, &a.Title, &a.State, &a.Percent, &a.Verdict, &findings, &source, &a.Revision, &a.Media, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return vod.Asset{}, vod.ErrNotFound
	}
	if err != nil {
		return vod.Asset{}, err
	}
	a.Created, a.Updated = instant(created), instant(updated)
	return a, errors.Join(fromJSON(findings, &a.Findings), fromJSON(source, &a.Source))
}

// assetArgs returns the values of assetColumns.
func assetArgs(a *vod.Asset) ([]any, error) {
	findings, err := toJSON(a.Findings)
	if err != nil {
		return nil, err
	}
	source, err := toJSON(a.Source)
	if err != nil {
		return nil, err
	}
	return []any{a.ID, a.Title, a.State, a.Percent, a.Verdict, findings, source, a.Revision, a.Media, micros(a.Created), micros(a.Updated)}, nil
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
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING`, args...)
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
	rows, err := d.sql.QueryContext(ctx, `SELECT `+assetColumns+` FROM asset ORDER BY created, id`)
	if err != nil {
		return nil, fmt.Errorf("load assets: %w", err)
	}
	defer rows.Close()
	var list []vod.Asset
	for rows.Next() {
		a, err := scanAsset(rows)
		if err != nil {
			return nil, fmt.Errorf("load assets: %w", err)
		}
		list = append(list, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("load assets: %w", err)
	}
	return list, nil
}

// UpdateAsset implements vod.Library; Updated becomes now. The id and Created
// cannot be changed. Version is raised when playout can see the difference
// (state, media), not for each percent of progress.
func (d *DB) UpdateAsset(ctx context.Context, id vod.AssetID, change func(*vod.Asset) error) (vod.Asset, error) {
	var after vod.Asset
	err := d.write(ctx, func(tx *sql.Tx) error {
		// Reading by UPDATE locks the row on every engine.
		before, err := scanAsset(tx.QueryRowContext(ctx, `UPDATE asset SET updated = updated WHERE id = $1 RETURNING `+assetColumns, id))
		if err != nil {
			return err
		}
		after = before
		if err := change(&after); err != nil {
			return err
		}
		after.ID, after.Created, after.Updated = before.ID, before.Created, instant(micros(d.now()))
		args, err := assetArgs(&after)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE asset SET title = $2, state = $3, percent = $4, verdict = $5,
			findings = $6, source = $7, revision = $8, media = $9, created = $10, updated = $11 WHERE id = $1`, args...); err != nil {
			return err
		}
		if before.State == after.State && before.Media == after.Media && before.Revision == after.Revision && before.Title == after.Title {
			return nil
		}
		return raise(ctx, tx)
	})
	if err != nil {
		return vod.Asset{}, fmt.Errorf("update asset %s: %w", id, err)
	}
	return after, nil
}
