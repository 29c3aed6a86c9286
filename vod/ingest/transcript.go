package ingest

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"reprise/vod"
	"reprise/vod/webvtt"
)

// Line is one line of a transcript: what one person says in a caption, as plain text.
type Line struct {
	From, To time.Duration // from the first frame of the film
	Speaker  string        // empty: not said
	Text     string        // one line, no markup
}

// Hit is a line in which a search found something.
type Hit struct {
	Line    int    // index
	Snippet string // what to show: the line, and the next one where the words go on there
	Marks   []Mark // words found in Snippet, in order
}

// Mark is a stretch of a snippet, in UTF-16 code units, as JavaScript counts.
type Mark struct{ From, To int }

// Transcript returns what is said in the film according to its captions in language. ErrNoCaptions.
func (g *Ingester) Transcript(ctx context.Context, id vod.AssetID, language string) ([]Line, error) {
	cues, _, err := g.Cues(ctx, id, language)
	if err != nil {
		return nil, err
	}
	return transcribe(cues), nil
}

// transcribe makes lines of cues. Captions that roll show each line twice: new,
// and again above the next one; a transcript has it once.
func transcribe(cues []webvtt.Cue) []Line {
	lines := make([]Line, 0, len(cues))
	last, end := "", time.Duration(0)
	for _, c := range cues {
		for _, s := range c.Said() {
			shown := strings.Split(s.Text, "\n")
			again := shown[0] == last && s.Speaker == "" && c.Start-end < blink
			if again && (len(shown) > 1 || c.End-c.Start < blink) {
				shown = shown[1:]
			}
			if text := strings.Join(strings.Fields(strings.Join(shown, " ")), " "); text != "" {
				lines = append(lines, Line{From: c.Start, To: c.End, Speaker: s.Speaker, Text: text})
				last = shown[len(shown)-1]
			}
			end = c.End
		}
	}
	return lines
}

// blink is too short for anybody to read anything.
const blink = 50 * time.Millisecond

// Limits of a search: nobody types more, and a page shows no more.
const (
	mostWords      = 16
	mostHits       = 500
	longestSnippet = 400 // bytes
	prefixFrom     = 3   // letters from which a word of a query may be the beginning of one
)

// Search finds the lines in which all words of query occur, in any order, or
// begin a word when they have three letters or more. Case, accents and
// ligatures do not count. A sentence that goes on in the next line is found by
// its first line. It returns at most 500; an empty query finds nothing.
func Search(lines []Line, query string) []Hit {
	var wanted []string
	for _, w := range wordsOf(query) {
		if len(wanted) < mostWords {
			wanted = append(wanted, w.folded)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	var hits []Hit
	var current []word
	if len(lines) > 0 {
		current = wordsOf(lines[0].Text)
	}
	for i := range lines {
		var next []word
		if i+1 < len(lines) {
			next = wordsOf(lines[i+1].Text)
		}
		if h, ok := find(lines, i, current, next, wanted); ok {
			if hits = append(hits, h); len(hits) == mostHits {
				return hits
			}
		}
		current = next
	}
	return hits
}

// find looks in line i; in the next as well where that alone says neither all nor nothing.
func find(lines []Line, i int, current, next []word, wanted []string) (Hit, bool) {
	here, there := 0, 0
	for _, w := range wanted {
		inCurrent, inNext := holds(current, w), holds(next, w)
		switch {
		case inCurrent:
			here++
		case !inNext:
			return Hit{}, false
		}
		if inNext {
			there++
		}
	}
	if here == 0 || here < len(wanted) && there == len(wanted) {
		return Hit{}, false // the next line is the better hit
	}
	text := lines[i].Text
	if here < len(wanted) {
		text += " " + lines[i+1].Text
	}
	return snippet(i, text, wanted), true
}

func holds(list []word, wanted string) bool {
	for _, w := range list {
		if w.matches(wanted) {
			return true
		}
	}
	return false
}

// snippet shortens text around the first word found, and marks all that were.
func snippet(line int, text string, wanted []string) Hit {
	found := func(w word) bool {
		for _, s := range wanted {
			if w.matches(s) {
				return true
			}
		}
		return false
	}
	if len(text) > longestSnippet {
		from := 0
		for _, w := range wordsOf(text) {
			if found(w) {
				from = w.from
				break
			}
		}
		text = around(text, from)
	}
	h := Hit{Line: line, Snippet: text}
	for _, w := range wordsOf(text) {
		if found(w) {
			start := units(text[:w.from])
			h.Marks = append(h.Marks, Mark{start, start + units(text[w.from:w.to])})
		}
	}
	return h
}

// around cuts a stretch of text at spaces, with what is at byte at in its first half.
func around(text string, at int) string {
	from := max(0, at-longestSnippet/2)
	to := min(len(text), from+longestSnippet)
	for from > 0 && !utf8.RuneStart(text[from]) {
		from++
	}
	for to < len(text) && !utf8.RuneStart(text[to]) {
		to--
	}
	before, after := "", ""
	if from > 0 {
		before = "…"
		if n := strings.IndexByte(text[from:], ' '); n >= 0 && from+n < at {
			from += n + 1
		}
	}
	if to < len(text) {
		after = "…"
		if n := strings.LastIndexByte(text[from:to], ' '); n > 0 && from+n > at {
			to = from + n
		}
	}
	return before + text[from:to] + after
}

// units counts UTF-16 code units.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// word is a word of a text: bytes [from, to).
type word struct {
	from, to int
	folded   string
}

func (w word) matches(wanted string) bool {
	return w.folded == wanted || len(wanted) >= prefixFrom && strings.HasPrefix(w.folded, wanted)
}

// wordsOf cuts a text into words of letters, digits and the marks on them: an
// apostrophe parts "l’heure".
func wordsOf(text string) []word {
	var list []word
	start := -1
	for i, r := range text {
		inside := unicode.IsLetter(r) || unicode.IsDigit(r) || start >= 0 && unicode.Is(unicode.Mn, r)
		switch {
		case inside && start < 0:
			start = i
		case !inside && start >= 0:
			list = append(list, word{start, i, fold(text[start:i])})
			start = -1
		}
	}
	if start >= 0 {
		list = append(list, word{start, len(text), fold(text[start:])})
	}
	return list
}

// fold makes equal what a search takes for equal: case, accents, ligatures.
func fold(s string) string {
	var out strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(s)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'œ':
			out.WriteString("oe")
		case r == 'æ':
			out.WriteString("ae")
		case r == 'ß':
			out.WriteString("ss")
		case r == 'ø':
			out.WriteByte('o')
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
