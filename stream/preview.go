package stream

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"reprise/event"
	"reprise/storage"
	"reprise/stream/timeline"
	"reprise/vod"
)

// film returns a recording; ErrNotFound for a slate, which has no length of its own, and for an unknown id.
func (p *Playout) film(id vod.MediaID) (*vod.Media, error) {
	m, err := p.shelf.get(id)
	switch {
	case errors.Is(err, vod.ErrNotFound):
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	case err != nil:
		return nil, err
	case m.Loop || m.Count <= 0:
		return nil, fmt.Errorf("%w: media %s is no recording", ErrNotFound, id)
	}
	return m, nil
}

// previewed returns the film that a preview's address names, if whoever asks may see it.
func (p *Playout) previewed(a Address) (*vod.Media, error) {
	m, err := p.film(a.Media)
	if err != nil {
		return nil, err
	}
	if a.Event != "" && !p.snapshot.Load().staffSees(a.Event, m.ID, m.Asset) {
		return nil, fmt.Errorf("%w: media %s for event %s", ErrNotFound, m.ID, a.Event)
	}
	return m, nil
}

// staffSees reports whether the staff of an event may see a media, or a film
// that nothing was made of yet: one of the event, or of no event.
func (s *snapshot) staffSees(ev event.ID, id vod.MediaID, asset vod.AssetID) bool {
	shows := func(e *eventState) bool {
		_, named := e.assets[asset]
		return named || len(e.airings[id]) > 0 || len(e.films[id]) > 0
	}
	own := s.events[ev]
	if own == nil || shows(own) {
		return own != nil
	}
	for other, e := range s.events {
		if other != ev && shows(e) {
			return false
		}
	}
	return true
}

// previewMoment shows a film whole. It knows no hour: its dates are left out.
func previewMoment(m *vod.Media) moment {
	whole := timeline.Entry{
		Source: timeline.Source{Kind: timeline.Recording, ID: string(m.ID)}, Count: m.Count, Nominal: m.Nominal, Last: m.Last,
	}
	return moment{
		window:  timeline.Window{Spans: []timeline.Span{{Entry: 0, From: 0, To: m.Count}}, EndList: true},
		entries: []timeline.Entry{whole},
		last:    int64(m.Count) - 1, until: never, vod: true,
	}
}

// previewMedia returns a media playlist of a preview. It never changes.
func (p *Playout) previewMedia(a Address, rendition string) (*Document, error) {
	m, err := p.previewed(a)
	if err != nil {
		return nil, err
	}
	base, iframes, ok := kindOf(rendition, nil)
	if !ok || m.Rendition(base) == nil {
		return nil, fmt.Errorf("%w: media %s has no rendition %q", ErrNotFound, m.ID, rendition)
	}
	v, err := p.documents.do(documentKey{a, rendition, false}, func() (*view, int64, error) {
		now := previewMoment(m)
		body, err := p.render(nil, &now, Preview, base, iframes, false)
		if err != nil {
			return nil, 0, err
		}
		doc := p.document(body, now.last)
		doc.Ended = true
		return &view{doc: doc, until: never}, int64(len(doc.Body)+len(doc.Gzip)) + 512, nil
	})
	if err != nil {
		return nil, err
	}
	return v.doc, nil
}

// previewMultivariant returns the multivariant playlist of a preview, of all or
// of the sound alone. It offers what the film has, and nothing else.
func (p *Playout) previewMultivariant(a Address, sound bool) (*Document, error) {
	film, err := p.previewed(a)
	if err != nil {
		return nil, err
	}
	now := previewMoment(film)
	text, err := p.texts.do(textKey{address: a, sound: sound}, func() (*multivariantText, int64, error) {
		m, err := p.shelf.summary(film.ID)
		if err != nil {
			return nil, 0, err
		}
		s := scope{entries: now.entries, media: []*summary{m}, empty: int64(len(p.empty))}
		return s.text(s.shapeOfFilm(), sound), textCost, nil
	})
	if err != nil {
		return nil, err
	}
	return p.finish(multivariantKey{a, sound}, text, noStart, true)
}

// shapeOfFilm offers what the one film of the scope has.
func (s scope) shapeOfFilm() shape {
	sh := shape{exact: true}
	m := s.media[0]
	for _, r := range rungs {
		if m.has(r.name) {
			sh.rungs = append(sh.rungs, r)
		}
	}
	beginWith(sh.rungs)
	for i := range m.renditions {
		switch kind, language, _ := strings.Cut(m.renditions[i].Name, "-"); kind {
		case "a":
			sh.audio = append(sh.audio, language)
		case "s":
			sh.captions = append(sh.captions, language)
		}
	}
	if len(sh.audio) > 0 {
		sh.fallback = sh.audio[0]
	}
	return sh
}

// PreviewFile returns a file of a media as File does, at any time, to somebody
// who was given leave for just this media.
func (p *Playout) PreviewFile(id vod.MediaID, rendition, name string) (File, error) {
	m, err := p.film(id)
	if err != nil {
		return File{}, err
	}
	n, err := nameIn(m, rendition, name)
	if err != nil {
		return File{}, err
	}
	f, err := p.named(m, n)
	f.Private = true
	return f, err
}

// SourceFile returns the film of an asset as it was handed in, in a form that
// browsers play; ErrNotFound when there is none. The event says whose staff
// asks, as in an Address.
func (p *Playout) SourceFile(ev event.ID, id vod.AssetID) (File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	a, err := p.deps.Library.Asset(ctx, id)
	if errors.Is(err, vod.ErrNotFound) || (err == nil && a.Source.Preview == "") {
		return File{}, fmt.Errorf("%w: film of asset %s", ErrNotFound, id)
	}
	if err != nil {
		return File{}, fmt.Errorf("load asset %s: %w", id, err)
	}
	if ev != "" && !p.snapshot.Load().staffSees(ev, "", id) {
		return File{}, fmt.Errorf("%w: asset %s for event %s", ErrNotFound, id, ev)
	}
	key := storage.Key(a.Source.Preview)
	size, err := p.objectSize(key)
	if errors.Is(err, storage.ErrNotFound) {
		return File{}, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	sum := strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(key))), 36)
	return File{ContentType: "video/mp4", ETag: `"` + string(a.Source.ID) + "-" + sum + `"`, Object: key, Length: size, Private: true}, err
}

// audioFile returns the language of the name audio-fr.m4a, "" for another name.
func audioFile(name string) string {
	language, ok := strings.CutPrefix(name, "audio-")
	if !ok || !strings.HasSuffix(language, ".m4a") {
		return ""
	}
	return strings.TrimSuffix(language, ".m4a")
}

// SoundOnly returns the multivariant playlist of the sound alone of an address
// at now, in all its languages, for those who listen. It is apart from the one
// with pictures, where some devices refuse variants without any (R038).
func (p *Playout) SoundOnly(a Address, now time.Time) (*Document, error) {
	return p.multivariant(a.normal(), now, true)
}
