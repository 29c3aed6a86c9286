package ingest

import (
	"encoding/binary"
	"math"
	"slices"
)

// atom is a box of an MP4 file, for surgery on it: a container has children, all others have bytes.
type atom struct {
	kind     string // four characters; empty: the file
	body     []byte
	children []*atom
	large    bool // its size is written in 64 bits
}

// containers are the boxes that are taken apart.
var containers = []string{"moov", "trak", "mdia", "minf", "stbl", "edts", "dinf", "moof", "traf", "mvex"}

// readAtoms takes a file apart. Its boxes are whole: ffmpeg has just written them.
func readAtoms(b []byte) *atom {
	file := &atom{}
	for len(b) >= 8 {
		n, head := int(binary.BigEndian.Uint32(b)), 8
		if n == 1 {
			n, head = int(binary.BigEndian.Uint64(b[8:])), 16
		}
		if n == 0 {
			n = len(b)
		}
		a := &atom{kind: string(b[4:8]), large: head == 16}
		if slices.Contains(containers, a.kind) {
			a.children = readAtoms(b[head:n]).children
		} else {
			a.body = slices.Clone(b[head:n])
		}
		file.children = append(file.children, a)
		b = b[n:]
	}
	return file
}

// bytes puts it together again.
func (a *atom) bytes() []byte {
	body := slices.Clone(a.body)
	for _, c := range a.children {
		body = append(body, c.bytes()...)
	}
	switch {
	case a.kind == "":
		return body
	case a.large:
		head := append([]byte{0, 0, 0, 1}, a.kind...)
		return append(binary.BigEndian.AppendUint64(head, uint64(len(body)+16)), body...)
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))
	return append(append(head, a.kind...), body...)
}

// child returns the first box on a path, nil when there is none.
func (a *atom) child(path ...string) *atom {
	for _, kind := range path {
		i := slices.IndexFunc(a.children, func(c *atom) bool { return c.kind == kind })
		if i < 0 {
			return nil
		}
		a = a.children[i]
	}
	return a
}

// tracks are the trak boxes of a moov.
func (a *atom) tracks() (list []*atom) {
	for _, c := range a.children {
		if c.kind == "trak" {
			list = append(list, c)
		}
	}
	return list
}

// table is the box of sample tables of a trak.
func (a *atom) table() *atom { return a.child("mdia", "minf", "stbl") }

// put adds a box, in the place of one of its kind.
func (a *atom) put(kind string, body []byte) {
	a.remove(kind)
	a.children = append(a.children, &atom{kind: kind, body: body})
}

func (a *atom) remove(kind string) {
	a.children = slices.DeleteFunc(a.children, func(c *atom) bool { return c.kind == kind })
}

// be32 writes numbers as big-endian words.
func be32(words ...uint32) (b []byte) {
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

// edit is an entry of an edit list: seconds, of the film and of the track; media below 0 is an empty edit.
type edit struct{ length, media, rate float64 }

// scale is the timescale of a track's media, or of a movie's header.
func (a *atom) scale() float64 {
	head := a.child("mdhd")
	if head == nil {
		head = a.child("mvhd")
	}
	at := 12
	if head.body[0] == 1 {
		at = 20
	}
	return float64(binary.BigEndian.Uint32(head.body[at:]))
}

// setEdits replaces the edit list of a track. from is where ffmpeg's own list
// begins in the media (what its encoder needs to begin): media times are counted from there.
func setEdits(moov, trak *atom, edits ...edit) {
	own := int64(0)
	if list := trak.child("edts", "elst"); list != nil {
		entries := list.body[8:]
		for len(entries) >= 12 {
			if at := int32(binary.BigEndian.Uint32(entries[4:])); at > 0 {
				own = int64(at)
			}
			entries = entries[12:]
		}
	}
	body := be32(0, uint32(len(edits)))
	for _, e := range edits {
		media := int64(-1)
		if e.media >= 0 {
			media = own + int64(math.Round(e.media*trak.child("mdia").scale()))
		}
		rate := e.rate
		if rate == 0 {
			rate = 1
		}
		body = append(body, be32(uint32(math.Round(e.length*moov.scale())), uint32(int32(media)), uint32(rate*65536))...)
	}
	trak.remove("edts")
	trak.children = append(trak.children, &atom{kind: "edts", children: []*atom{{kind: "elst", body: body}}})
}

// toCo64 writes chunk offsets in 64 bits, with so much added.
func toCo64(moov *atom, add uint64) {
	for _, trak := range moov.tracks() {
		table := trak.table()
		old := table.child("stco").body
		body := slices.Clone(old[:8])
		for entries := old[8:]; len(entries) >= 4; entries = entries[4:] {
			body = binary.BigEndian.AppendUint64(body, uint64(binary.BigEndian.Uint32(entries))+add)
		}
		table.remove("stco")
		table.put("co64", body)
	}
}

// setMatrix turns a track: 0, 90, 180, 270 degrees clockwise.
func setMatrix(trak *atom, degrees int) {
	head := trak.child("tkhd").body
	at := 40
	if head[0] == 1 {
		at = 52
	}
	one, minus := uint32(1<<16), ^uint32(1<<16)+1
	m := map[int][4]uint32{0: {one, 0, 0, one}, 90: {0, one, minus, 0}, 180: {minus, 0, 0, minus}, 270: {0, minus, one, 0}}[degrees]
	copy(head[at:], be32(m[0], m[1], 0, m[2], m[3], 0, 0, 0, 1<<30))
}

// allAtoms calls f for every box of a kind, wherever it is.
func (a *atom) each(kind string, f func(*atom)) {
	for _, c := range a.children {
		if c.kind == kind {
			f(c)
		}
		c.each(kind, f)
	}
}
