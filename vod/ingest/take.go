package ingest

import (
	"context"
	"errors"

	"reprise/vod"
)

// Taken is what became of an upload.
type Taken struct {
	Asset    vod.Asset
	Known    bool // the same bytes were here: Asset is what they made before
	Replaced bool // they are the new film of Asset
}

var (
	// ErrNotComplete is returned by Take for an upload whose bytes are not all here.
	ErrNotComplete = errors.New("ingest: upload is not complete")
	// ErrRefused is returned by Take for an upload whose bytes are not what was announced; its row says why.
	ErrRefused = errors.New("ingest: upload is refused")
)

// Take makes an asset of a complete upload, or replaces the film of the asset
// that the upload names.
func (g *Ingester) Take(ctx context.Context, uploads vod.Uploads, id vod.UploadID) (Taken, error) {
	return Taken{}, errUnbuilt
}

var errUnbuilt = errors.New("ingest: not built yet")
