package ingest

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reprise/storage"
	"reprise/vod"
	"reprise/vod/cmaf"
)

// bilingual makes a film of two seconds with French and English sound.
func bilingual(t *testing.T, dir string) string {
	return makeFilm(t, filepath.Join(dir, "keynote.mp4"), "-f", "lavfi", "-i", "testsrc2=s=426x240:r=25:d=2",
		"-f", "lavfi", "-i", "anoisesrc=d=2:c=pink:a=0.2:seed=1", "-f", "lavfi", "-i", "anoisesrc=d=2:c=pink:a=0.5:seed=2",
		"-map", "0:v", "-map", "1:a", "-map", "2:a", "-ac", "2", "-preset", "ultrafast",
		"-metadata:s:a:0", "language=fra", "-metadata:s:a:1", "language=eng")
}

func TestProcessMakesAllRenditions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	film := bilingual(t, t.TempDir())
	a := w.add(film, AddOptions{Title: "La reprise"})
	var states []vod.State
	last := -1.0
	err := w.Process(t.Context(), a.ID, func(step Step) {
		s, percent := step.State, step.Percent
		if len(states) == 0 || states[len(states)-1] != s {
			states, last = append(states, s), -1
		}
		if percent < last {
			t.Errorf("%s goes back from %v to %v", s, last, percent)
		}
		last = percent
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []vod.State{vod.Probing, vod.Processing, vod.Ready}; !slices.Equal(states, want) {
		t.Errorf("states are %v, want %v", states, want)
	}
	if a, err = w.library.Asset(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	m := w.media(a)
	var names []string
	for _, r := range m.Renditions {
		names = append(names, r.Name)
	}
	if want := []string{"v234", "a-fr", "a-en", "al-fr", "al-en"}; !slices.Equal(names, want) {
		t.Errorf("renditions are %v, want %v", names, want)
	}
	w.checkMedia(m)
	if m.Poster == "" || len(m.Sprites) != 1 || m.Revision != 1 || len(m.NameKey) != 32 {
		t.Errorf("poster %q, sprites %v, revision %d, name key of %d bytes", m.Poster, m.Sprites, m.Revision, len(m.NameKey))
	}
	if got := probeValue(w, w.file(m.Sprites[0]), "v:0", "stream=width,height"); got != "1600,900" {
		t.Errorf("sprite sheet is %s", got)
	}
	before := w.objects()
	if err := w.Process(t.Context(), a.ID, nil); err != nil {
		t.Errorf("a second Process: %v", err)
	}
	if got := w.objects(); !slices.Equal(before, got) {
		t.Errorf("a second Process changed the objects: %v", got)
	}
}

// loudness measures what a viewer hears of an audio rendition: LUFS and dBTP.
func (w *world) loudness(m vod.Media, name string) (integrated, peak float64) {
	w.t.Helper()
	r := m.Rendition(name)
	if r == nil {
		w.t.Fatalf("no rendition %s", name)
	}
	out, err := exec.CommandContext(w.t.Context(), "ffmpeg", "-nostdin", "-hide_banner", "-v", "level+info", "-i", w.file(r.Object), "-af", "ebur128@m0=peak=true:framelog=verbose", "-f", "null", "-").CombinedOutput()
	if err != nil {
		w.t.Fatal(err, string(out))
	}
	levels := []level{{}}
	reader := levelReader{levels: levels}
	for line := range strings.Lines(string(out)) {
		reader.line(line)
	}
	return levels[0].Loudness, levels[0].Peak
}

func TestR160_AllSoundsAreEquallyLoud(t *testing.T) {
	t.Parallel()
	w := setup(t)
	// Quiet mono, loud with clicks, and one side only: each with syllables.
	film := makeFilm(t, filepath.Join(t.TempDir(), "film.mkv"), "-f", "lavfi", "-i", "color=s=64x36:r=25:d=5",
		"-f", "lavfi", "-i", "anoisesrc=d=5:c=pink:a=0.05:seed=1,tremolo=f=4:d=0.9",
		"-f", "lavfi", "-i", "anoisesrc=d=5:c=pink:a=0.2:seed=2,tremolo=f=3:d=0.95,volume='if(lt(mod(t,1),0.002),20,1)':eval=frame",
		"-f", "lavfi", "-i", "anoisesrc=d=5:c=pink:a=0.3:seed=3,pan=stereo|c0=0*c0|c1=c0",
		"-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "pcm_s16le",
		"-metadata:s:a:0", "language=fra", "-metadata:s:a:1", "language=eng", "-metadata:s:a:2", "language=deu")
	a := w.ingest(film, AddOptions{})
	m := w.media(a)
	for _, name := range []string{"a-fr", "a-en", "a-de", "al-fr"} {
		integrated, peak := w.loudness(m, name)
		if math.Abs(integrated-targetLoudness) > 1 {
			t.Errorf("%s is at %.1f LUFS", name, integrated)
		}
		if peak > -1.0 {
			t.Errorf("%s peaks at %.1f dBTP after AAC", name, peak)
		}
	}
	for _, code := range []string{"mono", "one-sided"} {
		if !slices.Contains(codes(a.Findings), code) {
			t.Errorf("findings are %v, want %s", codes(a.Findings), code)
		}
	}
}

// TestPictureAndSoundStayTogether: a flash and a beep at 1.0 s in the source,
// whatever its container does to the start of its tracks, are at 1.0 s in the renditions.
func TestPictureAndSoundStayTogether(t *testing.T) {
	t.Parallel()
	flash := []string{"-f", "lavfi", "-i", "color=black:s=320x180:r=25:d=2,drawbox=c=white:t=fill:enable='between(t,0.999,1.2)'",
		"-f", "lavfi", "-i", "sine=1000:d=2:r=48000,volume=0:enable='not(between(t,1,1.2))'"}
	for name, more := range map[string][]string{
		"film.mp4":       {"-c:v", "libx264", "-bf", "3", "-c:a", "aac"},
		"film.ts":        {"-c:v", "libx264", "-bf", "3", "-c:a", "mp2"},
		"film.mkv":       {"-c:v", "libx264", "-bf", "3", "-c:a", "libopus"},
		"fragmented.mp4": {"-c:v", "libx264", "-bf", "2", "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets", "-g", "25"},
		"offset.mov":     {"-c:v", "libx264", "-bf", "3", "-c:a", "aac", "-output_ts_offset", "7"},
		"rate30.mp4":     {"-c:v", "libx264", "-r", "30", "-c:a", "aac", "-ar", "44100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			m := w.media(w.ingest(makeFilm(t, filepath.Join(t.TempDir(), name), append(flash, more...)...), AddOptions{Language: "fr"}))
			seen, heard := w.flash(m), w.beep(m)
			if math.Abs(seen-1) > 0.045 || math.Abs(heard-1) > 0.03 || math.Abs(seen-heard) > 0.05 {
				t.Errorf("flash at %.3f s, beep at %.3f s, want 1 and 1", seen, heard)
			}
		})
	}
}

// TestEditListsAreHonoured: the same where an edit list hides half a second in
// mid-group, and where sound begins late behind an empty edit.
func TestEditListsAreHonoured(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole := makeFilm(t, filepath.Join(dir, "whole.mp4"), "-f", "lavfi", "-i", "color=black:s=320x180:r=25:d=2.5,drawbox=c=white:t=fill:enable='between(t,1.499,1.7)'",
		"-f", "lavfi", "-i", "sine=1000:d=2.5:r=48000,volume=0:enable='not(between(t,1.5,1.7))'", "-c:v", "libx264", "-bf", "3", "-g", "250", "-c:a", "aac")
	late := makeFilm(t, filepath.Join(dir, "sound.mp4"), "-f", "lavfi", "-i", "sine=1000:d=1:r=48000", "-c:a", "aac")
	for name, args := range map[string][]string{
		"trimmed.mp4": {"-ss", "0.5", "-i", whole, "-c", "copy"},
		"late.mp4":    {"-ss", "0.5", "-i", whole, "-itsoffset", "1", "-i", late, "-map", "0:v", "-map", "1:a", "-c", "copy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			m := w.media(w.ingest(makeFilm(t, filepath.Join(t.TempDir(), name), args...), AddOptions{Language: "fr"}))
			seen, heard := w.flash(m), w.beep(m)
			if math.Abs(seen-1) > 0.045 || math.Abs(heard-1) > 0.03 {
				t.Errorf("flash at %.3f s, beep at %.3f s, want 1 and 1", seen, heard)
			}
		})
	}
}

// flash returns when the picture turns white, in seconds from the first frame by counting frames.
func (w *world) flash(m vod.Media) float64 {
	w.t.Helper()
	r := m.Rendition("v234")
	out, err := exec.CommandContext(w.t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", w.file(r.Object), "-vf", "scale=1:1:flags=area,format=gray", "-fps_mode", "passthrough", "-f", "rawvideo", "-").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	for i, luma := range out {
		if luma > 128 {
			return float64(i) * float64(r.Frame) / 48000
		}
	}
	return -1
}

// beep returns when the sound begins, in seconds after the priming frame (R158).
func (w *world) beep(m vod.Media) float64 {
	w.t.Helper()
	out, err := exec.CommandContext(w.t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", w.file(m.Rendition("a-fr").Object), "-ac", "1", "-f", "s16le", "-").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(out); i += 2 {
		if v := int16(uint16(out[i]) | uint16(out[i+1])<<8); v > 3000 || v < -3000 {
			return float64(i/2-1024) / 48000
		}
	}
	return -1
}

func TestCopyOfWhatFitsAlready(t *testing.T) {
	t.Parallel()
	film := func(more ...string) func(*testing.T) string {
		return func(t *testing.T) string {
			args := append([]string{"-f", "lavfi", "-i", "color=c=0x335577:s=640x360:r=25:d=7.68,drawbox=x='mod(t*50,600)':y=100:w=30:h=30:c=white:t=fill",
				"-f", "lavfi", "-i", "anoisesrc=d=7.68:c=pink:a=0.2:r=48000:seed=4", "-ac", "2", "-c:v", "libx264", "-preset", "ultrafast",
				"-g", "48", "-keyint_min", "48", "-sc_threshold", "0", "-flags", "+cgop", "-metadata:s:a:0", "language=fra"}, more...)
			return makeFilm(t, filepath.Join(t.TempDir(), "film.mp4"), args...)
		}
	}
	for _, c := range []struct {
		name   string
		film   func(*testing.T) string
		copied bool
	}{
		{"fits", film("-bf", "2"), true},
		{"key frames off the grid", film("-bf", "0", "-g", "50", "-keyint_min", "50"), false},
		{"open groups", film("-bf", "2", "-flags", "-cgop", "-x264-params", "open-gop=1"), false},
		{"turned", func(t *testing.T) string {
			return makeFilm(t, filepath.Join(t.TempDir(), "turned.mp4"), "-i", film("-bf", "0")(t), "-c", "copy", "-metadata:s:v:0", "rotate=180")
		}, false},
		{"another size", film("-bf", "0", "-s", "638x360"), false},
		{"10 bit", film("-pix_fmt", "yuv420p10le"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			m := w.media(w.ingest(c.film(t), AddOptions{}))
			if got := m.Rendition("v360").Copied; got != c.copied {
				t.Errorf("v360 copied: %v, want %v", got, c.copied)
			}
			if m.Rendition("v234").Copied {
				t.Error("v234 is copied")
			}
			w.checkMedia(m)
		})
	}
}

func TestProcessStopsWithItsContext(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a := w.add(bilingual(t, t.TempDir()), AddOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	err := w.Process(ctx, a.ID, func(s Step) {
		if s.State == vod.Processing {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	if a, err = w.library.Asset(t.Context(), a.ID); err != nil || a.State == vod.Ready || a.State == vod.Failed {
		t.Fatalf("state is %s, %v", a.State, err)
	}
	if err := w.Process(t.Context(), a.ID, nil); err != nil {
		t.Fatal(err)
	}
}

func TestProcessErrors(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if err := w.Process(t.Context(), "nobody", nil); !errors.Is(err, vod.ErrNotFound) {
		t.Errorf("unknown asset: %v", err)
	}
	a := w.add(bilingual(t, t.TempDir()), AddOptions{})
	r, err := w.openRun(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Process(t.Context(), a.ID, nil); !errors.Is(err, ErrBusy) {
		t.Errorf("asset in another process's hands: %v", err)
	}
	if err := r.close(true); err != nil {
		t.Fatal(err)
	}
}

func TestSweepKeepsWhatIsNamed(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	ready := w.ingest(bilingual(t, t.TempDir()), AddOptions{})
	named := w.objects()
	unfinished := w.add(makeFilm(t, filepath.Join(t.TempDir(), "x.mp4"), "-f", "lavfi", "-i", "color=s=64x36:d=0.2"), AddOptions{})
	r, err := w.openRun(unfinished)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.close(false); err != nil {
		t.Fatal(err)
	}
	keep := append(named, unfinished.Source.Object, string(mediaKey(r.Media, "v234.mp4")))
	for _, key := range []string{"media/orphan/v720.mp4", "sources/orphan/film", string(mediaKey(ready.Media, "half.mp4")), string(mediaKey(r.Media, "v234.mp4"))} {
		if _, err := w.store.Put(t.Context(), storage.Key(key), strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(w.cfg.Scratch, "slate-killed"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := w.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keep)
	if got := w.objects(); !slices.Equal(got, keep) {
		t.Errorf("objects are\n%v, want\n%v", got, keep)
	}
	if _, err := os.Stat(filepath.Join(w.cfg.Scratch, "slate-killed")); !os.IsNotExist(err) {
		t.Error("scratch of a killed slate is still there")
	}
	if _, err := os.Stat(w.runDir(unfinished.ID)); err != nil {
		t.Error("the run that goes on lost its folder")
	}
}

func TestMakeSlate(t *testing.T) {
	t.Parallel()
	w := setup(t)
	m, err := w.MakeSlate(t.Context(), SlateSpec{
		ID: "slateslateslateslateslate2", Languages: []string{"fr", "en"}, Language: "fr",
		Title: "Rencontres : l'art %{pts} \\ [x];", Headline: "À suivre\nNext", Talk: "Sous-titrer 100 % vite, et bien", When: "14\u202fh\u202f00",
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range m.Renditions {
		r := &m.Renditions[i]
		names = append(names, r.Name)
		if len(r.Segments) != 1 {
			t.Fatalf("%s has %d segments", r.Name, len(r.Segments))
		}
		data, err := os.ReadFile(w.file(r.Object))
		if err != nil {
			t.Fatal(err)
		}
		init, template := data[:r.InitSize], data[r.InitSize:]
		for _, length := range []int64{184320, 30720, 215040, 1920} {
			segment, err := cmaf.Retime(nil, init, template, 3, 184320, length)
			if err != nil {
				t.Fatalf("%s cut to %d: %v", r.Name, length, err)
			}
			path := filepath.Join(t.TempDir(), "cut.mp4")
			if err := os.WriteFile(path, append(slices.Clone(init), segment...), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", path, "-f", "null", "-").CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("R162 %s cut to %d: %v %s", r.Name, length, err, out)
			}
		}
	}
	if want := []string{"v1080", "v720", "v540", "v360", "v234", "a-fr", "a-en", "al-fr", "al-en"}; !slices.Equal(names, want) {
		t.Errorf("renditions are %v", names)
	}
	if !m.Loop || m.Nominal != 184320 || m.Poster == "" {
		t.Errorf("loop %v, nominal %d, poster %q", m.Loop, m.Nominal, m.Poster)
	}
}

// TestR038_LowestRungHoldsItsCap: the hardest picture there is, noise, and the
// low sound together stay under 192 kbit/s in every segment.
func TestR038_LowestRungHoldsItsCap(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{Preset: "veryfast"})
	film := makeFilm(t, filepath.Join(t.TempDir(), "film.mp4"), "-f", "lavfi", "-i", "testsrc2=s=416x234:r=25:d=12,noise=alls=40:allf=t",
		"-f", "lavfi", "-i", "anoisesrc=d=12:c=white:a=0.3", "-ac", "2", "-preset", "ultrafast", "-metadata:s:a:0", "language=fra")
	m := w.media(w.ingest(film, AddOptions{}))
	video, audio := m.Rendition("v234"), m.Rendition("al-fr")
	for i := range video.Segments {
		length := m.Nominal
		if i == m.Count-1 {
			length = m.Last
		}
		if rate := float64((video.Segments[i].Size+audio.Segments[i].Size)*8) / length.Duration().Seconds(); rate > 192_000 {
			t.Errorf("segment %d has %.0f bit/s", i, rate)
		}
	}
}
