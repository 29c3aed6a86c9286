package db

import (
	"context"
	"fmt"

	"reprise/vod"
)

// PutReport implements vod.Library.
func (d *DB) PutReport(ctx context.Context, r vod.Report) error {
	r.Made = r.Made.UTC()
	body, err := toJSON(r)
	if err == nil {
		_, err = d.sql.ExecContext(ctx, `INSERT INTO report (source, asset, body) VALUES ($1, $2, $3)
			ON CONFLICT (source) DO UPDATE SET asset = excluded.asset, body = excluded.body`, r.Source, r.Asset, body)
	}
	if err != nil {
		return fmt.Errorf("put report on source %s: %w", r.Source, err)
	}
	return nil
}

// Report implements vod.Library.
func (d *DB) Report(ctx context.Context, id vod.SourceID) (vod.Report, error) {
	var (
		r    vod.Report
		body string
	)
	err := d.sql.QueryRowContext(ctx, `SELECT body FROM report WHERE source = $1`, id).Scan(&body)
	switch {
	case missing(err):
		err = vod.ErrNotFound
	case err == nil:
		err = fromJSON(body, &r)
	}
	if err != nil {
		return vod.Report{}, fmt.Errorf("load report on source %s: %w", id, err)
	}
	return r, nil
}
