package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"reprise/event"
	"reprise/storage"
	"reprise/stream/timeline"
	"reprise/vod"
)

// May tells whether a viewer may see a talk in an auditorium; the talk is empty
// for the slate between talks.
type May = func(event.AuditoriumID, event.TalkID) bool

// File returns a segment, an init segment or a picture of a media, by name:
// rendition is v720, a-fr, s-none, … or empty for poster.jpg, sprite-0.jpg,
// thumbnails.vtt and waveform.json, and, for staff, audio-fr.m4a.
//
// Embargo (R239): a segment is there from the instant at which it is listed in
// a feed or for a talk that may allows, an init segment with the first of its
// segments; before that the error is ErrNotListed. staff sees all media of the
// event, and those of no event, at any time. What may does not allow is
// ErrNotFound, and a talk's files are *Gone with its replay.
func (p *Playout) File(ev event.ID, id vod.MediaID, rendition, name string, now time.Time, may May, staff bool) (File, error) {
	s := p.snapshot.Load()
	e := s.events[ev]
	if e == nil || (!staff && len(e.airings[id]) == 0 && len(e.films[id]) == 0) {
		return File{}, fmt.Errorf("%w: media %s of event %s", ErrNotFound, id, ev)
	}
	m, err := p.shelf.get(id)
	switch {
	case errors.Is(err, vod.ErrNotFound):
		return File{}, fmt.Errorf("%w: %w", ErrNotFound, err)
	case err != nil:
		return File{}, err
	case staff && !s.staffSees(ev, id, m.Asset):
		return File{}, fmt.Errorf("%w: media %s of event %s", ErrNotFound, id, ev)
	}
	n, err := nameIn(m, rendition, name)
	if err != nil {
		return File{}, err
	}
	sealed := p.embargo(e, m, n.index, n.ticks, now, may)
	switch {
	case name == posterName && rendition == "" && e.mayAny(id, may):
		sealed = nil // it stands beside the programme
	case audioFile(name) != "" && rendition == "":
		sealed = fmt.Errorf("%w: %q of media %s", ErrNotFound, name, id)
	}
	if sealed != nil && !staff {
		return File{}, sealed
	}
	f, err := p.named(m, n)
	f.Private = sealed != nil
	return f, err
}

// fileName is a name of a media's file, understood.
type fileName struct {
	name      string
	picture   bool           // or what else belongs to the whole film
	rendition *vod.Rendition // nil: empty captions, or a picture
	index     int            // of the segment; anySegment for the init segment, allOfThem for a picture
	ticks     timeline.Ticks // of a slate's segment
}

// nameIn understands a name; ErrNotFound for one that the media did not make.
// Whether a picture is there is seen when it is asked for.
func nameIn(m *vod.Media, rendition, name string) (fileName, error) {
	if rendition == "" {
		return fileName{name: name, picture: true, index: allOfThem}, nil
	}
	r := m.Rendition(rendition)
	if r == nil && rendition != vod.Empty {
		return fileName{}, fmt.Errorf("%w: rendition %q of media %s", ErrNotFound, rendition, m.ID)
	}
	index, ticks, init, ok := m.ParseName(rendition, name)
	if !ok || (!init && !m.Loop && index >= m.Count) || (init && (r == nil || r.InitSize == 0)) {
		return fileName{}, fmt.Errorf("%w: %q of media %s", ErrNotFound, name, m.ID)
	}
	if init {
		index = anySegment
	}
	return fileName{name: name, rendition: r, index: index, ticks: ticks}, nil
}

// named returns the file of a name.
func (p *Playout) named(m *vod.Media, n fileName) (File, error) {
	if n.picture {
		return p.picture(m, n.name)
	}
	return p.file(m, n.rendition, n.name, n.index, n.ticks)
}

// What embargo is asked for beside a segment's index.
const (
	anySegment = -1 // listed with the first of the segments: the init segment
	allOfThem  = -2 // listed with the last of the segments: what shows the whole film
)

// embargo returns nil if segment index of a media (or anySegment, allOfThem) is
// listed somewhere for this viewer.
func (p *Playout) embargo(e *eventState, m *vod.Media, index int, ticks timeline.Ticks, now time.Time, may May) error {
	permitted, gone := false, false
	memo := memoMay{may: may}
	airings := e.airings[m.ID]
	for k, at := range airings {
		entry := &at.feed.journal.Entries[at.entry]
		i := index
		switch index {
		case anySegment:
			i = entry.From
		case allOfThem:
			if slices.ContainsFunc(airings[k+1:], func(later airing) bool {
				return at.feed == later.feed && at.feed.journal.Entries[later.entry].Talk == entry.Talk
			}) {
				continue // the talk goes on after a break
			}
			i = entry.From + entry.Count - 1
		}
		if i < entry.From || i >= entry.From+entry.Count || (index >= 0 && m.Loop && ticks != entry.SegmentTicks(i)) {
			continue
		}
		if !memo.allows(at.feed.Auditorium, event.TalkID(entry.Talk)) {
			continue
		}
		permitted = true
		then := at.feed.clock.peek(now)
		if entry.AirTime(i + 1).Add(-timeline.Lead).After(then) {
			continue
		}
		// A listed segment stays while a live window can hold it (R107).
		if at.feed.gone(then) && !entry.AirEnd().Add(p.cfg.Depth).After(then) {
			gone = true
			continue
		}
		return nil
	}
	switch {
	case gone:
		return &Gone{e.until}
	case permitted || (len(e.airings[m.ID]) == 0 && e.mayAny(m.ID, may)):
		return fmt.Errorf("%w: media %s", ErrNotListed, m.ID)
	}
	return fmt.Errorf("%w: media %s", ErrNotFound, m.ID)
}

// memoMay asks may once for a run of the same place and talk.
type memoMay struct {
	may   May
	room  event.AuditoriumID
	talk  event.TalkID
	asked bool
	is    bool
}

func (m *memoMay) allows(room event.AuditoriumID, talk event.TalkID) bool {
	if !m.asked || m.room != room || m.talk != talk {
		m.room, m.talk, m.asked, m.is = room, talk, true, m.may(room, talk)
	}
	return m.is
}

// mayAny reports whether the viewer may see any talk of the programme that shows the media.
func (e *eventState) mayAny(id vod.MediaID, may May) bool {
	for _, talk := range e.films[id] {
		if t := e.talks[talk]; may(t.Auditorium, t.ID) {
			return true
		}
	}
	return false
}

// file returns segment index, or the init segment for anySegment, of a rendition; nil is empty captions.
func (p *Playout) file(m *vod.Media, r *vod.Rendition, name string, index int, ticks timeline.Ticks) (File, error) {
	f := File{ETag: `"` + name + `"`}
	switch {
	case r == nil:
		f.ContentType, f.Bytes, f.Length = "text/vtt", p.empty, int64(len(p.empty))
		return f, nil
	case r.Kind == vod.Subtitles:
		f.ContentType = "text/vtt"
	case r.Kind == vod.Audio:
		f.ContentType = "audio/mp4"
	case index < 0:
		f.ContentType = "video/mp4"
	default:
		f.ContentType = "video/iso.segment"
	}
	switch {
	case index < 0:
		f.Object, f.Length = storage.Key(r.Object), r.InitSize
	case m.Loop:
		b, err := p.slateSegment(m, r, index, ticks)
		if err != nil {
			return File{}, err
		}
		f.Bytes, f.Length = b, int64(len(b))
	case index < len(r.Segments):
		f.Object, f.Offset, f.Length = storage.Key(r.Object), r.Segments[index].Offset, r.Segments[index].Size
	default:
		return File{}, fmt.Errorf("%w: segment %d of media %s", ErrNotFound, index, m.ID)
	}
	return f, nil
}

const posterName = "poster.jpg"

// picture returns a poster, a sprite or the list of sprites, or what else
// belongs to the whole film. The poster stands beside the programme; the others
// show the film to its end, and wait until all of it is listed: a slide is not
// seen before its hour, however small (R239).
func (p *Playout) picture(m *vod.Media, name string) (File, error) {
	f := File{ContentType: "image/jpeg", ETag: `"` + string(m.ID) + "-" + name + `"`}
	sprite, isSprite := strings.CutPrefix(name, "sprite-")
	number, err := strconv.Atoi(strings.TrimSuffix(sprite, ".jpg"))
	switch {
	case name == posterName:
		f.Object = storage.Key(m.Poster)
	case name == "thumbnails.vtt" && len(m.Sprites) > 0:
		f.ContentType, f.Bytes = "text/vtt", thumbnails(m)
		f.Length = int64(len(f.Bytes))
		return f, nil
	case isSprite && err == nil && number >= 0 && number < len(m.Sprites) && name == "sprite-"+strconv.Itoa(number)+".jpg":
		f.Object = storage.Key(m.Sprites[number])
	case name == "waveform.json":
		f.ContentType, f.Object = "application/json", storage.Key(m.Waveform)
	case audioFile(name) != "":
		f.ContentType, f.Object = "audio/mp4", storage.Key(m.Audio[audioFile(name)])
	}
	if f.Object == "" {
		return File{}, fmt.Errorf("%w: %q of media %s", ErrNotFound, name, m.ID)
	}
	f.Length, err = p.objectSize(f.Object)
	return f, err
}

// objectSize returns the whole size of a stored object.
func (p *Playout) objectSize(key storage.Key) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	o, err := p.deps.Objects.Open(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", key, err)
	}
	defer o.Close() //nolint:errcheck // opened for reading
	return o.Size(), nil
}

// Sprites are sheets of ten by ten pictures, one each ten seconds.
const (
	spriteEvery  = 10 * time.Second
	spriteRow    = 10
	spriteSheet  = spriteRow * spriteRow
	spriteWidth  = 160
	spriteHeight = 90
)

// thumbnails returns the WebVTT that says where in the sprites the picture of an instant is.
func thumbnails(m *vod.Media) []byte {
	b := []byte("WEBVTT\n")
	whole := m.Duration().Duration()
	for n := 0; time.Duration(n)*spriteEvery < whole && n/spriteSheet < len(m.Sprites); n++ {
		from := time.Duration(n) * spriteEvery
		to := min(from+spriteEvery, whole)
		x, y := n%spriteRow*spriteWidth, n%spriteSheet/spriteRow*spriteHeight
		b = fmt.Appendf(b, "\n%s --> %s\nsprite-%d.jpg#xywh=%d,%d,%d,%d\n", cueTime(from), cueTime(to), n/spriteSheet, x, y, spriteWidth, spriteHeight)
	}
	return b
}

func cueTime(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3600000, ms/60000%60, ms/1000%60, ms%1000)
}

// template is the one segment of a slate's rendition, with its init segment.
type template struct {
	init, segment []byte
}

type templateKey struct {
	media     vod.MediaID
	rendition string
}

// retimedKey names a segment made of a template.
type retimedKey struct {
	templateKey
	index int
	ticks timeline.Ticks
}

// slateSegment returns segment index, ticks long, of a slate's rendition.
func (p *Playout) slateSegment(m *vod.Media, r *vod.Rendition, index int, ticks timeline.Ticks) ([]byte, error) {
	key := retimedKey{templateKey{m.ID, r.Name}, index, ticks}
	b, err := p.retimed.do(key, func() (*[]byte, int64, error) {
		t, err := p.template(key.templateKey, r)
		if err != nil {
			return nil, 0, err
		}
		b, err := p.retime(nil, t.init, t.segment, index, int64(timeline.SlateNominal), int64(ticks))
		if err != nil {
			return nil, 0, fmt.Errorf("make segment %d of slate %s %s: %w", index, m.ID, r.Name, err)
		}
		return &b, int64(len(b)) + 128, nil
	})
	if err != nil {
		return nil, err
	}
	return *b, nil
}

// template reads a slate's template, once.
func (p *Playout) template(key templateKey, r *vod.Rendition) (*template, error) {
	return p.templates.do(key, func() (*template, int64, error) {
		if len(r.Segments) != 1 {
			return nil, 0, fmt.Errorf("slate %s %s has %d templates", key.media, key.rendition, len(r.Segments))
		}
		ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
		defer cancel()
		o, err := p.deps.Objects.Open(ctx, storage.Key(r.Object))
		if err != nil {
			return nil, 0, fmt.Errorf("open template of slate %s: %w", key.media, err)
		}
		defer o.Close() //nolint:errcheck // opened for reading
		t := &template{init: make([]byte, r.InitSize), segment: make([]byte, r.Segments[0].Size)}
		if _, err := io.ReadFull(io.NewSectionReader(o, 0, r.InitSize), t.init); err != nil {
			return nil, 0, fmt.Errorf("read init of slate %s: %w", key.media, err)
		}
		if _, err := io.ReadFull(io.NewSectionReader(o, r.Segments[0].Offset, r.Segments[0].Size), t.segment); err != nil {
			return nil, 0, fmt.Errorf("read template of slate %s: %w", key.media, err)
		}
		return t, int64(len(t.init)+len(t.segment)) + 128, nil
	})
}

// iframeSize returns how many bytes of a video segment hold its I-frame: the
// moof, the head of the mdat and the first sample (R180).
func (p *Playout) iframeSize(m *vod.Media, r *vod.Rendition, index int, ticks timeline.Ticks) (int64, error) {
	if !m.Loop {
		if index >= len(r.Segments) {
			return 0, fmt.Errorf("media %s %s has no segment %d", m.ID, r.Name, index)
		}
		return r.Segments[index].IFrame, nil
	}
	// The first sample is that of the template; the moof before it is as long as
	// there are samples, and as the length of the segment says how many there are,
	// that of any segment of the same length will do.
	t, err := p.template(templateKey{m.ID, r.Name}, r)
	if err != nil {
		return 0, err
	}
	b, err := p.slateSegment(m, r, 0, ticks)
	if err != nil {
		return 0, err
	}
	whole, made := headerSize(t.segment), headerSize(b)
	size := r.Segments[0].IFrame - whole + made
	if whole == 0 || made == 0 || size <= made || size > int64(len(b)) {
		return 0, fmt.Errorf("slate %s %s: no I-frame in a segment of %d ticks", m.ID, r.Name, ticks)
	}
	return size, nil
}

// headerSize returns how many bytes come before the payload of a segment's mdat; 0 if there is none.
func headerSize(segment []byte) int64 {
	for at := int64(0); at+8 <= int64(len(segment)); {
		size := int64(binary.BigEndian.Uint32(segment[at:]))
		if string(segment[at+4:at+8]) == "mdat" {
			return at + 8
		}
		if size < 8 {
			return 0
		}
		at += size
	}
	return 0
}
