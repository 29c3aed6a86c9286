package conformance

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/stream/hls"
	"reprise/stream/timeline"
)

var errNone = errors.New("no such playlist")

// fake is a node that renders a programme straight from its journals. Mutate,
// when set, spoils a playlist before it is printed.
type fake struct {
	feeds    []Feed
	journals map[string]timeline.Journal
	depth    time.Duration
	mutate   func(a Address, uri string, now time.Time, m *hls.Media)
	mutateMV func(a Address, now time.Time, m *hls.Multivariant)
	deltas   bool

	mutateDelta func(m *hls.Media)
	missing     string                                    // this rendition is not there after five minutes
	shift       time.Duration                             // segments are listed that much too early
	open        bool                                      // replays are there as soon as start-overs are
	rewrite     func(j timeline.Journal) timeline.Journal // of the journal that is shown later
	asked       int                                       // how often it was

	mu       sync.Mutex
	segments map[string][]hls.Segment // of a whole feed, by feed and uri
	cache    map[string]cached
}

type cached struct {
	last int64
	body []byte
	next time.Time
}

// renditions are the media playlists of every presentation of a fake.
var renditions = []string{
	"v720.m3u8", "v1080.m3u8", "v540.m3u8", "v360.m3u8", "v234.m3u8", "a-fr.m3u8", "a-en.m3u8", "al-fr.m3u8", "al-en.m3u8",
	"s-fr.m3u8", "s-en.m3u8", "i1080.m3u8", "i720.m3u8", "i540.m3u8", "i360.m3u8",
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse("2006-01-02 15:04:05.999", text)
	if err != nil {
		t.Fatal(err)
	}
	return v.UTC()
}

// newFake makes a node with one feed from doors open to doors close, and talks of those lengths at those hours.
func newFake(t testing.TB, opens, closes time.Time, talks ...timeline.Planned) *fake {
	t.Helper()
	j, err := timeline.Journal{}.Replan(opens.Add(-time.Hour), timeline.Plan{
		Opens: opens, Closes: closes, Talks: talks,
		Slate: func(after, before string) timeline.Source {
			return timeline.Source{Kind: timeline.Slate, ID: "slate-" + after + "-" + before}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	feed := Feed{Name: "main/fr", Opens: opens, Closes: closes}
	for _, talk := range talks {
		feed.Talks = append(feed.Talks, Talk{ID: talk.Talk, Starts: talk.Starts})
	}
	return &fake{
		feeds: []Feed{feed}, journals: map[string]timeline.Journal{feed.Name: j}, depth: 15 * time.Minute, deltas: true,
		segments: map[string][]hls.Segment{}, cache: map[string]cached{},
	}
}

// another is a second node on the same journals.
func (s *fake) another() *fake {
	return &fake{
		feeds: s.feeds, journals: s.journals, depth: s.depth, deltas: s.deltas, mutate: s.mutate, mutateMV: s.mutateMV,
		segments: map[string][]hls.Segment{}, cache: map[string]cached{},
	}
}

func talk(id string, starts time.Time, segments int, last timeline.Ticks) timeline.Planned {
	return timeline.Planned{
		Talk: id, Starts: starts, Source: timeline.Source{Kind: timeline.Recording, ID: "media-" + id},
		Nominal: 204800, Last: last, Count: segments,
	}
}

func (s *fake) Feeds() []Feed { return s.feeds }

func (s *fake) Journal(feed string) (timeline.Journal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked++; s.asked > 1 && s.rewrite != nil {
		return s.rewrite(s.journals[feed]), nil
	}
	return s.journals[feed], nil
}

// all returns the segments of a whole feed, the MAP where an entry begins. The caller has the lock.
func (s *fake) all(feed, uri string) []hls.Segment {
	key := feed + "\x00" + uri
	if list := s.segments[key]; list != nil {
		return list
	}
	name := strings.TrimSuffix(uri, ".m3u8")
	extension := ".m4s"
	if strings.HasPrefix(name, "s-") {
		extension = ".vtt"
	}
	var list []hls.Segment
	for k, e := range s.journals[feed].Entries {
		folder := "../../../s/" + e.Source.ID + "/" + strings.Replace(name, "i", "v", 1) + "/"
		for i := e.From; i < e.From+e.Count; i++ {
			g := hls.Segment{
				URI:             fmt.Sprintf("%s%d-abcdefghijklmnopqrstuvwx%s", folder, i, extension),
				Duration:        hls.Extinf(e.Offset(i).Duration(), (e.Offset(i) + e.SegmentTicks(i)).Duration()),
				ProgramDateTime: e.AirTime(i),
				Discontinuity:   k > 0 && i == e.From,
			}
			if i == e.From && extension == ".m4s" {
				g.Map = &hls.Map{URI: folder + "init-abcdefghijklmnopqrstuvwx.mp4"}
			}
			if strings.HasPrefix(name, "i") {
				g.ByteRange = hls.ByteRange{Length: 9000}
			}
			list = append(list, g)
		}
	}
	s.segments[key] = list
	return list
}

func (s *fake) window(a Address, now time.Time) (timeline.Window, bool) {
	j := s.journals[a.Feed]
	now = now.Add(s.shift)
	if a.View == Live {
		return j.Window(now, s.depth)
	}
	w, ok := j.TalkWindow(a.Talk, now)
	return w, ok && (a.View == StartOver || w.EndList || s.open)
}

func (s *fake) build(a Address, uri string, w timeline.Window) *hls.Media {
	j := s.journals[a.Feed]
	m := &hls.Media{
		Version: 7, TargetDuration: 4 * time.Second, MediaSequence: w.MediaSequence, DiscontinuitySequence: w.DiscontinuitySequence,
		EndList: w.EndList, IFramesOnly: strings.HasPrefix(uri, "i"),
		ServerControl: &hls.ServerControl{CanBlockReload: true, CanSkipUntil: 24 * time.Second, HoldBack: 16 * time.Second},
	}
	switch a.View {
	case StartOver:
		m.Type = hls.Event
	case Replay:
		m.Type, m.ServerControl = hls.VOD, nil
	}
	all := s.all(a.Feed, uri)
	for n, span := range w.Spans {
		e := j.Entries[span.Entry]
		from := int(e.BaseMSN) + span.From - e.From
		if n == 0 {
			m.Segments = make([]hls.Segment, 0, w.Len())
		}
		m.Segments = append(m.Segments, all[from:from+span.To-span.From]...)
		if n == 0 {
			m.Segments[0].Map = all[e.BaseMSN].Map
			m.Segments[0].Discontinuity = w.FirstDiscontinuity
		}
		if e.Talk != "" {
			m.DateRanges = append(m.DateRanges, hls.DateRange{
				ID: e.Talk, Class: "org.example.talk", StartDate: e.AirStart, PlannedDuration: e.AirEnd().Sub(e.AirStart),
			})
		}
	}
	return m
}

func (s *fake) Media(a Address, uri string, now time.Time) (Playlist, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.journals[a.Feed]
	if uri == s.missing && now.Minute() == 5 {
		return Playlist{}, errNone
	}
	listed, _ := j.LastListed(now.Add(s.shift))
	key := a.String() + "\x00" + uri
	if c, ok := s.cache[key]; ok && c.last == listed && s.mutate == nil {
		return Playlist{Body: c.body, Next: c.next}, nil
	}
	w, ok := s.window(a, now)
	if !ok {
		return Playlist{}, errNone
	}
	m := s.build(a, uri, w)
	if s.mutate != nil {
		s.mutate(a, uri, now, m)
	}
	next, _ := j.NextChange(now)
	c := cached{last: listed, body: hls.AppendMedia(nil, m), next: next}
	s.cache[key] = c
	return Playlist{Body: c.body, Next: c.next}, nil
}

func (s *fake) Delta(a Address, uri string, now time.Time) (Playlist, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.window(a, now)
	if !ok {
		return Playlist{}, errNone
	}
	m := s.build(a, uri, w)
	if s.mutate != nil {
		s.mutate(a, uri, now, m)
	}
	if s.deltas && !m.EndList && len(m.Segments) > 12 {
		m.Version = 9
		m.Skip = &hls.Skip{SkippedSegments: len(m.Segments) - 12}
		m.Segments = m.Segments[len(m.Segments)-12:]
		if s.mutateDelta != nil {
			s.mutateDelta(m)
		}
	}
	return Playlist{Body: hls.AppendMedia(nil, m)}, nil
}

func (s *fake) Multivariant(a Address, now time.Time) (Playlist, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.window(a, now)
	if !ok {
		return Playlist{}, errNone
	}
	m := goodMultivariant()
	switch a.View {
	case Live:
		m.Start = &hls.Start{TimeOffset: -min(max(w.Edge.Sub(now), 12*time.Second), 16*time.Second), Precise: true}
	case StartOver:
		m.Start = &hls.Start{}
	}
	if s.mutateMV != nil {
		s.mutateMV(a, now, m)
	}
	return Playlist{Body: hls.AppendMultivariant(nil, m)}, nil
}

// goodMultivariant is a multivariant playlist without a fault, naming all renditions.
func goodMultivariant() *hls.Multivariant {
	sound := func(id, prefix string) hls.Group {
		return hls.Group{Type: hls.Audio, ID: id, Renditions: []hls.Rendition{
			{Name: "Français", Language: "fr", Default: true, Autoselect: true, Channels: "2", URI: prefix + "-fr.m3u8"},
			{Name: "English", Language: "en", Autoselect: true, Channels: "2", URI: prefix + "-en.m3u8"},
		}}
	}
	m := &hls.Multivariant{
		Version: 7, IndependentSegments: true,
		Groups: []hls.Group{sound("aac", "a"), sound("aac-low", "al"), {Type: hls.Subtitles, ID: "captions", Renditions: []hls.Rendition{
			{Name: "Français", Language: "fr", Autoselect: true, URI: "s-fr.m3u8"},
			{Name: "English", Language: "en", Autoselect: true, URI: "s-en.m3u8"},
		}}},
	}
	for _, v := range []struct {
		height, width int
		peak          int64
		codec, audio  string
	}{
		{720, 1280, 2_400_000, "avc1.64001f", "aac"},
		{1080, 1920, 4_500_000, "avc1.640028", "aac"},
		{540, 960, 1_200_000, "avc1.64001f", "aac"},
		{360, 640, 600_000, "avc1.64001e", "aac"},
		{234, 416, 188_000, "avc1.640015", "aac-low"},
	} {
		m.Variants = append(m.Variants, hls.Variant{
			Bandwidth: v.peak, AverageBandwidth: v.peak / 2, Codecs: v.codec + ",mp4a.40.2,wvtt", Width: v.width, Height: v.height,
			FrameRate: 30000, Audio: v.audio, Subtitles: "captions", NoClosedCaptions: true, URI: fmt.Sprintf("v%d.m3u8", v.height),
		})
		if v.height > 234 {
			m.IFrameVariants = append(m.IFrameVariants, hls.IFrameVariant{
				Bandwidth: v.peak / 8, AverageBandwidth: v.peak / 16, Codecs: v.codec, Width: v.width, Height: v.height,
				URI: fmt.Sprintf("i%d.m3u8", v.height),
			})
		}
	}
	return m
}
