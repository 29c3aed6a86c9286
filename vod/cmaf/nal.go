package cmaf

import (
	"bytes"
	"fmt"
)

// isIDR looks at the NAL units of a picture: the first slice decides. Parameter
// sets before it must be those of avcC.
func (p *packer) isIDR(x *sample) (bool, error) {
	size := int64(p.track.lengthSize)
	for off, n := x.off, 0; off+size < x.off+x.size && n < 64; n++ {
		h, err := p.nals.bytes(off, int(size)+1)
		if err != nil {
			return false, err
		}
		length := nalLength(h, int(size))
		switch h[size] & 31 {
		case 5:
			return true, nil
		case 1, 2, 3, 4:
			return false, nil
		case 7, 8:
			if err := p.setInFile(off+size, length, x.off+x.size); err != nil {
				return false, err
			}
		}
		off += size + length
	}
	return false, nil
}

// setInFile checks a parameter set of n bytes at off in a picture that ends at end.
func (p *packer) setInFile(off, n, end int64) error {
	if n > int64(cap(p.nals.win)) || off+n > end {
		return fmt.Errorf("%w: one of %d bytes", ErrParameterSets, n)
	}
	nal, err := p.nals.bytes(off, int(n))
	if err != nil {
		return err
	}
	return p.sameSet(nal)
}

func nalLength(p []byte, size int) int64 {
	switch size {
	case 1:
		return int64(p[0])
	case 2:
		return int64(u16(p))
	}
	return int64(u32(p))
}

// scan looks for parameter sets inside a picture (R163): the same as in avcC do
// no harm, others would change the track.
func (p *packer) scan(data []byte) error {
	size := p.track.lengthSize
	for len(data) > size {
		n := nalLength(data, size)
		data = data[size:]
		if n > int64(len(data)) {
			return fmt.Errorf("%w: a NAL unit of %d bytes in the %d left", ErrMalformed, n, len(data))
		}
		if n > 0 {
			if k := data[0] & 31; k == 7 || k == 8 {
				if err := p.sameSet(data[:n]); err != nil {
					return err
				}
			}
		}
		data = data[n:]
	}
	return nil
}

func (p *packer) sameSet(nal []byte) error {
	for _, set := range p.track.ParameterSets {
		if bytes.Equal(set, nal) {
			return nil
		}
	}
	return fmt.Errorf("%w: in segment %d", ErrParameterSets, max(p.segment-1, len(p.index.Segments)-1))
}

// scanLarge does the same with small reads.
func (p *packer) scanLarge(s *segmentSample) error {
	size := int64(p.track.lengthSize)
	end := s.off + int64(s.size)
	for off := s.off; off+size < end; {
		h, err := p.nals.bytes(off, int(size)+1)
		if err != nil {
			return err
		}
		n := nalLength(h, int(size))
		if off+size+n > end {
			return fmt.Errorf("%w: a NAL unit of %d bytes", ErrMalformed, n)
		}
		if k := h[size] & 31; n > 0 && (k == 7 || k == 8) {
			if err := p.setInFile(off+size, n, end); err != nil {
				return err
			}
		}
		off += size + n
	}
	return nil
}
