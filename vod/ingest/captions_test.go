package ingest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reprise/stream/timeline"
	"reprise/vod"
)

func TestCaptionsFromBesideAndInside(t *testing.T) {
	t.Parallel()
	w := setup(t)
	dir := t.TempDir()
	english := write(t, filepath.Join(dir, "inside.srt"), "1\n00:00:00,500 --> 00:00:02,000\nHello from inside\n\n2\n00:00:04,200 --> 00:00:05,000\nSecond\n")
	film := makeFilm(t, filepath.Join(dir, "film.mp4"), "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=6", "-i", english,
		"-map", "0", "-map", "1", "-map", "1", "-c:s", "mov_text", "-preset", "ultrafast", "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=fra")
	// Windows-1252, as caption editors write it; it wins over the French track inside.
	if err := os.WriteFile(filepath.Join(dir, "film.fr.srt"), []byte("1\r\n00:00:01,000 --> 00:00:02,500\r\nB\xe9b\xe9 \x9cuvre\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := w.ingest(film, AddOptions{})
	m := w.media(a)
	w.checkMedia(m)
	for name, text := range map[string]string{"s-fr": "Bébé œuvre", "s-en": "Hello from inside"} {
		r := m.Rendition(name)
		if r == nil {
			t.Fatalf("no %s; findings %v", name, codes(a.Findings))
		}
		data, err := os.ReadFile(w.file(r.Object))
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind != vod.Subtitles || r.Codec != "wvtt" || r.InitSize != 0 || len(r.Segments) != m.Count {
			t.Errorf("%s is %+v", name, r)
		}
		for i, s := range r.Segments {
			segment := string(data[s.Offset : s.Offset+s.Size])
			if !strings.HasPrefix(segment, "WEBVTT\n") || !strings.Contains(segment, "MPEGTS:900000") {
				t.Errorf("R170, R171 %s segment %d is %q", name, i, segment)
			}
			if got := strings.Contains(segment, text); got != (i == 0) {
				t.Errorf("%s segment %d has the first cue: %v", name, i, got)
			}
		}
	}
}

func TestFaultyCaptionsAreLeftOut(t *testing.T) {
	t.Parallel()
	w := setup(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "film.fr.vtt"), "these are no captions at all")
	film := makeFilm(t, filepath.Join(dir, "film.mp4"), "-f", "lavfi", "-i", "color=s=320x180:r=25:d=1", "-preset", "ultrafast")
	a := w.ingest(film, AddOptions{})
	if m := w.media(a); m.Rendition("s-fr") != nil || !slices.Contains(codes(a.Findings), "captions-faulty") {
		t.Errorf("findings %v", codes(a.Findings))
	}
}

func TestChaptersOfTheFilm(t *testing.T) {
	t.Parallel()
	w := setup(t)
	dir := t.TempDir()
	meta := write(t, filepath.Join(dir, "meta.txt"), ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=Ouverture\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=Débat\n")
	film := makeFilm(t, filepath.Join(dir, "film.mp4"), "-f", "lavfi", "-i", "color=s=320x180:r=25:d=2", "-i", meta, "-map_chapters", "1", "-preset", "ultrafast")
	m := w.media(w.ingest(film, AddOptions{}))
	if want := []vod.Chapter{{Start: 0, Title: "Ouverture"}, {Start: timeline.TicksPerSecond, Title: "Débat"}}; !slices.Equal(m.Chapters, want) {
		t.Errorf("chapters are %v", m.Chapters)
	}
	if len(m.Renditions) != 3 { // the chapter track is no captions: v234, silence twice
		t.Errorf("%d renditions", len(m.Renditions))
	}
}
