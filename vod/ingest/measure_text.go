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
	leastRows      = 3    // rows of text
	sharpEdge      = 1.55 // contrast over steepest step of edges that were drawn in the picture's own size
	blurredEdge    = 2.5  // … of edges in a picture that was enlarged to twice its size, or more
	smallLetters   = 10.0 // lines of 1080: five lines of a picture with 540
	fewestLines    = 5.0  // lines of the source that a letter needs
)

// writing is what one picture tells of its text.
type writing struct {
	strokes int
	edge    float64 // contrast over steepest step: 1 to 1.5 is sharp, 3 is three times enlarged
	letter  float64 // height of the small letters of most of the text, in lines of the picture
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

// readText measures the strokes of letters: pairs of opposite edges, strong
// and close to each other. How steep they are tells whether the picture was
// drawn in this size or enlarged; the bands of rows that hold many tell the height of the letters.
func readText(picture []byte, width, height int) writing {
	strips := make([][]int, textStrips)
	for i := range strips {
		strips[i] = make([]int, height)
	}
	stripWidth := max(1, width/textStrips)
	var edges []float32
	for y := range height {
		row := picture[y*width : (y+1)*width]
		before, rose := -width, false // end and direction of the last strong edge
		for x := 1; x < width; {
			from, steepest := x-1, 0
			up := row[x] > row[x-1]
			for x < width && row[x] != row[x-1] && (row[x] > row[x-1]) == up {
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
			if rose != up && from-before <= height/strokeWidth {
				edges = append(edges, float32(contrast)/float32(steepest))
				strips[min(textStrips-1, from/stripWidth)][y]++
			}
			before, rose = x-1, up
		}
	}
	letter, rows := letters(strips)
	if len(edges) < leastStrokes || rows < leastRows {
		return writing{strokes: len(edges)}
	}
	slices.Sort(edges)
	return writing{strokes: len(edges), edge: float64(edges[len(edges)/2]), letter: letter}
}

// letters finds the bands of rows that hold many strokes, in each strip, and
// returns the height of the one in the middle, by strokes, and how many there are.
func letters(strips [][]int) (height float64, rows int) {
	type band struct{ height, strokes int }
	var bands []band
	total := 0
	for _, counts := range strips {
		sorted := slices.Sorted(slices.Values(counts))
		many := max(3, sorted[len(sorted)*98/100]/3)
		for y := 0; y < len(counts); y++ {
			b := band{}
			for ; y < len(counts) && counts[y] >= many; y++ {
				b.height++
				b.strokes += counts[y]
			}
			if b.height > 0 {
				bands = append(bands, b)
				total += b.strokes
			}
		}
	}
	slices.SortFunc(bands, func(a, b band) int { return a.height - b.height })
	sum := 0
	for _, b := range bands {
		if sum += b.strokes; 2*sum >= total {
			return float64(b.height), len(bands)
		}
	}
	return 0, len(bands)
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
