package ingest

import (
	"math"
	"slices"
	"time"

	"reprise/vod"
)

// How often text is looked for: textLooks times in a film, within the limits.
const (
	minTextStep = 2 * time.Second
	maxTextStep = 15 * time.Second
	textLooks   = 120
)

// What counts as text in a grey picture.
const (
	strokeContrast = 64   // levels from one side of a letter's edge to the other
	strokeWidth    = 54   // a stroke is at most 1/54 of the picture's height wide (20 pixels of 1080)
	textStrips     = 6    // columns of the picture that are read by themselves
	leastStrokes   = 300  // a picture with fewer has no text to speak of
	leastRows      = 3    // bands of rows with text
	leastHeight    = 3    // rows of a band
	tallestText    = 12   // a band is at most 1/12 of the picture's height high
	strokesARow    = 8    // in a band of one strip: several letters
	sharpEdge      = 1.55 // contrast over steepest step of edges that were drawn in the picture's own size
	blurredEdge    = 2.5  // … of edges in a picture that was enlarged to twice its size, or more
	smallLetters   = 10.0 // lines of 1080: five lines of a picture with 540
	fewestLines    = 5.0  // lines of the source that a letter needs
)

// writing is what one picture tells of its text.
type writing struct {
	edge   float64 // contrast over steepest step: 1 to 1.5 is sharp, 3 is three times enlarged; 0: there is no text
	letter float64 // height of the small letters of most of the text, in lines of the picture
}

// textReader gets grey pictures of one size, back to back, as an io.Writer.
type textReader struct {
	width, height int
	picture       []byte
	found         []writing // of each picture
}

func newTextReader(width, height int) *textReader {
	return &textReader{width: width, height: height}
}

func (t *textReader) Write(p []byte) (int, error) {
	n, size := len(p), t.width*t.height
	for len(p) > 0 {
		take := min(size-len(t.picture), len(p))
		t.picture, p = append(t.picture, p[:take]...), p[take:]
		if len(t.picture) == size {
			t.found = append(t.found, readText(t.picture, t.width, t.height))
			t.picture = t.picture[:0]
		}
	}
	return n, nil
}

// stroke is the second edge of a letter's stroke.
type stroke struct {
	strip, row int
	edge       float64 // contrast over steepest step
}

// readText measures the strokes of letters: pairs of opposite edges, strong
// and close to each other. How steep they are tells whether the picture was
// drawn in this size or enlarged; the bands of rows that hold many tell the
// height of the letters. Blinds, shirts and branches have strokes as well, but few in a row, or no bands.
func readText(picture []byte, width, height int) writing {
	var strokes []stroke
	strips := make([][]int, textStrips)
	for i := range strips {
		strips[i] = make([]int, height)
	}
	for y := range height {
		strokes = readRow(strokes, picture[y*width:(y+1)*width], y, height/strokeWidth)
	}
	for _, s := range strokes {
		strips[s.strip][s.row]++
	}
	letter, rows, text := letters(strips)
	var edges []float64
	for _, s := range strokes {
		if text[s.strip][s.row] {
			edges = append(edges, s.edge)
		}
	}
	if len(edges) < leastStrokes || rows < leastRows {
		return writing{}
	}
	slices.Sort(edges)
	return writing{edge: edges[len(edges)/2], letter: letter}
}

// readRow adds the strokes of one row of a picture.
func readRow(strokes []stroke, row []byte, y, widest int) []stroke {
	stripWidth := max(1, len(row)/textStrips)
	before, rose := -len(row), false // end and direction of the last strong edge
	for x := 1; x < len(row); {
		from, steepest := x-1, 0
		up := row[x] > row[x-1]
		for x < len(row) && row[x] != row[x-1] && (row[x] > row[x-1]) == up {
			steepest = max(steepest, apart(row[x], row[x-1]))
			x++
		}
		if x-1 == from {
			x++
			continue
		}
		contrast := apart(row[x-1], row[from])
		if contrast < strokeContrast {
			continue
		}
		if rose != up && from-before <= widest {
			strokes = append(strokes, stroke{min(textStrips-1, from/stripWidth), y, float64(contrast) / float64(steepest)})
		}
		before, rose = x-1, up
	}
	return strokes
}

// letters finds the bands of rows that hold many strokes, in each strip, as
// lines of text do. It returns the height of the band in the middle, by
// strokes, how many there are, and the rows that are in one.
func letters(strips [][]int) (height float64, rows int, text [][]bool) {
	type band struct{ height, strokes int }
	var bands []band
	total := 0
	text = make([][]bool, len(strips))
	for i, counts := range strips {
		text[i] = make([]bool, len(counts))
		sorted := slices.Sorted(slices.Values(counts))
		many := max(3, sorted[len(sorted)*98/100]/3)
		for y := 0; y < len(counts); y++ {
			b, from := band{}, y
			for ; y < len(counts) && counts[y] >= many; y++ {
				b.height++
				b.strokes += counts[y]
			}
			if b.height < leastHeight || b.height > len(counts)/tallestText || b.strokes < strokesARow*b.height {
				continue
			}
			for k := from; k < y; k++ {
				text[i][k] = true
			}
			bands = append(bands, b)
			total += b.strokes
		}
	}
	slices.SortFunc(bands, func(a, b band) int { return a.height - b.height })
	sum := 0
	for _, b := range bands {
		if sum += b.strokes; 2*sum >= total {
			return float64(b.height), len(bands), text
		}
	}
	return 0, len(bands), text
}

// sum says how sharp the text of the film is (0: there is none), where its
// letters are too small, and how high they are there, in lines of 1080. step is
// the time from one picture to the next.
func (t *textReader) sum(step, end time.Duration) (sharpness, height float64, small []vod.Span) {
	var edges, heights []float64
	for i, w := range t.found {
		from, to := time.Duration(i)*step, min(end, time.Duration(i+1)*step)
		if w.edge == 0 || from >= end {
			continue
		}
		lines := w.letter * 1080 / float64(t.height)
		edges = append(edges, w.edge)
		if lines >= smallLetters && w.letter*sharpEdge/max(sharpEdge, w.edge) >= fewestLines {
			continue
		}
		heights = append(heights, lines)
		if last := len(small) - 1; last >= 0 && small[last].To >= from.Seconds()-0.001 {
			small[last].To = thousandths(to.Seconds())
		} else {
			small = append(small, spanOf(from, to))
		}
	}
	if len(edges) == 0 {
		return 0, 0, nil
	}
	slices.Sort(edges)
	sharpness = math.Round(min(1, sharpEdge/edges[len(edges)/2])*100) / 100
	if len(heights) > 0 {
		slices.Sort(heights)
		height = math.Round(heights[len(heights)/2])
	}
	return sharpness, height, longestFirst(small, mostPlaces)
}
