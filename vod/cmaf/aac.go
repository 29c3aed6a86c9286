package cmaf

// audioConfig is what matters of an AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1).
type audioConfig struct {
	object   int // audio object type: 2 AAC-LC, 5 SBR, 29 PS, 42 xHE-AAC
	rate     int
	channels int
	sbr      bool
	short    bool // frames of 960 samples
}

var aacRates = [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// bitReader reads big-endian bits; ok goes false past the end and stays so.
type bitReader struct {
	p   []byte
	pos int
	bad bool
}

func (b *bitReader) read(n int) int {
	v := 0
	for range n {
		if b.pos>>3 >= len(b.p) {
			b.bad = true
			return 0
		}
		v = v<<1 | int(b.p[b.pos>>3]>>(7-b.pos&7))&1
		b.pos++
	}
	return v
}

func (b *bitReader) left() int { return len(b.p)*8 - b.pos }

func (b *bitReader) objectType() int {
	if v := b.read(5); v != 31 {
		return v
	}
	return 32 + b.read(6)
}

func (b *bitReader) rate() int {
	v := b.read(4)
	if v == 15 {
		return b.read(24)
	}
	if v < len(aacRates) {
		return aacRates[v]
	}
	return 0
}

// parseAudioConfig reads an AudioSpecificConfig. The object type is the outer
// one (5 or 29 for HE-AAC signalled openly); sbr tells of the hidden signal too.
func parseAudioConfig(p []byte) (a audioConfig, ok bool) {
	b := &bitReader{p: p}
	a.object = b.objectType()
	a.rate = b.rate()
	channels := b.read(4)
	switch {
	case channels == 7:
		a.channels = 8
	case channels < 7:
		a.channels = channels
	}
	inner := a.object
	if a.object == 5 || a.object == 29 {
		a.sbr = true
		a.rate = b.rate()
		inner = b.objectType()
		if a.object == 29 {
			a.channels = 2
		}
	}
	if b.bad {
		return a, false
	}
	if inner != 2 {
		return a, true
	}
	// GASpecificConfig: frame length, core coder, extension.
	a.short = b.read(1) == 1
	if b.read(1) == 1 {
		b.read(14)
	}
	b.read(1)
	if channels != 0 && !a.sbr && b.left() >= 16 && b.read(11) == 0x2b7 {
		if b.objectType() == 5 && b.read(1) == 1 {
			a.sbr = true
			if rate := b.rate(); rate > 0 {
				a.rate = rate
			}
		}
	}
	return a, true
}
