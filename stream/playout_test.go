package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/event"
	"reprise/stream"
	"reprise/stream/conformance"
	"reprise/stream/hls"
	"reprise/stream/timeline"
)

// renditions are all renditions of the tests' feeds.
func renditions() []string {
	return []string{"v1080", "v720", "v540", "v360", "v234", "a-fr", "a-en", "al-fr", "al-en", "s-fr", "s-en", "i720", "i540", "i360", "i234"}
}

func media(t testing.TB, w *world, a stream.Address, rendition string, now time.Time) *stream.Document {
	t.Helper()
	doc, err := w.Media(a, rendition, now, false)
	if err != nil {
		t.Fatalf("%v %s %s: %v", now, a.View, rendition, err)
	}
	return doc
}

func parse(t testing.TB, doc *stream.Document) *hls.Media {
	t.Helper()
	m, err := hls.ParseMedia(doc.Body)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestR139_AllRenditionsOfADay walks the whole conference and holds every set
// of playlists against the rules, and each playlist against the one before.
func TestR139_AllRenditionsOfADay(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Depth: 100 * time.Second, NoGzip: true})
	for _, l := range []event.Language{"fr", "en"} {
		before := map[string][]byte{}
		for now := doors; now.Before(doors.Add(8 * time.Minute)); now = now.Add(2900 * time.Millisecond) {
			w.at(now)
			multivariant, err := w.Multivariant(live(l), now)
			if err != nil {
				t.Fatal(err)
			}
			set := conformance.Set{Multivariant: multivariant.Body, Media: map[string][]byte{}}
			m, err := hls.ParseMultivariant(multivariant.Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, uri := range conformance.URIs(m) {
				doc := media(t, w, live(l), strings.TrimSuffix(uri, ".m3u8"), now)
				set.Media[uri] = doc.Body
				if was := before[uri]; was != nil && !bytes.Equal(was, doc.Body) {
					report(t, now, uri, conformance.CheckChange(was, doc.Body))
				}
				before[uri] = doc.Body
				r230(t, now, doc)
			}
			report(t, now, "multivariant", conformance.CheckMultivariant(multivariant.Body))
			report(t, now, "renditions", conformance.CheckRenditions(set))
		}
	}
}

func report(t testing.TB, now time.Time, where string, faults []conformance.Fault) {
	t.Helper()
	for _, f := range conformance.Serious(faults) {
		t.Errorf("%s %s: %v", now.Format("15:04:05.000"), where, f)
	}
}

// r230 checks that the edge is at most the lead ahead of now, and hardly less, and that Next is when it moves.
func r230(t testing.TB, now time.Time, doc *stream.Document) {
	t.Helper()
	if f := edgeFaults(now, doc); f != "" {
		t.Error(f)
	}
}

// edgeFaults says what is wrong with the edge of a playlist, and with what its document says of it.
func edgeFaults(now time.Time, doc *stream.Document) string {
	m, err := hls.ParseMedia(doc.Body)
	if err != nil {
		return err.Error()
	}
	s := m.Segments[len(m.Segments)-1]
	edge := s.ProgramDateTime.Add(s.Duration)
	switch {
	case edge.After(now.Add(timeline.Lead + 2*time.Millisecond)):
		return fmt.Sprintf("R230 R239 %v: the edge %v is ahead of the lead", now, edge)
	case !m.EndList && !edge.After(now.Add(timeline.Lead-4502*time.Millisecond)):
		return fmt.Sprintf("R230 %v: the edge %v is late", now, edge)
	case m.EndList != doc.Ended || doc.LastMSN != m.MediaSequence+int64(len(m.Segments))-1:
		return fmt.Sprintf("%v: document says %d %v, playlist %d %v", now, doc.LastMSN, doc.Ended, m.MediaSequence+int64(len(m.Segments))-1, m.EndList)
	case doc.Ended != doc.Next.IsZero() || (!doc.Ended && !doc.Next.After(now)):
		return fmt.Sprintf("%v: next change at %v", now, doc.Next)
	}
	return ""
}

func TestR115_TwoNodesAndARestartAgree(t *testing.T) {
	t.Parallel()
	a := onAir(t, stream.Config{})
	b := newWorld(t, a.store, doors, stream.Config{})
	b.refresh()
	for now := doors; now.Before(doors.Add(8 * time.Minute)); now = now.Add(13 * time.Second) {
		c := newWorld(t, a.store, now, stream.Config{})
		c.refresh()
		for _, r := range renditions() {
			want := media(t, a, live("fr"), r, now)
			for _, w := range []*world{b, c} {
				got := media(t, w, live("fr"), r, now)
				if !bytes.Equal(got.Body, want.Body) || got.ETag != want.ETag || !got.Next.Equal(want.Next) || !bytes.Equal(got.Gzip, want.Gzip) {
					t.Fatalf("%v %s: nodes disagree", now, r)
				}
			}
		}
		x, err := a.Multivariant(live("en"), now)
		if err != nil {
			t.Fatal(err)
		}
		y, err := c.Multivariant(live("en"), now)
		if err != nil || !bytes.Equal(x.Body, y.Body) {
			t.Fatalf("%v: multivariant playlists disagree: %v", now, err)
		}
	}
}

// TestR014_StartIsThePlaceOfNow: TIME-OFFSET leads to the frame of the hour, and stays out of the last three target durations.
func TestR014_StartIsThePlaceOfNow(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	for now := doors; now.Before(doors.Add(7*time.Minute + 44*time.Second)); now = now.Add(777 * time.Millisecond) {
		doc, err := w.Multivariant(live("fr"), now)
		if err != nil {
			t.Fatal(err)
		}
		m, err := hls.ParseMultivariant(doc.Body)
		if err != nil {
			t.Fatal(err)
		}
		list := parse(t, media(t, w, live("fr"), "v360", now))
		s := list.Segments[len(list.Segments)-1]
		want := -s.ProgramDateTime.Add(s.Duration).Sub(now)
		off := m.Start.TimeOffset
		if off >= -12*time.Second || off < -16*time.Second || !m.Start.Precise {
			t.Errorf("%v: start at %v", now, off)
		}
		if (off-want).Abs() > time.Millisecond && want < -12*time.Second {
			t.Errorf("%v: start at %v, now is at %v", now, off, want)
		}
	}
}

func TestR237_TheEdgeDoesNotFollowTheClockBack(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	now := doors.Add(3 * time.Minute)
	ahead := media(t, w, live("fr"), "v720", now)
	for _, back := range []time.Duration{time.Second, time.Minute, time.Hour} {
		for _, r := range []string{"v720", "v360", "a-fr"} {
			if got := media(t, w, live("fr"), r, now.Add(-back)); got.LastMSN != ahead.LastMSN {
				t.Errorf("a step back of %v moves the last segment of %s from %d to %d", back, r, ahead.LastMSN, got.LastMSN)
			}
		}
	}
	r := onAir(t, stream.Config{Rewind: true})
	media(t, r, live("fr"), "v720", now)
	if got := media(t, r, live("fr"), "v720", now.Add(-time.Minute)); got.LastMSN >= ahead.LastMSN {
		t.Error("simulated time does not go back")
	}
}

func TestR190_DeltaUpdates(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	for now := doors; now.Before(doors.Add(8 * time.Minute)); now = now.Add(5 * time.Second) {
		for _, r := range []string{"v540", "s-en", "i234"} {
			full := media(t, w, live("en"), r, now)
			delta, err := w.Media(live("en"), r, now, true)
			if err != nil {
				t.Fatal(err)
			}
			if full.Ended || !bytes.Contains(delta.Body, []byte("#EXT-X-SKIP")) {
				if !bytes.Equal(full.Body, delta.Body) {
					t.Errorf("%v %s: neither a delta nor the whole", now, r)
				}
				continue
			}
			report(t, now, r, conformance.CheckDelta(full.Body, delta.Body))
		}
	}
}

// TestR110_StartOverGrowsIntoTheReplay: an EVENT playlist only grows, ends
// with its talk, and the replay names the same files (R238).
func TestR110_StartOverGrowsIntoTheReplay(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	airs, ends := doors.Add(2*time.Minute), doors.Add(2*time.Minute+83520*time.Millisecond)
	var before []byte
	for now := airs; now.Before(ends); now = now.Add(2 * time.Second) {
		doc := media(t, w, startOver("sea", "fr"), "v360", now)
		if before != nil && !bytes.Equal(before, doc.Body) {
			report(t, now, "startover", conformance.CheckChange(before, doc.Body))
		}
		if want := !now.Before(ends.Add(-timeline.Lead)); doc.Ended != want {
			t.Errorf("R236 %v: ended is %v", now, doc.Ended)
		}
		r230(t, now, doc)
		before = doc.Body
	}
	whole, again := parse(t, media(t, w, startOver("sea", "fr"), "v360", ends)), parse(t, media(t, w, replay("sea", "fr"), "v360", ends))
	on := parse(t, media(t, w, live("fr"), "v360", ends))
	if len(whole.Segments) != 22 || len(again.Segments) != 22 {
		t.Fatalf("%d and %d segments", len(whole.Segments), len(again.Segments))
	}
	for i := range whole.Segments {
		x, y := whole.Segments[i], again.Segments[i]
		z := on.Segments[slices.IndexFunc(on.Segments, func(s hls.Segment) bool { return s.URI == x.URI })]
		if x.URI != y.URI || x.Duration != y.Duration || !x.ProgramDateTime.Equal(y.ProgramDateTime) || z.Duration != x.Duration || !z.ProgramDateTime.Equal(x.ProgramDateTime) {
			t.Errorf("R238: segment %d is %v, %v, %v", i, x, y, z)
		}
	}
}

func TestListedAtIsWhenItIsListed(t *testing.T) {
	t.Parallel()
	for _, a := range []stream.Address{live("fr"), startOver("sea", "en"), replay("sky", "fr")} {
		w := onAir(t, stream.Config{Rewind: true})
		for msn := int64(0); ; msn++ {
			at, err := w.ListedAt(a, msn)
			if errors.Is(err, stream.ErrNotFound) {
				if msn < 10 {
					t.Errorf("%s has %d segments", a.View, msn)
				}
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if doc, err := w.Media(a, "a-fr", at.Add(-time.Millisecond), false); err == nil && doc.LastMSN >= msn {
				t.Errorf("%s: segment %d is listed before %v", a.View, msn, at)
			}
			if doc := media(t, w, a, "a-fr", at); doc.LastMSN < msn {
				t.Errorf("%s: segment %d is not listed at %v", a.View, msn, at)
			}
		}
	}
}

func TestGzipAndETagFitTheBody(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	now := doors.Add(time.Minute)
	one := media(t, w, live("fr"), "v720", now)
	if got := gunzip(t, one.Gzip); !bytes.Equal(got, one.Body) {
		t.Error("R200: the compressed form is another text")
	}
	two := media(t, w, live("fr"), "v720", now.Add(4*time.Second))
	if one.ETag == two.ETag || one.ETag[0] != '"' {
		t.Errorf("R207: entity tags %s and %s", one.ETag, two.ETag)
	}
	multivariant, err := w.Multivariant(live("fr"), now)
	if err != nil || !bytes.Equal(gunzip(t, multivariant.Gzip), multivariant.Body) {
		t.Error("R200: the multivariant playlist has no compressed form", err)
	}
}

// TestManyViewersRenderOnce: however many ask at once, a playlist is made once and shared.
func TestManyViewersRenderOnce(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	var wg sync.WaitGroup
	docs := make([]*stream.Document, 64)
	for i := range docs {
		wg.Go(func() {
			docs[i], _ = w.Media(live("fr"), "v720", doors.Add(time.Minute), false)
		})
	}
	wg.Wait()
	for _, d := range docs {
		if d != docs[0] || d == nil {
			t.Fatal("a playlist was made twice")
		}
	}
}

func TestRunMakesSlatesPlansAndStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newStore(), doors.Add(-time.Hour), stream.Config{})
	w.addFilm(seaFilm(), 1)
	w.put(conference())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	ready := func() bool {
		w.store.mu.Lock()
		defer w.store.mu.Unlock()
		row := w.store.journals[stream.Feed{Event: "conf", Auditorium: "main", Language: "en"}]
		return row != nil && len(row.journal.Entries) == 3
	}
	for !ready() {
		select {
		case err := <-done:
			t.Fatal("run ended", err)
		default:
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := stream.New(stream.Config{}, stream.Deps{}); err == nil {
		t.Error("a playout without stores")
	}
	if _, err := stream.New(stream.Config{Poll: time.Minute}, stream.Deps{}); err == nil {
		t.Error("R234: a playout that looks once a minute")
	}
}

// TestAThousandTalksStartFast: a node that starts on a planned programme reads
// only what the first playlist needs.
func TestAThousandTalksStartFast(t *testing.T) {
	t.Parallel()
	s := newStore()
	w := newWorld(t, s, doors, stream.Config{})
	e := conference()
	e.Talks = nil
	e.Auditoriums[0].Closes = doors.Add(1001 * time.Hour)
	for i := range 1000 {
		f := film{asset: fmt.Sprintf("film%04d", i), length: 15360 * 1000, frame: frame25, top: 234, sounds: []string{"fr"}}
		w.addFilm(f, 1)
		e.Talks = append(e.Talks, event.Talk{
			ID: event.TalkID(f.asset), Auditorium: "main", Title: event.Text{"fr": f.asset}, Starts: doors.Add(time.Duration(i+1) * time.Hour),
			Films: map[event.Language]string{"fr": f.asset}, Spoken: "fr",
		})
	}
	w.put(e)
	w.settle()

	s.mu.Lock()
	clear(s.loads)
	s.mu.Unlock()
	now := doors.Add(500*time.Hour + time.Minute)
	again := newWorld(t, s, now, stream.Config{})
	again.refresh()
	media(t, again, live("fr"), "v234", now)
	s.mu.Lock()
	read := len(s.loads)
	clear(s.loads)
	s.mu.Unlock()
	if read > 60 {
		t.Errorf("the first playlist took %d media", read)
	}
	if _, err := again.Multivariant(live("fr"), now); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	read = len(s.loads)
	s.mu.Unlock()
	if read > 110 {
		t.Errorf("the multivariant playlist took %d media", read)
	}
}

func TestProgramme(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Rewind: true})
	for _, c := range []struct {
		at         time.Duration
		sea, sky   stream.TalkState
		open       bool
		enSeaReply bool
	}{
		{-time.Minute, stream.Scheduled, stream.Scheduled, false, false},
		{0, stream.Waiting, stream.Waiting, true, false},
		{2 * time.Minute, stream.OnAir, stream.Waiting, true, false},
		{3*time.Minute + 10*time.Second, stream.OnAir, stream.Waiting, true, true},
		{3*time.Minute + 24*time.Second, stream.ReplayOn, stream.Waiting, true, true},
		{5*time.Minute + time.Second, stream.ReplayOn, stream.OnAir, true, true},
		{time.Hour, stream.ReplayOn, stream.ReplayOn, false, true},
		{100 * 24 * time.Hour, stream.Ended, stream.Ended, false, false},
	} {
		p, err := w.Programme("conf", doors.Add(c.at))
		if err != nil {
			t.Fatal(err)
		}
		sea, sky := p.Talks[0], p.Talks[1]
		if sea.State != c.sea || sky.State != c.sky || p.Auditoriums[0].Open != c.open || sea.Airings["en"].Replay != c.enSeaReply {
			t.Errorf("%v: sea %s, sky %s, open %v, replay %v", c.at, sea.State, sky.State, p.Auditoriums[0].Open, sea.Airings["en"].Replay)
		}
	}
	p, _ := w.Programme("conf", doors)
	sea, sky := p.Talks[0], p.Talks[1]
	if !slices.Equal(sea.Sounds, []event.Language{"fr", "en"}) || !slices.Equal(sea.Captions, []event.Language{"fr"}) || len(sea.Findings) != 0 {
		t.Errorf("sea: %+v", sea)
	}
	if a := sea.Airings["fr"]; !a.Starts.Equal(doors.Add(2*time.Minute)) || a.Ends.Sub(a.Starts) != 83520*time.Millisecond {
		t.Errorf("sea is on air from %v to %v", a.Starts, a.Ends)
	}
	if len(sky.Findings) != 1 || sky.Findings[0].EN != "English sound is missing: French will be heard." ||
		sky.Findings[0].FR != "Le son en anglais manque\u00a0: on entendra le son en français." {
		t.Errorf("sky: %+v", sky.Findings)
	}
	if sea.Poster == "" || !strings.HasSuffix(sea.Poster, "/poster.jpg") {
		t.Errorf("poster %q", sea.Poster)
	}
	if _, err := w.Programme("other", doors); !errors.Is(err, stream.ErrNotFound) {
		t.Error(err)
	}
}

func TestReplayUntilIsThreeCalendarMonths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ closes, until string }{
		{"2026-11-24T17:00:00Z", "2027-02-24T23:00:00Z"},
		{"2026-11-30T17:00:00Z", "2027-02-28T23:00:00Z"}, // there is no 30 February
		{"2026-11-24T23:30:00Z", "2027-02-25T23:00:00Z"}, // the 25th in Paris
		{"2026-12-30T10:00:00Z", "2027-03-30T22:00:00Z"}, // summer time then
	} {
		e := conference()
		e.Talks = nil
		closes, _ := time.Parse(time.RFC3339, c.closes)
		e.Auditoriums[0].Opens, e.Auditoriums[0].Closes = closes.Add(-time.Hour), closes
		w := newWorld(t, newStore(), closes, stream.Config{})
		w.put(e)
		w.refresh()
		p, err := w.Programme("conf", closes)
		if err != nil || p.ReplayUntil.UTC().Format(time.RFC3339) != c.until {
			t.Errorf("closes %s: %v, want %s (%v)", c.closes, p.ReplayUntil, c.until, err)
		}
	}
}
