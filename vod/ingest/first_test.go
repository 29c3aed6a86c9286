package ingest

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"reprise/storage"
	"reprise/vod"
)

// wide makes a film large enough for a first rendition; more says how it is coded.
func wide(t *testing.T, name string, more ...string) string {
	return makeFilm(t, filepath.Join(t.TempDir(), name), append([]string{"-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=2",
		"-f", "lavfi", "-i", "anoisesrc=d=2:c=pink:a=0.3", "-ac", "2", "-metadata:s:a:0", "language=fra"}, more...)...)
}

// stagesOf processes an asset and returns the stages it went through, and its First while it was there.
func (w *world) stagesOf(id vod.AssetID) (stages []string, first vod.Media) {
	w.t.Helper()
	err := w.Process(w.t.Context(), id, func(s Step) {
		if n := len(stages); s.Progress.Stage != "" && (n == 0 || stages[n-1] != s.Progress.Stage) {
			stages = append(stages, s.Progress.Stage)
		}
		if a := w.asset(id); a.First != "" && first.ID == "" {
			m, err := w.library.Media(w.t.Context(), a.First)
			if err != nil {
				w.t.Fatal(err)
			}
			first = m
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return stages, first
}

func encoders(w *world, path string) string {
	return probeValue(w, path, "v:0", "stream=codec_name") + " " + probeValue(w, path, "a:0", "stream=codec_name")
}

// TestFirstRenditionOfWhatNoBrowserPlays: it comes before the ladder, can go on
// air alone, and the ladder takes it over.
func TestFirstRenditionOfWhatNoBrowserPlays(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	a := w.add(wide(t, "film.mkv", "-c:v", "mpeg4", "-c:a", "mp3"), AddOptions{})
	stages, first := w.stagesOf(a.ID)
	if want := []string{"checking", "measuring", "first", "encoding", "packaging", "pictures"}; !slices.Equal(stages, want) {
		t.Errorf("stages are %v, want %v", stages, want)
	}
	a = w.asset(a.ID)
	m := w.media(a)
	var ladder []string
	for _, r := range m.Renditions {
		if r.Kind == vod.Video {
			ladder = append(ladder, r.Name)
		}
	}
	if !slices.Equal(first.Ladder, ladder) || len(m.Ladder) > 0 {
		t.Errorf("the first media promises %v, the whole one has %v", first.Ladder, ladder)
	}
	var names []string
	for _, r := range first.Renditions {
		names = append(names, r.Name)
		if full := m.Rendition(r.Name); full == nil || full.Object != r.Object {
			t.Errorf("%s was made again", r.Name)
		}
	}
	if want := []string{"v360", "a-fr", "al-fr"}; !slices.Equal(names, want) {
		t.Fatalf("first renditions are %v", names)
	}
	if !first.Partial || m.Partial || first.Source != a.Source.ID || first.Duration() != m.Duration() || first.Audio["fr"] == "" || first.Audio["fr"] != m.Audio["fr"] ||
		first.Waveform == "" || first.Waveform != m.Waveform || string(first.NameKey) == string(m.NameKey) || a.First != "" {
		t.Errorf("first is %+v, asset %+v", first, a)
	}
	w.checkMedia(m)
	w.checkObjects()
	if a.Source.Preview != "" {
		t.Errorf("there is a preview of MPEG-4: %s", a.Source.Preview)
	}
}

// TestFirstRenditionOfATalkInAHurry: only of one that is on air before its ladder can be ready.
func TestFirstRenditionOfATalkInAHurry(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		airs  time.Duration
		media bool
		want  bool
	}{
		"whose hour has come":  {airs: -time.Minute, want: true},
		"in an hour":           {airs: time.Hour},
		"never":                {},
		"with an earlier film": {airs: -time.Minute, media: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			a := w.add(wide(t, "film.mp4", "-preset", "ultrafast"), AddOptions{})
			if c.media {
				w.ready(a.ID)
				w.replace(a.ID, w.sourceOf(wide(t, "second.mp4", "-preset", "ultrafast", "-g", "7")))
			}
			w.airs = func(context.Context, vod.AssetID) (time.Time, error) {
				if c.airs == 0 {
					return time.Time{}, nil
				}
				return w.now().Add(c.airs), nil
			}
			if _, first := w.stagesOf(a.ID); (first.ID != "") != c.want {
				t.Errorf("first rendition %v, want %v", first.ID != "", c.want)
			}
		})
	}
}

// TestTheLadderTakesTheFirstRenditionOfAnotherMachine: encoded there, finished here.
func TestTheLadderTakesTheFirstRenditionOfAnotherMachine(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	a := w.add(wide(t, "film.mkv", "-c:v", "mpeg4", "-c:a", "mp3"), AddOptions{})
	ctx, cancel := contextOf(t)
	if err := w.elsewhere().Process(ctx, a.ID, func(s Step) {
		if s.Progress.Stage == stageEncoding {
			cancel()
		}
	}); err == nil {
		t.Fatal("cancelled, and no error")
	}
	first := w.asset(a.ID).First
	if first == "" {
		t.Fatal("no first rendition")
	}
	early, err := w.library.Media(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	stages, _ := w.stagesOf(a.ID)
	if slices.Contains(stages, "first") {
		t.Errorf("stages are %v", stages)
	}
	m := w.media(w.asset(a.ID))
	if m.Rendition("v360").Object != early.Rendition("v360").Object {
		t.Error("the first rendition was made again")
	}
	w.checkMedia(m)
	w.checkObjects()
}

func TestPreviews(t *testing.T) {
	t.Parallel()
	h264 := []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"}
	for name, c := range map[string]struct {
		file string
		more []string
		want string // itself, or what is in the copy; empty: none
	}{
		"MP4":                   {"film.mp4", h264, "itself"},
		"QuickTime":             {"film.mov", h264, "itself"},
		"fragmented":            {"film.mp4", append([]string{"-movflags", "+frag_keyframe+empty_moov"}, h264...), "itself"},
		"Matroska":              {"film.mkv", append([]string{"-c:a", "aac"}, h264...), "h264 aac"},
		"Matroska, Opus":        {"film.mkv", append([]string{"-c:a", "libopus"}, h264...), "h264 aac"},
		"transport stream":      {"film.ts", append([]string{"-c:a", "aac"}, h264...), "h264 aac"},
		"QuickTime, PCM":        {"film.mov", append([]string{"-c:a", "pcm_s16le"}, h264...), "h264 aac"},
		"10 bits":               {"film.mp4", []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"}, ""},
		"4:4:4":                 {"film.mp4", []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p"}, ""},
		"VP8":                   {"film.webm", []string{"-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"}, ""},
		"sound in MP4":          {"film.m4a", []string{"-vn"}, "itself"},
		"sound in MP3":          {"film.mp3", []string{"-vn"}, " aac"},
		"too many bits":         {"film.mp4", []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-vf", "noise=alls=100:allf=t+u", "-qp", "1"}, ""},
		"ProRes, a studio file": {"film.mov", []string{"-c:v", "prores_ks", "-c:a", "pcm_s24le"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
			taken := w.take(w.upload(wide(t, c.file, c.more...), nil).ID)
			for range 2 {
				if err := w.Preview(t.Context(), taken.Asset.ID); err != nil {
					t.Fatal(err)
				}
			}
			s := w.asset(taken.Asset.ID).Source
			switch c.want {
			case "", "itself":
				if (s.Preview == s.Object) != (c.want != "") || c.want == "" && s.Preview != "" {
					t.Errorf("preview is %q of %q", s.Preview, s.Object)
				}
			default:
				if s.Preview == "" || s.Preview == s.Object {
					t.Fatalf("preview is %q", s.Preview)
				}
				if got := encoders(w, w.file(s.Preview)); got != c.want {
					t.Errorf("preview holds %s", got)
				}
			}
			w.checkObjects()
			if c.want == "itself" && taken.Asset.Source.Preview == "" {
				t.Error("no preview at once")
			}
		})
	}
}

// TestPreviewWhileProcessing: a store that lends no file has its preview from the copy that is made anyway.
func TestPreviewWhileProcessing(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	w.Ingester.store = remote{w.store}
	a := w.add(wide(t, "film.mkv", "-c:a", "libopus", "-preset", "ultrafast"), AddOptions{})
	if err := w.Preview(t.Context(), a.ID); err != nil || w.asset(a.ID).Source.Preview != "" {
		t.Errorf("preview %q, %v", w.asset(a.ID).Source.Preview, err)
	}
	a, m := w.ready(a.ID)
	if a.Source.Preview == "" {
		t.Error("no preview")
	}
	w.checkMedia(m)
	w.checkObjects()
}

// remote is a store without any optional power, like one on another machine.
type remote struct{ storage.Store }

func TestSoundOnlyTalks(t *testing.T) {
	t.Parallel()
	for file, more := range map[string][]string{
		"talk.mp3": nil, "talk.m4a": nil, "talk.wav": nil, "talk.flac": nil, "talk.ogg": {"-c:a", "libvorbis"},
		"talk.fr.mp3": {"-i", "cover.png", "-map", "0:a", "-map", "1:v", "-disposition:v", "attached_pic"},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
			dir := t.TempDir()
			makeFilm(t, filepath.Join(dir, "cover.png"), "-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1")
			film := makeFilm(t, filepath.Join(dir, file), append([]string{"-f", "lavfi", "-i", "anoisesrc=d=5:c=pink:a=0.3,volume=0:enable='lt(t,3)'"}, more...)...)
			a, m := w.ready(w.add(film, AddOptions{Language: "fr", Title: "Une voix"}).ID)
			if !slices.Contains(codes(a.Findings), "no-picture") || a.Verdict != vod.VerdictRemarks {
				t.Errorf("findings are %v", codes(a.Findings))
			}
			if len(m.Renditions) != 7 || m.Rendition("v1080") == nil || m.Rendition("a-fr") == nil || m.Poster == "" || m.Audio["fr"] == "" || m.Count != 2 {
				t.Errorf("media is %+v", m)
			}
			w.checkMedia(m)
			if heard := w.beep(m); heard < 2.9 || heard > 3.1 {
				t.Errorf("sound begins at %v s", heard)
			}
			w.checkObjects()
		})
	}
}

// TestThePosterOfASoundIsItsPicture: from the start, and when it changes.
func TestThePosterOfASoundIsItsPicture(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	dir := t.TempDir()
	picture := func(colour string) string {
		file := openFile(t, makeFilm(t, filepath.Join(dir, colour+".png"), "-f", "lavfi", "-i", "color="+colour+":s=640x360", "-frames:v", "1"))
		key, err := w.PutPicture(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		return string(key)
	}
	a := w.add(makeFilm(t, filepath.Join(dir, "talk.mp3"), "-f", "lavfi", "-i", "anoisesrc=d=1:c=pink:a=0.3"), AddOptions{Language: "fr"})
	w.extras(a.ID, func(e *vod.Extras) { e.Poster = picture("white") })
	a, old := w.ready(a.ID)
	if luma := rawPicture(t, w.file(old.Rendition("v234").Object), "scale=1:1:flags=area,format=gray")[0]; luma < 220 {
		t.Errorf("picture has brightness %d", luma)
	}
	for _, key := range []string{picture("black"), ""} {
		w.extras(a.ID, func(e *vod.Extras) { e.Poster = key })
		if err := w.Remake(t.Context(), a.ID); err != nil {
			t.Fatal(err)
		}
		m := w.media(w.asset(a.ID))
		if luma := rawPicture(t, w.file(m.Rendition("v234").Object), "scale=1:1:flags=area,format=gray")[0]; luma > 60 {
			t.Errorf("poster %q: picture has brightness %d", key, luma)
		}
		if m.Rendition("a-fr").Object != old.Rendition("a-fr").Object || m.Poster == old.Poster || m.Poster == "" {
			t.Errorf("poster %q: media is %+v", key, m)
		}
		w.checkMedia(m)
	}
	w.checkObjects()
}

func TestWaveform(t *testing.T) {
	t.Parallel()
	w := newWave(5 * 48000)
	for i := range 5 * waveRate {
		sample := int16(0)
		if i >= 2*waveRate && i < 3*waveRate {
			sample = int16([]int{-32768, 16384}[i%2])
		}
		if _, err := w.Write([]byte{byte(sample)}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte{byte(uint16(sample) >> 8)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.peaks) != 50 || w.peaks[19] != 0 || w.peaks[20] != 255 || w.peaks[29] != 255 || w.peaks[30] != 0 {
		t.Errorf("peaks are %v", w.peaks)
	}
	if long := newWave(12 * 3600 * 48000); 12*3600*waveRate/long.every > waveMost {
		t.Errorf("12 hours have %d values", 12*3600*waveRate/long.every)
	}
}

// TestContainers: what a film may come in.
func TestContainers(t *testing.T) {
	t.Parallel()
	for file, more := range map[string][]string{
		"film.avi": {"-c:v", "mpeg4", "-c:a", "mp3"}, "film.mxf": {"-c:v", "mpeg2video", "-c:a", "pcm_s16le", "-ar", "48000"},
		"film.webm": {"-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"},
		"film.mov":  {"-c:v", "prores_ks", "-c:a", "pcm_s24le"}, "film.ts": {"-c:v", "mpeg2video", "-c:a", "mp2"},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			film := makeFilm(t, filepath.Join(t.TempDir(), file), append([]string{"-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1", "-f", "lavfi", "-i", "anoisesrc=d=1:c=pink:a=0.3", "-ac", "2"}, more...)...)
			a, m := w.ready(w.add(film, AddOptions{Language: "fr"}).ID)
			if len(m.Renditions) != 3 {
				t.Errorf("%v: %d renditions", codes(a.Findings), len(m.Renditions))
			}
			w.checkMedia(m)
		})
	}
}
