package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reprise/event"
	"reprise/stream"
	"reprise/stream/conformance"
	"reprise/stream/timeline"
	"reprise/vod"
)

// drawFilm draws a film of ten seconds to three minutes.
func drawFilm(t *rapid.T, asset string) film {
	f := film{asset: asset, frame: frame25, top: rapid.SampledFrom([]int{234, 360, 540, 720, 1080}).Draw(t, "top")}
	f.length = 15360 * timeline.Ticks(rapid.IntRange(32, 560).Draw(t, "halves"))
	if rapid.Bool().Draw(t, "30 fps") {
		f.frame, f.length = frame30, 25600*timeline.Ticks(rapid.IntRange(19, 330).Draw(t, "thirds"))
	}
	f.sounds = rapid.SampledFrom([][]string{{"fr"}, {"en"}, {"fr", "en"}, {"de"}}).Draw(t, "sounds")
	f.captions = rapid.SampledFrom([][]string{nil, {"fr"}, {"fr", "en"}}).Draw(t, "captions")
	return f
}

func drawConference(t *rapid.T) event.Event {
	e := conference()
	e.Auditoriums[0].Closes = doors.Add(time.Duration(rapid.IntRange(60, 900).Draw(t, "closes")) * time.Second)
	e.Talks = nil
	for i := range rapid.IntRange(0, 4).Draw(t, "talks") {
		id := fmt.Sprintf("t%d", i)
		films := map[event.Language]string{"fr": id + "fr"}
		switch rapid.IntRange(0, 2).Draw(t, "films") {
		case 1:
			films["en"] = id + "fr"
		case 2:
			films["en"] = id + "en"
		}
		e.Talks = append(e.Talks, event.Talk{
			ID: event.TalkID(id), Auditorium: "main", Title: event.Text{"fr": id, "en": id}, Films: films, Spoken: "fr",
			Starts: doors.Add(time.Duration(rapid.IntRange(0, 800_000).Draw(t, "starts ms")) * time.Millisecond),
		})
	}
	return e
}

// editWorld changes the world as organizers and the pipeline do.
func editWorld(t *rapid.T, w *world) {
	e, err := w.store.Event(t.Context(), "conf")
	if err != nil {
		t.Fatal(err)
	}
	e.Talks = slices.Clone(e.Talks)
	pick := func() *event.Talk {
		if len(e.Talks) == 0 {
			return nil
		}
		return &e.Talks[rapid.IntRange(0, len(e.Talks)-1).Draw(t, "talk")]
	}
	switch rapid.IntRange(0, 5).Draw(t, "edit") {
	case 0:
		if k := pick(); k != nil {
			k.Starts = k.Starts.Add(time.Duration(rapid.IntRange(-300, 300).Draw(t, "shift")) * time.Second)
		}
	case 1:
		if len(e.Talks) > 0 {
			e.Talks = e.Talks[1:]
		}
	case 2:
		e.Auditoriums = slices.Clone(e.Auditoriums)
		e.Auditoriums[0].Closes = e.Auditoriums[0].Closes.Add(time.Duration(rapid.IntRange(-30, 200).Draw(t, "closes")) * time.Second)
	case 3:
		if k := pick(); k != nil { // a first rendition can go on air
			asset := k.Films["fr"]
			if _, err := w.store.Asset(t.Context(), vod.AssetID(asset)); asset != "" && errors.Is(err, vod.ErrNotFound) {
				w.putFirst(firstOf(drawFilm(t, asset), 2+int(e.Version)))
			}
		}
	default:
		if k := pick(); k != nil { // a film becomes ready, or is replaced
			asset := k.Films[rapid.SampledFrom([]event.Language{"fr", "en"}).Draw(t, "film")]
			if asset != "" {
				w.addFilm(drawFilm(t, asset), 2+int(e.Version)) // every edit raises the version
			}
		}
	}
	w.put(e)
}

// watched is what a viewer of a playlist saw last.
type watched struct {
	doc *stream.Document
}

// TestR104_R115_AnyProgrammeAnyEdit walks through random days with random
// edits: no playlist breaks a rule, none takes anything back, two nodes (one
// of them a second late) and a restarted one agree to the byte.
func TestR104_R115_AnyProgrammeAnyEdit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		s := newStore()
		now := doors.Add(-time.Minute)
		a, b := newWorld(t, s, now, stream.Config{Depth: time.Minute, NoGzip: true}), newWorld(t, s, now, stream.Config{Depth: time.Minute, NoGzip: true})
		e := drawConference(r)
		for _, k := range e.Talks {
			for _, asset := range k.Films {
				if rapid.IntRange(0, 3).Draw(r, "ready") > 0 {
					a.addFilm(drawFilm(r, asset), 1)
				}
			}
		}
		a.put(e)
		a.settle()
		b.refresh()
		seen := map[string]watched{}
		for range rapid.IntRange(2, 5).Draw(r, "edits") {
			until := now.Add(time.Duration(rapid.IntRange(5, 150).Draw(r, "wait s")) * time.Second)
			for ; now.Before(until); now = now.Add(time.Duration(rapid.IntRange(1500, 9000).Draw(r, "step ms")) * time.Millisecond) {
				a.at(now)
				b.at(now)
				look(r, now, seen, a, b)
			}
			a.at(now)
			before := onAirOf(r, a, now)
			editWorld(r, a)
			a.refresh()
			for talk, entry := range before {
				if got := entryOf(r, a, talk); got != entry {
					r.Fatalf("R234 %v: the talk on air was %+v and is %+v", now, entry, got)
				}
			}
			look(r, now, seen, a, b) // b has not seen the edit
			now = now.Add(900 * time.Millisecond)
			a.at(now)
			b.at(now)
			look(r, now, seen, a, b)
			if rapid.Bool().Draw(r, "slates") {
				a.settle()
			}
			b.refresh()
			c := newWorld(t, s, now, stream.Config{Depth: time.Minute, NoGzip: true})
			c.refresh()
			a.refresh()
			look(r, now, seen, a, b, c)
		}
	})
}

// talkOn is a talk on one feed.
type talkOn struct {
	talk     string
	language event.Language
}

// onAirOf returns the journal entries of talks that have begun to be listed, whole to their end.
func onAirOf(t *rapid.T, w *world, now time.Time) map[talkOn]timeline.Entry {
	begun := map[talkOn]timeline.Entry{}
	for _, l := range []event.Language{"fr", "en"} {
		for _, e := range journalOf(t, w, l).Entries {
			if e.Talk != "" && !e.AirTime(e.From+1).Add(-timeline.Lead).After(now) {
				begun[talkOn{e.Talk, l}] = e
			}
		}
	}
	return begun
}

func entryOf(t *rapid.T, w *world, talk talkOn) timeline.Entry {
	for _, e := range journalOf(t, w, talk.language).Entries {
		if e.Talk == talk.talk {
			return e
		}
	}
	return timeline.Entry{}
}

func journalOf(t *rapid.T, w *world, l event.Language) timeline.Journal {
	j, _, err := w.store.Journal(t.Context(), stream.Feed{Event: "conf", Auditorium: "main", Language: l})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// look compares what nodes say, and what is said with what was said before.
func look(t *rapid.T, now time.Time, seen map[string]watched, nodes ...*world) {
	for _, l := range []event.Language{"fr", "en"} {
		for _, rendition := range []string{"v720", "a-en", "i360"} {
			doc := agree(t, now, live(l), rendition, nodes...)
			key := string(l) + rendition
			was := seen[key]
			if doc == nil {
				if was.doc != nil {
					t.Fatalf("%v: %s vanished", now, key)
				}
				continue
			}
			r230Rapid(t, now, doc)
			if was.doc == nil || !bytes.Equal(was.doc.Body, doc.Body) {
				for _, f := range conformance.Serious(conformance.CheckMedia(doc.Body)) {
					t.Fatalf("%v %s: %v\n%s", now, key, f, doc.Body)
				}
			}
			if was.doc != nil && !bytes.Equal(was.doc.Body, doc.Body) && doc.LastMSN-was.doc.LastMSN < 10 {
				for _, f := range conformance.Serious(conformance.CheckChange(was.doc.Body, doc.Body)) {
					t.Fatalf("%v %s: %v\n%s\n%s", now, key, f, was.doc.Body, doc.Body)
				}
			}
			seen[key] = watched{doc: doc}
		}
		for i := range 4 {
			talk := event.TalkID(fmt.Sprintf("t%d", i))
			agree(t, now, startOver(talk, l), "s-en", nodes...)
			agree(t, now, replay(talk, l), "v234", nodes...)
		}
	}
}

// agree asks all nodes for the same playlist; nil when it is not there.
func agree(t *rapid.T, now time.Time, a stream.Address, rendition string, nodes ...*world) *stream.Document {
	var first *stream.Document
	for i, w := range nodes {
		doc, err := w.Media(a, rendition, now, false)
		if err != nil && !errors.Is(err, stream.ErrNotListed) && !errors.Is(err, stream.ErrNotFound) {
			t.Fatal(err)
		}
		switch {
		case i == 0:
			first = doc
		case (doc == nil) != (first == nil):
			t.Fatalf("R115 %v: node %d has %s %s%s %s: %v", now, i, a.View, a.Auditorium, a.Talk, rendition, err)
		case doc != nil && (!bytes.Equal(doc.Body, first.Body) || doc.ETag != first.ETag):
			t.Fatalf("R115 %v: node %d disagrees about %s %s %s:\n%s\n%s", now, i, a.View, a.Language, rendition, first.Body, doc.Body)
		}
	}
	return first
}

func r230Rapid(t *rapid.T, now time.Time, doc *stream.Document) {
	if !doc.Ended && (!doc.Next.After(now) || doc.Next.Sub(now) > 6*time.Second) {
		t.Fatalf("R105 %v: the next change is at %v", now, doc.Next)
	}
	faults := edgeFaults(now, doc)
	if faults != "" {
		t.Fatal(faults)
	}
}
