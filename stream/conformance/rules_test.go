package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/stream/hls"
)

func has(list []Fault, rule string) bool {
	return slices.ContainsFunc(list, func(f Fault) bool { return f.Rule == rule })
}

// demand fails unless the faults name the rule.
func demand(t *testing.T, rule string, list []Fault) {
	t.Helper()
	if !has(list, rule) {
		t.Errorf("%s is not found, but %v", rule, list)
	}
}

func clean(t *testing.T, list []Fault) {
	t.Helper()
	if len(list) > 0 {
		t.Errorf("a good playlist has faults: %v", list)
	}
}

func TestMultivariant(t *testing.T) {
	t.Parallel()
	clean(t, CheckMultivariant(hls.AppendMultivariant(nil, goodMultivariant())))
	type M = hls.Multivariant
	tag := func(name, value string) func(*M) {
		return func(m *M) { m.Tags = append(m.Tags, hls.Tag{Name: name, Value: value}) }
	}
	for _, c := range []struct {
		name  string // "R030 what is wrong"
		spoil func(*M)
	}{
		{"R002 accents not composed", func(m *M) { m.Groups[0].Renditions[0].Name = "Franc\u0327ais" }},
		{"R007 version too high", func(m *M) { m.Version = 10 }},
		{"R012 no name", tag("EXT-X-DEFINE", `VALUE="a"`)},
		{"R012 import", tag("EXT-X-DEFINE", `IMPORT="a"`)},
		{"R020 no variant", func(m *M) { m.Variants = nil }},
		{"R022 no average", func(m *M) { m.Variants[0].AverageBandwidth = 0 }},
		{"R022 average over the peak", func(m *M) { m.Variants[0].AverageBandwidth = m.Variants[0].Bandwidth + 1 }},
		{"R024 no codecs", func(m *M) { m.Variants[0].Codecs = "" }},
		{"R024 bad codec", func(m *M) { m.Variants[0].Codecs = "h264,mp4a.40.2" }},
		{"R024 sound not named", func(m *M) { m.Variants[0].Codecs = "avc1.64001f" }},
		{"R024 picture not named", func(m *M) { m.Variants[0].Codecs = "mp4a.40.2" }},
		{"R024 i-frames", func(m *M) { m.IFrameVariants[0].Codecs = "" }},
		{"R025 no resolution", func(m *M) { m.Variants[0].Width = 0 }},
		{"R025 i-frames", func(m *M) { m.IFrameVariants[0].Width = 0 }},
		{"R026 no frame rate", func(m *M) { m.Variants[0].FrameRate = 0 }},
		{"R027 HDR", func(m *M) { m.Variants[0].VideoRange = "PQ" }},
		{"R027 on one only", func(m *M) { m.Variants[1].VideoRange = "SDR" }},
		{"R028 no such sound", func(m *M) { m.Variants[0].Audio = "none" }},
		{"R028 no such captions", func(m *M) { m.Variants[0].Subtitles = "none" }},
		{"R028 no such video group", func(m *M) {
			m.Variants[0].Other = []hls.Attribute{{Name: "VIDEO", Value: "none", Quoted: true}}
		}},
		{"R029 on some only", func(m *M) { m.Variants[1].NoClosedCaptions = false }},
		{"R029 on none", func(m *M) {
			for i := range m.Variants {
				m.Variants[i].NoClosedCaptions = false
			}
		}},
		{"R030 one name twice", func(m *M) { m.Groups[0].Renditions[1].Name = "Français" }},
		{"R030 two defaults", func(m *M) { m.Groups[0].Renditions[1].Default = true }},
		{"R030 default without autoselect", func(m *M) { m.Groups[0].Renditions[0].Autoselect = false }},
		{"R031 no language", func(m *M) { m.Groups[0].Renditions[0].Language = "" }},
		{"R031 not a tag", func(m *M) { m.Groups[0].Renditions[0].Language = "french_FR" }},
		{"R032 name in another language", func(m *M) { m.Groups[0].Renditions[0].Name = "French" }},
		{"R033 no choice", func(m *M) { m.Groups[0].Renditions[1].Language = "fr" }},
		{"R034 no channels", func(m *M) { m.Groups[0].Renditions[0].Channels = "" }},
		{"R035 groups differ", func(m *M) { m.Groups[1].Renditions = m.Groups[1].Renditions[:1] }},
		{"R036 captions without a URI", func(m *M) { m.Groups[2].Renditions[0].URI = "" }},
		{"R036 closed captions with a URI", func(m *M) {
			m.Groups = append(m.Groups, hls.Group{Type: hls.ClosedCaptions, ID: "cc", Renditions: []hls.Rendition{{Name: "CC", Language: "fr", URI: "cc.m3u8"}}})
		}},
		{"R036 forced sound", func(m *M) {
			m.Groups[0].Renditions[0].Other = []hls.Attribute{{Name: "FORCED", Value: "YES"}}
		}},
		{"R037 muxed", func(m *M) { m.Groups[0].Renditions[0].URI = "" }},
		{"R037 no group", func(m *M) { m.Variants[0].Audio = "" }},
		{"R038 one bit rate", func(m *M) { m.Variants = m.Variants[4:] }},
		{"R038 nothing for a slow line", func(m *M) { m.Variants = m.Variants[:4] }},
		{"R039 aspect ratio", func(m *M) { m.Variants[1].Width = 1440 }},
		{"R041 not independent", func(m *M) { m.IndependentSegments = false }},
		{"R042 no i-frames", func(m *M) { m.IFrameVariants = nil }},
		{"R042 frame rate", func(m *M) {
			m.IFrameVariants[0].Other = []hls.Attribute{{Name: "FRAME-RATE", Value: "25.000"}}
		}},
		{"R043 some scores", func(m *M) { m.Variants[0].Other = []hls.Attribute{{Name: "SCORE", Value: "1"}} }},
		{"R044 bad id", func(m *M) {
			m.Variants[0].Other = []hls.Attribute{{Name: "STABLE-VARIANT-ID", Value: "a b", Quoted: true}}
		}},
		{"R044 two ids", func(m *M) {
			v := m.Variants[0]
			v.Other = []hls.Attribute{{Name: "STABLE-VARIANT-ID", Value: "a", Quoted: true}}
			m.Variants = append(m.Variants, v)
		}},
		{"R045 twice", func(m *M) {
			tag("EXT-X-CONTENT-STEERING", `SERVER-URI="a"`)(m)
			tag("EXT-X-CONTENT-STEERING", `SERVER-URI="a"`)(m)
		}},
		{"R046 value and uri", tag("EXT-X-SESSION-DATA", `DATA-ID="a",VALUE="b",URI="c"`)},
		{"R046 twice", func(m *M) {
			tag("EXT-X-SESSION-DATA", `DATA-ID="a",VALUE="b"`)(m)
			tag("EXT-X-SESSION-DATA", `DATA-ID="a",VALUE="b"`)(m)
		}},
		{"R046 no key", tag("EXT-X-SESSION-KEY", `METHOD=NONE`)},
		{"R048 half a claim", func(m *M) {
			m.Groups[2].Renditions[0].Characteristics = "public.accessibility.transcribes-spoken-dialog"
		}},
		{"R048 not selected", func(m *M) {
			r := &m.Groups[2].Renditions[0]
			r.Characteristics = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"
			r.Autoselect = false
		}},
		{"R080 absolute", func(m *M) { m.Variants[0].URI = "/v720.m3u8" }},
		{"R080 query", func(m *M) { m.Variants[0].URI = "v720.m3u8?token=a" }},
		{"R174 captions without a language", func(m *M) { m.Groups[2].Renditions[0].Language = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := goodMultivariant()
			c.spoil(m)
			demand(t, c.name[:4], CheckMultivariant(hls.AppendMultivariant(nil, m)))
		})
	}
	t.Run("R047 wvtt is allowed", func(t *testing.T) {
		for _, v := range goodMultivariant().Variants {
			if !strings.HasSuffix(v.Codecs, ",wvtt") {
				t.Error("the good playlist does not try it")
			}
		}
	})
}

// goodMedia is a live playlist without a fault: slate, then a talk whose first segment is number 1820.
func goodMedia(t testing.TB) *hls.Media {
	m := &hls.Media{
		Version: 7, TargetDuration: 4 * time.Second, MediaSequence: 1600, DiscontinuitySequence: 6,
		ServerControl: &hls.ServerControl{CanBlockReload: true, CanSkipUntil: 24 * time.Second, HoldBack: 16 * time.Second},
		DateRanges: []hls.DateRange{{
			ID: "t1", Class: "org.example.talk", StartDate: at(t, "2026-11-23 14:00:00"), PlannedDuration: 25 * time.Minute,
		}},
	}
	const nominal = 3840 * time.Millisecond
	start := at(t, "2026-11-23 14:00:00").Add(-220 * nominal)
	for i := range 240 {
		source := "slate"
		if i >= 220 {
			source = "talk"
		}
		s := hls.Segment{
			URI: fmt.Sprintf("../../../s/%s/v720/%d.m4s", source, i), Duration: nominal, ProgramDateTime: start.Add(time.Duration(i) * nominal),
		}
		if i == 0 || i == 220 {
			s.Map = &hls.Map{URI: "../../../s/" + source + "/v720/init.mp4"}
			s.Discontinuity = i > 0
		}
		m.Segments = append(m.Segments, s)
	}
	return m
}

func TestMedia(t *testing.T) {
	t.Parallel()
	clean(t, CheckMedia(hls.AppendMedia(nil, goodMedia(t))))
	type M = hls.Media
	for _, c := range []struct {
		name  string
		spoil func(*M)
	}{
		{"R002 accents not composed", func(m *M) { m.DateRanges[0].Class = "e\u0301" }},
		{"R005 no version", func(m *M) { m.Version = 0 }},
		{"R006 version too low", func(m *M) { m.Version = 5 }},
		{"R006 i-frames", func(m *M) {
			m.Version, m.IFramesOnly = 3, true
			for i := range m.Segments {
				m.Segments[i].Map = nil
			}
		}},
		{"R007 version too high", func(m *M) { m.Version = 9 }},
		{"R012 define", func(m *M) { m.Tags = []hls.Tag{{Name: "EXT-X-DEFINE", Value: `NAME="a",IMPORT="b"`}} }},
		{"R014 start before the beginning", func(m *M) { m.Start = &hls.Start{TimeOffset: -time.Hour} }},
		{"R014 start too near to the end", func(m *M) { m.Start = &hls.Start{TimeOffset: -11 * time.Second} }},
		{"R061 too long", func(m *M) { m.Segments[9].Duration = 4500 * time.Millisecond }},
		{"R063 zero", func(m *M) { m.Segments[9].Duration = 0 }},
		{"R065 no map", func(m *M) { m.Segments[0].Map = nil }},
		{"R065 no new map", func(m *M) { m.Segments[220].Map = nil }},
		{"R067 no date", func(m *M) { m.Segments[0].ProgramDateTime = time.Time{} }},
		{"R068 a date missing", func(m *M) { m.Segments[9].ProgramDateTime = time.Time{} }},
		{"R069 a jump", func(m *M) { m.Segments[9].ProgramDateTime = m.Segments[9].ProgramDateTime.Add(2 * time.Millisecond) }},
		{"R069 back in time", func(m *M) {
			for i := range m.Segments[220:] {
				m.Segments[220+i].ProgramDateTime = m.Segments[220+i].ProgramDateTime.Add(-1100 * time.Millisecond)
			}
		}},
		{"R071 no start", func(m *M) { m.DateRanges[0].StartDate = time.Time{} }},
		{"R071 end is not start and duration", func(m *M) {
			d := &m.DateRanges[0]
			d.Duration, d.EndDate = time.Minute, d.StartDate.Add(2*time.Minute)
		}},
		{"R071 ends before it starts", func(m *M) { m.DateRanges[0].EndDate = m.DateRanges[0].StartDate.Add(-time.Minute) }},
		{"R071 end on next without a class", func(m *M) { m.DateRanges[0].Class, m.DateRanges[0].EndOnNext = "", true }},
		{"R071 before and after", func(m *M) { m.DateRanges[0].Cue = "PRE,POST" }},
		{"R071 twice", func(m *M) {
			d := m.DateRanges[0]
			d.StartDate = d.StartDate.Add(time.Second)
			m.DateRanges = append(m.DateRanges, d)
		}},
		{"R071 without a date", func(m *M) {
			for i := range m.Segments {
				m.Segments[i].ProgramDateTime = time.Time{}
			}
		}},
		{"R074 gap", func(m *M) { m.Segments[9].Gap = true }},
		{"R075 hold-back", func(m *M) { m.ServerControl.HoldBack = 11 * time.Second }},
		{"R075 skip", func(m *M) { m.ServerControl.CanSkipUntil = 23 * time.Second }},
		{"R075 skip of date ranges", func(m *M) { m.ServerControl.CanSkipUntil, m.ServerControl.CanSkipDateRanges = 0, true }},
		{"R076 empty", func(m *M) { m.Segments = nil }},
		{"R076 five segments", func(m *M) { m.Segments = m.Segments[:5] }},
		{"R076 a short window", func(m *M) { m.Segments = m.Segments[:200] }},
		{"R077 no discontinuity sequence", func(m *M) { m.DiscontinuitySequence = hls.Absent }},
		{"R079 VOD that goes on", func(m *M) { m.Type = hls.VOD }},
		{"R080 absolute", func(m *M) { m.Segments[9].URI = "https://example.org/a.m4s" }},
		{"R080 query in the map", func(m *M) { m.Segments[0].Map.URI += "?a" }},
		{"R180 no range", func(m *M) { m.IFramesOnly = true }},
		{"R180 version", func(m *M) { m.IFramesOnly, m.Version = true, 4 }},
		{"R190 no leave to skip", func(m *M) { m.Skip, m.Version, m.ServerControl = &hls.Skip{SkippedSegments: 9}, 9, nil }},
		{"R190 skips too much", func(m *M) {
			m.Skip, m.Version, m.Segments = &hls.Skip{SkippedSegments: 234}, 9, m.Segments[234:]
		}},
		{"R190 ended", func(m *M) { m.Skip, m.Version, m.EndList = &hls.Skip{SkippedSegments: 9}, 9, true }},
		{"R194 parts", func(m *M) { m.Tags = []hls.Tag{{Name: "EXT-X-PART", Value: `URI="a",DURATION=1`}} }},
		{"R195 hint at the end", func(m *M) {
			m.Tags, m.EndList = []hls.Tag{{Name: "EXT-X-PRELOAD-HINT", Value: `TYPE=PART,URI="a"`}}, true
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := goodMedia(t)
			c.spoil(m)
			demand(t, c.name[:4], CheckMedia(hls.AppendMedia(nil, m)))
		})
	}
	good := string(hls.AppendMedia(nil, goodMedia(t)))
	for _, c := range []struct{ name, old, new string }{
		{"R001 another first line", "#EXTM3U", "#EXTM3U8"},
		{"R003 white space", "#EXT-X-TARGETDURATION:4", "#EXT-X-TARGETDURATION:4 "},
		{"R063 few decimals", "#EXTINF:3.840000,", "#EXTINF:3.84,"},
		{"R067 no milliseconds", "14:00:00.000Z\n#EXTINF", "14:00:00Z\n#EXTINF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			demand(t, c.name[:4], CheckMedia([]byte(strings.Replace(good, c.old, c.new, 1))))
		})
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	// The next version: one segment gone, one more.
	next := func() *hls.Media {
		m := goodMedia(t)
		first := *m.Segments[0].Map
		s := m.Segments[239]
		s.URI, s.ProgramDateTime = "../../../s/talk/v720/240.m4s", s.ProgramDateTime.Add(s.Duration)
		m.Segments = append(m.Segments[1:], s)
		m.Segments[0].Map, m.MediaSequence = &first, m.MediaSequence+1
		return m
	}
	before := goodMedia(t)
	clean(t, CheckChange(hls.AppendMedia(nil, before), hls.AppendMedia(nil, next())))
	type M = hls.Media
	for _, c := range []struct {
		name  string
		spoil func(prev, next *M)
	}{
		{"R071 date range changes", func(_, m *M) { m.DateRanges[0].StartDate = m.DateRanges[0].StartDate.Add(time.Second) }},
		{"R077 discontinuity sequence comes and goes", func(_, m *M) { m.DiscontinuitySequence = hls.Absent }},
		{"R100 target duration", func(_, m *M) { m.TargetDuration = 5 * time.Second }},
		{"R101 header", func(_, m *M) { m.ServerControl.HoldBack = 12 * time.Second }},
		{"R101 shorter", func(_, m *M) { m.Segments = m.Segments[:200] }},
		{"R102 back", func(_, m *M) { m.MediaSequence = 1599 }},
		{"R103 discontinuity sequence goes back", func(_, m *M) { m.DiscontinuitySequence = 5 }},
		{"R103 discontinuity not counted", func(_, m *M) { m.Segments[219].Discontinuity = false }},
		{"R104 not as many removed as said", func(_, m *M) { m.MediaSequence++ }},
		{"R104 another file", func(_, m *M) { m.Segments[50].URI = "x.m4s" }},
		{"R104 another range", func(_, m *M) { m.Segments[50].ByteRange.Length = 5 }},
		{"R104 another duration", func(_, m *M) { m.Segments[50].Duration += time.Microsecond }},
		{"R104 another date", func(_, m *M) { m.Segments[50].ProgramDateTime = m.Segments[50].ProgramDateTime.Add(time.Millisecond) }},
		{"R104 another init", func(_, m *M) { m.Segments[0].Map.URI = "x.mp4" }},
		{"R106 too little left", func(p, m *M) { p.Segments, m.Segments = p.Segments[:4], m.Segments[:3] }},
		{"R109 after the end", func(p, m *M) { p.EndList, m.EndList = true, true }},
		{"R109 the end taken back", func(p, _ *M) { p.EndList = true }},
		{"R110 event loses a segment", func(p, m *M) { p.Type, m.Type = hls.Event, hls.Event }},
		{"R110 VOD grows", func(p, m *M) {
			p.Type, m.Type, p.EndList, m.EndList = hls.VOD, hls.VOD, true, true
			*m = *p
			m.Segments = append(m.Segments[:240:240], p.Segments[239])
		}},
		{"R110 event loses its end", func(p, m *M) {
			p.Type = hls.Event
			*m = *p
			m.Segments = m.Segments[:200]
		}},
		{"R113 date range is gone", func(_, m *M) { m.DateRanges = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, n := goodMedia(t), next()
			c.spoil(p, n)
			demand(t, c.name[:4], CheckChange(hls.AppendMedia(nil, p), hls.AppendMedia(nil, n)))
		})
	}
}

func TestDelta(t *testing.T) {
	t.Parallel()
	full := hls.AppendMedia(nil, goodMedia(t))
	delta := func() *hls.Media {
		m := goodMedia(t)
		m.Version, m.Skip, m.Segments = 9, &hls.Skip{SkippedSegments: 230}, m.Segments[230:]
		return m
	}
	clean(t, CheckDelta(full, hls.AppendMedia(nil, delta())))
	for _, c := range []struct {
		name  string
		spoil func(*hls.Media)
	}{
		{"R190 no skip", func(m *hls.Media) { m.Skip = nil }},
		{"R190 miscounted", func(m *hls.Media) { m.Skip.SkippedSegments = 229 }},
		{"R190 another segment", func(m *hls.Media) { m.Segments[3].URI = "x.m4s" }},
		{"R190 another header", func(m *hls.Media) { m.DiscontinuitySequence++ }},
		{"R190 date ranges left out", func(m *hls.Media) { m.DateRanges = nil }},
		{"R006 version", func(m *hls.Media) { m.Version = 7 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := delta()
			c.spoil(m)
			demand(t, c.name[:4], CheckDelta(full, hls.AppendMedia(nil, m)))
			// A Watcher finds it too.
			w := NewWatcher(Expectation{})
			w.Media("v720.m3u8", full)
			clean(t, w.Faults())
			w.Delta("v720.m3u8", hls.AppendMedia(nil, delta()))
			clean(t, w.Faults())
			w.Delta("v720.m3u8", hls.AppendMedia(nil, m))
			if len(w.Faults()) == 0 {
				t.Error("the watcher finds nothing")
			}
		})
	}
}

func TestRenditions(t *testing.T) {
	t.Parallel()
	build := func(spoil func(m *hls.Multivariant, media map[string]*hls.Media)) Set {
		m := goodMultivariant()
		m.Start = &hls.Start{TimeOffset: -15 * time.Second}
		media := map[string]*hls.Media{}
		for _, uri := range renditions {
			media[uri] = goodMedia(t)
			if uri[0] == 'i' {
				media[uri].IFramesOnly = true
				for i := range media[uri].Segments {
					media[uri].Segments[i].ByteRange.Length = 7
				}
			}
		}
		if spoil != nil {
			spoil(m, media)
		}
		set := Set{Multivariant: hls.AppendMultivariant(nil, m), Media: map[string][]byte{}}
		for uri, x := range media {
			set.Media[uri] = hls.AppendMedia(nil, x)
		}
		return set
	}
	clean(t, CheckRenditions(build(nil)))
	type V = map[string]*hls.Media
	const sound = "a-fr.m3u8"
	for _, c := range []struct {
		name  string
		spoil func(m *hls.Multivariant, media V)
	}{
		{"R013 start twice", func(_ *hls.Multivariant, v V) { v[sound].Start = &hls.Start{TimeOffset: -20 * time.Second} }},
		{"R013 independent segments twice", func(_ *hls.Multivariant, v V) { v[sound].IndependentSegments = true }},
		{"R014 start at the end", func(m *hls.Multivariant, _ V) { m.Start.TimeOffset = -5 * time.Second }},
		{"R130 target duration", func(_ *hls.Multivariant, v V) { v[sound].TargetDuration = 5 * time.Second }},
		{"R131 discontinuity sequence", func(_ *hls.Multivariant, v V) { v[sound].DiscontinuitySequence++ }},
		{"R131 discontinuity elsewhere", func(_ *hls.Multivariant, v V) { v[sound].Segments[220].Discontinuity = false }},
		{"R132 date", func(_ *hls.Multivariant, v V) {
			v[sound].Segments[5].ProgramDateTime = v[sound].Segments[5].ProgramDateTime.Add(10 * time.Millisecond)
		}},
		{"R132 no date", func(_ *hls.Multivariant, v V) { v[sound].Segments[5].ProgramDateTime = time.Time{} }},
		{"R133 server control", func(_ *hls.Multivariant, v V) { v[sound].ServerControl.HoldBack = 12 * time.Second }},
		{"R133 no server control", func(_ *hls.Multivariant, v V) { v["s-fr.m3u8"].ServerControl = nil }},
		{"R134 type", func(_ *hls.Multivariant, v V) { v[sound].Type = hls.Event }},
		{"R135 shorter", func(_ *hls.Multivariant, v V) { v[sound].Segments = v[sound].Segments[:239] }},
		{"R135 one ends", func(_ *hls.Multivariant, v V) { v[sound].EndList = true }},
		{"R136 date ranges in some", func(_ *hls.Multivariant, v V) { v[sound].DateRanges = nil }},
		{"R136 other date ranges", func(_ *hls.Multivariant, v V) { v[sound].DateRanges[0].Class = "x" }},
		{"R137 missing", func(_ *hls.Multivariant, v V) { delete(v, "s-en.m3u8") }},
		{"R138 boundaries", func(_ *hls.Multivariant, v V) {
			v[sound].Segments[5].ProgramDateTime = v[sound].Segments[5].ProgramDateTime.Add(30 * time.Millisecond)
		}},
		{"R139 count", func(_ *hls.Multivariant, v V) { v[sound].Segments = v[sound].Segments[:239] }},
		{"R139 length", func(_ *hls.Multivariant, v V) { v[sound].Segments[5].Duration -= 30 * time.Millisecond }},
		{"R180 not only i-frames", func(_ *hls.Multivariant, v V) { v["i720.m3u8"].IFramesOnly = false }},
		{"R001 not a playlist", func(m *hls.Multivariant, _ V) { m.Variants[0].URI = "other.m3u8\n#EXTM3U" }},
	} {
		t.Run(c.name, func(t *testing.T) { demand(t, c.name[:4], CheckRenditions(build(c.spoil))) })
	}
}

// TestEveryRuleIsTried demands that each rule which a check of this package can
// name stands in a test of this package or, for the parsers, of stream/hls.
func TestEveryRuleIsTried(t *testing.T) {
	t.Parallel()
	rule := regexp.MustCompile(`R\d{3}`)
	named, tried := map[string]bool{}, map[string]bool{}
	for _, folder := range []string{".", "../hls"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			into := named
			pattern := regexp.MustCompile(`"R\d{3}"`)
			if strings.HasSuffix(file, "_test.go") {
				into, pattern = tried, regexp.MustCompile(`("|func Test)R\d{3}[ "_]`)
			}
			for _, match := range pattern.FindAllString(string(text), -1) {
				into[rule.FindString(match)] = true
			}
		}
	}
	if len(named) < 60 {
		t.Errorf("only %d rules are found in the sources", len(named))
	}
	for id := range named {
		if !tried[id] {
			t.Errorf("%s: no test gives a broken playlist", id)
		}
	}
}
