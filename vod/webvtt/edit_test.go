package webvtt

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// checkSane holds that cues are as Read and Clean promise, and survive writing and reading.
func checkSane(t interface {
	Helper()
	Fatalf(string, ...any)
}, cues []Cue,
) {
	t.Helper()
	again := Read(Write(cues))
	if len(again.Problems) > 0 {
		t.Fatalf("%v in %q", again.Problems, Write(cues))
	}
	if diff := cmp.Diff(cues, again.Cues); diff != "" && len(cues)+len(again.Cues) > 0 {
		t.Fatalf("written and read (-want +got):\n%s", diff)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	cues := []Cue{
		{ID: "intro", Start: ms(500), End: ms(1500), Settings: "line:0 position:10%,line-left align:start", Text: "<v.loud Zoé>Bonjour</v>\n<i>à tous</i>"},
		{Start: ms(1500), End: 101 * time.Hour, Text: "R&amp;D &lt; 2"},
	}
	want := "WEBVTT\n\nintro\n00:00:00.500 --> 00:00:01.500 line:0 position:10%,line-left align:start\n<v.loud Zoé>Bonjour</v>\n<i>à tous</i>\n\n" +
		"00:00:01.500 --> 101:00:00.000\nR&amp;D &lt; 2\n"
	if got := string(Write(cues)); got != want {
		t.Errorf("%s", got)
	}
	checkSane(t, cues)
}

// TestCleanWriteRead: whatever is typed, what Clean keeps survives writing and reading.
func TestCleanWriteRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "é", " ", "\n", "\r", "<i>", "</i>", "<v Zoé>", "</v>", "<", ">", "&", "&amp;", "-->", "NOTE", "1", "\x00", "\xff", "{\\an8}", "<b", "\u2028", "WEBVTT", "00:01.000",
		}), 0, 12)
		var cues []Cue
		for range rapid.IntRange(0, 6).Draw(t, "cues") {
			start := time.Duration(rapid.Int64Range(-int64(time.Second), int64(time.Hour)).Draw(t, "start"))
			cues = append(cues, Cue{
				ID:       strings.Join(text.Draw(t, "id"), ""),
				Start:    start,
				End:      start + time.Duration(rapid.Int64Range(-1000, int64(time.Minute)).Draw(t, "length")),
				Settings: rapid.SampledFrom([]string{"", "line:0", "line:101%", "align:start x:y", "region:a", "a\nb"}).Draw(t, "settings"),
				Text:     strings.Join(text.Draw(t, "text"), ""),
			})
		}
		kept, faults := Clean(cues)
		if len(kept)+len(faults) != len(cues) {
			t.Fatalf("%d kept, %d faults, %d cues", len(kept), len(faults), len(cues))
		}
		checkSane(t, kept)
	})
}

func TestValidate(t *testing.T) {
	t.Parallel()
	cues := []Cue{
		{Start: 0, End: ms(1000), Text: "<i></i>"},
		{Start: ms(1000), End: ms(3000), Text: "un"},
		{Start: ms(2000), End: ms(4000), Text: "<b>deux</b>"},
		{Start: ms(2500), End: ms(3500), Text: "en haut", Settings: "line:0"},
		{Start: ms(5000), End: ms(5400), Text: "beaucoup trop de mots pour si peu"},
		{Start: ms(5400), End: ms(5600), Text: "Oui."},
		{Start: ms(9000), End: ms(11000), Text: "après"},
	}
	want := []Fault{
		{0, NoText, 0, ms(1000)}, {2, Overlap, ms(2000), ms(3000)}, {4, TooFast, ms(5000), ms(5400)}, {6, Outside, ms(9000), ms(11000)},
	}
	if diff := cmp.Diff(want, Validate(cues, 10*time.Second)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if faults := Validate(cues[6:], 0); len(faults) > 0 {
		t.Errorf("of a film of unknown length: %v", faults)
	}
}

func TestShift(t *testing.T) {
	t.Parallel()
	cues := []Cue{{Start: 0, End: ms(1000), Text: "a"}, {Start: ms(1500), End: ms(3000), Text: "b"}}
	if got := Shift(cues, ms(500)); got[0].Start != ms(500) || got[1].End != ms(3500) {
		t.Errorf("later: %v", got)
	}
	if diff := cmp.Diff([]Cue{{Start: 0, End: ms(1000), Text: "b"}}, Shift(cues, -2*time.Second)); diff != "" {
		t.Errorf("earlier (-want +got):\n%s", diff)
	}
	if cues[1].Start != ms(1500) {
		t.Error("the cues given were changed")
	}
}

func TestSaid(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Said{
		"<i>un</i> &amp; deux":                     {{"", "un & deux"}},
		"<v Zoé>Bonjour</v> <v.loud Max>Salut\nlà": {{"Zoé", "Bonjour"}, {"Max", "Salut\nlà"}},
		"<ruby>漢字<rt>kanji</rt></ruby>":            {{"", "漢字 (kanji)"}},
		"<b></b>":                                  nil,
	} {
		if diff := cmp.Diff(want, Cue{Text: text}.Said()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestSniff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Format{
		"WEBVTT":                              WebVTT,
		"\n WEBVTT - x":                       WebVTT,
		"WEBVTTX":                             Unknown,
		"1\n00:00:01,000 --> 00:00:02,000\na": SubRip,
		"<?xml version='1.0'?><!-- tt --><x:tt >": TTML,
		"<tt/>":                   TTML,
		"<html><tt>x</tt></html>": Unknown,
		"<":                       Unknown,
		"<!-- x":                  Unknown,
		"[Script Info]\n; x":      ASS,
		"a --> b":                 Unknown,
		"#EXTM3U\n#EXT-X-VERSION:3\nsegment.ts\n":  Unknown,
		"ffconcat version 1.0\nfile '/etc/passwd'": Unknown,
	} {
		if got := sniff(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
