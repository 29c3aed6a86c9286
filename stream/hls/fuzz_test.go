package hls

import (
	"bytes"
	"testing"
)

// FuzzParseMedia: nothing panics, and what is accepted can be printed, parsed
// again and printed to the same bytes.
func FuzzParseMedia(f *testing.F) {
	for _, m := range goldenMedia() {
		f.Add(AppendMedia(nil, m))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := ParseMedia(body)
		if err != nil {
			return
		}
		once := AppendMedia(nil, m)
		again, err := ParseMedia(once)
		if err != nil {
			t.Fatalf("what was printed is refused: %v\n%s", err, once)
		}
		if len(again.Segments) != len(m.Segments) || len(again.DateRanges) != len(m.DateRanges) {
			t.Fatalf("segments or date ranges are lost\n%s", once)
		}
		if twice := AppendMedia(nil, again); !bytes.Equal(once, twice) {
			t.Fatalf("printed twice:\n%s\nand:\n%s", once, twice)
		}
	})
}

// FuzzParseMultivariant: as FuzzParseMedia.
func FuzzParseMultivariant(f *testing.F) {
	for _, m := range goldenMultivariant() {
		f.Add(AppendMultivariant(nil, m))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := ParseMultivariant(body)
		if err != nil {
			return
		}
		once := AppendMultivariant(nil, m)
		again, err := ParseMultivariant(once)
		if err != nil {
			t.Fatalf("what was printed is refused: %v\n%s", err, once)
		}
		if len(again.Variants) != len(m.Variants) || len(again.Groups) != len(m.Groups) {
			t.Fatalf("variants or groups are lost\n%s", once)
		}
		if twice := AppendMultivariant(nil, again); !bytes.Equal(once, twice) {
			t.Fatalf("printed twice:\n%s\nand:\n%s", once, twice)
		}
	})
}
