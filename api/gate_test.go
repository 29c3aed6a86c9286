package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/api/token"
)

func later(c *token.Claims)        { c.Expires = noon.Add(-time.Second) }
func staff(c *token.Claims)        { c.Staff = true }
func anotherEvent(c *token.Claims) { c.Event = "other" }

// TestR210_R239_GateTable is every route under /p/ against every kind of token.
func TestR210_R239_GateTable(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tokens := map[string]string{
		"none":    "",
		"junk":    "junk",
		"forged":  strings.Replace(w.mint("playback", "event"), "e", "f", 1),
		"expired": w.mint("playback", "event", later),
		"link":    w.mint("link", "event"),
		"event":   w.mint("playback", "event"),
		"main":    w.mint("playback", "aud:main"),
		"side":    w.mint("playback", "aud:side"),
		"t0":      w.mint("playback", "talk:t0"),
		"t1":      w.mint("playback", "talk:t1"),
		"nothing": w.mint("playback", ""),
		"other":   w.mint("playback", "event", anotherEvent),
		"staff":   w.mint("playback", "", staff),
	}
	const private = "no-store"
	type want struct {
		status int
		code   string
	}
	everywhere := map[string]want{
		"none": {401, "token-missing"}, "junk": {401, "token-invalid"}, "forged": {401, "token-invalid"},
		"expired": {401, "token-expired"}, "link": {401, "token-invalid"},
	}
	ok, scope, missing, notYet, gone := want{200, ""}, want{403, "wrong-scope"}, want{404, "not-found"}, want{404, "not-yet"}, want{410, "gone"}
	row := func(event, main, side, t0, t1, nothing, other, staff want) map[string]want {
		return map[string]want{"event": event, "main": main, "side": side, "t0": t0, "t1": t1, "nothing": nothing, "other": other, "staff": staff}
	}
	rows := map[string]map[string]want{
		"live/main/fr/multivariant.m3u8":       row(ok, ok, scope, scope, scope, scope, missing, ok),
		"live/main/fr/v720.m3u8":               row(ok, ok, scope, scope, scope, scope, missing, ok),
		"live/side/en/v720.m3u8":               row(ok, scope, ok, scope, scope, scope, missing, ok),
		"live/none/fr/v720.m3u8":               row(missing, scope, scope, scope, scope, scope, missing, missing),
		"live/main/de/v720.m3u8":               row(missing, missing, scope, scope, scope, scope, missing, missing),
		"live/main/fr/v999.m3u8":               row(missing, missing, scope, scope, scope, scope, missing, missing),
		"startover/t1/fr/v720.m3u8":            row(ok, ok, scope, scope, ok, scope, missing, ok),
		"startover/t2/fr/v720.m3u8":            row(notYet, scope, notYet, scope, scope, scope, missing, notYet),
		"replay/t0/fr/multivariant.m3u8":       row(ok, ok, scope, ok, scope, scope, missing, ok),
		"replay/t0/fr/v720.m3u8":               row(ok, ok, scope, ok, scope, scope, missing, ok),
		"replay/t1/fr/v720.m3u8":               row(notYet, notYet, scope, scope, notYet, scope, missing, notYet),
		"replay/told/fr/v720.m3u8":             row(gone, gone, scope, scope, scope, scope, missing, gone),
		"replay/none/fr/v720.m3u8":             row(missing, scope, scope, scope, scope, scope, missing, missing),
		"s/" + mediaID + "/v720/init-x.mp4":    row(ok, ok, missing, missing, ok, missing, missing, ok),
		"s/" + mediaID + "/v720/0-x.m4s":       row(ok, ok, missing, missing, ok, missing, missing, ok),
		"s/" + mediaID + "/s-fr/0-x.vtt":       row(ok, ok, missing, missing, ok, missing, missing, ok),
		"s/" + mediaID + "/poster.jpg":         row(ok, ok, missing, ok, ok, missing, missing, ok),
		"s/" + mediaID + "/v720/9-x.m4s":       row(missing, missing, missing, missing, missing, missing, missing, missing),
		"s/" + lateID + "/v720/0-x.m4s":        row(notYet, notYet, missing, missing, notYet, missing, missing, ok),
		"s/" + oldID + "/v720/0-x.m4s":         row(gone, gone, missing, missing, gone, missing, missing, gone),
		"s/none/v720/0-x.m4s":                  row(missing, missing, missing, missing, missing, missing, missing, missing),
		"":                                     row(missing, missing, missing, missing, missing, missing, missing, missing),
		"live":                                 row(missing, missing, missing, missing, missing, missing, missing, missing),
		"live/main/fr/v720.mpd":                row(missing, missing, missing, missing, missing, missing, missing, missing),
		"live/main/fr/x/v720.m3u8":             row(missing, missing, missing, missing, missing, missing, missing, missing),
		"s/" + mediaID:                         row(missing, missing, missing, missing, missing, missing, missing, missing),
		"../../" + "s/x":                       row(missing, missing, missing, missing, missing, missing, missing, missing),
		"vod/t0/fr/v720.m3u8":                  row(missing, missing, missing, missing, missing, missing, missing, missing),
		"s/" + mediaID + "/v720/../0-x.m4s":    row(missing, missing, missing, missing, missing, missing, missing, missing),
		"s/" + mediaID + "/v720/0-x.m4s/extra": row(missing, missing, missing, missing, missing, missing, missing, missing),
	}
	for route, byToken := range rows {
		for _, m := range []map[string]want{everywhere, byToken} {
			for name, want := range m {
				for _, method := range []string{"GET", "HEAD"} {
					target := "/p/" + tokens[name] + "/" + route
					rec := w.do(method, target)
					if method == "HEAD" {
						if rec.Code != want.status || rec.Body.Len() > 0 {
							t.Errorf("HEAD %s with %s: %d and %d bytes, want %d", route, name, rec.Code, rec.Body.Len(), want.status)
						}
						continue
					}
					if want.status == 200 {
						if rec.Code != 200 {
							t.Errorf("%s with %s: %d %s", route, name, rec.Code, rec.Body)
						}
						continue
					}
					t.Run(route+" with "+name, func(t *testing.T) {
						cache := private
						if want.code == "not-yet" {
							cache = "max-age=1" // R203
						}
						wantProblem(t, rec, want.status, want.code, cache)
					})
				}
			}
		}
	}
	if text := w.log.String(); strings.Contains(text, strings.Split(tokens["event"], ".")[1]) || strings.Contains(text, "level=ERROR") {
		t.Errorf("the log holds a token or an error:\n%.2000s", text)
	}
}

func TestR205_CORSOnEveryAnswer(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tok := w.mint("playback", "event")
	for _, target := range []string{"/p/" + tok + "/live/main/fr/v720.m3u8", "/p/" + tok + "/s/" + mediaID + "/v720/0-x.m4s", "/p/x/live/main/fr/v720.m3u8", "/p/"} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST"} {
			h := w.do(method, target, "Origin: https://conference.example").Header()
			if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Timing-Allow-Origin") != "*" {
				t.Errorf("%s %s: %v", method, target, h)
			}
			for _, name := range []string{"Date", "Age", "Content-Length", "Content-Range", "CMSD-Dynamic"} {
				if !strings.Contains(h.Get("Access-Control-Expose-Headers"), name) {
					t.Errorf("%s %s does not expose %s", method, target, name)
				}
			}
		}
	}
}

func TestR205_R220_Preflight(t *testing.T) {
	t.Parallel()
	w := setup(t)
	rec := w.do("OPTIONS", "/p/x/live/main/fr/v720.m3u8", "Origin: https://a.example", "Access-Control-Request-Method: GET")
	h := rec.Header()
	if rec.Code != 204 || rec.Body.Len() != 0 || h.Get("Access-Control-Max-Age") != "86400" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "HEAD") {
		t.Errorf("%d %v", rec.Code, h)
	}
	for _, name := range []string{"CMCD-Object", "CMCD-Request", "CMCD-Session", "CMCD-Status", "Range"} {
		if !strings.Contains(h.Get("Access-Control-Allow-Headers"), name) {
			t.Errorf("%s is not allowed", name)
		}
	}
}

func TestMethodNotAllowed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "CONNECT", "TRACE", "BREW"} {
		rec := w.do(method, "/p/"+w.mint("playback", "event")+"/live/main/fr/v720.m3u8")
		wantProblem(t, rec, 405, "method-not-allowed", "no-store")
		if rec.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("Allow %q", rec.Header().Get("Allow"))
		}
	}
}

func TestPlaylistHeaders(t *testing.T) {
	t.Parallel()
	w := setup(t)
	p := "/p/" + w.mint("playback", "event")
	live := p + "/live/main/fr/v720.m3u8"
	for target, cache := range map[string]string{
		p + "/live/main/fr/multivariant.m3u8":      "private, no-store",
		p + "/startover/t1/fr/multivariant.m3u8":   "private, no-store",
		p + "/replay/t0/fr/multivariant.m3u8":      "private, no-store",
		live:                                       "public, max-age=1",
		live + "?_HLS_msn=100":                     "public, max-age=24",
		live + "?_HLS_skip=YES":                    "public, max-age=1",
		p + "/startover/t1/fr/v720.m3u8":           "public, max-age=1",
		p + "/replay/t0/fr/v720.m3u8":              "private, max-age=60",
		p + "/replay/t0/fr/v720.m3u8?_HLS_msn=999": "private, max-age=60",
	} {
		t.Run("R203 "+cache, func(t *testing.T) {
			rec := w.do("GET", target)
			h := rec.Header()
			if rec.Code != 200 || h.Get("Cache-Control") != cache {
				t.Errorf("%d, Cache-Control %q, want %q", rec.Code, h.Get("Cache-Control"), cache)
			}
			if h.Get("Content-Type") != "application/vnd.apple.mpegurl" || h.Get("Content-Length") != fmt.Sprint(rec.Body.Len()) || h.Get("Etag") == "" {
				t.Errorf("R004 R201 R111: headers %v", h)
			}
			if h.Get("Vary") != "Accept-Encoding" || h.Get("Last-Modified") != "" || h.Get("Accept-Ranges") != "" {
				t.Errorf("R114 R200: headers %v", h)
			}
		})
	}
}

func TestR200_Gzip(t *testing.T) {
	t.Parallel()
	w := setup(t)
	live := "/p/" + w.mint("playback", "event") + "/live/main/fr/v720.m3u8"
	plain := w.do("GET", live)
	packed := w.do("GET", live, "Accept-Encoding: br;q=1.0, GZIP;q=0.8, *;q=0.1")
	z, err := gzip.NewReader(packed.Body)
	if err != nil || packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" {
		t.Fatalf("%v %v", err, packed.Header())
	}
	if !bytes.Equal(readAll(t, z), plain.Body.Bytes()) {
		t.Error("the compressed playlist is another one")
	}
	if a, b := plain.Header().Get("Etag"), packed.Header().Get("Etag"); a == b || !strings.HasSuffix(b, `-gz"`) {
		t.Errorf("tags %s and %s: two representations, two strong tags", a, b)
	}
	for _, refuse := range []string{"", "identity", "gzip;q=0", "gzip;q=0.000", "br"} {
		if e := w.do("GET", live, "Accept-Encoding: "+refuse).Header().Get("Content-Encoding"); e != "" {
			t.Errorf("Accept-Encoding %q gives %q", refuse, e)
		}
	}
	for _, target := range []string{"/0-x.m4s", "/init-x.mp4"} {
		rec := w.do("GET", strings.Replace(live, "live/main/fr/v720.m3u8", "s/"+mediaID+"/v720"+target, 1), "Accept-Encoding: gzip")
		if rec.Code != 200 || rec.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %v", target, rec.Code, rec.Header())
		}
	}
}

func TestR206_RangeOnAPlaylistGivesAllOfIt(t *testing.T) {
	t.Parallel()
	w := setup(t)
	live := "/p/" + w.mint("playback", "event") + "/live/main/fr/v720.m3u8"
	rec := w.do("GET", live, "Range: bytes=0-9", "Accept-Encoding: gzip")
	if rec.Code != 200 || rec.Header().Get("Content-Range") != "" || rec.Header().Get("Content-Length") != fmt.Sprint(rec.Body.Len()) {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
}

func TestR207_NotModified(t *testing.T) {
	t.Parallel()
	w := setup(t)
	p := "/p/" + w.mint("playback", "event")
	for _, target := range []string{p + "/live/main/fr/v720.m3u8", p + "/s/" + mediaID + "/v720/0-x.m4s", p + "/s/" + mediaID + "/s-fr/0-x.vtt"} {
		for _, encoding := range []string{"identity", "gzip"} {
			first := w.do("GET", target, "Accept-Encoding: "+encoding).Header()
			tag := first.Get("Etag")
			for _, condition := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
				rec := w.do("GET", target, "If-None-Match: "+condition, "Accept-Encoding: "+encoding)
				h := rec.Header()
				if rec.Code != 304 || rec.Body.Len() != 0 || h.Get("Etag") != tag || h.Get("Cache-Control") != first.Get("Cache-Control") || h.Get("Content-Encoding") != "" {
					t.Errorf("%s, If-None-Match %s: %d %v", target, condition, rec.Code, h)
				}
			}
			if rec := w.do("GET", target, `If-None-Match: "other"`); rec.Code != 200 {
				t.Errorf("another tag: %d", rec.Code)
			}
		}
	}
	live := p + "/live/main/fr/v720.m3u8"
	tag := w.do("GET", live).Header().Get("Etag")
	w.clock.add(4 * time.Second)
	if rec := w.do("GET", live, "If-None-Match: "+tag); rec.Code != 200 {
		t.Errorf("after a new segment: %d", rec.Code)
	}
}

func TestR191_BlockingReload(t *testing.T) {
	t.Parallel()
	for _, unknown := range []bool{false, true} { // with and without a journal that knows when
		w := setup(t)
		w.playout.unknown = unknown
		live := "/p/" + w.mint("playback", "event") + "/live/main/fr/v720.m3u8"
		var waits [3]sync.WaitGroup
		got := make([]*httptest.ResponseRecorder, 3)
		got[0] = w.do("GET", live+"?_HLS_msn=100") // listed: answered at once
		for i := 1; i < len(got); i++ {
			waits[i].Go(func() { got[i] = w.do("GET", fmt.Sprint(live, "?_HLS_msn=", 100+i)) })
		}
		w.clock.untilWaiting(2)
		w.clock.add(4 * time.Second)
		waits[1].Wait() // answered, not only woken: it must not see the next step of the clock
		w.clock.add(4 * time.Second)
		waits[2].Wait()
		for i, rec := range got {
			if rec.Code != 200 || rec.Header().Get("Cache-Control") != "public, max-age=24" {
				t.Errorf("msn %d: %d %v", 100+i, rec.Code, rec.Header())
			}
			if want := fmt.Sprint("false", 100+i, " false"); !strings.Contains(rec.Body.String(), want) {
				t.Errorf("msn %d: %.80s, want %s", 100+i, rec.Body, want)
			}
		}
	}
}

func TestR192_Refusals(t *testing.T) {
	t.Parallel()
	w := setup(t)
	p := "/p/" + w.mint("playback", "event")
	for query, code := range map[string]string{
		"_HLS_msn=103":                  "too-far",
		"_HLS_msn=999999999999999":      "too-far",
		"_HLS_part=0":                   "invalid-directive",
		"_HLS_part=0&_HLS_skip=YES":     "invalid-directive",
		"_HLS_msn=":                     "invalid-directive",
		"_HLS_msn":                      "invalid-directive",
		"_HLS_msn=-1":                   "invalid-directive",
		"_HLS_msn=1e2":                  "invalid-directive",
		"_HLS_msn=%31":                  "invalid-directive",
		"_HLS_msn=99999999999999999999": "invalid-directive",
		"_HLS_msn=100&_HLS_msn=100":     "invalid-directive",
		"_HLS_msn=100&_HLS_part=x":      "invalid-directive",
		"_HLS_skip=NO":                  "invalid-directive",
		"_HLS_skip=YES&_HLS_skip=YES":   "invalid-directive",
		"x=1&_HLS_skip=yes":             "invalid-directive",
	} {
		t.Run(query, func(t *testing.T) {
			rec := w.do("GET", p+"/live/main/fr/v720.m3u8?"+query)
			wantProblem(t, rec, 400, code, "no-store")
		})
	}
	for _, query := range []string{
		"_HLS_msn=100&_HLS_part=3", "CMCD=bs%2Csid%3D%22x%22&_HLS_msn=100", "_HLS_msn=0", "_HLS_skip=v2&_HLS_msn=100", "_HLS_other=1", "_HLS_msnx=1", "%zz&&=", "msn=5",
	} {
		if rec := w.do("GET", p+"/live/main/fr/v720.m3u8?"+query); rec.Code != 200 {
			t.Errorf("%s: %d %s", query, rec.Code, rec.Body)
		}
	}
}

func TestR191_IgnoredOnceEnded(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.playout.ended = true
	for _, view := range []string{"live/main", "startover/t1", "replay/t0"} {
		if rec := w.do("GET", "/p/"+w.mint("playback", "event")+"/"+view+"/fr/v720.m3u8?_HLS_msn=4000"); rec.Code != 200 {
			t.Errorf("%s: %d", view, rec.Code)
		}
	}
}

func TestR192_503AfterThreeTargetDurations(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.playout.stalled = true
	done := make(chan *httptest.ResponseRecorder)
	go func() {
		done <- w.do("GET", "/p/"+w.mint("playback", "event")+"/live/main/fr/v720.m3u8?_HLS_msn=101")
	}()
	for range 12 {
		w.clock.untilWaiting(1)
		select {
		case rec := <-done:
			t.Fatalf("%d at %v, too early", rec.Code, w.clock.now())
		default:
		}
		w.clock.add(time.Second)
	}
	rec := <-drive(w, done)
	wantProblem(t, rec, 503, "reload-timeout", "no-store")
	if rec.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// drive moves the clock in small steps until done delivers.
func drive(w *world, done chan *httptest.ResponseRecorder) chan *httptest.ResponseRecorder {
	out := make(chan *httptest.ResponseRecorder, 1)
	for {
		select {
		case rec := <-done:
			out <- rec
			return out
		default:
			w.clock.add(10 * time.Millisecond)
		}
	}
}

func TestR190_Delta(t *testing.T) {
	t.Parallel()
	w := setup(t)
	live := "/p/" + w.mint("playback", "event") + "/live/main/fr/v720.m3u8"
	whole, delta := w.do("GET", live), w.do("GET", live+"?_HLS_skip=YES")
	if bytes.Equal(whole.Body.Bytes(), delta.Body.Bytes()) || whole.Header().Get("Etag") == delta.Header().Get("Etag") {
		t.Error("R190: _HLS_skip changes nothing")
	}
}

func TestR220_CMCDIsIgnoredAndCounted(t *testing.T) {
	t.Parallel()
	w := setup(t)
	p := "/p/" + w.mint("playback", "event")
	plain := w.do("GET", p+"/live/main/fr/v720.m3u8")
	for _, query := range []string{`CMCD=bl%3D4400%2Cbs%2Csid%3D%22a%22`, `CMCD=bs,sid="a"`} {
		rec := w.do("GET", p+"/live/main/fr/v720.m3u8?"+strings.ReplaceAll(query, `"`, "%22"))
		if rec.Code != 200 || !bytes.Equal(rec.Body.Bytes(), plain.Body.Bytes()) || rec.Header().Get("Etag") != plain.Header().Get("Etag") {
			t.Errorf("%s: %d", query, rec.Code)
		}
	}
	w.do("GET", p+"/s/"+mediaID+"/v720/0-x.m4s", `CMCD-Status: bs`)
	w.do("GET", p+"/s/"+mediaID+"/v720/0-x.m4s", `CMCD-Session: sid="bs"`)
	if n := metric(t, w, "reprise_player_starved_total"); n != "3" {
		t.Errorf("%s players starved, want 3", n)
	}
}

func TestProblemsSpeakBothLanguages(t *testing.T) {
	t.Parallel()
	w := setup(t)
	target := "/p/" + w.mint("playback", "event") + "/replay/told/fr/v720.m3u8"
	for header, want := range map[string]string{
		"":                          "The replay has been unavailable since 23 February 2027, 23:00 (UTC).",
		"en-GB,en;q=0.9,fr;q=0.8":   "The replay has been unavailable since 23 February 2027, 23:00 (UTC).",
		"de, fr-CH;q=0.7, en;q=0.5": "La rediffusion n’est plus proposée depuis le 23\u00a0février\u00a02027 à 23\u00a0h\u00a000 (UTC).",
		"fr":                        "La rediffusion n’est plus proposée depuis le 23\u00a0février\u00a02027 à 23\u00a0h\u00a000 (UTC).",
		"fr;q=x, ,;;,en;q=nan":      "The replay has been unavailable since 23 February 2027, 23:00 (UTC).",
	} {
		p := wantProblem(t, w.do("GET", target, "Accept-Language: "+header), 410, "gone", "no-store")
		if p.Detail != want || p.Until == nil || !p.Until.Equal(w.playout.gone.Until) {
			t.Errorf("%q: %q until %v, want %q", header, p.Detail, p.Until, want)
		}
	}
	for _, a := range append(answers, internal) {
		for l, text := range append(a.title[:], a.detail[:]...) {
			if text == "" {
				t.Errorf("%s has no text %d", a.code, l)
			}
			if l%2 == french && strings.ContainsAny(text, "'") || strings.Contains(text, " :") || strings.Contains(text, "« ") {
				t.Errorf("%s: typography of %q", a.code, text)
			}
		}
	}
}

func TestUnknownErrorsAre500AndLogged(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.playout.fail = errors.New("secret driver text /p/eyJhbGciOi.x.y/live")
	tok := w.mint("playback", "event")
	rec := w.do("GET", "/p/"+tok+"/live/main/fr/v720.m3u8")
	body := rec.Body.String()
	p := wantProblem(t, rec, 500, "internal", "no-store")
	if strings.Contains(body, "secret") {
		t.Errorf("the cause leaks: %s", body)
	}
	text := w.log.String()
	if !strings.Contains(text, p.Instance) || !strings.Contains(text, "secret driver text") || strings.Contains(text, "eyJ") {
		t.Errorf("log:\n%s", text)
	}
	// A listed file that the store has lost is a fault of ours, not a 404.
	rec = w.do("GET", "/p/"+tok+"/s/"+sickID+"/v720/0-x.m4s")
	wantProblem(t, rec, 500, "internal", "no-store")
}
