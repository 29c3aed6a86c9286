package conformance

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"reprise/stream/hls"
)

// Set is a multivariant playlist and the media playlists that it names, all of
// one instant.
type Set struct {
	Multivariant []byte
	Media        map[string][]byte // by URI, as the multivariant playlist writes it
}

// aacFrame is how far boundaries of different renditions may lie apart (R139).
const aacFrame = 1024 * time.Second / 48000

// CheckRenditions checks the playlists of a presentation against one another.
// It does not check them one by one.
func CheckRenditions(set Set) []Fault {
	var f faults
	m, err := hls.ParseMultivariant(set.Multivariant)
	if err != nil {
		f.syntax(err)
		return f.list
	}
	var first *hls.Media
	for _, uri := range URIs(m) {
		f.where = uri
		body, ok := set.Media[uri]
		if !ok {
			f.must("R137", "the playlist is missing")
			continue
		}
		media, err := hls.ParseMedia(body)
		if err != nil {
			f.syntax(err)
			continue
		}
		checkRepeated(&f, m, media)
		if slices.ContainsFunc(m.IFrameVariants, func(v hls.IFrameVariant) bool { return v.URI == uri }) != media.IFramesOnly {
			f.must("R180", "EXT-X-I-FRAMES-ONLY does not agree with the multivariant playlist")
		}
		if first == nil {
			first = media
			if m.Start != nil {
				checkStart(&f, m.Start, total(media.Segments), media.TargetDuration, media.EndList)
			}
			continue
		}
		checkPair(&f, first, media)
	}
	return f.list
}

// URIs returns the URIs of all media playlists that m names, each once: variants, renditions, I-frame playlists.
func URIs(m *hls.Multivariant) []string {
	var list []string
	add := func(uri string) {
		if uri != "" && !slices.Contains(list, uri) {
			list = append(list, uri)
		}
	}
	for i := range m.Variants {
		add(m.Variants[i].URI)
	}
	for i := range m.Groups {
		for j := range m.Groups[i].Renditions {
			add(m.Groups[i].Renditions[j].URI)
		}
	}
	for i := range m.IFrameVariants {
		add(m.IFrameVariants[i].URI)
	}
	return list
}

// checkRepeated looks at tags that may stand in both kinds of playlist (R013, R041).
func checkRepeated(f *faults, m *hls.Multivariant, media *hls.Media) {
	if m.Start != nil && media.Start != nil {
		f.should("R013", "EXT-X-START is in the multivariant playlist already")
	}
	if m.IndependentSegments && media.IndependentSegments {
		f.should("R013", "EXT-X-INDEPENDENT-SEGMENTS is in the multivariant playlist already")
	}
}

// checkPair compares one rendition with the first.
func checkPair(f *faults, first, other *hls.Media) {
	checkAlike(f, first, other)
	checkSameRanges(f, first.DateRanges, other.DateRanges)
	if first.MediaSequence != other.MediaSequence || len(first.Segments) != len(other.Segments) {
		f.own("R139", "lists %d segments from %d, the first rendition %d from %d",
			len(other.Segments), other.MediaSequence, len(first.Segments), first.MediaSequence)
	}
	if d := total(first.Segments) - total(other.Segments); d.Abs() > aacFrame {
		f.must("R135", "holds %v less than the first rendition", d)
	}
	a, b := number(first), number(other)
	for i := range a {
		j := int64(i) + first.MediaSequence - other.MediaSequence
		if j < 0 || j >= int64(len(b)) {
			continue
		}
		where := f.where
		f.where = join(where, fmt.Sprintf("segment %d", first.MediaSequence+int64(i)))
		sameInterval(f, interval{a[i].ProgramDateTime, a[i].Duration, a[i].dsn, a[i].Discontinuity},
			interval{b[j].ProgramDateTime, b[j].Duration, b[j].dsn, b[j].Discontinuity})
		f.where = where
	}
}

// checkAlike compares what the headers say.
func checkAlike(f *faults, first, other *hls.Media) {
	if first.TargetDuration != other.TargetDuration {
		f.must("R130", "the target duration is %v, the first rendition's %v", other.TargetDuration, first.TargetDuration)
	}
	if !reflect.DeepEqual(first.ServerControl, other.ServerControl) {
		f.must("R133", "EXT-X-SERVER-CONTROL is not the first rendition's")
	}
	if first.Type != other.Type {
		f.must("R134", "the playlist type is %q, the first rendition's %q", other.Type, first.Type)
	}
	if first.EndList != other.EndList {
		f.must("R135", "EXT-X-ENDLIST is here or in the first rendition, not in both")
	}
	if first.DiscontinuitySequence != other.DiscontinuitySequence {
		f.must("R131", "EXT-X-DISCONTINUITY-SEQUENCE is %d, the first rendition's %d", other.DiscontinuitySequence, first.DiscontinuitySequence)
	}
}

func checkSameRanges(f *faults, first, other []hls.DateRange) {
	if len(first) == 0 && len(other) == 0 {
		return
	}
	if len(first) == 0 || len(other) == 0 {
		f.own("R136", "date ranges are in some renditions only")
		return
	}
	same := len(first) == len(other)
	for i := range first {
		d := findRange(other, first[i].ID)
		same = same && d != nil && reflect.DeepEqual(*d, first[i])
	}
	if !same {
		f.must("R136", "the date ranges are not the first rendition's")
	}
}

// interval is when a segment is on air, and its discontinuity sequence number.
type interval struct {
	at            time.Time
	length        time.Duration
	dsn           int64
	discontinuity bool
}

// sameInterval compares segments of one sequence number in two renditions (R131, R132, R138, R139).
func sameInterval(f *faults, first, other interval) {
	if first.dsn != other.dsn {
		f.must("R131", "the discontinuity sequence number is %d, the first rendition's %d", other.dsn, first.dsn)
	}
	if first.discontinuity != other.discontinuity {
		f.must("R131", "EXT-X-DISCONTINUITY is here or in the first rendition, not in both")
	}
	if first.at.IsZero() != other.at.IsZero() {
		f.must("R132", "a date is here or in the first rendition, not in both")
	} else if d := first.at.Sub(other.at).Abs(); d > tolerance {
		f.must("R132", "begins at %s, in the first rendition at %s", clock(other.at), clock(first.at))
		if d > aacFrame {
			f.should("R138", "the boundary is %v from the first rendition's", d)
		}
	}
	if (first.length - other.length).Abs() > aacFrame {
		f.own("R139", "lasts %v, in the first rendition %v", other.length, first.length)
	}
}
