package api

import (
	"context"
	"time"

	"reprise/event"
	"reprise/stream"
	"reprise/vod"
)

// Programme is stream.Programme as the page reads it.
type Programme struct {
	ID          event.ID         `json:"id"`
	Title       event.Text       `json:"title" doc:"by language"`
	Languages   []event.Language `json:"languages" doc:"of the event, the default first"`
	Zone        string           `json:"zone" doc:"IANA time zone of the event" example:"Europe/Paris"`
	ReplayUntil *time.Time       `json:"replay_until,omitempty" doc:"replays are gone from this instant"`
	Now         time.Time        `json:"now" doc:"the instant that states are true of"`
	Auditoriums []Auditorium     `json:"auditoriums"`
	Talks       []Talk           `json:"talks" doc:"by hour"`
}

// Auditorium is a place that viewers tune to.
type Auditorium struct {
	ID     event.AuditoriumID `json:"id"`
	Title  event.Text         `json:"title"`
	Opens  time.Time          `json:"opens_at"`
	Closes time.Time          `json:"closes_at"`
	Open   bool               `json:"open" doc:"a feed is on air"`
	Ended  bool               `json:"ended" doc:"all feeds have ended"`
	Ready  bool               `json:"ready" doc:"the feeds are laid out"`
}

// Talk is one talk.
type Talk struct {
	ID         event.TalkID                `json:"id"`
	Auditorium event.AuditoriumID          `json:"auditorium"`
	Title      event.Text                  `json:"title"`
	Abstract   event.Text                  `json:"abstract"`
	Speakers   []string                    `json:"speakers"`
	Spoken     event.Language              `json:"spoken" doc:"language of the talk's own sound"`
	Starts     time.Time                   `json:"starts_at" doc:"as planned"`
	State      stream.TalkState            `json:"state" enum:"scheduled,waiting,on-air,ended,replay"`
	Airings    map[event.Language]Airing   `json:"airings" doc:"by language of the feed"`
	Sounds     []event.Language            `json:"sounds" doc:"languages that have a sound of their own"`
	Captions   []event.Language            `json:"captions" doc:"languages that have captions"`
	Shared     bool                        `json:"shared" doc:"one film for all languages: the sound can change without changing the picture"`
	Poster     string                      `json:"poster,omitempty" doc:"path below /p/{token}/"`
	Thumbnails map[event.Language]string   `json:"thumbnails" doc:"path below /p/{token}/ of the WebVTT that lists the sprites"`
	Chapters   map[event.Language][]string `json:"chapters" doc:"titles"`
	Findings   []Finding                   `json:"findings" doc:"what to know before the talk"`
}

// Airing is a talk on one feed.
type Airing struct {
	State  stream.TalkState `json:"state" enum:"scheduled,waiting,on-air,ended,replay"`
	Starts *time.Time       `json:"starts_at,omitempty" doc:"on air; absent while not laid out"`
	Ends   *time.Time       `json:"ends_at,omitempty"`
	Ready  bool             `json:"ready" doc:"its film is ready"`
	Replay bool             `json:"replay" doc:"its replay is there"`
}

// Finding is a remark in both languages.
type Finding struct {
	Code string `json:"code"`
	FR   string `json:"fr"`
	EN   string `json:"en"`
}

// programmeInput is the request of programme.
type programmeInput struct {
	Bearer
}

// programmeOutput is the answer of programme.
type programmeOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Programme
}

// programme answers GET /api/v1/programme. Every link opens the whole
// programme: it is what a person chooses from, and shows no media.
func (s *Server) programme(_ context.Context, in *programmeInput) (*programmeOutput, error) {
	now := s.deps.Now()
	claims, err := s.link(in.Bearer, now)
	if err != nil {
		return nil, err
	}
	p, err := s.deps.Playout.Programme(event.ID(claims.Event), now)
	if err != nil {
		return nil, err
	}
	return &programmeOutput{CacheControl: "private, no-store", Body: wireProgramme(&p)}, nil
}

func wireProgramme(p *stream.Programme) Programme {
	out := Programme{ID: p.Event, Title: dict(p.Title), Languages: list(p.Languages), Zone: p.Zone, ReplayUntil: instant(p.ReplayUntil), Now: p.Now.UTC(),
		Auditoriums: []Auditorium{}, Talks: []Talk{}}
	for _, a := range p.Auditoriums {
		out.Auditoriums = append(out.Auditoriums, Auditorium{a.ID, dict(a.Title), a.Opens.UTC(), a.Closes.UTC(), a.Open, a.Ended, a.Ready})
	}
	for i := range p.Talks {
		out.Talks = append(out.Talks, wireTalk(&p.Talks[i]))
	}
	return out
}

func wireTalk(t *stream.TalkProgramme) Talk {
	out := Talk{ID: t.ID, Auditorium: t.Auditorium, Title: dict(t.Title), Abstract: dict(t.Abstract), Speakers: list(t.Speakers), Spoken: t.Spoken,
		Starts: t.Starts.UTC(), State: t.State, Airings: map[event.Language]Airing{}, Sounds: list(t.Sounds), Captions: list(t.Captions),
		Shared: len(t.Airings) > 0, Poster: t.Poster, Thumbnails: dict(t.Thumbnails), Chapters: dict(t.Chapters), Findings: []Finding{}}
	var film vod.MediaID
	for l, a := range t.Airings {
		out.Airings[l] = Airing{State: a.State, Starts: instant(a.Starts), Ends: instant(a.Ends), Ready: a.Ready, Replay: a.Replay}
		if a.Media == "" || (film != "" && film != a.Media) {
			out.Shared = false
		}
		film = a.Media
	}
	for _, f := range t.Findings {
		out.Findings = append(out.Findings, Finding{f.Code, f.FR, f.EN})
	}
	return out
}

// list returns s, never nil: a list of JSON is empty, not null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// dict returns m, never nil.
func dict[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return m
}

// instant returns t in UTC, nil for the zero time.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
