package cmaf

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// grids are the two families of the product: 25 fps and 30 fps.
var grids = []struct {
	name    string
	film    film
	nominal int64
}{
	{"25 fps, B-frames", film{rate: 25, frames: 96*3 + 40, gop: 48, bframes: 3}, 184320},
	{"30 fps, no B-frames", film{rate: 30, frames: 128*2 + 16, gop: 64}, 204800},
	{"50 fps", film{rate: 50, frames: 192 + 96, gop: 96, bframes: 2}, 184320},
	{"30 fps, moov first", film{rate: 30, frames: 128 + 64, gop: 64, bframes: 2, muxer: []string{"-movflags", "+faststart"}}, 204800},
	{"25 fps, fragmented", film{rate: 25, frames: 96 * 2, gop: 48, bframes: 2, muxer: []string{"-movflags", "+frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets"}}, 184320},
	{"QuickTime", film{rate: 25, frames: 96 + 48, gop: 48, bframes: 2, name: "film.mov"}, 184320},
}

// TestR150_R163_Package checks R150 to R163 and R182 on the bytes of real media, and
// R139: the same number of segments over the same interval in sound and picture.
func TestR150_R163_Package(t *testing.T) {
	t.Parallel()
	for _, g := range grids {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			m := inspect(t, g.film.make(t))
			video, audio := pack(t, m, Plan{Nominal: g.nominal, Language: "fr"})
			clean(t, CheckIndex(video.object, video.Index))
			clean(t, CheckIndex(audio.object, audio.Index))
			length := int64(g.film.frames) * TimeScale / int64(g.film.rate)
			count, last := Grid(length, g.nominal)
			if video.Length != length || len(video.Segments) != count || len(audio.Segments) != count {
				t.Fatalf("%d ticks in %d and %d segments, want %d in %d", video.Length, len(video.Segments), len(audio.Segments), length, count)
			}
			for i := range count {
				want := g.nominal
				if i == count-1 {
					want = last
				}
				if v, a := video.Segments[i].Duration, audio.Segments[i].Duration; v != want || a != want {
					t.Errorf("R139 segment %d: %d and %d ticks, want %d", i, v, a, want)
				}
			}
			if audio.Segments[0].IFrame != 0 || video.Frame != TimeScale/int64(g.film.rate) {
				t.Errorf("index: audio I-frame %d, frame %d", audio.Segments[0].IFrame, video.Frame)
			}
		})
	}
}

// TestR162_EachSegmentDecodesAlone decodes every segment after its init, alone.
func TestR162_EachSegmentDecodesAlone(t *testing.T) {
	t.Parallel()
	m := inspect(t, film{rate: 25, frames: 96*2 + 48, gop: 48, bframes: 3}.make(t))
	video, audio := pack(t, m, Plan{Nominal: 184320})
	for _, p := range []packed{video, audio} {
		for i := range p.Segments {
			messages, frames := decode(t, slices.Concat(p.init(), p.segment(i)))
			want := int(p.Segments[i].Duration / p.Frame)
			if p.Kind == Audio && i == 0 {
				want++ // priming
			}
			if messages != "" || frames != want {
				t.Errorf("%s segment %d: %d frames, want %d; %s", p.Kind, i, frames, want, messages)
			}
		}
		messages, _ := decode(t, p.object)
		if messages != "" {
			t.Errorf("%s whole: %s", p.Kind, messages)
		}
	}
}

// TestR182_IFrameRangeDecodes cuts the I-frame byte range off and decodes it.
func TestR182_IFrameRangeDecodes(t *testing.T) {
	t.Parallel()
	m := inspect(t, film{rate: 25, frames: 96, gop: 48, bframes: 2, audio: "none"}.make(t))
	var out bytes.Buffer
	index, err := Package(t.Context(), m, 0, Plan{Nominal: 184320}, &out)
	if err != nil {
		t.Fatal(err)
	}
	s := index.Segments[0]
	whole := out.Bytes()
	_, frames := decode(t, slices.Concat(whole[:index.InitSize], whole[s.Offset:s.Offset+s.IFrame]))
	if frames != 1 {
		t.Errorf("%d frames in the I-frame range", frames)
	}
}

// TestPackageKeepsMedia compares the decoded pictures of source and package.
func TestPackageKeepsMedia(t *testing.T) {
	t.Parallel()
	path := film{rate: 30, frames: 128 + 64, gop: 64, bframes: 2}.make(t)
	m := inspect(t, path)
	video, audio := pack(t, m, Plan{Nominal: 204800})
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The samples, in order, are the same bytes.
	for _, p := range []packed{video, audio} {
		all := m.open(m.Tracks[m.trackOf(t, p.Kind)])
		var s sample
		var want, got []byte
		for all.next(&s) == nil {
			want = append(want, source[s.off:s.off+s.size]...)
		}
		for i := range p.Segments {
			got = append(got, find(p.segment(i), "mdat")...)
		}
		if !bytes.HasPrefix(want, got) || p.Kind == Video && len(want) != len(got) {
			t.Errorf("%s: %d bytes of samples, source has %d", p.Kind, len(got), len(want))
		}
	}
}

// TestR158_Priming: the frame of priming that ffmpeg's edit list hides is kept
// before the base.
func TestR158_Priming(t *testing.T) {
	t.Parallel()
	m := inspect(t, film{rate: 25, frames: 96, gop: 48}.make(t))
	_, audio := pack(t, m, Plan{Nominal: 184320})
	_, decode, _, ok := readSegment(nil, audio.segment(0))
	if !ok || decode != MediaTimeBase-1024 {
		t.Errorf("audio starts at %d (%v)", decode, ok)
	}
	var out bytes.Buffer
	if _, err := Package(t.Context(), m, m.trackOf(t, Audio), Plan{Nominal: 184320, Length: 184320}, &out); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), audio.object) {
		t.Error("the zero plan does not follow the edit list")
	}
	var gridErr *GridError
	_, err := Package(t.Context(), m, m.trackOf(t, Audio), Plan{Nominal: 184320, Length: 184320, Priming: 100}, io.Discard)
	if !errors.As(err, &gridErr) {
		t.Errorf("priming of 100 samples: %v", err)
	}
}

// TestCommonEnd: sound longer than the picture is cut, a missing frame is made,
// more is refused (R135).
func TestCommonEnd(t *testing.T) {
	t.Parallel()
	m := inspect(t, film{rate: 25, frames: 96 + 48, gop: 48, overhang: 1.5}.make(t))
	video, audio := pack(t, m, Plan{Nominal: 184320})
	clean(t, CheckIndex(video.object, video.Index))
	clean(t, CheckIndex(audio.object, audio.Index))

	n := m.trackOf(t, Audio)
	have := (m.Tracks[n].Samples - 1) * 1024 // without priming
	for _, c := range []struct {
		length int64
		want   error
	}{{have, nil}, {have + 1, nil}, {have + 1024, nil}, {have + 1025, ErrShort}, {have - 500, nil}} {
		var out bytes.Buffer
		index, err := Package(t.Context(), m, n, Plan{Nominal: 184320, Length: c.length, Priming: -1}, &out)
		if !errors.Is(err, c.want) {
			t.Errorf("length %+d: %v, want %v", c.length-have, err, c.want)
			continue
		}
		if err == nil {
			clean(t, CheckIndex(out.Bytes(), index))
			if messages, _ := decode(t, out.Bytes()); messages != "" {
				t.Errorf("length %+d: %s", c.length-have, messages)
			}
		}
	}
}

// TestMergeShortLast: a remainder under 0.64 s joins the segment before (R061).
func TestMergeShortLast(t *testing.T) {
	t.Parallel()
	m := inspect(t, film{rate: 25, frames: 96*2 + 8, gop: 48, bframes: 2}.make(t))
	video, audio := pack(t, m, Plan{Nominal: 184320})
	clean(t, CheckIndex(video.object, video.Index))
	clean(t, CheckIndex(audio.object, audio.Index))
	if n := len(video.Segments); n != 2 || video.Segments[1].Duration != 184320+15360 {
		t.Errorf("%d segments, the last of %d ticks", n, video.Segments[n-1].Duration)
	}
}

// TestR152_Grid: segments of any recording add up exactly, and only one that is
// alone is shorter than 0.64 s.
func TestR152_Grid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		nominal := rapid.SampledFrom([]int64{184320, 204800, 1}).Draw(t, "nominal")
		length := rapid.Int64Range(1, 1<<40).Draw(t, "length")
		count, last := Grid(length, nominal)
		if int64(count-1)*nominal+last != length {
			t.Fatalf("%d segments, last %d", count, last)
		}
		if last < min(MinLast, nominal) && count > 1 || last >= nominal+MinLast {
			t.Fatalf("last %d", last)
		}
	})
}

// TestR153_OffGrid: what is no IDR at a boundary is a GridError that says when.
func TestR153_OffGrid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		film    film
		nominal int64
		at      time.Duration
	}{
		{"GOP of 50", film{rate: 25, frames: 200, gop: 50, audio: "none"}, 184320, 3840 * time.Millisecond},
		{"open GOP", film{rate: 25, frames: 192, gop: 48, bframes: 2, audio: "none", muxer: []string{"-x264-params", "open-gop=1"}}, 184320, 3840 * time.Millisecond},
		{"intra refresh", film{rate: 25, frames: 192, gop: 48, audio: "none", muxer: []string{"-x264-params", "intra-refresh=1"}}, 184320, 3840 * time.Millisecond},
		{"29.97 fps", film{rate: 30, frames: 160, gop: 64, audio: "none", muxer: []string{"-r", "30000/1001"}}, 204800, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := inspect(t, c.film.make(t))
			plan := Plan{Nominal: c.nominal}
			_, err := Package(t.Context(), m, 0, plan, io.Discard)
			var off *GridError
			if !errors.As(err, &off) || !errors.Is(err, ErrGrid) || off.At.Round(100*time.Millisecond) != c.at.Round(100*time.Millisecond) {
				t.Errorf("got %v, want a GridError at %v", err, c.at)
			}
			if fits := m.Fits(t.Context(), []Job{{Plan: plan}}); fits == nil || !errors.Is(err, ErrGrid) {
				t.Errorf("Fits: %v", fits)
			}
		})
	}
}

// TestRefusals: what cannot be packaged says why.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		film film
		kind Kind
		want error
	}{
		{"44.1 kHz", film{rate: 25, frames: 48, gop: 48, audio: "-c:a aac -ar 44100"}, Audio, ErrCodec},
		{"MP3", film{rate: 25, frames: 48, gop: 48, audio: "-c:a libmp3lame"}, Audio, ErrCodec},
		{"PCM", film{rate: 25, frames: 48, gop: 48, audio: "-c:a pcm_s16le", name: "x.mov"}, Audio, ErrCodec},
		{"late sound", film{rate: 25, frames: 48, gop: 48, audio: "-c:a aac -af asetpts=PTS+0.7/TB"}, Audio, ErrEdit},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := inspect(t, c.film.make(t))
			_, err := Package(t.Context(), m, m.trackOf(t, c.kind), Plan{Nominal: 184320, Length: 92160, Priming: -1}, io.Discard)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	m := inspect(t, film{rate: 25, frames: 48, gop: 48}.make(t))
	for _, plan := range []Plan{{}, {Nominal: -1}, {Nominal: 184320, Length: -5}} {
		if _, err := Package(t.Context(), m, 0, plan, io.Discard); !errors.Is(err, ErrPlan) {
			t.Errorf("%+v: %v", plan, err)
		}
	}
	if _, err := Package(t.Context(), m, 7, Plan{Nominal: 184320}, io.Discard); !errors.Is(err, ErrPlan) {
		t.Errorf("track 7: %v", err)
	}
}

// TestR163_ParameterSets: the same sets inside pictures are let through, others
// are not.
func TestR163_ParameterSets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	part := func(name, crf string, size string) string {
		path := filepath.Join(dir, name)
		ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s="+size+":r=25:d=3.84", "-c:v", "libx264", "-preset", "ultrafast",
			"-bf", "0", "-g", "48", "-sc_threshold", "0", "-crf", crf, "-f", "h264", path)
		return path
	}
	a, b := part("a.h264", "20", "128x72"), part("b.h264", "20", "192x108")
	join := func(name string, parts ...string) string {
		var all []byte
		for _, p := range parts {
			data, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, data...)
		}
		raw := filepath.Join(dir, name+".h264")
		if err := os.WriteFile(raw, all, 0o600); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".mp4")
		ffmpeg(t, "-r", "25", "-f", "h264", "-i", raw, "-c", "copy", path)
		return path
	}
	for _, c := range []struct {
		path string
		want error
	}{{join("same", a, a), nil}, {join("other", a, b), ErrParameterSets}} {
		m := inspect(t, c.path)
		var out bytes.Buffer
		index, err := Package(t.Context(), m, 0, Plan{Nominal: 184320}, &out)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", filepath.Base(c.path), err, c.want)
		}
		if err := m.Fits(t.Context(), []Job{{Plan: Plan{Nominal: 184320}}}); !errors.Is(err, c.want) {
			t.Errorf("%s: Fits: %v, want %v", filepath.Base(c.path), err, c.want)
		}
		if err == nil {
			clean(t, CheckIndex(out.Bytes(), index))
		}
	}
}

// TestCheckFindsFaults breaks good bytes: the checker must not be blind.
func TestCheckFindsFaults(t *testing.T) {
	t.Parallel()
	m := inspect(t, film{rate: 25, frames: 192, gop: 48, bframes: 2}.make(t))
	video, _ := pack(t, m, Plan{Nominal: 184320})
	at := func(p []byte, typ string) int { return bytes.Index(p, []byte(typ)) }
	for _, c := range []struct {
		rule  string
		wreck func(init, first, second []byte) ([]byte, []byte, []byte)
	}{
		{"R150", func(i, a, b []byte) ([]byte, []byte, []byte) { i[at(i, "mvhd")+4+19] = 9; return i, a, b }},
		{"R150", func(i, a, b []byte) ([]byte, []byte, []byte) {
			copy(i[8:], "isom")
			copy(i[16:], "isom")
			return i, a, b
		}},
		{"R151", func(i, a, b []byte) ([]byte, []byte, []byte) { a[at(a, "tfhd")+5] &^= 2; return i, a, b }},
		{"R152", func(i, a, b []byte) ([]byte, []byte, []byte) { b[at(b, "tfdt")+15]++; return i, a, b }},
		{"R153", func(i, a, b []byte) ([]byte, []byte, []byte) { b[at(b, "mdat")+8] = 1; return i, a, b }},
		{"R156", func(i, a, b []byte) ([]byte, []byte, []byte) { return i, append(a, b...), b }},
		{"R158", func(i, a, b []byte) ([]byte, []byte, []byte) { a[at(a, "tfdt")+15]++; return i, a, b }},
		{"R159", func(i, a, b []byte) ([]byte, []byte, []byte) { a[at(a, "trun")+4] = 0; return i, a, b }},
	} {
		init, a, b := c.wreck(bytes.Clone(video.init()), bytes.Clone(video.segment(0)), bytes.Clone(video.segment(1)))
		errs := Check(init, a, b)
		if !slices.ContainsFunc(errs, func(err error) bool { return strings.Contains(err.Error(), c.rule) }) {
			t.Errorf("%s: not found in %v", c.rule, errs)
		}
	}
}
