package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/stream"
)

var update = flag.Bool("update", false, "write openapi.json")

func TestOpenAPIIsCommitted(t *testing.T) {
	t.Parallel()
	got, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("api/openapi.json is not what the code says: go test ./api -run OpenAPI -update, and make the types of api/web anew")
	}
	if bytes.Contains(got, []byte("$schema")) || bytes.Contains(got, []byte(`"null"`)) || bytes.Contains(got, []byte("ErrorModel")) {
		t.Error("openapi.json holds $schema, null or huma's own error")
	}
	w := setup(t)
	rec := w.do("GET", "/api/v1/openapi.json")
	if rec.Code != 200 || !bytes.Equal(rec.Body.Bytes(), got) || rec.Header().Get("Content-Type") != "application/json" {
		t.Errorf("served: %d %v", rec.Code, rec.Header())
	}
}

func TestDocsPageHasNoScripts(t *testing.T) {
	t.Parallel()
	w := setup(t)
	rec := w.do("GET", "/api/v1/docs")
	body := rec.Body.String()
	if rec.Code != 200 || !strings.Contains(rec.Header().Get("Content-Security-Policy"), "script-src 'self'") {
		t.Fatalf("%d %v", rec.Code, rec.Header())
	}
	for _, want := range []string{"GET /api/v1/time", "POST /api/v1/playback", "GET /api/v1/programme", "openapi.json"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "http://") || strings.Contains(body, "https://") {
		t.Error("the page loads something from elsewhere")
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	w := setup(t)
	rec := w.do("GET", "/api/v1/time")
	if rec.Code != 200 || rec.Header().Get("Cache-Control") != "no-store" || strings.TrimSpace(rec.Body.String()) != `{"now":"2026-11-23T12:00:00Z","unix_ms":1795435200000}` {
		t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
}

func TestOperationsTable(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tokens := map[string]string{
		"none": "", "junk": "Bearer junk", "other scheme": "Basic " + w.mint("link", "event"), "empty": "Bearer ",
		"expired": "Bearer " + w.mint("link", "event", later), "playback": "Bearer " + w.mint("playback", "event"),
		"other": "Bearer " + w.mint("link", "event", anotherEvent), "event": "bearer " + w.mint("link", "event"),
	}
	for name, want := range map[string]struct {
		status int
		code   string
	}{
		"none": {401, "token-missing"}, "junk": {401, "token-invalid"}, "other scheme": {401, "token-missing"}, "empty": {401, "token-missing"},
		"expired": {401, "token-expired"}, "playback": {401, "token-invalid"}, "other": {404, "not-found"}, "event": {200, ""},
	} {
		for route, ask := range map[string]func() *httptest.ResponseRecorder{
			"programme": func() *httptest.ResponseRecorder {
				return w.do("GET", "/api/v1/programme", "Authorization: "+tokens[name])
			},
			"playback": func() *httptest.ResponseRecorder {
				return w.post("/api/v1/playback", `{"auditorium":"main","language":"fr"}`, "Authorization: "+tokens[name])
			},
		} {
			t.Run(route+" "+name, func(t *testing.T) {
				rec := ask()
				if want.status == 200 {
					if rec.Code != 200 || rec.Header().Get("Cache-Control") != "private, no-store" {
						t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
					}
					return
				}
				wantProblem(t, rec, want.status, want.code, "no-store")
				if want.status == 401 && rec.Header().Get("WWW-Authenticate") == "" {
					t.Error("no WWW-Authenticate")
				}
			})
		}
	}
}

func TestProgrammeShape(t *testing.T) {
	t.Parallel()
	w := setup(t)
	rec := w.do("GET", "/api/v1/programme", "Authorization: Bearer "+w.mint("link", "talk:t1"))
	if strings.Contains(rec.Body.String(), "null") || strings.Contains(rec.Body.String(), "0001-01-01") {
		t.Errorf("null or zero time: %s", rec.Body)
	}
	var p Programme
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if p.ID != "conf" || len(p.Talks) != 4 || len(p.Auditoriums) != 2 || p.Talks[1].Airings["fr"].Ends == nil || !p.Talks[1].Shared {
		t.Errorf("%+v", p)
	}
}

// playbackCase is one row of TestPlayback.
type playbackCase struct {
	name, scopes, body string
	status             int
	want               string // view and path after the token, or the problem's code
	state              stream.TalkState
}

func TestPlayback(t *testing.T) {
	t.Parallel()
	for _, tt := range []playbackCase{
		{"auditorium", "aud:main", `{"auditorium":"main","language":"fr"}`, 200, "live /live/main/fr/multivariant.m3u8", "on-air"},
		{"auditorium in English", "event", `{"auditorium":"main","language":"en"}`, 200, "live /live/main/en/multivariant.m3u8", "on-air"},
		{"language the event lacks", "event", `{"auditorium":"main","language":"de"}`, 200, "live /live/main/fr/multivariant.m3u8", "on-air"},
		{"auditorium between talks", "event", `{"auditorium":"side","language":"fr"}`, 200, "live /live/side/fr/multivariant.m3u8", "waiting"},
		{"another auditorium", "aud:main", `{"auditorium":"side","language":"fr"}`, 403, "wrong-scope", ""},
		{"auditorium with a talk's link", "talk:t1", `{"auditorium":"main","language":"fr"}`, 403, "wrong-scope", ""},
		{"unknown auditorium", "event", `{"auditorium":"none","language":"fr"}`, 404, "not-found", ""},
		{"unknown auditorium, narrow link", "aud:main", `{"auditorium":"none","language":"fr"}`, 403, "wrong-scope", ""},
		{"talk on air, auditorium open", "aud:main", `{"talk":"t1","language":"fr"}`, 200, "live /live/main/fr/multivariant.m3u8", "on-air"},
		{"talk on air, its link only", "talk:t1", `{"talk":"t1","language":"fr"}`, 200, "startover /startover/t1/fr/multivariant.m3u8", "on-air"},
		{"talk on air from its beginning", "event", `{"talk":"t1","language":"fr","view":"startover"}`, 200, "startover /startover/t1/fr/multivariant.m3u8", "on-air"},
		{"talk over", "event", `{"talk":"t0","language":"en"}`, 200, "replay /replay/t0/en/multivariant.m3u8", "replay"},
		{"talk over, its link", "talk:t0", `{"talk":"t0","language":"fr"}`, 200, "replay /replay/t0/fr/multivariant.m3u8", "replay"},
		{"replay of a talk on air", "event", `{"talk":"t1","language":"fr","view":"replay"}`, 404, "not-yet", ""},
		{"talk to come, auditorium open", "aud:side", `{"talk":"t2","language":"fr"}`, 200, "live /live/side/fr/multivariant.m3u8", "waiting"},
		{"talk to come, its link", "talk:t2", `{"talk":"t2","language":"fr"}`, 404, "not-yet", ""},
		{"live with a talk's link", "talk:t1", `{"talk":"t1","language":"fr","view":"live"}`, 403, "wrong-scope", ""},
		{"replay over", "event", `{"talk":"told","language":"fr"}`, 410, "gone", ""},
		{"another talk", "talk:t1", `{"talk":"t2","language":"fr"}`, 403, "wrong-scope", ""},
		{"unknown talk", "event", `{"talk":"none","language":"fr"}`, 404, "not-found", ""},
		{"unknown talk, narrow link", "aud:main", `{"talk":"none","language":"fr"}`, 403, "wrong-scope", ""},
		{"neither", "event", `{"language":"fr"}`, 422, "invalid", ""},
		{"both", "event", `{"talk":"t1","auditorium":"main","language":"fr"}`, 422, "invalid", ""},
		{"view of an auditorium", "event", `{"auditorium":"main","language":"fr","view":"replay"}`, 422, "invalid", ""},
		{"no language", "event", `{"talk":"t1"}`, 422, "invalid", ""},
		{"unknown view", "event", `{"talk":"t1","language":"fr","view":"x"}`, 422, "invalid", ""},
		{"unknown field", "event", `{"talk":"t1","language":"fr","x":1}`, 422, "invalid", ""},
		{"odd id", "event", `{"talk":"T/../1","language":"fr"}`, 422, "invalid", ""},
		{"no JSON", "event", `{`, 400, "malformed", ""},
		{"no body", "event", ``, 400, "malformed", ""},
		{"a list", "event", `[]`, 422, "invalid", ""},
		{"too long", "event", `{"talk":"t1","language":"` + strings.Repeat("x", maxBody) + `"}`, 413, "too-large", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			rec := w.post("/api/v1/playback", tt.body, "Authorization: Bearer "+w.mint("link", tt.scopes))
			if tt.status != 200 {
				p := wantProblem(t, rec, tt.status, tt.want, noStore)
				if tt.name == "talk to come, its link" && (p.OpensAt == nil || !p.OpensAt.Equal(noon.Add(time.Hour))) {
					t.Errorf("opens_at %v", p.OpensAt)
				}
				return
			}
			w.checkPlayback(t, &tt, rec)
		})
	}
}

func (w *world) checkPlayback(t *testing.T, tt *playbackCase, rec *httptest.ResponseRecorder) {
	t.Helper()
	if rec.Code != 200 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	var p Playback
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	q, ok := parse(p.URL)
	if got := string(p.View) + " " + strings.TrimPrefix(p.URL, prefix+q.token); !ok || got != tt.want || p.State != tt.state || p.Starts == nil || p.Ends == nil {
		t.Errorf("%s, state %s; want %s, %s", got, p.State, tt.want, tt.state)
	}
	if !strings.HasSuffix(p.URL, "/"+string(p.Language)+"/multivariant.m3u8") {
		t.Errorf("language %s of %s", p.Language, p.URL)
	}
	if rec := w.do("GET", p.URL); rec.Code != 200 {
		t.Errorf("the playlist: %d %s", rec.Code, rec.Body)
	}
	if p.Poster != "" {
		if rec := w.do("GET", p.Poster); rec.Code != 200 {
			t.Errorf("the poster: %d %s", rec.Code, rec.Body)
		}
	}
	c, err := w.ring.Verify(q.token, w.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind != token.Playback || len(c.Scopes) != 1 || c.Scopes[0] == token.WholeEvent || c.Lease == "" || c.Subject != "r1" || !c.Expires.Equal(p.Expires) {
		t.Errorf("claims %+v", c)
	}
	if !p.RenewAfter.After(noon) || !p.RenewAfter.Before(p.Expires) {
		t.Errorf("renew after %v, expires %v", p.RenewAfter, p.Expires)
	}
}

func TestPlaybackExpiry(t *testing.T) {
	t.Parallel()
	far := func(c *token.Claims) { c.Expires = noon.Add(9999 * time.Hour) }
	eventEnd := noon.Add(6 * time.Hour) // side closes
	for _, tt := range []struct {
		name  string
		life  time.Duration
		after time.Duration // noon + after is now
		talk  string
		link  func(*token.Claims)
		want  time.Time
	}{
		{"a day after the event", 0, 0, "t1", far, eventEnd.Add(24 * time.Hour)},
		{"a set life", time.Hour, 0, "t1", far, noon.Add(time.Hour)},
		{"never after the link", 0, 0, "t1", func(c *token.Claims) { c.Expires = noon.Add(time.Minute) }, noon.Add(time.Minute)},
		{"a day at least", 0, 100 * time.Hour, "t0", far, noon.Add(124 * time.Hour)},
		{"never after the replays", 0, 90*24*time.Hour - time.Hour, "t0", far, noon.Add(90*24*time.Hour + time.Second)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, func(c *Config, _ *Deps) { c.PlaybackLife = tt.life })
			w.clock.add(tt.after)
			rec := w.post("/api/v1/playback", `{"talk":"`+tt.talk+`","language":"fr"}`, "Authorization: Bearer "+w.mint("link", "event", tt.link))
			var p Playback
			if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || !p.Expires.Equal(tt.want) {
				t.Errorf("%s: expires %v, want %v", rec.Body, p.Expires, tt.want)
			}
		})
	}
}

func TestStaffLinkMintsStaffTokens(t *testing.T) {
	t.Parallel()
	w := setup(t)
	rec := w.post("/api/v1/playback", `{"auditorium":"main","language":"fr"}`, "Authorization: Bearer "+w.mint("link", "", staff))
	var p Playback
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		t.Fatal(rec.Body, err)
	}
	q, _ := parse(p.URL)
	if c, err := w.ring.Verify(q.token, noon); err != nil || !c.Staff {
		t.Errorf("%+v %v", c, err)
	}
	if rec := w.do("GET", "/p/"+q.token+"/s/"+lateID+"/v720/0-x.m4s"); rec.Code != 200 {
		t.Errorf("R239: rehearsal: %d", rec.Code)
	}
}

func TestProblemsOfTheRouterAndOfHuma(t *testing.T) {
	t.Parallel()
	w := setup(t)
	link := "Authorization: Bearer " + w.mint("link", "event")
	for _, tt := range []struct {
		method, target string
		status         int
		code           string
	}{
		{"GET", "/api/v1/none", 404, "not-found"},
		{"GET", "/api", 404, "not-found"},
		{"GET", "/none.js", 404, "not-found"},
		{"DELETE", "/api/v1/programme", 405, "method-not-allowed"},
		{"GET", "/api/v1/playback", 405, "method-not-allowed"},
		{"PUT", "/", 405, "method-not-allowed"},
		{"POST", "/healthz", 405, "method-not-allowed"},
		{"POST", "/some/page", 405, "method-not-allowed"},
	} {
		t.Run(tt.method+tt.target, func(t *testing.T) {
			rec := w.do(tt.method, tt.target, link, "Accept-Language: fr")
			if p := wantProblem(t, rec, tt.status, tt.code, noStore); tt.status == 404 && p.Title != "Introuvable" {
				t.Errorf("title %q", p.Title)
			}
		})
	}
	rec := w.post("/api/v1/playback", `{"talk":7,"language":"fr"}`, link, "Accept-Language: fr")
	p := wantProblem(t, rec, 422, "invalid", noStore)
	if i := slices.IndexFunc(p.Errors, func(f Fault) bool { return f.Location == "body.talk" }); i < 0 || p.Title != "Demande non valable" {
		t.Errorf("%+v", p)
	}
	rec = w.send(httptest.NewRequest("POST", "/api/v1/playback", strings.NewReader("x=1")), link, "Content-Type: application/x-www-form-urlencoded")
	wantProblem(t, rec, 415, "unsupported-media-type", noStore)
}

func TestOperationFailureIs500AndLogged(t *testing.T) {
	t.Parallel()
	w := setup(t, func(_ *Config, d *Deps) { d.Playout = brokenProgramme{d.Playout} })
	for _, ask := range []func(string) *httptest.ResponseRecorder{
		func(h string) *httptest.ResponseRecorder { return w.do("GET", "/api/v1/programme", h) },
		func(h string) *httptest.ResponseRecorder {
			return w.post("/api/v1/playback", `{"talk":"t1","language":"fr"}`, h)
		},
	} {
		rec := ask("Authorization: Bearer " + w.mint("link", "event"))
		if strings.Contains(rec.Body.String(), "secret") {
			t.Errorf("the cause leaks: %s", rec.Body)
		}
		p := wantProblem(t, rec, 500, "internal", noStore)
		if text := w.log.String(); !strings.Contains(text, p.Instance) || !strings.Contains(text, "secret text") {
			t.Errorf("log:\n%s", text)
		}
	}
}

type brokenProgramme struct{ Playout }

func (brokenProgramme) Programme(ev event.ID, _ time.Time) (stream.Programme, error) {
	return stream.Programme{}, errors.New("secret text")
}

func TestLogHoldsNoTokenAndNoQuery(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tok := w.mint("link", "event")
	w.do("GET", "/api/v1/programme?k="+tok, "Authorization: Bearer "+tok)
	w.do("GET", "/fr/a/main?secretword=1&k="+tok, "Accept: text/html")
	w.do("GET", "/x/"+tok)
	w.do("GET", "//p/"+tok+"/live")
	w.do("GET", "/p/"+tok+"/live/main/fr/v720.m3u8?secretword=1&CMCD=sid%3D%22abc%22")
	text := w.log.String()
	if strings.Contains(text, "secretword") || strings.Contains(text, strings.Split(tok, ".")[2]) {
		t.Errorf("the log holds a token or a query:\n%s", text)
	}
	if strings.Count(text, "msg=request") != 4 || !strings.Contains(text, "path=/p/***/live/main/fr/v720.m3u8") || !strings.Contains(text, "sid") {
		t.Errorf("log:\n%s", text)
	}
}
