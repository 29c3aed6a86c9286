package cmaf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/abema/go-mp4"
)

// Check verifies an init segment and consecutive segments of one track against
// the rules for bytes, R150 to R153, R156 to R159 and R163, by an independent
// reading path. Each error names the rule and the segment (from 0). It is for
// tests and for `reprise verify`; it does not decode (R162).
//
// R158 is checked when the first segment has sequence number 1.
func Check(init []byte, segments ...[]byte) []error {
	c := &checker{}
	c.init(init)
	if len(c.errs) > 0 {
		return c.errs // what follows would be noise
	}
	next := int64(-1)
	for i, s := range segments {
		next = c.segment(i, s, next)
	}
	return c.errs
}

// CheckIndex verifies a whole object, as PackageAll wrote it, with its index:
// Check, and that the index says where the segments are, how long they are
// presented (R161) and where their I-frames end (R182).
func CheckIndex(object []byte, index *Index) []error {
	if index.InitSize > int64(len(object)) {
		return []error{fmt.Errorf("index: init of %d bytes in %d", index.InitSize, len(object))}
	}
	end := index.InitSize
	segments := make([][]byte, 0, len(index.Segments))
	for i, s := range index.Segments {
		if s.Offset != end || s.Size <= 0 || s.Offset+s.Size > int64(len(object)) {
			return []error{fmt.Errorf("index: segment %d at %d+%d, expected at %d", i, s.Offset, s.Size, end)}
		}
		end += s.Size
		segments = append(segments, object[s.Offset:end])
	}
	var errs []error
	if end != int64(len(object)) {
		errs = append(errs, fmt.Errorf("index: %d bytes of %d", end, len(object)))
	}
	c := &checker{}
	c.init(object[:index.InitSize])
	if len(c.errs) > 0 {
		return append(errs, c.errs...)
	}
	if index.Codec != c.codec || index.Width != c.width || index.Height != c.height {
		c.fail("R024/R025 index: %s %dx%d, init: %s %dx%d", index.Codec, index.Width, index.Height, c.codec, c.width, c.height)
	}
	next, total := int64(-1), int64(0)
	for i, s := range segments {
		next = c.segment(i, s, next)
		presented := next - max(c.start, MediaTimeBase)
		if got := index.Segments[i]; got.Duration != presented {
			c.fail("R161 segment %d: index says %d ticks, it has %d", i, got.Duration, presented)
		} else if got.IFrame != c.iframe {
			c.fail("R182 segment %d: I-frame of %d bytes, it has %d", i, got.IFrame, c.iframe)
		}
		total += presented
	}
	if total != index.Length {
		c.fail("index: %d ticks, segments have %d", index.Length, total)
	}
	return append(errs, c.errs...)
}

type checker struct {
	errs          []error
	video         bool
	track         uint32
	lengthSize    int
	sets          [][]byte
	codec         string
	width, height int
	// Of the last segment.
	start, iframe int64
}

func (c *checker) fail(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// boxesByPath expands a file and returns its boxes by path ("moov/trak/tkhd"), and
// the paths in order.
func boxesByPath(p []byte) (map[string][]mp4.IBox, []string, error) {
	all := map[string][]mp4.IBox{}
	var order []string
	_, err := mp4.ReadBoxStructure(bytes.NewReader(p), func(h *mp4.ReadHandle) (any, error) {
		path := ""
		for i, t := range h.Path {
			if i > 0 {
				path += "/"
			}
			path += t.String()
		}
		order = append(order, path)
		if !h.BoxInfo.IsSupportedType() || h.BoxInfo.Type.String() == "mdat" {
			all[path] = append(all[path], nil)
			return nil, nil
		}
		box, _, err := h.ReadPayload()
		if err != nil {
			return nil, err
		}
		all[path] = append(all[path], box)
		return h.Expand()
	})
	return all, order, err
}

func only[T any](all map[string][]mp4.IBox, path string) (T, error) {
	var zero T
	list := all[path]
	if len(list) != 1 {
		return zero, fmt.Errorf("%d boxes %s", len(list), path)
	}
	box, ok := list[0].(T)
	if !ok {
		return zero, fmt.Errorf("box %s is not understood", path)
	}
	return box, nil
}

func (c *checker) init(p []byte) {
	all, order, err := boxesByPath(p)
	if err != nil {
		c.fail("R150 init: %w", err)
		return
	}
	ftyp, e1 := only[*mp4.Ftyp](all, "ftyp")
	mvhd, e2 := only[*mp4.Mvhd](all, "moov/mvhd")
	tkhd, e3 := only[*mp4.Tkhd](all, "moov/trak/tkhd")
	mdhd, e4 := only[*mp4.Mdhd](all, "moov/trak/mdia/mdhd")
	trex, e5 := only[*mp4.Trex](all, "moov/mvex/trex")
	hdlr, e6 := only[*mp4.Hdlr](all, "moov/trak/mdia/hdlr")
	if err := errors.Join(e1, e2, e3, e4, e5, e6); err != nil {
		c.fail("R150 init: %w", err)
		return
	}
	brands := []string{string(ftyp.MajorBrand[:])}
	for _, b := range ftyp.CompatibleBrands {
		brands = append(brands, string(b.CompatibleBrand[:]))
	}
	if !slices.ContainsFunc(brands, func(b string) bool { return b >= "iso6" && b <= "iso9" }) {
		c.fail("R150 init: brands %v", brands)
	}
	if order[0] != "ftyp" || slices.Index(order, "moov/mvex") < slices.Index(order, "moov/trak") {
		c.fail("R150 init: order %v", order)
	}
	if mvhd.GetDuration() != 0 || tkhd.GetDuration() != 0 || mdhd.GetDuration() != 0 {
		c.fail("R150 init: durations %d, %d, %d", mvhd.GetDuration(), tkhd.GetDuration(), mdhd.GetDuration())
	}
	if mdhd.Timescale != TimeScale {
		c.fail("R150 init: timescale %d", mdhd.Timescale)
	}
	c.track = tkhd.TrackID
	if trex.TrackID != c.track {
		c.fail("R150 init: trex of track %d, trak of %d", trex.TrackID, c.track)
	}
	if len(all["moov/trak/edts"]) > 0 {
		c.fail("R157 init: an edit list")
	}
	if url, err := only[*mp4.Url](all, "moov/trak/mdia/minf/dinf/dref/url "); err != nil || url.GetFlags()&1 == 0 {
		c.fail("R151 init: external data reference (%v)", err)
	}
	c.tables(all)
	c.video = string(hdlr.HandlerType[:]) == "vide"
	c.entry(all)
}

// tables checks that moov has no samples.
func (c *checker) tables(all map[string][]mp4.IBox) {
	const stbl = "moov/trak/mdia/minf/stbl/"
	stts, e1 := only[*mp4.Stts](all, stbl+"stts")
	stsc, e2 := only[*mp4.Stsc](all, stbl+"stsc")
	stsz, e3 := only[*mp4.Stsz](all, stbl+"stsz")
	stco, e4 := only[*mp4.Stco](all, stbl+"stco")
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		c.fail("R150 init: %w", err)
		return
	}
	if stts.EntryCount+stsc.EntryCount+stsz.SampleCount+stco.EntryCount != 0 {
		c.fail("R150 init: samples in moov")
	}
}

func (c *checker) entry(all map[string][]mp4.IBox) {
	const stsd = "moov/trak/mdia/minf/stbl/stsd/"
	if !c.video {
		if _, err := only[*mp4.AudioSampleEntry](all, stsd+"mp4a"); err != nil {
			c.fail("R150 init: %w", err)
		}
		esds, err := only[*mp4.Esds](all, stsd+"mp4a/esds")
		if err != nil {
			c.fail("R150 init: %w", err)
			return
		}
		for _, d := range esds.Descriptors {
			if d.Tag == mp4.DecSpecificInfoTag && len(d.Data) > 0 {
				c.codec = fmt.Sprintf("mp4a.40.%d", d.Data[0]>>3)
			}
		}
		return
	}
	avc1, e1 := only[*mp4.VisualSampleEntry](all, stsd+"avc1")
	avcc, e2 := only[*mp4.AVCDecoderConfiguration](all, stsd+"avc1/avcC")
	if err := errors.Join(e1, e2); err != nil {
		c.fail("R155 init: %w", err)
		return
	}
	c.width, c.height = int(avc1.Width), int(avc1.Height)
	c.codec = fmt.Sprintf("avc1.%02x%02x%02x", avcc.Profile, avcc.ProfileCompatibility, avcc.Level)
	c.lengthSize = int(avcc.LengthSizeMinusOne) + 1
	for _, s := range append(slices.Clone(avcc.SequenceParameterSets), avcc.PictureParameterSets...) {
		c.sets = append(c.sets, s.NALUnit)
	}
	if len(c.sets) < 2 {
		c.fail("R163 init: %d parameter sets", len(c.sets))
	}
}

// segment checks one segment; next is where it must start, -1 unknown. It
// returns where the following one must.
func (c *checker) segment(i int, p []byte, next int64) int64 {
	all, order, err := boxesByPath(p)
	if err != nil {
		c.fail("segment %d: %w", i, err)
		return -1
	}
	if n := len(all["moof"]); n != 1 || len(all["mdat"]) != 1 || len(all["moof/traf"]) != 1 || order[len(order)-1] != "mdat" {
		c.fail("R156 segment %d: %v", i, order)
		return -1
	}
	mfhd, e1 := only[*mp4.Mfhd](all, "moof/mfhd")
	tfhd, e2 := only[*mp4.Tfhd](all, "moof/traf/tfhd")
	tfdt, e3 := only[*mp4.Tfdt](all, "moof/traf/tfdt")
	trun, e4 := only[*mp4.Trun](all, "moof/traf/trun")
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		c.fail("R151 segment %d: %w", i, err)
		return -1
	}
	if tfhd.TrackID != c.track {
		c.fail("R150 segment %d: track %d, init has %d", i, tfhd.TrackID, c.track)
	}
	if tfhd.GetFlags()&mp4.TfhdDefaultBaseIsMoof == 0 || tfhd.GetFlags()&mp4.TfhdBaseDataOffsetPresent != 0 {
		c.fail("R151 segment %d: tfhd flags %#x", i, tfhd.GetFlags())
	}
	if tfdt.GetVersion() != 1 {
		c.fail("R151 segment %d: tfdt version %d", i, tfdt.GetVersion())
	}
	c.start = int64(tfdt.GetBaseMediaDecodeTime())
	if next >= 0 && c.start != next {
		c.fail("R152 segment %d: tfdt %d, the one before ends at %d", i, c.start, next)
	}
	return c.samples(i, p, mfhd.SequenceNumber, tfhd, trun)
}

func (c *checker) samples(i int, p []byte, sequence uint32, tfhd *mp4.Tfhd, trun *mp4.Trun) int64 {
	moof := int64(u32(p)) // no styp: moof is first
	if string(p[4:8]) != "moof" || int64(trun.DataOffset) != moof+8 {
		c.fail("R156 segment %d: data at %d, moof of %d bytes", i, trun.DataOffset, moof)
		return -1
	}
	if trun.GetVersion() != 1 {
		c.fail("R159 segment %d: trun version %d", i, trun.GetVersion())
	}
	at, pos := c.start, moof+8
	c.iframe = 0
	for k := range trun.Entries {
		dur, size, flags, cts := fields(tfhd, trun, k)
		if size <= 0 || pos+size > int64(len(p)) {
			c.fail("segment %d: sample %d of %d bytes at %d of %d", i, k, size, pos, len(p))
			return -1
		}
		if dur <= 0 {
			c.fail("segment %d: sample %d lasts %d", i, k, dur)
		}
		if k == 0 && cts != 0 {
			c.fail("R159 segment %d: composition offset %d of the first sample", i, cts)
		}
		if at+cts < c.start {
			c.fail("R159 segment %d: sample %d is shown before the segment", i, k)
		}
		if c.video {
			c.picture(i, k, p[pos:pos+size], flags)
			if k == 0 {
				c.iframe = pos + size
			}
		} else if flags&0x10000 != 0 {
			c.fail("segment %d: frame %d of sound is no sync sample", i, k)
		}
		at += dur
		pos += size
	}
	if pos != int64(len(p)) {
		c.fail("segment %d: %d bytes after the samples", i, int64(len(p))-pos)
	}
	if early := MediaTimeBase - c.start; sequence == 1 && (early != 0 && c.video || early < 0 || early%frameTicks != 0) {
		c.fail("R158 segment %d: starts at %d", i, c.start)
	}
	return at
}

// fields returns what holds for sample k, after the defaults.
func fields(tfhd *mp4.Tfhd, trun *mp4.Trun, k int) (dur, size int64, flags uint32, cts int64) {
	e := trun.Entries[k]
	dur, size, flags = int64(tfhd.DefaultSampleDuration), int64(tfhd.DefaultSampleSize), tfhd.DefaultSampleFlags
	f := trun.GetFlags()
	if f&trunDuration != 0 {
		dur = int64(e.SampleDuration)
	}
	if f&trunSize != 0 {
		size = int64(e.SampleSize)
	}
	if k == 0 && f&trunFirstFlags != 0 {
		flags = trun.FirstSampleFlags
	}
	if f&trunFlags != 0 {
		flags = e.SampleFlags
	}
	if f&trunComposition != 0 {
		cts = trun.GetSampleCompositionTimeOffset(k)
	}
	return dur, size, flags, cts
}

// picture checks the NAL units of one picture.
func (c *checker) picture(i, k int, p []byte, flags uint32) {
	slice := byte(0)
	for len(p) > c.lengthSize {
		n := 0
		for _, b := range p[:c.lengthSize] {
			n = n<<8 | int(b)
		}
		p = p[c.lengthSize:]
		if n == 0 || n > len(p) {
			c.fail("R153 segment %d: picture %d has a NAL unit of %d bytes", i, k, n)
			return
		}
		switch typ := p[0] & 31; typ {
		case 1, 2, 3, 4, 5:
			if slice == 0 {
				slice = typ
			}
		case 7, 8:
			if !slices.ContainsFunc(c.sets, func(s []byte) bool { return bytes.Equal(s, p[:n]) }) {
				c.fail("R163 segment %d: picture %d changes the parameter sets", i, k)
			}
		}
		p = p[n:]
	}
	if k == 0 && slice != 5 {
		c.fail("R153 segment %d: starts with NAL unit type %d", i, slice)
	}
	if sync := flags&0x10000 == 0; sync != (slice == 5) {
		c.fail("R153 segment %d: picture %d has sync %v and NAL unit type %d", i, k, sync, slice)
	}
}
