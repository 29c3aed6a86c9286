package stream

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"reprise/event"
	"reprise/stream/timeline"
	"reprise/vod"
)

// TalkState is where a talk stands.
type TalkState string

// The states, in order.
const (
	Scheduled TalkState = "scheduled" // the doors are closed
	Waiting   TalkState = "waiting"   // the doors are open, the talk has not begun
	OnAir     TalkState = "on-air"
	Ended     TalkState = "ended"  // over, and no replay (any more)
	ReplayOn  TalkState = "replay" // over, and there to be watched
)

// Programme is an event at an instant, for the page.
type Programme struct {
	Event       event.ID
	Title       event.Text
	Languages   []event.Language
	Zone        string
	ReplayUntil time.Time
	Now         time.Time
	Auditoriums []RoomProgramme
	Talks       []TalkProgramme // by hour
}

// RoomProgramme is an auditorium.
type RoomProgramme struct {
	ID     event.AuditoriumID
	Title  event.Text
	Opens  time.Time // as planned
	Closes time.Time // as it is on air: the end of the last feed, if there is one
	Open   bool      // a feed is on air
	Ended  bool      // all feeds have ended
	Ready  bool      // the feeds are laid out
}

// TalkProgramme is a talk.
type TalkProgramme struct {
	ID         event.TalkID
	Auditorium event.AuditoriumID
	Title      event.Text
	Abstract   event.Text
	Speakers   []string
	Spoken     event.Language
	Starts     time.Time // as planned
	Slot       time.Duration
	State      TalkState                   // of the feed that goes first: on air in any is on air
	Airings    map[event.Language]Airing   // by language of the feed
	Sounds     []event.Language            // languages that have a sound of their own
	Captions   []event.Language            // languages that have captions
	Poster     string                      // URL path below /p/{token}/: s/{media}/poster.jpg; empty if there is none
	Findings   []vod.Finding               // what viewers and organizers should know before
	Thumbnails map[event.Language]string   // URL paths of thumbnails.vtt
	Chapters   map[event.Language][]string // titles; empty if there are none
}

// Airing is a talk on one feed.
type Airing struct {
	State  TalkState
	Ready  bool      // its film is ready
	Starts time.Time // on air; zero while it is not laid out
	Ends   time.Time
	Media  vod.MediaID
	Replay bool // the replay is there
}

// Programme returns an event at now.
func (p *Playout) Programme(ev event.ID, now time.Time) (Programme, error) {
	s := p.snapshot.Load()
	e := s.events[ev]
	if e == nil {
		return Programme{}, fmt.Errorf("%w: event %s", ErrNotFound, ev)
	}
	out := Programme{
		Event: ev, Title: e.event.Title, Languages: e.event.Languages, Zone: e.event.Zone, ReplayUntil: e.until, Now: now,
	}
	for i := range e.event.Auditoriums {
		out.Auditoriums = append(out.Auditoriums, s.room(e, &e.event.Auditoriums[i], now))
	}
	laid := map[talkFeed]Airing{}
	for i := range e.event.Auditoriums {
		for _, l := range e.event.Languages {
			s.feeds[Feed{ev, e.event.Auditoriums[i].ID, l}].airings(laid)
		}
	}
	for i := range e.event.Talks {
		out.Talks = append(out.Talks, p.talk(s, e, &e.event.Talks[i], laid, now))
	}
	slices.SortStableFunc(out.Talks, func(a, b TalkProgramme) int {
		return cmp.Or(a.Starts.Compare(b.Starts), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

func (s *snapshot) room(e *eventState, a *event.Auditorium, now time.Time) RoomProgramme {
	r := RoomProgramme{ID: a.ID, Title: a.Title, Ready: true, Ended: true}
	r.Opens, r.Closes = doors(e, a)
	for _, l := range e.event.Languages {
		f := s.feeds[Feed{e.event.ID, a.ID, l}]
		n := len(f.journal.Entries)
		if n == 0 {
			r.Ready, r.Ended = false, false
			continue
		}
		end := f.journal.Entries[n-1].AirEnd()
		r.Closes = later(r.Closes, end)
		begun := !f.clock.peek(now).Before(r.Opens)
		if over := end.Before(now); !over {
			r.Ended = false
			r.Open = r.Open || begun
		}
	}
	return r
}

// airings adds when the feed's talks are on air.
func (f *feed) airings(laid map[talkFeed]Airing) {
	for k := range f.journal.Entries {
		e := &f.journal.Entries[k]
		if e.Talk == "" {
			continue
		}
		s := f.talks[event.TalkID(e.Talk)]
		laid[talkFeed{event.TalkID(e.Talk), f.Language}] = Airing{Starts: s.starts, Ends: s.ends, Media: vod.MediaID(e.Source.ID)}
	}
}

func (p *Playout) talk(s *snapshot, e *eventState, t *event.Talk, laid map[talkFeed]Airing, now time.Time) TalkProgramme {
	out := TalkProgramme{
		ID: t.ID, Auditorium: t.Auditorium, Title: t.Title, Abstract: t.Abstract, Speakers: t.Speakers,
		Spoken: t.Spoken, Starts: t.Starts, Slot: t.Slot,
		Airings: map[event.Language]Airing{}, Thumbnails: map[event.Language]string{}, Chapters: map[event.Language][]string{},
	}
	var media []*summary
	for _, l := range e.event.Languages {
		a, on := laid[talkFeed{t.ID, l}]
		if film, ok := filmOf(e, t, l); ok && film.Playable() != "" {
			a.Ready = true
			if !on {
				a.Media = film.Playable()
			}
		}
		a.State, a.Replay = p.state(s, e, t, l, a, now)
		out.Airings[l] = a
		if a.Media == "" {
			out.Findings = append(out.Findings, notReady(l, t))
			continue
		}
		m, err := p.shelf.summary(a.Media)
		if err != nil {
			p.log.Error("film cannot be read, the programme says less of it", "media_id", a.Media, "error", err)
			continue
		}
		media = append(media, m)
		if m.poster != "" && (out.Poster == "" || l == t.Spoken) {
			out.Poster = "s/" + string(a.Media) + "/poster.jpg"
		}
		if m.sprites {
			out.Thumbnails[l] = "s/" + string(a.Media) + "/thumbnails.vtt"
		}
		if len(m.chapters) > 0 {
			out.Chapters[l] = m.chapters
		}
		if heard := m.heard(l); heard != "" && heard != l {
			out.Findings = append(out.Findings, otherSound(l, heard))
		}
		if a.State == Scheduled || a.State == Waiting {
			if length := (a.Ends.Sub(a.Starts)); t.Slot > 0 && !a.Starts.IsZero() && length > t.Slot {
				out.Findings = append(out.Findings, overrun(l, length-t.Slot))
			}
		}
	}
	out.State = overall(out.Airings)
	for _, l := range e.event.Languages {
		if slices.ContainsFunc(media, func(m *summary) bool { return m.has("a-" + string(l)) }) {
			out.Sounds = append(out.Sounds, l)
		}
		if slices.ContainsFunc(media, func(m *summary) bool { return m.has("s-" + string(l)) }) {
			out.Captions = append(out.Captions, l)
		}
	}
	return out
}

// state returns where a talk stands on one feed, and whether its replay is there.
func (p *Playout) state(s *snapshot, e *eventState, t *event.Talk, l event.Language, a Airing, now time.Time) (TalkState, bool) {
	f := e.talkFeed[talkFeed{t.ID, l}]
	if f == nil {
		return Scheduled, false
	}
	now = f.clock.peek(now)
	replay := !a.Ends.IsZero() && !now.Before(a.Ends.Add(-timeline.Lead)) && !now.Before(a.Starts) && !f.gone(now)
	switch {
	case !a.Ends.IsZero() && !now.Before(a.Ends):
		if replay {
			return ReplayOn, true
		}
		return Ended, false
	case !a.Starts.IsZero() && !now.Before(a.Starts):
		return OnAir, replay
	}
	n := len(f.journal.Entries)
	if n > 0 && f.over(now) {
		return Ended, false // it never came
	}
	if room := e.rooms[t.Auditorium]; room != nil {
		if opens, _ := doors(e, room); !now.Before(opens) {
			return Waiting, false
		}
	}
	return Scheduled, false
}

// overall returns the state of a talk over its feeds.
func overall(airings map[event.Language]Airing) TalkState {
	for _, state := range []TalkState{OnAir, ReplayOn, Waiting, Ended} {
		for _, a := range airings {
			if a.State == state {
				return state
			}
		}
	}
	return Scheduled
}

// heard returns the language that is heard when l is asked for.
func (s *summary) heard(l event.Language) event.Language {
	r := s.fill("a-" + string(l))
	if r == nil {
		return ""
	}
	_, language, _ := strings.Cut(r.Name, "-")
	return event.Language(language)
}

func otherSound(l, heard event.Language) vod.Finding {
	return vod.Finding{
		Code: "sound-missing-" + string(l),
		FR:   fmt.Sprintf("Le son en %s manque%s: on entendra le son en %s.", inFrench(l), nbsp, inFrench(heard)),
		EN:   fmt.Sprintf("%s sound is missing: %s will be heard.", inEnglish(l), inEnglish(heard)),
	}
}

func notReady(l event.Language, t *event.Talk) vod.Finding {
	if len(t.Films) == 0 {
		return vod.Finding{
			Code: "film-missing-" + string(l),
			FR:   fmt.Sprintf("Aucune vidéo n’est attribuée à cette intervention (flux en %s).", inFrench(l)),
			EN:   fmt.Sprintf("This talk has no recording yet (%s feed).", inEnglish(l)),
		}
	}
	return vod.Finding{
		Code: "film-not-ready-" + string(l),
		FR:   fmt.Sprintf("La vidéo n’est pas prête (flux en %s)%s: un carton d’attente est diffusé jusque-là.", inFrench(l), nbsp),
		EN:   fmt.Sprintf("The recording is not ready (%s feed): a slate is shown until it is.", inEnglish(l)),
	}
}

func overrun(l event.Language, by time.Duration) vod.Finding {
	minutes := int(by.Round(time.Minute) / time.Minute)
	if minutes < 1 {
		minutes = 1
	}
	return vod.Finding{
		Code: "slot-overrun-" + string(l),
		FR:   fmt.Sprintf("La vidéo du flux en %s dépasse son créneau de %d%smin%s: elle passe en entier et décale la suite si besoin.", inFrench(l), minutes, nbsp, nbsp),
		EN:   fmt.Sprintf("The recording of the %s feed is %d min longer than its slot: it plays whole and pushes what follows if it must.", inEnglish(l), minutes),
	}
}
