package stream_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reprise/event"
	"reprise/stream"
	"reprise/stream/conformance"
	"reprise/vod"
)

var update = flag.Bool("update", false, "rewrite the golden playlists")

// section is one file of a txtar archive.
type section struct {
	name string
	body []byte
}

// parseTxtar reads the txtar format: a comment, then files headed by "-- name --".
func parseTxtar(b []byte) (comment []byte, sections []section) {
	for line := range bytes.Lines(b) {
		if name, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("-- ")); ok && bytes.HasSuffix(name, []byte(" --")) {
			sections = append(sections, section{name: string(bytes.TrimSuffix(name, []byte(" --")))})
			continue
		}
		if len(sections) == 0 {
			comment = append(comment, line...)
			continue
		}
		s := &sections[len(sections)-1]
		s.body = append(s.body, line...)
	}
	return comment, sections
}

func formatTxtar(comment []byte, sections []section) []byte {
	b := bytes.Clone(comment)
	for _, s := range sections {
		b = append(b, "-- "+s.name+" --\n"...)
		b = append(b, s.body...)
	}
	return b
}

// TestGolden asks for the playlists that the files in testdata name, at the
// hours they name (of 24 November 2026, UTC), and compares. -update rewrites.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w := onAir(t, stream.Config{Depth: 40 * time.Second})
			comment, sections := parseTxtar(text)
			for i := range sections {
				s := &sections[i]
				got := answer(t, w, s.name)
				if *update {
					s.body = got
				} else if !bytes.Equal(got, s.body) {
					t.Errorf("%s:\ngot\n%s\nwant\n%s", s.name, got, s.body)
				}
			}
			if *update {
				if err := os.WriteFile(file, formatTxtar(comment, sections), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// answer gives what a section names: "14:00:03.5 live/main/fr/v720.m3u8 [skip]".
func answer(t *testing.T, w *world, name string) []byte {
	t.Helper()
	fields := strings.Fields(name)
	hour, err := time.Parse("2006-01-02 15:04:05", "2026-11-24 "+fields[0])
	if err != nil {
		hour, err = time.Parse("2006-01-02T15:04:05", fields[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	doc, err := ask(w, fields[1], hour, len(fields) > 2)
	if err != nil {
		var gone *stream.Gone
		if !errors.Is(err, stream.ErrNotListed) && !errors.Is(err, stream.ErrNotFound) && !errors.As(err, &gone) {
			t.Fatal(err)
		}
		return []byte(err.Error() + "\n")
	}
	var faults []conformance.Fault
	switch {
	case strings.HasSuffix(fields[1], "/multivariant.m3u8"):
		faults = conformance.CheckMultivariant(doc.Body)
	case strings.HasSuffix(fields[1], "/audio.m3u8"):
		faults = conformance.CheckSoundOnly(doc.Body)
	case len(fields) > 2 && bytes.Contains(doc.Body, []byte("#EXT-X-SKIP")):
		full, err := ask(w, fields[1], hour, false)
		if err != nil {
			t.Fatal(err)
		}
		faults = conformance.CheckDelta(full.Body, doc.Body)
	default:
		faults = conformance.CheckMedia(doc.Body)
	}
	for _, f := range conformance.Serious(faults) {
		t.Errorf("%s: %v", name, f)
	}
	return doc.Body
}

// ask answers a path below /p/{token}/.
func ask(w *world, path string, now time.Time, skip bool) (*stream.Document, error) {
	parts := strings.Split(path, "/")
	a := stream.Address{View: stream.View(parts[0]), Event: "conf", Auditorium: event.AuditoriumID(parts[1]), Talk: event.TalkID(parts[1]), Media: vod.MediaID(parts[1])}
	if a.View != stream.Preview {
		a.Language = event.Language(parts[2])
	}
	switch rendition := strings.TrimSuffix(parts[len(parts)-1], ".m3u8"); rendition {
	case "multivariant":
		return w.Multivariant(a, now)
	case "audio":
		return w.SoundOnly(a, now)
	default:
		return w.Media(a, rendition, now, skip)
	}
}
