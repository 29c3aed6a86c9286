package ingest

import (
	"context"
	"errors"
	"io"
	"time"

	"reprise/vod"
	"reprise/vod/webvtt"
)

var (
	// ErrCaptions is in the chain when a file of captions holds none that can be read; the findings say why.
	ErrCaptions = errors.New("ingest: no captions can be read")
	// ErrCaptionsSize is in the chain when a file of captions, or a text edited by hand, is over 16 MiB.
	ErrCaptionsSize = errors.New("ingest: captions are too large")
	// ErrLanguage is in the chain for what is not a BCP 47 language.
	ErrLanguage = errors.New("ingest: not a language")
	// ErrNoCaptions is in the chain when an asset has no captions in the language.
	ErrNoCaptions = errors.New("ingest: no captions in this language")
)

var errNotYet = errors.New("ingest: not built yet")

// CaptionsDraft is what a file of captions holds, before it is anybody's.
type CaptionsDraft struct {
	Cues     []webvtt.Cue  // in the order of their start
	Format   string        // webvtt srt ttml ass
	Encoding string        // utf-8 utf-16le utf-16be windows-1252 iso-8859-15 macintosh
	Language string        // BCP 47, when the file says so
	Findings []vod.Finding // what was guessed, repaired or left out; a fatal one: nothing can be read
}

// ReadCaptions reads a file of captions and keeps nothing. The name is for the
// words of findings alone: what the bytes are decides. An error is one of r,
// of ctx, or ErrCaptionsSize: a file that holds no captions is a draft with a fatal finding.
func (g *Ingester) ReadCaptions(ctx context.Context, name string, r io.Reader) (CaptionsDraft, error) {
	return CaptionsDraft{}, errNotYet
}

// SetCaptions makes the file the asset's captions in language; earlier ones
// stay in the history. The findings are ReadCaptions' and what is wrong with the
// cues in this film (after its end, over one another, too fast to read). The
// viewers get them with the next Remake. ErrCaptions, ErrCaptionsSize, ErrLanguage, vod.ErrNotFound.
func (g *Ingester) SetCaptions(ctx context.Context, id vod.AssetID, language, name, by string, r io.Reader) (vod.Asset, []vod.Finding, error) {
	return vod.Asset{}, nil, errNotYet
}

// SetCues makes cues, edited by hand, the asset's captions in language. Text
// and settings are cleaned; times are as shown in the film: a shift is zero
// again. Errors as SetCaptions; ErrCaptions: no cue is left.
func (g *Ingester) SetCues(ctx context.Context, id vod.AssetID, language, by string, cues []webvtt.Cue) (vod.Asset, []vod.Finding, error) {
	return vod.Asset{}, nil, errNotYet
}

// ShiftCaptions says that the captions in language, as they came or were
// edited, are shown later by shift (earlier when negative). It is the whole
// shift, not one more. ErrNoCaptions.
func (g *Ingester) ShiftCaptions(ctx context.Context, id vod.AssetID, language, by string, shift time.Duration) (vod.Asset, []vod.Finding, error) {
	return vod.Asset{}, nil, errNotYet
}

// RemoveCaptions takes the captions in language away, also those that came
// beside or inside the film. ErrNoCaptions when there are none.
func (g *Ingester) RemoveCaptions(ctx context.Context, id vod.AssetID, language, by string) (vod.Asset, error) {
	return vod.Asset{}, errNotYet
}

// Cues returns the captions of an asset in language as the film shows them,
// shifted, and where they come from: given or edited, else beside the film, else inside it. ErrNoCaptions.
func (g *Ingester) Cues(ctx context.Context, id vod.AssetID, language string) ([]webvtt.Cue, vod.Captions, error) {
	return nil, vod.Captions{}, errNotYet
}

// CaptionLanguages lists the captions of an asset, by language, without reading them.
func (g *Ingester) CaptionLanguages(ctx context.Context, id vod.AssetID) ([]vod.Captions, error) {
	return nil, errNotYet
}

// recaption makes the captions renditions of media id from those of old, which
// is of the same source: languages that Extras speak of are made anew with
// their shift or left out, the others are old's, objects and all.
func (g *Ingester) recaption(ctx context.Context, a vod.Asset, old *vod.Media, id vod.MediaID) ([]vod.Rendition, []vod.Finding, error) {
	return nil, nil, errNotYet
}
