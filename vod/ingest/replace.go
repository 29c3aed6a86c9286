package ingest

import (
	"context"

	"reprise/vod"
)

// Replace gives an asset a new source; the old one goes into its history. Its
// media stays until Process has made the new one.
func (g *Ingester) Replace(ctx context.Context, id vod.AssetID, s vod.Source) (vod.Asset, error) {
	return vod.Asset{}, errUnbuilt
}

// Restore brings a media of the asset's history back, with its source and extras.
func (g *Ingester) Restore(ctx context.Context, id vod.AssetID, media vod.MediaID) (vod.Asset, error) {
	return vod.Asset{}, errUnbuilt
}
