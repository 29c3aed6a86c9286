package ingest

import (
	"context"
	"errors"

	"reprise/vod"
)

var (
	// ErrNoCommand is returned by GenerateCaptions when no command is configured.
	ErrNoCommand = errors.New("ingest: no command for captions is configured")
	// ErrNoSound is in the chain when an asset has no sound in the language, or none that is ready.
	ErrNoSound = errors.New("ingest: no sound in this language")
)

// GenerateCaptions asks Config.CaptionCommand for the captions of an asset's
// sound in language and makes them its captions; the viewers get them with the
// next Remake. progress may be nil; it gets 0 to 100.
func (g *Ingester) GenerateCaptions(ctx context.Context, id vod.AssetID, language string, progress func(percent float64)) error {
	return errNotYet
}
