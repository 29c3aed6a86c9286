package api

import (
	"cmp"
	"slices"
	"time"

	"reprise/event"
)

// Consequence is what a talk's film does to the programme of its auditorium.
type Consequence struct {
	Starts  time.Time                 `json:"starts" doc:"of the talk on air: its hour, or when the air is free"`
	Ends    time.Time                 `json:"ends" doc:"of the feed that ends last; without a film, the end of its slot"`
	Slot    float64                   `json:"slot" doc:"seconds planned; 0: as long as the film"`
	Length  float64                   `json:"length" doc:"seconds of the longest film; 0: not known yet"`
	Overrun float64                   `json:"overrun" doc:"seconds by which the film is longer than its slot; negative: shorter"`
	Pushes  []event.TalkID            `json:"pushes" doc:"later talks of the auditorium that start later because of it, in order"`
	Delays  map[event.TalkID]float64  `json:"delays" doc:"of those in pushes: seconds after their hour"`
	Begun   bool                      `json:"begun" doc:"the talk has begun: on air it keeps the film it began with"`
	Films   map[event.Language]string `json:"films" doc:"the talk's assets by language, as they are now"`
}

// lengths says how long an asset is on air; 0: not known.
type lengths map[string]time.Duration

// consequenceOf lays out the feeds of a talk's auditorium as the playout does,
// each talk at its hour or as soon after as the air is free, and says what the
// talk's films change. A film whose length is not known is taken for its slot.
// It is pure; Begun is left to the caller.
func consequenceOf(e *event.Event, id event.TalkID, films lengths) Consequence {
	talk := talkOf(e, id)
	out := Consequence{Starts: talk.Starts.UTC(), Slot: talk.Slot.Seconds(), Pushes: []event.TalkID{}, Delays: map[event.TalkID]float64{}, Films: dict(talk.Films)}
	var longest time.Duration
	for _, l := range e.Languages {
		laid := layOut(e, talk.Auditorium, l, films)
		own := slices.IndexFunc(laid, func(a aired) bool { return a.talk.ID == id })
		longest = max(longest, films[filmFor(talk, l)])
		out.Starts, out.Ends = latest(out.Starts, laid[own].starts), latest(out.Ends, laid[own].ends)
		for _, next := range laid[own+1:] {
			late := next.starts.Sub(next.talk.Starts)
			if late <= 0 {
				break // the air was free again: what follows is not its doing
			}
			out.Delays[next.talk.ID] = max(out.Delays[next.talk.ID], late.Seconds())
			if !slices.Contains(out.Pushes, next.talk.ID) {
				out.Pushes = append(out.Pushes, next.talk.ID)
			}
		}
	}
	out.Length = seconds(longest)
	if longest > 0 && talk.Slot > 0 {
		out.Overrun = seconds(longest - talk.Slot)
	}
	slices.SortStableFunc(out.Pushes, func(a, b event.TalkID) int { return byHour(talkOf(e, a), talkOf(e, b)) })
	return out
}

// aired is a talk on one feed.
type aired struct {
	talk         *event.Talk
	starts, ends time.Time
}

// layOut puts the talks of an auditorium on one feed, by hour.
func layOut(e *event.Event, room event.AuditoriumID, l event.Language, films lengths) []aired {
	var talks []*event.Talk
	for i := range e.Talks {
		if e.Talks[i].Auditorium == room {
			talks = append(talks, &e.Talks[i])
		}
	}
	slices.SortStableFunc(talks, byHour)
	var out []aired
	var free time.Time
	for _, t := range talks {
		length := films[filmFor(t, l)]
		if length == 0 {
			length = t.Slot
		}
		starts := latest(t.Starts, free).UTC()
		free = starts.Add(length)
		out = append(out, aired{t, starts, free})
	}
	return out
}

func byHour(a, b *event.Talk) int {
	return cmp.Or(a.Starts.Compare(b.Starts), cmp.Compare(a.ID, b.ID))
}

// filmFor returns the asset that a feed shows for a talk: the film in its
// language, else the one in the talk's own, else any; "" for none.
func filmFor(t *event.Talk, l event.Language) string {
	if film := t.Films[l]; film != "" {
		return film
	}
	if film := t.Films[t.Spoken]; film != "" {
		return film
	}
	films := make([]event.Language, 0, len(t.Films))
	for l := range t.Films {
		films = append(films, l)
	}
	slices.Sort(films)
	for _, l := range films {
		if t.Films[l] != "" {
			return t.Films[l]
		}
	}
	return ""
}
