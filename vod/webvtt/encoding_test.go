package webvtt

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

const (
	french  = "1\r\n00:00:01,000 --> 00:00:02,500\r\n« Où est l’œuvre ? À côté, là-bas : ça coûte 10 €… »\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\nÉtait-ce Noël, à la fête d’août ?\r\n"
	english = "1\n00:00:01,000 --> 00:00:02,500\nIt’s “fine” – we’ll see…\n"
	plain   = "1\n00:00:01,000 --> 00:00:02,500\nNothing special\n"
)

func utf16Bytes(s string, order binary.AppendByteOrder) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

func encoded(t *testing.T, table *charmap.Charmap, s string) []byte {
	t.Helper()
	out, err := table.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	// ISO 8859-15 has neither typographic quotes nor dashes.
	typewriter := strings.NewReplacer("’", "'", "“", `"`, "”", `"`, "–", "-", "…", "...").Replace(french)
	for _, c := range []struct {
		name     string
		data     []byte
		text     string
		encoding string
		guessed  bool
	}{
		{"ASCII", []byte(plain), plain, "utf-8", false},
		{"UTF-8", []byte(french), french, "utf-8", false},
		{"UTF-8 with mark", []byte("\ufeff" + french), french, "utf-8", false},
		{"UTF-8 with a broken byte", []byte(french + "\xff"), french + "\uFFFD", "utf-8", true},
		{"UTF-16 little", utf16Bytes("\ufeff"+french, binary.LittleEndian), french, "utf-16le", false},
		{"UTF-16 big", utf16Bytes("\ufeff"+french, binary.BigEndian), french, "utf-16be", false},
		{"UTF-16 little without mark", utf16Bytes(french, binary.LittleEndian), french, "utf-16le", true},
		{"UTF-16 big without mark", utf16Bytes(english, binary.BigEndian), english, "utf-16be", true},
		{"Windows, French", encoded(t, charmap.Windows1252, french), french, "windows-1252", true},
		{"Windows, English", encoded(t, charmap.Windows1252, english), english, "windows-1252", true},
		{"ISO 8859-15", encoded(t, charmap.ISO8859_15, typewriter), typewriter, "iso-8859-15", true},
		{"Macintosh, French", encoded(t, charmap.Macintosh, french), french, "macintosh", true},
		{"Macintosh, English", encoded(t, charmap.Macintosh, english), english, "macintosh", true},
		{"one letter", []byte("1\n00:00:01,000 --> 00:00:02,500\nd\xe9j\xe0 vu\n"), "1\n00:00:01,000 --> 00:00:02,500\ndéjà vu\n", "windows-1252", true},
		{"one letter of a Macintosh", []byte("1\n00:00:01,000 --> 00:00:02,500\nd\x8ej\x88 vu\n"), "1\n00:00:01,000 --> 00:00:02,500\ndéjà vu\n", "macintosh", true},
		{"declared", []byte("<?xml version='1.0' encoding='x-mac-roman'?><tt>\xd0</tt>"), "<?xml version='1.0' encoding='x-mac-roman'?><tt>–</tt>", "macintosh", false},
		{"declared as Latin-1", []byte("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><tt>\xe9</tt>"), "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><tt>é</tt>", "windows-1252", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text, encoding, guessed := Decode(c.data)
			if want := strings.ReplaceAll(c.text, "\r\n", "\n"); text != want || encoding != c.encoding || guessed != c.guessed {
				t.Errorf("%s (guessed %v): %q, want %s (%v): %q", encoding, guessed, text, c.encoding, c.guessed, want)
			}
		})
	}
}
