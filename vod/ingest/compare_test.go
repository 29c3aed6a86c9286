package ingest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/stream/timeline"
	"reprise/vod"
	"reprise/vod/webvtt"
)

// comparisons are films in their circumstances, and what is said of them.
var comparisons = []struct {
	name  string
	film  vod.Report
	in    Circumstances
	says  []string
	words string // in the English words of the first
}{
	{name: "nothing is known", film: filmOf(20 * time.Minute)},
	{name: "as long as its slot", film: filmOf(20 * time.Minute), in: Circumstances{Slot: 20*time.Minute + 500*time.Millisecond}},
	{name: "a little shorter", film: filmOf(19 * time.Minute), in: Circumstances{Slot: 20 * time.Minute}},
	{name: "much shorter", film: filmOf(12 * time.Minute), in: Circumstances{Slot: 20 * time.Minute}, says: []string{"shorter-than-slot"}, words: "8\u00a0min\u00a000\u00a0s that are left"},
	{name: "longer, into a break", film: filmOf(22*time.Minute + 10*time.Second), in: Circumstances{Slot: 20 * time.Minute, Free: 5 * time.Minute}, says: []string{"longer-than-slot"}, words: "2\u00a0min\u00a010\u00a0s"},
	{name: "longer than slot and break", film: filmOf(22*time.Minute + 10*time.Second), in: Circumstances{Slot: 20 * time.Minute, Free: time.Minute}, says: []string{"pushes-next-talk"}, words: "starts 1\u00a0min\u00a010\u00a0s later"},
	{name: "languages of nearly one length", film: filmOf(20 * time.Minute), in: Circumstances{Others: map[string]time.Duration{"en": 20*time.Minute + 4*time.Second}}},
	{name: "longer than the English film", film: filmOf(20 * time.Minute), in: Circumstances{Others: map[string]time.Duration{"en": 18 * time.Minute}}, says: []string{"longer-than-other-language"}, words: "2\u00a0min\u00a000\u00a0s longer than the English one"},
	{name: "shorter than the English film", film: filmOf(20 * time.Minute), in: Circumstances{Others: map[string]time.Duration{"en": 21 * time.Minute}}, says: []string{"shorter-than-other-language"}},
	{name: "English is missing", film: filmOf(time.Minute, "fr"), in: Circumstances{Wanted: []string{"fr", "en"}}, says: []string{"language-absent"}, words: "no sound in English"},
	{name: "English is another film", film: filmOf(time.Minute, "fr"), in: Circumstances{Wanted: []string{"fr", "en"}, Others: map[string]time.Duration{"en": time.Minute}}},
	{name: "English with a region", film: filmOf(time.Minute, "fr", "en-GB"), in: Circumstances{Wanted: []string{"fr", "en"}}},
	{name: "one sound without a language is the wanted one", film: filmOf(time.Minute, "und"), in: Circumstances{Wanted: []string{"en"}}},
	{name: "one sound without a language is one language", film: filmOf(time.Minute, "und"), in: Circumstances{Wanted: []string{"fr", "en"}}, says: []string{"language-absent"}},
	{name: "a silent film", film: vod.Report{Duration: 60}, in: Circumstances{Wanted: []string{"fr"}}},
	{name: "as loud as the others", film: filmOf(time.Minute, "fr"), in: Circumstances{Loudness: []float64{-16, -22, -24, -30}}},
	{name: "quieter than the others", film: filmOf(time.Minute, "fr"), in: Circumstances{Loudness: []float64{-12, -13, nothing, -20}}, says: []string{"quieter-than-others"}, words: "9.0 dB quieter"},
	{name: "louder than the others", film: filmOf(time.Minute, "fr"), in: Circumstances{Loudness: []float64{-32, -33, -34}}, says: []string{"louder-than-others"}},
	{name: "one other film is no measure", film: filmOf(time.Minute, "fr"), in: Circumstances{Loudness: []float64{-40}}},
	{name: "good captions", film: filmOf(time.Minute), in: captioned(cue(1, 4, "Bonjour à toutes et à tous."), cue(4, 60.3, "Au revoir."))},
	{name: "captions of another version", film: filmOf(time.Minute), in: captioned(cue(1, 4, "Bonjour."), cue(70, 75, "Au revoir.")), says: []string{"captions-outside"}, words: "Some French captions (1)"},
	{name: "captions that overlap", film: filmOf(time.Minute), in: captioned(cue(1, 4, "Bonjour."), cue(3, 6, "Au revoir.")), says: []string{"captions-overlap"}},
	{name: "two places at once are no overlap", film: filmOf(time.Minute), in: captioned(cue(1, 4, "Bonjour."), webvtt.Cue{Start: 3 * time.Second, End: 6 * time.Second, Settings: "line:0", Text: "[musique]"})},
	{name: "captions that run", film: filmOf(time.Minute), in: captioned(cue(1, 2, strings.Repeat("vite ", 8)), cue(3, 4, strings.Repeat("vite ", 8))), says: []string{"captions-fast"}},
	{name: "tags are not read", film: filmOf(time.Minute), in: captioned(cue(1, 2, strings.Repeat("<i></i>", 20)+"oui"), cue(3, 4, strings.Repeat("<b></b>", 20)+"non"))},
	{name: "a refused film", film: vod.Report{Verdict: vod.VerdictRefused, Duration: 60}, in: Circumstances{Slot: time.Second}},
}

func filmOf(length time.Duration, languages ...string) vod.Report {
	r := vod.Report{Verdict: vod.VerdictReady, Duration: length.Seconds()}
	for _, language := range languages {
		r.Sounds = append(r.Sounds, vod.Sound{Language: language, Loudness: -22})
	}
	return r
}

func cue(from, to float64, text string) webvtt.Cue {
	return webvtt.Cue{Start: asDuration(from), End: asDuration(to), Text: text}
}

func captioned(cues ...webvtt.Cue) Circumstances {
	return Circumstances{Captions: map[string][]webvtt.Cue{"fr": cues}}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, c := range comparisons {
		found := Compare(c.film, c.in)
		if got := codes(found); !slices.Equal(got, append([]string{}, c.says...)) {
			t.Errorf("%s: findings are %v, want %v", c.name, got, c.says)
			continue
		}
		kind{}.check(t, found)
		if c.words != "" && !strings.Contains(found[0].EN, c.words) {
			t.Errorf("%s: %q does not say %q", c.name, found[0].EN, c.words)
		}
	}
}

func TestPlacedReplacesWhatWasSaidOfCaptions(t *testing.T) {
	t.Parallel()
	r := filmOf(time.Minute)
	r.Findings = []vod.Finding{finding("mono", same("")), finding("captions-outside", languageName("fr"), 3)}
	r.Verdict = vod.VerdictRemarks
	kept := Placed(r, Circumstances{})
	if got := codes(kept.Findings); !slices.Equal(got, []string{"mono", "captions-outside"}) {
		t.Errorf("nothing known of captions: %v", got)
	}
	placed := Placed(r, captioned(cue(1, 2, "Bonjour.")))
	if got := codes(placed.Findings); !slices.Equal(got, []string{"mono"}) || placed.Verdict != vod.VerdictRemarks {
		t.Errorf("good captions: %v, %s", got, placed.Verdict)
	}
	if len(r.Findings) != 2 {
		t.Error("the report itself was changed")
	}
	r.Findings, r.Verdict = nil, vod.VerdictReady
	if placed := Placed(r, Circumstances{Slot: time.Second}); placed.Verdict != vod.VerdictRemarks {
		t.Errorf("verdict is %s with %v", placed.Verdict, codes(placed.Findings))
	}
}

func TestSuggestChapters(t *testing.T) {
	t.Parallel()
	slides := func(starts ...float64) vod.Report {
		r := vod.Report{Duration: 600, Picture: &vod.Picture{}}
		for i, from := range starts {
			to := r.Duration
			if i+1 < len(starts) {
				to = starts[i+1]
			}
			r.Picture.Slides = append(r.Picture.Slides, vod.Span{From: from, To: to})
		}
		return r
	}
	got := SuggestChapters(slides(0, 10, 65, 70, 150, 580), "fr-CA")
	want := []vod.Chapter{{Start: 0, Title: "Partie\u00a01"}, {Start: 65 * timeline.TicksPerSecond, Title: "Partie\u00a02"}, {Start: 150 * timeline.TicksPerSecond, Title: "Partie\u00a03"}}
	if !slices.Equal(got, want) {
		t.Errorf("chapters are %v, want %v", got, want)
	}
	var many []float64
	for i := range 600 {
		many = append(many, float64(i))
	}
	long := slides(many...)
	long.Duration = 7200
	if got := SuggestChapters(long, "en"); len(got) > mostChapters {
		t.Errorf("%d chapters", len(got))
	}
	for _, r := range []vod.Report{{}, {Picture: &vod.Picture{}}, slides(0), slides(0, 10)} {
		if got := SuggestChapters(r, "en"); got != nil {
			t.Errorf("chapters of %v: %v", r.Picture, got)
		}
	}
}
