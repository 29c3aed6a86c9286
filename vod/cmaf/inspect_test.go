package cmaf

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// TestInspectSamples: what other projects' odd files hold.
func TestInspectSamples(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		track Track
		fault error
	}{
		"exo_sample_ac4.mp4":         {Track{Kind: Audio, FourCC: "ac-4", Codec: "ac-4", SampleRate: 48000, Channels: 2, Samples: 19}, nil},
		"exo_sample_opus.mp4":        {Track{Kind: Audio, FourCC: "Opus", Codec: "Opus", SampleRate: 48000, Channels: 2, Samples: 146}, nil},
		"moz_xhe_aac.mp4":            {Track{Kind: Audio, FourCC: "mp4a", Codec: "mp4a.40.42", SampleRate: 44100, Channels: 1, Samples: 130}, nil},
		"moz_rotation90.mp4":         {Track{Kind: Video, FourCC: "avc1", Codec: "avc1.64000a", Width: 100, Height: 60, Rotation: 90, Samples: 1, PixelAspect: [2]uint32{1, 1}}, nil},
		"moz_sar_16_9.mp4":           {Track{Kind: Video, FourCC: "avc1", Codec: "avc1.64001e", Width: 640, Height: 480, Samples: 1, PixelAspect: [2]uint32{16, 9}}, nil},
		"moz_chunk_out_of_range.mp4": {Track{Kind: Video, FourCC: "avc1", Codec: "avc1.42e015", Width: 176, Height: 144, Samples: 17, PixelAspect: [2]uint32{1, 1}}, ErrTables},
		"moz_test_case_1185230.mp4":  {Track{Kind: Video, FourCC: "avc1", Codec: "avc1.64000d", Width: 320, Height: 240, Samples: 10, PixelAspect: [2]uint32{1, 1}}, ErrSampleRange},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := inspect(t, filepath.Join("testdata", "samples", name))
			got := *m.Tracks[0]
			got = Track{
				Kind: got.Kind, FourCC: got.FourCC, Codec: got.Codec, SampleRate: got.SampleRate, Channels: got.Channels,
				Samples: got.Samples, Width: got.Width, Height: got.Height, Rotation: got.Rotation, PixelAspect: got.PixelAspect,
			}
			if want.track.Kind == Audio {
				got.PixelAspect = [2]uint32{}
			}
			if diff := cmp.Diff(want.track, got, cmpopts.IgnoreUnexported(Track{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if want.fault != nil && !m.Has(want.fault) || want.fault == nil && len(m.Faults) > 0 {
				t.Errorf("faults %v, want %v", m.Faults, want.fault)
			}
		})
	}
}

// TestInspectFFmpeg: files made by ffmpeg, one property each.
func TestInspectFFmpeg(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	chapters := filepath.Join(dir, "chapters.txt")
	meta := ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=Entrée\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=Suite\n"
	if err := os.WriteFile(chapters, []byte(meta), 0o600); err != nil {
		t.Fatal(err)
	}
	const picture, tone = "testsrc2=s=128x72:r=25:d=1", "sine=r=48000:d=1"
	both := []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"}
	withChapters := append([]string{"-f", "ffmetadata", "-i", chapters}, both...)
	withChapters = append(withChapters, "-map", "1", "-map", "2", "-map_metadata", "0")
	for _, c := range []struct {
		name string
		file string
		args []string
		see  func(m *Movie, v, a *Track) bool
	}{
		{"two languages", "x.mp4", append(slices.Clone(both), "-map", "0", "-map", "1", "-map", "1", "-metadata:s:a:0", "language=fra", "-metadata:s:a:1", "language=eng"), func(m *Movie, _, a *Track) bool {
			return a.Language == "fr" && m.Tracks[2].Language == "en" && a.Codec == "mp4a.40.2" && a.Edit.Kind == EditTrivial && a.Edit.MediaTime == 1024
		}},
		{"B-frames", "x.mp4", append(slices.Clone(both), "-bf", "2", "-g", "5"), func(_ *Movie, v, _ *Track) bool {
			return v.Edit.Kind == EditTrivial && v.FirstPTS > 0 && v.Start() == 0 && v.Samples == 25 && v.SyncSamples == 5 && v.ConstantRate() && v.FrameRate() == 25
		}},
		{"chapters in MOV", "x.mov", withChapters, func(m *Movie, _, _ *Track) bool {
			return cmp.Equal(m.Chapters, []Chapter{{0, "Entrée"}, {500 * time.Millisecond, "Suite"}})
		}},
		{"chapters in MP4", "x.mp4", withChapters, func(m *Movie, _, _ *Track) bool {
			return cmp.Equal(m.Chapters, []Chapter{{0, "Entrée"}, {500 * time.Millisecond, "Suite"}})
		}},
		{"PCM in QuickTime", "x.mov", append(slices.Clone(both), "-c:a", "pcm_s24le"), func(m *Movie, _, a *Track) bool {
			return m.Brand == "qt  " && a.FourCC == "in24" && a.SampleRate == 48000 && a.Duration() == time.Second && a.Edit.Kind == EditNone
		}},
		{"AAC in QuickTime", "x.mov", both, func(_ *Movie, _, a *Track) bool { return a.Codec == "mp4a.40.2" && len(a.Config) >= 2 }},
		{"MP3", "x.mp4", append(slices.Clone(both), "-c:a", "libmp3lame"), func(_ *Movie, _, a *Track) bool { return a.Codec == "mp4a.6B" || a.Codec == "mp4a.69" }},
		{"late sound", "x.mp4", append(slices.Clone(both), "-af", "asetpts=PTS+0.7/TB"), func(_ *Movie, _, a *Track) bool {
			return a.Edit.Kind == EditLate && (a.Start()-700*time.Millisecond).Abs() < 30*time.Millisecond
		}},
		{"HEVC 10 bit", "x.mp4", append(slices.Clone(both), "-c:v", "libx265", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1"), func(_ *Movie, v, _ *Track) bool {
			return strings.HasPrefix(v.Codec, "hvc1.2.4.") && v.BitDepth == 10 && v.Chroma == "4:2:0"
		}},
		{"H.264 4:4:4", "x.mp4", append(slices.Clone(both), "-pix_fmt", "yuv444p"), func(_ *Movie, v, _ *Track) bool { return v.Chroma == "4:4:4" && v.BitDepth == 8 }},
		{"VP9", "x.mp4", append(slices.Clone(both), "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"), func(_ *Movie, v, _ *Track) bool { return strings.HasPrefix(v.Codec, "vp09.00.") && v.BitDepth == 8 }},
		{"HDR", "x.mp4", append(slices.Clone(both), "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"), func(_ *Movie, v, _ *Track) bool {
			return v.Colour.HDR() && v.Colour.Primaries == 9
		}},
		{"interlaced", "x.mp4", append(slices.Clone(both), "-flags", "+ildct+ilme"), func(_ *Movie, v, _ *Track) bool { return v.MaybeInterlaced }},
		{"fragmented", "x.mp4", append(slices.Clone(both), "-bf", "2", "-movflags", "frag_keyframe+empty_moov", "-g", "5"), func(m *Movie, v, a *Track) bool {
			return m.Fragmented && !m.Hybrid && v.Samples == 25 && v.SyncSamples == 5 && v.Duration() == time.Second && a.Samples == 48
		}},
		{"not at 0", "x.mp4", append(slices.Clone(both), "-movflags", "frag_keyframe+empty_moov+frag_discont", "-output_ts_offset", "100"), func(_ *Movie, v, _ *Track) bool {
			return v.Samples == 25 && v.Start() >= 0
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), c.file)
			ffmpeg(t, append(slices.Clone(c.args), path)...)
			m := inspect(t, path)
			v, a := m.Tracks[m.trackOf(t, Video)], m.Tracks[m.trackOf(t, Audio)]
			if !c.see(m, v, a) || len(m.Faults) > 0 {
				t.Errorf("faults %v, chapters %v\nvideo %+v\naudio %+v", m.Faults, m.Chapters, v, a)
			}
		})
	}
}

// TestInspectEdits: a trim in the middle of a GOP, as -ss -c copy leaves it.
func TestInspectEdits(t *testing.T) {
	t.Parallel()
	source := film{rate: 25, frames: 100, gop: 50, bframes: 2}.make(t)
	path := filepath.Join(t.TempDir(), "trimmed.mp4")
	ffmpeg(t, "-ss", "1.2", "-i", source, "-c", "copy", path)
	m := inspect(t, path)
	if v := m.Tracks[m.trackOf(t, Video)]; v.Edit.Kind != EditTrims {
		t.Errorf("%v %+v", v.Edit.Kind, v.Edit)
	}
	track := func(edits ...rawEdit) *Track {
		x := &Track{Kind: Video, TimeScale: 1000, Samples: 100, MinFrame: 40, MaxFrame: 40, Length: 4000, FirstPTS: 80, EndPTS: 4080, edits: edits}
		x.Edit.Count = len(edits)
		x.classify(1000)
		return x
	}
	const one = 1 << 16
	for _, c := range []struct {
		edits []rawEdit
		want  EditKind
		delay time.Duration
	}{
		{nil, EditNone, 0},
		{[]rawEdit{{4000, 80, one}}, EditTrivial, 0},
		{[]rawEdit{{0, 80, one}}, EditTrivial, 0},
		{[]rawEdit{{700, -1, one}, {4000, 80, one}}, EditLate, 700 * time.Millisecond},
		{[]rawEdit{{0, -1, one}, {4000, 80, one}}, EditTrivial, 0},
		{[]rawEdit{{4080, 0, one}}, EditLate, 80 * time.Millisecond},
		{[]rawEdit{{3800, 280, one}}, EditTrims, 0},
		{[]rawEdit{{3000, 80, one}}, EditTrims, 0},
		{[]rawEdit{{1000, 80, one}, {1000, 2080, one}}, EditSeveral, 0},
		{[]rawEdit{{1000, 80, one}, {500, -1, one}, {1000, 2080, one}}, EditSeveral, 0},
		{[]rawEdit{{8000, 80, one / 2}}, EditRate, 0},
	} {
		if e := track(c.edits...).Edit; e.Kind != c.want || e.Delay != c.delay {
			t.Errorf("%v: %v late by %v, want %v by %v", c.edits, e.Kind, e.Delay, c.want, c.delay)
		}
	}
}

// TestInspectErrors: what cannot be read says why.
func TestInspectErrors(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(film{rate: 25, frames: 25, gop: 25}.make(t))
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(film{rate: 25, frames: 25, gop: 25, muxer: []string{"-movflags", "faststart"}}.make(t))
	if err != nil {
		t.Fatal(err)
	}
	fragments, err := os.ReadFile(film{rate: 25, frames: 25, gop: 5, muxer: []string{"-movflags", "frag_keyframe+empty_moov"}}.make(t))
	if err != nil {
		t.Fatal(err)
	}
	mdat := bytes.Index(whole, []byte("mdat"))
	moov := bytes.Index(whole, []byte("moov"))
	for _, c := range []struct {
		name string
		in   []byte
		want error // of Inspect
		has  error // else a fault
	}{
		{"empty", nil, ErrNotMP4, nil},
		{"text", []byte("Bonjour, ceci n'est pas un film."), ErrNotMP4, nil},
		{"Matroska", []byte("\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x23"), ErrNotMP4, nil},
		{"cut before moov", whole[:mdat+100], ErrTruncated, nil},
		{"no moov", whole[:moov-4], ErrNoMovie, nil},
		{"cut inside moov", whole[:moov+200], ErrTruncated, nil},
		{"cut inside media", first[:len(first)-2000], nil, ErrMediaPastEnd},
		{"cut inside media, samples", first[:len(first)-2000], nil, ErrSampleRange},
		{"fragments without init", fragments[bytes.Index(fragments, []byte("moof"))-4:], ErrNoMovie, nil},
		{"cut inside a fragment", fragments[:len(fragments)-3000], nil, ErrSampleRange},
		{"init alone", fragments[:bytes.Index(fragments, []byte("moof"))-4], nil, nil},
		{"garbage after", append(bytes.Clone(whole), "\x00\x00\x00\x04oops"...), nil, ErrMalformed},
	} {
		m, err := Inspect(bytes.NewReader(c.in), int64(len(c.in)))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err == nil && c.has != nil && !m.Has(c.has) {
			t.Errorf("%s: faults %v, want %v", c.name, m.Faults, c.has)
		}
		if err == nil && c.has == nil && len(m.Faults) > 0 {
			t.Errorf("%s: faults %v", c.name, m.Faults)
		}
	}
	broken := errors.New("disk on fire")
	if _, err := Inspect(failing{broken}, 1000); !errors.Is(err, broken) {
		t.Errorf("reader's error: %v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// TestInspectLarge: 64-bit mdat and co64 past 4 GiB, on a sparse file, moov at
// the end; and it can be packaged.
func TestInspectLarge(t *testing.T) {
	t.Parallel()
	tracks, file := remux(t, film{rate: 25, frames: 96, gop: 48, bframes: 2}.make(t))
	const hole = 5 << 30
	out, err := os.Create(filepath.Join(t.TempDir(), "large.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for _, x := range tracks {
		for i := range x.samples {
			x.samples[i].off += hole
		}
	}
	w := &builder{}
	w.box("ftyp", func() { w.str("isom\x00\x00\x02\x00isom") })
	w.u32(1)
	w.str("mdat")
	end := int64(hole + len(file))
	w.u64(uint64(end) - uint64(len(w.b)) + 8) // the large size counts its header of 16
	m := mux{tracks: tracks, scale: 1000, co64: true}
	for off, p := range map[int64][]byte{0: w.b, hole: file, end: m.moov()} {
		if _, err := out.WriteAt(p, off); err != nil {
			t.Fatal(err)
		}
	}
	movie := inspect(t, out.Name())
	if len(movie.Faults) > 0 {
		t.Fatal(movie.Faults)
	}
	video, audio := pack(t, movie, Plan{Nominal: 184320})
	clean(t, CheckIndex(video.object, video.Index))
	clean(t, CheckIndex(audio.object, audio.Index))
}

// tenHours returns a movie of ten hours whose samples share the bytes of a few
// seconds, as a reader and its size.
func tenHours(t testing.TB) (io.ReaderAt, int64) {
	t.Helper()
	tracks, file := remux(t, film{rate: 25, frames: 96 * 2, gop: 48, bframes: 2}.make(t))
	for i := range tracks {
		x := &tracks[i]
		period := x.samples
		if x.kind == Audio {
			period = period[1 : 1+360] // 7.68 s
			x.edits = nil
		}
		n := 36000 * 25
		if x.kind == Audio {
			n = 36000 * 48000 / 1024
		}
		all := make([]sample, 0, n)
		for len(all) < n {
			all = append(all, period[:min(len(period), n-len(all))]...)
		}
		x.samples = all
	}
	m := mux{tracks: tracks, scale: 1000, perTime: true}
	whole := append(bytes.Clone(file[:bytes.LastIndex(file, []byte("moov"))-4]), m.moov()...)
	path := filepath.Join(t.TempDir(), "long.mp4")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, int64(len(whole))
}

// TestConstantMemory: ten hours take less than 32 MiB, tables and index
// included. Not parallel: it measures the process.
func TestConstantMemory(t *testing.T) {
	r, size := tenHours(t)
	before := memory(t, "VmRSS", true)
	m, err := Inspect(r, size)
	if err != nil {
		t.Fatal(err)
	}
	if m.Duration != 10*time.Hour || len(m.Faults) > 0 {
		t.Fatalf("%v, %v", m.Duration, m.Faults)
	}
	indexes, err := PackageAll(t.Context(), m, []Job{
		{Track: m.trackOf(t, Video), Plan: Plan{Nominal: 184320}, W: io.Discard},
		{Track: m.trackOf(t, Audio), Plan: Plan{Nominal: 184320}, W: io.Discard},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(indexes[0].Segments) != 9375 || len(indexes[1].Segments) != 9375 {
		t.Errorf("%d and %d segments", len(indexes[0].Segments), len(indexes[1].Segments))
	}
	if growth := memory(t, "VmHWM", false) - before; growth > 32<<20 && !raceEnabled {
		t.Errorf("memory grew by %d MiB", growth>>20)
	}
}

// TestTablesProperty: random sample tables read back as they were written,
// whatever their form.
func TestTablesProperty(t *testing.T) {
	t.Parallel()
	entry := &builder{}
	entry.box("avc1", func() { entry.zero(78) })
	rapid.Check(t, func(t *rapid.T) {
		x := muxTrack{kind: Video, scale: 1000, entry: entry.b}
		x.sizeBits = rapid.SampledFrom([]int{0, 4, 8, 16}).Draw(t, "bits")
		x.perChunk = rapid.IntRange(1, 7).Draw(t, "chunk")
		m := mux{scale: 1000, co64: rapid.Bool().Draw(t, "co64"), perTime: rapid.Bool().Draw(t, "runs")}
		biggest := int64(1000)
		if x.sizeBits > 0 {
			biggest = 1<<min(x.sizeBits, 9) - 1
		}
		n := rapid.IntRange(1, 40).Draw(t, "samples")
		off, dts := int64(16), int64(0)
		for i := range n {
			if i%x.perChunk == 0 {
				off = rapid.Int64Range(16, 1<<20).Draw(t, "offset")
			}
			s := sample{
				off: off, size: rapid.Int64Range(1, biggest).Draw(t, "size"), dts: dts,
				dur: rapid.Int64Range(1, 3).Draw(t, "duration"), cts: rapid.Int64Range(-2, 2).Draw(t, "composition"),
				sync: rapid.Bool().Draw(t, "sync"),
			}
			x.samples = append(x.samples, s)
			off += s.size
			dts += s.dur
		}
		m.tracks = []muxTrack{x}
		file := make([]byte, 1<<20+1<<17)
		w := &builder{}
		w.u32(uint32(len(file)))
		w.str("mdat")
		copy(file, w.b)
		file = append(file, m.moov()...)
		movie, err := Inspect(bytes.NewReader(file), int64(len(file)))
		if err != nil || movie.Has(ErrTables) || movie.Has(ErrSampleRange) {
			t.Fatalf("%v %v", err, movie)
		}
		var got []sample
		all := movie.open(movie.Tracks[0])
		var s sample
		for all.next(&s) == nil {
			got = append(got, s)
		}
		if !slices.Equal(got, x.samples) {
			t.Fatalf("got %+v\nwant %+v", got, x.samples)
		}
		first, end := int64(math.MaxInt64), int64(math.MinInt64)
		for _, s := range x.samples {
			first, end = min(first, s.dts+s.cts), max(end, s.dts+s.cts+s.dur)
		}
		if x := movie.Tracks[0]; x.Length != dts || x.FirstPTS != first || x.EndPTS != end {
			t.Fatalf("length %d, shown %d to %d; want %d, %d to %d", x.Length, x.FirstPTS, x.EndPTS, dts, first, end)
		}
	})
}

// TestLanguages goes both ways.
func TestLanguages(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"fr", "en", "de", "nl", "zh", "es", "br"} {
		if got := languageOf(languageCode(tag)); got != tag && tag != "br" {
			t.Errorf("%s: %q", tag, got)
		}
	}
	for code, want := range map[uint16]string{0: "en", 1: "fr", 0x7fff: "", languageCode("und"): "", languageCode("fr-CA"): "fr", languageCode("gsw"): "gsw"} {
		if got := languageOf(code); got != want {
			t.Errorf("%#x: %q, want %q", code, got, want)
		}
	}
}

// FuzzInspect: no file makes it panic, hang or lie about its bounds; whatever
// it accepts can be tried to be packaged.
func FuzzInspect(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("testdata", "samples", "*.mp4"))
	if err != nil || len(names) == 0 {
		f.Fatal("no corpus", err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	// And one of fragments.
	moof := appendMoof(nil, 1, MediaTimeBase, []segmentSample{{size: 4, dur: 1024, flags: flagsSync}, {size: 4, dur: 1024, flags: flagsSync}})
	f.Add(slices.Concat(InitSegment(&TrackConfig{Kind: Audio, ASC: []byte{0x11, 0x90}, Channels: 2}), moof, make([]byte, 8)))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Inspect(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for i, x := range m.Tracks {
			if x.Samples < 0 || x.Length < 0 || x.Bytes < 0 || x.Start() < 0 && x.FirstPTS >= 0 {
				t.Errorf("track %d: %+v", i, x)
			}
			index, err := Package(t.Context(), m, i, Plan{Nominal: 184320, Length: min(lengthOf(x), 1<<32), Priming: -1}, io.Discard)
			if err == nil && index.Length <= 0 {
				t.Errorf("track %d: %+v", i, index)
			}
		}
	})
}
