package cmaf

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Retime makes segment index of a slate from its template: the one long segment
// of a rendition that PackageAll wrote. nominal is the length of the slate's
// segments but the last, length that of this one, both in ticks.
//
// Sequence number is index+1 and tfdt continues from segment to segment; samples
// past length are dropped, the last one kept is stretched (or a lone one cut) to
// end exactly at length (R152, R161). Sound has its priming frame in segment 0
// only (R158). The template must have no B-frames and at least length ticks.
//
// The segment is appended to dst, which is grown at most once: with a nil dst
// that is the one allocation. It is safe for concurrent use.
func Retime(dst []byte, init, template []byte, index int, nominal, length int64) ([]byte, error) {
	if index < 0 || nominal <= 0 || nominal > 1<<40 || length <= 0 || length > 1<<31 || int64(index) > 1<<60/nominal {
		return nil, fmt.Errorf("retime: %w: segment %d, %d of %d ticks", ErrPlan, index, length, nominal)
	}
	if scale := timescaleOf(init); scale != TimeScale {
		return nil, fmt.Errorf("retime: %w: timescale %d", ErrTemplate, scale)
	}
	var space [512]segmentSample
	list, decode, data, ok := readSegment(space[:0], template)
	if !ok {
		return nil, fmt.Errorf("retime: %w", ErrTemplate)
	}
	priming := MediaTimeBase - decode
	if priming < 0 || priming >= length+nominal {
		return nil, fmt.Errorf("retime: %w: it starts at %d", ErrTemplate, decode)
	}
	for skip := priming; index > 0 && skip > 0; {
		if skip < int64(list[0].dur) || len(list) == 1 {
			return nil, fmt.Errorf("retime: %w: priming of %d ticks", ErrTemplate, priming)
		}
		skip -= int64(list[0].dur)
		data = data[list[0].size:]
		list = list[1:]
	}
	want := length
	if index == 0 {
		want += priming
	} else {
		decode = MediaTimeBase + int64(index)*nominal
	}
	list, bytes, ok := cut(list, want)
	if !ok {
		return nil, fmt.Errorf("retime: %w: it is shorter than %d ticks", ErrTemplate, length)
	}
	head := moofShape(list).size + 8
	start := len(dst)
	if at := cap(template) - cap(data) - head; at >= 0 {
		// Both parts at once: append does not clear what it overwrites, make
		// would, and that costs as much as the copy.
		dst = append(dst, template[at:at+head+bytes]...)
		appendMoof(dst[:start], uint32(index)+1, decode, list)
		return dst, nil
	}
	dst = slices.Grow(dst, head+bytes)
	dst = appendMoof(dst, uint32(index)+1, decode, list)
	return append(dst, data[:bytes]...), nil
}

// cut keeps the samples that fit into want ticks and lets the last one end
// there. ok is false when all of them are shorter than that by a frame or more.
func cut(list []segmentSample, want int64) (kept []segmentSample, bytes int, ok bool) {
	n := 0
	at := int64(0)
	for n < len(list) && at+int64(list[n].dur) <= want {
		at += int64(list[n].dur)
		bytes += int(list[n].size)
		n++
	}
	if n == 0 {
		bytes, n = int(list[0].size), 1
		at = int64(list[0].dur)
	}
	last := &list[n-1]
	if n == len(list) && want-at >= int64(last.dur) {
		return nil, 0, false
	}
	last.dur = uint32(int64(last.dur) + want - at)
	return list[:n], bytes, true
}

// find returns the content of the first box of that type in p.
func find(p []byte, typ string) []byte {
	for len(p) >= 8 {
		size := binary.BigEndian.Uint32(p)
		if size < 8 || uint64(size) > uint64(len(p)) {
			return nil
		}
		if string(p[4:8]) == typ {
			return p[8:size]
		}
		p = p[size:]
	}
	return nil
}

// timescaleOf returns the timescale of an init segment's first track.
func timescaleOf(init []byte) uint32 {
	mdhd := find(find(find(find(init, "moov"), "trak"), "mdia"), "mdhd")
	switch {
	case len(mdhd) >= 24 && mdhd[0] == 0:
		return u32(mdhd[12:])
	case len(mdhd) >= 36 && mdhd[0] == 1:
		return u32(mdhd[20:])
	}
	return 0
}

// readSegment reads a segment of one moof with one run and its mdat, as
// appendMoof writes it, without composition offsets.
func readSegment(list []segmentSample, p []byte) (_ []segmentSample, decode int64, data []byte, ok bool) {
	traf := find(find(p, "moof"), "traf")
	tfhd, tfdt, trun := find(traf, "tfhd"), find(traf, "tfdt"), find(traf, "trun")
	data = find(p, "mdat")
	if len(tfhd) < 8 || len(tfdt) < 12 || tfdt[0] != 1 || len(trun) < 8 {
		return nil, 0, nil, false
	}
	var one run
	var base int64
	if one.trackExtends.header(tfhd, &base) != nil {
		return nil, 0, nil, false
	}
	one.flags = u32(trun) & 0xffffff
	n := u32(trun[4:])
	trun = trun[8:]
	for _, flag := range []uint32{trunDataOffset, trunFirstFlags} {
		if one.flags&flag != 0 {
			if len(trun) < 4 {
				return nil, 0, nil, false
			}
			one.first = u32(trun)
			trun = trun[4:]
		}
	}
	stride := 0
	for _, flag := range []uint32{trunDuration, trunSize, trunFlags, trunComposition} {
		if one.flags&flag != 0 {
			stride += 4
		}
	}
	if n == 0 || stride == 0 || uint64(n)*uint64(stride) > uint64(len(trun)) {
		return nil, 0, nil, false
	}
	left := int64(len(data))
	var x sample
	for i := range int64(n) {
		flags := one.entry(i, trun[int(i)*stride:], &x)
		if left -= x.size; left < 0 || x.cts != 0 || x.dur <= 0 {
			return nil, 0, nil, false
		}
		list = append(list, segmentSample{size: uint32(x.size), dur: uint32(x.dur), flags: flags})
	}
	return list, int64(u64(tfdt[4:])), data, true
}
