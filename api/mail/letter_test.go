package mail

import (
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata")

func testLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestLetters holds every letter, in both languages, as people get it.
func TestLetters(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []Kind{Invitation, Reminder, Received, CameIn, Refused, Ready} {
		for _, language := range []string{"fr", "en"} {
			t.Run(string(kind)+"."+language, func(t *testing.T) {
				t.Parallel()
				l := Letter{
					ID: "fixed", Kind: kind, Language: language, To: "zoe@example.net", Name: "Zoé Martin", Conference: "Reprise 2026", Talk: "R&D <live>", Speaker: "Zoé Martin",
					Link: "https://video.example.org/hand-in/abc?x=1&y=2", Deadline: time.Date(2026, 12, 1, 13, 0, 0, 0, time.UTC), Lock: time.Date(2027, 7, 14, 21, 59, 0, 0, time.UTC), Zone: paris,
					Note: "Merci d’avance & à bientôt,\n\nl’équipe", File: "exposé.mp4", Size: 1_450_000_000,
					Findings: map[string][]string{"fr": {"Le son est faible\u00a0: il est amplifié.", "L’image est petite."}, "en": {"The sound is quiet: it is amplified.", "The picture is small."}}[language],
				}
				m, err := Write(l, noon)
				if err != nil {
					t.Fatal(err)
				}
				if m.State != Waiting || m.Language != language || !m.Created.Equal(noon) || m.Kind != kind {
					t.Errorf("%+v", m)
				}
				wellFormed(t, m.HTML)
				if language == "fr" {
					frenchSigns(t, m.Subject+"\n"+m.Text)
				}
				name := filepath.Join("testdata", "letters", string(kind)+"."+language+".txt")
				got := fmt.Sprintf("Subject: %s\n\n%s\n-- html --\n%s", m.Subject, m.Text, m.HTML)
				if *update {
					if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// wellFormed holds that a page is one tree: no stray markup came in with the texts.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta", "br"}, xml.HTMLEntity
	for {
		token, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, page)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "live" {
			t.Errorf("a title became markup: %s", page)
		}
	}
}

// frenchSigns holds the spaces of French typography.
func frenchSigns(t *testing.T, text string) {
	t.Helper()
	runes := []rune(text)
	for i, r := range runes {
		before := ' '
		if i > 0 {
			before = runes[i-1]
		}
		after := ' '
		if i+1 < len(runes) {
			after = runes[i+1]
		}
		around := string(runes[max(0, i-15):min(len(runes), i+15)])
		switch {
		case r == ':' && before != '\u00a0' && unicode.IsSpace(after), r == '»' && before != '\u00a0', r == '«' && after != '\u00a0':
			t.Errorf("U+00A0 is missing in %q", around)
		case strings.ContainsRune(";!?", r) && before != '\u202f' && unicode.IsSpace(after):
			t.Errorf("U+202F is missing in %q", around)
		case r == '\'' || r == '"':
			t.Errorf("a typewriter's sign in %q", around)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, fr, en string
		at           time.Time
	}{
		{"Europe/Paris", "mardi 1er décembre 2026 à 14 h 00 (heure de Paris, UTC+1)", "Tuesday 1 December 2026 at 14:00 (Paris time, UTC+1)", time.Date(2026, 12, 1, 13, 0, 0, 0, time.UTC)},
		{"Europe/Paris", "mardi 14 juillet 2026 à 9 h 05 (heure de Paris, UTC+2)", "Tuesday 14 July 2026 at 09:05 (Paris time, UTC+2)", time.Date(2026, 7, 14, 7, 5, 0, 0, time.UTC)},
		{"Europe/Athens", "jeudi 1er janvier 2026 à 0 h 00 (heure d’Athènes, UTC+2)", "Thursday 1 January 2026 at 00:00 (Athens time, UTC+2)", time.Date(2025, 12, 31, 22, 0, 0, 0, time.UTC)},
		{"America/St_Johns", "jeudi 1er janvier 2026 à 9 h 30 (heure de St Johns, UTC−3:30)", "Thursday 1 January 2026 at 09:30 (St Johns time, UTC−3:30)", time.Date(2026, 1, 1, 13, 0, 0, 0, time.UTC)},
		{"UTC", "jeudi 1er janvier 2026 à 13 h 00 UTC", "Thursday 1 January 2026 at 13:00 UTC", time.Date(2026, 1, 1, 13, 0, 0, 0, time.UTC)},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		plain := func(s string) string { return strings.ReplaceAll(s, "\u00a0", " ") }
		if got := plain(frenchTime(c.at, zone)); got != c.fr {
			t.Errorf("%q, want %q", got, c.fr)
		}
		if got := plain(englishTime(c.at, zone)); got != c.en {
			t.Errorf("%q, want %q", got, c.en)
		}
	}
	if got := frenchTime(noon, nil); got != "mardi 24\u00a0novembre\u00a02026 à 12\u00a0h\u00a000 UTC" {
		t.Errorf("%q", got)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	if a, b := NewID(), NewID(); a == b || len(a) != 26 {
		t.Errorf("%s, %s", a, b)
	}
	if a, b := IDFor(Received, "ab", "c"), IDFor(Received, "a", "bc"); a == b || len(a) != 26 || a != IDFor(Received, "ab", "c") || a == IDFor(Ready, "ab", "c") {
		t.Errorf("%s, %s", a, b)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	good := Letter{Kind: Ready, To: "a@example.org", Link: "https://example.org/x"}
	for name, change := range map[string]func(*Letter){
		"no address": func(l *Letter) { l.To = "" },
		"two":        func(l *Letter) { l.To = "a@example.org,b@example.org" },
		"reply":      func(l *Letter) { l.ReplyTo = "nobody" },
		"script":     func(l *Letter) { l.Link = "javascript:alert(1)" },
		"no link":    func(l *Letter) { l.Link = "" },
		"line end":   func(l *Letter) { l.Link = "https://example.org/\nx" },
		"kind":       func(l *Letter) { l.Kind = "poem" },
	} {
		l := good
		change(&l)
		if _, err := Write(l, noon); err == nil || strings.Contains(err.Error(), "example.org/") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Write(good, noon); err != nil {
		t.Error(err)
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("a\r\nb\u2028c\u202ed\x00\xff  e")
	f.Fuzz(func(t *testing.T, s string) {
		got := oneLine(s, 50)
		if strings.ContainsFunc(got, unicode.IsControl) || len([]rune(got)) > 50 || oneLine(got, 50) != got {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}
