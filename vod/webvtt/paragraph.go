package webvtt

import (
	"encoding/xml"
	"slices"
	"strings"
	"time"
)

// piece is a stretch of text in a TTML paragraph.
type piece struct {
	text  string
	scope scope
}

// paragraph makes cues of a p element: one, or as many as its spans are timed apart.
func (d *document) paragraph(line int, s scope) error {
	var pieces []piece
	if err := d.span(s, &pieces); err != nil {
		return err
	}
	if len(pieces) >= maxPieces {
		d.report(line, TooMany, "")
	}
	visible := slices.ContainsFunc(pieces, func(p piece) bool { return strings.TrimSpace(p.text) != "" })
	if !visible {
		return nil // spacers and paragraphs that carry a picture are common
	}
	for _, span := range instants(pieces) {
		if d.full() {
			return errFull
		}
		d.show(line, span[0], span[1], pieces, s)
	}
	return nil
}

// span collects the pieces of the current element.
func (d *document) span(s scope, pieces *[]piece) error {
	last := s.begin
	return d.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "br":
			d.piece(pieces, piece{"\n", s})
		case "span":
			line, _ := d.xml.InputPos()
			inner, ok := d.scope(e, s, last)
			if !ok {
				d.report(line, Time, attr(e, "begin")+" "+attr(e, "end")+attr(e, "dur"))
				return d.skip()
			}
			if inner.end != endless {
				last = inner.end
			}
			return d.span(inner, pieces)
		}
		return d.skip() // metadata, set
	}, func(text string) {
		if text = strings.ToValidUTF8(text[:min(len(text), maxText)], ""); !s.preserve {
			text = collapse(text)
		}
		if text != "" {
			d.piece(pieces, piece{text, s})
		}
	})
}

// piece adds a piece, as long as there are few and they are short.
func (d *document) piece(pieces *[]piece, p piece) {
	size := len(p.text)
	for _, other := range *pieces {
		size += len(other.text)
	}
	if len(*pieces) < maxPieces && size <= 2*maxText {
		*pieces = append(*pieces, p)
	}
}

const whiteSpace = " \n\t\r"

// collapse makes one space of each run of white space.
func collapse(s string) string {
	if s == "" {
		return ""
	}
	out := strings.Join(strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(whiteSpace, r) }), " ")
	if strings.ContainsRune(whiteSpace, rune(s[0])) {
		out = " " + out
	}
	if out != " " && strings.ContainsRune(whiteSpace, rune(s[len(s)-1])) {
		out += " "
	}
	return out
}

// instants are the stretches of time between which the visible pieces change.
func instants(pieces []piece) [][2]time.Duration {
	var at []time.Duration
	for _, p := range pieces {
		if strings.TrimSpace(p.text) != "" {
			at = append(at, p.scope.begin, p.scope.end)
		}
	}
	slices.Sort(at)
	at = slices.Compact(at)
	if len(at) < 2 {
		return [][2]time.Duration{{at[0], at[0]}} // never shown: told as such
	}
	var spans [][2]time.Duration
	for i := range len(at) - 1 {
		spans = append(spans, [2]time.Duration{at[i], at[i+1]})
	}
	return spans
}

// show makes the cue of what is visible from begin to end.
func (d *document) show(line int, begin, end time.Duration, pieces []piece, s scope) {
	var out strings.Builder
	speaker := s.speaker
	visible := false
	l := s.look
	if speaker != "" {
		out.WriteString("<v " + speaker + ">")
	}
	for _, p := range pieces {
		if p.scope.begin > begin || p.scope.end < end {
			continue
		}
		if strings.TrimSpace(p.text) == "" {
			out.WriteString(p.text)
			continue
		}
		if !visible {
			l = p.scope.look
		}
		visible = true
		if p.scope.speaker != speaker {
			if speaker != "" {
				out.WriteString("</v>")
			}
			if speaker = p.scope.speaker; speaker != "" {
				out.WriteString("<v " + speaker + ">")
			}
		}
		out.WriteString(p.scope.look.wrap(escape(p.text)))
	}
	if !visible {
		return // a pause between two spans
	}
	begin, end = begin-d.clock.program, min(end, endless)-d.clock.program
	if begin < 0 || end > (maxHours+1)*time.Hour || end <= begin {
		reason := Backwards
		if end > begin {
			reason = Time
		}
		d.report(line, reason, "")
		return
	}
	var lines []string
	for text := range strings.SplitSeq(out.String(), "\n") {
		lines = append(lines, strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' }), " "))
	}
	text, _ := cueText(lines)
	if text == "" {
		d.report(line, NoText, "")
		return
	}
	d.add(Cue{Start: begin.Round(time.Millisecond), End: end.Round(time.Millisecond), Text: text, Settings: l.settings()})
}

// wrap puts text between the tags of its look.
func (l look) wrap(text string) string {
	for _, tag := range []struct {
		on   bool
		name string
	}{{l.underline, "u"}, {l.bold, "b"}, {l.italic, "i"}} {
		if tag.on {
			text = "<" + tag.name + ">" + text + "</" + tag.name + ">"
		}
	}
	return text
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
