package webvtt

import (
	"html"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Write returns cues as a WebVTT file. Reading it gives the same cues: those
// that Read or Clean returned, ids, settings, speakers and all.
func Write(cues []Cue) []byte {
	out := []byte("WEBVTT\n")
	for _, c := range cues {
		out = appendCue(out, c)
	}
	return out
}

// Fault is something wrong with a cue.
type Fault struct {
	Cue        int // index in the cues given
	Reason     Reason
	Start, End time.Duration // where in the film: of the cue, or of what two of them share
}

// Clean makes cues that somebody typed fit to be kept: text and settings as
// Read would have them, times in milliseconds, the order that of their starts.
// Cues without text or length, or that start before the film, are left out and reported.
func Clean(cues []Cue) ([]Cue, []Fault) {
	var kept []Cue
	var faults []Fault
	for i, c := range cues {
		c.Start, c.End = c.Start.Round(time.Millisecond), c.End.Round(time.Millisecond)
		text, top := cueText(strings.Split(strings.ReplaceAll(c.Text, "\r", "\n"), "\n"))
		p := &parser{vtt: true}
		c.Settings = p.settings(0, c.Settings)
		if top && c.Settings == "" {
			c.Settings = "line:0"
		}
		c.Text = strings.ToValidUTF8(text, "\uFFFD")
		c.ID = cleanID(c.ID)
		reason := Reason("")
		switch {
		case c.Start < 0 || c.End > (maxHours+1)*time.Hour:
			reason = Outside
		case c.End <= c.Start:
			reason = Backwards
		case c.Text == "":
			reason = NoText
		case len(kept) == maxCues:
			return kept, append(faults, Fault{i, TooMany, c.Start, c.End})
		}
		if reason != "" {
			faults = append(faults, Fault{i, reason, c.Start, c.End})
			continue
		}
		kept = append(kept, c)
	}
	sortCues(kept)
	return kept, faults
}

// cleanID returns an id that cannot be taken for anything else; a number says nothing and goes.
func cleanID(id string) string {
	id = strings.TrimSpace(clean(strings.ReplaceAll(strings.ToValidUTF8(id, ""), "\t", " ")))
	if isNumber(id) || isTiming(id) || len(id) > 200 {
		return ""
	}
	return id
}

// Shift returns the cues by so much later, or earlier; what falls before the film is left out, or cut.
func Shift(cues []Cue, by time.Duration) []Cue {
	by = by.Round(time.Millisecond)
	shifted := make([]Cue, 0, len(cues))
	for _, c := range cues {
		c.Start, c.End = max(c.Start+by, 0), c.End+by
		if c.End > 0 {
			shifted = append(shifted, c)
		}
	}
	return shifted
}

// What Validate minds. Adults read 15 to 20 characters a second, and nobody minds a short "Yes".
const (
	fastest     = 25 // characters a second
	shortText   = 10 // characters
	lateBy      = 500 * time.Millisecond
	overlapFrom = 100 * time.Millisecond
)

// Validate says what is wrong with cues in a film of that length: outside it,
// over one another at the same place, too fast to read, without text. They must be in
// the order of their start. A length of 0 is unknown.
func Validate(cues []Cue, length time.Duration) []Fault {
	var faults []Fault
	lastEnd := map[string]time.Duration{} // by settings: cues at different places may overlap
	for i, c := range cues {
		letters := 0
		for _, s := range c.Said() {
			letters += utf8.RuneCountInString(s.Text)
		}
		add := func(r Reason, end time.Duration) { faults = append(faults, Fault{i, r, c.Start, end}) }
		shown := c.End - c.Start
		switch {
		case letters == 0:
			add(NoText, c.End)
		case shown <= 0:
			add(Backwards, c.End)
		case letters > shortText && float64(letters) > fastest*shown.Seconds():
			add(TooFast, c.End)
		}
		if c.Start < 0 || length > 0 && c.End > length+lateBy {
			add(Outside, c.End)
		}
		if before := lastEnd[c.Settings]; c.Start < before-overlapFrom {
			add(Overlap, min(before, c.End))
		}
		lastEnd[c.Settings] = max(lastEnd[c.Settings], c.End)
	}
	return faults
}

// Said is what one speaker says in a cue, as plain text.
type Said struct {
	Speaker string // empty: the cue does not say
	Text    string // lines; no tags, no entities
}

// Said returns the text of a cue without its markup, by speaker.
func (c Cue) Said() []Said {
	var said []Said
	var speaker string
	var text strings.Builder
	flush := func() {
		if s := strings.TrimSpace(html.UnescapeString(text.String())); s != "" {
			said = append(said, Said{speaker, s})
		}
		text.Reset()
	}
	for rest := c.Text; rest != ""; {
		start := strings.IndexByte(rest, '<')
		if start < 0 {
			text.WriteString(rest)
			break
		}
		text.WriteString(rest[:start])
		rest = rest[start:]
		end := strings.IndexByte(rest, '>')
		if end < 0 {
			text.WriteString(rest)
			break
		}
		tag := rest[1:end]
		rest = rest[end+1:]
		head, name, _ := strings.Cut(tag, " ")
		switch head, _, _ = strings.Cut(head, "."); head {
		case "v":
			flush()
			speaker = strings.TrimSpace(html.UnescapeString(name))
		case "/v":
			flush()
			speaker = ""
		case "rt":
			text.WriteString(" (") // the reading of a word, beside it
		case "/rt":
			text.WriteString(")")
		}
	}
	flush()
	return slices.Clip(said)
}
