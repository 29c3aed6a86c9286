package vod

import "context"

// Library is the store of assets and media; storage/db implements it.
//
// Every method returns ErrNotFound for an unknown id; all are safe for
// concurrent use, and what a method acknowledged survives a kill.
type Library interface {
	// CreateAsset adds a new asset. ErrConflict if the id exists.
	CreateAsset(ctx context.Context, a Asset) error
	// Asset returns one asset.
	Asset(ctx context.Context, id AssetID) (Asset, error)
	// Assets returns all assets, oldest first.
	Assets(ctx context.Context) ([]Asset, error)
	// UpdateAsset reads the asset, lets change alter it, and writes it, in one
	// transaction. An error of change is returned and nothing is written.
	UpdateAsset(ctx context.Context, id AssetID, change func(*Asset) error) (Asset, error)
	// DeleteAsset removes an asset with its media and reports. One that is not there is not an error.
	DeleteAsset(ctx context.Context, id AssetID) error
	// PutMedia stores a finished media (a slate: m.Asset is empty). For a
	// recording the asset becomes Ready with this Media and Revision in the
	// same transaction, and its First and Making are cleared. When m.Source is
	// not empty that is ErrConflict, and nothing is written, if the asset has
	// another source by now, or Making is another media's, or is nobody's and
	// the asset is ready: what woke up late undoes nothing. Putting the same id
	// again is not an error.
	PutMedia(ctx context.Context, m Media) error
	// PutFirst stores a Partial media and makes it the asset's First, in one
	// transaction: unless the asset has another source by now, or is ready with
	// this one (ErrConflict; nothing is written). Putting the same id again is not an error.
	PutFirst(ctx context.Context, m Media) error
	// PutReport stores the report on a source; one that exists is replaced.
	PutReport(ctx context.Context, r Report) error
	// Report returns the report on a source.
	Report(ctx context.Context, id SourceID) (Report, error)
	// Media returns one media.
	Media(ctx context.Context, id MediaID) (Media, error)
}
