package stream

// SetRetime replaces what makes slate segments.
func (p *Playout) SetRetime(f func(dst []byte, init, template []byte, index int, nominal, length int64) ([]byte, error)) {
	p.retime = f
}

// SetEmpty replaces the segment of empty captions.
func (p *Playout) SetEmpty(b []byte) { p.empty = b }
