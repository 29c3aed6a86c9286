package stream_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"reprise/event"
	"reprise/stream"
	"reprise/stream/timeline"
	"reprise/vod"
)

// fileName is a file as a URI names it: ../../../s/{media}/{rendition}/{name}.
type fileName struct {
	media           vod.MediaID
	rendition, name string
}

func cutURI(t testing.TB, uri string) fileName {
	t.Helper()
	parts := strings.Split(strings.TrimPrefix(uri, "../../../s/"), "/")
	if len(parts) != 3 {
		t.Fatalf("URI %q", uri)
	}
	return fileName{vod.MediaID(parts[0]), parts[1], parts[2]}
}

// namesIn returns the files that a feed's playlists name at now.
func namesIn(t testing.TB, w *world, a stream.Address, now time.Time) map[fileName]bool {
	t.Helper()
	names := map[fileName]bool{}
	for _, r := range renditions() {
		doc, err := w.Media(a, r, now, false)
		if err != nil {
			continue
		}
		for _, s := range parse(t, doc).Segments {
			names[cutURI(t, s.URI)] = true
			if s.Map != nil {
				names[cutURI(t, s.Map.URI)] = true
			}
		}
	}
	return names
}

func kindOfError(err error) string {
	var gone *stream.Gone
	switch {
	case err == nil:
		return "there"
	case errors.Is(err, stream.ErrNotListed):
		return "not listed"
	case errors.Is(err, stream.ErrNotFound):
		return "not found"
	case errors.As(err, &gone):
		return "gone"
	}
	return err.Error()
}

// TestR239_EmbargoSecondBySecond asks for every file of the day, each second
// around the boundaries: it is there if, and only if, a playlist names it.
func TestR239_EmbargoSecondBySecond(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Rewind: true})
	end := doors.Add(7*time.Minute + 50*time.Second)
	all := namesIn(t, w, live("fr"), end)
	for n := range namesIn(t, w, live("en"), end) {
		all[n] = true
	}
	if len(all) < 1000 {
		t.Fatalf("only %d files", len(all))
	}
	for _, boundary := range []time.Duration{2 * time.Minute, 2*time.Minute + 83*time.Second, 5 * time.Minute, 8 * time.Minute} {
		for at := boundary - timeline.Lead - 6*time.Second; at < boundary-timeline.Lead+10*time.Second; at += time.Second {
			now := doors.Add(at)
			listed := namesIn(t, w, live("fr"), now)
			for n := range namesIn(t, w, live("en"), now) {
				listed[n] = true
			}
			for n := range all {
				_, err := w.File("conf", n.media, n.rendition, n.name, now, anyone, false)
				if listed[n] != (err == nil) || (err != nil && !errors.Is(err, stream.ErrNotListed)) {
					t.Fatalf("%v: %v is listed: %v, but: %v", now, n, listed[n], err)
				}
			}
		}
	}
	for n := range all { // R107, R108: and stays
		if _, err := w.File("conf", n.media, n.rendition, n.name, doors.Add(24*time.Hour), anyone, false); err != nil {
			t.Fatal(n, err)
		}
	}
}

func TestR239_ATokenOpensItsTalkOnly(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Rewind: true})
	now := doors.Add(6 * time.Minute)
	sea, sky := seaFilm().media(1), skyFilm().media(1)
	slate := vod.MediaID("")
	for n := range namesIn(t, w, live("fr"), doors.Add(time.Minute)) {
		slate = n.media
	}
	m, err := w.store.Media(t.Context(), slate)
	if err != nil {
		t.Fatal(err)
	}
	onlySky := func(_ event.AuditoriumID, talk event.TalkID) bool { return talk == "sky" }
	nobody := func(event.AuditoriumID, event.TalkID) bool { return false }
	hall := func(a event.AuditoriumID, _ event.TalkID) bool { return a == "main" }
	for _, c := range []struct {
		what  string
		media *vod.Media
		at    time.Time
		may   stream.May
		staff bool
		want  string
	}{
		{"the talk of the token", &sky, now, onlySky, false, "there"},
		{"another talk", &sea, now, onlySky, false, "not found"},
		{"the slate with a talk's token", &m, now, onlySky, false, "not found"},
		{"the slate with the auditorium's token", &m, now, hall, false, "there"},
		{"a talk with the auditorium's token", &sea, now, hall, false, "there"},
		{"a talk with nothing", &sea, now, nobody, false, "not found"},
		{"a talk that is to come", &sky, doors, hall, false, "not listed"},
		{"a talk that is to come, for staff", &sky, doors, nobody, true, "there"},
		{"a replay on its last day", &sea, time.Date(2027, 2, 24, 22, 59, 0, 0, time.UTC), onlySea, false, "there"},
		{"a replay after its time", &sea, time.Date(2027, 2, 24, 23, 0, 0, 0, time.UTC), onlySea, false, "gone"},
		{"a replay after its time, without a right", &sea, time.Date(2027, 2, 24, 23, 0, 0, 0, time.UTC), onlySky, false, "not found"},
	} {
		for _, name := range []string{c.media.InitName("v360"), c.media.SegmentName("v360", 0, timeline.SlateNominal)} {
			_, err := w.File("conf", c.media.ID, "v360", name, c.at, c.may, c.staff)
			if got := kindOfError(err); got != c.want {
				t.Errorf("%s: %s, want %s (%v)", c.what, got, c.want, err)
			}
		}
	}
}

func onlySea(_ event.AuditoriumID, talk event.TalkID) bool { return talk == "sea" }

// TestR201_TypesAndPlaces checks the content type, the place of the bytes and the entity tag of each kind of file.
func TestR201_TypesAndPlaces(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	now := doors.Add(10 * time.Minute)
	m := seaFilm().media(1)
	video, sound, captions := m.Rendition("v720"), m.Rendition("al-en"), m.Rendition("s-fr")
	w.store.mu.Lock()
	w.store.objects["sea/poster"], w.store.objects["sea/sprite"] = make([]byte, 77), make([]byte, 99)
	w.store.mu.Unlock()
	for _, c := range []struct {
		rendition, name string
		want            stream.File
	}{
		{"v720", m.InitName("v720"), stream.File{ContentType: "video/mp4", Object: "sea/1/v720", Length: 800}},
		{"v720", m.SegmentName("v720", 3, 0), stream.File{ContentType: "video/iso.segment", Object: "sea/1/v720", Offset: video.Segments[3].Offset, Length: video.Segments[3].Size}},
		{"al-en", m.InitName("al-en"), stream.File{ContentType: "audio/mp4", Object: "sea/1/al-en", Length: 700}},
		{"al-en", m.SegmentName("al-en", 21, 0), stream.File{ContentType: "audio/mp4", Object: "sea/1/al-en", Offset: sound.Segments[21].Offset, Length: sound.Segments[21].Size}},
		{"s-fr", m.SegmentName("s-fr", 0, 0), stream.File{ContentType: "text/vtt", Object: "sea/1/s-fr", Length: captions.Segments[0].Size}},
		{"s-none", m.SegmentName("s-none", 0, 0), stream.File{ContentType: "text/vtt", Length: 57}},
		{"", "poster.jpg", stream.File{ContentType: "image/jpeg", Object: "sea/poster", Length: 77}},
		{"", "sprite-0.jpg", stream.File{ContentType: "image/jpeg", Object: "sea/sprite", Length: 99}},
	} {
		got, err := w.File("conf", m.ID, c.rendition, c.name, now, anyone, false)
		if err != nil {
			t.Errorf("%s/%s: %v", c.rendition, c.name, err)
			continue
		}
		if got.ContentType != c.want.ContentType || got.Object != c.want.Object || got.Offset != c.want.Offset || got.Length != c.want.Length || len(got.ETag) < 8 {
			t.Errorf("%s/%s: %+v, want %+v", c.rendition, c.name, got, c.want)
		}
	}
	for _, name := range []string{"0.m4s", "22-aaaaaaaaaaaaaaaaaaaaaaaa.m4s", m.SegmentName("v720", 22, 0), m.SegmentName("v360", 1, 0), "../x", "", "init.mp4", m.InitName("s-none")} {
		if _, err := w.File("conf", m.ID, "v720", name, now, anyone, true); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := w.File("conf", m.ID, "s-none", m.InitName("s-none"), now, anyone, false); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("R170: captions have no init segment: %v", err)
	}
}

func TestPicturesWaitForTheTalk(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Rewind: true})
	m := seaFilm().media(1)
	w.store.mu.Lock()
	w.store.objects["sea/poster"], w.store.objects["sea/sprite"] = make([]byte, 77), make([]byte, 99)
	w.store.mu.Unlock()
	listed := doors.Add(2*time.Minute + 83520*time.Millisecond - timeline.Lead) // the last segment of the film
	for _, c := range []struct {
		name string
		at   time.Time
		may  stream.May
		want string
	}{
		{"poster.jpg", doors.Add(-30 * time.Minute), onlySea, "there"},
		{"poster.jpg", doors, func(event.AuditoriumID, event.TalkID) bool { return false }, "not found"},
		{"sprite-0.jpg", doors, onlySea, "not listed"},
		{"thumbnails.vtt", doors, onlySea, "not listed"},
		{"sprite-0.jpg", doors.Add(2 * time.Minute), onlySea, "not listed"}, // R239: they show the whole film
		{"thumbnails.vtt", listed.Add(-time.Millisecond), onlySea, "not listed"},
		{"sprite-0.jpg", listed, onlySea, "there"},
		{"thumbnails.vtt", listed, onlySea, "there"},
		{"sprite-1.jpg", listed, onlySea, "not found"},
		{"sprite-00.jpg", listed, onlySea, "not found"},
	} {
		f, err := w.File("conf", m.ID, "", c.name, c.at, c.may, false)
		if got := kindOfError(err); got != c.want {
			t.Errorf("%s at %v: %s, want %s (%v)", c.name, c.at, got, c.want, err)
		}
		if c.name == "thumbnails.vtt" && err == nil &&
			!bytes.Contains(f.Bytes, []byte("00:01:20.000 --> 00:01:23.520\nsprite-0.jpg#xywh=1280,0,160,90\n")) {
			t.Errorf("thumbnails:\n%s", f.Bytes)
		}
	}
}

func TestSlateSegmentsAreMadeOnceOfTheTemplate(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	now := doors.Add(2 * time.Minute)
	list := parse(t, media(t, w, live("fr"), "i720", now))
	n := cutURI(t, list.Segments[0].URI)
	f, err := w.File("conf", n.media, n.rendition, n.name, now, anyone, false)
	if err != nil {
		t.Fatal(err)
	}
	if f.Object != "" || int64(len(f.Bytes)) != f.Length || f.ContentType != "video/iso.segment" {
		t.Errorf("%+v", f)
	}
	// 96 frames of 16 bytes in the moof, its head, the mdat's, and the first sample of 14,400 bytes.
	if got, want := list.Segments[0].ByteRange.Length, int64(96*16+8+8+14400); got != want {
		t.Errorf("R180: the I-frame takes %d bytes, want %d", got, want)
	}
	again, err := w.File("conf", n.media, n.rendition, n.name, now, anyone, false)
	if err != nil || &again.Bytes[0] != &f.Bytes[0] {
		t.Error("the segment was made again", err)
	}
}

func TestFilesOfAnotherEventAreNotFound(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	other := conference()
	other.ID, other.Talks = "other", nil
	w.put(other)
	w.settle()
	m := seaFilm().media(1)
	if _, err := w.File("other", m.ID, "v720", m.InitName("v720"), doors.Add(time.Hour), anyone, true); !errors.Is(err, stream.ErrNotFound) {
		t.Error(err)
	}
	if _, err := w.File("nowhere", m.ID, "v720", m.InitName("v720"), doors.Add(time.Hour), anyone, true); !errors.Is(err, stream.ErrNotFound) {
		t.Error(err)
	}
}
