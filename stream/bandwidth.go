package stream

import (
	"reprise/stream/timeline"
	"reprise/vod"
)

// rate is a pair of bit rates, in bit/s.
type rate struct {
	peak    int64 // peak segment bit rate (R021)
	average int64 // average segment bit rate (R022)
}

func (r rate) plus(o rate) rate { return rate{r.peak + o.peak, r.average + o.average} }

func (r rate) max(o rate) rate { return rate{max(r.peak, o.peak), max(r.average, o.average)} }

// The peak segment bit rate is the largest over all contiguous runs of
// segments that last from half a target duration to one and a half and half a second (R021).
const (
	shortestRun = timeline.TicksPerSecond * 4 / 2
	longestRun  = timeline.TicksPerSecond*4*3/2 + timeline.TicksPerSecond/2
)

// piece is one segment as far as bit rates go.
type piece struct {
	bytes int64
	ticks timeline.Ticks
	cut   bool // segments are left out before this one: no run passes
}

// peakOf returns the peak segment bit rate of a run of segments. When all of
// it is shorter than the shortest run its own rate is the peak.
func peakOf(pieces []piece) int64 {
	peak := int64(0)
	var all piece
	for i := range pieces {
		all.bytes, all.ticks = all.bytes+pieces[i].bytes, all.ticks+pieces[i].ticks
		var run piece
		for j := i; j < len(pieces); j++ {
			if j > i && pieces[j].cut {
				break
			}
			run.bytes += pieces[j].bytes
			run.ticks += pieces[j].ticks
			if run.ticks > longestRun {
				break
			}
			if run.ticks >= shortestRun {
				peak = max(peak, bitrate(run.bytes, run.ticks))
			}
		}
	}
	if peak == 0 {
		return bitrate(all.bytes, all.ticks)
	}
	return peak
}

// bitrate returns bits a second, rounded up.
func bitrate(bytes int64, ticks timeline.Ticks) int64 {
	if ticks <= 0 {
		return 0
	}
	bits := bytes * 8
	// bytes of a whole recording times 384,000 stay under 2^63 up to 24 TB.
	return (bits*int64(timeline.TicksPerSecond) + int64(ticks) - 1) / int64(ticks)
}

// measure returns the rates of one rendition of a media, and the sizes at its ends.
func measure(m *vod.Media, size func(int) int64) (rate, ends) {
	var e ends
	if m.Loop {
		// Segments are made on request, none larger than the template.
		for i := range endSegments {
			e.head[i], e.tail[i] = size(0), size(0)
		}
		b := bitrate(size(0), timeline.SlateNominal)
		return rate{b, b}, e
	}
	pieces := make([]piece, m.Count)
	total := int64(0)
	for i := range pieces {
		pieces[i] = piece{bytes: size(i), ticks: m.Nominal}
		total += pieces[i].bytes
	}
	if m.Count > 0 {
		pieces[m.Count-1].ticks = m.Last
	}
	for i := range min(endSegments, m.Count) {
		e.head[i], e.tail[endSegments-1-i] = size(i), size(m.Count-1-i)
	}
	return rate{peakOf(pieces), bitrate(total, m.Duration())}, e
}

// scope is a run of journal entries with the summaries of their media: what a
// multivariant playlist speaks for.
type scope struct {
	entries []timeline.Entry
	media   []*summary
	empty   int64 // bytes of a segment of empty captions
}

// rates returns the rates of one rendition of the feed over the scope. The
// peak is exact, runs across entries included; the average is that of the
// entry with the highest, so that no stretch of air is above it for long (R022).
// Talks count for the average; slates only when there is nothing else.
func (s scope) rates(name string, iframes bool) rate {
	var talks, slates rate
	var pieces []piece
	for k, e := range s.entries {
		r := s.media[k].fill(name)
		of, ends := s.emptyCaptions(e)
		if r != nil {
			of, ends = r.rate, r.sizes
			if iframes {
				of, ends = r.iRate, r.iSizes
			}
		}
		if e.Talk != "" {
			talks = talks.max(of)
		} else {
			slates = slates.max(of)
		}
		pieces = appendEnds(pieces, e, ends)
	}
	all := rate{peak: max(talks.peak, peakOf(pieces)), average: talks.average}
	if all.average == 0 {
		all.average = slates.average
	}
	all.peak = max(all.peak, all.average)
	return all
}

// appendEnds appends the segments at both ends of an entry.
func appendEnds(pieces []piece, e timeline.Entry, ends ends) []piece {
	for i := e.From; i < e.From+e.Count; i++ {
		fromStart, fromEnd := i-e.From, e.From+e.Count-1-i
		switch {
		case fromStart < endSegments:
			pieces = append(pieces, piece{bytes: ends.head[fromStart], ticks: e.SegmentTicks(i)})
		case fromEnd < endSegments:
			pieces = append(pieces, piece{bytes: ends.tail[endSegments-1-fromEnd], ticks: e.SegmentTicks(i), cut: fromStart == e.Count-endSegments && e.Count > 2*endSegments})
		default:
			i = e.From + e.Count - endSegments - 1
		}
	}
	return pieces
}

// emptyCaptions returns what stands for captions that an entry has none of. All
// segments are alike, so the peak follows from the ends alone.
func (s scope) emptyCaptions(e timeline.Entry) (rate, ends) {
	var sizes ends
	for i := range endSegments {
		sizes.head[i], sizes.tail[i] = s.empty, s.empty
	}
	return rate{average: bitrate(s.empty*int64(e.Count), e.Offset(e.From+e.Count))}, sizes
}
