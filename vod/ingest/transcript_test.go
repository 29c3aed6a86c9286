package ingest

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"reprise/vod/webvtt"
)

func TestTranscriptOfRollingCaptions(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	got := transcribe([]webvtt.Cue{
		{Start: 0, End: 2390 * ms, Text: "bonjour<00:00:00.480><c> à</c><c> tous</c>"},
		{Start: 2390 * ms, End: 2400 * ms, Text: "bonjour à tous"},
		{Start: 2400 * ms, End: 4000 * ms, Text: "bonjour à tous\nmerci d'être là"},
		{Start: 4000 * ms, End: 4010 * ms, Text: "merci d'être là"},
		{Start: 9000 * ms, End: 9900 * ms, Text: "oui"},
		{Start: 9900 * ms, End: 11000 * ms, Text: "oui"},
		{Start: 12000 * ms, End: 13000 * ms, Text: "<v Zoé>Deux\nlignes</v><v Max>et une</v>"},
	})
	want := []Line{
		{0, 2390 * ms, "", "bonjour à tous"}, {2400 * ms, 4000 * ms, "", "merci d'être là"}, {9000 * ms, 9900 * ms, "", "oui"}, {9900 * ms, 11000 * ms, "", "oui"},
		{12000 * ms, 13000 * ms, "Zoé", "Deux lignes"}, {12000 * ms, 13000 * ms, "Max", "et une"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	lines := []Line{
		{Text: "Bonjour à tous, et merci de vous être levés."},
		{Text: "Où est l’ŒUVRE de l'encodage ?"},
		{Text: "Elle commence ici"},
		{Text: "et finit demain."},
		{Text: "𝄞 La musique, 12 dB plus bas"},
	}
	for query, want := range map[string][]string{
		"a":              {"Bonjour [à] tous, et merci de vous être levés."},
		"ETRE leves":     {"Bonjour à tous, et merci de vous [être] [levés]."},
		"oeuvre":         {"Où est l’[ŒUVRE] de l'encodage ?"},
		"œuvr encod":     {"Où est l’[ŒUVRE] de l'[encodage] ?"},
		"l’œuvre":        {"Où est [l]’[ŒUVRE] de [l]'encodage ?"},
		"commence finit": {"Elle [commence] ici et [finit] demain."},
		"finit":          {"et [finit] demain."},
		"musiques":       nil,
		"mus 12":         {"𝄞 La [musique], [12] dB plus bas"},
		"e\u0301tre":     {"Bonjour à tous, et merci de vous [être] levés."},
		"absent":         nil,
		"bonjour absent": nil,
		" ?! ":           nil,
		"":               nil,
	} {
		hits := Search(lines, query)
		var got []string
		for _, h := range hits {
			got = append(got, marked(h))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
	if hits := Search(nil, "a"); hits != nil {
		t.Errorf("nothing has %v", hits)
	}
}

// marked puts brackets around the marks, counting as JavaScript does.
func marked(h Hit) string {
	text := utf16.Encode([]rune(h.Snippet))
	var out strings.Builder
	at := 0
	for _, m := range h.Marks {
		out.WriteString(string(utf16.Decode(text[at:m.From])) + "[" + string(utf16.Decode(text[m.From:m.To])) + "]")
		at = m.To
	}
	return out.String() + string(utf16.Decode(text[at:]))
}

func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("très long ", 400) + "aiguille " + strings.Repeat("encore du foin ", 400)
	lines := []Line{{Text: long}}
	hits := Search(lines, "aiguille")
	if len(hits) != 1 || len(hits[0].Snippet) > longestSnippet+8 || !strings.Contains(marked(hits[0]), "[aiguille]") ||
		!strings.HasPrefix(hits[0].Snippet, "…") || !strings.HasSuffix(hits[0].Snippet, "…") {
		t.Errorf("%+v", hits)
	}
	for range 2000 {
		lines = append(lines, Line{From: time.Second, Text: "foin"})
	}
	if hits := Search(lines, "foin"); len(hits) != mostHits {
		t.Errorf("%d hits", len(hits))
	}
}

func FuzzSearch(f *testing.F) {
	f.Add("Où est l’œuvre ?", "oeuvre")
	f.Add(strings.Repeat("é ", 300), "e")
	f.Fuzz(func(t *testing.T, text, query string) {
		text = strings.ToValidUTF8(text, "")
		for _, h := range Search([]Line{{Text: text}, {Text: text}}, query) {
			n := len(utf16.Encode([]rune(h.Snippet)))
			last := 0
			for _, m := range h.Marks {
				if m.From < last || m.To <= m.From || m.To > n {
					t.Fatalf("marks %v of %q", h.Marks, h.Snippet)
				}
				last = m.To
			}
			if len(h.Marks) == 0 {
				t.Fatalf("no mark in %q for %q", h.Snippet, query)
			}
		}
	})
}
