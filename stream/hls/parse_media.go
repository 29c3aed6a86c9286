package hls

import (
	"strings"
	"time"
)

// isMultivariantTag names the tags that may not stand in a media playlist (R008).
func isMultivariantTag(name string) bool {
	switch name {
	case "EXT-X-MEDIA", "EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF",
		"EXT-X-SESSION-DATA", "EXT-X-SESSION-KEY", "EXT-X-CONTENT-STEERING":
		return true
	}
	return false
}

// isMediaTag names the tags that may not stand in a multivariant playlist (R008).
func isMediaTag(name string) bool {
	switch name {
	case "EXTINF", "EXT-X-BYTERANGE", "EXT-X-DISCONTINUITY", "EXT-X-KEY", "EXT-X-MAP",
		"EXT-X-PROGRAM-DATE-TIME", "EXT-X-GAP", "EXT-X-BITRATE", "EXT-X-PART",
		"EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE",
		"EXT-X-ENDLIST", "EXT-X-PLAYLIST-TYPE", "EXT-X-I-FRAMES-ONLY", "EXT-X-PART-INF",
		"EXT-X-SERVER-CONTROL", "EXT-X-DATERANGE", "EXT-X-SKIP", "EXT-X-PRELOAD-HINT",
		"EXT-X-RENDITION-REPORT":
		return true
	}
	return false
}

// ParseMedia parses a media playlist. It refuses, with a *ParseError, every
// text that the standard does not allow by its form; that is, what one line,
// or the order of lines, shows. DateRanges are in the order of the text.
func ParseMedia(body []byte) (*Media, error) {
	p := mediaParser{m: &Media{DiscontinuitySequence: Absent}}
	p.start(body)
	for p.next() {
		switch {
		case p.text[0] != '#':
			p.uri()
		case strings.HasPrefix(p.text, "#EXT"):
			p.parseTag()
		}
	}
	switch {
	case p.err != nil:
	case p.m.TargetDuration == 0:
		p.fail("R060", "no EXT-X-TARGETDURATION")
	case p.pending != "":
		p.fail("R003", "%s without a segment", p.pending)
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.m, nil
}

type mediaParser struct {
	scanner
	m         *Media
	segment   Segment
	extinf    bool   // the segment has its EXTINF
	byterange string // BYTERANGE of the segment
	pending   string // last tag of a segment whose URI has not come
}

func (p *mediaParser) parseTag() {
	name, value, bare := p.tag()
	if isMultivariantTag(name) {
		p.fail("R008", "%s in a media playlist", name)
		return
	}
	m := p.m
	if p.either(name, value, bare, &m.Version, &m.IndependentSegments, &m.Start) {
		return
	}
	switch name {
	case "EXT-X-TARGETDURATION":
		p.once("R009", name)
		n := p.integer("R060", name, value)
		if n < 1 || n > 1e6 {
			p.fail("R060", "EXT-X-TARGETDURATION is %d", n)
		}
		m.TargetDuration = time.Duration(n) * time.Second
	case "EXT-X-MEDIA-SEQUENCE":
		p.header(name)
		m.MediaSequence = p.integer("R064", name, value)
	case "EXT-X-DISCONTINUITY-SEQUENCE":
		p.header(name)
		if p.segment.Discontinuity {
			p.fail("R064", "%s after EXT-X-DISCONTINUITY", name)
		}
		m.DiscontinuitySequence = p.integer("R064", name, value)
	case "EXT-X-PLAYLIST-TYPE":
		p.once("R009", name)
		if m.Type = PlaylistType(value); m.Type != Event && m.Type != VOD {
			p.fail("R079", "%s is %q", name, value)
		}
	case "EXT-X-I-FRAMES-ONLY":
		p.once("R009", name)
		p.bare(name, bare)
		m.IFramesOnly = true
	case "EXT-X-SERVER-CONTROL":
		p.once("R009", name)
		p.serverControl(value)
	case "EXT-X-SKIP":
		p.header(name)
		p.skip(value)
	case "EXT-X-ENDLIST":
		p.once("R009", name)
		p.bare(name, bare)
		m.EndList = true
	case "EXT-X-DATERANGE":
		p.dateRange(value)
	case "EXTINF", "EXT-X-BYTERANGE", "EXT-X-DISCONTINUITY", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-GAP":
		p.segmentTag(name, value, bare)
	default:
		m.Tags = append(m.Tags, Tag{Name: name, Value: value, Bare: bare, Index: len(m.Segments)})
	}
}

// header refuses a tag that comes twice or after the first segment.
func (p *mediaParser) header(name string) {
	p.once("R009", name)
	if len(p.m.Segments) > 0 {
		p.fail("R064", "%s after the first segment", name)
	}
}

func (p *mediaParser) segmentTag(name, value string, bare bool) {
	p.pending = name
	s := &p.segment
	switch name {
	case "EXTINF":
		seconds, title, comma := strings.Cut(value, ",")
		d, ok := parseSeconds(seconds, false)
		if !ok || !comma || p.extinf {
			p.fail("R063", "bad EXTINF %q", value)
		}
		s.Duration, s.Title, p.extinf = d, title, true
	case "EXT-X-BYTERANGE":
		if p.byterange != "" {
			p.fail("R009", "a second %s on a segment", name)
		}
		p.byterange = value
	case "EXT-X-DISCONTINUITY":
		p.bare(name, bare)
		if s.Discontinuity {
			p.fail("R103", "a second %s on a segment", name)
		}
		s.Discontinuity = true
	case "EXT-X-MAP":
		if s.Map != nil {
			p.fail("R065", "a second %s on a segment", name)
		}
		a := p.attributes(name, value)
		s.Map = &Map{URI: a.need("R065", "URI"), ByteRange: a.byteRange("BYTERANGE")}
	case "EXT-X-PROGRAM-DATE-TIME":
		t, ok := ParseDate(value)
		if !ok {
			p.fail("R067", "not a date with a zone: %q", value)
		}
		if !s.ProgramDateTime.IsZero() {
			p.fail("R069", "a second %s on a segment", name)
		}
		s.ProgramDateTime = t
	case "EXT-X-GAP":
		p.bare(name, bare)
		s.Gap = true
	}
}

func (p *mediaParser) uri() {
	if !p.extinf {
		p.fail("R063", "a segment without EXTINF")
		return
	}
	s := &p.segment
	s.URI = p.text
	if p.byterange != "" {
		r, explicit, ok := parseByteRange(p.byterange)
		if !explicit && ok {
			n := len(p.m.Segments)
			if n == 0 || p.m.Segments[n-1].URI != s.URI || p.m.Segments[n-1].ByteRange.Length == 0 {
				ok = false // bis 4.4.4.2: the range before must be of the same resource
			} else {
				before := p.m.Segments[n-1].ByteRange
				r.Offset = before.Offset + before.Length
			}
		}
		if !ok || r.Offset < 0 {
			p.fail("R010", "bad EXT-X-BYTERANGE %q", p.byterange)
		}
		s.ByteRange = r
	}
	p.m.Segments = append(p.m.Segments, *s)
	p.segment, p.extinf, p.byterange, p.pending = Segment{}, false, "", ""
}

func (p *mediaParser) serverControl(value string) {
	a := p.attributes("EXT-X-SERVER-CONTROL", value)
	p.m.ServerControl = &ServerControl{
		CanBlockReload:    a.yesNo("CAN-BLOCK-RELOAD", false),
		CanSkipUntil:      a.seconds("CAN-SKIP-UNTIL", false),
		CanSkipDateRanges: a.yesNo("CAN-SKIP-DATERANGES", false),
		HoldBack:          a.seconds("HOLD-BACK", false),
		PartHoldBack:      a.seconds("PART-HOLD-BACK", false),
	}
}

func (p *mediaParser) skip(value string) {
	a := p.attributes("EXT-X-SKIP", value)
	n := a.integer("SKIPPED-SEGMENTS")
	if n < 1 || n > 1<<31 {
		p.fail("R190", "EXT-X-SKIP of %d segments", n)
	}
	p.m.Skip = &Skip{SkippedSegments: int(n)}
	if ids := a.text("RECENTLY-REMOVED-DATERANGES"); ids != "" {
		p.m.Skip.RecentlyRemovedDateRanges = strings.Split(ids, "\t")
	}
}

func (p *mediaParser) dateRange(value string) {
	a := p.attributes("EXT-X-DATERANGE", value)
	d := DateRange{
		ID:              a.need("R071", "ID"),
		Class:           a.text("CLASS"),
		StartDate:       a.date("START-DATE"),
		EndDate:         a.date("END-DATE"),
		Duration:        a.seconds("DURATION", false),
		PlannedDuration: a.seconds("PLANNED-DURATION", false),
		EndOnNext:       a.yesNo("END-ON-NEXT", false),
		Cue:             a.text("CUE"),
	}
	d.Other = a.remaining()
	p.m.DateRanges = append(p.m.DateRanges, d)
}

func (s *scanner) parseStart(value string) *Start {
	a := s.attributes("EXT-X-START", value)
	before := len(a.list)
	start := &Start{TimeOffset: a.seconds("TIME-OFFSET", true)}
	if len(a.list) == before {
		s.fail("R014", "EXT-X-START without TIME-OFFSET")
	}
	start.Precise = a.yesNo("PRECISE", false)
	return start
}
