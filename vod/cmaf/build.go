package cmaf

import "encoding/binary"

// builder appends boxes to a buffer.
type builder struct{ b []byte }

func (w *builder) u8(v ...byte)    { w.b = append(w.b, v...) }
func (w *builder) u16(v uint16)    { w.b = binary.BigEndian.AppendUint16(w.b, v) }
func (w *builder) u32(v uint32)    { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *builder) u64(v uint64)    { w.b = binary.BigEndian.AppendUint64(w.b, v) }
func (w *builder) str(s string)    { w.b = append(w.b, s...) }
func (w *builder) zero(n int)      { w.b = append(w.b, make([]byte, n)...) }
func (w *builder) patch(start int) { binary.BigEndian.PutUint32(w.b[start:], uint32(len(w.b)-start)) }

// box appends a box with what f appends as its content.
func (w *builder) box(typ string, f func()) {
	start := len(w.b)
	w.u32(0)
	w.str(typ)
	f()
	w.patch(start)
}

// full appends a full box: version and flags come first.
func (w *builder) full(typ string, version byte, flags uint32, f func()) {
	w.box(typ, func() {
		w.u32(uint32(version)<<24 | flags)
		f()
	})
}

// segmentSample is one sample of a segment to write: times in ticks.
type segmentSample struct {
	off   int64
	size  uint32
	dur   uint32
	cts   int32
	flags uint32
}

// appendMoof appends the moof of one segment and the header of the mdat that
// must follow (R151, R156, R159): one traf of track 1, tfdt and trun version 1,
// offsets from the start of moof. Sound has flagsSync for every sample, video
// for IDRs only.
func appendMoof(dst []byte, sequence uint32, decode int64, list []segmentSample) []byte {
	m := moofShape(list)
	dst = append32(dst, uint32(m.size))
	dst = append(dst, "moof\x00\x00\x00\x10mfhd\x00\x00\x00\x00"...)
	dst = append32(dst, sequence)
	dst = append32(dst, uint32(m.size-24))
	dst = append(dst, "traf\x00\x00\x00\x18tfhd"...)
	dst = append32(dst, tfhdBaseIsMoof|tfhdDuration|tfhdFlags)
	dst = append32(dst, 1)
	dst = append32(dst, list[0].dur)
	dst = append32(dst, m.flags)
	dst = append(dst, "\x00\x00\x00\x14tfdt\x01\x00\x00\x00"...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(decode))
	dst = append32(dst, uint32(m.size-24-8-24-20))
	dst = append(dst, "trun"...)
	dst = append32(dst, 1<<24|m.trun)
	dst = append32(dst, uint32(len(list)))
	dst = append32(dst, uint32(m.size+8))
	if m.trun&trunFirstFlags != 0 {
		dst = append32(dst, list[0].flags)
	}
	total := uint32(0)
	for i := range list {
		s := &list[i]
		if m.trun&trunDuration != 0 {
			dst = append32(dst, s.dur)
		}
		dst = append32(dst, s.size)
		if m.trun&trunFlags != 0 {
			dst = append32(dst, s.flags)
		}
		if m.trun&trunComposition != 0 {
			dst = append32(dst, uint32(s.cts))
		}
		total += s.size
	}
	dst = append32(dst, total+8)
	return append(dst, "mdat"...)
}

func append32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }

// shape is what a moof needs: its size, the flags of trun, the default sample flags.
type shape struct {
	size  int
	trun  uint32
	flags uint32
}

func moofShape(list []segmentSample) shape {
	m := shape{trun: trunDataOffset | trunSize, flags: list[len(list)-1].flags}
	if len(list) > 1 {
		m.flags = list[1].flags
	}
	for i := range list {
		s := &list[i]
		if s.dur != list[0].dur {
			m.trun |= trunDuration
		}
		if s.cts != 0 {
			m.trun |= trunComposition
		}
		if s.flags != m.flags {
			if i == 0 {
				m.trun |= trunFirstFlags
			} else {
				m.trun |= trunFlags
			}
		}
	}
	if m.trun&trunFlags != 0 {
		m.trun &^= trunFirstFlags
	}
	stride := 4
	for _, f := range []uint32{trunDuration, trunFlags, trunComposition} {
		if m.trun&f != 0 {
			stride += 4
		}
	}
	m.size = 8 + 16 + 8 + 24 + 20 + 20 + stride*len(list)
	if m.trun&trunFirstFlags != 0 {
		m.size += 4
	}
	return m
}
