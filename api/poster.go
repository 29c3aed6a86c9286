package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // what a poster may be
	_ "image/png"
	"io"
	"log/slog"
	"math"
	"mime"
	"time"

	"reprise/vod"
	"reprise/vod/ingest"
)

const (
	maxPoster     = 8 << 20 // bytes
	leastPoster   = 320     // pixels a side
	mostPoster    = 8192
	mostPixels    = 40_000_000 // decoded that is 320 MB at most: one at a time
	posterTimeout = time.Minute
)

type posterInput struct {
	AssetPath
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte
}

// PosterTime chooses an instant of the film.
type PosterTime struct {
	At *float64 `json:"at" doc:"seconds from the beginning"`
}

// putPoster answers PUT /assets/{asset}/poster: an instant of the film, or a
// picture. The last one wins: a poster is looked at as a whole.
func (s *Server) putPoster(ctx context.Context, in *posterInput) (*assetOutput, error) {
	a, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	kind, _, err := mime.ParseMediaType(in.ContentType)
	if err != nil {
		return nil, errUnsupported
	}
	switch kind {
	case "application/json":
		return s.posterAt(ctx, &a, v, in.RawBody)
	case "image/jpeg", "image/png":
		return s.posterPicture(ctx, &a, v, in.RawBody)
	}
	return nil, errUnsupported
}

// posterAt takes a frame of the film.
func (s *Server) posterAt(ctx context.Context, a *vod.Asset, v *sight, body []byte) (*assetOutput, error) {
	var chosen PosterTime
	d := json.NewDecoder(io.LimitReader(bytes.NewReader(body), maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&chosen); err != nil || d.More() {
		return nil, errMalformed
	}
	length, err := s.lengthOf(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	at := chosen.At
	if at == nil || math.IsNaN(*at) || *at < 0 || *at > longestFilm || length > 0 && *at >= length.Seconds() {
		return nil, wrong("body.at", "hors de la vidéo", "not in the film")
	}
	return s.changePoster(ctx, a.ID, v, at, "")
}

// posterPicture makes a poster of a picture and takes it.
func (s *Server) posterPicture(ctx context.Context, a *vod.Asset, v *sight, body []byte) (*assetOutput, error) {
	if err := s.checkPicture(ctx, body); err != nil {
		return nil, err
	}
	key, err := s.in.Recordings.PutPicture(ctx, bytes.NewReader(body))
	if errors.Is(err, ingest.ErrPicture) {
		return nil, errPicture
	}
	if err != nil {
		return nil, fmt.Errorf("store poster: %w", err)
	}
	return s.changePoster(ctx, a.ID, v, nil, string(key))
}

// checkPicture decodes a picture whole, so that nothing unreadable gets to
// viewers, but no two at a time, and none that says that it is enormous.
func (s *Server) checkPicture(ctx context.Context, body []byte) error {
	size, format, err := image.DecodeConfig(bytes.NewReader(body))
	if err != nil || format != "jpeg" && format != "png" || min(size.Width, size.Height) < leastPoster ||
		max(size.Width, size.Height) > mostPoster || size.Width*size.Height > mostPixels {
		return errPicture
	}
	select {
	case s.pictures <- struct{}{}:
		defer func() { <-s.pictures }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, _, err := image.Decode(bytes.NewReader(body)); err != nil {
		return errPicture
	}
	return nil
}

// dropPoster answers DELETE /assets/{asset}/poster: the program chooses.
func (s *Server) dropPoster(ctx context.Context, in *assetInput) (*assetOutput, error) {
	_, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return s.changePoster(ctx, in.ID, v, nil, "")
}

// changePoster writes the choice down; a picture that nothing names any more goes with the next sweep.
func (s *Server) changePoster(ctx context.Context, id vod.AssetID, v *sight, at *float64, object string) (*assetOutput, error) {
	a, err := s.in.Library.UpdateAsset(ctx, id, func(a *vod.Asset) error {
		a.Extras.PosterAt, a.Extras.Poster = at, object
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.remake(ctx, &a); err != nil {
		return nil, err
	}
	s.audit(ctx, "change poster", slog.String("asset_id", string(id)))
	return s.answerAsset(ctx, &a, v)
}
