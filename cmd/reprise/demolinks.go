package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"reprise/api"
	"reprise/api/token"
	"reprise/event"
	"reprise/storage"
	"reprise/stream"
	"reprise/vod"
)

// demoLinks is what the demonstration prints when the first talk can go on air.
type demoLinks struct {
	URL          string                                           `json:"url"` // an attendee's link to the main hall
	BaseURL      string                                           `json:"base_url"`
	OrganizerURL string                                           `json:"organizer_url"`
	HandInURL    string                                           `json:"hand_in_url"` // a speaker's link: the film of the last talk in the language it lacks
	Event        event.ID                                         `json:"event"`
	Attendees    map[event.AuditoriumID]map[event.Language]string `json:"attendees"` // links to the pages
	Feeds        map[event.AuditoriumID]map[event.Language]string `json:"feeds"`     // multivariant playlists
	Talks        []demoTalkLinks                                  `json:"talks"`
}

// demoTalkLinks is one talk of it.
type demoTalkLinks struct {
	ID         event.TalkID              `json:"id"`
	Title      string                    `json:"title"` // in the event's first language
	Titles     event.Text                `json:"titles"`
	Auditorium event.AuditoriumID        `json:"auditorium"`
	StartsAt   time.Time                 `json:"starts_at"`
	EndsAt     time.Time                 `json:"ends_at"`
	StartOver  map[event.Language]string `json:"startover"`
	Replay     map[event.Language]string `json:"replay"`
	Pages      map[event.Language]string `json:"pages"`
}

// announce prints the links, as JSON or for people.
func (s *demoStage) announce(ctx context.Context, talks []demoTalk) error {
	links, err := s.links(ctx, talks)
	if err != nil {
		return err
	}
	if s.json {
		return json.NewEncoder(s.p.stdout).Encode(links)
	}
	return s.print(links)
}

func (s *demoStage) links(ctx context.Context, talks []demoTalk) (demoLinks, error) {
	e := s.event
	maker := s.app.links(e, s.base, "demo", 0)
	out := demoLinks{BaseURL: s.base, Event: e.ID, Attendees: map[event.AuditoriumID]map[event.Language]string{}, Feeds: map[event.AuditoriumID]map[event.Language]string{}}
	play, err := maker.mint(token.Playback, false, token.WholeEvent)
	if err != nil {
		return out, err
	}
	if out.OrganizerURL, err = maker.organizer(e.Languages[0]); err != nil {
		return out, err
	}
	if out.HandInURL, err = s.handIn(ctx); err != nil {
		return out, err
	}
	for _, a := range e.Auditoriums {
		out.Attendees[a.ID], out.Feeds[a.ID] = map[event.Language]string{}, map[event.Language]string{}
		for _, l := range e.Languages {
			if out.Attendees[a.ID][l], err = maker.attendee(l, "a/"+string(a.ID), token.WholeEvent); err != nil {
				return out, err
			}
			out.Feeds[a.ID][l] = maker.playlist(stream.Live, string(a.ID), l, play)
		}
	}
	out.URL = out.Attendees[e.Auditoriums[0].ID][e.Languages[0]]
	for _, t := range e.Talks {
		starts, ends, err := s.hours(ctx, t)
		if err != nil {
			return out, err
		}
		line := demoTalkLinks{ID: t.ID, Title: t.Title.In(e.Languages[0]), Titles: t.Title, Auditorium: t.Auditorium, StartsAt: starts, EndsAt: ends,
			StartOver: map[event.Language]string{}, Replay: map[event.Language]string{}, Pages: map[event.Language]string{}}
		for _, l := range e.Languages {
			line.StartOver[l] = maker.playlist(stream.StartOver, string(t.ID), l, play)
			line.Replay[l] = maker.playlist(stream.Replay, string(t.ID), l, play)
			if line.Pages[l], err = maker.attendee(l, "t/"+string(t.ID), token.WholeEvent); err != nil {
				return out, err
			}
		}
		out.Talks = append(out.Talks, line)
	}
	return out, nil
}

// handIn returns the link with which the speaker of the last talk hands in its
// film in the other language; it makes the invitation if there is none.
func (s *demoStage) handIn(ctx context.Context) (string, error) {
	e := s.event
	talk := e.Talks[len(e.Talks)-1]
	known, err := s.app.rows.HandIns(ctx, e.ID)
	if err != nil {
		return "", err
	}
	for i := range known {
		if known[i].Talk == talk.ID && known[i].Revoked.IsZero() {
			return api.HandInLink(s.app.keys, s.base, &known[i])
		}
	}
	now := s.app.clock.Now().UTC()
	h := event.HandIn{
		ID: event.HandInID(storage.RandomName()), Event: e.ID, Talk: talk.ID, Name: strings.Join(talk.Speakers, ", "),
		Language: e.Languages[0], Deadline: now.Add(demoHandIn).Truncate(time.Minute), Created: now,
	}
	for _, l := range e.Languages {
		if l != talk.Spoken {
			h.Languages = append(h.Languages, l)
		}
	}
	if err := s.app.rows.CreateHandIn(ctx, h); err != nil {
		return "", err
	}
	return api.HandInLink(s.app.keys, s.base, &h)
}

// demoHandIn is how long the demonstration's speaker may hand in a film.
const demoHandIn = 7 * 24 * time.Hour

// hours returns when a talk is on air: as laid out, else as planned.
func (s *demoStage) hours(ctx context.Context, t event.Talk) (starts, ends time.Time, err error) {
	programme, err := s.app.playout.Programme(s.event.ID, s.app.clock.Now())
	if err != nil && !errors.Is(err, stream.ErrNotFound) {
		return starts, ends, err
	}
	for _, laid := range programme.Talks {
		if laid.ID != t.ID {
			continue
		}
		for _, airing := range laid.Airings {
			if airing.Starts.IsZero() {
				continue
			}
			if starts.IsZero() || airing.Starts.Before(starts) {
				starts = airing.Starts
			}
			ends = latest(ends, airing.Ends)
		}
	}
	if !starts.IsZero() {
		return starts.UTC(), ends.UTC(), nil
	}
	length := t.Slot
	for _, film := range distinct(t.Films) {
		known, err := s.app.filmLength(ctx, vod.AssetID(film))
		if err != nil {
			return starts, ends, err
		}
		length = max(length, known)
	}
	return t.Starts.UTC(), t.Starts.Add(length).UTC(), nil
}

// awaitFeeds waits until viewers get a picture in the first talk's auditorium,
// so that no link is printed that does not work yet.
func (s *demoStage) awaitFeeds(ctx context.Context) error {
	deadline := s.app.clock.Now().Add(demoNotice)
	for _, l := range s.event.Languages {
		address := stream.Address{View: stream.Live, Event: s.event.ID, Auditorium: s.event.Talks[0].Auditorium, Language: l}
		for {
			now := s.app.clock.Now()
			if _, err := s.app.playout.Multivariant(address, now); err == nil && s.laidOut(now) {
				break
			}
			if now.After(deadline) {
				return errors.New("demo: the feeds did not begin in time; run with REPRISE_LOG_LEVEL=info to see why")
			}
			if err := s.app.clock.Wait(ctx, now.Add(100*time.Millisecond)); err != nil {
				return err
			}
		}
	}
	return nil
}

// laidOut reports whether the first talk has its place in the journals of all languages.
func (s *demoStage) laidOut(now time.Time) bool {
	programme, err := s.app.playout.Programme(s.event.ID, now)
	if err != nil {
		return false
	}
	for _, t := range programme.Talks {
		if t.ID != s.event.Talks[0].ID {
			continue
		}
		for _, l := range s.event.Languages {
			if t.Airings[l].Starts.IsZero() {
				return false
			}
		}
		return true
	}
	return false
}

// print prints the links for people.
func (s *demoStage) print(l demoLinks) error {
	zone, err := time.LoadLocation(s.event.Zone)
	if err != nil {
		zone = time.UTC
	}
	var b strings.Builder
	now := s.app.clock.Now()
	fmt.Fprintf(&b, "\n%s is on air at %s\n\n", s.event.Title.In("en"), l.BaseURL)
	for _, t := range l.Talks {
		when := "at " + t.StartsAt.In(zone).Format("15:04:05")
		switch {
		case now.Before(t.StartsAt):
			when += fmt.Sprintf(", in %s", t.StartsAt.Sub(now).Round(time.Second))
		case now.Before(t.EndsAt):
			when += ", on air now"
		default:
			when += ", over: watch the replay"
		}
		fmt.Fprintf(&b, "  %-42s %-7s %s\n", t.Titles.In("en"), t.Auditorium, when)
	}
	b.WriteString("\nWatch (open in a browser)\n")
	for _, a := range s.event.Auditoriums {
		for _, language := range s.event.Languages {
			fmt.Fprintf(&b, "  %-9s %s\n", string(a.ID)+"/"+string(language), l.Attendees[a.ID][language])
		}
	}
	fmt.Fprintf(&b, "\nOrganize\n  %s\n\nHand in a film, as its speaker\n  %s\n\nFeeds (for any player)\n", l.OrganizerURL, l.HandInURL)
	for _, a := range s.event.Auditoriums {
		for _, language := range s.event.Languages {
			fmt.Fprintf(&b, "  %-9s %s\n", string(a.ID)+"/"+string(language), l.Feeds[a.ID][language])
		}
	}
	if closes := lastInstant(s.event); now.After(closes) {
		fmt.Fprintf(&b, "\nThe doors closed at %s; replays stay. 'reprise demo --again' puts the talks on air once more.\n", closes.In(zone).Format("2006-01-02 15:04"))
	}
	b.WriteString("\nStop with Ctrl-C.\n")
	_, err = fmt.Fprint(s.p.stdout, b.String())
	return err
}
