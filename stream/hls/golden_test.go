package hls

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

// archive is a txtar file: a comment, then files after lines "-- name --".
type archive struct {
	comment string
	names   []string
	files   map[string]string
}

func readArchive(t *testing.T, path string) archive {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := archive{files: map[string]string{}}
	name := ""
	for line := range strings.SplitAfterSeq(string(text), "\n") {
		if inner, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(inner, " --\n") {
			name = strings.TrimSuffix(inner, " --\n")
			a.names = append(a.names, name)
		} else if name == "" {
			a.comment += line
		} else {
			a.files[name] += line
		}
	}
	return a
}

func (a archive) write(t *testing.T, path string) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(a.comment)
	for _, name := range a.names {
		fmt.Fprintf(&b, "-- %s --\n%s", name, a.files[name])
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func day(clock string) time.Time {
	t, err := time.Parse("2006-01-02T15:04:05.999Z", "2026-11-23T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return t
}

// show is a small feed: two segments of slate, the talk "t1" of three segments
// of which the last is short, then slate.
func show() []Segment {
	var all []Segment
	add := func(source string, start time.Time, from int, lengths ...time.Duration) {
		at := time.Duration(0)
		for i, length := range lengths {
			s := Segment{
				URI:             fmt.Sprintf("../../../s/%s/v720/%d.m4s", source, from+i),
				Duration:        Extinf(at, at+length),
				ProgramDateTime: start.Add(at),
			}
			at += length
			if i == 0 {
				s.Discontinuity = len(all) > 0
			}
			s.Map = &Map{URI: "../../../s/" + source + "/v720/init.mp4"}
			all = append(all, s)
		}
	}
	const nominal = 3840 * time.Millisecond
	add("slate1", day("13:59:52.320"), 0, nominal, nominal)
	add("talk1", day("14:00:00"), 0, nominal, nominal, 1320*time.Millisecond)
	add("slate2", day("14:00:09"), 0, nominal, nominal)
	return all
}

// cut returns the listed part, with the MAP only where it is needed.
func cut(all []Segment, from, to int) []Segment {
	part := append([]Segment(nil), all[from:to]...)
	for i := range part {
		if i > 0 && !part[i].Discontinuity {
			part[i].Map = nil
		}
	}
	return part
}

func talkRange() DateRange {
	return DateRange{ID: "t1", Class: "reprise.talk", StartDate: day("14:00:00"), PlannedDuration: 9 * time.Second}
}

func live(from, to int, dsn int64) *Media {
	return &Media{
		Version: 7, TargetDuration: 4 * time.Second, MediaSequence: 1812 + int64(from), DiscontinuitySequence: dsn,
		ServerControl: &ServerControl{CanBlockReload: true, CanSkipUntil: 24 * time.Second, HoldBack: 16 * time.Second},
		Segments:      cut(show(), from, to),
	}
}

// goldenMedia builds the playlists of testdata/media.txtar, by name.
func goldenMedia() map[string]*Media {
	before := live(0, 2, 6)
	into := live(0, 4, 6)
	into.DateRanges = []DateRange{talkRange()}
	tagFirst := live(2, 6, 6)
	tagFirst.DateRanges = []DateRange{talkRange()}
	gone := live(3, 7, 7)
	gone.DateRanges = []DateRange{talkRange()}
	delta := live(4, 7, 7)
	delta.Version, delta.MediaSequence = 9, 1815
	delta.Segments[0].Map = nil
	delta.Skip = &Skip{SkippedSegments: 1}
	delta.DateRanges = []DateRange{talkRange()}
	closed := live(5, 7, 8)
	closed.EndList = true

	over := live(2, 5, 0)
	over.MediaSequence, over.Type, over.EndList = 0, Event, true
	over.Segments[0].Discontinuity = false
	over.DateRanges = []DateRange{{ID: "t1", Class: "reprise.talk", StartDate: day("14:00:00"), Duration: 9 * time.Second}}
	replay := *over
	replay.Type, replay.ServerControl, replay.DateRanges = VOD, nil, nil

	frames := live(2, 5, 0)
	frames.MediaSequence, frames.Type, frames.EndList, frames.IFramesOnly, frames.ServerControl = 0, VOD, true, true, nil
	frames.Segments[0].Discontinuity = false
	for i := range frames.Segments {
		frames.Segments[i].ByteRange = ByteRange{Length: 20_000 + int64(i), Offset: 0}
	}
	odd := live(0, 2, 6)
	odd.Segments[1].Gap = true
	odd.Segments[1].Title = "Épilogue, fin"
	odd.Segments[0].Map.ByteRange = ByteRange{Length: 800, Offset: 16}
	odd.Start = &Start{TimeOffset: -14217 * time.Millisecond, Precise: true}
	odd.ServerControl = &ServerControl{HoldBack: 12500 * time.Millisecond, CanSkipUntil: 24 * time.Second, CanSkipDateRanges: true}
	odd.Tags = []Tag{{Name: "EXT-X-BITRATE", Value: "900", Index: 1}, {Name: "EXT-X-NOTE", Bare: true, Index: 2}}
	odd.DateRanges = []DateRange{{
		ID: "later", StartDate: day("15:00:00"), EndDate: day("15:00:10"), Duration: 10 * time.Second, Cue: "ONCE",
		Other: []Attribute{{Name: "X-TITLE", Value: "d'après « Molière »", Quoted: true}, {Name: "SCTE35-CMD", Value: "0xFC"}},
	}}
	return map[string]*Media{
		"01 only slate": before, "02 the talk is listed": into, "03 the talk's first segment is the first: its tag stays": tagFirst,
		"04 the tag has gone with its segment": gone, "05 delta update": delta, "06 the feed ends": closed,
		"07 start-over, complete": over, "08 replay": &replay, "09 i-frames": frames, "10 all that is rare": odd,
	}
}

// goldenMultivariant builds the playlists of testdata/multivariant.txtar.
func goldenMultivariant() map[string]*Multivariant {
	sound := func(id, prefix string) Group {
		return Group{Type: Audio, ID: id, Renditions: []Rendition{
			{Name: "Français", Language: "fr", Default: true, Autoselect: true, Channels: "2", URI: prefix + "-fr.m3u8"},
			{Name: "English", Language: "en", Autoselect: true, Channels: "2", URI: prefix + "-en.m3u8"},
		}}
	}
	captions := Group{Type: Subtitles, ID: "captions", Renditions: []Rendition{
		{Name: "Français", Language: "fr", Autoselect: true, URI: "s-fr.m3u8"},
		{Name: "English", Language: "en", Autoselect: true, URI: "s-en.m3u8"},
	}}
	variant := func(height, width int, peak int64, codecs, audio, uri string) Variant {
		return Variant{
			Bandwidth: peak, AverageBandwidth: peak / 2, Codecs: codecs, Width: width, Height: height, FrameRate: 25000,
			Audio: audio, Subtitles: "captions", NoClosedCaptions: true, URI: uri,
		}
	}
	m := &Multivariant{
		Version: 7, IndependentSegments: true, Start: &Start{TimeOffset: -14217 * time.Millisecond, Precise: true},
		Groups: []Group{sound("aac", "a"), sound("aac-low", "al"), captions},
		Variants: []Variant{
			variant(720, 1280, 2_412_000, "avc1.64001f,mp4a.40.2,wvtt", "aac", "v720.m3u8"),
			variant(1080, 1920, 4_512_000, "avc1.640028,mp4a.40.2,wvtt", "aac", "v1080.m3u8"),
			variant(234, 416, 188_000, "avc1.640015,mp4a.40.2,wvtt", "aac-low", "v234.m3u8"),
		},
		IFrameVariants: []IFrameVariant{
			{Bandwidth: 380_000, AverageBandwidth: 190_000, Codecs: "avc1.64001f", Width: 1280, Height: 720, URI: "i720.m3u8"},
		},
	}
	plain := &Multivariant{Variants: []Variant{{
		Bandwidth: 1, URI: "a.m3u8", VideoRange: "SDR", FrameRate: 29970, Width: 4, Height: 3,
		Other: []Attribute{{Name: "CLOSED-CAPTIONS", Value: "cc", Quoted: true}, {Name: "SCORE", Value: "1.5"}},
	}}, Tags: []Tag{{Name: "EXT-X-DEFINE", Value: `NAME="a",VALUE="b"`}}}
	return map[string]*Multivariant{"01 a feed": m, "02 rare": plain}
}

// golden compares what append makes with the sections of an archive.
func golden[T any](t *testing.T, path string, playlists map[string]*T, appendTo func([]byte, *T) []byte) {
	path = filepath.Join("testdata", path)
	a := readArchive(t, path)
	for name, m := range playlists {
		got := string(appendTo(nil, m))
		if *update {
			if _, ok := a.files[name]; !ok {
				a.names = append(a.names, name)
			}
			a.files[name] = got
			continue
		}
		if want := a.files[name]; got != want {
			t.Errorf("%s: section %q differs (-update rewrites it)\ngot:\n%s\nwant:\n%s", path, name, got, want)
		}
	}
	if *update {
		slices.Sort(a.names)
		a.write(t, path)
	}
	for _, name := range a.names {
		if playlists[name] == nil {
			t.Errorf("%s: section %q is tested by nothing", path, name)
		}
	}
}

func TestGoldenMedia(t *testing.T) {
	t.Parallel()
	golden(t, "media.txtar", goldenMedia(), AppendMedia)
}

func TestGoldenMultivariant(t *testing.T) {
	t.Parallel()
	golden(t, "multivariant.txtar", goldenMultivariant(), AppendMultivariant)
}
