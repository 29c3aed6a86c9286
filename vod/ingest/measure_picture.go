package ingest

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"reprise/stream/timeline"
	"reprise/vod"
)

// The watched picture: tiny, grey, five times a second. All grids' rates are
// multiples of five. It is enough to tell black, still and changed, and an hour of it is 10 MB.
const (
	watchRate   = 5
	watchWidth  = 32
	watchHeight = 18
	watchBlocks = watchWidth * watchHeight
)

// pictureWatch looks at the picture while the ladder is made: it gets two thin
// branches of the filter graph, of the picture as it is shown, in its own size
// at the grid's rate, and says in the end what was seen.
type pictureWatch struct {
	fps   int
	every int // pictures from one look at text to the next
	text  *textReader

	tiles []byte // watchBlocks bytes a sample
	count atomic.Int64
}

// newPictureWatch watches a film of that length on a grid of fps pictures a second.
func newPictureWatch(v *VideoTrack, fps int, length timeline.Ticks) *pictureWatch {
	every := max(minTextStep, min(maxTextStep, length.Duration()/textLooks))
	w := &pictureWatch{fps: fps, every: max(1, int(every.Seconds()*float64(fps)))}
	width, height := v.Shape()
	if shrink := min(1920/float64(width), 1080/float64(height)); shrink < 1 {
		width, height = int(float64(width)*shrink), int(float64(height)*shrink)
	}
	w.text = newTextReader(max(2, width), max(2, height))
	return w
}

// tileChain is the filter chain to the tiny pictures. One point in sixteen is enough for a mean.
func (w *pictureWatch) tileChain() string {
	return fmt.Sprintf("select='not(mod(n,%d))',scale=%d:%d:eval=frame:flags=neighbor,format=gray,scale=%d:%d:flags=area",
		w.fps/watchRate, 15*watchWidth, 15*watchHeight, watchWidth, watchHeight)
}

// textChain is the filter chain to the pictures in which text is looked for.
func (w *pictureWatch) textChain() string {
	return fmt.Sprintf("select='eq(mod(n,%d),%d)',format=gray,scale=%d:%d:eval=frame", w.every, w.every/2, w.text.width, w.text.height)
}

// sinks take what the two chains' outputs write, as raw video: tiles, text.
func (w *pictureWatch) sinks() []io.Writer { return []io.Writer{(*tileSink)(w), w.text} }

// outputs are ffmpeg's options for the two labels, in a run of listen with so many files.
func (w *pictureWatch) outputs(tiles, text string, files int) (args []string) {
	for i, label := range []string{tiles, text} {
		args = append(args, "-map", label, "-c:v", "rawvideo", "-pix_fmt", "gray", "-fps_mode", "passthrough", "-f", "rawvideo", sinkName(files, i))
	}
	return args
}

// now returns the film time of the picture that was decoded last, to a fifth of a second. Safe for concurrent use.
func (w *pictureWatch) now() time.Duration {
	return time.Duration(w.count.Load()) * time.Second / watchRate
}

// tileSink is the io.Writer of the tiny pictures.
type tileSink pictureWatch

func (w *tileSink) Write(p []byte) (int, error) {
	w.tiles = append(w.tiles, p...)
	w.count.Store(int64(len(w.tiles) / watchBlocks))
	return len(p), nil
}

// seen is what was seen of a film's picture. It is kept with the run, so that a killed one goes on.
type seen struct {
	Black     []vod.Span `json:"black"`
	Still     []vod.Span `json:"still"`     // from stillFrom on
	Frozen    []vod.Span `json:"frozen"`    // a camera that stopped
	Slides    []vod.Span `json:"slides"`    //
	Length    float64    `json:"length"`    // seconds watched
	Sharpness float64    `json:"sharpness"` // 0..1; 0: no text was found
	Small     []vod.Span `json:"small"`     // where text is too small …
	Letters   float64    `json:"letters"`   // … and the height of its small letters there, in a picture of 1080 lines
}

const seenFile = "seen.json"

// save keeps what was seen in a run's folder.
func (s *seen) save(dir string) error {
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, seenFile), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep what was seen: %w", err)
	}
	return nil
}

// readSeen returns what was seen in that run, nil when nothing was yet.
func readSeen(dir string) *seen {
	data, err := os.ReadFile(filepath.Join(dir, seenFile))
	s := &seen{}
	if err != nil || json.Unmarshal(data, s) != nil {
		return nil
	}
	return s
}

// Thresholds of the picture, in levels of 0..255 of a block's mean.
const (
	blackBelow  = 28 // black is 16
	movedBy     = 3  // more: something moved in the block
	stillFrom   = 3 * time.Second
	stoppedFrom = 20 * time.Second // a camera that stands still for less may be a still person
	movingFor   = 10 * time.Second // … after it moved so long
	cutBy       = 20
	cutShare    = 0.3 // of the blocks, by more than cutBy: a cut
	stillShare  = 0.2 // a film that stands still for more than this share has slides
)

// see sums up what was watched, of a picture that ends at end.
func (w *pictureWatch) see(end time.Duration) seen {
	tiles := tileList(w.tiles)
	if n := int(end.Seconds()*watchRate + 0.5); n > 0 && n < tiles.len() {
		tiles = tiles[:n*watchBlocks] // what follows is the last picture, held
	}
	s := seen{Length: seconds5(tiles.len()), Black: tiles.black(), Slides: tiles.slides()}
	stills := tiles.stills()
	s.Frozen = tiles.stopped(stills)
	s.Black, s.Frozen = longestFirst(s.Black, mostPlaces), longestFirst(s.Frozen, mostPlaces)
	s.Still = longestFirst(stills, 5*mostPlaces)
	step := time.Duration(w.every) * time.Second / time.Duration(max(1, w.fps))
	s.Sharpness, s.Letters, s.Small = w.text.sum(step, end)
	return s
}

// tileList are the tiny pictures of a film, back to back.
type tileList []byte

func (t tileList) len() int        { return len(t) / watchBlocks }
func (t tileList) at(i int) []byte { return t[i*watchBlocks : (i+1)*watchBlocks] }

func seconds5(samples int) float64 { return float64(samples) / watchRate }

func stretch(from, to int) vod.Span { return vod.Span{From: seconds5(from), To: seconds5(to)} }

// long tells whether so many samples last at least d.
func long(samples int, d time.Duration) bool {
	return time.Duration(samples)*time.Second/watchRate >= d
}

// black returns the stretches of at least stillFrom in which no block is brighter than black.
func (t tileList) black() (spans []vod.Span) {
	from := 0
	for i := 0; i <= t.len(); i++ {
		if i < t.len() && slices.Max(t.at(i)) <= blackBelow {
			continue
		}
		if long(i-from, stillFrom) {
			spans = append(spans, stretch(from, i))
		}
		from = i + 1
	}
	return spans
}

// stills returns the stretches of at least stillFrom in which nothing moves.
func (t tileList) stills() (spans []vod.Span) {
	for from := 0; from < t.len(); {
		to := from + 1
		for to < t.len() && !moved(t.at(from), t.at(to)) {
			to++
		}
		if long(to-from, stillFrom) {
			spans = append(spans, stretch(from, to))
		}
		from = to
	}
	return spans
}

func moved(a, b []byte) bool {
	for i := range a {
		if apart(a[i], b[i]) > movedBy {
			return true
		}
	}
	return false
}

func apart(a, b byte) int {
	if a > b {
		return int(a - b)
	}
	return int(b - a)
}

// stopped finds, among the still stretches, those of a camera that stopped: a
// film that hardly ever stands still otherwise, moves, and then stands still
// without a cut. A slide that follows a camera comes with a cut; a film of slides stands still all the time.
func (t tileList) stopped(stills []vod.Span) (spans []vod.Span) {
	still := 0.0
	for _, s := range stills {
		still += s.To - s.From
	}
	total := seconds5(t.len())
	before := 0.0 // end of the still stretch before
	for _, s := range stills {
		from := int(math.Round(s.From * watchRate))
		length := s.To - s.From
		elsewhere := total - length
		if length >= stoppedFrom.Seconds() && s.From-before >= movingFor.Seconds() &&
			still-length <= stillShare*elsewhere && !cutBetween(t.at(max(0, from-watchRate/2)), t.at(from)) && slices.Max(t.at(from)) > blackBelow {
			spans = append(spans, s)
		}
		before = s.To
	}
	return spans
}

// cutBetween tells whether two pictures show different things, and not the same one in movement.
func cutBetween(a, b []byte) bool {
	differ := 0
	for i := range a {
		if apart(a[i], b[i]) > cutBy {
			differ++
		}
	}
	return float64(differ) >= cutShare*watchBlocks
}

// Thresholds of slides.
const (
	slideShare  = 0.08 // of the blocks that show slides must change …
	slideBy     = 4    // … by more than so many levels
	activeShare = 0.2  // a block that moves more often shows a camera, not a slide
	slideBlocks = 0.4  // least share of blocks for slides
	settled     = 7    // samples without a change: a slide is there
	slidesLeast = 0.5  // of the time a film of slides is settled
	mostSlides  = 1000
)

// changed returns the share of blocks that differ; blocks with mask set do not count.
func changed(a, b []byte, mask []bool) float64 {
	differ, all := 0, 0
	for i := range a {
		if mask != nil && mask[i] {
			continue
		}
		all++
		if apart(a[i], b[i]) > slideBy {
			differ++
		}
	}
	return float64(differ) / float64(max(1, all))
}

// active tells which blocks move so often that they show a camera, and how many do not.
func (t tileList) active() (mask []bool, quiet int) {
	moves := make([]int, watchBlocks)
	for i := 1; i < t.len(); i++ {
		a, b := t.at(i-1), t.at(i)
		for k := range a {
			if apart(a[k], b[k]) > movedBy {
				moves[k]++
			}
		}
	}
	mask = make([]bool, watchBlocks)
	for k, n := range moves {
		if mask[k] = float64(n) > activeShare*float64(t.len()); !mask[k] {
			quiet++
		}
	}
	return mask, quiet
}

// slides returns the stretches from one slide to the next; none when the film is not one of slides.
func (t tileList) slides() (spans []vod.Span) {
	n := t.len()
	mask, quiet := t.active()
	if n < 2*settled || float64(quiet) < slideBlocks*watchBlocks {
		return nil
	}
	var starts []int
	last := []byte(nil) // the slide as it stood last
	calm, moving := 0, 0
	for i := range n {
		if i == 0 || changed(t.at(i-1), t.at(i), mask) > slideShare/4 {
			calm, moving = 0, i
			continue
		}
		if calm++; calm < settled {
			continue
		}
		if last == nil || changed(last, t.at(i), mask) >= slideShare {
			starts = append(starts, moving)
		}
		last = t.at(i)
	}
	if calmShare := t.calm(mask); len(starts) < 2 || len(starts) > mostSlides || calmShare < slidesLeast {
		return nil
	}
	starts[0] = 0
	for i, from := range starts {
		to := n
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		spans = append(spans, stretch(from, to))
	}
	return spans
}

// calm is the share of samples in which the slides' part of the picture does not change.
func (t tileList) calm(mask []bool) float64 {
	calm := 0
	for i := 1; i < t.len(); i++ {
		if changed(t.at(i-1), t.at(i), mask) <= slideShare/4 {
			calm++
		}
	}
	return float64(calm) / float64(max(1, t.len()-1))
}
