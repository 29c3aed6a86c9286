package ingest

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// pattern is the test film of the table of odd files: a picture that is dark
// but for flashes, and a sound that is silent but for beeps of 1 kHz at the same
// instants, one a second or so.
type pattern struct {
	rate   string  // frames a second, as ffmpeg writes it: 25, 30000/1001
	size   string  // WxH
	length float64 // seconds
	every  int     // frames from flash to flash; 0: a second's worth
}

// The plain pattern: two segments at 25 frames a second, small enough to have one rung.
var plainPattern = pattern{rate: "25", size: "320x180", length: 4.6}

func (p pattern) with(change func(*pattern)) pattern {
	change(&p)
	return p
}

func patternAt(rate string) pattern {
	return plainPattern.with(func(p *pattern) { p.rate = rate })
}

func patternOf(size string) pattern {
	return plainPattern.with(func(p *pattern) { p.size = size })
}

func (p pattern) float() float64 {
	num, den, ok := strings.Cut(p.rate, "/")
	if !ok {
		den = "1"
	}
	n, _ := strconv.ParseFloat(num, 64)
	d, _ := strconv.ParseFloat(den, 64)
	return n / d
}

// frames are the frames from flash to flash, and those of a flash.
func (p pattern) frames() (every, lit int) {
	every = p.every
	if every == 0 {
		every = int(math.Round(p.float()))
	}
	return every, max(1, every/5)
}

// flashes are the instants at which flash and beep begin.
func (p pattern) flashes() (at []float64) {
	every, lit := p.frames()
	for n := every; float64(n+lit) <= p.length*p.float()+0.01; n += every {
		at = append(at, float64(n)/p.float())
	}
	return at
}

// picture is the source of ffmpeg that draws the flashes, over a ramp that gives the sharpness meter nothing to say.
func (p pattern) picture() string {
	every, lit := p.frames()
	return fmt.Sprintf("color=c=0x303840:s=%s:r=%s:d=%g,drawbox=c=white:t=fill:enable='gte(n,%d)*lt(mod(n,%d),%d)'", p.size, p.rate, p.length, every, every, lit)
}

// sound is the source of ffmpeg that makes the beeps, so many times a second.
func (p pattern) sound() string {
	every, lit := p.frames()
	period, on := float64(every)/p.float(), float64(lit)/p.float()
	return fmt.Sprintf("aevalsrc='0.3*sin(2*PI*1000*t)*gte(t+1e-6,%.9f)*lt(mod(t+1e-6,%.9f),%.9f)':s=48000:d=%g", period, period, on, p.length)
}

// inputs are both, as ffmpeg's inputs 0 and 1.
func (p pattern) inputs() []string {
	return []string{"-f", "lavfi", "-i", p.picture(), "-f", "lavfi", "-i", p.sound()}
}

// Ways of encoding that most rows share.
var (
	asH264 = []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"}
	asAAC  = []string{"-c:a", "aac", "-ac", "2"}
	asFLAC = []string{"-c:a", "flac", "-strict", "-2", "-ac", "2"}
	french = []string{"-metadata:s:a:0", "language=fra"}
)

// maker makes a file in a folder and returns its path.
type maker func(t *testing.T, dir string) string

// encode makes a film of the pattern. Options of the encoder that are not given are H.264 and stereo AAC, in French.
func (p pattern) encode(file string, options ...string) maker {
	return func(t *testing.T, dir string) string {
		return makeFilm(t, filepath.Join(dir, file), append(p.inputs(), withDefaults(options)...)...)
	}
}

func withDefaults(options []string) []string {
	var args []string
	said := " " + strings.Join(options, " ") + " "
	if !strings.Contains(said, " -c:v ") && !strings.Contains(said, " -vn ") {
		args = append(args, asH264...)
	}
	if !strings.Contains(said, " -c:a ") && !strings.Contains(said, " -an ") {
		args = append(args, asAAC...)
	}
	if !strings.Contains(said, "language=") && !strings.Contains(said, " -an ") {
		args = append(args, french...)
	}
	return append(args, options...)
}

// remux makes another file of one, without encoding. Options come after the input; those before it are in before.
func remux(from maker, file string, before []string, options ...string) maker {
	return func(t *testing.T, dir string) string {
		args := append(append([]string{}, before...), "-i", from(t, dir))
		return makeFilm(t, filepath.Join(dir, file), append(append(args, "-map", "0", "-c", "copy"), options...)...)
	}
}

// change changes the bytes of a film.
func change(from maker, how func([]byte) []byte) maker {
	return func(t *testing.T, dir string) string {
		path := from(t, dir)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, how(data), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

// surgery changes the boxes of moov, which lies at the end: the media stays where it is.
func surgery(from maker, how func(moov *atom)) maker {
	return change(from, func(b []byte) []byte {
		file := readAtoms(b)
		how(file.child("moov"))
		return file.bytes()
	})
}

// once makes a film at its first use and copies it at the others: many rows are one film, spoiled in different ways.
func once(from maker) maker {
	var first sync.Once
	var data []byte
	var name string
	return func(t *testing.T, dir string) string {
		first.Do(func() {
			path := from(t, t.TempDir())
			var err error
			if data, err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
			name = filepath.Base(path)
		})
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

// joined puts files of the same streams one after the other, byte by byte.
func joined(file string, parts ...maker) maker {
	return func(t *testing.T, dir string) string {
		var all []byte
		for _, part := range parts {
			data, err := os.ReadFile(part(t, dir))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, data...)
		}
		return bytesOf(file, all)(t, dir)
	}
}

// flags joins lists of options.
func flags(lists ...[]string) (all []string) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
