package ingest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"reprise/vod"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAddCopiesAndFindsAgain(t *testing.T) {
	t.Parallel()
	w := setup(t)
	dir := t.TempDir()
	film := write(t, filepath.Join(dir, "01_l-art de la reprise.fr.mp4"), strings.Repeat("film", 1<<20))
	write(t, filepath.Join(dir, "01_l-art de la reprise.vtt"), "WEBVTT\n")
	var done, total int64
	a, err := w.Add(t.Context(), film, AddOptions{}, func(d, n int64) { done, total = d, n })
	if err != nil {
		t.Fatal(err)
	}
	if done != 4<<20 || total != 4<<20 {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	if a.Title != "01 l-art de la reprise" || a.State != vod.Uploaded || a.Source.Name != filepath.Base(film) || a.Source.Size != 4<<20 || len(a.Source.SHA256) != 64 {
		t.Errorf("asset is %+v", a)
	}
	again, err := w.Add(t.Context(), write(t, filepath.Join(dir, "copy.mp4"), strings.Repeat("film", 1<<20)), AddOptions{}, nil)
	if err != nil || again.ID != a.ID {
		t.Errorf("the same bytes again: %s instead of %s, %v", again.ID, a.ID, err)
	}
	// Another middle, the same ends and size: another film.
	other := []byte(strings.Repeat("film", 1<<20))
	other[2<<20] = 'x'
	different, err := w.Add(t.Context(), write(t, filepath.Join(dir, "other.mp4"), string(other)), AddOptions{}, nil)
	if err != nil || different.ID == a.ID || different.Source.Fingerprint != a.Source.Fingerprint {
		t.Errorf("another film with the same ends: %s, %v", different.ID, err)
	}
}

func TestAddTakesCaptionsBesideTheFilm(t *testing.T) {
	t.Parallel()
	w := setup(t)
	dir := t.TempDir()
	for _, name := range []string{"film.fr.vtt", "film.en.srt", "film.de.txt", "film2.fr.vtt", "other.fr.vtt", "film.notes.vtt"} {
		write(t, filepath.Join(dir, name), "WEBVTT\n")
	}
	spanish := write(t, filepath.Join(dir, "untertitel.srt"), "1\n")
	a := w.add(write(t, filepath.Join(dir, "film.mp4"), "x"), AddOptions{Captions: map[string]string{"spa": spanish}})
	var got []string
	for _, c := range a.Source.Captions {
		got = append(got, c.Language)
	}
	if want := []string{"en", "es", "fr"}; !slices.Equal(got, want) {
		t.Errorf("captions are %v, want %v", got, want)
	}
}

func TestAddRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	w := setup(t)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.mp4")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	secret := write(t, filepath.Join(dir, "secret.mp4"), "x")
	if err := os.Chmod(secret, 0); err != nil {
		t.Fatal(err)
	}
	paths := []string{dir, pipe, filepath.Join(dir, "absent.mp4"), "/dev/null", dir + "/"}
	if os.Getuid() != 0 {
		paths = append(paths, secret)
	}
	for _, path := range paths {
		if _, err := w.Add(t.Context(), path, AddOptions{}, nil); !errors.Is(err, ErrNotFile) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := w.Add(t.Context(), write(t, filepath.Join(dir, "f.mp4"), "x"), AddOptions{Captions: map[string]string{"???": "x"}}, nil); err == nil {
		t.Error("captions of no language are taken")
	}
}

func TestTitles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"keynote.fr.mp4": "keynote", "Talk_2--final_EN.mov": "Talk 2 final", "L’été.mkv": "L’été", ".mp4": ".mp4", "no-extension": "no-extension",
	} {
		if got := titleOf(name); got != want {
			t.Errorf("%s is titled %q, want %q", name, got, want)
		}
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{"fra": "fr", "fre": "fr", "ENG": "en", "und": "", "": "", "fr-CA": "fr-ca", "pt_BR": "pt-br", "../x": "", "gsw": "gsw", "zxx": ""} {
		if got := normalLanguage(code); got != want {
			t.Errorf("%q is %q, want %q", code, got, want)
		}
	}
	for name, want := range map[string]string{
		"film.fr.mp4": "fr", "film_EN.mp4": "en", "film-français.mp4": "fr", "film.eng.srt": "en", "fr.mp4": "", "la-fin.mp4": "", "film.de.vtt": "de", "talk-it.mp4": "",
	} {
		if got := languageInName(name); got != want {
			t.Errorf("%s says %q, want %q", name, got, want)
		}
	}
}

func TestUUIDsAreOrdered(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)
	a, b := newUUID(at), newUUID(at.Add(time.Millisecond))
	if len(a) != 36 || a[14] != '7' || a >= b {
		t.Errorf("%s, then %s", a, b)
	}
}
