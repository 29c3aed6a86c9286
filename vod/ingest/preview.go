package ingest

import (
	"context"

	"reprise/vod"
)

// Preview makes Source.Preview of an asset, if that takes no encoding of pictures.
func (g *Ingester) Preview(ctx context.Context, id vod.AssetID) error { return errUnbuilt }
