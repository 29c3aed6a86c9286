package api

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/stream/timeline"
	"reprise/vod"
)

// TestEachOperationAsksWhoItIs walks through the OpenAPI document: an operation
// for organizers or speakers refuses everybody else, before it looks at anything.
func TestEachOperationAsksWhoItIs(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]struct {
			Security []map[string][]string
		}
	}
	w, in := takingIn(t)
	if err := json.Unmarshal(w.server.spec, &doc); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{asset}", string(filmT1), "{upload}", "up-open", "{language}", "fr", "{talk}", "t1", "{handin}", string(handInID))
	strangers := map[string]string{
		"nobody":     "",
		"attendee":   "Authorization: Bearer " + w.mint("link", "event"),
		"playback":   "Authorization: Bearer " + w.mint("playback", "event", staff),
		"expired":    "Authorization: Bearer " + w.mint("link", "event", staff, later),
		"speaker":    w.speaker(),
		"desk":       w.desk(),
		"no hand-in": "Authorization: Bearer " + w.mint("link", token.HandInScope("unknown")),
	}
	seen := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			schemes := ""
			for _, s := range op.Security {
				for name := range s {
					schemes += name + " "
				}
			}
			if schemes == "" || strings.Contains(schemes, "link") {
				continue
			}
			seen++
			for name, header := range strangers {
				if name == "desk" && strings.Contains(schemes, "desk") || name == "speaker" && strings.Contains(schemes, "handin") {
					continue
				}
				want := map[string]int{"nobody": 401, "playback": 401, "expired": 401, "no hand-in": 410}[name]
				if want == 0 {
					want = 403
				}
				// A body that is no JSON: it must not be what the refusal is about.
				r := w.call(strings.ToUpper(method), strings.TrimPrefix(fill.Replace(path), apiPrefix), "{", append([]string{"Accept-Language: fr"}, header)...)
				if r.Code != want {
					t.Errorf("%s %s by %s: %d, want %d: %s", method, path, name, r.Code, want, r.Body)
				}
			}
		}
	}
	if seen < 35 || in.asked() != "" {
		t.Errorf("%d operations; something was done: %s", seen, in.asked())
	}
}

func TestAssetsOfAnEvent(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	got := answerOf[AssetList](t, w.call("GET", "/assets", "", w.desk()))
	var ids []string
	for _, a := range got.Assets {
		ids = append(ids, string(a.ID))
	}
	if want := "film-t1 film-t2 loose by-upload"; strings.Join(ids, " ") != want {
		t.Fatalf("%v, want %s", ids, want)
	}
	first, second := got.Assets[0], got.Assets[1]
	if len(first.Talks) != 1 || first.Talks[0].Talk != "t1" || !slices.Equal(first.Talks[0].Languages, []event.Language{"fr", "en"}) || !first.Preview || first.History != nil {
		t.Errorf("%+v", first)
	}
	if second.Progress.Stage != "encoding" || second.Progress.LeftSeconds != 60 || second.Job == nil || second.Job.State != "running" || second.Preview {
		t.Errorf("%+v", second)
	}
	for _, id := range []vod.AssetID{foreign, theirs, "unknown"} {
		for _, op := range []string{"GET /assets/%", "PATCH /assets/%", "DELETE /assets/%", "POST /assets/%/retry", "POST /assets/%/cancel", "POST /assets/%/restore", "GET /assets/%/report",
			"GET /assets/%/media", "POST /assets/%/preview", "GET /assets/%/captions", "GET /assets/%/captions/fr", "PUT /assets/%/captions/fr", "PATCH /assets/%/captions/fr", "DELETE /assets/%/captions/fr",
			"PUT /assets/%/captions/fr/cues", "POST /assets/%/captions/fr/generate", "GET /assets/%/transcript", "GET /assets/%/chapters", "PUT /assets/%/chapters", "DELETE /assets/%/chapters",
			"PUT /assets/%/poster", "DELETE /assets/%/poster"} {
			method, path, _ := strings.Cut(strings.ReplaceAll(op, "%", string(id)), " ")
			body := map[string]string{"PATCH /assets/%": `{"title":"x"}`, "POST /assets/%/restore": `{"media":"x"}`, "PATCH /assets/%/captions/fr": `{"shift":1}`, "PUT /assets/%/captions/fr": "WEBVTT",
				"PUT /assets/%/captions/fr/cues": `{"cues":[{"start":1,"end":2,"text":"x"}]}`, "PUT /assets/%/chapters": `{"chapters":[]}`, "PUT /assets/%/poster": `{"at":1}`}[op]
			wantProblem(t, w.call(method, path, body, w.desk(), "If-Match: *"), 404, "not-found", noStore)
		}
	}
	if asked := in.asked(); asked != "" {
		t.Errorf("something was done to films of others: %s", asked)
	}
}

func TestOneAsset(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	a := answerOf[Asset](t, w.call("GET", "/assets/film-t1", "", w.desk()))
	if len(a.History) != 1 || a.History[0].Media != "oldmedia" || a.History[0].Reason != "replaced" || a.Source.Name != "opening.mp4" {
		t.Errorf("%+v", a)
	}
	a = answerOf[Asset](t, w.call("PATCH", "/assets/film-t1", `{"title":"  Ouverture "}`, w.desk()))
	if a.Title != "Ouverture" {
		t.Errorf("title %q", a.Title)
	}
	for _, body := range []string{`{"title":""}`, `{"title":"   "}`, `{"title":"a\u0000b"}`, `{"title":7}`, `{}`, `[]`, `{"title":"x","y":1}`, `{"title":"` + strings.Repeat("x", 201) + `"}`} {
		wantProblem(t, w.call("PATCH", "/assets/film-t1", body, w.desk()), 422, "invalid", noStore)
	}
	a = answerOf[Asset](t, w.call("POST", "/assets/film-t1/restore", `{"media":"oldmedia"}`, w.desk()))
	if a.Media != "oldmedia" || in.asked() != "restore film-t1 oldmedia" {
		t.Errorf("%+v", a)
	}
	answerOf[Asset](t, w.call("POST", "/assets/film-t1/restore", `{"media":"oldmedia"}`, w.desk()))
	if asked := in.asked(); asked != "" {
		t.Errorf("restored again: %s", asked)
	}
	wantProblem(t, w.call("POST", "/assets/film-t1/restore", `{"media":"unknown"}`, w.desk()), 422, "invalid", noStore)
	if text := w.log.String(); !strings.Contains(text, `did="restore revision" event_id=conf by=r1 asset_id=film-t1 media_id=oldmedia`) || strings.Contains(text, "Ouverture") {
		t.Errorf("audit:\n%s", text)
	}
}

func TestRetryAndCancel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, op string
		job      Job
		state    vod.State
		status   int
		want     string // asked, or the code
		after    vod.State
	}{
		{"a refused film again", "loose/retry", Job{}, "", 200, "enqueue process loose", vod.Uploaded},
		{"a film whose job was given up", "loose/retry", Job{Kind: JobProcess, ID: "loose", State: jobGivenUp}, vod.Processing, 200, "enqueue process loose", vod.Processing},
		{"a film that waits for its next attempt", "loose/retry", Job{Kind: JobProcess, ID: "loose", State: jobWaiting}, vod.Processing, 200, "enqueue process loose", vod.Processing},
		{"a remake that failed", "film-t1/retry", Job{Kind: JobRemake, ID: "film-t1", State: jobGivenUp}, "", 200, "enqueue remake film-t1", vod.Ready},
		{"captions that failed", "film-t1/retry", Job{Kind: JobCaptions, ID: "film-t1.fr", State: jobCancelled}, "", 200, "enqueue captions film-t1.fr", vod.Ready},
		{"a film at work", "film-t2/retry", Job{}, "", 409, "already-working", vod.Processing},
		{"a film that is ready", "film-t1/retry", Job{}, "", 409, "nothing-to-retry", vod.Ready},
		{"work that goes on", "film-t2/cancel", Job{}, "", 200, "cancel process film-t2", vod.Failed},
		{"a film without a job", "by-upload/cancel", Job{}, "", 200, "", vod.Failed},
		{"captions of a film on air", "film-t1/cancel", Job{Kind: JobCaptions, ID: "film-t1.fr", State: jobQueued}, "", 200, "cancel captions film-t1.fr", vod.Ready},
		{"nothing", "film-t1/cancel", Job{}, "", 409, "nothing-to-cancel", vod.Ready},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, in := takingIn(t, hasty)
			id, _, _ := strings.Cut(tt.op, "/")
			if tt.job.Kind != "" {
				in.work = []Job{tt.job}
			}
			if tt.state != "" {
				a := in.assets[vod.AssetID(id)]
				a.State = tt.state
				in.assets[a.ID] = a
			}
			rec := w.call("POST", "/assets/"+tt.op, "", w.desk())
			if tt.status != 200 {
				wantProblem(t, rec, tt.status, tt.want, noStore)
			} else {
				a := answerOf[Asset](t, rec)
				if asked := in.asked(); asked != tt.want || a.State != tt.after {
					t.Errorf("%s, then %s; want %s, then %s", asked, a.State, tt.want, tt.after)
				}
				if a.State == vod.Failed && (len(a.Findings) != 1 || a.Findings[0].Code != "cancelled") {
					t.Errorf("%+v", a.Findings)
				}
			}
			if got := in.assets[vod.AssetID(id)].State; got != tt.after {
				t.Errorf("state %s", got)
			}
		})
	}
}

// hasty is a clock for what waits a little: no time passes.
func hasty(_ *Config, d *Deps) {
	d.Wait = func(ctx context.Context, _ time.Time) error { return ctx.Err() }
}

func TestDeleteAsset(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t, hasty)
	p := wantProblem(t, w.call("DELETE", "/assets/film-t2", "", w.desk(), "Accept-Language: fr"), 409, "asset-in-use", noStore)
	if len(p.Errors) != 1 || p.Errors[0].Message != "t2" || p.Title != "Vidéo utilisée" {
		t.Errorf("%+v", p)
	}
	// A talk that has shown it keeps it, though the programme names it no more.
	e := in.events["conf"]
	for i := range e.Talks {
		e.Talks[i].Films = nil
	}
	wantProblem(t, w.call("DELETE", "/assets/film-t1", "", w.desk()), 409, "asset-in-use", noStore)
	if rec := w.call("DELETE", "/assets/film-t2", "", w.desk()); rec.Code != 204 || rec.Body.Len() != 0 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if asked := in.asked(); asked != "cancel process film-t2; delete film-t2" {
		t.Error(asked)
	}
	in.shown = loose // a journal names it
	wantProblem(t, w.call("DELETE", "/assets/loose", "", w.desk()), 409, "asset-in-use", noStore)
	// Another event shows what this one has handed in.
	other := in.events["other"]
	other.Talks[0].Films["fr"] = string(spoken)
	wantProblem(t, w.call("DELETE", "/assets/by-upload", "", w.desk()), 409, "asset-in-use", noStore)
}

func TestReportInItsPlace(t *testing.T) {
	t.Parallel()
	w, _ := takingIn(t)
	r := answerOf[PreflightReport](t, w.call("GET", "/assets/film-t1/report", "", w.desk()))
	if r.Talk != "t1" || r.Slot != 1800 || r.Title != "Opening" || len(r.Sounds) != 1 || r.Sounds[0].Silent == nil {
		t.Errorf("%+v", r)
	}
	// 38 s in a slot of half an hour, and no English sound.
	var codes []string
	for _, f := range r.Findings {
		codes = append(codes, f.Code)
	}
	if !slices.Contains(codes, "shorter-than-slot") || !slices.Contains(codes, "language-absent") {
		t.Errorf("%v", codes)
	}
	wantProblem(t, w.call("GET", "/assets/film-t1/report?talk=none", "", w.desk()), 404, "not-found", noStore)
	wantProblem(t, w.call("GET", "/assets/film-t1/report?talk=A/B", "", w.desk()), 422, "invalid", noStore)
	wantProblem(t, w.call("GET", "/assets/film-t2/report", "", w.desk()), 404, "not-made-yet", noStore)
	wantProblem(t, w.call("GET", "/assets/film-t1/report", "", w.speaker()), 404, "not-found", noStore)
	wantProblem(t, w.call("GET", "/assets/by-upload/report?talk=t1", "", w.speaker()), 403, "wrong-scope", noStore)
	wantProblem(t, w.call("GET", "/assets/by-upload/report", "", w.speaker()), 404, "not-made-yet", noStore)
}

func TestPreviewOpensOneFilm(t *testing.T) {
	t.Parallel()
	w, _ := takingIn(t)
	p := answerOf[Preview](t, w.call("POST", "/assets/film-t1/preview", "", w.desk()))
	q, _, _ := strings.Cut(strings.TrimPrefix(p.URL, prefix), "/")
	c, err := w.ring.Verify(q, noon)
	if err != nil {
		t.Fatal(err)
	}
	if c.Staff || c.Kind != token.Playback || !c.MayMedia(mediaID) || !c.MayAsset("film-t1") || c.MayMedia("oldmedia") || c.MayTalk("main", "t1") || c.MayAuditorium("main") {
		t.Errorf("claims %+v", c)
	}
	if !strings.HasSuffix(p.URL, "/preview/"+mediaID+"/multivariant.m3u8") || p.File == "" || p.Poster == "" || !p.Expires.Equal(noon.Add(previewLife)) {
		t.Errorf("%+v", p)
	}
	short := "Authorization: Bearer " + w.mint("link", "event", staff, func(c *token.Claims) { c.Expires = noon.Add(time.Hour) })
	if p := answerOf[Preview](t, w.call("POST", "/assets/film-t1/preview", "", short)); !p.Expires.Equal(noon.Add(time.Hour)) {
		t.Errorf("outlives the link: %v", p.Expires)
	}
	wantProblem(t, w.call("POST", "/assets/film-t2/preview", "", w.desk()), 404, "not-made-yet", noStore)
	m := answerOf[MadeMedia](t, w.call("GET", "/assets/film-t1/media", "", w.desk()))
	if m.Duration != 38 || len(m.Renditions) != 1 || m.Renditions[0].Size != 100_700 || m.Renditions[0].Rate != 25 || m.Renditions[0].Bits != 21200 || m.Waveform == "" || m.Audio["fr"] == "" || m.Thumbnails == "" {
		t.Errorf("%+v", m)
	}
	wantProblem(t, w.call("GET", "/assets/film-t2/media", "", w.desk()), 404, "not-made-yet", noStore)
}

func TestChapters(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	rec := w.call("GET", "/assets/film-t1/chapters", "", w.desk())
	c := answerOf[Chapters](t, rec)
	if c.Origin != "film" || len(c.Chapters) != 2 || c.Chapters[1].Start != 10 || len(c.Suggested) != 2 || c.Suggested[0].Start != 0 || c.Suggested[1].Start != 26 {
		t.Errorf("%+v", c)
	}
	tag := rec.Header().Get("Etag")
	body := `{"chapters":[{"start":20.5,"title":" Zwei "},{"start":0,"title":"Eins"}]}`
	rec = w.call("PUT", "/assets/film-t1/chapters", body, w.desk(), "If-Match: W/"+tag)
	c = answerOf[Chapters](t, rec)
	if c.Origin != "hand" || len(c.Chapters) != 2 || c.Chapters[0].Title != "Eins" || c.Chapters[1] != (ChapterMark{20.5, "Zwei"}) || in.asked() != "enqueue remake film-t1" {
		t.Errorf("%+v", c)
	}
	second := rec.Header().Get("Etag")
	wantProblem(t, w.call("PUT", "/assets/film-t1/chapters", body, w.desk(), "If-Match: "+tag), 412, "changed-meanwhile", noStore)
	wantProblem(t, w.call("PUT", "/assets/film-t1/chapters", body, w.desk()), 428, "condition-missing", noStore)
	wantProblem(t, w.call("DELETE", "/assets/film-t1/chapters", "", w.desk(), "If-Match: "+tag), 412, "changed-meanwhile", noStore)
	answerOf[Chapters](t, w.call("PUT", "/assets/film-t1/chapters", `{"chapters":[]}`, w.desk(), `If-Match: "x", `+second))
	if a := in.assets[filmT1]; a.Extras.Chapters == nil || len(a.Extras.Chapters) != 0 {
		t.Errorf("none is not the same as the file's: %v", a.Extras.Chapters)
	}
	if c := answerOf[Chapters](t, w.call("DELETE", "/assets/film-t1/chapters", "", w.desk(), "If-Match: *")); c.Origin != "film" || len(c.Chapters) != 2 {
		t.Errorf("%+v", c)
	}
	in.asked()
	for _, body := range []string{`{"chapters":[{"start":-1,"title":"x"}]}`, `{"chapters":[{"start":38,"title":"x"}]}`, `{"chapters":[{"start":1,"title":""}]}`, `{"chapters":[{"start":1,"title":"a\nb"}]}`,
		`{"chapters":[{"start":1,"title":"a"},{"start":1,"title":"b"}]}`, `{"chapters":[{"start":1e300,"title":"a"}]}`, `{"chapters":null}`, `{}`, `{"chapters":[{"start":"1","title":"a"}]}`,
		`{"chapters":[` + strings.TrimSuffix(strings.Repeat(`{"start":1,"title":"a"},`, 501), ",") + `]}`} {
		p := wantProblem(t, w.call("PUT", "/assets/film-t1/chapters", body, w.desk(), "If-Match: *"), 422, "invalid", noStore)
		if len(p.Errors) == 0 {
			t.Errorf("%.80s: does not say what is wrong", body)
		}
	}
	if asked := in.asked(); asked != "" {
		t.Error(asked)
	}
}

func picture(t testing.TB, width, height int, encode func(*bytes.Buffer, image.Image) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.White, color.Black})); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPoster(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	put := func(contentType, body string) *Asset {
		t.Helper()
		a := answerOf[Asset](t, w.call("PUT", "/assets/film-t1/poster", body, w.desk(), "Content-Type: "+contentType))
		if asked := in.asked(); asked != "enqueue remake film-t1" {
			t.Error(asked)
		}
		return &a
	}
	jpg := picture(t, 640, 360, func(b *bytes.Buffer, i image.Image) error { return jpeg.Encode(b, i, nil) })
	put("application/json; charset=utf-8", `{"at":12.5}`)
	if x := in.assets[filmT1].Extras; x.PosterAt == nil || *x.PosterAt != 12.5 || x.Poster != "" {
		t.Errorf("%+v", x)
	}
	put("image/jpeg", jpg)
	x := in.assets[filmT1].Extras
	if x.PosterAt != nil || !strings.HasPrefix(x.Poster, "sources/") || !strings.HasSuffix(x.Poster, "/poster.jpg") {
		t.Errorf("%+v", x)
	}
	if rec := w.call("DELETE", "/assets/film-t1/poster", "", w.desk()); rec.Code != 200 || in.assets[filmT1].Extras.Poster != "" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	in.asked()
	gifs := picture(t, 640, 360, func(b *bytes.Buffer, i image.Image) error { return gif.Encode(b, i, nil) })
	wide := picture(t, 8193, 320, func(b *bytes.Buffer, i image.Image) error { return png.Encode(b, i) })
	big := picture(t, 8000, 6000, func(b *bytes.Buffer, i image.Image) error { return png.Encode(b, i) })
	small := picture(t, 319, 640, func(b *bytes.Buffer, i image.Image) error { return png.Encode(b, i) })
	for _, tt := range []struct {
		contentType, body string
		status            int
		code              string
	}{
		{"image/png", gifs, 422, "picture-unreadable"},
		{"image/png", wide, 422, "picture-unreadable"},
		{"image/png", big, 422, "picture-unreadable"},
		{"image/png", small, 422, "picture-unreadable"},
		{"image/jpeg", jpg[:len(jpg)/2], 422, "picture-unreadable"},
		{"image/jpeg", "x", 422, "picture-unreadable"},
		{"image/svg+xml", "<svg/>", 415, "unsupported-media-type"},
		{"", jpg, 415, "unsupported-media-type"},
		{"application/json", `{"at":-1}`, 422, "invalid"},
		{"application/json", `{"at":38}`, 422, "invalid"},
		{"application/json", `{}`, 422, "invalid"},
		{"application/json", `{"at":1,"x":2}`, 400, "malformed"},
		{"application/json", `{"at":1}{}`, 400, "malformed"},
		{"application/json", `{"at":"1"}`, 400, "malformed"},
		{"image/jpeg", strings.Repeat("x", maxPoster+1), 413, "too-large"},
	} {
		wantProblem(t, w.call("PUT", "/assets/film-t1/poster", tt.body, w.desk(), "Content-Type: "+tt.contentType), tt.status, tt.code, noStore)
	}
	if asked := in.asked(); asked != "" {
		t.Error(asked)
	}
}

func TestFilmOfATalk(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	in.conflict = 2
	c := answerOf[Consequence](t, w.call("PUT", "/talks/t2/film", `{"asset":"film-t1","languages":["en"]}`, w.desk()))
	if films := in.events["conf"].Talks[3].Films; films["en"] != "film-t1" || films["fr"] != string(filmT2) || c.Films["en"] != "film-t1" {
		t.Errorf("%v %+v", films, c)
	}
	if c.Length != 38 || c.Overrun != 38-1800 || len(c.Pushes) != 0 || c.Begun || !c.Starts.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v", c)
	}
	version := in.events["conf"].Version
	answerOf[Consequence](t, w.call("PUT", "/talks/t2/film", `{"asset":"film-t1","languages":["en"]}`, w.desk()))
	if in.events["conf"].Version != version {
		t.Error("the same again is written")
	}
	in.asked()
	answerOf[Consequence](t, w.call("PUT", "/talks/t2/film", `{"asset":"film-t2"}`, w.desk()))
	if asked := in.asked(); asked != "prioritize process film-t2 13:00" {
		t.Error(asked)
	}
	if c := answerOf[Consequence](t, w.call("PUT", "/talks/t1/film", `{"asset":""}`, w.desk())); !c.Begun || len(c.Films) != 0 || c.Length != 0 {
		t.Errorf("%+v", c)
	}
	if c := answerOf[Consequence](t, w.call("GET", "/talks/t1/film", "", w.desk())); !c.Begun {
		t.Errorf("%+v", c)
	}
	for body, want := range map[string]string{`{"asset":"foreign"}`: "404 not-found", `{"asset":"film-t1","languages":["de"]}`: "422 unknown-language", `{}`: "422 invalid", `{"asset":7}`: "422 invalid"} {
		rec := w.call("PUT", "/talks/t2/film", body, w.desk())
		status, code, _ := strings.Cut(want, " ")
		wantProblem(t, rec, map[string]int{"404": 404, "422": 422}[status], code, noStore)
	}
	wantProblem(t, w.call("PUT", "/talks/none/film", `{"asset":"film-t1"}`, w.desk()), 404, "not-found", noStore)
	wantProblem(t, w.call("GET", "/talks/none/film", "", w.desk()), 404, "not-found", noStore)
	in.conflict = 99
	p := wantProblem(t, w.call("PUT", "/talks/t2/film", `{"asset":"film-t1"}`, w.desk()), 409, "conflict", noStore)
	if p.Detail == "" {
		t.Error("no words")
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	in.work = append(in.work, Job{Kind: JobCaptions, ID: "film-t1.fr", State: jobWaiting, Attempt: 2, Enqueued: noon, Next: noon.Add(time.Minute), Failures: []JobFailure{{1, noon, "no"}}}, Job{Kind: JobMail, ID: "m"})
	got := answerOf[JobList](t, w.call("GET", "/jobs", "", w.desk()))
	var all []string
	for _, j := range got.Jobs {
		all = append(all, j.Kind+" "+j.Title+" "+j.Language)
	}
	if want := "process Closing ;take talk.mp4 ;process Loose ;captions Opening fr"; strings.Join(all, ";") != want {
		t.Errorf("%v", all)
	}
	if last := got.Jobs[3]; last.Next == nil || len(last.Failures) != 1 {
		t.Errorf("%+v", last)
	}
	if got := answerOf[JobList](t, w.call("GET", "/jobs?limit=1", "", w.desk())); len(got.Jobs) != 1 {
		t.Errorf("%+v", got)
	}
	wantProblem(t, w.call("GET", "/jobs?limit=0", "", w.desk()), 422, "invalid", noStore)
}

func TestServerThatOnlyPlays(t *testing.T) {
	t.Parallel()
	w := setup(t)
	wantProblem(t, w.call("GET", "/assets", "", w.desk()), 503, "not-ready", noStore)
	wantProblem(t, w.call("GET", "/search?q=abc", "", w.desk()), 503, "not-ready", noStore)
	wantProblem(t, w.call("POST", "/uploads/", "", w.desk()), 503, "not-ready", noStore)
	_, in := takingIn(t)
	deps := w.server.deps
	deps.Intake = in.intake()
	deps.Intake.Jobs = nil
	if _, err := New(Config{}, deps); err == nil || !strings.Contains(err.Error(), "Intake.Jobs") {
		t.Errorf("%v", err)
	}
}

func TestConsequenceOf(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	talk := func(id event.TalkID, room event.AuditoriumID, start, slot int, fr, en string) event.Talk {
		films := map[event.Language]string{}
		for l, f := range map[event.Language]string{"fr": fr, "en": en} {
			if f != "" {
				films[l] = f
			}
		}
		return event.Talk{ID: id, Auditorium: room, Starts: at(start), Slot: minutes(slot), Films: films, Spoken: "fr"}
	}
	e := &event.Event{Languages: []event.Language{"fr", "en"}, Talks: []event.Talk{
		talk("c", "main", 60, 20, "", ""), talk("a", "main", 0, 30, "fa", "ea"), talk("b", "main", 30, 30, "fb", ""), talk("d", "main", 90, 30, "", ""), talk("x", "side", 30, 30, "", ""),
	}}
	for _, tt := range []struct {
		name    string
		fr, en  int // minutes of a's films
		ends    int
		overrun float64
		pushes  string
		delays  map[event.TalkID]float64
	}{
		{"fits", 30, 29, 30, 0, "", nil},
		{"shorter", 10, 12, 12, -18 * 60, "", nil},
		{"one language pushes one talk, which leaves room for the next", 30, 35, 35, 300, "b", map[event.TalkID]float64{"b": 300}},
		{"pushes two", 42, 30, 42, 720, "b c", map[event.TalkID]float64{"b": 720, "c": 180}},
		{"pushes all", 90, 30, 90, 3600, "b c d", map[event.TalkID]float64{"b": 3600, "c": 3060, "d": 2460}},
		{"not known yet", 0, 0, 30, 0, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := consequenceOf(e, "a", lengths{"fa": minutes(tt.fr), "ea": minutes(tt.en), "fb": minutes(21)})
			var pushes []string
			for _, id := range got.Pushes {
				pushes = append(pushes, string(id))
			}
			if !got.Ends.Equal(at(tt.ends)) || got.Overrun != tt.overrun || strings.Join(pushes, " ") != tt.pushes {
				t.Errorf("%+v", got)
			}
			for id, late := range tt.delays {
				if got.Delays[id] != late {
					t.Errorf("%s is %v late, want %v", id, got.Delays[id], late)
				}
			}
		})
	}
	// A talk that is pushed itself starts late, and that is said.
	got := consequenceOf(e, "b", lengths{"fa": minutes(40), "ea": minutes(30), "fb": minutes(30)})
	if !got.Starts.Equal(at(40)) || !got.Ends.Equal(at(70)) || len(got.Pushes) != 1 || got.Delays["c"] != 600 {
		t.Errorf("%+v", got)
	}
	// The last one pushes nobody.
	if got := consequenceOf(e, "d", lengths{}); len(got.Pushes) != 0 || !got.Ends.Equal(at(120)) {
		t.Errorf("%+v", got)
	}
	_ = timeline.TicksPerSecond
}
