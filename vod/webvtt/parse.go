package webvtt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Problem is something in a caption file that was left out or repaired.
type Problem struct {
	Line   int // from 1
	Reason Reason
	Detail string // the words of the file concerned, cut short
}

func (p Problem) String() string {
	if p.Detail == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Reason)
	}
	return fmt.Sprintf("line %d: %s: %q", p.Line, p.Reason, p.Detail)
}

// Reason says what kind of problem it is. The values are stable: callers map
// them to words.
type Reason string

// Reasons.
const (
	Encoding    Reason = "encoding guessed"
	NotCaptions Reason = "no captions"
	Markup      Reason = "markup broken, the rest is left out"
	Pictures    Reason = "pictures of text, left out"
	Time        Reason = "times cannot be read, cue left out"
	Backwards   Reason = "ends before it starts, cue left out"
	NoText      Reason = "no text, cue left out"
	Stray       Reason = "text outside a cue, left out"
	Setting     Reason = "unknown cue setting, left out"
	Style       Reason = "style or region, left out"
	TooMany     Reason = "too many cues or problems, the rest is left out"

	// Of cues in a film: see Validate.
	Overlap Reason = "shown while the one before still is"
	Outside Reason = "outside the film"
	TooFast Reason = "too fast to read"
)

// Limits: a day of captions is some 30,000 cues.
const (
	maxCues     = 200_000
	maxProblems = 1000
	maxText     = 4096     // bytes of a cue
	maxTotal    = 32 << 20 // bytes of all cues' texts
)

// text reads WebVTT or SubRip. It is tolerant: commas or dots in times, hours
// optional, arrows as word processors draw them, blank lines missing or one too many.
func (p *parser) text(text string) {
	p.lines = strings.Split(strings.TrimLeft(text, "\ufeff"), "\n")
	if p.vtt {
		p.at = 1 + leadingBlank(p.lines)
		for _, line := range p.textLines() { // what else the header says
			if name, ok := strings.CutPrefix(line, "Language:"); ok {
				p.language = strings.TrimSpace(name)
			}
		}
	}
	for p.at < len(p.lines) && !p.full() {
		p.block()
	}
	if p.at < len(p.lines) {
		p.report(p.at+1, TooMany, "")
	}
}

// leadingBlank counts the blank lines that lines begin with.
func leadingBlank(lines []string) int {
	n := 0
	for n < len(lines)-1 && strings.TrimSpace(lines[n]) == "" {
		n++
	}
	return n
}

// sortCues puts cues into the order of their start, those of the same start into that of their end.
func sortCues(cues []Cue) {
	slices.SortStableFunc(cues, func(a, b Cue) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
}

func isHeader(line string) bool {
	rest, ok := strings.CutPrefix(line, "WEBVTT")
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

type parser struct {
	lines    []string
	at       int
	vtt      bool
	language string
	cues     []Cue
	size     int // of their texts
	problems []Problem
}

// full tells whether no more cues are taken.
func (p *parser) full() bool { return len(p.cues) >= maxCues || p.size > maxTotal }

func (p *parser) add(c Cue) {
	p.cues = append(p.cues, c)
	p.size += len(c.Text)
}

func (p *parser) report(line int, reason Reason, detail string) {
	switch {
	case len(p.problems) < maxProblems:
		if len(detail) > 60 {
			detail = strings.ToValidUTF8(detail[:60], "") + "…"
		}
		p.problems = append(p.problems, Problem{Line: line, Reason: reason, Detail: detail})
	case len(p.problems) == maxProblems:
		p.problems = append(p.problems, Problem{Line: line, Reason: TooMany})
	}
}

func (p *parser) skipBlock() {
	for p.at < len(p.lines) && strings.TrimSpace(p.lines[p.at]) != "" {
		p.at++
	}
}

// isTiming tells whether a line says when a cue is shown: that of WebVTT by the
// arrow alone, others, which word processors draw, only between times.
func isTiming(line string) bool {
	if strings.Contains(line, "-->") {
		return true
	}
	before, _, ok := cutArrow(line)
	if !ok {
		return false
	}
	_, ok = parseTime(strings.TrimSpace(before))
	return ok
}

// cutArrow cuts a line of times at its arrow.
func cutArrow(line string) (before, after string, ok bool) {
	for _, arrow := range []string{"-->", "- ->", "-- >", "—>", "–>", "->", "→"} {
		if before, after, ok = strings.Cut(line, arrow); ok {
			return before, after, true
		}
	}
	return "", "", false
}

// block reads what begins at the next line that is not blank.
func (p *parser) block() {
	line := strings.TrimSpace(p.lines[p.at])
	following := ""
	if p.at+1 < len(p.lines) {
		following = p.lines[p.at+1]
	}
	word, _, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	switch {
	case line == "":
		p.at++
	case isTiming(line):
		p.cue("")
	case isTiming(following):
		p.at++
		p.cue(line)
	case p.vtt && word == "NOTE":
		p.skipBlock()
	case p.vtt && (word == "STYLE" || word == "REGION" || line == "Region:"):
		p.report(p.at+1, Style, "")
		p.skipBlock()
	default:
		p.stray(line)
	}
}

// stray handles text that belongs to no cue: in SubRip it follows a blank line
// inside a cue; a number alone is an empty cue's.
func (p *parser) stray(line string) {
	if n := len(p.cues); !p.vtt && n > 0 && !isNumber(line) {
		start := p.at
		last := &p.cues[n-1]
		text, _ := cueText(p.textLines())
		if text == "" {
			return
		}
		if len(last.Text)+len(text) < maxText {
			last.Text += "\n" + text
			return
		}
		p.report(start+1, Stray, line)
		return
	}
	p.report(p.at+1, Stray, line)
	p.at++
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// textLines takes the lines up to a blank one, or up to the next cue where the
// blank line was forgotten.
func (p *parser) textLines() []string {
	from := p.at
	for p.at < len(p.lines) && !p.isBlank(p.at) {
		if isTiming(p.lines[p.at]) {
			break
		}
		if isNumber(strings.TrimSpace(p.lines[p.at])) && p.at+1 < len(p.lines) && isTiming(p.lines[p.at+1]) {
			break
		}
		p.at++
	}
	return p.lines[from:p.at]
}

// isBlank tells whether a line ends a block. In WebVTT one of spaces is text
// (YouTube writes them), unless a cue begins after it.
func (p *parser) isBlank(at int) bool {
	line := p.lines[at]
	if line == "" {
		return true
	}
	if strings.TrimSpace(line) != "" {
		return false
	}
	if !p.vtt {
		return true
	}
	for next := at + 1; next < min(at+3, len(p.lines)); next++ {
		if isTiming(p.lines[next]) {
			return true
		}
	}
	return at+1 == len(p.lines)
}

// cue reads a cue whose timing line is the current one.
func (p *parser) cue(id string) {
	number := p.at + 1
	timing := p.lines[p.at]
	p.at++
	lines := p.textLines()
	before, after, _ := cutArrow(timing)
	endField, settings, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(after, "\t", " ")), " ")
	start, ok1 := parseTime(strings.TrimSpace(before))
	end, ok2 := parseTime(endField)
	if !ok1 || !ok2 {
		p.report(number, Time, strings.TrimSpace(timing))
		return
	}
	if end <= start {
		p.report(number, Backwards, strings.TrimSpace(timing))
		return
	}
	text, top := cueText(lines)
	if text == "" {
		p.report(number, NoText, "")
		return
	}
	c := Cue{Start: start, End: end, Text: text, Settings: p.settings(number, settings)}
	if top && c.Settings == "" {
		c.Settings = "line:0"
	}
	c.ID = cleanID(id)
	p.add(c)
}

// parseTime reads [h:]mm:ss[.mmm], with a comma or a third colon for the dot,
// and fewer or more digits than there should be.
func parseTime(s string) (time.Duration, bool) {
	if strings.Count(s, ":") == 3 && strings.LastIndexByte(s, ':') == len(s)-4 {
		s = s[:len(s)-4] + "." + s[len(s)-3:]
	}
	whole, fraction, _ := strings.Cut(strings.ReplaceAll(s, ",", "."), ".")
	fields := strings.Split(whole, ":")
	if len(fields) < 2 || len(fields) > 3 {
		return 0, false
	}
	seconds := int64(0)
	for i, f := range fields {
		f = strings.TrimSpace(f)
		if f == "" || len(f) > 4 || !isNumber(f) {
			return 0, false
		}
		n := int64(0)
		for _, c := range []byte(f) {
			n = n*10 + int64(c-'0')
		}
		if n > 59 && (i > 0 || len(fields) == 2 && n > 999) {
			return 0, false
		}
		seconds = seconds*60 + n
	}
	ms := int64(0)
	fraction = strings.TrimSpace(fraction)
	if fraction != "" && !isNumber(fraction) {
		return 0, false
	}
	for i := range 3 {
		ms *= 10
		if i < len(fraction) {
			ms += int64(fraction[i] - '0')
		}
	}
	return time.Duration(seconds)*time.Second + time.Duration(ms)*time.Millisecond, true
}

// settings keeps the cue settings that WebVTT knows. SubRip's coordinates
// (X1:40 ...) are dropped without a word; regions, since their definitions are.
func (p *parser) settings(line int, s string) string {
	var kept []string
	for _, field := range strings.Fields(s) {
		name, value, _ := strings.Cut(field, ":")
		switch {
		case validSetting(name, value):
			kept = append(kept, field)
		case !p.vtt && len(name) == 2 && strings.ContainsAny(name[:1], "XYxy"):
		case name == "region":
		default:
			p.report(line, Setting, field)
		}
	}
	return strings.Join(kept, " ")
}

func validSetting(name, value string) bool {
	base, alignment, _ := strings.Cut(value, ",")
	switch name {
	case "vertical":
		return value == "rl" || value == "lr"
	case "align":
		return slices.Contains([]string{"start", "center", "end", "left", "right", "middle"}, value)
	case "size":
		return isPercent(value)
	case "position":
		return isPercent(base) && slices.Contains([]string{"", "line-left", "center", "line-right", "start", "middle", "end"}, alignment)
	case "line":
		digits := strings.TrimPrefix(base, "-")
		return (isPercent(base) || len(digits) <= 4 && isNumber(digits)) &&
			slices.Contains([]string{"", "start", "center", "end"}, alignment)
	}
	return false
}

func isPercent(s string) bool {
	number, ok := strings.CutSuffix(s, "%")
	whole, fraction, dot := strings.Cut(number, ".")
	return ok && len(s) < 12 && isNumber(whole) && (!dot || isNumber(fraction)) && (len(whole) < 3 || whole == "100")
}
