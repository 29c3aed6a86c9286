package api

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/storage"
	"reprise/stream"
	"reprise/vod"
)

// previewLife is how long the addresses of a preview work, also when the
// hand-in that they were given to is withdrawn meanwhile: a film has to fit.
const previewLife = 3 * time.Hour

// Preview is a film before its hour, for those who made it.
type Preview struct {
	URL     string    `json:"url,omitempty" doc:"multivariant playlist, relative to the server's root; holds a secret. Absent: nothing is made of the film yet" example:"/p/eyJ…/preview/aaaabbbbccccddddeeeeffff22/multivariant.m3u8"`
	Partial bool      `json:"partial" doc:"url shows the first rendition alone"`
	File    string    `json:"file,omitempty" doc:"the film as it came, in a form that browsers play; holds a secret. Absent: not in such a form"`
	Poster  string    `json:"poster,omitempty" doc:"holds a secret"`
	Expires time.Time `json:"expires_at" doc:"of the secret"`
}

type previewOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Preview
}

// preview answers POST /assets/{asset}/preview.
func (s *Server) preview(ctx context.Context, in *assetInput) (*previewOutput, error) {
	a, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	p, err := s.showPreview(ctx, &a, v)
	if err != nil {
		return nil, err
	}
	return &previewOutput{CacheControl: privateNoStore, Body: *p}, nil
}

// showPreview makes the addresses of what can be seen of an asset; errNotMade when there is nothing.
func (s *Server) showPreview(ctx context.Context, a *vod.Asset, v *sight) (*Preview, error) {
	m, err := s.playable(ctx, a)
	if err != nil {
		return nil, err
	}
	if m == nil && a.Source.Preview == "" {
		return nil, errNotMade
	}
	root, expires, err := s.previewRoot(a, v.caller)
	if err != nil {
		return nil, err
	}
	out := &Preview{Expires: expires}
	if m != nil {
		out.URL = root + string(stream.Preview) + "/" + string(m.ID) + "/" + multivariant + extension
		out.Partial = m.Partial
		if m.Poster != "" {
			out.Poster = root + "s/" + string(m.ID) + "/poster.jpg"
		}
	}
	if a.Source.Preview != "" {
		out.File = root + originalPath(a.ID)
	}
	return out, nil
}

// originalPath is where a film lies as it came, below /p/{token}/.
func originalPath(id vod.AssetID) string { return "source/" + string(id) + "/film.mp4" }

// playable returns the media that shows an asset, nil when there is none.
func (s *Server) playable(ctx context.Context, a *vod.Asset) (*vod.Media, error) {
	if a.Playable() == "" {
		return nil, nil
	}
	m, err := s.in.Library.Media(ctx, a.Playable())
	if errors.Is(err, vod.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// previewRoot returns the beginning of addresses that open an asset's media
// and file, and nothing else; no later than the link that asks for them.
func (s *Server) previewRoot(a *vod.Asset, c *caller) (root string, expires time.Time, err error) {
	expires = s.deps.Now().Add(previewLife)
	if c.claims.Expires.Before(expires) {
		expires = c.claims.Expires
	}
	expires = expires.UTC().Truncate(time.Second)
	scopes := []string{token.AssetScope(string(a.ID))}
	if media := a.Playable(); media != "" {
		scopes = append(scopes, token.MediaScope(string(media)))
	}
	tok, err := s.deps.Keyring.Mint(token.Claims{
		Event: string(c.event), Subject: c.owner(), Scopes: scopes, Lease: storage.RandomName()[:13], Kind: token.Playback, Expires: expires,
	})
	return prefix + tok + "/", expires, err
}

// MadeMedia is what was made of a film.
type MadeMedia struct {
	ID         vod.MediaID       `json:"id"`
	Revision   int               `json:"revision"`
	Partial    bool              `json:"partial" doc:"the first rendition alone; the rest is being made"`
	Duration   float64           `json:"duration" doc:"seconds"`
	Loudness   float64           `json:"loudness" doc:"LUFS of the first sound as viewers hear it; 0: not known"`
	Renditions []MadeRendition   `json:"renditions"`
	Chapters   []ChapterMark     `json:"chapters"`
	Poster     string            `json:"poster,omitempty" doc:"address, relative to the server's root; these addresses hold a secret"`
	Thumbnails string            `json:"thumbnails,omitempty" doc:"address of a WebVTT that lists the pictures for scrubbing"`
	Waveform   string            `json:"waveform,omitempty" doc:"address of JSON: {step, peaks}, peaks in base64, 255 is full scale"`
	Audio      map[string]string `json:"audio" doc:"by language: address of the sound alone (.m4a)"`
	Expires    time.Time         `json:"expires_at" doc:"of the secret in the addresses"`
}

// MadeRendition is one encoding of a film.
type MadeRendition struct {
	Name     string            `json:"name" example:"v720"`
	Kind     vod.RenditionKind `json:"kind" enum:"video,audio,subtitles"`
	Language event.Language    `json:"language,omitempty"`
	Codec    string            `json:"codec" example:"avc1.64001f"`
	Width    int               `json:"width,omitempty"`
	Height   int               `json:"height,omitempty"`
	Rate     float64           `json:"rate,omitempty" doc:"frames a second"`
	Bits     int64             `json:"bits" doc:"a second, on average"`
	Size     int64             `json:"size" doc:"bytes"`
	Copied   bool              `json:"copied" doc:"as it came, not encoded again"`
}

type madeOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         MadeMedia
}

// made answers GET /assets/{asset}/media.
func (s *Server) made(ctx context.Context, in *assetInput) (*madeOutput, error) {
	a, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	m, err := s.playable(ctx, &a)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errNotMade
	}
	root, expires, err := s.previewRoot(&a, v.caller)
	if err != nil {
		return nil, err
	}
	return &madeOutput{CacheControl: privateNoStore, Body: wireMedia(m, root, expires)}, nil
}

func wireMedia(m *vod.Media, root string, expires time.Time) MadeMedia {
	out := MadeMedia{
		ID: m.ID, Revision: m.Revision, Partial: m.Partial, Duration: m.Duration().Duration().Seconds(), Loudness: m.Loudness,
		Renditions: []MadeRendition{}, Chapters: wireChapters(m.Chapters), Audio: map[string]string{}, Expires: expires,
	}
	for i := range m.Renditions {
		out.Renditions = append(out.Renditions, wireRendition(&m.Renditions[i], out.Duration))
	}
	files := root + "s/" + string(m.ID) + "/"
	if m.Poster != "" {
		out.Poster = files + "poster.jpg"
	}
	if len(m.Sprites) > 0 {
		out.Thumbnails = files + "thumbnails.vtt"
	}
	if m.Waveform != "" {
		out.Waveform = files + "waveform.json"
	}
	for _, l := range slices.Sorted(maps.Keys(m.Audio)) {
		out.Audio[l] = files + "audio-" + l + ".m4a"
	}
	return out
}

func wireRendition(r *vod.Rendition, seconds float64) MadeRendition {
	out := MadeRendition{Name: r.Name, Kind: r.Kind, Language: event.Language(r.Language), Codec: r.Codec, Width: r.Width, Height: r.Height, Copied: r.Copied, Size: r.InitSize}
	for _, segment := range r.Segments {
		out.Size += segment.Size
	}
	if seconds > 0 {
		out.Bits = int64(float64(out.Size) * 8 / seconds)
	}
	if r.Frame > 0 {
		out.Rate = 1 / r.Frame.Duration().Seconds()
	}
	return out
}
