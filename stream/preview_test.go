package stream_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/event"
	"reprise/storage"
	"reprise/stream"
	"reprise/stream/conformance"
	"reprise/stream/hls"
	"reprise/vod"
)

func preview(id vod.MediaID) stream.Address { return stream.Address{View: stream.Preview, Media: id} }

// setOf downloads a multivariant playlist and all that it names.
func setOf(t testing.TB, w *world, a stream.Address, now time.Time, sound bool) (conformance.Set, *hls.Multivariant) {
	t.Helper()
	get := w.Multivariant
	if sound {
		get = w.SoundOnly
	}
	doc, err := get(a, now)
	if err != nil {
		t.Fatalf("%v %v: %v", now, a, err)
	}
	m, err := hls.ParseMultivariant(doc.Body)
	if err != nil {
		t.Fatal(err)
	}
	set := conformance.Set{Multivariant: doc.Body, Media: map[string][]byte{}}
	for _, uri := range conformance.URIs(m) {
		set.Media[uri] = media(t, w, a, strings.TrimSuffix(uri, ".m3u8"), now).Body
	}
	return set, m
}

// TestPreviewIsAReplayBeforeItsHour: all rules hold, all that the film has is
// there, and every file that a playlist names.
func TestPreviewIsAReplayBeforeItsHour(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	now := doors.Add(-30 * time.Minute)
	for _, f := range []film{seaFilm(), skyFilm()} {
		m := f.media(1)
		set, list := setOf(t, w, preview(m.ID), now, false)
		report(t, now, "multivariant", conformance.CheckMultivariant(set.Multivariant))
		report(t, now, "renditions", conformance.CheckRenditions(set))
		for uri, body := range set.Media {
			report(t, now, uri, conformance.CheckMedia(body))
			p, err := hls.ParseMedia(body)
			if err != nil {
				t.Fatal(err)
			}
			if p.Type != hls.VOD || !p.EndList || len(p.Segments) != m.Count || p.MediaSequence != 0 || !p.Segments[0].ProgramDateTime.IsZero() || len(p.DateRanges) > 0 {
				t.Errorf("%s: %s with %d segments from %d", uri, p.Type, len(p.Segments), p.MediaSequence)
			}
			for _, s := range p.Segments {
				previewFile(t, w, m.ID, s.URI)
				if s.Map != nil {
					previewFile(t, w, m.ID, s.Map.URI)
				}
			}
		}
		var have []string
		for _, r := range m.Renditions {
			have = append(have, r.Name)
		}
		for _, v := range list.Variants {
			if !slices.Contains(have, strings.TrimSuffix(v.URI, ".m3u8")) {
				t.Errorf("%s is offered, the film has %v", v.URI, have)
			}
		}
		// Another instant, another node: the same.
		other := newWorld(t, w.store, doors, stream.Config{})
		other.refresh()
		if again, _ := setOf(t, other, preview(m.ID), doors.Add(9*time.Hour), false); string(again.Multivariant) != string(set.Multivariant) {
			t.Error("R115: two nodes disagree about a preview")
		}
	}
}

func previewFile(t testing.TB, w *world, id vod.MediaID, uri string) {
	t.Helper()
	rest, ok := strings.CutPrefix(uri, "../../s/"+string(id)+"/")
	rendition, name, cut := strings.Cut(rest, "/")
	if !ok || !cut {
		t.Fatalf("URI %q", uri)
	}
	f, err := w.PreviewFile(id, rendition, name)
	if err != nil || !f.Private {
		t.Fatalf("%s: %+v %v", uri, f, err)
	}
}

// firstOf is a film with its first rendition alone.
func firstOf(f film, revision int) vod.Media {
	m := f.media(revision)
	rung := "v360"
	if m.Rendition(rung) == nil {
		rung = "v234"
	}
	for _, r := range m.Renditions {
		if r.Kind == vod.Video {
			m.Ladder = append(m.Ladder, r.Name)
		}
	}
	m.Renditions = slices.DeleteFunc(m.Renditions, func(r vod.Rendition) bool { return r.Kind == vod.Video && r.Name != rung })
	m.Partial, m.ID = true, vod.MediaID("f"+string(m.ID[1:]))
	return m
}

// putFirst does what vod.Library's does.
func (w *world) putFirst(m vod.Media) {
	w.tb.Helper()
	if err := w.store.CreateAsset(w.tb.Context(), vod.Asset{ID: m.Asset, State: vod.Processing, First: m.ID}); err != nil {
		w.tb.Fatal(err)
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.media[m.ID] = m
	w.store.version++
}

// TestPreviewOfAFirstRendition has one rung, and no other fault.
func TestPreviewOfAFirstRendition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newStore(), doors, stream.Config{})
	first := firstOf(seaFilm(), 1)
	w.putFirst(first)
	w.refresh()
	set, list := setOf(t, w, preview(first.ID), doors, false)
	if len(list.Variants) != 1 || list.Variants[0].URI != "v360.m3u8" {
		t.Errorf("variants %+v", list.Variants)
	}
	for _, f := range conformance.Serious(slices.Concat(conformance.CheckMultivariant(set.Multivariant), conformance.CheckRenditions(set))) {
		if f.Rule != "R038" { // one bit rate
			t.Error(f)
		}
	}
}

func TestPreviewsAreForThoseWhoMayAndOfFilms(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	other := conference()
	other.ID, other.Talks = "other", nil
	w.put(other)
	free := film{asset: "free", length: 15360 * 100, frame: frame25, top: 360, sounds: []string{"en"}}
	mine := w.addFilm(free, 1)
	w.settle()
	sea := seaFilm().media(1)
	replaced := seaFilm().media(7)
	w.store.mu.Lock()
	w.store.media[replaced.ID] = replaced // of an asset of the event, not on air nowhere
	slate := vod.MediaID(w.store.slates[0].ID)
	w.store.mu.Unlock()
	for _, c := range []struct {
		what  string
		ev    event.ID
		media vod.MediaID
		want  string
	}{
		{"leave for just this one", "", sea.ID, "there"},
		{"staff of the event", "conf", sea.ID, "there"},
		{"staff of the event, another revision", "conf", replaced.ID, "there"},
		{"staff of another event", "other", sea.ID, "not found"},
		{"staff of another event, another revision", "other", replaced.ID, "not found"},
		{"staff of an event that is not there", "none", sea.ID, "not found"},
		{"staff of any event, a film of none", "other", mine.ID, "there"},
		{"a slate", "", slate, "not found"},
		{"nothing", "", "none", "not found"},
	} {
		a := preview(c.media)
		a.Event = c.ev
		_, all := w.Multivariant(a, doors)
		_, sound := w.SoundOnly(a, doors)
		_, list := w.Media(a, "a-en", doors, false)
		if c.want == "not found" || c.media == mine.ID || c.media == sea.ID {
			for _, err := range []error{all, sound, list} {
				if got := kindOfError(err); got != c.want {
					t.Errorf("%s: %s, want %s (%v)", c.what, got, c.want, err)
				}
			}
		}
		m := w.store.media[c.media]
		if c.ev != "" && len(m.Renditions) > 0 {
			nobody := func(event.AuditoriumID, event.TalkID) bool { return false }
			f, err := w.File(c.ev, c.media, "v360", m.InitName("v360"), doors.Add(-time.Hour), nobody, true)
			if got := kindOfError(err); got != c.want || (err == nil && !f.Private) {
				t.Errorf("%s: file %s, want %s (%v)", c.what, got, c.want, err)
			}
		}
	}
	if _, err := w.ListedAt(preview(sea.ID), 0); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("a preview has no hour: %v", err)
	}
	for _, rendition := range []string{"v1080", "a-de", "s-en", "x", "", "i1080"} {
		if _, err := w.Media(preview(sea.ID), rendition, doors, false); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("%q: %v", rendition, err)
		}
	}
}

// TestR239_StaffsFilesArePrivateUntilTheyAreListed: a cache on the way must not learn them from staff.
func TestR239_StaffsFilesArePrivateUntilTheyAreListed(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Rewind: true})
	m := seaFilm().media(1)
	for _, object := range []string{"sea/poster", "sea/sprite"} {
		w.store.objects[storage.Key(object)] = make([]byte, 9)
	}
	for _, c := range []struct {
		rendition, name string
		at              time.Duration
		private         bool
	}{
		{"v720", m.SegmentName("v720", 0, 0), 0, true},
		{"v720", m.InitName("v720"), 0, true},
		{"", "sprite-0.jpg", 0, true},
		{"", "thumbnails.vtt", 2 * time.Minute, true},
		{"", "poster.jpg", 0, false},
		{"v720", m.SegmentName("v720", 0, 0), 2 * time.Minute, false},
		{"v720", m.SegmentName("v720", 20, 0), 2 * time.Minute, true},
		{"", "sprite-0.jpg", time.Hour, false},
	} {
		f, err := w.File("conf", m.ID, c.rendition, c.name, doors.Add(c.at), anyone, true)
		if err != nil || f.Private != c.private {
			t.Errorf("%s/%s at %v: private %v, %v", c.rendition, c.name, c.at, f.Private, err)
		}
	}
}

func TestSourceFile(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	other := conference()
	other.ID, other.Talks = "other", nil
	w.put(other)
	source := func(asset, key string) {
		w.store.mu.Lock()
		defer w.store.mu.Unlock()
		for i := range w.store.assets {
			if string(w.store.assets[i].ID) == asset {
				w.store.assets[i].Source = vod.Source{ID: "s1", Preview: key}
			}
		}
	}
	w.store.objects["sources/sea"] = make([]byte, 1234)
	if _, err := w.SourceFile("", "sea"); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("not made yet: %v", err)
	}
	source("sea", "sources/sea")
	w.refresh()
	f, err := w.SourceFile("conf", "sea")
	if err != nil || f.Length != 1234 || f.Object != "sources/sea" || f.ContentType != "video/mp4" || !f.Private || len(f.ETag) < 4 {
		t.Errorf("%+v %v", f, err)
	}
	source("sea", "sources/sea-2")
	if _, err := w.SourceFile("", "sea"); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("its object is gone: %v", err)
	}
	w.store.objects["sources/sea-2"] = make([]byte, 5)
	if again, err := w.SourceFile("", "sea"); err != nil || again.ETag == f.ETag {
		t.Errorf("R203: another file has the same tag: %+v %v", again, err)
	}
	for ev, id := range map[event.ID]vod.AssetID{"other": "sea", "none": "sea", "conf": "nothing"} {
		if _, err := w.SourceFile(ev, id); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("%s %s: %v", ev, id, err)
		}
	}
}

// TestSoundOnlyOfEachView: the sound alone is there wherever the pictures are, in all languages, by all rules.
func TestSoundOnlyOfEachView(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Rewind: true})
	sea, sky := seaFilm().media(1), skyFilm().media(1)
	for _, c := range []struct {
		address   stream.Address
		at        time.Duration
		languages []string
		first     string
	}{
		{live("fr"), time.Minute, []string{"fr", "en"}, "a-fr.m3u8"},
		{live("en"), 3 * time.Minute, []string{"fr", "en"}, "a-en.m3u8"},
		{startOver("sea", "en"), 3 * time.Minute, []string{"fr", "en"}, "a-en.m3u8"},
		{replay("sea", "fr"), 6 * time.Minute, []string{"fr", "en"}, "a-fr.m3u8"},
		{replay("sky", "en"), 7 * time.Minute, []string{"fr"}, "a-fr.m3u8"},
		{preview(sea.ID), -time.Hour, []string{"fr", "en"}, "a-fr.m3u8"},
		{preview(sky.ID), -time.Hour, []string{"fr"}, "a-fr.m3u8"},
	} {
		now := doors.Add(c.at)
		set, m := setOf(t, w, c.address, now, true)
		report(t, now, "sound", conformance.CheckSoundOnly(set.Multivariant))
		report(t, now, "renditions", conformance.CheckRenditions(set))
		if len(m.Variants) != 2 || m.Variants[0].URI != c.first || m.Variants[1].URI != "al"+c.first[1:] {
			t.Errorf("%s: variants %+v", c.address.View, m.Variants)
		}
		for _, g := range m.Groups {
			var languages []string
			for _, r := range g.Renditions {
				languages = append(languages, r.Language)
			}
			if !slices.Equal(languages, c.languages) {
				t.Errorf("%s %s: %v, want %v", c.address.View, g.ID, languages, c.languages)
			}
		}
		if all, _ := w.Multivariant(c.address, now); c.address.View == stream.Live && string(startLine(all.Body)) != string(startLine(set.Multivariant)) {
			t.Error("R014: those who listen begin elsewhere")
		}
	}
	for a, want := range map[stream.Address]string{
		live("de"): "not found", startOver("sky", "fr"): "not listed", replay("sea", "fr"): "not listed", replay("none", "fr"): "not found",
	} {
		if _, err := w.SoundOnly(a, doors); kindOfError(err) != want {
			t.Errorf("%v: %v, want %s", a, err, want)
		}
	}
	silent := sea
	silent.ID, silent.Asset, silent.Renditions = "silentxxxxxxxxxxxxxxxxxxxx", "", silent.Renditions[:1]
	w.store.media[silent.ID] = silent
	if _, err := w.SoundOnly(preview(silent.ID), doors); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("sound of a film without any: %v", err)
	}
	if _, err := w.Multivariant(preview(silent.ID), doors); err != nil {
		t.Error(err)
	}
}

func startLine(body []byte) []byte {
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "#EXT-X-START") {
			return []byte(line)
		}
	}
	return nil
}

// TestAFirstRenditionGoesOnAir: the feed promises from the beginning what the
// whole film will have; what has begun goes on as it began; what has not takes the whole.
func TestAFirstRenditionGoesOnAir(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newStore(), doors.Add(-time.Hour), stream.Config{Rewind: true})
	sea, sky := seaFilm(), skyFilm()
	sky.asset, sky.top = "sky", 720
	w.putFirst(firstOf(sea, 1))
	w.putFirst(firstOf(sky, 1))
	w.put(conference())
	w.settle()
	offers := func(now time.Time) []string {
		_, m := setOf(t, w, live("fr"), now, false)
		var uris []string
		for _, v := range m.Variants {
			uris = append(uris, v.URI)
		}
		return uris
	}
	before := offers(doors)
	if !slices.Contains(before, "v720.m3u8") || len(before) != 4 {
		t.Errorf("offered with first renditions alone: %v", before)
	}
	if p, err := w.Programme("conf", doors); err != nil || !p.Talks[0].Airings["fr"].Ready {
		t.Errorf("a first rendition is ready for the air: %v", err)
	}

	now := doors.Add(2*time.Minute + 10*time.Second)
	listed := media(t, w, live("fr"), "v720", now)
	w.at(now)
	w.whole(sea, 2)
	whole := w.whole(sky, 2)
	w.refresh()
	j := journal(t, w, "fr")
	if got := j.Entries[1].Source.ID; got != string(firstOf(sea, 1).ID) {
		t.Errorf("R234: the talk on air has another media: %s", got)
	}
	if got := j.Entries[3]; got.Talk != "sky" || got.Source.ID != string(whole.ID) {
		t.Errorf("the talk to come does not take the whole film: %+v", got)
	}
	if after := media(t, w, live("fr"), "v720", now); string(after.Body) != string(listed.Body) {
		t.Error("R104: what is listed changed")
	}
	if after := offers(now); !slices.Equal(after, before) {
		t.Errorf("R235: the feed offered %v, and now %v", before, after)
	}
	// The talk plays to its end from the first rendition.
	end := doors.Add(2*time.Minute + 83520*time.Millisecond)
	last := firstOf(sea, 1)
	for _, s := range parse(t, media(t, w, live("fr"), "v720", end)).Segments {
		if n := cutURI(t, s.URI); s.ProgramDateTime.After(doors.Add(2*time.Minute)) && s.ProgramDateTime.Before(end) && n.media != last.ID {
			t.Errorf("%v is of %s", s.ProgramDateTime, n.media)
		}
	}
	set, _ := setOf(t, w, live("fr"), now, false)
	report(t, now, "renditions", conformance.CheckRenditions(set))
}

// whole is what vod.Library's PutMedia does to a film that had its first rendition.
func (w *world) whole(f film, revision int) vod.Media {
	w.tb.Helper()
	m := w.addFilm(f, revision)
	if _, err := w.store.UpdateAsset(w.tb.Context(), vod.AssetID(f.asset), func(a *vod.Asset) error { a.First = ""; return nil }); err != nil {
		w.tb.Fatal(err)
	}
	return m
}

// TestALongerFilmPushesWhatFollows: a film that is replaced by a longer one
// before its talk is laid out anew, and so is all after it; on air it is not.
func TestALongerFilmPushesWhatFollows(t *testing.T) {
	t.Parallel()
	longer := seaFilm()
	longer.length += 15360 * 12 * 60 // two minutes and a half
	for _, c := range []struct {
		at   time.Duration
		want string
	}{
		{time.Minute, "-@13:57:48.000 sea@14:00:00.000 sky@14:05:13.920 -@14:05:56.586"},
		{2*time.Minute + 30*time.Second, "-@13:57:48.000 sea@14:00:00.000 -@14:01:23.520 sky@14:03:00.000 -@14:03:42.666"},
	} {
		w := onAir(t, stream.Config{})
		w.at(doors.Add(c.at))
		w.addFilm(longer, 2)
		w.refresh()
		if got := airs(journal(t, w, "fr")); got != c.want {
			t.Errorf("replaced at %v:\n got %s\nwant %s", c.at, got, c.want)
		}
	}
}
