package stream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"reprise/event"
	"reprise/stream/timeline"
	"reprise/vod"
)

// loadTimeout bounds a read of the library that a request waits for.
const loadTimeout = 10 * time.Second

// rungs are the video renditions a feed can have, high to low, with their size.
var rungs = [...]rung{
	{"v1080", 1920, 1080}, {"v720", 1280, 720}, {"v540", 960, 540}, {"v360", 640, 360}, {"v234", 416, 234},
}

type rung struct {
	name          string
	width, height int
}

// shelf reads media from the library and keeps those in use, and what little
// is needed of all of them.
type shelf struct {
	library   library
	media     *cache[vod.MediaID, vod.Media]
	summaries *cache[vod.MediaID, summary]
}

func newShelf(library library, limit int64) *shelf {
	return &shelf{
		library:   library,
		media:     newCache[vod.MediaID, vod.Media](limit),
		summaries: newCache[vod.MediaID, summary](limit),
	}
}

// get returns one media, from memory if it is there.
func (s *shelf) get(id vod.MediaID) (*vod.Media, error) {
	return s.media.do(id, func() (*vod.Media, int64, error) {
		ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
		defer cancel()
		m, err := s.library.Media(ctx, id)
		if err != nil {
			return nil, 0, fmt.Errorf("load media %s: %w", id, err)
		}
		cost := int64(1024)
		for i := range m.Renditions {
			cost += 256 + 24*int64(len(m.Renditions[i].Segments))
		}
		return &m, cost, nil
	})
}

// summary returns the summary of one media; the media itself need not stay in memory.
func (s *shelf) summary(id vod.MediaID) (*summary, error) {
	return s.summaries.do(id, func() (*summary, int64, error) {
		m, err := s.get(id)
		if err != nil {
			return nil, 0, err
		}
		return summarize(m), int64(512 + 320*len(m.Renditions)), nil
	})
}

// fill returns the rendition that stands for name in a media (R137, R235): the
// rung itself, else the nearest lower one, else the lowest; the language
// itself, else the media's own sound. nil stands for empty captions, and for
// sound that there is none of.
func fill(m *vod.Media, name string) *vod.Rendition {
	if i := fillIndex(len(m.Renditions), func(i int) *vod.Rendition { return &m.Renditions[i] }, name); i >= 0 {
		return &m.Renditions[i]
	}
	return nil
}

// fillIndex is fill over any list of n renditions; -1 for none.
func fillIndex(n int, at func(int) *vod.Rendition, name string) int {
	first := func(match func(*vod.Rendition) bool) int {
		for i := range n {
			if match(at(i)) {
				return i
			}
		}
		return -1
	}
	exact := first(func(r *vod.Rendition) bool { return r.Name == name })
	if exact >= 0 || strings.HasPrefix(name, "s-") {
		return exact
	}
	if low := strings.HasPrefix(name, "al-"); low || strings.HasPrefix(name, "a-") {
		kind := name[:strings.IndexByte(name, '-')+1]
		if i := first(func(r *vod.Rendition) bool { return strings.HasPrefix(r.Name, kind) }); i >= 0 && !low {
			return i
		} else if low {
			// The same language at another rate is better than another language.
			if j := first(func(r *vod.Rendition) bool { return r.Name == "a-"+name[3:] }); j >= 0 {
				return j
			}
			if i >= 0 {
				return i
			}
		}
		return first(func(r *vod.Rendition) bool { return r.Kind == vod.Audio })
	}
	height := rungHeight(name)
	best := -1
	for i := range n {
		r := at(i)
		if r.Kind != vod.Video {
			continue
		}
		h := rungHeight(r.Name)
		switch {
		case best < 0:
			best = i
		case betterRung(h, rungHeight(at(best).Name), height):
			best = i
		}
	}
	return best
}

// betterRung reports whether height a stands better for want than b: the highest not above it, else the lowest.
func betterRung(a, b, want int) bool {
	if (a <= want) != (b <= want) {
		return a <= want
	}
	if a <= want {
		return a > b
	}
	return a < b
}

// rungHeight returns the lines of a video rendition's name, 0 for another name.
func rungHeight(name string) int {
	for _, r := range rungs {
		if r.name == name {
			return r.height
		}
	}
	return 0
}

// kindOf tells what a rendition name of a feed with these languages asks for:
// base is the name to look for in a media, iframes is true for an I-frame
// playlist. ok is false for a name that no feed has. Without languages any will do.
func kindOf(name string, languages []event.Language) (base string, iframes, ok bool) {
	if strings.HasPrefix(name, "i") {
		base = "v" + name[1:]
		return base, true, rungHeight(base) > 0
	}
	if rungHeight(name) > 0 {
		return name, false, true
	}
	kind, language, _ := strings.Cut(name, "-")
	if kind != "a" && kind != "al" && kind != "s" {
		return "", false, false
	}
	return name, false, languages == nil || slices.Contains(languages, event.Language(language))
}

// summary is what is needed of a media when it is not in a window: for plans,
// multivariant playlists and the programme.
type summary struct {
	nominal    timeline.Ticks
	last       timeline.Ticks
	count      int
	poster     string // storage key
	sprites    bool
	ladder     []string // of a first rendition: the pictures that the whole media will have
	chapters   []string
	renditions []renditionSummary
}

type renditionSummary struct {
	vod.Rendition // without Segments
	rate, iRate   rate
	sizes, iSizes ends
}

// ends are the sizes of the first and the last segments of a rendition, in
// bytes: as many as can share a run with segments of another entry.
type ends struct {
	head, tail [endSegments]int64
}

const endSegments = 3

func summarize(m *vod.Media) *summary {
	s := &summary{nominal: m.Nominal, last: m.Last, count: m.Count, poster: m.Poster, sprites: len(m.Sprites) > 0, ladder: m.Ladder}
	for _, c := range m.Chapters {
		s.chapters = append(s.chapters, c.Title)
	}
	for i := range m.Renditions {
		r := &m.Renditions[i]
		rs := renditionSummary{Rendition: *r}
		rs.Segments = nil
		size := func(i int) int64 { return r.Segments[i].Size }
		iSize := func(i int) int64 { return r.Segments[i].IFrame }
		if len(r.Segments) == 0 {
			continue
		}
		if m.Loop {
			size = func(int) int64 { return r.Segments[0].Size }
			iSize = func(int) int64 { return r.Segments[0].IFrame }
		}
		rs.rate, rs.sizes = measure(m, size)
		rs.iRate, rs.iSizes = measure(m, iSize)
		s.renditions = append(s.renditions, rs)
	}
	return s
}

// fill is fill over a summary.
func (s *summary) fill(name string) *renditionSummary {
	i := fillIndex(len(s.renditions), func(i int) *vod.Rendition { return &s.renditions[i].Rendition }, name)
	if i < 0 {
		return nil
	}
	return &s.renditions[i]
}

// has reports whether there is a rendition of exactly that name.
func (s *summary) has(name string) bool {
	r := s.fill(name)
	return r != nil && r.Name == name
}
