package cmaf

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"testing"
)

// mux writes progressive files that ffmpeg would not: 64-bit offsets, odd
// tables, hours of samples that share the same few bytes.
type mux struct {
	tracks  []muxTrack
	scale   uint32 // of the movie
	co64    bool
	perTime bool // one entry of stts a sample
}

type muxTrack struct {
	kind     Kind
	entry    []byte // sample entry
	scale    uint32
	samples  []sample // off in the file
	perChunk int      // samples of a chunk, which must be contiguous; 0: 1
	sizeBits int      // of stz2; 0: stsz
	edits    []rawEdit
}

// moov returns the movie header.
func (m *mux) moov() []byte {
	w := &builder{}
	w.box("moov", func() {
		w.full("mvhd", 0, 0, func() {
			w.zero(8)
			w.u32(m.scale)
			w.zero(84)
		})
		for i := range m.tracks {
			w.box("trak", func() { m.trak(w, uint32(i+1), &m.tracks[i]) })
		}
	})
	return w.b
}

func (m *mux) trak(w *builder, id uint32, t *muxTrack) {
	w.full("tkhd", 0, 1, func() {
		w.zero(8)
		w.u32(id)
		w.zero(24)
		w.matrix()
		w.zero(8)
	})
	if t.edits != nil {
		w.box("edts", func() {
			w.full("elst", 1, 0, func() {
				w.u32(uint32(len(t.edits)))
				for _, e := range t.edits {
					w.u64(uint64(e.length))
					w.u64(uint64(e.media))
					w.u32(e.rate)
				}
			})
		})
	}
	w.box("mdia", func() {
		w.full("mdhd", 0, 0, func() {
			w.zero(8)
			w.u32(t.scale)
			w.u32(0)
			w.u16(languageCode("fr"))
			w.u16(0)
		})
		w.full("hdlr", 0, 0, func() {
			w.u32(0)
			w.str(map[Kind]string{Video: "vide", Audio: "soun", Text: "text", Other: "meta"}[t.kind])
			w.zero(13)
		})
		w.box("minf", func() {
			w.box("stbl", func() { m.stbl(w, t) })
		})
	})
}

func (m *mux) stbl(w *builder, t *muxTrack) {
	n := len(t.samples)
	w.full("stsd", 0, 0, func() { w.u32(1); w.u8(t.entry...) })
	w.full("stts", 0, 0, func() {
		runsOf(w, n, func(a, b int) bool { return !m.perTime && t.samples[a].dur == t.samples[b].dur }, func(i int) { w.u32(uint32(t.samples[i].dur)) })
	})
	w.full("ctts", 1, 0, func() {
		runsOf(w, n, func(a, b int) bool { return t.samples[a].cts == t.samples[b].cts }, func(i int) { w.u32(uint32(t.samples[i].cts)) })
	})
	per := max(t.perChunk, 1)
	w.full("stsc", 0, 0, func() {
		entries := 1
		if n%per != 0 && n > per {
			entries = 2
		}
		w.u32(uint32(entries))
		first := per
		if n < per {
			first = n
		}
		for _, v := range []int{1, first, 1} {
			w.u32(uint32(v))
		}
		if entries == 2 {
			for _, v := range []int{n/per + 1, n % per, 1} {
				w.u32(uint32(v))
			}
		}
	})
	if t.sizeBits != 0 {
		w.full("stz2", 0, 0, func() {
			w.u32(uint32(t.sizeBits))
			w.u32(uint32(n))
			m.compact(w, t)
		})
	} else {
		w.full("stsz", 0, 0, func() {
			w.u32(0)
			w.u32(uint32(n))
			for _, s := range t.samples {
				w.u32(uint32(s.size))
			}
		})
	}
	w.full("stss", 0, 0, func() {
		at := len(w.b)
		w.u32(0)
		k := uint32(0)
		for i, s := range t.samples {
			if s.sync {
				w.u32(uint32(i + 1))
				k++
			}
		}
		binary.BigEndian.PutUint32(w.b[at:], k)
	})
	typ := "stco"
	if m.co64 {
		typ = "co64"
	}
	w.full(typ, 0, 0, func() {
		w.u32(uint32((n + per - 1) / per))
		for i := 0; i < n; i += per {
			if m.co64 {
				w.u64(uint64(t.samples[i].off))
			} else {
				w.u32(uint32(t.samples[i].off))
			}
		}
	})
}

func (m *mux) compact(w *builder, t *muxTrack) {
	for i, s := range t.samples {
		switch t.sizeBits {
		case 16:
			w.u16(uint16(s.size))
		case 8:
			w.u8(byte(s.size))
		case 4:
			if i%2 == 0 {
				w.u8(byte(s.size) << 4)
			} else {
				w.b[len(w.b)-1] |= byte(s.size)
			}
		}
	}
}

// runsOf writes a count of runs and the runs: length, then what value writes.
func runsOf(w *builder, n int, same func(a, b int) bool, value func(i int)) {
	at := len(w.b)
	w.u32(0)
	k := uint32(0)
	for i := 0; i < n; {
		j := i + 1
		for j < n && same(i, j) {
			j++
		}
		w.u32(uint32(j - i))
		value(i)
		k++
		i = j
	}
	binary.BigEndian.PutUint32(w.b[at:], k)
}

// samplesOf returns all samples of a track.
func samplesOf(t testing.TB, m *Movie, track int) []sample {
	t.Helper()
	var list []sample
	all := m.open(m.Tracks[track])
	for {
		var s sample
		if err := all.next(&s); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
}

// entryOf returns the sample entry of a track of a progressive file.
func entryOf(t testing.TB, file []byte, track int) []byte {
	t.Helper()
	moov := find(file, "moov")
	for {
		trak := find(moov, "trak")
		if trak == nil {
			t.Fatal("no such track")
		}
		if track == 0 {
			stsd := find(find(find(find(trak, "mdia"), "minf"), "stbl"), "stsd")
			return stsd[8:]
		}
		track--
		at := bytes.Index(moov, trak)
		moov = moov[at+len(trak):]
	}
}

// remux returns the tracks of a progressive file for mux.
func remux(t testing.TB, path string) (tracks []muxTrack, file []byte) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := inspect(t, path)
	for i, x := range m.Tracks {
		var edits []rawEdit
		if len(x.edits) > 0 {
			edits = []rawEdit{{media: x.Edit.MediaTime, rate: 1 << 16}}
		}
		tracks = append(tracks, muxTrack{kind: x.Kind, entry: entryOf(t, file, i), scale: x.TimeScale, samples: samplesOf(t, m, i), edits: edits})
	}
	return tracks, file
}
