package ingest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reprise/stream/timeline"
	"reprise/vod"
)

// tape is sound made for a test: 16 bit, 8 kHz.
type tape struct {
	channels int
	samples  []byte
	random   *rand.Rand
}

const tapeRate = 8000

func newTape(channels int) *tape {
	return &tape{channels: channels, random: rand.New(rand.NewPCG(1, 2))}
}

// add writes d of left(t), right(t) in -1..1, with white noise of that peak.
func (p *tape) add(d time.Duration, noise float64, left, right func(t float64) float64) *tape {
	for i := range int(d.Seconds() * tapeRate) {
		t := float64(i) / tapeRate
		for _, f := range []func(float64) float64{left, right}[:p.channels] {
			v := f(t) + noise*(2*p.random.Float64()-1)
			p.samples = binary.LittleEndian.AppendUint16(p.samples, uint16(int16(math.Round(32767*max(-1, min(1, v))))))
		}
	}
	return p
}

// talk is a tone in syllables of 0.2 s with pauses of 0.1 s.
func talk(volume float64) func(float64) float64 {
	return func(t float64) float64 {
		if math.Mod(t, 0.3) > 0.2 {
			return 0
		}
		return volume * math.Sin(2*math.Pi*220*t)
	}
}

func hush(float64) float64 { return 0 }

func (p *tape) heard() heard {
	m := newSoundMeter(tapeRate, p.channels)
	for rest := p.samples; len(rest) > 0; { // in odd pieces, as a pipe gives them
		n := min(len(rest), 4099)
		_, _ = m.Write(rest[:n])
		rest = rest[n:]
	}
	return m.heard()
}

func near(got, want []vod.Span, within float64) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if math.Abs(got[i].From-want[i].From) > within || math.Abs(got[i].To-want[i].To) > within {
			return false
		}
	}
	return true
}

func TestSoundMeter(t *testing.T) {
	t.Parallel()
	second := time.Second
	for _, c := range []struct {
		name    string
		tape    *tape
		silent  []vod.Span
		clipped []vod.Span
		noise   [2]float64 // from, to
		balance float64
		opposed bool
	}{
		{name: "a talk", tape: newTape(1).add(20*second, 0, talk(0.3), nil), noise: [2]float64{-90, -90}},
		{name: "a talk in a room", tape: newTape(1).add(20*second, 0.003, talk(0.3), nil), noise: [2]float64{-56, -50}},
		{name: "silences at the ends", tape: newTape(2).add(4*second, 0, hush, hush).add(5*second, 0, talk(0.3), talk(0.3)).add(6*second, 0, hush, hush),
			silent: []vod.Span{{From: 0, To: 4}, {From: 8.9, To: 15}}, noise: [2]float64{-90, -90}},
		{name: "a silence full of noise", tape: newTape(1).add(5*second, 0.003, talk(0.3), nil).add(4*second, 0.003, hush, nil).add(5*second, 0.003, talk(0.3), nil),
			silent: []vod.Span{{From: 4.9, To: 9}}, noise: [2]float64{-56, -50}},
		{name: "a click in a silence", tape: newTape(1).add(5*second, 0, talk(0.3), nil).add(2*second, 0, hush, nil).add(50*time.Millisecond, 0, talk(0.5), nil).add(2*second, 0, hush, nil).add(5*second, 0, talk(0.3), nil),
			silent: []vod.Span{{From: 4.9, To: 9.05}}, noise: [2]float64{-90, -90}},
		{name: "pauses of two seconds", tape: newTape(1).add(4*second, 0, talk(0.3), nil).add(2*second, 0, hush, nil).add(4*second, 0, talk(0.3), nil), noise: [2]float64{-90, -90}},
		{name: "a constant sound", tape: newTape(1).add(10*second, 0.3, hush, nil), noise: [2]float64{-20, -10}},
		{name: "nothing at all", tape: newTape(1).add(5*second, 0, hush, nil), silent: []vod.Span{{From: 0, To: 5}}, noise: [2]float64{nothing, nothing}},
		{name: "too loud for two seconds", tape: newTape(1).add(5*second, 0, talk(0.3), nil).add(2*second, 0, talk(3), nil).add(5*second, 0, talk(0.3), nil),
			clipped: []vod.Span{{From: 5, To: 7}}, noise: [2]float64{-90, -90}},
		{name: "left louder", tape: newTape(2).add(5*second, 0, talk(0.4), talk(0.1)), balance: 12.04, noise: [2]float64{-90, -90}},
		{name: "one side the other's opposite", tape: newTape(2).add(5*second, 0, talk(0.4), func(t float64) float64 { return -talk(0.4)(t) }), opposed: true, noise: [2]float64{-90, -90}},
	} {
		h := c.tape.heard()
		if !near(h.Silent, c.silent, 0.1) {
			t.Errorf("%s: silent %v, want %v", c.name, h.Silent, c.silent)
		}
		if !near(h.Clipped, c.clipped, 0.15) {
			t.Errorf("%s: clipped %v, want %v", c.name, h.Clipped, c.clipped)
		}
		if h.Noise < c.noise[0]-0.01 || h.Noise > c.noise[1]+0.01 {
			t.Errorf("%s: noise %.1f, want %v", c.name, h.Noise, c.noise)
		}
		if math.Abs(h.Balance-c.balance) > 0.1 || h.Opposed != c.opposed {
			t.Errorf("%s: balance %.2f, opposed %v", c.name, h.Balance, h.Opposed)
		}
	}
}

// reel is a film of tiny pictures made for a test.
type reel struct {
	tiles  tileList
	random *rand.Rand
}

func newReel() *reel { return &reel{random: rand.New(rand.NewPCG(3, 4))} }

// add shows, for so many seconds, what paint makes of a picture; i counts samples.
func (r *reel) add(seconds float64, paint func(i int, tiles []byte)) *reel {
	for i := range int(seconds * watchRate) {
		tiles := make([]byte, watchBlocks)
		paint(i, tiles)
		r.tiles = append(r.tiles, tiles...)
	}
	return r
}

// slide is a still picture with a background and text by number.
func slide(number byte) func(int, []byte) {
	return func(_ int, tiles []byte) {
		random := rand.New(rand.NewPCG(uint64(number), 5))
		for i := range tiles {
			tiles[i] = 230
			if y := i / watchWidth; y > 2 && y < 14 && i%watchWidth > 3 && i%watchWidth < 26 {
				tiles[i] = byte(150 + random.IntN(60))
			}
		}
	}
}

// person moves in the lower half.
func (r *reel) person(_ int, tiles []byte) {
	for k := range tiles {
		tiles[k] = 90
		if k > watchBlocks/2 {
			tiles[k] = byte(100 + r.random.IntN(14))
		}
	}
}

// corner adds a person in the corner of something.
func (r *reel) corner(under func(int, []byte)) func(int, []byte) {
	return func(i int, tiles []byte) {
		under(i, tiles)
		for y := watchHeight - 5; y < watchHeight; y++ {
			for x := watchWidth - 7; x < watchWidth; x++ {
				tiles[y*watchWidth+x] = byte(80 + r.random.IntN(60))
			}
		}
	}
}

// pointer adds a mouse that wanders over something.
func pointer(under func(int, []byte)) func(int, []byte) {
	return func(i int, tiles []byte) {
		under(i, tiles)
		tiles[(i*5)%watchBlocks] = 40
	}
}

func plain(level byte) func(int, []byte) {
	return func(_ int, tiles []byte) {
		for i := range tiles {
			tiles[i] = level
		}
	}
}

func TestPictureWatch(t *testing.T) {
	t.Parallel()
	frozen := func(seconds float64) *reel {
		r := newReel()
		r.add(30, r.person)
		last := append([]byte(nil), r.tiles.at(r.tiles.len()-1)...)
		return r.add(seconds, func(_ int, tiles []byte) { copy(tiles, last) })
	}
	r := newReel()
	for _, c := range []struct {
		name                         string
		reel                         *reel
		black, still, frozen, slides []vod.Span
	}{
		{name: "slides", reel: newReel().add(10, slide(1)).add(20, slide(2)).add(10, slide(3)),
			still: []vod.Span{{From: 0, To: 10}, {From: 10, To: 30}, {From: 30, To: 40}}, slides: []vod.Span{{From: 0, To: 10}, {From: 10, To: 30}, {From: 30, To: 40}}},
		{name: "slides under a pointer", reel: newReel().add(10, pointer(slide(1))).add(20, pointer(slide(2))), slides: []vod.Span{{From: 0, To: 10}, {From: 10, To: 30}}},
		{name: "slides beside a person", reel: newReel().add(10, r.corner(slide(1))).add(20, r.corner(slide(2))), slides: []vod.Span{{From: 0, To: 10}, {From: 10, To: 30}}},
		{name: "a person", reel: newReel().add(40, r.person)},
		{name: "a camera that stops", reel: frozen(30), still: []vod.Span{{From: 29.8, To: 60}}, frozen: []vod.Span{{From: 29.8, To: 60}}},
		{name: "a person who stands still for a moment", reel: frozen(10), still: []vod.Span{{From: 29.8, To: 40}}},
		{name: "a slide after a person", reel: newReel().add(30, r.person).add(30, slide(7)), still: []vod.Span{{From: 30, To: 60}}, slides: []vod.Span{{From: 0, To: 30}, {From: 30, To: 60}}},
		{name: "black in the middle", reel: newReel().add(8, r.person).add(5, plain(16)).add(8, r.person),
			black: []vod.Span{{From: 8, To: 13}}, still: []vod.Span{{From: 8, To: 13}}, slides: []vod.Span{{From: 0, To: 8}, {From: 8, To: 13}, {From: 13, To: 21}}},
		{name: "a fade", reel: newReel().add(8, r.person).add(1, plain(16)).add(8, r.person)},
		{name: "dark, not black", reel: newReel().add(5, r.person).add(5, func(_ int, tiles []byte) { plain(16)(0, tiles); tiles[200] = 60 }).add(5, r.person),
			still: []vod.Span{{From: 5, To: 10}}, slides: []vod.Span{{From: 0, To: 5}, {From: 5, To: 10}, {From: 10, To: 15}}},
	} {
		w := newPictureWatch(&VideoTrack{Width: 320, Height: 180}, 25, timeline.TicksOf(time.Minute))
		for _, piece := range [][]byte{c.reel.tiles[:1000], c.reel.tiles[1000:]} {
			_, _ = w.sinks()[0].Write(piece)
		}
		if want := time.Duration(c.reel.tiles.len()) * time.Second / watchRate; w.now() != want {
			t.Errorf("%s: %v were watched, not %v", c.name, w.now(), want)
		}
		s := w.see(time.Hour)
		for what, pair := range map[string][2][]vod.Span{"black": {s.Black, c.black}, "still": {s.Still, c.still}, "frozen": {s.Frozen, c.frozen}, "slides": {s.Slides, c.slides}} {
			if !near(pair[0], pair[1], 0.25) {
				t.Errorf("%s: %s is %v, want %v", c.name, what, pair[0], pair[1])
			}
		}
	}
}

// drawn is a slide of text of that size, in lines of 1080, drawn at one height and shown at another.
func drawn(t *testing.T, size float64, drawnAt, shownAt int) writing {
	t.Helper()
	dir := t.TempDir()
	text := strings.Repeat("La reprise d’un spectacle demande des outils adaptés\n", 10)
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	font := size * float64(drawnAt) / 1080
	filter := "drawtext=font=DejaVu Sans:textfile=text:fontsize=" + decimal(font).en + ":line_spacing=" + decimal(font/2).en + ":x=h/20:y=h/20:fontcolor=0x202020" +
		",scale=-2:" + decimal(float64(shownAt)).en + ":flags=bicubic,format=gray"
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=white:s="+decimal(float64(drawnAt*16/9)).en+"x"+decimal(float64(drawnAt)).en+":d=0.04:r=25",
		"-vf", filter, "-frames:v", "1", "-f", "rawvideo", "-")
	cmd.Dir = dir
	picture, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return readText(picture, len(picture)/shownAt, shownAt)
}

func TestTextIsMeasured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size             float64
		drawnAt, shownAt int
		blurred          bool
		letter           float64 // of 1080
	}{
		{size: 40, drawnAt: 1080, shownAt: 1080, letter: 22}, {size: 40, drawnAt: 720, shownAt: 720, letter: 22}, {size: 40, drawnAt: 360, shownAt: 360, letter: 22},
		{size: 40, drawnAt: 360, shownAt: 1080, blurred: true, letter: 24}, {size: 60, drawnAt: 360, shownAt: 720, blurred: true, letter: 34},
		{size: 40, drawnAt: 1080, shownAt: 720, letter: 22}, {size: 14, drawnAt: 1080, shownAt: 1080, letter: 8}, {size: 24, drawnAt: 720, shownAt: 720, letter: 13},
	} {
		w := drawn(t, c.size, c.drawnAt, c.shownAt)
		letter := w.letter * 1080 / float64(c.shownAt)
		if (w.edge >= blurredEdge) != c.blurred || math.Abs(letter-c.letter) > 2.5 {
			t.Errorf("text of %v drawn at %d, shown at %d: edge %.2f, letters of %.1f", c.size, c.drawnAt, c.shownAt, w.edge, letter)
		}
	}
}

func TestSoundClock(t *testing.T) {
	t.Parallel()
	aac := &AudioTrack{Track: Track{Codec: "aac"}, SampleRate: 48000, Channels: 2}
	packet := 1024 * time.Second / 48000
	run := func(n int, at func(i int) time.Duration) *soundClock {
		c := newSoundClock(aac)
		for i := range n {
			c.add(at(i), packet, 300)
		}
		return c
	}
	steady := run(3000, func(i int) time.Duration { return time.Second + (time.Duration(i) * packet).Round(time.Millisecond) })
	if steady.drift().Abs() > time.Millisecond || len(steady.gaps) > 0 {
		t.Errorf("a steady track drifts by %v with gaps %v", steady.drift(), steady.gaps)
	}
	slow := run(3000, func(i int) time.Duration { return time.Duration(float64(time.Duration(i)*packet) * 1.003) })
	if d := slow.drift() - 192*time.Millisecond; d.Abs() > 2*time.Millisecond {
		t.Errorf("a track of 64 s that is 0.3 %% slow drifts by %v", slow.drift())
	}
	holed := run(3000, func(i int) time.Duration {
		if i >= 1000 {
			return time.Duration(i)*packet + 2*time.Second
		}
		return time.Duration(i) * packet
	})
	if !near(holed.gaps, []vod.Span{{From: 21.333, To: 23.333}}, 0.03) || holed.drift().Abs() > time.Millisecond {
		t.Errorf("gaps are %v, drift %v", holed.gaps, holed.drift())
	}
	wrong := run(3000, func(i int) time.Duration { return 2 * time.Duration(i) * packet })
	if wrong.drift() != 0 {
		t.Errorf("packets of another length are taken for a drift of %v", wrong.drift())
	}
	a := &AudioTrack{Track: Track{packets: packets{First: 100 * time.Millisecond, End: 64 * time.Second, clock: slow}}}
	got := offsets(&VideoTrack{}, a)
	if len(got) != 3 || got[0].Offset != 0.1 || math.Abs(got[1].Offset-0.196) > 0.02 || math.Abs(got[2].Offset-0.292) > 0.002 {
		t.Errorf("offsets are %v", got)
	}
}

// TestBlindsAreNoText: slanted stripes, blurred, as of blinds and shirts before a camera.
func TestBlindsAreNoText(t *testing.T) {
	t.Parallel()
	const width, height = 1280, 720
	picture := make([]byte, width*height)
	for y := range height {
		for x := range width {
			wave := math.Sin(float64(x)/6 + float64(y)/40)
			if x > width/3 {
				wave = 0
			}
			picture[y*width+x] = byte(128 + 90*wave)
		}
	}
	if w := readText(picture, width, height); w.edge != 0 {
		t.Errorf("blinds are read as letters of %v with edges of %.2f", w.letter, w.edge)
	}
}
