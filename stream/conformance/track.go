package conformance

import (
	"bytes"
	"reflect"
	"time"

	"reprise/stream/hls"
)

// record is what a track keeps of one listed segment.
type record struct {
	interval
	uri       string
	byteRange hls.ByteRange
	inMap     hls.Map
	end       int64 // where its lines end; see track.shift
}

// rangeAt is a date range and the sequence number of the segment before which it stands.
type rangeAt struct {
	msn int64
	hls.DateRange
}

// track follows one media playlist over time.
//
// Only the first change of a playlist costs a parse of the whole. Afterwards a
// new body is, when all is well: a header and the first segment with its tags
// said again; the bytes that followed that segment in the body before,
// unchanged; and new segments. So the first and last part are parsed and the
// middle compared as bytes. Anything else is parsed whole, and checkChange says
// what is wrong with it.
type track struct {
	name    string
	body    []byte
	header  *hls.Media // of the body, with its first segment only
	first   int64      // sequence number of records[0]
	records []record
	shift   int64 // records[i].end - shift is an offset in body
	length  time.Duration
	ranges  []rangeAt
	all     []hls.DateRange // of the body, in order
	check   segmentCheck    // state after the last segment
	scratch []byte
	reloads int // how often the whole body was parsed
}

func (t *track) next() int64 { return t.first + int64(len(t.records)) }

// last returns the record of the last segment, nil when there is none.
func (t *track) last() *record {
	if len(t.records) == 0 {
		return nil
	}
	return &t.records[len(t.records)-1]
}

func (t *track) at(msn int64) *record {
	if i := msn - t.first; i >= 0 && i < int64(len(t.records)) {
		return &t.records[i]
	}
	return nil
}

// same tells, without reading them, that two bodies are one and the same.
func same(a, b []byte) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

// update takes a new body. It returns the sequence number of the first segment
// that is new, or whose record was made anew, and whether the body has changed.
func (t *track) update(f *faults, body []byte) (from int64, changed bool) {
	if same(t.body, body) || (t.body != nil && bytes.Equal(t.body, body)) {
		return t.next(), false
	}
	if t.body != nil {
		if from, ok := t.advance(f, body); ok {
			return from, true
		}
	}
	return t.reload(f, body), true
}

// reload parses the whole body, checks it alone and against the one before, and makes all records anew.
func (t *track) reload(f *faults, body []byte) int64 {
	t.reloads++
	m, err := hls.ParseMedia(body)
	if err != nil {
		f.syntax(err)
		t.body, t.header = body, nil
		return t.next()
	}
	checkMedia(f, body, m)
	if t.body != nil && t.header != nil {
		if before, err := hls.ParseMedia(t.body); err == nil {
			checkChange(f, before, m)
		}
	}
	t.body, t.header, t.first = body, m, m.MediaSequence
	t.records, t.ranges, t.all, t.length, t.shift = t.records[:0], nil, m.DateRanges, 0, 0
	t.check = segmentCheck{media: m}
	dsn := max(m.DiscontinuitySequence, 0)
	inMap := hls.Map{}
	end := 0
	var quiet faults // checkMedia has told
	ranges := m.DateRanges
	for i := range m.Segments {
		n := chunk(body[end:])
		ranges = t.place(ranges, body[end:end+n], t.next())
		end += n
		dsn, inMap = t.append(&quiet, &m.Segments[i], dsn, inMap, int64(end))
	}
	t.place(ranges, body[end:], t.next())
	return t.first
}

// place notes the date ranges whose lines are in text, before segment msn, and returns the others.
func (t *track) place(ranges []hls.DateRange, text []byte, msn int64) []hls.DateRange {
	if len(ranges) == 0 {
		return nil
	}
	n := min(bytes.Count(text, []byte("#EXT-X-DATERANGE:")), len(ranges))
	for _, d := range ranges[:n] {
		t.ranges = append(t.ranges, rangeAt{msn, d})
	}
	return ranges[n:]
}

// append makes the record of one more segment.
func (t *track) append(f *faults, s *hls.Segment, dsn int64, inMap hls.Map, end int64) (int64, hls.Map) {
	t.check.check(f, s, t.next())
	if s.Discontinuity {
		dsn++
	}
	if s.Map != nil {
		inMap = *s.Map
	}
	t.records = append(t.records, record{
		interval: interval{at: s.ProgramDateTime, length: s.Duration, dsn: dsn, discontinuity: s.Discontinuity},
		uri:      s.URI, byteRange: s.ByteRange, inMap: inMap, end: end + t.shift,
	})
	t.length += s.Duration
	return dsn, inMap
}

// tailHead makes a playlist of the lines at the end of one.
const tailHead = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"

// advance tries the cheap way. When it says no, nothing has changed.
func (t *track) advance(f *faults, body []byte) (from int64, ok bool) {
	if t.header == nil || len(t.records) == 0 {
		return 0, false
	}
	headEnd := chunk(body)
	head, err := hls.ParseMedia(body[:headEnd])
	if err != nil || len(head.Segments) != 1 {
		return 0, false
	}
	removed := head.MediaSequence - t.first
	if removed < 0 || removed >= int64(len(t.records)) || !t.sameHeader(head, removed) {
		return 0, false
	}
	kept := t.body[t.records[removed].end-t.shift:]
	rest := body[headEnd:]
	if t.check.media.EndList || !bytes.HasPrefix(rest, kept) {
		return 0, false
	}
	tail := rest[len(kept):]
	t.scratch = append(append(t.scratch[:0], tailHead...), tail...)
	added, err := hls.ParseMedia(t.scratch)
	if err != nil {
		return 0, false
	}
	from = t.next()
	t.forget(removed)
	t.shift = t.records[0].end - int64(headEnd)
	t.body, t.header, t.first = body, head, head.MediaSequence
	t.check.media = head
	checkNormal(f, tail)
	checkDigits(f, tail)
	t.moveRanges(head)
	t.grow(f, added, tail, int64(headEnd+len(kept)))
	t.checkRanges(f)
	if removed > 0 && t.length < 3*head.TargetDuration {
		f.must("R106", "segments are removed and %v is left", t.length)
	}
	checkExtent(f, head, len(t.records), t.length)
	return from, true
}

// sameHeader tells whether a new header and first segment follow from what is
// known, so that nothing needs saying about them.
func (t *track) sameHeader(head *hls.Media, removed int64) bool {
	old, s, r := t.header, &head.Segments[0], &t.records[removed]
	dsn := head.DiscontinuitySequence
	if s.Discontinuity {
		dsn++
	}
	inMap := hls.Map{}
	if s.Map != nil {
		inMap = *s.Map
	}
	return (removed == 0 || head.Type == "") &&
		head.TargetDuration == old.TargetDuration && head.Type == old.Type && head.Version == old.Version &&
		head.IFramesOnly == old.IFramesOnly && head.IndependentSegments == old.IndependentSegments &&
		(head.DiscontinuitySequence >= 0) == (old.DiscontinuitySequence >= 0) &&
		head.Skip == nil && len(head.Tags) == 0 && head.Start == nil && old.Start == nil &&
		(head.ServerControl == nil) == (old.ServerControl == nil) &&
		(head.ServerControl == nil || *head.ServerControl == *old.ServerControl) &&
		max(dsn, 0) == r.dsn && s.URI == r.uri && s.ByteRange == r.byteRange && s.Duration == r.length &&
		s.ProgramDateTime.Equal(r.at) && inMap == r.inMap && !s.Gap
}

// forget drops the records of removed segments.
func (t *track) forget(removed int64) {
	for i := range t.records[:removed] {
		t.length -= t.records[i].length
	}
	t.records = t.records[removed:]
}

// grow takes the segments of the tail, which begins at offset of the body.
func (t *track) grow(f *faults, added *hls.Media, tail []byte, offset int64) {
	last := t.last()
	dsn, inMap := last.dsn, last.inMap
	t.check.media.EndList = added.EndList
	end, ranges := 0, added.DateRanges
	for i := range added.Segments {
		n := chunk(tail[end:])
		ranges = t.place(ranges, tail[end:end+n], t.next())
		end += n
		dsn, inMap = t.append(f, &added.Segments[i], dsn, inMap, offset+int64(end))
	}
	t.place(ranges, tail[end:], t.next())
	if len(added.Tags) > 0 {
		checkUnused(f, &hls.Media{Tags: added.Tags, EndList: added.EndList})
	}
}

// moveRanges replaces the date ranges before the first segment by those that
// the new header has; the others are in the part compared as bytes.
func (t *track) moveRanges(head *hls.Media) {
	if len(head.DateRanges) == 0 && len(t.ranges) == 0 {
		return
	}
	now := make([]rangeAt, 0, len(t.ranges)+len(head.DateRanges))
	for _, d := range head.DateRanges {
		now = append(now, rangeAt{t.first, d})
	}
	for _, r := range t.ranges {
		if r.msn > t.first {
			now = append(now, r)
		}
	}
	t.ranges = now
}

// checkRanges compares the date ranges listed now with those before (R071, R113).
func (t *track) checkRanges(f *faults) {
	before := t.all
	if len(before) == 0 && len(t.ranges) == 0 {
		return
	}
	if len(before) == len(t.ranges) {
		equal := true
		for i := range before {
			equal = equal && reflect.DeepEqual(before[i], t.ranges[i].DateRange)
		}
		if equal {
			return
		}
	}
	t.all = make([]hls.DateRange, len(t.ranges))
	for i := range t.ranges {
		t.all[i] = t.ranges[i].DateRange
	}
	first, last := t.records[0], t.last()
	listed := []hls.Segment{
		{ProgramDateTime: first.at, Duration: first.length},
		{ProgramDateTime: last.at, Duration: last.length},
	}
	checkDateRanges(f, t.all, listed)
	checkRangesChange(f, before, t.all, listed)
}

// delta checks a delta update of the current body, as CheckDelta does, without parsing what is in the body too (R190).
func (t *track) delta(f *faults, body []byte) {
	headEnd := chunk(body)
	head, err := hls.ParseMedia(body[:headEnd])
	if err != nil || len(head.Segments) != 1 || head.Skip == nil || int64(head.Skip.SkippedSegments) >= int64(len(t.records)) {
		f.list = append(f.list, CheckDelta(t.body, body)...)
		return
	}
	r := &t.records[head.Skip.SkippedSegments]
	rest := t.body[r.end-t.shift:]
	kept := time.Duration(0)
	for i := head.Skip.SkippedSegments; i < len(t.records); i++ {
		kept += t.records[i].length
	}
	s := &head.Segments[0]
	if head.MediaSequence != t.first || head.DiscontinuitySequence != t.header.DiscontinuitySequence ||
		head.Version < 9 || t.header.ServerControl == nil || head.ServerControl == nil ||
		*head.ServerControl != *t.header.ServerControl || kept < head.ServerControl.CanSkipUntil || t.check.media.EndList ||
		s.URI != r.uri || s.Duration != r.length || !s.ProgramDateTime.Equal(r.at) || !bytes.Equal(rest, body[headEnd:]) ||
		!t.sameRangesUpTo(t.first+int64(head.Skip.SkippedSegments), head.DateRanges) {
		before := len(f.list)
		f.list = append(f.list, CheckDelta(t.body, body)...)
		if len(f.list) == before {
			f.must("R190", "a delta update of %d segments is not the end of the playlist", head.Skip.SkippedSegments)
		}
	}
}

// sameRangesUpTo tells whether the list is the date ranges that stand before segment msn.
func (t *track) sameRangesUpTo(msn int64, list []hls.DateRange) bool {
	n := 0
	for i := range t.ranges {
		if t.ranges[i].msn > msn {
			continue
		}
		if n >= len(list) || !reflect.DeepEqual(list[n], t.ranges[i].DateRange) {
			return false
		}
		n++
	}
	return n == len(list)
}

// chunk returns the length of the lines up to and with the first URI, or of the whole text without one.
func chunk(text []byte) int {
	n := 0
	for n < len(text) {
		end := bytes.IndexByte(text[n:], '\n')
		if end < 0 {
			return len(text)
		}
		uri := end > 0 && text[n] != '#' && text[n] != '\r'
		n += end + 1
		if uri {
			return n
		}
	}
	return n
}
