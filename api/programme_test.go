package api

import (
	"time"

	"reprise/event"
	"reprise/stream"
)

// sampleProgramme is the programme at noon (see noon).
func sampleProgramme() stream.Programme {
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	air := func(state stream.TalkState, from, to time.Duration) map[event.Language]stream.Airing {
		a := stream.Airing{State: state, Ready: true, Starts: at(from), Ends: at(to), Media: mediaID, Replay: state == stream.ReplayOn}
		return map[event.Language]stream.Airing{"fr": a, "en": a}
	}
	starts := func(p stream.Programme) stream.Programme {
		for i := range p.Talks {
			p.Talks[i].Starts = p.Talks[i].Airings["fr"].Starts
		}
		return p
	}
	both := []event.Language{"fr", "en"}
	return starts(stream.Programme{
		Event: "conf", Title: event.Text{"fr": "Congrès", "en": "Conference"}, Languages: both, Zone: "Europe/Paris",
		ReplayUntil: at(90 * 24 * time.Hour), Now: noon,
		Auditoriums: []stream.RoomProgramme{
			{ID: "main", Opens: at(-3 * time.Hour), Closes: at(5 * time.Hour), Open: true, Ready: true},
			{ID: "side", Opens: at(-time.Hour), Closes: at(6 * time.Hour), Open: true, Ready: true},
		},
		Talks: []stream.TalkProgramme{
			{ID: "told", Auditorium: "main", State: stream.Ended, Airings: air(stream.Ended, -3*time.Hour, -150*time.Minute)},
			{ID: "t0", Auditorium: "main", State: stream.ReplayOn, Airings: air(stream.ReplayOn, -2*time.Hour, -time.Hour), Sounds: both, Captions: both[:1], Poster: "s/" + mediaID + "/poster.jpg"},
			{ID: "t1", Auditorium: "main", State: stream.OnAir, Airings: air(stream.OnAir, -10*time.Minute, 20*time.Minute), Sounds: both[:1]},
			{ID: "t2", Auditorium: "side", State: stream.Waiting, Airings: air(stream.Waiting, time.Hour, 2*time.Hour)},
		},
	})
}
