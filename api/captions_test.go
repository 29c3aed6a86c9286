package api

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"reprise/event"
	"reprise/stream"
)

const (
	someVTT   = "WEBVTT\n\n00:01.000 --> 00:02.000\nHello there\n"
	french1   = "/assets/film-t1/captions/fr"
	english1  = "/assets/film-t1/captions/en"
	asVTT     = "Content-Type: text/vtt"
	anyTag    = "If-Match: *"
	wantsJSON = "Accept: application/json"
)

func TestCaptionsComeAndGo(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	l := answerOf[CaptionList](t, w.call("GET", "/assets/film-t1/captions", "", w.desk()))
	if len(l.Captions) != 1 || l.Captions[0].Language != "fr" || l.Captions[0].Origin != "beside" || !l.Command {
		t.Errorf("%+v", l)
	}
	rec := w.call("PUT", english1+"?name=..%2Fopening.en.vtt", someVTT, w.desk(), asVTT)
	c := answerOf[CaptionsChanged](t, rec)
	if c.Track.Name != "opening.en.vtt" || c.Track.By != "r1" || c.Track.ETag != rec.Header().Get("Etag") || in.asked() != "enqueue remake film-t1" {
		t.Errorf("%+v", c)
	}
	rec = w.call("GET", english1, "", w.desk(), wantsJSON)
	cues := answerOf[Cues](t, rec)
	if len(cues.Cues) != 1 || cues.Cues[0].Start != 1 || cues.Cues[0].Text != "Hello there" || rec.Header().Get("Etag") != c.Track.ETag || rec.Header().Get("Vary") != "Accept" {
		t.Errorf("%+v %v", cues, rec.Header())
	}
	rec = w.call("GET", english1, "", w.desk(), "Accept: text/vtt")
	if rec.Header().Get("Content-Type") != "text/vtt; charset=utf-8" || !strings.HasPrefix(rec.Body.String(), "WEBVTT\n") || rec.Header().Get("Content-Disposition") != `attachment; filename=Opening.en.vtt` {
		t.Errorf("%v\n%s", rec.Header(), rec.Body)
	}
	// Somebody else has edited them: what was read before does not count.
	w.clock.add(time.Second)
	answerOf[CaptionsChanged](t, w.call("PUT", english1+"/cues", `{"cues":[{"start":1,"end":2.5,"text":"Hello"}]}`, w.desk(), "If-Match: "+c.Track.ETag))
	wantProblem(t, w.call("PUT", english1+"/cues", `{"cues":[{"start":1,"end":3,"text":"Hi"}]}`, w.desk(), "If-Match: "+c.Track.ETag), 412, "changed-meanwhile", noStore)
	wantProblem(t, w.call("PUT", english1, someVTT, w.desk(), asVTT), 428, "condition-missing", noStore)
	wantProblem(t, w.call("PATCH", english1, `{"shift":1.5}`, w.desk()), 428, "condition-missing", noStore)
	if c := answerOf[CaptionsChanged](t, w.call("PATCH", english1, `{"shift":1.5}`, w.desk(), anyTag)); c.Track.Shift != 1.5 || c.Track.Origin != "edited" {
		t.Errorf("%+v", c)
	}
	for range 2 {
		if rec := w.call("DELETE", english1, "", w.desk(), anyTag); rec.Code != 204 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	for _, accept := range []string{wantsJSON, "Accept: text/vtt", "Accept: */*"} {
		wantProblem(t, w.call("GET", english1, "", w.desk(), accept), 404, "captions-missing", noStore)
	}
	if len(in.leases) != 0 {
		t.Errorf("leases are left: %v", in.leases)
	}
}

func TestCaptionsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	p := wantProblem(t, w.call("PUT", english1, "what is this", w.desk(), "Content-Type: application/octet-stream", "Accept-Language: fr"), 422, "captions-unreadable", noStore)
	if len(p.Errors) != 1 || p.Errors[0].Message != "rien" || p.Title != "Sous-titres illisibles" {
		t.Errorf("%+v", p)
	}
	wantProblem(t, w.call("PUT", english1, strings.Repeat("x", maxCaptions+1), w.desk(), asVTT), 413, "too-large", noStore)
	wantProblem(t, w.call("PUT", "/assets/film-t1/captions/x", someVTT, w.desk(), asVTT), 422, "invalid", noStore)
	wantProblem(t, w.call("PUT", "/assets/film-t1/captions/fr_FR", someVTT, w.desk(), asVTT), 422, "invalid", noStore)
	for _, body := range []string{`{"cues":[]}`, `{"cues":[{"start":2,"end":1,"text":"x"}]}`, `{"cues":[{"start":-1,"end":1,"text":"x"}]}`, `{"cues":[{"start":1,"text":"x"}]}`, `{"cues":[{"start":1,"end":1e9,"text":"x"}]}`,
		`{"cues":[{"start":1,"end":2,"text":"` + strings.Repeat("x", 4097) + `"}]}`, `{"cues":"x"}`, `[]`} {
		wantProblem(t, w.call("PUT", english1+"/cues", body, w.desk()), 422, "invalid", noStore)
	}
	wantProblem(t, w.call("PATCH", french1, `{"shift":1e9}`, w.desk()), 422, "invalid", noStore)
	wantProblem(t, w.call("PATCH", english1, `{"shift":1}`, w.desk()), 404, "captions-missing", noStore)
	if asked := in.asked(); asked != "" {
		t.Error(asked)
	}
}

// TestOneChangesCaptionsAtATime: two organizers, on two nodes, at the same instant.
func TestOneChangesCaptionsAtATime(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	in.leases["captions:film-t1:en"] = "another node"
	done := make(chan *httptest.ResponseRecorder)
	go func() { done <- w.call("PUT", english1, someVTT, w.desk(), asVTT) }()
	w.clock.untilWaiting(1)
	in.mu.Lock()
	delete(in.leases, "captions:film-t1:en")
	in.mu.Unlock()
	w.clock.add(time.Second)
	answerOf[CaptionsChanged](t, <-done)
	in.leases["captions:film-t1:en"] = "a node that is stuck"
	w, in2 := takingIn(t, hasty)
	in2.leases["captions:film-t1:en"] = "a node that is stuck"
	rec := w.call("PUT", english1, someVTT, w.desk(), asVTT)
	wantProblem(t, rec, 409, "busy", noStore)
	if rec.Header().Get("Retry-After") == "" {
		t.Error("does not say when to come back")
	}
}

func TestGenerateCaptions(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	if rec := w.call("POST", english1+"/generate", "", w.desk()); rec.Code != 202 || in.asked() != "enqueue captions film-t1.en" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	wantProblem(t, w.call("POST", "/assets/film-t2/captions/fr/generate", "", w.desk()), 409, "sound-missing", noStore)
	w, _ = takingIn(t, func(c *Config, _ *Deps) { c.CaptionCommand = false })
	wantProblem(t, w.call("POST", english1+"/generate", "", w.desk()), 409, "no-captions-command", noStore)
}

func TestTranscript(t *testing.T) {
	t.Parallel()
	w, _ := takingIn(t)
	tr := answerOf[Transcript](t, w.call("GET", "/assets/film-t1/transcript", "", w.desk()))
	if tr.Language != "fr" || len(tr.Languages) != 1 || len(tr.Lines) != 2 || tr.Lines[0].From != 1 {
		t.Errorf("%+v", tr)
	}
	wantProblem(t, w.call("GET", "/assets/film-t1/transcript?language=en", "", w.desk()), 404, "captions-missing", noStore)
	wantProblem(t, w.call("GET", "/assets/film-t2/transcript", "", w.desk()), 404, "captions-missing", noStore)
}

// TestSearchKeepsTheEmbargo: an attendee finds words of replays that the link
// opens, never of a talk to come; an organizer finds all.
func TestSearchKeepsTheEmbargo(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	e := in.events["conf"]
	for i := range e.Talks {
		e.Talks[i].Films = map[event.Language]string{"fr": string(filmT1), "en": string(filmT1)}
	}
	for scopes, want := range map[string]string{"event": "t0", "aud:main": "t0", "talk:t0": "t0", "talk:t1": "", "aud:side": "", "staff": "told t0 t1 t2"} {
		header := "Authorization: Bearer " + w.mint("link", scopes)
		if scopes == "staff" {
			header = w.desk()
		}
		r := answerOf[SearchResult](t, w.call("GET", "/search?q=bonjour", "", header))
		var talks []string
		for _, h := range r.Hits {
			talks = append(talks, string(h.Talk))
			if h.Language != "fr" || h.From != 1 || len(h.Marks) != 1 || h.Snippet == "" {
				t.Errorf("%+v", h)
			}
		}
		if strings.Join(talks, " ") != want || r.More {
			t.Errorf("%s: %v, want %s", scopes, talks, want)
		}
	}
	if r := answerOf[SearchResult](t, w.call("GET", "/search?q=bonjour&limit=2", "", w.desk())); len(r.Hits) != 2 || !r.More {
		t.Errorf("%+v", r)
	}
	if r := answerOf[SearchResult](t, w.call("GET", "/search?q=bonjour&language=en", "", w.desk())); len(r.Hits) != 0 {
		t.Errorf("%+v", r)
	}
	wantProblem(t, w.call("GET", "/search?q=bonjour", "", w.speaker()), 403, "wrong-scope", noStore)
	wantProblem(t, w.call("GET", "/search?q=bonjour", ""), 401, "token-missing", noStore)
	for _, q := range []string{"", "?q=a", "?q=" + strings.Repeat("x", 201), "?q=bonjour&limit=x"} {
		wantProblem(t, w.call("GET", "/search"+q, "", w.desk()), 422, "invalid", noStore)
	}
	p := w.playout
	p.mu.Lock()
	p.program.Talks[1].State = stream.Ended // the replay is over
	p.mu.Unlock()
	if r := answerOf[SearchResult](t, w.call("GET", "/search?q=bonjour", "", "Authorization: Bearer "+w.mint("link", "event"))); len(r.Hits) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestTranscriptsThatAreKeptAreBounded(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	a := in.assets[filmT1]
	for i := range mostTranscripts + 5 {
		a.Updated = noon.Add(time.Duration(i) * time.Second)
		if _, err := w.server.lines(t.Context(), &a, "fr"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.server.transcripts.lines); n > mostTranscripts {
		t.Errorf("%d are kept", n)
	}
}

// FuzzCaptions throws files and JSON at the captions: whatever comes, the answer is one of those described.
func FuzzCaptions(f *testing.F) {
	for _, s := range []string{someVTT, "1\n00:00:01,000 --> 00:00:02,000\nx\n", `{"cues":[{"start":1,"end":2,"text":"x"}]}`, `{"cues":[{"start":1e308,"end":-0,"text":"\u0000"}]}`, `{"shift":1}`, "\xff\xfe", "{"} {
		f.Add(s, "fr", "a.vtt", "*")
	}
	w, in := takingIn(f, func(_ *Config, d *Deps) { d.Log = silent })
	desk := w.desk()
	f.Fuzz(func(t *testing.T, body, language, name, match string) {
		if len(body) > 1<<16 {
			return
		}
		for _, ask := range []struct{ method, path, contentType string }{
			{"PUT", french1, "text/vtt"}, {"PUT", french1 + "/cues", "application/json"}, {"PATCH", french1, "application/json"},
			{"PUT", "/assets/film-t1/chapters", "application/json"}, {"PUT", "/assets/film-t1/poster", "application/json"},
			{"PUT", "/talks/t1/film", "application/json"}, {"POST", "/handins", "application/json"}, {"PATCH", "/assets/film-t1", "application/json"},
		} {
			r := httptest.NewRequest(ask.method, apiPrefix+ask.path, strings.NewReader(body))
			q := r.URL.Query()
			q.Set("name", name)
			r.URL.RawQuery = q.Encode()
			r.Header.Set("Content-Type", ask.contentType)
			r.Header["If-Match"] = []string{match}
			rec := w.send(r, desk)
			switch rec.Code {
			case 200, 204, 400, 404, 409, 412, 413, 422, 428:
			default:
				t.Fatalf("%s %s %q: %d %s", ask.method, ask.path, body, rec.Code, rec.Body)
			}
		}
		// A language in a path is one segment, whatever it holds.
		r := httptest.NewRequest("PUT", apiPrefix+"/assets/film-t1/captions/x", strings.NewReader(body))
		r.URL.Path = apiPrefix + "/assets/film-t1/captions/" + language
		if rec := w.send(r, desk, "Content-Type: text/vtt", anyTag); rec.Code >= 500 {
			t.Fatalf("%q: %d", language, rec.Code)
		}
		if c := in.assets[filmT1].Extras.Chapters; len(c) > mostChapters {
			t.Fatalf("%d chapters", len(c))
		}
		_ = fmt.Sprint(in.asked())
	})
}
