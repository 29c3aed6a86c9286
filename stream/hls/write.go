package hls

import (
	"slices"
	"strconv"
	"time"
)

// AppendMultivariant appends the text of m to dst.
func AppendMultivariant(dst []byte, m *Multivariant) []byte {
	dst = append(dst, "#EXTM3U\n"...)
	dst = appendVersion(dst, m.Version)
	if m.IndependentSegments {
		dst = append(dst, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	dst = appendStart(dst, m.Start)
	for i := range m.Tags {
		dst = appendTag(dst, &m.Tags[i])
	}
	for i := range m.Groups {
		group := &m.Groups[i]
		for j := range group.Renditions {
			dst = appendRendition(dst, group, &group.Renditions[j])
		}
	}
	for i := range m.Variants {
		dst = appendVariant(dst, &m.Variants[i])
	}
	for i := range m.IFrameVariants {
		dst = appendIFrameVariant(dst, &m.IFrameVariants[i])
	}
	return dst
}

// AppendMedia appends the text of m to dst. It allocates only to grow dst, once.
//
// Tags of a segment are printed in the order DISCONTINUITY, MAP, DATERANGE,
// PROGRAM-DATE-TIME, EXTINF, BYTERANGE, GAP, URI. A date range is printed before
// the first listed segment that does not start before it; one whose segments
// have left the window, or are skipped by a delta update, before the first
// listed segment (a delta update keeps all tags but those of skipped segments,
// R190); one that starts later than all, at the end.
func AppendMedia(dst []byte, m *Media) []byte {
	dst = slices.Grow(dst, sizeHint(m))
	dst = appendMediaHeader(dst, m)
	dst = appendSegments(dst, m.Segments, m.DateRanges, m.Tags)
	if m.EndList {
		dst = append(dst, EndListLine...)
	}
	return dst
}

// EndListLine is the line that ends a playlist for good.
const EndListLine = "#EXT-X-ENDLIST\n"

// AppendSegments appends what AppendMedia prints for these segments and date
// ranges: a playlist put together of kept pieces is the same text, if each
// piece begins where a date range may stand.
func AppendSegments(dst []byte, segments []Segment, ranges []DateRange) []byte {
	return appendSegments(dst, segments, ranges, nil)
}

func appendSegments(dst []byte, segments []Segment, ranges []DateRange, tags []Tag) []byte {
	var (
		calendar calendar
		last     time.Duration // duration whose EXTINF line is dst[from:to]
		from, to int
	)
	for i := range segments {
		s := &segments[i]
		for len(tags) > 0 && tags[0].Index <= i {
			dst = appendTag(dst, &tags[0])
			tags = tags[1:]
		}
		if s.Discontinuity {
			dst = append(dst, "#EXT-X-DISCONTINUITY\n"...)
		}
		if s.Map != nil {
			dst = appendMap(dst, s.Map)
		}
		for len(ranges) > 0 && !ranges[0].StartDate.After(s.ProgramDateTime) {
			dst = appendDateRange(dst, &ranges[0])
			ranges = ranges[1:]
		}
		if !s.ProgramDateTime.IsZero() {
			dst = append(dst, "#EXT-X-PROGRAM-DATE-TIME:"...)
			dst = calendar.append(dst, s.ProgramDateTime)
			dst = append(dst, '\n')
		}
		if s.Duration == last && to > from && s.Title == "" {
			dst = append(dst, dst[from:to]...)
		} else {
			from = len(dst)
			dst = appendExtinf(dst, s)
			if s.Title == "" {
				last, to = s.Duration, len(dst)
			} else {
				to = from
			}
		}
		if s.ByteRange.Length > 0 {
			dst = append(dst, "#EXT-X-BYTERANGE:"...)
			dst = appendByteRange(dst, s.ByteRange)
			dst = append(dst, '\n')
		}
		if s.Gap {
			dst = append(dst, "#EXT-X-GAP\n"...)
		}
		dst = append(dst, s.URI...)
		dst = append(dst, '\n')
	}
	for i := range ranges {
		dst = appendDateRange(dst, &ranges[i])
	}
	for i := range tags {
		dst = appendTag(dst, &tags[i])
	}
	return dst
}

// sizeHint returns a length that the text of m seldom passes.
func sizeHint(m *Media) int {
	n := 320 + 320*len(m.DateRanges)
	for i := range m.Segments {
		s := &m.Segments[i]
		n += len("#EXT-X-PROGRAM-DATE-TIME:2026-11-23T13:59:52.320Z\n#EXTINF:3.840000,\n\n") + len(s.URI) + len(s.Title)
		if s.Map != nil {
			n += len(s.Map.URI) + 64
		}
		if s.Discontinuity {
			n += 21
		}
		if s.ByteRange.Length > 0 {
			n += 36
		}
	}
	return n
}

func appendMediaHeader(dst []byte, m *Media) []byte {
	dst = append(dst, "#EXTM3U\n"...)
	dst = appendVersion(dst, m.Version)
	dst = append(dst, "#EXT-X-TARGETDURATION:"...)
	dst = strconv.AppendInt(dst, int64(m.TargetDuration/time.Second), 10)
	dst = append(dst, "\n#EXT-X-MEDIA-SEQUENCE:"...)
	dst = strconv.AppendInt(dst, m.MediaSequence, 10)
	dst = append(dst, '\n')
	if m.DiscontinuitySequence >= 0 {
		dst = append(dst, "#EXT-X-DISCONTINUITY-SEQUENCE:"...)
		dst = strconv.AppendInt(dst, m.DiscontinuitySequence, 10)
		dst = append(dst, '\n')
	}
	if m.Type != "" {
		dst = append(dst, "#EXT-X-PLAYLIST-TYPE:"...)
		dst = append(dst, m.Type...)
		dst = append(dst, '\n')
	}
	if m.IFramesOnly {
		dst = append(dst, "#EXT-X-I-FRAMES-ONLY\n"...)
	}
	if m.IndependentSegments {
		dst = append(dst, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	dst = appendStart(dst, m.Start)
	dst = appendServerControl(dst, m.ServerControl)
	return appendSkip(dst, m.Skip)
}

func appendVersion(dst []byte, version int) []byte {
	if version == 0 {
		return dst
	}
	dst = append(dst, "#EXT-X-VERSION:"...)
	dst = strconv.AppendInt(dst, int64(version), 10)
	return append(dst, '\n')
}

func appendTag(dst []byte, t *Tag) []byte {
	dst = append(dst, '#')
	dst = append(dst, t.Name...)
	if !t.Bare {
		dst = append(dst, ':')
		dst = append(dst, t.Value...)
	}
	return append(dst, '\n')
}

func appendStart(dst []byte, s *Start) []byte {
	if s == nil {
		return dst
	}
	dst = append(dst, "#EXT-X-START:TIME-OFFSET="...)
	dst = appendSeconds(dst, s.TimeOffset, 3)
	if s.Precise {
		dst = append(dst, ",PRECISE=YES"...)
	}
	return append(dst, '\n')
}

func appendServerControl(dst []byte, s *ServerControl) []byte {
	if s == nil {
		return dst
	}
	l := list{dst: append(dst, "#EXT-X-SERVER-CONTROL:"...)}
	if s.CanBlockReload {
		l.raw("CAN-BLOCK-RELOAD", "YES")
	}
	l.seconds("CAN-SKIP-UNTIL", s.CanSkipUntil)
	if s.CanSkipDateRanges {
		l.raw("CAN-SKIP-DATERANGES", "YES")
	}
	l.seconds("HOLD-BACK", s.HoldBack)
	l.seconds("PART-HOLD-BACK", s.PartHoldBack)
	if !l.more {
		return dst // an empty attribute list is not one (R010)
	}
	return append(l.dst, '\n')
}

func appendSkip(dst []byte, s *Skip) []byte {
	if s == nil {
		return dst
	}
	dst = append(dst, "#EXT-X-SKIP:SKIPPED-SEGMENTS="...)
	dst = strconv.AppendInt(dst, int64(s.SkippedSegments), 10)
	if len(s.RecentlyRemovedDateRanges) > 0 {
		dst = append(dst, `,RECENTLY-REMOVED-DATERANGES="`...)
		for i, id := range s.RecentlyRemovedDateRanges {
			if i > 0 {
				dst = append(dst, '\t')
			}
			dst = appendText(dst, id)
		}
		dst = append(dst, '"')
	}
	return append(dst, '\n')
}

func appendMap(dst []byte, m *Map) []byte {
	dst = append(dst, `#EXT-X-MAP:URI="`...)
	dst = appendText(dst, m.URI)
	dst = append(dst, '"')
	if m.ByteRange.Length > 0 {
		dst = append(dst, `,BYTERANGE="`...)
		dst = appendByteRange(dst, m.ByteRange)
		dst = append(dst, '"')
	}
	return append(dst, '\n')
}

func appendByteRange(dst []byte, r ByteRange) []byte {
	dst = strconv.AppendInt(dst, r.Length, 10)
	dst = append(dst, '@')
	return strconv.AppendInt(dst, r.Offset, 10)
}

func appendExtinf(dst []byte, s *Segment) []byte {
	dst = append(dst, "#EXTINF:"...)
	dst = appendSeconds(dst, s.Duration, 6)
	dst = append(dst, ',')
	dst = append(dst, s.Title...)
	return append(dst, '\n')
}

func appendDateRange(dst []byte, d *DateRange) []byte {
	l := list{dst: append(dst, "#EXT-X-DATERANGE:"...)}
	l.quoted("ID", d.ID)
	l.optional("CLASS", d.Class)
	l.date("START-DATE", d.StartDate)
	l.optional("CUE", d.Cue)
	l.date("END-DATE", d.EndDate)
	l.millis("DURATION", d.Duration)
	l.millis("PLANNED-DURATION", d.PlannedDuration)
	if d.EndOnNext {
		l.raw("END-ON-NEXT", "YES")
	}
	l.other(d.Other)
	return append(l.dst, '\n')
}

func appendRendition(dst []byte, g *Group, r *Rendition) []byte {
	l := list{dst: append(dst, "#EXT-X-MEDIA:"...)}
	l.raw("TYPE", string(g.Type))
	l.quoted("GROUP-ID", g.ID)
	l.quoted("NAME", r.Name)
	l.optional("LANGUAGE", r.Language)
	l.yesNo("DEFAULT", r.Default)
	l.yesNo("AUTOSELECT", r.Autoselect)
	if g.Type == Subtitles {
		l.yesNo("FORCED", r.Forced)
	}
	l.optional("CHARACTERISTICS", r.Characteristics)
	l.optional("CHANNELS", r.Channels)
	l.other(r.Other)
	l.optional("URI", r.URI)
	return append(l.dst, '\n')
}

func appendVariant(dst []byte, v *Variant) []byte {
	l := list{dst: append(dst, "#EXT-X-STREAM-INF:"...)}
	l.number("BANDWIDTH", v.Bandwidth)
	if v.AverageBandwidth > 0 {
		l.number("AVERAGE-BANDWIDTH", v.AverageBandwidth)
	}
	l.optional("CODECS", v.Codecs)
	l.resolution(v.Width, v.Height)
	if v.FrameRate > 0 {
		l.name("FRAME-RATE")
		l.dst = strconv.AppendInt(l.dst, int64(v.FrameRate/1000), 10)
		l.dst = append(l.dst, '.')
		l.dst = appendDigits(l.dst, uint64(v.FrameRate%1000), 3)
	}
	if v.VideoRange != "" {
		l.raw("VIDEO-RANGE", v.VideoRange)
	}
	l.optional("AUDIO", v.Audio)
	l.optional("SUBTITLES", v.Subtitles)
	if v.NoClosedCaptions {
		l.raw("CLOSED-CAPTIONS", "NONE")
	}
	l.other(v.Other)
	l.dst = append(l.dst, '\n')
	l.dst = append(l.dst, v.URI...)
	return append(l.dst, '\n')
}

func appendIFrameVariant(dst []byte, v *IFrameVariant) []byte {
	l := list{dst: append(dst, "#EXT-X-I-FRAME-STREAM-INF:"...)}
	l.number("BANDWIDTH", v.Bandwidth)
	if v.AverageBandwidth > 0 {
		l.number("AVERAGE-BANDWIDTH", v.AverageBandwidth)
	}
	l.optional("CODECS", v.Codecs)
	l.resolution(v.Width, v.Height)
	if v.VideoRange != "" {
		l.raw("VIDEO-RANGE", v.VideoRange)
	}
	l.other(v.Other)
	l.quoted("URI", v.URI)
	return append(l.dst, '\n')
}
