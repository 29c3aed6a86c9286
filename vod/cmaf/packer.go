package cmaf

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// maxSegmentSamples bounds the samples of a segment: 4.48 s have 269 at most,
// and a file with a million samples of no duration must not fill the memory.
const maxSegmentSamples = 1 << 13

// packer turns one track into segments: plan reads the tables for the next
// segment, copySamples writes it.
type packer struct {
	number int
	track  *Track
	movie  *Movie
	nals   *reader // looks into key frames
	all    samples
	next   sample // read ahead, when ahead
	ahead  bool

	nominal, length int64
	count           int
	priming         int64 // ticks of sound before the base
	skew            int64 // composition offset of the first picture, in ticks
	decode          int64 // when the next sample must be decoded, in the track's timescale
	segment         int   // planned so far
	done            bool  // all planned
	list            []segmentSample
	pos             int // in list, to copy
	filler          []byte

	w     io.Writer
	out   []byte
	total int64 // bytes given to w and out
	index Index
	init  []byte
}

func newPacker(m *Movie, j Job) (*packer, error) {
	t := m.Tracks[j.Track]
	p := &packer{
		number: j.Track, track: t, movie: m, w: j.W, nominal: j.Plan.Nominal, length: j.Plan.Length,
		nals: newReader(m.r, m.Size), all: m.open(t),
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("track %d: %w", j.Track, err)
	}
	p.count, _ = Grid(p.length, p.nominal)
	config := &TrackConfig{Kind: t.Kind, Language: j.Plan.Language}
	p.index = Index{Kind: t.Kind, Length: p.length, Segments: make([]IndexSegment, 0, min(p.count, 1<<16))}
	if t.Kind == Video {
		p.index.Width, p.index.Height = t.Width, t.Height
		p.index.Frame, _ = toTicks(t.MinFrame, t.TimeScale)
		config.AVCC, config.Width, config.Height = t.AVCC, t.Width, t.Height
		config.PixelAspect, config.Colour = t.PixelAspect, t.Colour
	} else {
		p.index.Channels, p.index.Frame = t.Channels, frameTicks
		config.ASC, config.Channels = t.Config, t.Channels
		p.priming = max(j.Plan.Priming, 0)
		if p.priming == 0 && t.Edit.Kind == EditTrivial {
			p.priming = t.Edit.MediaTime - t.FirstPTS
		}
		if p.priming%frameTicks != 0 {
			return nil, &GridError{Track: j.Track, Reason: fmt.Sprintf("priming of %d samples", p.priming)}
		}
	}
	p.index.Codec = config.Codec()
	p.init = InitSegment(config)
	return p, p.start()
}

// check refuses what can never be packaged.
func (p *packer) check() error {
	t := p.track
	switch {
	case t.Encrypted:
		return ErrEncrypted
	case t.Entries != 1:
		return fmt.Errorf("%w: %d sample entries", ErrCodec, t.Entries)
	case t.Samples == 0 || t.TimeScale == 0:
		return fmt.Errorf("%w: no samples", ErrShort)
	case p.movie.Hybrid:
		return fmt.Errorf("%w: samples in moov and in fragments", ErrTables)
	case p.nominal <= 0 || p.nominal > 60*TimeScale || p.length <= 0 || p.length > 1<<40:
		return fmt.Errorf("%w: segments of %d in %d ticks", ErrPlan, p.nominal, p.length)
	case t.Edit.Kind > EditTrivial, t.Start() != 0 && len(p.movie.Tracks) > 1:
		return fmt.Errorf("%w: %v, starts at %v", ErrEdit, t.Edit.Kind, t.Start())
	}
	switch t.Kind {
	case Video:
		if t.FourCC != "avc1" || len(t.AVCC) == 0 || len(t.ParameterSets) < 2 || t.lengthSize == 3 {
			return fmt.Errorf("%w: %s", ErrCodec, t.Codec)
		}
	case Audio:
		asc, ok := parseAudioConfig(t.Config)
		if t.FourCC != "mp4a" || !ok || asc.object != 2 || asc.sbr || asc.short || asc.channels == 0 ||
			len(t.Config) > 64 {
			return fmt.Errorf("%w: %s", ErrCodec, t.Codec)
		}
		if asc.rate != TimeScale || t.TimeScale != TimeScale {
			return fmt.Errorf("%w: %s at %d Hz", ErrCodec, t.Codec, asc.rate)
		}
	default:
		return fmt.Errorf("%w: %s", ErrCodec, t.Codec)
	}
	return nil
}

// start reads the first sample and plans the first segment.
func (p *packer) start() error {
	if err := p.advance(); err != nil {
		return err
	}
	p.decode = p.next.dts
	if p.track.Kind == Video {
		if p.next.dts+p.next.cts != p.track.FirstPTS {
			return p.off(0, "the first picture decoded is not the first shown")
		}
		var exact bool
		if p.skew, exact = toTicks(p.next.cts, p.track.TimeScale); !exact {
			return p.off(0, "times are no whole ticks")
		}
	}
	return p.plan()
}

// advance reads the next sample of the track, if there is one.
func (p *packer) advance() error {
	err := p.all.next(&p.next)
	p.ahead = err == nil
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// off is a GridError at ticks from the start of the recording.
func (p *packer) off(ticks int64, reason string) error {
	return &GridError{Track: p.number, At: scaled(ticks, TimeScale), Reason: reason}
}

// plan fills list with the samples of the next segment.
func (p *packer) plan() error {
	p.list, p.pos = p.list[:0], 0
	if p.segment == p.count {
		p.done = true
		return nil
	}
	start := int64(p.segment) * p.nominal
	end := start + p.nominal
	if p.segment == p.count-1 {
		end = p.length
	}
	at := start // where the next sample must start
	if p.segment == 0 {
		at -= p.priming
	}
	for at < end && p.ahead {
		if len(p.list) == maxSegmentSamples {
			return p.off(at, "too many samples")
		}
		s, err := p.convert(at, start, end)
		if err != nil {
			return err
		}
		p.list = append(p.list, s)
		cut := p.track.Kind == Audio && p.next.dur != frameTicks
		if err := p.advance(); err != nil {
			return err
		}
		if cut && p.ahead {
			return p.off(at, "a frame of sound that is not 1024 samples")
		}
		at += int64(s.dur)
	}
	if at != end {
		if p.segment < p.count-1 && (at > end || p.ahead) {
			return p.off(end, "no sample starts here")
		}
		if err := p.fit(at, end); err != nil {
			return err
		}
	}
	if p.segment == p.count-1 && p.ahead && p.track.Kind == Video {
		return p.off(end, "more pictures than planned")
	}
	p.segment++
	return nil
}

// convert makes the sample read ahead one of the segment [start, end).
func (p *packer) convert(at, start, end int64) (segmentSample, error) {
	t := p.track
	x := &p.next
	s := segmentSample{off: x.off, size: uint32(x.size), flags: flagsSync}
	if x.off < 0 || x.size > p.movie.Size || x.off > p.movie.Size-x.size {
		return s, fmt.Errorf("%w: at %v", ErrSampleRange, scaled(at, TimeScale))
	}
	if x.size == 0 {
		return s, p.off(at, "a sample without bytes")
	}
	if x.dts != p.decode {
		return s, p.off(at, "a gap between fragments")
	}
	p.decode += x.dur
	if t.Kind == Audio {
		s.dur = frameTicks // the last one may say less: its end is padding
		return s, nil
	}
	dur, exact := toTicks(x.dur, t.TimeScale)
	if !exact || dur <= 0 || dur > 1<<30 {
		return s, p.off(at, "times are no whole ticks")
	}
	s.dur = uint32(dur)
	cts, exact := toTicks(x.cts, t.TimeScale)
	cts -= p.skew
	if !exact || cts > 1<<30 || cts < -1<<30 {
		return s, p.off(at, "times are no whole ticks")
	}
	s.cts = int32(cts)
	if len(p.list) == 0 || x.sync {
		idr, err := p.isIDR(x)
		if err != nil {
			return s, err
		}
		if !idr {
			s.flags = flagsNonSync
		}
	} else {
		s.flags = flagsNonSync
	}
	switch {
	case len(p.list) == 0 && s.flags != flagsSync:
		return s, p.off(at, "no IDR")
	case len(p.list) == 0 && cts != 0:
		return s, p.off(at, "the IDR is not shown at once")
	case at+cts < start || at+cts >= end+p.overhang():
		return s, p.off(at, "a picture is shown outside its segment")
	}
	return s, nil
}

// overhang is how far after its segment a picture may be shown: in the last one
// by the depth of reordering, since a film cut without decoding often ends on a
// picture whose forerunners are gone.
func (p *packer) overhang() int64 {
	if p.segment == p.count-1 {
		return 16 * p.index.Frame
	}
	return 0
}

// fit makes the segment's last sample end exactly at end: a frame of sound is
// cut (its data stays whole), a picture held, one missing frame of sound made.
func (p *packer) fit(at, end int64) error {
	missing := end - at
	frame := p.index.Frame
	if missing > frame || len(p.list) == 0 || p.segment < p.count-1 {
		return fmt.Errorf("%w: it ends %v before %v", ErrShort, scaled(p.length-at, TimeScale), scaled(p.length, TimeScale))
	}
	last := &p.list[len(p.list)-1]
	if missing > 0 && p.track.Kind == Audio {
		p.filler = silence(p.track.Channels)
		if p.filler != nil {
			p.list = append(p.list, segmentSample{
				off: -1, size: uint32(len(p.filler)), dur: uint32(missing), flags: flagsSync,
			})
			return nil
		}
	}
	if missing < 0 && p.track.Kind == Video {
		return p.off(end, "a picture lasts longer than the recording")
	}
	last.dur = uint32(int64(last.dur) + missing)
	return nil
}

// silence is a frame of AAC-LC without sound, nil when none is known for that
// many channels.
func silence(channels int) []byte {
	switch channels {
	case 1:
		return []byte{0x01, 0x18, 0x20, 0x07}
	case 2:
		return []byte{0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c}
	}
	return nil
}

// more tells whether there is something left to copy.
func (p *packer) more() bool { return p.pos < len(p.list) }

// offset returns where the next sample to copy is in the file.
func (p *packer) offset() int64 { return p.list[p.pos].off }

// writeInit writes the init segment.
func (p *packer) writeInit() error {
	p.index.InitSize = int64(len(p.init))
	p.out = make([]byte, 0, writeSize)
	return p.write(p.init)
}

// copySamples copies samples up to the file offset limit, at least one.
func (p *packer) copySamples(ctx context.Context, in *mediaReader, limit int64) error {
	for {
		if p.pos == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.writeMoof(); err != nil {
				return err
			}
		}
		s := &p.list[p.pos]
		if err := p.copySample(in, s); err != nil {
			return err
		}
		if p.pos++; p.pos == len(p.list) {
			if err := p.plan(); err != nil {
				return err
			}
		}
		if !p.more() || p.offset() > limit {
			return nil
		}
	}
}

// writeMoof writes the head of the planned segment and notes it in the index.
func (p *packer) writeMoof() error {
	i := len(p.index.Segments)
	start := int64(i) * p.nominal
	decode, presented := MediaTimeBase+start, int64(0)
	if i == 0 {
		decode -= p.priming
		presented -= p.priming
	}
	bytes := int64(0)
	for k := range p.list {
		bytes += int64(p.list[k].size)
		presented += int64(p.list[k].dur)
	}
	if bytes > 1<<31 {
		return p.off(start, "a segment of more than 2 GiB")
	}
	head := moofShape(p.list).size + 8
	if cap(p.out)-len(p.out) < head {
		if err := p.flush(); err != nil {
			return err
		}
	}
	entry := IndexSegment{Offset: p.total, Size: int64(head) + bytes, Duration: presented}
	if p.track.Kind == Video {
		entry.IFrame = int64(head) + int64(p.list[0].size)
	}
	p.index.Segments = append(p.index.Segments, entry)
	p.out = appendMoof(p.out, uint32(i+1), decode, p.list)
	p.total += int64(head)
	return nil
}

func (p *packer) copySample(in *mediaReader, s *segmentSample) error {
	if s.off < 0 {
		return p.write(p.filler)
	}
	size := int64(s.size)
	video := p.track.Kind == Video
	if video && size > readSize {
		// Too large for the window: its NAL units are looked up one by one.
		if err := p.scanLarge(s); err != nil {
			return err
		}
		video = false
	}
	for done := int64(0); done < size; {
		data, err := in.get(s.off+done, size-done)
		if err != nil {
			return err
		}
		if video {
			if err := p.scan(data); err != nil {
				return err
			}
		}
		if err := p.write(data); err != nil {
			return err
		}
		done += int64(len(data))
	}
	return nil
}

// write appends to the output buffer, which is written when full.
func (p *packer) write(data []byte) error {
	p.total += int64(len(data))
	if len(data) > cap(p.out)-len(p.out) {
		if err := p.flush(); err != nil {
			return err
		}
		if len(data) >= cap(p.out)/2 {
			_, err := p.w.Write(data)
			return err
		}
	}
	p.out = append(p.out, data...)
	return nil
}

func (p *packer) flush() error {
	if len(p.out) == 0 {
		return nil
	}
	_, err := p.w.Write(p.out)
	p.out = p.out[:0]
	return err
}
