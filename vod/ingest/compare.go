package ingest

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"reprise/vod"
	"reprise/vod/webvtt"
)

// Circumstances are what a film is judged against beside its own file: its
// place in the programme, and the films around it. The zero value of a field
// means that it is not known, and nothing is said of it.
type Circumstances struct {
	Slot     time.Duration            // planned length of the talk
	Free     time.Duration            // between the end of the slot and the next talk
	Wanted   []string                 // languages of the event that the film is for, BCP 47
	Others   map[string]time.Duration // length of the talk's other films, by language
	Loudness []float64                // of the event's other films as they came, LUFS
	Captions map[string][]webvtt.Cue  // as viewers get them, by language
}

// Thresholds of Compare.
const (
	overrunFrom  = time.Second      // a film that is longer than its slot by less is as long
	idleFrom     = 2 * time.Minute  // a slot that is filled with less than this missing is full …
	idleShare    = 0.1              // … or with less than this share missing
	unevenFrom   = 10 * time.Second // between the films of a talk
	loudnessFrom = 8.0              // LU between a film and the middle of the others
)

// Compare judges a film by its circumstances: its length against its slot and
// against the talk's films in other languages, the languages it lacks, how
// loud it is beside the others, captions that do not fit. It is pure; findings
// come in a fixed order.
func Compare(r vod.Report, in Circumstances) []vod.Finding {
	length := asDuration(r.Duration)
	if r.Verdict == vod.VerdictRefused || length <= 0 {
		return nil
	}
	found := compareSlot(length, in)
	for _, language := range slices.Sorted(maps.Keys(in.Others)) {
		if apart := length - in.Others[language]; apart.Abs() >= unevenFrom && in.Others[language] > 0 {
			code := "shorter-than-other-language"
			if apart > 0 {
				code = "longer-than-other-language"
			}
			found = append(found, finding(code, span(apart.Abs()), languageName(language)))
		}
	}
	found = append(found, compareLanguages(r, in)...)
	found = append(found, compareLoudness(r, in.Loudness)...)
	for _, language := range slices.Sorted(maps.Keys(in.Captions)) {
		found = append(found, judgeCues(language, in.Captions[language], length)...)
	}
	return found
}

// Placed returns the report with what Compare says of its circumstances added,
// and the verdict of it all. What was said of the captions that the film came
// with gives way to what is said of those that viewers get.
func Placed(r vod.Report, in Circumstances) vod.Report {
	r.Findings = slices.Clone(r.Findings)
	if in.Captions != nil {
		r.Findings = slices.DeleteFunc(r.Findings, func(f vod.Finding) bool { return ofCues[f.Code] })
	}
	r.Findings = append(r.Findings, Compare(r, in)...)
	r.Verdict = verdictOf(r.Findings)
	return r
}

// ofCues are the findings of judgeCues.
var ofCues = map[string]bool{"captions-outside": true, "captions-overlap": true, "captions-fast": true}

func compareSlot(length time.Duration, in Circumstances) []vod.Finding {
	if in.Slot <= 0 {
		return nil
	}
	over := length - in.Slot
	switch idle := -over; {
	case over >= overrunFrom && over <= in.Free:
		return []vod.Finding{finding("longer-than-slot", span(length), span(in.Slot), span(over))}
	case over >= overrunFrom:
		return []vod.Finding{finding("pushes-next-talk", span(length), span(in.Slot), span(over), span(over-max(0, in.Free)))}
	case idle >= idleFrom && float64(idle) >= idleShare*float64(in.Slot):
		return []vod.Finding{finding("shorter-than-slot", span(length), span(in.Slot), span(idle))}
	}
	return nil
}

// compareLanguages names the languages that nobody will hear. A single sound of
// which nobody said the language is taken for the one that is wanted.
func compareLanguages(r vod.Report, in Circumstances) (found []vod.Finding) {
	if len(r.Sounds) == 0 {
		return nil
	}
	heard := map[string]bool{}
	for _, s := range r.Sounds {
		heard[baseLanguage(s.Language)] = true
	}
	untold := heard[undetermined] && len(r.Sounds) == 1
	for _, language := range in.Wanted {
		base := baseLanguage(language)
		if heard[base] || in.Others[language] > 0 || in.Others[base] > 0 {
			continue
		}
		if untold {
			untold = false
			continue
		}
		found = append(found, finding("language-absent", languageName(base)))
	}
	return found
}

// compareLoudness looks at the first sound: it is the one that all may hear.
func compareLoudness(r vod.Report, others []float64) []vod.Finding {
	others = slices.DeleteFunc(slices.Clone(others), func(f float64) bool { return f <= silenceBelow || math.IsNaN(f) })
	if len(others) < 2 || len(r.Sounds) == 0 || r.Sounds[0].Loudness <= silenceBelow || r.Sounds[0].Loudness == 0 {
		return nil
	}
	slices.Sort(others)
	switch apart := r.Sounds[0].Loudness - others[len(others)/2]; {
	case apart <= -loudnessFrom:
		return []vod.Finding{finding("quieter-than-others", oneDecimal(-apart))}
	case apart >= loudnessFrom:
		return []vod.Finding{finding("louder-than-others", oneDecimal(apart))}
	}
	return nil
}

// fastShare is the share of the captions that may go too fast before it is worth a word.
const fastShare = 0.05

// judgeCues says what is wrong with the captions of a language in a film of that length: those
// that nobody will see, that cover one another, that go too fast to be read.
func judgeCues(language string, cues []webvtt.Cue, length time.Duration) (found []vod.Finding) {
	spans := map[webvtt.Reason][]vod.Span{}
	for _, f := range webvtt.Validate(cues, length) {
		spans[f.Reason] = append(spans[f.Reason], spanOf(f.Start, f.End))
	}
	name := languageName(language)
	if outside := spans[webvtt.Outside]; len(outside) > 0 {
		found = append(found, at(finding("captions-outside", name, len(outside)), outside))
	}
	if overlapping := spans[webvtt.Overlap]; len(overlapping) > 0 {
		found = append(found, at(finding("captions-overlap", name, len(overlapping)), overlapping))
	}
	if fast := spans[webvtt.TooFast]; len(fast) >= 2 && float64(len(fast)) >= fastShare*float64(len(cues)) {
		found = append(found, at(finding("captions-fast", name, len(fast)), fast))
	}
	return found
}

// languageName names a language in a sentence, by its code when it is a rare one.
func languageName(code string) both {
	if name, ok := languageNames[baseLanguage(strings.ToLower(code))]; ok {
		return name
	}
	return both{fr: "«\u00a0" + code + "\u00a0»", en: "“" + code + "”"}
}

var languageNames = map[string]both{
	"fr": {"français", "French"}, "en": {"anglais", "English"}, "de": {"allemand", "German"}, "es": {"espagnol", "Spanish"},
	"it": {"italien", "Italian"}, "pt": {"portugais", "Portuguese"}, "nl": {"néerlandais", "Dutch"}, "ca": {"catalan", "Catalan"},
	"br": {"breton", "Breton"}, "oc": {"occitan", "Occitan"}, "eu": {"basque", "Basque"}, "ar": {"arabe", "Arabic"}, "zh": {"chinois", "Chinese"},
	"ja": {"japonais", "Japanese"}, "pl": {"polonais", "Polish"}, "ro": {"roumain", "Romanian"}, "ru": {"russe", "Russian"}, "uk": {"ukrainien", "Ukrainian"},
}

func asDuration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}

func spanOf(from, to time.Duration) vod.Span {
	return vod.Span{From: thousandths(from.Seconds()), To: thousandths(to.Seconds())}
}

// thousandths rounds to three decimals; -0 becomes 0.
func thousandths(f float64) float64 { return math.Round(f*1000)/1000 + 0 }
