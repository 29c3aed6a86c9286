package ingest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// The look of a slate, on a canvas of 1920x1080: calm, flat (a gradient would
// show bands at these bit rates), one accent, text on a left edge.
const (
	slateBackground = "0x14202b"
	slateAccent     = "0xf2b35e"
	slateWhite      = "0xf7f4ee"
	slateGrey       = "0x9db0bf"
	slateLine       = "0x2c3e4d"
	slateLeft       = 160
	slateWidth      = 1600 // of text
	slateFooter     = 915  // where the hour stands
)

// slateText is one line on the canvas.
type slateText struct {
	text   string
	size   int // of the letters, pixels
	bold   bool
	colour string
	y      int // top of the line
}

// drawSlate lays the texts out, writes each into a file of its own (so that
// nothing in them can be taken for a filter) and returns the chain of drawing
// filters, which begins with a comma.
func (g *Ingester) drawSlate(ctx context.Context, spec SlateSpec, dir string) (string, error) {
	regular, bold := g.font(ctx, "Sans", spec.Language), g.font(ctx, "Sans:bold", spec.Language)
	var b strings.Builder
	fmt.Fprintf(&b, ",drawbox=x=%d:y=200:w=96:h=6:color=%s:t=fill", slateLeft, slateAccent)
	if spec.When != "" {
		fmt.Fprintf(&b, ",drawbox=x=%d:y=%d:w=%d:h=2:color=%s:t=fill", slateLeft, slateFooter-50, slateWidth, slateLine)
	}
	for i, t := range layOut(spec) {
		name := fmt.Sprintf("text-%d.txt", i)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(t.text), 0o600); err != nil {
			return "", fmt.Errorf("write slate text: %w", err)
		}
		font := regular
		if t.bold {
			font = bold
		}
		// From the font's own ascent: lines of one size keep their distance whatever letters they have.
		fmt.Fprintf(&b, ",drawtext=%s:textfile=%s:expansion=none:fontsize=%d:fontcolor=%s:x=%d:y=%d-ascent+%d",
			font, name, t.size, t.colour, slateLeft, t.y, t.size)
	}
	return b.String(), nil
}

// plainPath is a path that needs no quoting in a filter graph.
var plainPath = regexp.MustCompile(`^/[A-Za-z0-9/._-]+$`)

// Fonts that are looked for when fontconfig's program is missing.
var (
	regularFonts = []string{"/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf"}
	boldFonts    = []string{"/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf", "/usr/share/fonts/truetype/liberation/LiberationSans-Bold.ttf"}
)

// font returns drawtext's option for a font. The filter itself asks fontconfig
// for a family only, never for a weight or a language: so the file is found here.
func (g *Ingester) font(ctx context.Context, pattern, language string) string {
	if path, err := exec.LookPath("fc-match"); err == nil {
		out := capped{limit: 4096}
		asked := pattern
		if tag := baseLanguage(normalLanguage(language)); tag != "" {
			asked += ":lang=" + tag
		}
		err := g.run(ctx, child{path: path, args: []string{"-f", "%{file}", asked}, stdout: &out, timeout: 20 * time.Second})
		if file := string(out.data); err == nil && plainPath.MatchString(file) {
			return "fontfile=" + file
		}
	}
	files := regularFonts
	if strings.HasSuffix(pattern, ":bold") {
		files = boldFonts
	}
	for _, file := range files {
		if _, err := os.Stat(file); err == nil {
			return "fontfile=" + file
		}
	}
	return "font=Sans"
}

// layOut places the texts: event on top, headline and talk in the middle, hour below.
func layOut(spec SlateSpec) []slateText {
	title, titleOther := twoTexts(spec.Title)
	lines := []slateText{{oneLine(title, 44, slateWidth), 44, false, slateGrey, 112}}
	if titleOther != "" {
		lines[0].y = 84
		lines = append(lines, slateText{oneLine(titleOther, 32, slateWidth), 32, false, slateGrey, 142})
	}
	lines = append(lines, middle(spec)...)
	if when, other := twoTexts(spec.When); when != "" {
		lines = append(lines, slateText{oneLine(when, 76, slateWidth), 76, true, slateWhite, slateFooter})
		if other != "" {
			lines = append(lines, slateText{oneLine(other, 36, slateWidth), 36, false, slateGrey, slateFooter + 92})
		}
	}
	return lines
}

// middle is the block of headline and talk, centred between the title and the hour.
func middle(spec SlateSpec) []slateText {
	headline, headlineOther := twoTexts(spec.Headline)
	talk, talkOther := twoTexts(spec.Talk)
	var block []slateText
	height := 0
	add := func(t slateText, below int) {
		if t.text != "" {
			t.y = height
			block = append(block, t)
			height += t.size + below
		}
	}
	if talk == "" { // the headline is all there is to say
		size, rows := fit(headline, []setting{{112, 1}, {100, 2}, {84, 3}})
		for _, row := range rows {
			add(slateText{row, size, true, slateWhite, 0}, size/4)
		}
		add(slateText{oneLine(headlineOther, 52, slateWidth), 52, false, slateGrey, 0}, 0)
	} else {
		add(slateText{oneLine(headline, 54, slateWidth), 54, false, slateAccent, 0}, 36)
		size, rows := fit(talk, []setting{{104, 2}, {88, 3}, {76, 3}, {64, 4}, {54, 5}})
		for _, row := range rows {
			add(slateText{row, size, true, slateWhite, 0}, size/4)
		}
		height += 16
		if headlineOther != "" && talkOther != "" {
			talkOther = headlineOther + " · " + talkOther
		}
		_, rows = fit(talkOther, []setting{{44, 2}})
		for _, row := range rows {
			add(slateText{row, 44, false, slateGrey, 0}, 14)
		}
	}
	top, bottom := 230, slateFooter-60
	if spec.When == "" {
		bottom = 960
	}
	start := top + max(0, (bottom-top-height)/2)
	for i := range block {
		block[i].y += start
	}
	return block
}

// twoTexts cuts a text into its first line and the rest, and cleans both.
func twoTexts(s string) (first, second string) {
	first, second, _ = strings.Cut(strings.TrimSpace(s), "\n")
	clean := func(s string) string {
		// The narrow space is missing from some fonts; at this size its wide sister looks the same.
		return cleanText(strings.ReplaceAll(strings.ReplaceAll(s, "\n", " "), "\u202f", "\u00a0"))
	}
	return clean(first), clean(second)
}

// setting is a size of letters and how many rows of it may be used.
type setting struct{ size, rows int }

// fit wraps a text in the first setting that it fits; in the last one it is cut with an ellipsis.
func fit(text string, settings []setting) (size int, rows []string) {
	var most int
	for _, s := range settings {
		size, most = s.size, s.rows
		if rows = wrap(text, size, slateWidth); len(rows) <= most {
			return size, rows
		}
	}
	rows = fill(strings.Fields(text), size, slateWidth)[:most]
	rows[most-1] = oneLine(rows[most-1]+"\u00a0…", size, slateWidth)
	return size, rows
}

// wrap breaks a text at spaces into rows of about the same length. Only U+0020 breaks: no-break spaces hold.
func wrap(text string, size, width int) []string {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' })
	for i, w := range words {
		words[i] = oneLine(w, size, width)
	}
	greedy := fill(words, size, width)
	// The same number of rows with a narrower column is better balanced.
	for narrow := width - 80; narrow > width/2 && len(greedy) > 1; narrow -= 80 {
		rows := fill(words, size, narrow)
		if len(rows) > len(greedy) {
			break
		}
		greedy = rows
	}
	return greedy
}

func fill(words []string, size, width int) (rows []string) {
	row := ""
	for _, w := range words {
		switch {
		case row == "":
			row = w
		case textWidth(row+" "+w, size) <= width:
			row += " " + w
		default:
			rows = append(rows, row)
			row = w
		}
	}
	if row != "" {
		rows = append(rows, row)
	}
	return rows
}

// oneLine cuts a text with an ellipsis where it would pass the width.
func oneLine(text string, size, width int) string {
	if textWidth(text, size) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 1 && textWidth(string(runes)+"…", size) > width {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimRight(string(runes), " ,;:") + "…"
}

// textWidth estimates how wide a text is, in pixels: the advance widths of DejaVu Sans Bold by kind of letter, rounded up.
func textWidth(text string, size int) int {
	thousandths := 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Mn, r):
		case strings.ContainsRune("iljI.,:;'’|!()[]", r):
			thousandths += 420
		case r == ' ' || r == '\u00a0':
			thousandths += 348
		case strings.ContainsRune("ftr-/", r):
			thousandths += 480
		case strings.ContainsRune("mwMWŒœ%@—…", r):
			thousandths += 1060
		case r >= 0x2e80: // East Asian, emoji
			thousandths += 1100
		case unicode.IsUpper(r):
			thousandths += 800
		default:
			thousandths += 705
		}
	}
	return thousandths * size / 1000
}
