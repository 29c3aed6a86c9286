package stream_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/event"
	"reprise/stream"
	"reprise/stream/timeline"
	"reprise/vod"
)

func journal(t testing.TB, w *world, l event.Language) timeline.Journal {
	t.Helper()
	j, _, err := w.store.Journal(t.Context(), stream.Feed{Event: "conf", Auditorium: "main", Language: l})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Validate(); err != nil {
		t.Fatal(err)
	}
	return j
}

// airs tells what is on air in a journal: talk or slate, and when.
func airs(j timeline.Journal) string {
	var b strings.Builder
	for _, e := range j.Entries {
		name := e.Talk
		if name == "" {
			name = "-"
		}
		b.WriteString(name + "@" + e.AirStart.Format("15:04:05.000") + " ")
	}
	return strings.TrimSpace(b.String())
}

// texts returns what the slates of a journal say, in air order.
func texts(t testing.TB, w *world, j timeline.Journal) []string {
	t.Helper()
	var said []string
	for _, e := range j.Entries {
		if e.Talk != "" {
			continue
		}
		i := slices.IndexFunc(w.store.slates, func(s stream.SlateSpec) bool { return string(s.ID) == e.Source.ID })
		if i < 0 {
			t.Fatalf("slate %s was never made", e.Source.ID)
		}
		s := w.store.slates[i]
		said = append(said, strings.Join([]string{s.Title, s.Headline, s.Talk, s.When}, "|"))
	}
	return said
}

func TestSlatesSayWhatIsNext(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	for l, want := range map[event.Language][]string{
		"fr": {
			"Journées d’automne · Grande salle|À suivre|La mer|15\u00a0h\u00a000",
			"Journées d’automne · Grande salle|À suivre|Le ciel|15\u00a0h\u00a003",
			"Journées d’automne · Grande salle|Merci||",
		},
		"en": {
			"Autumn days · Main hall|Up next|The sea|3:00 pm",
			"Autumn days · Main hall|Up next|The sky|3:03 pm",
			"Autumn days · Main hall|Thank you||",
		},
	} {
		if got := texts(t, w, journal(t, w, l)); !slices.Equal(got, want) {
			t.Errorf("%s: %q", l, got)
		}
	}
	for _, s := range w.store.slates {
		if len(s.ID) != 26 || !slices.Equal(s.Languages, []string{"fr", "en"}) {
			t.Errorf("slate %+v", s)
		}
	}
}

func TestSlateOvernightSaysTheDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newStore(), doors.Add(-time.Hour), stream.Config{SlateAhead: 72 * time.Hour})
	w.addFilm(seaFilm(), 1)
	w.addFilm(skyFilm(), 1)
	e := conference()
	e.Auditoriums[0].Closes = doors.Add(30 * time.Hour)
	e.Talks[1].Starts = e.Talks[0].Starts.Add(19*time.Hour + 30*time.Minute)
	w.put(e)
	w.settle()
	fr, en := texts(t, w, journal(t, w, "fr")), texts(t, w, journal(t, w, "en"))
	if !strings.HasSuffix(fr[1], "|Le ciel|mercredi 10\u00a0h\u00a030") || !strings.HasSuffix(en[1], "|The sky|Wednesday 10:30 am") {
		t.Errorf("%q %q", fr, en)
	}
}

// TestAFeedBeginsWithTheGenericSlate: nothing is on air before there is a
// slate; the generic one is made first and is enough.
func TestAFeedBeginsWithTheGenericSlate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newStore(), doors.Add(-time.Minute), stream.Config{})
	w.addFilm(seaFilm(), 1)
	w.put(conference())
	w.refresh()
	if len(journal(t, w, "fr").Entries) != 0 {
		t.Fatal("a feed without a slate")
	}
	if _, err := w.Media(live("fr"), "v720", doors, false); !errors.Is(err, stream.ErrNotListed) {
		t.Error(err)
	}
	if err := w.MakeSlates(context.Background()); err != nil {
		t.Fatal(err)
	}
	first := w.store.slates[:2]
	if first[0].Talk != "" || first[1].Talk != "" || first[0].Language == first[1].Language {
		t.Errorf("made first: %+v", first)
	}
	w.refresh()
	if got := airs(journal(t, w, "fr")); got != "-@13:57:48.000 sea@14:00:00.000 -@14:01:23.520" {
		t.Error(got)
	}
	// The slates with words follow on what is not frozen.
	w.at(doors.Add(10 * time.Second))
	w.settle()
	if got := texts(t, w, journal(t, w, "fr")); len(got) != 3 || !strings.Contains(got[0], "À tout de suite") || !strings.Contains(got[1], "La mer") || !strings.Contains(got[2], "Le ciel") {
		t.Errorf("%q", got)
	}
}

func TestASlateThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newStore(), doors.Add(-time.Hour), stream.Config{})
	w.put(conference())
	w.store.fail = errors.New("no font")
	w.refresh()
	if err := w.MakeSlates(t.Context()); err == nil || !strings.Contains(err.Error(), "no font") {
		t.Error(err)
	}
	w.store.mu.Lock()
	w.store.fail = nil
	w.store.mu.Unlock()
	w.settle()
	if len(journal(t, w, "fr").Entries) != 0 {
		t.Error("it is tried again at once")
	}
	w.at(doors.Add(-time.Hour + time.Minute))
	w.settle()
	if len(journal(t, w, "fr").Entries) == 0 {
		t.Error("no feed")
	}
}

func TestFilmsOfALanguage(t *testing.T) {
	t.Parallel()
	ready := func(id string) vod.Asset {
		return vod.Asset{ID: vod.AssetID(id), State: vod.Ready, Media: vod.MediaID("m" + id)}
	}
	for _, c := range []struct {
		what   string
		films  map[event.Language]string
		spoken event.Language
		assets []vod.Asset
		want   string // source in the English feed; empty: not planned
	}{
		{"its own", map[event.Language]string{"fr": "a", "en": "b"}, "fr", []vod.Asset{ready("a"), ready("b")}, "mb"},
		{"missing: the spoken one", map[event.Language]string{"de": "c", "fr": "a"}, "fr", []vod.Asset{ready("a"), ready("c")}, "ma"},
		{"missing, as the spoken one: any", map[event.Language]string{"de": "c"}, "fr", []vod.Asset{ready("c")}, "mc"},
		{"failed: the spoken one", map[event.Language]string{"fr": "a", "en": "b"}, "fr", []vod.Asset{ready("a"), {ID: "b", State: vod.Failed}}, "ma"},
		{"failed, but there is a revision", map[event.Language]string{"fr": "a", "en": "b"}, "fr", []vod.Asset{ready("a"), {ID: "b", State: vod.Failed, Media: "mb"}}, "mb"},
		{"not ready: wait for it", map[event.Language]string{"fr": "a", "en": "b"}, "fr", []vod.Asset{ready("a"), {ID: "b", State: vod.Processing}}, ""},
		{"no film", nil, "fr", nil, ""},
	} {
		w := newWorld(t, newStore(), doors.Add(-time.Hour), stream.Config{})
		e := conference()
		e.Talks = e.Talks[:1]
		e.Talks[0].Films, e.Talks[0].Spoken = c.films, c.spoken
		w.store.assets = c.assets
		for _, a := range c.assets {
			m := seaFilm().media(1)
			m.ID = a.Media
			w.store.media[m.ID] = m
		}
		w.put(e)
		w.settle()
		got := ""
		for _, entry := range journal(t, w, "en").Entries {
			if entry.Talk != "" {
				got = entry.Source.ID
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// TestATalkThatIsReadyLate goes on air at the earliest instant that is not frozen, whole, and pushes what follows.
func TestATalkThatIsReadyLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newStore(), doors.Add(-time.Hour), stream.Config{})
	w.addFilm(skyFilm(), 1)
	w.put(conference())
	w.settle()
	if got := airs(journal(t, w, "fr")); got != "-@13:57:48.000 sky@14:03:00.000 -@14:03:42.666" {
		t.Fatal(got)
	}
	if got := texts(t, w, journal(t, w, "fr")); !strings.Contains(got[0], "La mer|15\u00a0h\u00a000") {
		t.Errorf("the slate does not say what is awaited: %q", got)
	}
	now := doors.Add(4 * time.Minute)
	before := media(t, w, live("fr"), "v360", now)
	w.at(now)
	w.addFilm(seaFilm(), 1)
	w.refresh()
	j := journal(t, w, "fr")
	if len(j.Entries) != 4 && len(j.Entries) != 5 {
		t.Fatal(airs(j))
	}
	sea, sky := j.Entries[1], j.Entries[2]
	if d := sea.AirStart.Sub(now); sea.Talk != "sea" || d < timeline.Lead || d > timeline.Lead+timeline.Guard+4*time.Second {
		t.Errorf("sea airs %v after it is ready: %s", d, airs(j))
	}
	if sky.Talk != "sky" || sky.AirStart.Before(sea.AirEnd()) || sky.Count != skyFilm().media(1).Count {
		t.Errorf("sky is not pushed: %s", airs(j))
	}
	if after := media(t, w, live("fr"), "v360", now); string(after.Body) != string(before.Body) {
		t.Error("R234: what is listed changed")
	}
}

func TestR234_AReplacedFilmIsTakenUntilItIsListed(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	w.at(doors.Add(time.Minute))
	longer := seaFilm()
	longer.length += 15360 * 20
	second := w.addFilm(longer, 2)
	w.refresh()
	if e := journal(t, w, "fr").Entries[1]; e.Source.ID != string(second.ID) || e.Count != second.Count {
		t.Errorf("revision 2 is not taken: %+v", e)
	}
	now := doors.Add(2*time.Minute + 10*time.Second)
	before := media(t, w, live("fr"), "v360", now)
	w.at(now)
	w.addFilm(seaFilm(), 3)
	w.refresh()
	if e := journal(t, w, "fr").Entries[1]; e.Source.ID != string(second.ID) {
		t.Errorf("the film was changed on air: %+v", e)
	}
	if after := media(t, w, live("fr"), "v360", now); string(after.Body) != string(before.Body) {
		t.Error("R104: what is listed changed")
	}
}

// TestAnotherNodeWroteFirst: a stale revision is read again, and nothing is lost.
func TestAnotherNodeWroteFirst(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	other := newWorld(t, w.store, doors.Add(-time.Hour), stream.Config{})
	e, err := w.store.Event(t.Context(), "conf")
	if err != nil {
		t.Fatal(err)
	}
	e.Talks = slices.Clone(e.Talks)
	e.Talks[1].Starts = e.Talks[1].Starts.Add(time.Minute)
	w.put(e)
	w.store.mu.Lock()
	w.store.rival = other.refresh
	w.store.mu.Unlock()
	w.refresh()
	j := journal(t, w, "fr")
	if got := airs(j); !strings.Contains(got, "sky@14:04:00.000") {
		t.Error(got)
	}
	_, revision, _ := w.store.Journal(t.Context(), stream.Feed{Event: "conf", Auditorium: "main", Language: "fr"})
	other.refresh()
	w.refresh()
	if _, again, _ := w.store.Journal(t.Context(), stream.Feed{Event: "conf", Auditorium: "main", Language: "fr"}); again != revision {
		t.Errorf("two nodes that agree write: revision %d, then %d", revision, again)
	}
}

// TestNothingIsWrittenWhenNothingChanges: not by turns, not by restarts, at any hour.
func TestNothingIsWrittenWhenNothingChanges(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	version, _ := w.store.Version(t.Context())
	for at := -time.Hour; at < time.Hour; at += 37 * time.Second {
		w.at(doors.Add(at))
		w.refresh()
		newWorld(t, w.store, doors.Add(at), stream.Config{}).refresh()
	}
	if again, _ := w.store.Version(t.Context()); again != version {
		t.Errorf("version %d, then %d", version, again)
	}
	if n := len(w.store.slates); n != 8 {
		t.Errorf("%d slates were made", n)
	}
}

func TestDoorsThatAreNotSetFollowTheTalks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newStore(), doors.Add(-time.Hour), stream.Config{})
	w.addFilm(seaFilm(), 1)
	e := conference()
	e.Auditoriums[0].Opens, e.Auditoriums[0].Closes = time.Time{}, time.Time{}
	w.put(e)
	w.settle()
	j := journal(t, w, "fr")
	if got := airs(j); got != "-@13:29:48.000 sea@14:00:00.000 -@14:01:23.520" {
		t.Error(got)
	}
	if end := j.Entries[2].AirEnd(); end.Sub(doors.Add(36*time.Minute)).Abs() > time.Second {
		t.Error(end)
	}
}

// TestAFeedOnAirDoesNotWaitForASlate: a new title of the event asks for new
// slates; while they cannot be made edits are followed with those there are.
func TestAFeedOnAirDoesNotWaitForASlate(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	w.at(doors)
	e, err := w.store.Event(t.Context(), "conf")
	if err != nil {
		t.Fatal(err)
	}
	e.Title = event.Text{"fr": "Journées d’hiver", "en": "Winter days"}
	e.Talks = slices.Clone(e.Talks)
	e.Talks[1].Starts = e.Talks[1].Starts.Add(time.Minute)
	w.put(e)
	w.refresh()
	if got := airs(journal(t, w, "en")); !strings.Contains(got, "sky@14:04:00.000") {
		t.Error(got)
	}
}
