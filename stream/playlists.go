package stream

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"reprise/stream/hls"
	"reprise/stream/timeline"
	"reprise/vod"
)

// skipUntil is CAN-SKIP-UNTIL: six target durations (R075).
const skipUntil = 6 * timeline.TargetDuration

// never is the end of a view that does not change.
const never = int64(1<<63 - 1)

// documentKey is what a playlist is cached under, besides its last segment.
type documentKey struct {
	address   Address
	rendition string
	skip      bool
}

// view is a playlist as long as it is right: it is the answer from since until
// (Unix nanoseconds) for the feed it was made for.
type view struct {
	doc          *Document
	feed         *feed
	since, until int64
}

// moment is what a playlist of an address shows at an instant.
type moment struct {
	window       timeline.Window
	entries      []timeline.Entry // what the window's spans index
	last         int64
	next         time.Time // zero: none
	since, until int64
	vod          bool
}

// Media returns a media playlist at now: rendition is v720, a-fr, al-fr, s-fr,
// or i720 for the I-frames of v720. skip asks for a delta update (R190).
//
// A playlist is kept as long as its last segment is the last; finding it again
// costs two look-ups and no allocation.
func (p *Playout) Media(a Address, rendition string, now time.Time, skip bool) (*Document, error) {
	a = a.normal()
	if a.View == Preview {
		return p.previewMedia(a, rendition)
	}
	skip = skip && a.View != Replay
	s := p.snapshot.Load()
	f := s.feedOf(a)
	if f == nil {
		return nil, s.missing(a)
	}
	if v := p.documents.get(documentKey{a, rendition, skip}); v != nil && v.feed == f {
		if n := now.UnixNano(); v.since <= n && n < v.until {
			return v.doc, nil
		}
	}
	return p.renew(f, a, rendition, now, skip)
}

// missing tells why there is no feed at an address.
func (s *snapshot) missing(a Address) error {
	return fmt.Errorf("%w: %s %s%s %s of event %s", ErrNotFound, a.View, a.Auditorium, a.Talk, a.Language, a.Event)
}

// renew makes a playlist, or finds that the one there still says the same.
func (p *Playout) renew(f *feed, a Address, rendition string, now time.Time, skip bool) (*Document, error) {
	languages := f.languages
	if a.View == Replay {
		languages = nil // the film says
	}
	base, iframes, ok := kindOf(rendition, languages)
	if !ok {
		return nil, fmt.Errorf("%w: rendition %q", ErrNotFound, rendition)
	}
	m, err := p.moment(f, a, f.clock.forward(now))
	if err != nil {
		return nil, err
	}
	if m.vod {
		if err := p.replayHas(&m, base); err != nil {
			return nil, err
		}
	}
	c := p.documents.cell(documentKey{a, rendition, skip})
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.value.Load()
	if was != nil && was.feed == f && was.since == m.since && was.until == m.until {
		return was.doc, nil // somebody else just made it
	}
	var doc *Document
	if was != nil && was.doc.LastMSN == m.last && was.doc.Ended == m.window.EndList && was.feed.Feed == f.Feed {
		// What is listed never changes (R104), so neither does the text; only when it will may have.
		same := *was.doc
		same.Next = m.next
		doc = &same
	} else {
		body, err := p.render(f, &m, a.View, base, iframes, skip)
		if err != nil {
			return nil, err
		}
		doc = p.document(body, m.last)
		doc.Next, doc.Ended = m.next, m.window.EndList
	}
	p.documents.set(c, &view{doc, f, m.since, m.until}, int64(len(doc.Body)+len(doc.Gzip))+512)
	return doc, nil
}

// moment finds what an address shows at now.
func (p *Playout) moment(f *feed, a Address, now time.Time) (moment, error) {
	if a.View == Live {
		return p.liveMoment(f, now)
	}
	m, err := talkMoment(f, a, now)
	if err != nil || a.View == StartOver {
		return m, err
	}
	return replayMoment(f, m)
}

func (p *Playout) liveMoment(f *feed, now time.Time) (moment, error) {
	j := f.journal
	last, ok := j.LastListed(now)
	if !ok {
		return moment{}, fmt.Errorf("%w: %v", ErrNotListed, f.Feed)
	}
	m := moment{window: j.WindowAt(last, p.cfg.Depth), entries: j.Entries, last: last}
	if m.window.EndList && f.gone(now) {
		return m, &Gone{f.until}
	}
	since, _ := j.ListedAt(max(last, min(timeline.FewestSegments, j.Len())-1))
	m.between(since, f, j.ListedAt)
	return m, nil
}

// between sets the stretch of time in which the moment is right. listedAt gives
// the instant of a segment by its number.
func (m *moment) between(since time.Time, f *feed, listedAt func(int64) (time.Time, bool)) {
	m.since, m.until = since.UnixNano(), never
	if !m.window.EndList {
		if next, ok := listedAt(m.last + 1); ok {
			m.next, m.until = next, next.UnixNano()
		}
	} else if !f.until.IsZero() {
		m.until = max(f.until.UnixNano(), m.since)
	}
}

// gone reports whether the feed's replays are over.
func (f *feed) gone(now time.Time) bool { return !f.until.IsZero() && !now.Before(f.until) }

// talkMoment finds what the start-over view of a talk shows. It begins on the
// air, not with the first listed segment: a viewer who starts at the beginning
// must not be ahead of the hour.
func talkMoment(f *feed, a Address, now time.Time) (moment, error) {
	w, ok := f.journal.TalkWindow(string(a.Talk), now)
	if !ok || f.journal.Entries[w.Spans[0].Entry].AirStart.After(now) {
		return moment{}, fmt.Errorf("%w: talk %s of %v", ErrNotListed, a.Talk, f.Feed)
	}
	entries := f.talkEntries(a.Talk)
	if w.EndList && f.gone(now) && !entries[len(entries)-1].AirEnd().After(now) {
		return moment{}, &Gone{f.until}
	}
	m := moment{window: w, entries: f.journal.Entries, last: int64(w.Len()) - 1}
	since, _ := talkListedAt(entries, m.last)
	m.between(later(since, entries[0].AirStart), f, func(msn int64) (time.Time, bool) { return talkListedAt(entries, msn) })
	if w.EndList {
		m.until = max(m.until, entries[len(entries)-1].AirEnd().UnixNano())
	}
	return m, nil
}

// talkListedAt returns when segment msn of a talk's own playlist is listed.
func talkListedAt(entries []timeline.Entry, msn int64) (time.Time, bool) {
	for _, e := range entries {
		if msn >= 0 && msn < int64(e.Count) {
			return e.AirTime(e.From + int(msn) + 1).Add(-timeline.Lead), true
		}
		msn -= int64(e.Count)
	}
	return time.Time{}, false
}

// replayMoment turns the view of a talk whose last segment is listed into its
// replay: the same film whole, from its first segment.
func replayMoment(f *feed, m moment) (moment, error) {
	if !m.window.EndList {
		return m, fmt.Errorf("%w: replay in %v", ErrNotListed, f.Feed)
	}
	first, last := m.entries[m.window.Spans[0].Entry], m.entries[m.window.Spans[len(m.window.Spans)-1].Entry]
	whole := last
	whole.From, whole.BaseMSN, whole.BaseDSN = 0, 0, 0
	whole.AirStart = first.AirStart.Add(-(first.Nominal * timeline.Ticks(first.From)).Duration())
	whole.Count = last.From + last.Count
	m.entries = []timeline.Entry{whole}
	m.window = timeline.Window{Spans: []timeline.Span{{Entry: 0, From: 0, To: whole.Count}}, Edge: whole.AirEnd(), EndList: true}
	m.last, m.vod = int64(whole.Count)-1, true
	return m, nil
}

// replayHas checks that the replay's film has a rendition: a replay offers no more than there is.
func (p *Playout) replayHas(m *moment, base string) error {
	s, err := p.shelf.summary(vod.MediaID(m.entries[0].Source.ID))
	if err != nil {
		return err
	}
	for _, name := range replayNames(s) {
		if name == base {
			return nil
		}
	}
	return fmt.Errorf("%w: the film has no rendition %q", ErrNotFound, base)
}

// render returns the text of a media playlist: a header, and for each span its
// first segment with the tags that go with it, and the rest from kept pieces. A
// preview has no feed.
func (p *Playout) render(f *feed, m *moment, v View, base string, iframes, skip bool) ([]byte, error) {
	list := hls.Media{
		Version:               7,
		TargetDuration:        timeline.TargetDuration,
		MediaSequence:         m.window.MediaSequence,
		DiscontinuitySequence: m.window.DiscontinuitySequence,
		IFramesOnly:           iframes,
	}
	switch v {
	case StartOver:
		list.Type = hls.Event
	case Replay, Preview:
		list.Type = hls.VOD
	}
	if !m.vod {
		list.ServerControl = &hls.ServerControl{CanBlockReload: true, CanSkipUntil: skipUntil, HoldBack: timeline.Lead}
	}
	skipped := 0
	if skip && !m.window.EndList {
		skipped = m.skippable()
	}
	if skipped > 0 {
		list.Version = 9
		list.Skip = &hls.Skip{SkippedSegments: skipped}
	}
	body := hls.AppendMedia(make([]byte, 0, 512+(m.window.Len()-skipped)*segmentText+len(m.window.Spans)*spanText), &list)
	var ranges []hls.DateRange // not printed yet: those of skipped segments stay (R190)
	for n, span := range m.window.Spans {
		e := &m.entries[span.Entry]
		if e.Talk != "" && (n == 0 || m.entries[m.window.Spans[n-1].Entry].Talk != e.Talk) {
			ranges = append(ranges, f.dateRange(e.Talk))
		}
		pass := min(skipped, span.To-span.From)
		skipped -= pass
		if pass == span.To-span.From {
			continue
		}
		s := pieceOf{entry: e, base: base, iframes: iframes, preview: v == Preview}
		first, err := p.segment(s, span.From+pass)
		if err != nil {
			return nil, err
		}
		first.Discontinuity = pass == 0 && (n > 0 || m.window.FirstDiscontinuity)
		if first.Map, err = p.initOf(s); err != nil {
			return nil, err
		}
		body = hls.AppendSegments(body, []hls.Segment{first}, ranges)
		ranges = ranges[:0]
		if body, err = p.appendPieces(body, s, span.From+pass+1, span.To); err != nil {
			return nil, err
		}
	}
	if m.window.EndList {
		body = append(body, hls.EndListLine...)
	}
	return body, nil
}

// skippable returns how many segments end before the skip boundary (R190).
func (m *moment) skippable() int {
	boundary := m.window.Edge.Add(-skipUntil)
	n := 0
	for _, span := range m.window.Spans {
		e := m.entries[span.Entry]
		for i := span.From; i < span.To; i++ {
			if e.AirTime(i + 1).After(boundary) {
				return n
			}
			n++
		}
	}
	return n
}

// ListedAt returns the instant from which segment msn is listed in a media
// playlist of the address. ErrNotFound when the journal does not hold it.
func (p *Playout) ListedAt(a Address, msn int64) (time.Time, error) {
	a = a.normal()
	s := p.snapshot.Load()
	f := s.feedOf(a)
	if f == nil || a.View == Preview {
		return time.Time{}, s.missing(a) // a preview has no hour
	}
	var at time.Time
	var ok bool
	switch a.View {
	case Live:
		// The first few appear together.
		at, ok = f.journal.ListedAt(msn)
		if fewest := min(timeline.FewestSegments, f.journal.Len()) - 1; ok && msn < fewest {
			at, ok = f.journal.ListedAt(fewest)
		}
	default:
		entries := f.talkEntries(a.Talk)
		at, ok = talkListedAt(entries, msn)
		if ok && a.View == StartOver {
			at = later(at, entries[0].AirStart)
		} else if ok {
			e := entries[len(entries)-1]
			at = later(e.AirEnd().Add(-timeline.Lead), entries[0].AirStart)
		}
	}
	if !ok {
		return time.Time{}, fmt.Errorf("%w: segment %d of %v", ErrNotFound, msn, f.Feed)
	}
	return at, nil
}

// document completes a playlist's text. Compressors are kept: a new one costs
// more than its work.
func (p *Playout) document(body []byte, msn int64) *Document {
	d := &Document{Body: body, ETag: etag(body, msn), LastMSN: msn}
	if p.cfg.NoGzip {
		return d
	}
	var b bytes.Buffer
	b.Grow(512 + len(body)/8)
	z, _ := p.compressors.Get().(*gzip.Writer)
	if z == nil {
		z = gzip.NewWriter(&b)
	} else {
		z.Reset(&b)
	}
	// A bytes.Buffer does not fail.
	_, _ = z.Write(body)
	_ = z.Close()
	p.compressors.Put(z)
	d.Gzip = b.Bytes()
	return d
}

// etag returns a strong entity tag of a playlist. Its last segment tells the
// versions of one playlist apart already; the sum guards against mistakes.
func etag(body []byte, msn int64) string {
	b := make([]byte, 0, 40)
	b = append(b, '"')
	b = strconv.AppendInt(b, msn, 36)
	b = append(b, '-')
	b = strconv.AppendInt(b, int64(len(body)), 36)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))), 36)
	return string(append(b, '"'))
}
