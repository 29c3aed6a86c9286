package cmaf

import (
	"fmt"
	"strings"
	"time"
)

// read fills the track from trak. What was read before an error stays.
func (t *Track) read(in *reader, trak box) error {
	return in.children(trak.body, trak.end, func(b box) error {
		switch b.typ {
		case "tkhd":
			return t.readHeader(in, b)
		case "edts":
			return in.children(b.body, b.end, func(c box) error {
				if c.typ != "elst" {
					return nil
				}
				return t.readEdits(in, c)
			})
		case "tref":
			return in.children(b.body, b.end, func(c box) error {
				if c.typ != "chap" {
					return nil
				}
				p, err := in.payload(c, 0, 64)
				for ; len(p) >= 4; p = p[4:] {
					t.chapters = append(t.chapters, u32(p))
				}
				return err
			})
		case "mdia":
			return t.readMedia(in, b)
		}
		return nil
	})
}

// readHeader reads tkhd: id, whether it is enabled, rotation.
func (t *Track) readHeader(in *reader, b box) error {
	p, err := in.payload(b, 84, 96)
	if err != nil {
		return err
	}
	t.Enabled = p[3]&1 != 0
	matrix := 40
	t.ID = u32(p[12:])
	if p[0] == 1 {
		if len(p) < 96 {
			return fmt.Errorf("%w: tkhd at %d is too short", ErrMalformed, b.start)
		}
		matrix = 52
		t.ID = u32(p[20:])
	}
	unit := func(i int) int {
		switch v := int32(u32(p[matrix+4*i:])); {
		case v == 0:
			return 0
		case v > 0:
			return 1
		default:
			return -1
		}
	}
	switch [4]int{unit(0), unit(1), unit(3), unit(4)} {
	case [4]int{1, 0, 0, 1}, [4]int{}:
	case [4]int{0, 1, -1, 0}:
		t.Rotation = 90
	case [4]int{-1, 0, 0, -1}:
		t.Rotation = 180
	case [4]int{0, -1, 1, 0}:
		t.Rotation = 270
	default:
		t.Mirrored = true
	}
	return nil
}

// readMedia reads mdia. hdlr is read first, since stsd depends on it.
func (t *Track) readMedia(in *reader, mdia box) error {
	t.Kind = Other
	handler := ""
	err := in.children(mdia.body, mdia.end, func(b box) error {
		switch b.typ {
		case "mdhd":
			p, err := in.payload(b, 22, 34)
			if err != nil {
				return err
			}
			scale, language := 12, 20
			if p[0] == 1 {
				scale, language = 20, 32
			}
			if len(p) < language+2 {
				return fmt.Errorf("%w: mdhd at %d is too short", ErrMalformed, b.start)
			}
			t.TimeScale = u32(p[scale:])
			if t.Language == "" {
				t.Language = languageOf(u16(p[language:]))
			}
			if t.TimeScale == 0 {
				return fmt.Errorf("%w: timescale 0", ErrMalformed)
			}
		case "elng":
			p, err := in.payload(b, 4, 68)
			if err != nil {
				return err
			}
			if tag, _, _ := strings.Cut(string(p[4:]), "\x00"); isLanguageTag(tag) {
				t.Language = tag
			}
		case "hdlr":
			p, err := in.payload(b, 12, 256)
			if err != nil {
				return err
			}
			handler = string(p[8:12])
			if len(p) > 24 {
				t.Name = handlerName(p[24:])
			}
		}
		return nil
	})
	switch handler {
	case "vide":
		t.Kind = Video
	case "soun":
		t.Kind = Audio
	case "text", "sbtl", "subt", "clcp":
		t.Kind = Text
	}
	if err != nil {
		return err
	}
	return in.children(mdia.body, mdia.end, func(b box) error {
		if b.typ != "minf" {
			return nil
		}
		return in.children(b.body, b.end, func(c box) error {
			if c.typ != "stbl" {
				return nil
			}
			return t.readTables(in, c)
		})
	})
}

// isLanguageTag tells whether s looks like BCP 47.
func isLanguageTag(s string) bool {
	if len(s) < 2 || len(s) > 35 || s == "und" {
		return false
	}
	for _, c := range []byte(s) {
		if !(c == '-' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') {
			return false
		}
	}
	return true
}

// handlerName reads a C string, or QuickTime's counted one.
func handlerName(p []byte) string {
	if n := int(p[0]); n > 0 && n == len(p)-1 {
		p = p[1:]
	}
	name, _, _ := strings.Cut(string(p), "\x00")
	return strings.ToValidUTF8(strings.TrimSpace(name), "")
}

// readTables notes where the sample tables are and reads the sample entry.
func (t *Track) readTables(in *reader, stbl box) error {
	s := &t.stbl
	s.sizeBits = 32
	var entryErr error
	err := in.children(stbl.body, stbl.end, func(b box) error {
		var err error
		switch b.typ {
		case "stsd":
			entryErr = t.readDescription(in, b)
		case "stts":
			s.stts, err = in.table(b, 4, 8)
		case "ctts":
			s.ctts, err = in.table(b, 4, 8)
		case "stsc":
			s.stsc, err = in.table(b, 4, 12)
		case "stco":
			s.chunks, err = in.table(b, 4, 4)
		case "co64":
			s.co64 = true
			s.chunks, err = in.table(b, 4, 8)
		case "stss":
			s.hasStss = true
			s.stss, err = in.table(b, 4, 4)
		case "stsz":
			err = t.readSizes(in, b)
		case "stz2":
			err = t.readCompactSizes(in, b)
		}
		return err
	})
	if err != nil {
		s.samples = 0
		return err
	}
	return entryErr
}

// table finds an array of entries behind a count.
func (r *reader) table(b box, countAt int, stride int64) (table, error) {
	p, err := r.payload(b, countAt+4, countAt+4)
	if err != nil {
		return table{}, err
	}
	t := table{off: b.body + int64(countAt) + 4, count: int64(u32(p[countAt:])), stride: stride}
	if have := (b.end - t.off) / stride; t.count > have {
		return table{}, fmt.Errorf("%w: %q has room for %d of %d entries", ErrTables, b.typ, have, t.count)
	}
	return t, nil
}

func (t *Track) readSizes(in *reader, b box) error {
	p, err := in.payload(b, 12, 12)
	if err != nil {
		return err
	}
	s := &t.stbl
	s.size = int64(u32(p[4:]))
	s.samples = int64(u32(p[8:]))
	if s.size > 0 || s.samples == 0 {
		return nil
	}
	s.sizes, err = in.table(b, 8, 4)
	return err
}

func (t *Track) readCompactSizes(in *reader, b box) error {
	p, err := in.payload(b, 12, 12)
	if err != nil {
		return err
	}
	s := &t.stbl
	s.sizeBits, s.samples = int(p[7]), int64(u32(p[8:]))
	entries := s.samples
	stride := int64(s.sizeBits / 8)
	switch s.sizeBits {
	case 4:
		entries, stride = (entries+1)/2, 1
	case 8, 16:
	default:
		return fmt.Errorf("%w: stz2 of %d bits", ErrTables, s.sizeBits)
	}
	s.sizes = table{off: b.body + 12, count: entries, stride: stride}
	if entries*stride > b.size()-12 {
		return fmt.Errorf("%w: stz2 is too short for %d samples", ErrTables, s.samples)
	}
	return nil
}

// readEdits reads elst into what classify needs.
func (t *Track) readEdits(in *reader, b box) error {
	head, err := in.payload(b, 8, 8)
	if err != nil {
		return err
	}
	stride := int64(12)
	if head[0] == 1 {
		stride = 20
	}
	list, err := in.table(b, 4, stride)
	if err != nil {
		return err
	}
	t.Edit.Count = int(list.count)
	c := list.open(in.r)
	for i := range min(list.count, 64) {
		e, err := c.at(i)
		if err != nil {
			return err
		}
		var x rawEdit
		if stride == 20 {
			x.length, x.media = int64(u64(e)), int64(u64(e[8:]))
		} else {
			x.length, x.media = int64(u32(e)), int64(int32(u32(e[4:])))
		}
		x.rate = u32(e[stride-4:])
		if x.length < 0 || x.length > 1<<45 {
			return fmt.Errorf("%w: edit of %d", ErrMalformed, x.length)
		}
		t.edits = append(t.edits, x)
	}
	return nil
}

// rawEdit is an entry of elst: length in the movie's timescale, media time in
// the track's (-1: empty), rate in 16.16.
type rawEdit struct {
	length, media int64
	rate          uint32
}

// maxPriming is the longest start of a sound track that is taken for the
// encoder's priming and not for a cut: iTunes has 2112 samples, others up to
// twice a frame of HE-AAC.
const maxPriming = 4096

// classify settles Edit, once times are measured.
func (t *Track) classify(movieScale uint32) {
	e := &t.Edit
	media := 0
	for i, x := range t.edits {
		switch {
		case x.media < 0 && media == 0:
			e.Delay += scaled(x.length, movieScale)
			e.worse(EditLate)
		case x.media < 0 && i == len(t.edits)-1:
			// Emptiness at the end shows nothing.
		case x.media < 0:
			e.worse(EditSeveral)
		default:
			if media == 0 {
				e.MediaTime = x.media
			}
			media++
			e.Length += scaled(x.length, movieScale)
			if x.rate != 1<<16 {
				e.worse(EditRate)
			}
		}
	}
	if e.Delay == 0 && e.Kind == EditLate {
		e.Kind = EditNone
	}
	if media > 1 || e.Count > len(t.edits) {
		e.worse(EditSeveral)
	}
	if media == 0 || t.TimeScale == 0 {
		return
	}
	// In fragments media time counts from the first fragment's own time.
	skipped := e.MediaTime - t.FirstPTS
	switch {
	case skipped < 0:
		e.Delay += scaled(-skipped, t.TimeScale)
		e.worse(EditLate)
	case t.Kind == Audio && skipped <= maxPriming*int64(t.TimeScale)/int64(max(t.SampleRate, 8000)):
		if skipped > 0 {
			e.worse(EditTrivial)
		}
	case skipped > 0:
		e.worse(EditTrims)
	case e.MediaTime > 0:
		e.worse(EditTrivial)
	}
	frame := t.MaxFrame
	if t.Kind == Audio {
		frame *= 2 // an encoder pads its last frames
	}
	// Lengths of edits are in the movie's timescale, often milliseconds.
	hidden := scaled(t.EndPTS-e.MediaTime, t.TimeScale) - e.Length
	if e.Length > 0 && hidden >= max(scaled(frame, t.TimeScale)-time.Millisecond, 2*time.Millisecond) {
		e.worse(EditTrims)
	}
}

func (e *Edit) worse(k EditKind) { e.Kind = max(e.Kind, k) }
