package cmaf

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const slateNominal = 184320

// slate makes the templates of a slate: 112 frames, IDRs at 0, 48 and 96, no
// B-frames, and silence.
func slate(t testing.TB) (video, audio packed) {
	t.Helper()
	m := inspect(t, film{rate: 25, frames: 112, gop: 48, audio: "-c:a aac -ac 2 -af volume=0"}.make(t))
	video, audio = pack(t, m, Plan{Nominal: 112 * 1920})
	if len(video.Segments) != 1 || len(audio.Segments) != 1 {
		t.Fatalf("templates of %d and %d segments", len(video.Segments), len(audio.Segments))
	}
	return video, audio
}

func retime(t testing.TB, p packed, index int, length int64) []byte {
	t.Helper()
	s, err := Retime(nil, p.init(), p.segment(0), index, slateNominal, length)
	if err != nil {
		t.Fatalf("Retime(%s, %d, %d): %v", p.Kind, index, length, err)
	}
	return s
}

// TestR150_R163_Retime: a slate of several segments obeys R150 to R163 like any
// other recording, and each segment decodes alone (R162).
func TestR150_R163_Retime(t *testing.T) {
	t.Parallel()
	video, audio := slate(t)
	for _, last := range []int64{slateNominal, 184320 + 30719, 30720, 100000, 12345, 1000, 1} {
		for _, p := range []packed{video, audio} {
			segments := [][]byte{}
			for i := range 4 {
				length := int64(slateNominal)
				if i == 3 {
					length = last
				}
				segments = append(segments, retime(t, p, i, length))
			}
			clean(t, Check(p.init(), segments...))
			for i, s := range segments[2:] {
				if messages, frames := decode(t, slices.Concat(p.init(), s)); messages != "" || frames == 0 {
					t.Errorf("%s last %d segment %d: %d frames, %s", p.Kind, last, i+2, frames, messages)
				}
			}
		}
	}
}

// TestR152_RetimeAddsUp: for any length, index and nominal length the samples of
// a segment last exactly as long as asked, and tfdt is where it belongs.
func TestR152_RetimeAddsUp(t *testing.T) {
	t.Parallel()
	video, audio := slate(t)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]packed{video, audio}).Draw(t, "template")
		index := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 1<<31-2)).Draw(t, "index")
		length := rapid.Int64Range(1, 112*1920).Draw(t, "length")
		s, err := Retime(nil, p.init(), p.segment(0), index, slateNominal, length)
		if err != nil {
			t.Fatal(err)
		}
		list, decode, data, ok := readSegment(nil, s)
		if !ok {
			t.Fatal("unreadable")
		}
		start, total, size := MediaTimeBase+int64(index)*slateNominal, int64(0), 0
		for _, x := range list {
			total += int64(x.dur)
			size += int(x.size)
			if x.dur == 0 {
				t.Fatal("a sample of no length")
			}
		}
		if index == 0 && p.Kind == Audio {
			start -= 1024
			total -= 1024
		}
		if decode != start || total != length || size != len(data) {
			t.Fatalf("at %d for %d ticks, want %d for %d; %d of %d bytes", decode, total, start, length, size, len(data))
		}
	})
}

// TestRetimeRefuses: what is no template is an error, never a panic.
func TestRetimeRefuses(t *testing.T) {
	t.Parallel()
	video, _ := slate(t)
	init, template := video.init(), video.segment(0)
	m := inspect(t, film{rate: 25, frames: 96, gop: 48, bframes: 2, audio: "none"}.make(t))
	var out bytes.Buffer
	index, err := Package(t.Context(), m, 0, Plan{Nominal: slateNominal}, &out)
	if err != nil {
		t.Fatal(err)
	}
	reordered := out.Bytes()[index.InitSize:]
	for _, c := range []struct {
		name            string
		init, template  []byte
		index           int
		nominal, length int64
		want            error
	}{
		{"B-frames", init, reordered, 0, slateNominal, 1000, ErrTemplate},
		{"too long", init, template, 1, slateNominal, 113 * 1920, ErrTemplate},
		{"nothing", init, nil, 1, slateNominal, 1000, ErrTemplate},
		{"cut off", init, template[:len(template)/2], 1, slateNominal, 1000, ErrTemplate},
		{"no init", nil, template, 1, slateNominal, 1000, ErrTemplate},
		{"no length", init, template, 1, slateNominal, 0, ErrPlan},
		{"negative", init, template, -1, slateNominal, 1000, ErrPlan},
	} {
		if _, err := Retime(nil, c.init, c.template, c.index, c.nominal, c.length); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestRetimeAllocates: one allocation with a nil dst, none with room.
func TestRetimeAllocates(t *testing.T) {
	video, _ := slate(t)
	init, template := video.init(), video.segment(0)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Retime(nil, init, template, 7, slateNominal, slateNominal); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
	dst := make([]byte, 0, len(template)+1000)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Retime(dst, init, template, 7, slateNominal, slateNominal); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations with room", n)
	}
}

func FuzzRetime(f *testing.F) {
	video, audio := slate(f)
	f.Add(video.init(), video.segment(0), 3, int64(1000))
	f.Add(audio.init(), audio.segment(0), 0, int64(184320))
	f.Fuzz(func(t *testing.T, init, template []byte, index int, length int64) {
		s, err := Retime(nil, init, template, index, slateNominal, length)
		if err == nil && len(s) > len(template)+10000 {
			t.Errorf("%d bytes from %d", len(s), len(template))
		}
	})
}
