package conformance

import (
	"fmt"
	"reflect"
	"time"

	"reprise/stream/hls"
)

// CheckChange checks that next may follow prev under the same URI, whatever
// time has passed between the two downloads. Both are whole playlists, not delta updates.
func CheckChange(prev, next []byte) []Fault {
	var f faults
	a, err := hls.ParseMedia(prev)
	if err != nil {
		f.syntax(err)
		return f.list
	}
	b, err := hls.ParseMedia(next)
	if err != nil {
		f.syntax(err)
		return f.list
	}
	checkChange(&f, a, b)
	return f.list
}

// numbered is a segment with what follows from its place in the playlist.
type numbered struct {
	*hls.Segment
	dsn   int64
	inMap *hls.Map
}

func number(m *hls.Media) []numbered {
	list := make([]numbered, len(m.Segments))
	dsn := max(m.DiscontinuitySequence, 0)
	var inForce *hls.Map
	for i := range m.Segments {
		s := &m.Segments[i]
		if s.Discontinuity {
			dsn++
		}
		if s.Map != nil {
			inForce = s.Map
		}
		list[i] = numbered{Segment: s, dsn: dsn, inMap: inForce}
	}
	return list
}

func checkChange(f *faults, a, b *hls.Media) {
	checkHeaderChange(f, a, b)
	if a.Type == hls.VOD && !reflect.DeepEqual(a, b) {
		f.must("R110", "a VOD playlist changes")
	}
	removed := b.MediaSequence - a.MediaSequence
	switch {
	case removed < 0:
		f.must("R102", "EXT-X-MEDIA-SEQUENCE goes back from %d to %d", a.MediaSequence, b.MediaSequence)
		return
	case removed > 0 && a.Type != "":
		f.must("R110", "%d segments are gone from a playlist of type %s", removed, a.Type)
	case removed > 0 && total(b.Segments) < 3*b.TargetDuration:
		f.must("R106", "segments are removed and %v is left", total(b.Segments))
	}
	if b.DiscontinuitySequence < a.DiscontinuitySequence {
		f.must("R103", "EXT-X-DISCONTINUITY-SEQUENCE goes back from %d to %d", a.DiscontinuitySequence, b.DiscontinuitySequence)
	}
	before, after := number(a), number(b)
	if removed < int64(len(before)) {
		checkOverlap(f, a, before[removed:], after)
	}
	checkRangesChange(f, a.DateRanges, b.DateRanges, b.Segments)
}

// checkHeaderChange demands that nothing but the two numbers changes in a playlist's header.
func checkHeaderChange(f *faults, a, b *hls.Media) {
	if a.TargetDuration != b.TargetDuration {
		f.must("R100", "the target duration changes from %v to %v", a.TargetDuration, b.TargetDuration)
	}
	if a.Type != b.Type || a.IFramesOnly != b.IFramesOnly || a.IndependentSegments != b.IndependentSegments ||
		a.Version != b.Version || !reflect.DeepEqual(a.Start, b.Start) || !reflect.DeepEqual(a.ServerControl, b.ServerControl) {
		f.must("R101", "the playlist's header changes")
	}
	if (a.DiscontinuitySequence < 0) != (b.DiscontinuitySequence < 0) {
		f.must("R077", "EXT-X-DISCONTINUITY-SEQUENCE is there in one version only")
	}
	if a.EndList && !b.EndList {
		f.must("R109", "EXT-X-ENDLIST is taken back")
	}
}

// checkOverlap compares the segments that both versions list.
func checkOverlap(f *faults, a *hls.Media, before, after []numbered) {
	if len(after) < len(before) {
		rule := "R101"
		if a.Type != "" {
			rule = "R110"
		}
		f.must(rule, "%d segments are gone from the end", len(before)-len(after))
	}
	if len(after) > len(before) {
		if a.EndList {
			f.must("R109", "%d segments after EXT-X-ENDLIST", len(after)-len(before))
		}
	}
	msn := a.MediaSequence + int64(len(a.Segments)-len(before))
	for i := 0; i < min(len(before), len(after)); i++ {
		where := f.where
		f.where = join(where, fmt.Sprintf("segment %d", msn+int64(i)))
		sameSegment(f, before[i], after[i])
		f.where = where
	}
}

// sameSegment demands that a segment keeps all it has (R103, R104).
func sameSegment(f *faults, a, b numbered) {
	if a.URI != b.URI {
		f.must("R104", "the URI changes from %s to %s", a.URI, b.URI)
	}
	if a.ByteRange != b.ByteRange {
		f.must("R104", "the byte range changes")
	}
	if a.Duration != b.Duration {
		f.must("R104", "the duration changes from %v to %v", a.Duration, b.Duration)
	}
	if !a.ProgramDateTime.Equal(b.ProgramDateTime) {
		f.must("R104", "the date changes from %s to %s", clock(a.ProgramDateTime), clock(b.ProgramDateTime))
	}
	if a.inMap != nil && (b.inMap == nil || *a.inMap != *b.inMap) {
		f.must("R104", "the init segment changes")
	}
	if a.dsn != b.dsn {
		f.must("R103", "the discontinuity sequence number changes from %d to %d", a.dsn, b.dsn)
	}
}

// checkRangesChange demands that a date range stays while it meets a listed segment, and stays what it is (R071, R113).
func checkRangesChange(f *faults, before, after []hls.DateRange, listed []hls.Segment) {
	if len(listed) == 0 {
		return
	}
	from := listed[0].ProgramDateTime
	to := listed[len(listed)-1].ProgramDateTime.Add(listed[len(listed)-1].Duration)
	for i := range before {
		d := &before[i]
		now := findRange(after, d.ID)
		if now == nil {
			if d.StartDate.Before(to) && rangeEnd(d).After(from) {
				f.must("R113", "date range %s is gone though its time is listed", d.ID)
			}
			continue
		}
		if !now.StartDate.Equal(d.StartDate) || now.Class != d.Class ||
			(d.Duration != 0 && now.Duration != d.Duration) || (!d.EndDate.IsZero() && !now.EndDate.Equal(d.EndDate)) {
			f.must("R071", "date range %s changes", d.ID)
		}
	}
}

func findRange(list []hls.DateRange, id string) *hls.DateRange {
	for i := range list {
		if list[i].ID == id {
			return &list[i]
		}
	}
	return nil
}

// rangeEnd returns when a date range ends, as far as is known; one of unknown end ends never.
func rangeEnd(d *hls.DateRange) time.Time {
	switch {
	case !d.EndDate.IsZero():
		return d.EndDate
	case d.Duration != 0:
		return d.StartDate.Add(d.Duration)
	case d.PlannedDuration != 0:
		return d.StartDate.Add(d.PlannedDuration)
	}
	return d.StartDate.AddDate(100, 0, 0)
}

// CheckDelta checks a delta update against the whole playlist of the same instant (R190).
func CheckDelta(full, delta []byte) []Fault {
	var f faults
	a, err := hls.ParseMedia(full)
	if err != nil {
		f.syntax(err)
		return f.list
	}
	b, err := hls.ParseMedia(delta)
	if err != nil {
		f.syntax(err)
		return f.list
	}
	checkMedia(&f, delta, b)
	if b.Skip == nil {
		f.must("R190", "a delta update without EXT-X-SKIP")
		return f.list
	}
	if b.MediaSequence != a.MediaSequence || b.DiscontinuitySequence != a.DiscontinuitySequence || a.TargetDuration != b.TargetDuration ||
		!reflect.DeepEqual(a.ServerControl, b.ServerControl) || a.Type != b.Type {
		f.must("R190", "the header of the delta update is not the playlist's")
	}
	if !reflect.DeepEqual(a.DateRanges, b.DateRanges) {
		f.must("R190", "the date ranges of the delta update are not the playlist's")
	}
	skipped := b.Skip.SkippedSegments
	if skipped+len(b.Segments) != len(a.Segments) {
		f.must("R190", "%d segments are skipped and %d listed of %d", skipped, len(b.Segments), len(a.Segments))
		return f.list
	}
	for i := range b.Segments {
		x, y := a.Segments[skipped+i], b.Segments[i]
		if i > 0 && (x.Map == nil) != (y.Map == nil) {
			f.must("R190", "segment %d: EXT-X-MAP is in one only", a.MediaSequence+int64(skipped+i))
		}
		x.Map, y.Map = nil, nil
		if x != y {
			f.must("R190", "segment %d is not the playlist's", a.MediaSequence+int64(skipped+i))
		}
	}
	return f.list
}
