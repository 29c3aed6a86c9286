package conformance

import (
	"bytes"
	"fmt"
	"path"
	"time"

	"reprise/stream/hls"
)

// tolerance is how far two dates, or a date and a sum of durations, may differ: what printing rounds away (R069, R132, R232).
const tolerance = time.Millisecond

// CheckMedia checks one media playlist by itself.
func CheckMedia(body []byte) []Fault {
	var f faults
	if m, err := hls.ParseMedia(body); err != nil {
		f.syntax(err)
	} else {
		checkMedia(&f, body, m)
	}
	return f.list
}

func checkMedia(f *faults, body []byte, m *hls.Media) {
	checkNormal(f, body)
	checkDigits(f, body)
	checkHeader(f, m)
	checkExtent(f, m, len(m.Segments), total(m.Segments))
	checkDateRanges(f, m.DateRanges, m.Segments)
	c := segmentCheck{media: m, delta: m.Skip != nil}
	for i := range m.Segments {
		c.check(f, &m.Segments[i], m.MediaSequence+int64(i))
	}
}

func total(segments []hls.Segment) time.Duration {
	var sum time.Duration
	for i := range segments {
		sum += segments[i].Duration
	}
	return sum
}

// checkDigits looks at how numbers are written, which a parsed playlist does not show (R063, R067).
func checkDigits(f *faults, text []byte) {
	extinf, date := []byte("#EXTINF:"), []byte("#EXT-X-PROGRAM-DATE-TIME:")
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		if len(line) == 0 || line[0] != '#' {
			continue
		}
		if value, ok := bytes.CutPrefix(line, extinf); ok {
			seconds, _, _ := bytes.Cut(value, []byte(","))
			if dot := bytes.IndexByte(seconds, '.'); dot < 0 || len(seconds)-dot-1 < 5 {
				f.must("R063", "EXTINF %s has fewer than five decimals", seconds)
			}
		} else if value, ok := bytes.CutPrefix(line, date); ok {
			if len(value) < len("2026-11-23T13:59:52.320Z") || value[19] != '.' {
				f.must("R067", "date %s has no milliseconds", value)
			}
		}
	}
}

// neededVersion returns the EXT-X-VERSION that a media playlist needs (R006).
func neededVersion(m *hls.Media) int {
	version := 1
	need := func(v int, when bool) {
		if when {
			version = max(version, v)
		}
	}
	for i := range m.Segments {
		s := &m.Segments[i]
		need(3, s.Duration%time.Second != 0)
		need(4, s.ByteRange.Length > 0)
		need(5, s.Map != nil)
		need(6, s.Map != nil && !m.IFramesOnly)
	}
	need(4, m.IFramesOnly)
	need(9, m.Skip != nil)
	need(10, m.Skip != nil && len(m.Skip.RecentlyRemovedDateRanges) > 0)
	for _, tag := range m.Tags {
		need(8, tag.Name == "EXT-X-DEFINE")
		need(5, tag.Name == "EXT-X-KEY")
	}
	return version
}

func checkHeader(f *faults, m *hls.Media) {
	if needed := neededVersion(m); m.Version < needed {
		f.must("R006", "version %d, %d is needed", m.Version, needed)
		if m.Version == 0 {
			f.must("R005", "no EXT-X-VERSION")
		}
	} else if m.Version > max(needed, plainVersion) {
		f.should("R007", "version %d, %d is needed", m.Version, needed)
	}
	if m.Type != hls.VOD && m.DiscontinuitySequence < 0 {
		f.must("R077", "no EXT-X-DISCONTINUITY-SEQUENCE")
	}
	if m.Type == hls.VOD && !m.EndList {
		f.must("R079", "a VOD playlist without EXT-X-ENDLIST")
	}
	if m.IFramesOnly && m.Version < 5 {
		f.must("R180", "an I-frame playlist of version %d", m.Version)
	}
	if m.Skip != nil {
		checkSkip(f, m)
	}
	checkServerControl(f, m)
	checkUnused(f, m)
	if m.Start != nil {
		checkStart(f, m.Start, total(m.Segments), m.TargetDuration, m.EndList)
	}
}

// checkSkip checks the form of a delta update (R190).
func checkSkip(f *faults, m *hls.Media) {
	if m.ServerControl == nil || m.ServerControl.CanSkipUntil == 0 {
		f.must("R190", "a delta update without CAN-SKIP-UNTIL")
	} else if kept := total(m.Segments); kept < m.ServerControl.CanSkipUntil {
		f.must("R190", "a delta update lists %v, the skip boundary is %v", kept, m.ServerControl.CanSkipUntil)
	}
	if m.EndList {
		f.must("R190", "a delta update of an ended playlist")
	}
}

func checkServerControl(f *faults, m *hls.Media) {
	s := m.ServerControl
	if s == nil {
		return
	}
	if s.HoldBack != 0 && s.HoldBack < 3*m.TargetDuration {
		f.must("R075", "HOLD-BACK %v is less than three target durations", s.HoldBack)
	}
	if s.CanSkipUntil != 0 && s.CanSkipUntil < 6*m.TargetDuration {
		f.must("R075", "CAN-SKIP-UNTIL %v is less than six target durations", s.CanSkipUntil)
	}
	if s.CanSkipDateRanges && s.CanSkipUntil == 0 {
		f.must("R075", "CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL")
	}
}

// checkUnused refuses the tags of parts, which we do not make (R194, R195), and
// looks at the few others without a type.
func checkUnused(f *faults, m *hls.Media) {
	for _, tag := range m.Tags {
		switch tag.Name {
		case "EXT-X-PART", "EXT-X-PART-INF", "EXT-X-RENDITION-REPORT":
			f.own("R194", "%s: there are no parts", tag.Name)
		case "EXT-X-PRELOAD-HINT":
			f.own("R194", "%s: there are no parts", tag.Name)
			if m.EndList {
				f.must("R195", "EXT-X-PRELOAD-HINT with EXT-X-ENDLIST")
			}
		case "EXT-X-DEFINE":
			attributes, _ := hls.ParseAttributes(tag.Value)
			checkDefine(f, attributes, false)
		}
	}
}

// checkStart checks EXT-X-START against the playlist that it is for (R014).
func checkStart(f *faults, s *hls.Start, length, target time.Duration, ended bool) {
	if s.TimeOffset.Abs() > length+tolerance {
		f.should("R014", "EXT-X-START of %v in a playlist of %v", s.TimeOffset, length)
	}
	fromEnd := -s.TimeOffset
	if s.TimeOffset >= 0 {
		fromEnd = length - s.TimeOffset
	}
	if !ended && s.TimeOffset != 0 && fromEnd < 3*target {
		f.should("R014", "EXT-X-START %v from the end of an open playlist, less than three target durations", fromEnd)
	}
}

// shortWindow is what a sliding window holds at least once it slides (R076: S 15 minutes, M six segments).
const (
	shortWindow    = 15 * time.Minute
	fewestSegments = 6
)

// checkExtent checks the number and the length of what is listed, in a playlist that slides (R076).
func checkExtent(f *faults, m *hls.Media, segments int, length time.Duration) {
	if m.Skip != nil {
		segments += m.Skip.SkippedSegments
		length += time.Duration(m.Skip.SkippedSegments) * m.TargetDuration
	}
	if segments == 0 {
		f.must("R076", "no segment")
	}
	if m.Type != "" || m.EndList {
		return
	}
	if segments < fewestSegments {
		f.must("R076", "%d segments in a live playlist", segments)
	}
	if m.MediaSequence > 0 && length < shortWindow-2*m.TargetDuration {
		f.should("R076", "a live window of %v", length)
	}
}

// segmentCheck checks segments one after another.
type segmentCheck struct {
	media  *hls.Media
	delta  bool      // what is in force before the first segment is not known
	on     bool      // a segment has been seen
	mapped bool      // a MAP is in force
	ends   time.Time // of the segment before, by its date; zero: unknown
}

func (c *segmentCheck) check(f *faults, s *hls.Segment, msn int64) {
	where := f.where
	defer func() { f.where = where }()
	f.where = join(where, fmt.Sprintf("segment %d", msn))

	target := c.media.TargetDuration
	if (s.Duration + time.Second/2).Truncate(time.Second) > target {
		f.must("R061", "EXTINF %v rounds to more than the target duration", s.Duration)
	}
	if s.Duration <= 0 {
		f.must("R063", "EXTINF %v", s.Duration)
	}
	checkURI(f, s.URI)
	c.checkMap(f, s)
	c.checkDate(f, s)
	if c.media.IFramesOnly && s.ByteRange.Length == 0 {
		f.must("R180", "an I-frame without EXT-X-BYTERANGE")
	}
	if s.Gap {
		f.must("R074", "EXT-X-GAP: all of ours is available")
	}
	c.on = true
}

// checkMap checks EXT-X-MAP (R065, R180): a fragmented MP4 segment has one, and
// it is said again after each discontinuity.
func (c *segmentCheck) checkMap(f *faults, s *hls.Segment) {
	if s.Map != nil {
		checkURI(f, s.Map.URI)
		c.mapped = true
	}
	if extension := path.Ext(s.URI); extension != ".m4s" && extension != ".mp4" {
		return
	}
	switch {
	case !c.mapped && !c.delta:
		f.must("R065", "no EXT-X-MAP in force")
		c.mapped = true
	case s.Discontinuity && s.Map == nil:
		f.own("R065", "EXT-X-DISCONTINUITY without a new EXT-X-MAP")
	}
}

// checkDate checks EXT-X-PROGRAM-DATE-TIME (R067 to R069).
func (c *segmentCheck) checkDate(f *faults, s *hls.Segment) {
	at := s.ProgramDateTime
	switch {
	case at.IsZero() && c.media.Type != hls.VOD && !c.on:
		f.must("R067", "no EXT-X-PROGRAM-DATE-TIME")
	case at.IsZero() && c.media.Type != hls.VOD:
		f.own("R068", "no EXT-X-PROGRAM-DATE-TIME")
	case at.IsZero() || c.ends.IsZero():
	case s.Discontinuity && at.Before(c.ends.Add(-time.Second)):
		f.must("R069", "begins at %s, %v before the segment before it ends", clock(at), c.ends.Sub(at))
	case !s.Discontinuity && at.Sub(c.ends).Abs() > tolerance:
		f.own("R069", "begins at %s, the segment before it ends at %s", clock(at), clock(c.ends))
	}
	c.ends = time.Time{}
	if !at.IsZero() {
		c.ends = at.Add(s.Duration)
	}
}

// checkDateRanges checks EXT-X-DATERANGE (R071).
func checkDateRanges(f *faults, ranges []hls.DateRange, segments []hls.Segment) {
	dated := len(ranges) == 0
	for i := range segments {
		dated = dated || !segments[i].ProgramDateTime.IsZero()
	}
	if !dated {
		f.must("R071", "EXT-X-DATERANGE without any EXT-X-PROGRAM-DATE-TIME")
	}
	for i := range ranges {
		d := &ranges[i]
		if d.StartDate.IsZero() {
			f.must("R071", "date range %s: no START-DATE", d.ID)
		}
		if !d.EndDate.IsZero() && d.Duration != 0 && d.EndDate.Sub(d.StartDate.Add(d.Duration)).Abs() > tolerance {
			f.must("R071", "date range %s: END-DATE is not START-DATE and DURATION", d.ID)
		}
		if !d.EndDate.IsZero() && d.EndDate.Before(d.StartDate) {
			f.must("R071", "date range %s ends before it starts", d.ID)
		}
		if d.EndOnNext && (d.Class == "" || d.Duration != 0 || !d.EndDate.IsZero()) {
			f.must("R071", "date range %s: END-ON-NEXT without CLASS, or with an end", d.ID)
		}
		if bytes.Contains([]byte(d.Cue), []byte("PRE")) && bytes.Contains([]byte(d.Cue), []byte("POST")) {
			f.must("R071", "date range %s: CUE is PRE and POST", d.ID)
		}
		for j := range ranges[:i] {
			if ranges[j].ID == d.ID && !ranges[j].StartDate.Equal(d.StartDate) {
				f.must("R071", "date range %s twice with different attributes", d.ID)
			}
		}
	}
}

func join(where, more string) string {
	if where == "" || more == "" {
		return where + more
	}
	return where + ", " + more
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }
