package cmaf

import (
	"strings"
	"time"
	"unicode/utf16"
)

// maxChapters bounds what is taken of a chapter list.
const maxChapters = 500

// neroChapters reads chpl: times in 100 ns, titles in UTF-8.
func (m *Movie) neroChapters(in *reader, b box) {
	p, err := in.payload(b, 9, 1<<17)
	if err != nil {
		return
	}
	head := 5 // version 0: count in a byte
	count := int(p[4])
	if p[0] == 1 {
		head, count = 9, int(p[8])
	}
	for p = p[head:]; count > 0 && len(p) >= 9 && len(m.Chapters) < maxChapters; count-- {
		start, n := u64(p), int(p[8])
		if n > len(p)-9 {
			return
		}
		if start < 1<<56 {
			m.Chapters = append(m.Chapters, Chapter{Start: time.Duration(start) * 100, Title: title(p[9 : 9+n])})
		}
		p = p[9+n:]
	}
}

// readChapters reads the text track that another track refers to as its
// chapters (QuickTime). It wins over chpl, whose titles are cut at 255 bytes.
func (m *Movie) readChapters() {
	var list *Track
	for _, t := range m.Tracks {
		for _, id := range t.chapters {
			for _, c := range m.Tracks {
				if c.ID == id && c.Kind == Text && c.TimeScale > 0 {
					list = c
				}
			}
		}
	}
	if list == nil || list.Samples == 0 {
		return
	}
	var found []Chapter
	all := m.open(list)
	var s sample
	buf := make([]byte, 1024)
	for len(found) < maxChapters && all.next(&s) == nil {
		p := buf[:min(s.size, int64(len(buf)))]
		if s.off < 0 || s.off > m.Size-int64(len(p)) || readFull(m.r, p, s.off) != nil {
			break
		}
		if len(p) < 2 {
			continue
		}
		n := min(int(u16(p)), len(p)-2)
		if text := title(p[2 : 2+n]); text != "" {
			found = append(found, Chapter{Start: scaled(s.dts+s.cts, list.TimeScale), Title: text})
		}
	}
	if len(found) > 0 {
		m.Chapters = found
	}
}

// title decodes UTF-8, or UTF-16 with a byte order mark.
func title(p []byte) string {
	if len(p) >= 2 && (p[0] == 0xfe && p[1] == 0xff || p[0] == 0xff && p[1] == 0xfe) {
		little := p[0] == 0xff
		var units []uint16
		for p = p[2:]; len(p) >= 2; p = p[2:] {
			if little {
				units = append(units, uint16(p[1])<<8|uint16(p[0]))
			} else {
				units = append(units, u16(p))
			}
		}
		return strings.TrimSpace(string(utf16.Decode(units)))
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(p), "\uFFFD"))
}

// open returns the samples of a track, from the tables or from the fragments.
func (m *Movie) open(t *Track) samples {
	if m.Fragmented && t.stbl.samples == 0 {
		return m.openFragments(t)
	}
	return t.stbl.open(m.r)
}
