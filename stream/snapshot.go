package stream

import (
	"sync/atomic"
	"time"

	"reprise/event"
	"reprise/stream/hls"
	"reprise/stream/timeline"
	"reprise/vod"
)

// snapshot is all that requests look at. It is never changed, only replaced.
type snapshot struct {
	events map[event.ID]*eventState
	feeds  map[Feed]*feed
}

// eventState is one event as requests see it.
type eventState struct {
	event    event.Event
	zone     *time.Location
	until    time.Time // replays are gone from then on
	talks    map[event.TalkID]*event.Talk
	assets   map[vod.AssetID]vod.Asset      // those that the event's films name
	films    map[vod.MediaID][]event.TalkID // media of the programme that can go on air
	airings  map[vod.MediaID][]airing       // where a media is in the journals
	talkFeed map[talkFeed]*feed             // where a talk is, or will be, on air
	rooms    map[event.AuditoriumID]*event.Auditorium
}

type talkFeed struct {
	talk     event.TalkID
	language event.Language
}

// airing is one journal entry that plays a media.
type airing struct {
	feed  *feed
	entry int
}

// feed is one feed as requests see it. It stays the same object as long as
// nothing that it says can change, so that a cached playlist knows it is fresh.
type feed struct {
	Feed
	journal   timeline.Journal
	revision  int64
	version   int64 // of the event
	languages []event.Language
	until     time.Time
	clock     *clock
	talks     map[event.TalkID]stretch
}

// stretch is when a talk is on air on a feed.
type stretch struct{ starts, ends time.Time }

// clock holds the latest instant at which a feed was shown. A step back of the
// server's clock must not move the edge back (R237).
type clock struct {
	latest atomic.Int64 // Unix nanoseconds
	rewind bool         // follow now wherever it goes
}

// forward returns now, or the latest instant shown if that is later, and remembers it.
func (c *clock) forward(now time.Time) time.Time {
	if c.rewind {
		return now
	}
	for n := now.UnixNano(); ; {
		latest := c.latest.Load()
		if n <= latest {
			return time.Unix(0, latest).UTC()
		}
		if c.latest.CompareAndSwap(latest, n) {
			return now
		}
	}
}

// peek is forward without remembering.
func (c *clock) peek(now time.Time) time.Time {
	if latest := c.latest.Load(); !c.rewind && latest > now.UnixNano() {
		return time.Unix(0, latest).UTC()
	}
	return now
}

// feedOf returns the feed that an address speaks of, or nil.
func (s *snapshot) feedOf(a Address) *feed {
	if a.View == Live {
		return s.feeds[Feed{a.Event, a.Auditorium, a.Language}]
	}
	if e := s.events[a.Event]; e != nil {
		return e.talkFeed[talkFeed{a.Talk, a.Language}]
	}
	return nil
}

// buildSnapshot indexes what a turn has read or planned. Feeds of the snapshot
// before that say the same are taken over.
func buildSnapshot(before *snapshot, r *reading, clocks func(Feed) *clock) *snapshot {
	s := &snapshot{events: map[event.ID]*eventState{}, feeds: map[Feed]*feed{}}
	for i := range r.events {
		e := newEventState(r.events[i], r.assets)
		s.events[e.event.ID] = e
		for j := range e.event.Auditoriums {
			for _, l := range e.event.Languages {
				key := Feed{e.event.ID, e.event.Auditoriums[j].ID, l}
				log := r.journals[key]
				f := &feed{
					Feed: key, journal: log.journal, revision: log.revision, version: e.event.Version,
					languages: e.event.Languages, until: e.until, clock: clocks(key),
				}
				if before != nil {
					if was := before.feeds[key]; was != nil && was.revision == f.revision && was.version == f.version && was.until.Equal(f.until) {
						f = was
					}
				}
				if f.talks == nil {
					f.measure()
				}
				s.feeds[key] = f
				e.index(f)
			}
		}
	}
	return s
}

func newEventState(e event.Event, assets map[vod.AssetID]vod.Asset) *eventState {
	s := &eventState{
		event:    e,
		zone:     zoneOf(e),
		talks:    make(map[event.TalkID]*event.Talk, len(e.Talks)),
		assets:   map[vod.AssetID]vod.Asset{},
		films:    map[vod.MediaID][]event.TalkID{},
		airings:  map[vod.MediaID][]airing{},
		talkFeed: map[talkFeed]*feed{},
		rooms:    map[event.AuditoriumID]*event.Auditorium{},
	}
	s.until = replayUntil(e, s.zone)
	for i := range e.Auditoriums {
		s.rooms[e.Auditoriums[i].ID] = &e.Auditoriums[i]
	}
	for i := range e.Talks {
		t := &e.Talks[i]
		s.talks[t.ID] = t
		for _, film := range t.Films {
			a, ok := assets[vod.AssetID(film)]
			if !ok {
				continue
			}
			s.assets[a.ID] = a
			if id := a.Playable(); id != "" {
				s.films[id] = append(s.films[id], t.ID)
			}
		}
	}
	return s
}

// index adds a feed's journal to the event's look-up tables.
func (s *eventState) index(f *feed) {
	for k := range f.journal.Entries {
		e := &f.journal.Entries[k]
		id := vod.MediaID(e.Source.ID)
		s.airings[id] = append(s.airings[id], airing{f, k})
		if e.Talk != "" {
			s.talkFeed[talkFeed{event.TalkID(e.Talk), f.Language}] = f
		}
	}
	for i := range s.event.Talks {
		t := &s.event.Talks[i]
		key := talkFeed{t.ID, f.Language}
		if t.Auditorium == f.Auditorium && s.talkFeed[key] == nil {
			s.talkFeed[key] = f
		}
	}
}

// zoneOf returns the event's time zone, UTC when it is unknown.
func zoneOf(e event.Event) *time.Location {
	if zone, err := time.LoadLocation(e.Zone); err == nil {
		return zone
	}
	return time.UTC
}

// replayUntil returns the instant from which an event's replays are gone: as
// set, or the end of the day three calendar months after the event's last day,
// in its zone (the last of the month where there is no such day).
func replayUntil(e event.Event, zone *time.Location) time.Time {
	if !e.ReplayUntil.IsZero() {
		return e.ReplayUntil
	}
	var last time.Time
	for _, a := range e.Auditoriums {
		last = later(last, a.Closes)
	}
	for _, t := range e.Talks {
		last = later(last, t.Starts.Add(t.Slot))
	}
	if last.IsZero() {
		return time.Time{}
	}
	year, month, day := last.In(zone).Date()
	end := time.Date(year, month+4, 0, 0, 0, 0, 0, zone).Day() // days in the third month after
	return time.Date(year, month+3, min(day, end)+1, 0, 0, 0, 0, zone).UTC()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// measure notes when the talks of the journal are on air.
func (f *feed) measure() {
	f.talks = map[event.TalkID]stretch{}
	for k := range f.journal.Entries {
		e := &f.journal.Entries[k]
		if e.Talk == "" {
			continue
		}
		s, ok := f.talks[event.TalkID(e.Talk)]
		if !ok {
			s.starts = e.AirStart
		}
		s.ends = e.AirEnd()
		f.talks[event.TalkID(e.Talk)] = s
	}
}

// dateRange returns the date range of a talk in the journal, the same in all
// renditions (R072, R136). It says nothing that can still change, since the
// talk has begun to be listed. It ends where the next segment begins, as both
// are printed.
func (f *feed) dateRange(talk string) hls.DateRange {
	s := f.talks[event.TalkID(talk)]
	length := s.ends.Round(time.Millisecond).Sub(s.starts.Round(time.Millisecond))
	return hls.DateRange{ID: talk, Class: "org.reprise.talk", StartDate: s.starts, Duration: length}
}

// talkEntries returns the journal entries of a talk, in air order.
func (f *feed) talkEntries(talk event.TalkID) []timeline.Entry {
	var entries []timeline.Entry
	for i := range f.journal.Entries {
		if f.journal.Entries[i].Talk == string(talk) && talk != "" {
			entries = append(entries, f.journal.Entries[i])
		}
	}
	return entries
}
