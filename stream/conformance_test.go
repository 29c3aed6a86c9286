package stream_test

import (
	"strings"
	"testing"
	"time"

	"reprise/event"
	"reprise/stream"
	"reprise/stream/conformance"
	"reprise/stream/timeline"
)

// subject shows a world to the checker.
type subject struct{ *world }

func (s subject) Feeds() []conformance.Feed {
	e := s.store.events["conf"]
	var feeds []conformance.Feed
	for _, l := range e.Languages {
		f := conformance.Feed{Name: string(l), Opens: e.Auditoriums[0].Opens, Closes: e.Auditoriums[0].Closes}
		for _, t := range e.Talks {
			f.Talks = append(f.Talks, conformance.Talk{ID: string(t.ID), Starts: t.Starts})
		}
		feeds = append(feeds, f)
	}
	return feeds
}

func (s subject) Journal(feed string) (timeline.Journal, error) {
	j, _, err := s.store.Journal(s.tb.Context(), stream.Feed{Event: "conf", Auditorium: "main", Language: event.Language(feed)})
	return j, err
}

func (s subject) address(a conformance.Address) stream.Address {
	return stream.Address{View: stream.View(a.View), Event: "conf", Auditorium: "main", Talk: event.TalkID(a.Talk), Language: event.Language(a.Feed)}
}

func (s subject) Multivariant(a conformance.Address, now time.Time) (conformance.Playlist, error) {
	return playlist(s.Playout.Multivariant(s.address(a), now))
}

func (s subject) Media(a conformance.Address, uri string, now time.Time) (conformance.Playlist, error) {
	return playlist(s.Playout.Media(s.address(a), strings.TrimSuffix(uri, ".m3u8"), now, false))
}

func (s subject) Delta(a conformance.Address, uri string, now time.Time) (conformance.Playlist, error) {
	return playlist(s.Playout.Media(s.address(a), strings.TrimSuffix(uri, ".m3u8"), now, true))
}

func playlist(d *stream.Document, err error) (conformance.Playlist, error) {
	if err != nil {
		return conformance.Playlist{}, err
	}
	return conformance.Playlist{Body: d.Body, Next: d.Next}, nil
}

// TestConformance plays the whole conference through the checker, with a second node beside.
func TestConformance(t *testing.T) {
	t.Parallel()
	a := onAir(t, stream.Config{Rewind: true, NoGzip: true})
	b := newWorld(t, a.store, doors, stream.Config{Rewind: true, NoGzip: true})
	b.refresh()
	report, err := conformance.Run(t.Context(), subject{a}, conformance.Options{Nodes: []conformance.Subject{subject{b}}})
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() {
		t.Error(report.String())
	}
}
