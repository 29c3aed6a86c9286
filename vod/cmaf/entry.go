package cmaf

import (
	"bytes"
	"fmt"
	"math"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// readDescription reads stsd: the first sample entry, and how many there are.
func (t *Track) readDescription(in *reader, b box) error {
	p, err := in.payload(b, 8, 256<<10)
	if err != nil {
		return err
	}
	version := p[0]
	t.Entries = int(u32(p[4:]))
	if len(p) < 24 {
		return fmt.Errorf("%w: stsd at %d has no entry", ErrMalformed, b.start)
	}
	size := int64(u32(p[8:]))
	if size < 16 || size > int64(len(p)-8) {
		return fmt.Errorf("%w: sample entry of %d bytes", ErrMalformed, size)
	}
	t.FourCC = printable(p[12:16])
	entry := p[16 : 8+size]
	switch t.Kind {
	case Video:
		err = t.readVideoEntry(entry)
	case Audio:
		err = t.readAudioEntry(entry, version)
	default:
		boxesIn(entry[8:], t.protection)
	}
	if t.Codec == "" {
		t.Codec = t.FourCC
	}
	return err
}

// protection notes the original format of an encrypted entry.
func (t *Track) protection(typ string, body []byte) bool {
	if typ == "sinf" {
		boxesIn(body, func(typ string, body []byte) bool {
			if typ == "frma" && len(body) >= 4 {
				t.FourCC = printable(body[:4])
				t.Encrypted = true
			}
			return true
		})
	}
	return true
}

func (t *Track) readVideoEntry(p []byte) error {
	if len(p) < 78 {
		return fmt.Errorf("%w: video sample entry of %d bytes", ErrMalformed, len(p))
	}
	t.Width, t.Height = int(u16(p[24:])), int(u16(p[26:]))
	if t.FourCC == "encv" {
		t.Encrypted = true
	}
	boxesIn(p[78:], t.protection)
	hasPasp := false
	var err error
	boxesIn(p[78:], func(typ string, body []byte) bool {
		switch typ {
		case "pasp":
			if len(body) >= 8 && u32(body) > 0 && u32(body[4:]) > 0 {
				t.PixelAspect = [2]uint32{u32(body), u32(body[4:])}
				hasPasp = true
			}
		case "colr":
			t.readColour(body)
		case "dvcC", "dvvC", "dvwC":
			t.DolbyVision = true
		case "avcC":
			err = t.readAVC(body, &hasPasp)
		case "hvcC":
			t.readHEVC(body)
		case "av1C":
			t.readAV1(body)
		case "vpcC":
			t.readVP9(body)
		case "esds":
			if oti, config := decoderConfig(body); oti != 0 {
				t.Codec = fmt.Sprintf("mp4v.%02X", oti)
				t.still = oti == 0x6c || oti == 0x6d // JPEG, PNG
				_ = config
			}
		}
		return true
	})
	return err
}

// readColour reads colr: nclx, or QuickTime's nclc.
func (t *Track) readColour(p []byte) {
	if len(p) < 10 || string(p[:4]) != "nclx" && string(p[:4]) != "nclc" {
		return
	}
	t.Colour = Colour{Primaries: u16(p[4:]), Transfer: u16(p[6:]), Matrix: u16(p[8:])}
	if string(p[:4]) == "nclx" && len(p) >= 11 {
		t.Colour.FullRange = p[10]&0x80 != 0
	}
}

var chromaNames = [...]string{"4:0:0", "4:2:0", "4:2:2", "4:4:4"}

// readAVC reads avcC and the first SPS in it.
func (t *Track) readAVC(p []byte, hasPasp *bool) error {
	if len(p) < 7 || p[0] != 1 {
		return fmt.Errorf("%w: avcC", ErrMalformed)
	}
	t.AVCC = p
	t.Codec = fmt.Sprintf("%s.%02x%02x%02x", t.FourCC, p[1], p[2], p[3])
	t.lengthSize = int(p[4]&3) + 1
	rest := p[5:]
	spsCount := int(rest[0] & 31)
	rest = rest[1:]
	take := func(n int) bool {
		for range n {
			if len(rest) < 2 || int(u16(rest)) > len(rest)-2 {
				return false
			}
			k := int(u16(rest))
			t.ParameterSets = append(t.ParameterSets, rest[2:2+k])
			rest = rest[2+k:]
		}
		return true
	}
	if !take(spsCount) || len(rest) < 1 {
		return fmt.Errorf("%w: avcC is too short", ErrMalformed)
	}
	ppsCount := int(rest[0])
	rest = rest[1:]
	if !take(ppsCount) {
		return fmt.Errorf("%w: avcC is too short", ErrMalformed)
	}
	if spsCount == 0 {
		return nil // avc3
	}
	var sps h264.SPS
	if err := sps.Unmarshal(t.ParameterSets[0]); err != nil {
		return fmt.Errorf("%w: SPS: %w", ErrMalformed, err)
	}
	if w, h := sps.Width(), sps.Height(); w > 0 && h > 0 && w <= 1<<16 && h <= 1<<16 {
		t.Width, t.Height = w, h
	}
	t.BitDepth = int(sps.BitDepthLumaMinus8) + 8
	chroma := uint32(1)
	switch sps.ProfileIdc {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		chroma = sps.ChromaFormatIdc
	}
	if chroma < 4 {
		t.Chroma = chromaNames[chroma]
	}
	t.MaybeInterlaced = !sps.FrameMbsOnlyFlag
	if sps.VUI != nil {
		t.usability(sps.VUI, *hasPasp)
	}
	return nil
}

// sampleAspects is table E-1 of H.264: aspect_ratio_idc to width:height.
var sampleAspects = [...][2]uint32{
	{1, 1}, {1, 1}, {12, 11}, {10, 11}, {16, 11}, {40, 33}, {24, 11}, {20, 11}, {32, 11}, {80, 33},
	{18, 11}, {15, 11}, {64, 33}, {160, 99}, {4, 3}, {3, 2}, {2, 1},
}

// usability takes aspect and colour from the VUI, where the container says nothing.
func (t *Track) usability(v *h264.SPS_VUI, hasPasp bool) {
	if !hasPasp && v.AspectRatioInfoPresentFlag {
		switch {
		case int(v.AspectRatioIdc) < len(sampleAspects):
			t.PixelAspect = sampleAspects[v.AspectRatioIdc]
		case v.AspectRatioIdc == 255 && v.SarWidth > 0 && v.SarHeight > 0:
			t.PixelAspect = [2]uint32{uint32(v.SarWidth), uint32(v.SarHeight)}
		}
	}
	if v.VideoSignalTypePresentFlag && t.Colour == (Colour{}) {
		t.Colour.FullRange = v.VideoFullRangeFlag
		if v.ColourDescriptionPresentFlag {
			t.Colour.Primaries = uint16(v.ColourPrimaries)
			t.Colour.Transfer = uint16(v.TransferCharacteristics)
			t.Colour.Matrix = uint16(v.MatrixCoefficients)
		}
	}
}

// readHEVC reads hvcC (ISO/IEC 14496-15 8.3.3.1) and writes the codec string of its annex E.
func (t *Track) readHEVC(p []byte) {
	if len(p) < 23 {
		return
	}
	space := [...]string{"", "A", "B", "C"}[p[1]>>6]
	tier := "L"
	if p[1]&0x20 != 0 {
		tier = "H"
	}
	compat := u32(p[2:])
	var reversed uint32
	for i := range 32 {
		reversed |= compat >> i & 1 << (31 - i)
	}
	t.Codec = fmt.Sprintf("%s.%s%d.%X.%s%d", t.FourCC, space, p[1]&31, reversed, tier, p[12])
	for _, c := range bytes.TrimRight(p[6:12], "\x00") {
		t.Codec += fmt.Sprintf(".%X", c)
	}
	t.Chroma = chromaNames[p[16]&3]
	t.BitDepth = int(p[17]&7) + 8
}

// readAV1 reads av1C (AV1 in ISOBMFF 2.3.3).
func (t *Track) readAV1(p []byte) {
	if len(p) < 4 {
		return
	}
	tier := "M"
	if p[2]&0x80 != 0 {
		tier = "H"
	}
	t.BitDepth = 8
	if p[2]&0x40 != 0 {
		t.BitDepth = 10
		if p[2]&0x20 != 0 {
			t.BitDepth = 12
		}
	}
	t.Codec = fmt.Sprintf("%s.%d.%02d%s.%02d", t.FourCC, p[1]>>5, p[1]&31, tier, t.BitDepth)
}

// readVP9 reads vpcC version 1 (VP codec ISOBMFF binding).
func (t *Track) readVP9(p []byte) {
	if len(p) < 8 {
		return
	}
	t.BitDepth = int(p[6] >> 4)
	t.Codec = fmt.Sprintf("%s.%02d.%02d.%02d", t.FourCC, p[4], p[5], t.BitDepth)
}

// readAudioEntry reads an AudioSampleEntry. QuickTime (stsd version 0, entry
// version 1 or 2) has more fields, and hides esds in "wave".
func (t *Track) readAudioEntry(p []byte, stsdVersion byte) error {
	if len(p) < 28 {
		return fmt.Errorf("%w: audio sample entry of %d bytes", ErrMalformed, len(p))
	}
	t.Channels = int(u16(p[16:]))
	t.SampleRate = int(u32(p[24:]) >> 16)
	rest := p[28:]
	switch version := u16(p[8:]); {
	case stsdVersion == 0 && version == 1 && len(rest) >= 16:
		rest = rest[16:]
	case stsdVersion == 0 && version == 2 && len(rest) >= 36:
		if rate := math.Float64frombits(u64(rest[4:])); rate > 0 && rate < 1e7 {
			t.SampleRate = int(rate)
		}
		t.Channels = int(min(u32(rest[12:]), 255))
		rest = rest[36:]
	}
	if t.FourCC == "enca" {
		t.Encrypted = true
	}
	boxesIn(rest, t.protection)
	var child func(typ string, body []byte) bool
	child = func(typ string, body []byte) bool {
		switch typ {
		case "wave":
			boxesIn(body, func(typ string, body []byte) bool { return typ == "wave" || child(typ, body) })
		case "esds":
			t.readESDS(body)
		}
		return true
	}
	boxesIn(rest, child)
	return nil
}

// readESDS reads the codec and the AudioSpecificConfig.
func (t *Track) readESDS(p []byte) {
	oti, config := decoderConfig(p)
	switch oti {
	case 0:
		return
	case 0x40, 0x66, 0x67, 0x68:
		t.Config = config
		asc, ok := parseAudioConfig(config)
		if !ok {
			t.Codec = "mp4a"
			return
		}
		t.Codec = fmt.Sprintf("mp4a.40.%d", asc.object)
		t.SBR = asc.sbr
		if asc.rate > 0 {
			t.SampleRate = asc.rate
		}
		if asc.channels > 0 {
			t.Channels = asc.channels
		}
	default:
		t.Codec = fmt.Sprintf("mp4a.%02X", oti)
	}
}

// decoderConfig finds the object type and the decoder specific info in an esds
// payload (ISO/IEC 14496-1 7.2.6.5, 7.2.6.6).
func decoderConfig(p []byte) (oti byte, config []byte) {
	if len(p) < 4 {
		return 0, nil
	}
	tag, body, _ := descriptor(p[4:])
	if tag != 3 || len(body) < 3 {
		return 0, nil
	}
	flags := body[2]
	body = body[3:]
	skip := 0
	if flags&0x80 != 0 {
		skip += 2
	}
	if flags&0x40 != 0 && len(body) > skip {
		skip += 1 + int(body[skip])
	}
	if flags&0x20 != 0 {
		skip += 2
	}
	if skip > len(body) {
		return 0, nil
	}
	for body = body[skip:]; len(body) > 0; {
		tag, inner, rest := descriptor(body)
		if tag == 0 {
			return 0, nil
		}
		if tag == 4 && len(inner) >= 13 {
			oti = inner[0]
			if tag, info, _ := descriptor(inner[13:]); tag == 5 {
				config = info
			}
			return oti, config
		}
		body = rest
	}
	return 0, nil
}

// descriptor splits off one MPEG-4 descriptor; tag 0 when there is none.
func descriptor(p []byte) (tag byte, body, rest []byte) {
	if len(p) < 2 {
		return 0, nil, nil
	}
	tag = p[0]
	p = p[1:]
	size := 0
	for i := range 4 {
		if i >= len(p) {
			return 0, nil, nil
		}
		size = size<<7 | int(p[i]&0x7f)
		if p[i]&0x80 == 0 {
			p = p[i+1:]
			if size > len(p) {
				size = len(p)
			}
			return tag, p[:size], p[size:]
		}
	}
	return 0, nil, nil
}
