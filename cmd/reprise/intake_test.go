package main

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"reprise/api"
	"reprise/api/token"
	"reprise/configs"
	"reprise/event"
	"reprise/stream"
	"reprise/vod"
)

// invited returns a data folder as planned does, with a second talk a minute
// after noon and a third one after that, which have no films yet.
func invited(t testing.TB) string {
	t.Helper()
	data := planned(t)
	text := eventYAML(film.asset) + `  - {id: second, auditorium: main, title: {fr: Deuxième, en: Second}, starts: 2026-09-14 12:01, slot: 30s}
  - {id: third, auditorium: main, title: {fr: Troisième, en: Third}, starts: 2026-09-14 12:02, slot: 30s}
`
	good(t, stoppedClock(noon().Add(-time.Hour)), "schedule", "set", "--data", data, scratch(t, "event.yaml", text))
	return data
}

// ticking is the machine's clock with another hour on it.
func ticking(from time.Time) movedClock { return running(time.Until(from)) }

// running is the machine's clock, so far ahead.
func running(ahead time.Duration) movedClock {
	return movedClock{func() time.Time { return time.Now().Add(ahead) }}
}

// recording makes a small film with one sound, in French; no two colours give the same bytes.
func recording(t *testing.T, colour string, seconds int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film.mp4")
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-y",
		"-f", "lavfi", "-i", "testsrc=s=320x180:r=25", "-f", "lavfi", "-i", "color="+colour+":s=320x40:r=25", "-f", "lavfi", "-i", "sine=330:r=48000",
		"-filter_complex", "[0][1]overlay[v]", "-map", "[v]", "-map", "2", "-t", strconv.Itoa(seconds), "-metadata:s:a:0", "language=fra",
		"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-movflags", "+faststart", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make film: %v: %s", err, out)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// organizers is the desk of an event's organizers.
func (s *testServer) organizers(t *testing.T) desk {
	t.Helper()
	tok, err := s.links.mint(token.Link, true, token.WholeEvent)
	if err != nil {
		t.Fatal(err)
	}
	return desk{s.base, tok}
}

// preview plays a film to its end, as its desk would before its hour.
func (d desk) preview(t *testing.T, id vod.AssetID) (files int) {
	t.Helper()
	var p api.Preview
	d.must(t, http.MethodPost, "/assets/"+string(id)+"/preview", nil, &p)
	return d.play(t, &p)
}

// play fetches everything that a preview offers.
func (d desk) play(t *testing.T, p *api.Preview) (files int) {
	t.Helper()
	w := &storeWatcher{now: time.Now, seen: map[string]bool{}}
	w.watch(t, d.base+p.URL)
	for _, address := range []string{p.File, p.Poster} {
		if address == "" {
			continue
		}
		if status, body := get(t, d.base+address); status != http.StatusOK || body == "" {
			t.Errorf("%s: %d", filepath.Base(address), status)
		}
	}
	return len(w.seen)
}

// A speaker hands a film in by a personal link, over a connection that breaks;
// it is judged, shown, put on the talk, and both sides get their letters.
func TestSpeakerHandsAFilmIn(t *testing.T) {
	t.Parallel()
	office := startPostOffice(t)
	cfg := testConfig(invited(t))
	cfg.Mail = configs.Mail{Server: office.addr, TLS: "none", From: "video@example.org"}
	clock := ticking(noon().Add(-time.Hour))
	s := startServerOn(t, cfg, clock)
	staff := s.organizers(t)
	var h api.HandIn
	staff.must(t, http.MethodPost, "/handins", api.HandInRequest{
		Talk: "second", Languages: []event.Language{"fr"}, Name: "Ada Lovelace", Email: "ada@example.org", Language: "fr",
		Deadline: clock.Now().Add(30 * time.Minute), Organizer: "orga@example.org", Invite: true,
	}, &h)
	_, tok, _ := strings.Cut(h.Link, "#k=")
	speaker := desk{s.base, tok}
	content := recording(t, "red", 5)
	meta := map[string]string{"filename": "Deuxième.mp4", "filetype": "video/mp4", "sha256": hexSum(content)}
	if _, err := speaker.begin(t.Context(), len(content), meta); codeOf(err) != "terms-not-accepted" {
		t.Fatalf("an upload before the terms: %v", err)
	}
	var page api.HandInPage
	speaker.must(t, http.MethodGet, "/handin", nil, &page)
	if page.Terms.FR == "" || page.Terms.EN == "" || page.Accepted != nil || !page.Open {
		t.Errorf("page: %+v", page)
	}
	speaker.must(t, http.MethodPost, "/handin/accept", map[string]string{"terms": page.Terms.Version}, &page)
	id, err := speaker.begin(t.Context(), len(content), meta)
	if err != nil {
		t.Fatal(err)
	}
	if at, err := speaker.patch(t.Context(), id, 0, bytes.NewReader(content[:len(content)/3])); err != nil || at != len(content)/3 {
		t.Fatalf("the first third: %d, %v", at, err)
	}
	if err := speaker.goOn(t.Context(), id, content); err != nil {
		t.Fatal(err)
	}
	u := speaker.taken(t, id)
	a := staff.settled(t, u.Asset)
	if a.State != vod.Ready || a.Revision != 1 || a.Source.Name != "Deuxième.mp4" || a.Source.SHA256 != hexSum(content) || a.Source.By != "Ada Lovelace" {
		t.Errorf("the film: %+v", a)
	}
	if len(a.Talks) != 1 || a.Talks[0].Talk != "second" || !slices.Equal(a.Talks[0].Languages, []event.Language{"fr"}) {
		t.Errorf("it is on %+v", a.Talks)
	}
	speaker.must(t, http.MethodGet, "/handin", nil, &page)
	if page.Asset == nil || page.Asset.ID != a.ID || page.Report == nil || !page.Report.Complete || page.Preview == nil || page.Preview.URL == "" {
		t.Fatalf("page after the film: %+v", page)
	}
	for _, f := range page.Report.Findings {
		if f.FR == "" || f.EN == "" {
			t.Errorf("finding %s has no words", f.Code)
		}
	}
	if n := speaker.play(t, page.Preview); n < 6 {
		t.Errorf("the preview has only %d files", n)
	}
	if err := speaker.call(t.Context(), http.MethodGet, "/assets", nil, nil); codeOf(err) != "staff-only" {
		t.Errorf("a speaker sees the library: %v", err)
	}
	// Letters may overtake one another.
	letters := func(want ...string) func() bool {
		return func() bool {
			return slices.Equal(slices.Sorted(slices.Values(office.to("ada@example.org"))), slices.Sorted(slices.Values(want)))
		}
	}
	const talk = "«\u00a0Deuxième\u00a0»"
	first := []string{"Votre vidéo pour " + talk, "Bien reçue\u00a0: votre vidéo pour " + talk, "Prête\u00a0: votre vidéo pour " + talk}
	within(t, patience, "the speaker has three letters", letters(first...))
	within(t, patience, "the organizer has one", func() bool { return len(office.to("orga@example.org")) == 1 })
	// A second file takes the place of the first; one that is none leaves it there.
	second := recording(t, "blue", 6)
	u2, b := staffSees(t, speaker, staff, second, "neu.mp4")
	if u2.Asset != a.ID || b.Revision != 2 || b.Media == a.Media || len(b.Talks) != 1 {
		t.Errorf("a new file: %+v", b)
	}
	again := append(first, first[1], first[2])
	within(t, patience, "the speaker has letters about the new file", letters(again...)) // one that is replaced at once has none
	_, c := staffSees(t, speaker, staff, []byte(strings.Repeat("This is no film at all. ", 500)), "words.mp4")
	if c.State != vod.Failed || c.Verdict != vod.VerdictRefused || c.Media != b.Media || c.ID != a.ID || len(c.Findings) == 0 || c.Findings[0].FR == "" || c.Findings[0].EN == "" {
		t.Errorf("a file that is no film: %+v", c)
	}
	again = append(again, first[1], "Votre vidéo pour "+talk+" ne peut pas être utilisée")
	within(t, patience, "the speaker has a letter for each", letters(again...))
	if n := speaker.preview(t, a.ID); n < 6 {
		t.Errorf("the film before shows only %d files", n)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	end := sweepAll(t, cfg, clock.Now)
	end.checkLeftovers(t)
	end.checkRows(t)
}

// staffSees sends a speaker's next film and returns what organizers see of it.
func staffSees(t *testing.T, speaker, staff desk, content []byte, name string) (api.Upload, api.Asset) {
	t.Helper()
	id, err := speaker.send(t.Context(), content, map[string]string{"filename": name})
	if err != nil {
		t.Fatal(err)
	}
	u := speaker.taken(t, id)
	var a api.Asset
	within(t, patience, name+" is judged", func() bool {
		a = staff.asset(t, u.Asset)
		return a.Source.Name == name && (a.State == vod.Ready || a.State == vod.Failed)
	})
	return u, a
}

// What must not come in does not, and says why; what is here already is recognised.
func TestUploadsThatAreRefused(t *testing.T) {
	t.Parallel()
	cfg := testConfig(invited(t))
	content := recording(t, "green", 4)
	kept, err := os.Stat(filepath.Join(film.dir, "film.mp4")) // of the talk at noon
	if err != nil {
		t.Fatal(err)
	}
	cfg.Uploads.Quota, cfg.Uploads.MaxSize = configs.Size(kept.Size()+int64(4*len(content))), configs.Size(2*len(content))
	clock := ticking(noon().Add(-time.Hour))
	s := startServerOn(t, cfg, clock)
	staff := s.organizers(t)
	for name, d := range map[string]desk{"nobody": {s.base, ""}, "a viewer": {s.base, s.play}} {
		var p *problem
		if _, err := d.begin(t.Context(), 10, map[string]string{"filename": "x.mp4"}); err == nil || !asProblem(err, &p) || p.Status != http.StatusUnauthorized && p.Status != http.StatusForbidden {
			t.Errorf("%s may send films: %v", name, err)
		}
	}
	id, err := staff.begin(t.Context(), len(content), map[string]string{"filename": "damaged.mp4", "sha256": hexSum(content)})
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(content)
	damaged[len(damaged)/2] ^= 1
	err = staff.goOn(t.Context(), id, damaged)
	if u := staff.upload(t, id); u.State != vod.UploadRefused || u.Reason != "checksum" || err == nil {
		t.Errorf("bytes that are not those announced: %+v, %v", u, err)
	}
	if _, err := staff.begin(t.Context(), 2*len(content)+1, map[string]string{"filename": "large.mp4"}); codeOf(err) == "" {
		t.Error("a film above the limit may be begun")
	}
	u, a := staff.film(t, content, map[string]string{"filename": "talk.mp4", "talk": "third", "languages": "fr,en"})
	u2, b := staff.film(t, content, map[string]string{"filename": "talk again.mp4", "talk": "second", "languages": "en"})
	if u2.Asset != u.Asset || b.Revision != 1 || b.Media != a.Media || len(b.Talks) != 2 {
		t.Errorf("the same bytes again: %+v", b)
	}
	var quota api.UploadList
	staff.must(t, http.MethodGet, "/uploads", nil, &quota)
	open, err := staff.begin(t.Context(), 2*len(content), map[string]string{"filename": "a.mp4"})
	if err != nil {
		t.Fatalf("%v, with %+v used", err, quota.Quota)
	}
	if _, err := staff.begin(t.Context(), 2*len(content), map[string]string{"filename": "b.mp4"}); codeOf(err) == "" {
		t.Error("more than the quota may be begun")
	}
	staff.must(t, http.MethodDelete, "/uploads/"+string(open), nil, nil)
	if id, err := staff.begin(t.Context(), 2*len(content), map[string]string{"filename": "b.mp4"}); err != nil {
		t.Errorf("what was given up still counts: %v", err)
	} else {
		staff.must(t, http.MethodDelete, "/uploads/"+string(id), nil, nil)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	sweepAll(t, cfg, clock.Now).checkLeftovers(t)
}

func asProblem(err error, p **problem) bool {
	found, ok := err.(*problem)
	*p = found
	return ok
}

// An edit of captions, chapters or poster makes a new revision of the same
// pictures; past ones come back; what is shown is not deleted.
func TestOrganizerEditsAFilm(t *testing.T) {
	t.Parallel()
	cfg := testConfig(invited(t))
	clock := ticking(noon().Add(-time.Hour))
	s := startServerOn(t, cfg, clock)
	staff := s.organizers(t)
	_, a := staff.film(t, recording(t, "white", 5), map[string]string{"filename": "talk.mp4", "talk": "third"})
	path := "/assets/" + string(a.ID)
	const srt = "1\r\n00:00:01,000 --> 00:00:03,000\r\nÀ tous, bienvenue\r\n\r\n"
	if _, err := staff.request(t.Context(), http.MethodPut, "/api/v1"+path+"/captions/fr?name=talk.srt", map[string]string{"Content-Type": "application/x-subrip"}, strings.NewReader(srt), nil); err != nil {
		t.Fatal(err)
	}
	b := staff.revision(t, a.ID, 2)
	if subtitles := staff.subtitles(t, a.ID); !strings.Contains(subtitles, "À tous, bienvenue") || b.Media == a.Media {
		t.Errorf("captions in the film:\n%s", subtitles)
	}
	if _, err := staff.request(t.Context(), http.MethodPut, "/api/v1"+path+"/captions/fr", nil, strings.NewReader(srt), nil); codeOf(err) != "condition-missing" {
		t.Errorf("captions that somebody wrote are overwritten unseen: %v", err)
	}
	if err := staff.change(t, path+"/chapters", map[string][]api.ChapterMark{"chapters": {{Start: 0, Title: "Un"}, {Start: 2, Title: "Deux"}}}); err != nil {
		t.Fatal(err)
	}
	staff.revision(t, a.ID, 3)
	if err := staff.change(t, path+"/poster", map[string]float64{"at": 2.5}); err != nil {
		t.Fatal(err)
	}
	d := staff.revision(t, a.ID, 4)
	var made api.MadeMedia
	staff.must(t, http.MethodGet, path+"/media", nil, &made)
	if len(made.Chapters) != 2 || made.Chapters[1].Title != "Deux" || made.Poster == "" || made.Waveform == "" || made.Thumbnails == "" || made.Audio["fr"] == "" {
		t.Errorf("what was made: %+v", made)
	}
	for _, address := range []string{made.Poster, made.Waveform, made.Thumbnails, made.Audio["fr"]} {
		if status, body := get(t, s.base+address); status != http.StatusOK || body == "" {
			t.Errorf("%s: %d", filepath.Base(address), status)
		}
	}
	if len(d.History) != 3 {
		t.Errorf("history: %+v", d.History)
	}
	var e api.Asset
	staff.must(t, http.MethodPost, path+"/restore", map[string]vod.MediaID{"media": a.Media}, &e)
	if e.Media != a.Media || e.Revision != 1 || e.State != vod.Ready {
		t.Errorf("the first revision is back: %+v", e)
	}
	if subtitles := staff.subtitles(t, a.ID); strings.Contains(subtitles, "bienvenue") {
		t.Errorf("the first revision had no captions:\n%s", subtitles)
	}
	if err := staff.call(t.Context(), http.MethodDelete, path, nil, nil); codeOf(err) != "asset-in-use" {
		t.Errorf("a film that a talk shows is deleted: %v", err)
	}
	staff.must(t, http.MethodPut, "/talks/third/film", map[string]string{"asset": ""}, nil)
	within(t, patience, "the film is out of the journals and can be deleted", func() bool {
		return codeOf(staff.call(t.Context(), http.MethodDelete, path, nil, nil)) == ""
	})
	if err := staff.call(t.Context(), http.MethodGet, path, nil, nil); codeOf(err) != "not-found" {
		t.Errorf("a deleted film: %v", err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	sweepAll(t, cfg, clock.Now).checkLeftovers(t)
}

// revision waits until a film has that revision.
func (d desk) revision(t *testing.T, id vod.AssetID, number int) (a api.Asset) {
	t.Helper()
	within(t, patience, "revision "+strconv.Itoa(number), func() bool {
		a = d.asset(t, id)
		return a.Revision == number && a.State == vod.Ready
	})
	return a
}

// change puts something on what nobody else has changed since it was read.
func (d desk) change(t *testing.T, path string, what any) error {
	t.Helper()
	raw := jsonOf(t, what)
	_, err := d.request(t.Context(), http.MethodPut, "/api/v1"+path, map[string]string{"Content-Type": "application/json", "If-Match": "*"}, bytes.NewReader(raw), nil)
	return err
}

// subtitles returns the French captions of a film as viewers get them.
func (d desk) subtitles(t *testing.T, id vod.AssetID) (text string) {
	t.Helper()
	var p api.Preview
	d.must(t, http.MethodPost, "/assets/"+string(id)+"/preview", nil, &p)
	address := d.base + strings.Replace(p.URL, "multivariant.m3u8", "s-fr.m3u8", 1)
	status, playlist := get(t, address)
	if status == http.StatusNotFound {
		return "" // there are none
	}
	for _, uri := range uris(playlist) {
		status, body := get(t, resolve(t, address, uri))
		if status != http.StatusOK {
			t.Errorf("captions: %d", status)
		}
		text += body
	}
	return text
}

// The film of a talk is replaced while the talk is on air: the feed and its
// replay keep what they began with, the next showing has the new one.
func TestFilmOnTheAirKeepsItsMedia(t *testing.T) {
	t.Parallel()
	cfg := testConfig(planned(t))
	s := startServerAs(t, cfg, noon().Add(2*time.Second))
	staff := s.organizers(t)
	id := vod.AssetID(film.asset)
	before := staff.asset(t, id)
	view := func(v stream.View, place string) string {
		status, list := s.playlist(t, v, place, "fr", "v234.m3u8")
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", v, status, list)
		}
		return list
	}
	live, begun := view(stream.Live, "main"), view(stream.StartOver, "noon")
	_, after := staff.film(t, recording(t, "black", 7), map[string]string{"filename": "corrected.mp4", "asset": string(id)})
	if after.State != vod.Ready || after.Revision != before.Revision+1 || after.Media == before.Media || len(after.History) != 1 {
		t.Fatalf("replaced: %+v", after)
	}
	if err := s.app.playout.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := view(stream.Live, "main"); now != live {
		t.Errorf("the feed changed:\n%s\nwas\n%s", now, live)
	}
	if now := view(stream.StartOver, "noon"); now != begun {
		t.Errorf("the talk changed:\n%s\nwas\n%s", now, begun)
	}
	if err := staff.call(t.Context(), http.MethodDelete, "/assets/"+string(id), nil, nil); codeOf(err) != "asset-in-use" {
		t.Errorf("what is on air is deleted: %v", err)
	}
	staff.must(t, http.MethodPut, "/talks/noon/film", map[string]string{"asset": ""}, nil)
	s.clock.set(noon().Add((filmSeconds + 20) * time.Second))
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	sweepAll(t, cfg, s.clock.Now).checkLeftovers(t)
	s = startServerAs(t, cfg, noon().Add((filmSeconds+20)*time.Second))
	w := &storeWatcher{now: s.clock.Now, seen: map[string]bool{}}
	for _, l := range []event.Language{"fr", "en"} {
		w.watch(t, s.links.playlist(stream.Replay, "noon", l, s.play))
	}
	if replay := view(stream.Replay, "noon"); !strings.Contains(replay, segmentOf(t, begun)) {
		t.Errorf("the replay is another film:\n%s\nwas\n%s", replay, begun)
	}
}

// segmentOf returns the name of the first segment in a playlist.
func segmentOf(t *testing.T, playlist string) string {
	t.Helper()
	for _, uri := range uris(playlist) {
		if strings.HasSuffix(uri, ".m4s") {
			return filepath.Base(uri)
		}
	}
	t.Fatalf("no segment in\n%s", playlist)
	return ""
}
