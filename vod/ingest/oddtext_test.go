package ingest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"reprise/vod"
)

// replace changes bytes inside a box.
func (a *atom) replace(old, with []byte) {
	if !bytes.Contains(a.body, old) {
		panic("oddtext: the bytes to replace are not there")
	}
	a.body = bytes.Replace(a.body, old, with, 1)
}

// withText is the pattern with captions inside.
func withText(file, codec string) maker {
	return func(t *testing.T, dir string) string {
		text := bytesOf("captions.srt", []byte("1\n00:00:00,500 --> 00:00:02,000\nÀ l’été\n\n2\n00:00:02,500 --> 00:00:04,000\n<i>Suite</i>\n"))(t, dir)
		args := append(plainPattern.inputs(), "-i", text, "-map", "0", "-map", "1", "-map", "2", "-c:s", codec, "-metadata:s:s:0", "language=fra")
		path := makeFilm(t, filepath.Join(dir, file), append(args, withDefaults(nil)...)...)
		if err := os.Remove(text); err != nil { // captions beside the film are taken too
			t.Fatal(err)
		}
		return path
	}
}

// captionsAre checks which languages have captions.
func captionsAre(want ...string) func(*testing.T, *world, vod.Asset, vod.Media) {
	return func(t *testing.T, w *world, a vod.Asset, m vod.Media) {
		for _, language := range want {
			r := m.Rendition(captionsName(language))
			if r == nil {
				t.Errorf("no captions in %s", language)
				continue
			}
			data, err := os.ReadFile(w.file(r.Object))
			if err != nil {
				t.Fatal(err)
			}
			// In Matroska all times are later by the sound's priming.
			if !bytes.Contains(data, []byte("00:00:00.500 --> 00:00:02.000")) && !bytes.Contains(data, []byte("00:00:00.521 --> 00:00:02.021")) || !bytes.Contains(data, []byte("À l’été")) {
				t.Errorf("captions are %s", data)
			}
		}
	}
}

// withChapters has two chapters.
func withChapters(t *testing.T, dir string) string {
	list := bytesOf("chapters.txt", []byte(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=Début\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=2000\nEND=4600\ntitle=Suite & fin\n"))(t, dir)
	args := append(plainPattern.inputs(), "-i", list, "-map", "0", "-map", "1", "-map_metadata", "2", "-map_chapters", "2")
	return makeFilm(t, filepath.Join(dir, "film.mp4"), append(args, withDefaults(nil)...)...)
}
