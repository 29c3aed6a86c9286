package cmaf

import (
	"fmt"
	"strings"
)

// TrackConfig is what an init segment says of its one track.
type TrackConfig struct {
	Kind     Kind
	Language string // BCP 47

	AVCC          []byte // video: AVCDecoderConfigurationRecord
	Width, Height int
	PixelAspect   [2]uint32 // zero: square
	Colour        Colour

	ASC      []byte // sound: AudioSpecificConfig, AAC-LC
	Channels int
}

// Codec returns the RFC 6381 name of what the config describes.
func (c *TrackConfig) Codec() string {
	if c.Kind == Video && len(c.AVCC) >= 4 {
		return fmt.Sprintf("avc1.%02x%02x%02x", c.AVCC[1], c.AVCC[2], c.AVCC[3])
	}
	if asc, ok := parseAudioConfig(c.ASC); ok {
		return fmt.Sprintf("mp4a.40.%d", asc.object)
	}
	return ""
}

// InitSegment returns ftyp and moov of a CMAF track with track_ID 1 and
// timescale 48000 (R150): no samples, no durations, no edit list, mvex last.
func InitSegment(c *TrackConfig) []byte {
	w := &builder{b: make([]byte, 0, 1024)}
	w.box("ftyp", func() {
		w.str("iso6")
		w.u32(0)
		w.str("iso6cmfccmf2")
	})
	w.box("moov", func() {
		w.full("mvhd", 0, 0, func() {
			w.zero(8)
			w.u32(TimeScale)
			w.u32(0) // duration: in the fragments
			w.u32(1 << 16)
			w.u16(1 << 8)
			w.zero(10)
			w.matrix()
			w.zero(24)
			w.u32(2) // next track
		})
		w.box("trak", func() { w.trak(c) })
		w.box("mvex", func() {
			w.full("trex", 0, 0, func() {
				w.u32(1)
				w.u32(1)
				w.zero(12)
			})
		})
	})
	return w.b
}

// matrix appends the unity matrix of mvhd and tkhd.
func (w *builder) matrix() {
	for _, v := range [9]uint32{1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30} {
		w.u32(v)
	}
}

func (w *builder) trak(c *TrackConfig) {
	width, height := c.displaySize()
	w.full("tkhd", 0, 3, func() { // enabled, in movie
		w.zero(8)
		w.u32(1)
		w.zero(4 + 4 + 8 + 4)
		if c.Kind == Audio {
			w.u16(1 << 8) // full volume
		} else {
			w.u16(0)
		}
		w.u16(0)
		w.matrix()
		w.u32(width)
		w.u32(height)
	})
	w.box("mdia", func() {
		w.full("mdhd", 0, 0, func() {
			w.zero(8)
			w.u32(TimeScale)
			w.u32(0)
			w.u16(languageCode(c.Language))
			w.u16(0)
		})
		w.full("hdlr", 0, 0, func() {
			w.u32(0)
			if c.Kind == Audio {
				w.str("soun")
			} else {
				w.str("vide")
			}
			w.zero(12)
			w.str("Reprise\x00")
		})
		if strings.Contains(c.Language, "-") {
			w.full("elng", 0, 0, func() { w.str(c.Language + "\x00") })
		}
		w.box("minf", func() { w.minf(c) })
	})
}

// displaySize returns the 16.16 size of tkhd: pixels made square by width.
func (c *TrackConfig) displaySize() (width, height uint32) {
	wide, high := uint64(c.Width), uint64(c.Height)
	if a := c.PixelAspect; a[0] > 0 && a[1] > 0 {
		wide = min(wide*uint64(a[0])/uint64(a[1]), 1<<16-1)
	}
	return uint32(wide << 16), uint32(high << 16)
}

func (w *builder) minf(c *TrackConfig) {
	if c.Kind == Audio {
		w.full("smhd", 0, 0, func() { w.zero(4) })
	} else {
		w.full("vmhd", 0, 1, func() { w.zero(8) })
	}
	w.box("dinf", func() {
		w.full("dref", 0, 0, func() {
			w.u32(1)
			w.full("url ", 0, 1, func() {}) // in this file
		})
	})
	w.box("stbl", func() {
		w.full("stsd", 0, 0, func() {
			w.u32(1)
			if c.Kind == Audio {
				w.mp4a(c)
			} else {
				w.avc1(c)
			}
		})
		w.full("stts", 0, 0, func() { w.u32(0) })
		w.full("stsc", 0, 0, func() { w.u32(0) })
		w.full("stsz", 0, 0, func() { w.zero(8) })
		w.full("stco", 0, 0, func() { w.u32(0) })
	})
}

func (w *builder) avc1(c *TrackConfig) {
	w.box("avc1", func() {
		w.zero(6)
		w.u16(1)
		w.zero(16)
		w.u16(uint16(c.Width))
		w.u16(uint16(c.Height))
		w.u32(72 << 16)
		w.u32(72 << 16)
		w.u32(0)
		w.u16(1)
		w.zero(32) // compressor name
		w.u16(24)
		w.u16(0xffff)
		w.box("avcC", func() { w.u8(c.AVCC...) })
		if x := c.Colour; x.Primaries != 0 || x.Transfer != 0 || x.Matrix != 0 {
			w.box("colr", func() {
				w.str("nclx")
				w.u16(x.Primaries)
				w.u16(x.Transfer)
				w.u16(x.Matrix)
				if x.FullRange {
					w.u8(0x80)
				} else {
					w.u8(0)
				}
			})
		}
		w.box("pasp", func() {
			a := c.PixelAspect
			if a[0] == 0 || a[1] == 0 {
				a = [2]uint32{1, 1}
			}
			w.u32(a[0])
			w.u32(a[1])
		})
	})
}

func (w *builder) mp4a(c *TrackConfig) {
	w.box("mp4a", func() {
		w.zero(6)
		w.u16(1)
		w.zero(8)
		w.u16(uint16(c.Channels))
		w.u16(16)
		w.zero(4)
		w.u32(TimeScale << 16)
		w.full("esds", 0, 0, func() {
			// Lengths under 128 everywhere: parseAudioConfig accepts no longer
			// config for AAC-LC.
			config := len(c.ASC)
			w.u8(3, byte(3+2+13+2+config+3))
			w.u16(0) // ES_ID
			w.u8(0)
			w.u8(4, byte(13+2+config), 0x40, 0x15) // AAC, audio stream
			w.zero(3 + 4 + 4)                      // buffer and bit rates: not known
			w.u8(5, byte(config))
			w.u8(c.ASC...)
			w.u8(6, 1, 2) // SL: predefined for MP4
		})
	})
}
