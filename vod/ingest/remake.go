package ingest

import (
	"context"

	"reprise/vod"
)

// Remake makes a new media of the asset's film with its changed extras. Nothing is encoded again.
func (g *Ingester) Remake(ctx context.Context, id vod.AssetID) error { return errUnbuilt }
