package db

import (
	"context"
	"errors"

	"reprise/vod"
)

var errComing = errors.New("db: not there yet")

// PutReport implements vod.Library.
func (d *DB) PutReport(context.Context, vod.Report) error { return errComing }

// Report implements vod.Library.
func (d *DB) Report(context.Context, vod.SourceID) (vod.Report, error) {
	return vod.Report{}, errComing
}

// PutFirst implements vod.Library.
func (d *DB) PutFirst(context.Context, vod.Media) error { return errComing }
