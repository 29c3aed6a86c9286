package ingest

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reprise/vod"
)

// bombs are files of boxes that say more than they hold.
var bombs = map[string]maker{
	"boxes in boxes":         bytesOf("film.mp4", nested("moov", 40_000)),
	"containers in moov":     bytesOf("film.mp4", append(fileType(), nestedIn("moov", "udta", 20_000)...)),
	"a million empty boxes":  bytesOf("film.mp4", append(append(fileType(), be32(8_000_008)...), append([]byte("moov"), bytes.Repeat([]byte("\x00\x00\x00\x08free"), 1_000_000)...)...)),
	"100,000 tracks":         bytesOf("film.mp4", manyTracks(100_000)),
	"a box of 2^62":          bytesOf("film.mp4", append(fileType(), append(append([]byte{0, 0, 0, 1}, "moov"...), 0x40, 0, 0, 0, 0, 0, 0, 0)...)),
	"2^32 sample times":      surgery(plainFilm, func(moov *atom) { count(moov, "stts") }),
	"2^32 chunk offsets":     surgery(plainFilm, func(moov *atom) { count(moov, "stco") }),
	"2^32 sample sizes":      surgery(plainFilm, func(moov *atom) { setAt(moov, "stsz", 8, math.MaxUint32) }),
	"2^32 samples of a size": surgery(plainFilm, func(moov *atom) { setAt(moov, "stsz", 4, 1); setAt(moov, "stsz", 8, math.MaxUint32) }),
	"2^32 samples a chunk":   surgery(plainFilm, func(moov *atom) { setAt(moov, "stsc", 12, math.MaxUint32) }),
	"2^32 times one sample":  surgery(plainFilm, func(moov *atom) { setAt(moov, "stts", 8, math.MaxUint32) }),
	"a sample of 2^32":       surgery(plainFilm, func(moov *atom) { setAt(moov, "stts", 12, math.MaxUint32) }),
	"an endless film":        surgery(plainFilm, func(moov *atom) { setAt(moov, "mvhd", 16, math.MaxUint32); setAt(moov, "mdhd", 16, math.MaxUint32) }),
	"2^32 edits":             surgery(plainFilm, func(moov *atom) { count(moov, "elst") }),
	"100,000 edits": surgery(plainFilm, func(moov *atom) {
		for _, trak := range moov.tracks() {
			setEdits(moov, trak, slicesOf(edit{4.6, 0, 0}, 100_000)...)
		}
	}),
	"an edit of a year": surgery(plainFilm, func(moov *atom) { setEdits(moov, moov.tracks()[0], edit{3e6, -1, 0}, edit{4.6, 0, 0}) }),
	"timescale of one":  surgery(plainFilm, func(moov *atom) { setAt(moov, "mdhd", 12, 1) }),
	"timescale of none": surgery(plainFilm, func(moov *atom) { setAt(moov, "mdhd", 12, 0) }),
	"a run of 2^32":     change(plainPattern.encode("film.mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof"), func(b []byte) []byte { return countRun(b) }),
	"Matroska of lengths": change(plainPattern.encode("film.mkv"), func(b []byte) []byte {
		copy(b[len(b)/3:], bytes.Repeat([]byte{0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}, 50))
		return b
	}),
}

func slicesOf(e edit, n int) []edit {
	list := make([]edit, n)
	for i := range list {
		list[i] = e
	}
	return list
}

func fileType() []byte {
	return append(be32(24), "ftypisom\x00\x00\x02\x00isomiso2"...)
}

// nested is a box in a box in a box.
func nested(kind string, depth int) []byte {
	return append(fileType(), nestedIn(kind, kind, depth)...)
}

func nestedIn(first, kind string, depth int) (b []byte) {
	for i := range depth {
		if i > 0 {
			first = kind
		}
		b = append(append(b, be32(uint32(8*(depth-i)))...), first...)
	}
	return b
}

// manyTracks is a movie of so many tracks that hold nothing.
func manyTracks(n int) []byte {
	head := make([]byte, 84)
	trak := &atom{kind: "trak", children: []*atom{{kind: "tkhd", body: head}, {kind: "mdia", children: []*atom{
		{kind: "mdhd", body: append(be32(0, 0, 0, 1000, 4600), 0, 0, 0, 0)}, {kind: "hdlr", body: append(be32(0, 0), "vide\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)},
	}}}}
	moov := append([]byte("moov"), (&atom{kind: "mvhd", body: make([]byte, 100)}).bytes()...)
	moov = append(moov, bytes.Repeat(trak.bytes(), n)...)
	return append(fileType(), append(be32(uint32(len(moov)+4)), moov...)...)
}

// setAt writes a word into every box of a kind, where there is room.
func setAt(moov *atom, kind string, at int, value uint32) {
	visit := func(a *atom) {
		if len(a.body) >= at+4 {
			binary.BigEndian.PutUint32(a.body[at:], value)
		}
	}
	moov.each(kind, visit)
}

func count(moov *atom, kind string) { setAt(moov, kind, 4, math.MaxUint32) }

// countRun makes the first run of samples claim 2^32 of them.
func countRun(b []byte) []byte {
	at := bytes.Index(b, []byte("trun"))
	binary.BigEndian.PutUint32(b[at+8:], math.MaxUint32)
	return b
}

// TestBombs: each is settled soon, within the limits of a child, one way or
// the other; what is taken for a film plays.
func TestBombs(t *testing.T) {
	t.Parallel()
	for name, make := range bombs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setupIn(t, t.TempDir(), Config{Threads: 1, MemoryLimit: 2 << 30, MaxDuration: time.Hour, ProbeTimeout: 30 * time.Second})
			began := time.Now()
			a := w.ingest(make(t, t.TempDir()), AddOptions{})
			t.Logf("%s %v after %v", a.State, codes(a.Findings), time.Since(began).Round(time.Millisecond))
			if a.State == vod.Failed {
				(&oddRow{}).refusal(t, w, a)
				return
			}
			m := w.media(a)
			w.decodeAll(w.checkRules(m))
			if m.Duration().Duration() > 2*time.Minute {
				t.Errorf("a film of %v was made", m.Duration().Duration())
			}
		})
	}
}

// TestNames: a file's name is what a stranger wrote.
func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a\x1b[31mb\x07\r\n.mp4":             "a [31mb .mp4",
		"film\u202e4pm.exe":                  "film4pm.exe",
		"\u2066\u200ffilm\u2069.mp4":         "film.mp4",
		"../../etc/passwd":                   "passwd",
		"..":                                 "film",
		"C:\\Users\\x\\film.mp4":             "C: Users x film.mp4",
		"\xff\xfe.mp4":                       ".mp4",
		"film\x00.mp4":                       "film .mp4",
		strings.Repeat("x", 4096) + ".mp4":   strings.Repeat("x", 200),
		"Entretien\u00a0: l’été à Orléans.m": "Entretien : l’été à Orléans.m",
		"-i http:.mp4":                       "-i http:.mp4",
	} {
		if got := cleanName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
	w := setupIn(t, t.TempDir(), Config{Threads: 1})
	dir := t.TempDir()
	for _, name := range []string{"-y", "concat:a|b.mp4", "%d.mp4", "pipe:0", "a\nb\x1b[2J.mp4", strings.Repeat("é", 120) + ".mp4"} {
		path := filepath.Join(dir, name)
		if err := os.Rename(plainFilm(t, t.TempDir()), path); err != nil {
			t.Fatal(err)
		}
		w.media(w.ingest(path, AddOptions{}))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
