package webvtt

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Names of encodings, as IANA writes them, in lower case.
const (
	utf8Name    = "utf-8"
	utf16LE     = "utf-16le"
	utf16BE     = "utf-16be"
	windows1252 = "windows-1252"
	iso885915   = "iso-8859-15"
	macintosh   = "macintosh"
)

// alphabet is an encoding of one byte a letter.
type alphabet struct {
	name  string
	table *charmap.Charmap
}

// alphabets are those that people's files have here, the most usual first: it wins where the text does not tell.
func alphabets() []alphabet {
	return []alphabet{{windows1252, charmap.Windows1252}, {iso885915, charmap.ISO8859_15}, {macintosh, charmap.Macintosh}}
}

// Decode makes UTF-8 with LF line ends of a text file, and names its encoding
// (as File does). guessed is true when nothing in the file says what it is.
func Decode(data []byte) (text, encoding string, guessed bool) {
	text, encoding, guessed = decodeBytes(data)
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	return strings.ReplaceAll(text, "\x00", "\uFFFD"), encoding, guessed
}

func decodeBytes(data []byte) (text, encoding string, guessed bool) {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return strings.ToValidUTF8(string(data[3:]), "\uFFFD"), utf8Name, !utf8.Valid(data)
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return fromUTF16(data[2:], binary.LittleEndian), utf16LE, false
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return fromUTF16(data[2:], binary.BigEndian), utf16BE, false
	}
	if order, name := bareUTF16(data); order != nil {
		return fromUTF16(data, order), name, true
	}
	if utf8.Valid(data) {
		return string(data), utf8Name, false
	}
	if mostlyUTF8(data) {
		return strings.ToValidUTF8(string(data), "\uFFFD"), utf8Name, true
	}
	if a := declared(data); a != nil {
		return a.decode(data), a.name, false
	}
	best := alphabet{}
	score := 0
	for _, a := range alphabets() {
		if s := a.score(data); best.table == nil || s > score {
			best, score = a, s
		}
	}
	return best.decode(data), best.name, true
}

func fromUTF16(p []byte, order binary.ByteOrder) string {
	units := make([]uint16, 0, len(p)/2)
	for ; len(p) >= 2; p = p[2:] {
		units = append(units, order.Uint16(p))
	}
	return string(utf16.Decode(units))
}

// bareUTF16 finds UTF-16 without a byte order mark: times and line ends make
// every other byte zero in nearly half of a file of captions, whatever its script.
func bareUTF16(data []byte) (binary.ByteOrder, string) {
	sample := data[:min(len(data), 4096)&^1]
	var zeros [2]int
	for i, b := range sample {
		if b == 0 {
			zeros[i&1]++
		}
	}
	many, few := len(sample)/6, len(sample)/50
	switch {
	case len(sample) < 8:
	case zeros[1] > many && zeros[0] <= few:
		return binary.LittleEndian, utf16LE
	case zeros[0] > many && zeros[1] <= few:
		return binary.BigEndian, utf16BE
	}
	return nil, ""
}

// mostlyUTF8 tells a UTF-8 file with a few broken bytes from one of another
// encoding: there, letters over ASCII hardly ever form UTF-8 by chance.
func mostlyUTF8(data []byte) bool {
	good, bad := 0, 0
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		data = data[n:]
	}
	return good > 4*bad
}

// declared returns the alphabet that an XML declaration names, nil when it names none that is known.
func declared(data []byte) *alphabet {
	head := data[:min(len(data), 200)]
	if !bytes.HasPrefix(bytes.TrimSpace(head), []byte("<?xml")) {
		return nil
	}
	_, rest, ok := strings.Cut(string(head), "encoding=")
	if !ok || len(rest) < 2 {
		return nil
	}
	name, _, _ := strings.Cut(rest[1:], rest[:1])
	name = strings.ToLower(name)
	switch name {
	case "iso-8859-1", "latin1", "us-ascii":
		name = windows1252 // as browsers do: the same but for 27 letters that nobody uses as control codes
	case "x-mac-roman":
		name = macintosh
	}
	for _, a := range alphabets() {
		if a.name == name {
			return &a
		}
	}
	return nil
}

func (a alphabet) decode(data []byte) string {
	var out strings.Builder
	out.Grow(len(data) + len(data)/8)
	for _, b := range data {
		out.WriteRune(a.table.DecodeByte(b))
	}
	return out.String()
}

// score says how much data looks like French or English in this alphabet: each
// byte over ASCII counts by what it would be and by what it stands beside.
func (a alphabet) score(data []byte) int {
	total := 0
	for i, b := range data {
		if b < 0x80 {
			continue
		}
		before, after := ' ', ' '
		if i > 0 {
			before = a.table.DecodeByte(data[i-1])
		}
		if i+1 < len(data) {
			after = a.table.DecodeByte(data[i+1])
		}
		total += plausible(before, a.table.DecodeByte(b), after)
	}
	return total
}

func plausible(before, r, after rune) int {
	letterBefore, letterAfter := unicode.IsLetter(before), unicode.IsLetter(after)
	switch {
	case r == utf8.RuneError || unicode.IsControl(r):
		return -20
	case strings.ContainsRune("éèàçêùôîâûëïœ", r):
		return 4
	case unicode.IsLower(r):
		return 1
	case unicode.IsUpper(r) && unicode.IsLower(before):
		return -5 // a capital inside a word
	case unicode.IsUpper(r) && !letterBefore && !letterAfter && r != 'À' && r != 'Ô':
		return -2
	case strings.ContainsRune("ÉÈÀÇÊŒÔÎ", r):
		return 2
	case unicode.IsUpper(r):
		return 0
	case r == '’' && letterBefore:
		return 4
	case strings.ContainsRune("’‘“”«»–—…\u00a0€°•", r):
		return 2
	case letterBefore || letterAfter:
		return -4 // a symbol against a word
	}
	return -1
}
