package stream_test

import (
	"strings"
	"testing"
	"time"

	"reprise/stream"
	"reprise/stream/hls"
	"reprise/stream/timeline"
)

// TestR107_R112_SegmentsOutliveTheirPlaylists: when replays are over playlists
// answer Gone at once, but a segment stays as long as a live window that has
// listed it may be played.
func TestR107_R112_SegmentsOutliveTheirPlaylists(t *testing.T) {
	t.Parallel()
	depth := 2 * time.Minute
	w := newWorld(t, newStore(), doors.Add(-time.Hour), stream.Config{Depth: depth, Rewind: true})
	w.addFilm(seaFilm(), 1)
	e := conference()
	e.Talks = e.Talks[:1]
	e.ReplayUntil = e.Auditoriums[0].Closes.Add(time.Second)
	w.put(e)
	w.settle()
	closed := e.Auditoriums[0].Closes
	last := namesIn(t, w, live("fr"), closed)
	segments := parse(t, media(t, w, live("fr"), "v360", closed)).Segments
	end := segments[len(segments)-1]
	for _, a := range []stream.Address{live("fr"), startOver("sea", "fr"), replay("sea", "fr")} {
		_, err := w.Media(a, "v360", e.ReplayUntil, false)
		if got := kindOfError(err); got != "gone" {
			t.Errorf("R112 %s: %s", a.View, got)
		}
		_, err = w.Multivariant(a, e.ReplayUntil)
		if got := kindOfError(err); got != "gone" {
			t.Errorf("R112 %s multivariant: %s", a.View, got)
		}
	}
	// The window was two minutes deep: its newest segment may be played for as long.
	n := cutURI(t, end.URI)
	until := end.ProgramDateTime.Add(end.Duration + depth)
	for at, want := range map[time.Duration]string{-time.Second: "there", time.Second: "gone"} {
		_, err := w.File("conf", n.media, n.rendition, n.name, until.Add(at), anyone, false)
		if got := kindOfError(err); got != want {
			t.Errorf("R107 the last segment %v after the window: %s, want %s", at, got, want)
		}
	}
	for n := range last {
		if _, err := w.File("conf", n.media, n.rendition, n.name, e.ReplayUntil, anyone, false); err != nil {
			t.Errorf("R107 %v: %v", n, err)
		}
	}
}

// TestR035_SoundOfALanguageThatTheFilmLacks: groups of a feed and of a
// start-over have each language at each rate, though the film has French only;
// its replay has French. What stands in is the film's own sound at that rate.
func TestR035_SoundOfALanguageThatTheFilmLacks(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Rewind: true})
	ends := doors.Add(6 * time.Minute)
	for _, a := range []stream.Address{live("fr"), live("en"), startOver("sky", "fr"), startOver("sky", "en"), replay("sky", "fr"), replay("sky", "en")} {
		doc, err := w.Multivariant(a, ends)
		if err != nil {
			t.Fatal(err)
		}
		m, err := hls.ParseMultivariant(doc.Body)
		if err != nil {
			t.Fatal(err)
		}
		want := "aac a-fr.m3u8 a-en.m3u8 aac-low al-fr.m3u8 al-en.m3u8"
		if a.View == stream.Replay {
			want = "aac a-fr.m3u8 aac-low al-fr.m3u8"
		}
		var got []string
		for _, g := range m.Groups {
			if g.Type != hls.Audio {
				continue
			}
			got = append(got, g.ID)
			for _, r := range g.Renditions {
				got = append(got, r.URI)
				list := parse(t, media(t, w, a, strings.TrimSuffix(r.URI, ".m3u8"), ends))
				prefix, _, _ := strings.Cut(r.URI, "-")
				if n := cutURI(t, list.Segments[len(list.Segments)-1].URI); a.View != stream.Live && n.rendition != prefix+"-fr" {
					t.Errorf("%s %s: %s is filled with %s", a.View, a.Language, r.URI, n.rendition)
				}
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s %s: %v, want %s", a.View, a.Language, got, want)
		}
	}
}

// TestR022_EmptyCaptionsOfAShortTalk: captions that a film does not have are
// counted by the segments that it has.
func TestR022_EmptyCaptionsOfAShortTalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newStore(), doors.Add(-time.Hour), stream.Config{Rewind: true})
	f := skyFilm()
	f.length = 25600 * 11 // 204800 + 76800 ticks
	w.addFilm(f, 1)
	e := conference()
	e.Talks = e.Talks[1:]
	w.put(e)
	w.settle()
	now := doors.Add(6 * time.Minute)
	rates := func(a stream.Address) int64 {
		doc, err := w.Multivariant(a, now)
		if err != nil {
			t.Fatal(err)
		}
		m, err := hls.ParseMultivariant(doc.Body)
		if err != nil {
			t.Fatal(err)
		}
		return m.Variants[0].AverageBandwidth
	}
	text := weigh(t, w, media(t, w, startOver("sky", "fr"), "s-fr", now), false)
	if got, want := rates(startOver("sky", "fr"))-rates(replay("sky", "fr")), text.average(); len(text) != 2 || float64(got) < want || float64(got) > want+1 {
		t.Errorf("captions of %d segments count for %d bit/s, measured %.1f over %v", len(text), got, want, timeline.Ticks(25600*11).Duration())
	}
}
