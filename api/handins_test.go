package api

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/vod"
)

var silent = slog.New(slog.DiscardHandler)

const newHandIn = `{"talk":"t1","name":" Grace ","email":"grace@example.org","language":"en","deadline":"2026-11-25T12:00:00+01:00","lock":"2026-11-26T12:00:00Z","organizer":"desk@example.org","message":"Bonjour !"`

func TestHandInsOfStaff(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	h := answerOf[HandIn](t, w.call("POST", "/handins", newHandIn+`}`, w.desk()))
	if h.Name != "Grace" || !h.Open || h.Asset != filmT1 || len(h.ID) != 26 || !h.Deadline.Equal(noon.Add(47*time.Hour)) || h.Invited != nil {
		t.Errorf("%+v", h)
	}
	base, tok, _ := strings.Cut(h.Link, "#k=")
	c, err := w.ring.Verify(tok, noon)
	if err != nil || base != "https://video.example.org/en/hand-in" {
		t.Fatal(h.Link, err)
	}
	if c.HandIn() != string(h.ID) || c.Staff || c.Event != "conf" || !c.Expires.Equal(noon.Add(72*time.Hour+linkGrace)) || c.MayTalk("main", "t1") || c.MayAuditorium("main") {
		t.Errorf("claims %+v", c)
	}
	if again := answerOf[HandIn](t, w.call("POST", "/handins", newHandIn+`,"invite":true}`, w.desk())); again.ID != h.ID || again.Invited == nil || len(in.invited) != 1 {
		t.Errorf("made twice: %+v, %d letters", again, len(in.invited))
	}
	i := in.invited[0]
	if i.Talk.ID != "t1" || i.Event.ID != "conf" || i.HandIn.Email != "grace@example.org" || i.Link != h.Link {
		t.Errorf("%+v", i)
	}
	answerOf[HandIn](t, w.call("POST", "/handins/"+string(h.ID)+"/invite", "", w.desk()))
	if len(in.invited) != 2 {
		t.Error("not sent again")
	}
	l := answerOf[HandInList](t, w.call("GET", "/handins", "", w.desk()))
	i0 := slices.IndexFunc(l.HandIns, func(h HandIn) bool { return h.ID == handInID })
	if len(l.HandIns) != 2 || !l.Mail || len(l.HandIns[i0].Uploads) != 1 || l.HandIns[i0].Asset != spoken {
		t.Errorf("%+v", l)
	}
	changed := answerOf[HandIn](t, w.call("PATCH", "/handins/"+string(h.ID), `{"name":"Grace H.","lock":"2026-11-27T12:00:00Z","languages":["fr"]}`, w.desk()))
	if changed.Name != "Grace H." || changed.Email != "grace@example.org" || !changed.Lock.Equal(noon.Add(96*time.Hour)) || len(changed.Languages) != 1 {
		t.Errorf("%+v", changed)
	}
	for range 2 {
		if rec := w.call("DELETE", "/handins/"+string(h.ID), "", w.desk()); rec.Code != 204 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	wantProblem(t, w.call("PATCH", "/handins/"+string(h.ID), `{"name":"x"}`, w.desk()), 410, "hand-in-revoked", noStore)
	wantProblem(t, w.call("POST", "/handins/"+string(h.ID)+"/invite", "", w.desk()), 410, "hand-in-revoked", noStore)
	p := wantProblem(t, w.call("GET", "/handin", "", "Authorization: Bearer "+tok, "Accept-Language: fr"), 410, "hand-in-revoked", noStore)
	if p.Title != "Lien retiré" {
		t.Errorf("%+v", p)
	}
	if text := w.log.String(); !strings.Contains(text, `did="revoke hand-in"`) || strings.Contains(text, "grace@") || strings.Contains(text, strings.Split(tok, ".")[2]) {
		t.Errorf("log:\n%s", text)
	}
}

func TestHandInFaults(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	for change, location := range map[string]string{
		`"talk":"none"`: "body.talk", `"languages":["de"]`: "body.languages", `"language":"de"`: "body.language", `"name":"  "`: "body.name", `"name":"a\u0007"`: "body.name",
		`"email":"Grace <grace@example.org>"`: "body.email", `"email":"x"`: "body.email", `"email":"a@b\r\nBcc: c@d"`: "body.email", `"organizer":"x"`: "body.organizer",
		`"message":"\u0000"`: "body.message", `"deadline":"2036-01-01T00:00:00Z"`: "body.deadline", `"lock":"2026-11-24T00:00:00Z"`: "body.lock", `"lock":"2036-11-24T00:00:00Z"`: "body.lock",
	} {
		// A later key wins, in Go as in JavaScript.
		p := wantProblem(t, w.call("POST", "/handins", newHandIn+","+change+"}", w.desk()), 422, "invalid", noStore)
		if len(p.Errors) == 0 || p.Errors[0].Location != location {
			t.Errorf("%s: %+v", change, p.Errors)
		}
	}
	wantProblem(t, w.call("POST", "/handins", `{"talk":"t1","name":"x"}`, w.desk()), 422, "invalid", noStore)
	wantProblem(t, w.call("POST", "/handins", `{`, w.desk()), 400, "malformed", noStore)
	wantProblem(t, w.call("PATCH", "/handins/"+string(handInID), `{"deadline":"2026-12-24T00:00:00Z"}`, w.desk()), 422, "invalid", noStore)
	other := "Authorization: Bearer " + w.mint("link", "event", staff, anotherEvent)
	for _, ask := range []string{"PATCH ", "DELETE ", "POST /invite"} {
		method, rest, _ := strings.Cut(ask, " ")
		wantProblem(t, w.call(method, "/handins/"+string(handInID)+rest, map[string]string{"PATCH": `{"name":"x"}`}[method], other), 404, "not-found", noStore)
		wantProblem(t, w.call(method, "/handins/unknown"+rest, map[string]string{"PATCH": `{"name":"x"}`}[method], w.desk()), 404, "not-found", noStore)
	}
	if h := in.handIns[handInID]; h.Name != "Ada" || !h.Revoked.IsZero() || len(in.handIns) != 1 || len(in.invited) != 0 {
		t.Errorf("%+v", in.handIns)
	}
	h := in.handIns[handInID]
	h.Email = ""
	in.handIns[handInID] = h
	wantProblem(t, w.call("POST", "/handins/"+string(handInID)+"/invite", "", w.desk()), 422, "invalid", noStore)
	w, _ = takingIn(t, func(_ *Config, d *Deps) { d.Intake.Invite = nil })
	wantProblem(t, w.call("POST", "/handins/"+string(handInID)+"/invite", "", w.desk()), 409, "no-mail", noStore)
}

func TestHandInPage(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	a := in.assets[spoken]
	a.State, a.Media = vod.Ready, mediaID
	in.assets[spoken] = a
	in.reports[a.Source.ID] = vod.Report{Source: a.Source.ID, Asset: spoken, Verdict: vod.VerdictReady, Duration: 38, Made: noon}
	p := answerOf[HandInPage](t, w.call("GET", "/handin", "", w.speaker()))
	if p.Talk.ID != "t2" || p.Talk.Slot != 1800 || p.Event.Zone != "Europe/Paris" || p.Message != "Merci !" || !p.Open || p.Accepted != nil || p.Contact != "desk@example.org" || p.MaxSize != 1<<40 {
		t.Errorf("%+v", p)
	}
	if p.Terms.FR == "" || p.Terms.EN == "" || len(p.Terms.Version) != 16 || len(p.Languages) != 1 {
		t.Errorf("%+v", p)
	}
	if p.Upload == nil || p.Upload.ID != "up-taken" || p.Asset == nil || p.Asset.ID != spoken || p.Report == nil || p.Report.Talk != "t2" || p.Preview == nil || p.Preview.URL == "" {
		t.Errorf("%+v", p)
	}
	wantProblem(t, w.call("POST", "/handin/accept", `{"terms":"other"}`, w.speaker()), 409, "terms-changed", noStore)
	p = answerOf[HandInPage](t, w.call("POST", "/handin/accept", `{"terms":"`+p.Terms.Version+`"}`, w.speaker()))
	w.clock.add(time.Hour)
	again := answerOf[HandInPage](t, w.call("POST", "/handin/accept", `{"terms":"`+p.Terms.Version+`"}`, w.speaker()))
	if p.Accepted == nil || !again.Accepted.Equal(noon) {
		t.Errorf("accepted %v, again %v", p.Accepted, again.Accepted)
	}
	// The page of a speaker whose film is not there yet, after the time.
	delete(in.uploads, "up-taken")
	w.clock.add(48 * time.Hour)
	lasting := "Authorization: Bearer " + w.mint("link", token.HandInScope(string(handInID)), func(c *token.Claims) { c.Expires = noon.Add(999 * time.Hour) })
	if p := answerOf[HandInPage](t, w.call("GET", "/handin", "", lasting)); p.Open || p.Asset != nil || p.Upload != nil {
		t.Errorf("%+v", p)
	}
	e := in.events["conf"]
	e.Talks = e.Talks[:1]
	in.events["conf"] = e
	wantProblem(t, w.call("GET", "/handin", "", lasting), 404, "not-found", noStore)
}

func TestTerms(t *testing.T) {
	t.Parallel()
	own, one := newTerms("", ""), newTerms("Oui.", "")
	if own.fr == own.en || own.version == one.version || one.en != "Oui." || newTerms("Oui.", "Oui.").version != one.version {
		t.Errorf("%+v %+v", own, one)
	}
}

// uploadCase is one row of TestAuthorizeUpload.
type uploadCase struct {
	name   string
	as     string // desk, other desk, speaker, attendee
	change func(*intake)
	upload vod.Upload
	row    bool
	want   string // of the permit, or the code
}

func TestAuthorizeUpload(t *testing.T) {
	t.Parallel()
	version := newTerms("", "").version
	accepted := func(in *intake) {
		h := in.handIns[handInID]
		h.Terms, h.Accepted = version, noon
		in.handIns[handInID] = h
	}
	late := func(hours int, also ...func(*intake)) func(*intake) {
		return func(in *intake) {
			accepted(in)
			for _, f := range also {
				f(in)
			}
			h := in.handIns[handInID]
			h.Deadline, h.Lock = h.Deadline.Add(-time.Duration(hours)*time.Hour), h.Lock.Add(-time.Duration(hours)*time.Hour)
			in.handIns[handInID] = h
		}
	}
	nothing := func(in *intake) { delete(in.uploads, "up-taken") }
	shared := func(in *intake) {
		accepted(in)
		e := in.events["conf"]
		e.Talks[3].Films = map[event.Language]string{"fr": string(spoken), "en": string(spoken)}
	}
	own := vod.Upload{ID: "up-mine", Event: "conf", HandIn: string(handInID), Owner: "handin:" + string(handInID), State: vod.UploadOpen}
	for _, tt := range []uploadCase{
		{"an organizer, for no talk", "desk", nil, vod.Upload{}, false, "r1 staff conf   []  r1"},
		{"an organizer, for a talk", "desk", nil, vod.Upload{Talk: "t1", Languages: []string{"fr"}}, false, "r1 staff conf   []  r1"},
		{"an organizer, replacing", "desk", nil, vod.Upload{Asset: filmT1}, false, "r1 staff conf   []  r1"},
		{"an organizer, unknown talk", "desk", nil, vod.Upload{Talk: "none"}, false, "not-found"},
		{"an organizer, unknown language", "desk", nil, vod.Upload{Talk: "t1", Languages: []string{"de"}}, false, "unknown-language"},
		{"an organizer, another event's film", "desk", nil, vod.Upload{Asset: foreign}, false, "not-found"},
		{"an organizer, going on", "desk", nil, own, true, "r1 staff conf   []  r1"},
		{"another event's organizer, going on", "other desk", nil, own, true, "not-found"},
		{"an attendee", "attendee", nil, vod.Upload{}, false, "staff-only"},
		{"a speaker", "speaker", accepted, vod.Upload{}, false, "handin:h conf t2 by-upload [en] h Ada"},
		{"a speaker, first film", "speaker", func(in *intake) { accepted(in); nothing(in) }, vod.Upload{}, false, "handin:h conf t2  [en] h Ada"},
		{"a speaker, naming what is so anyway", "speaker", accepted, vod.Upload{Talk: "t2", Languages: []string{"en"}, Asset: spoken}, false, "handin:h conf t2 by-upload [] h Ada"},
		{"a speaker, film of two languages", "speaker", shared, vod.Upload{}, false, "handin:h conf t2  [en] h Ada"},
		{"a speaker, terms not accepted", "speaker", nil, vod.Upload{}, false, "terms-not-accepted"},
		{"a speaker, another talk", "speaker", accepted, vod.Upload{Talk: "t1"}, false, "wrong-scope"},
		{"a speaker, another language", "speaker", accepted, vod.Upload{Languages: []string{"fr"}}, false, "wrong-scope"},
		{"a speaker, another film", "speaker", accepted, vod.Upload{Asset: filmT1}, false, "wrong-scope"},
		{"a speaker, after the deadline", "speaker", late(25, nothing), vod.Upload{}, false, "hand-in-closed"},
		{"a speaker, replacing after the deadline", "speaker", late(25), vod.Upload{}, false, "handin:h conf t2 by-upload [en] h Ada"},
		{"a speaker, replacing after the lock", "speaker", late(49), vod.Upload{}, false, "hand-in-closed"},
		{"a speaker, going on", "speaker", accepted, own, true, "handin:h conf   []  Ada"},
		{"a speaker, going on a little late", "speaker", late(24, nothing), own, true, "handin:h conf   []  Ada"},
		{"a speaker, going on too late", "speaker", late(25, nothing), own, true, "hand-in-closed"},
		{"a speaker, going on after the lock", "speaker", late(48), own, true, "hand-in-closed"},
		{"a speaker, another's upload", "speaker", accepted, vod.Upload{Event: "conf", HandIn: "x"}, true, "not-found"},
		{"a speaker, revoked", "speaker", func(in *intake) {
			h := in.handIns[handInID]
			h.Revoked = noon
			in.handIns[handInID] = h
		}, own, true, "hand-in-revoked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, in := takingIn(t)
			if tt.change != nil {
				tt.change(in)
			}
			r := httptest.NewRequest("POST", "/", nil)
			name, value, _ := strings.Cut(map[string]string{"desk": w.desk(), "speaker": w.speaker(), "attendee": "Authorization: Bearer " + w.mint("link", "event"),
				"other desk": "Authorization: Bearer " + w.mint("link", "event", staff, anotherEvent)}[tt.as], ": ")
			r.Header.Set(name, value)
			p, err := w.server.AuthorizeUpload(r, UploadRequest{Method: "POST", New: !tt.row, Upload: tt.upload})
			if err != nil {
				if a, _ := answerTo(err); a.code != tt.want || p.Owner != "" {
					t.Errorf("%v is %s, want %s (%+v)", err, a.code, tt.want, p)
				}
				return
			}
			got := strings.Join([]string{p.Owner, p.Event, p.Talk, string(p.Asset), "[" + strings.Join(p.Languages, " ") + "]", p.HandIn, p.By}, " ")
			got = strings.ReplaceAll(got, string(handInID), "h")
			if p.Staff {
				got = strings.Replace(got, "r1 ", "r1 staff ", 1)
			}
			if got != tt.want || p.MaxSize != 1<<40 {
				t.Errorf("%q, want %q (%+v)", got, tt.want, p)
			}
		})
	}
}

func TestUploadsAreListedAndCancelled(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	l := answerOf[UploadList](t, w.call("GET", "/uploads", "", w.desk()))
	if len(l.Uploads) != 2 || l.Uploads[0].Expires == nil || l.Uploads[1].Expires != nil || l.Quota.Used != 150 || l.Quota.Limit != 1000 {
		t.Errorf("%+v", l)
	}
	if l := answerOf[UploadList](t, w.call("GET", "/uploads", "", w.speaker())); len(l.Uploads) != 1 || l.Uploads[0].ID != "up-taken" {
		t.Errorf("%+v", l)
	}
	for _, ask := range []struct {
		id, as string
		status int
		code   string
	}{
		{"up-open", w.speaker(), 404, "not-found"}, {"up-other", w.desk(), 404, "not-found"}, {"up-taken", w.desk(), 409, "upload-complete"}, {"up-taken", w.speaker(), 409, "upload-complete"},
	} {
		wantProblem(t, w.call("DELETE", "/uploads/"+ask.id, "", ask.as), ask.status, ask.code, noStore)
	}
	for range 2 {
		if rec := w.call("DELETE", "/uploads/up-open", "", w.desk()); rec.Code != 204 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	if asked := in.asked(); asked != "cancel upload up-open" {
		t.Error(asked)
	}
}

// TestTusIsMounted: the handler gets its requests without the prefix, after the
// token was looked at, and without the limit of bodies.
func TestTusIsMounted(t *testing.T) {
	t.Parallel()
	w, in := takingIn(t)
	var got []string
	in.tus = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body := readAll(t, r.Body)
		got = append(got, r.Method+" "+r.URL.Path)
		if len(body) > 0 && len(body) != 1<<20 {
			t.Errorf("%d bytes", len(body))
		}
		rw.Header().Set("Tus-Resumable", "1.0.0")
		rw.WriteHeader(http.StatusNoContent)
	})
	for _, ask := range []string{"OPTIONS /uploads/", "POST /uploads/", "HEAD /uploads/abc", "PATCH /uploads/abc", "PATCH /uploads/abc/def"} {
		method, path, _ := strings.Cut(ask, " ")
		body := ""
		if method == "PATCH" || method == "POST" {
			body = strings.Repeat("x", 1<<20)
		}
		if rec := w.call(method, path, body, w.speaker()); rec.Code != 204 || rec.Header().Get("Tus-Resumable") == "" {
			t.Errorf("%s: %d %s", ask, rec.Code, rec.Body)
		}
		if method != "OPTIONS" {
			wantStatus := w.call(method, path, body, "Authorization: Bearer "+w.mint("link", "event")).Code
			if wantStatus != 403 {
				t.Errorf("%s by an attendee: %d", ask, wantStatus)
			}
		}
	}
	if want := "OPTIONS /,POST /,HEAD /abc,PATCH /abc,PATCH /abc/def"; strings.Join(got, ",") != want {
		t.Errorf("%v", got)
	}
	wantProblem(t, w.call("PUT", "/uploads/abc", "x", w.desk()), 405, "method-not-allowed", noStore)
	wantProblem(t, w.call("GET", "/uploads/abc", "", w.desk()), 405, "method-not-allowed", noStore)
}

// tusFault is an error as storage/uploads makes them.
type tusFault struct {
	status int
	code   string
}

func (f *tusFault) Error() string       { return f.code }
func (f *tusFault) HTTPStatus() int     { return f.status }
func (f *tusFault) ProblemCode() string { return f.code }

func TestUploadProblems(t *testing.T) {
	t.Parallel()
	w, _ := takingIn(t)
	for code, words := range uploadWords {
		for i, word := range words {
			if word == "" {
				t.Errorf("%s: no text %d", code, i)
			}
		}
	}
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{&tusFault{423, "upload-locked"}, 423, "upload-locked"},
		{&tusFault{460, "upload-checksum"}, 460, "upload-checksum"},
		{&tusFault{415, "upload-strange"}, 415, "upload-strange"},
		{errTermsMissing, 403, "terms-not-accepted"},
		{token.ErrExpired, 401, "token-expired"},
		{http.ErrBodyNotAllowed, 500, "internal"},
	} {
		rec := httptest.NewRecorder()
		w.server.UploadProblem(rec, httptest.NewRequest("PATCH", "/x", nil), tt.err)
		wantProblem(t, rec, tt.status, tt.code, noStore)
	}
}
