package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/stream"
)

func TestHelpOfEveryVerb(t *testing.T) {
	t.Parallel()
	k, err := parser(&commandLine{}, program{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range completionPlaces(k.Model.Node) {
		args := append(strings.Fields(place.path), "--help")
		code, stdout, stderr := cli(t, systemClock{}, args...)
		if code != exitDone || !strings.Contains(stdout, "Usage: reprise"+place.path) {
			t.Errorf("%v: exit %d\n%s%s", args, code, stdout, stderr)
		}
		for line := range strings.SplitSeq(stdout, "\n") {
			if len([]rune(line)) > 130 {
				t.Errorf("%v: a line of %d signs: %s", args, len([]rune(line)), line)
			}
		}
	}
	if code, stdout, _ := cli(t, systemClock{}); code != exitDone || !strings.Contains(stdout, "serve") {
		t.Errorf("without arguments: exit %d, %s", code, stdout)
	}
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	t.Parallel()
	for args, word := range map[string]string{
		"server":                              "unexpected argument server, did you mean \"serve\"?",
		"serve --lisen :1":                    "unknown flag --lisen",
		"import":                              "expected \"<file> ...\"",
		"--set http.lisen=:1 serve":           "did you mean http.listen?",
		"serve --listen nowhere":              "is not host:port",
		"token playback demo --data /nowhere": "say what to play",
		"schedule show x --data /nowhere/x":   "there is no Reprise data in /nowhere/x",
		"demo --on-air-in=-3s":                "must be positive",
		"verify x --nodes 0":                  "from 1 to 16",
		"--config /nowhere.yaml config show":  "there is no such file",
	} {
		code, _, stderr := cli(t, systemClock{}, strings.Fields(args)...)
		if code == exitDone || !strings.Contains(stderr, word) {
			t.Errorf("reprise %s: exit %d, %q does not say %q", args, code, stderr, word)
		}
	}
}

func TestConfigVerbs(t *testing.T) {
	t.Parallel()
	if got := good(t, systemClock{}, "config", "check"); got != "ok\n" {
		t.Errorf("check: %q", got)
	}
	path := scratch(t, "r.yaml", good(t, systemClock{}, "config", "default"))
	if got := good(t, systemClock{}, "--config", path, "--set", "log.level=debug", "config", "show"); !strings.Contains(got, `level: "debug"`) {
		t.Errorf("show: %s", got)
	}
	code, _, stderr := cli(t, systemClock{}, "--set", "a.b=1", "--set", "http.listen=x", "config", "check")
	if code != exitFault || !strings.Contains(stderr, "a.b: no such key") || !strings.Contains(stderr, "http.listen") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestVersionAndOpenAPI(t *testing.T) {
	t.Parallel()
	if got := good(t, systemClock{}, "version"); !strings.HasPrefix(got, "reprise ") {
		t.Errorf("version: %q", got)
	}
	var v versionInfo
	if err := json.Unmarshal([]byte(good(t, systemClock{}, "version", "--json")), &v); err != nil || v.Go == "" {
		t.Errorf("version --json: %+v, %v", v, err)
	}
	want, err := os.ReadFile(filepath.Join("..", "..", "api", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got := good(t, systemClock{}, "openapi"); got != string(want) {
		t.Error("api/openapi.json is not what 'reprise openapi' prints: run reprise openapi > api/openapi.json")
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	script := scratch(t, "reprise.bash", good(t, systemClock{}, "completion", "bash"))
	complete := func(words ...string) string {
		cmd := exec.Command("bash", "-c", `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _reprise; printf '%s ' "${COMPREPLY[@]}"`,
			"bash", script)
		cmd.Args = append(cmd.Args, words...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for _, c := range []struct{ words, want string }{
		{"reprise ser", "serve"},
		{"reprise schedule ", "show set check example --help --config --data --set"},
		{"reprise --data x schedule se", "set"},
		{"reprise completion z", "zsh"},
		{"reprise token playback --view re", "replay"},
		{"reprise demo --on", "--on-air-in"},
	} {
		words := strings.Split(c.words, " ")
		if got := complete(words...); got != c.want {
			t.Errorf("%q completes to %q, not %q", c.words, got, c.want)
		}
	}
	for _, shell := range []string{"zsh", "fish"} {
		got := good(t, systemClock{}, "completion", shell)
		for _, word := range []string{"serve", "on-air-in", "schedule"} {
			if !strings.Contains(got, word) {
				t.Errorf("%s completion does not know %s", shell, word)
			}
		}
		if path, err := exec.LookPath(shell); err == nil {
			if out, err := exec.Command(path, "-n", scratch(t, "c", got)).CombinedOutput(); err != nil {
				t.Errorf("%s does not read its script: %s", shell, out)
			}
		}
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	data, asset := withFilm(t)
	text := scratch(t, "talk.mp4", "this is no film")
	folder := t.TempDir()
	code, stdout, stderr := cli(t, systemClock{}, "import", "--json", "--data", data, filepath.Join(film.dir, "film.mp4"), text, "/nowhere/x.mp4", folder)
	if code != exitFault {
		t.Errorf("exit %d, though three files cannot be used\n%s", code, stderr)
	}
	var got []imported
	decoder := json.NewDecoder(strings.NewReader(stdout))
	for decoder.More() {
		var one imported
		if err := decoder.Decode(&one); err != nil {
			t.Fatal(err)
		}
		got = append(got, one)
	}
	if len(got) != 4 || strings.Count(stdout, "\n") != 4 {
		t.Fatalf("not one object a line and file:\n%s", stdout)
	}
	if got[0].Verdict == "refused" || string(got[0].Asset) != asset || got[0].Seconds < filmSeconds || got[0].Seconds > filmSeconds+1 {
		t.Errorf("a film that is in the library already: %+v", got[0])
	}
	for i, code := range map[int]string{2: "file-missing", 3: "not-a-file"} {
		if got[i].Verdict != "refused" || len(got[i].Findings) != 1 || got[i].Findings[0].Code != code {
			t.Errorf("%s: %+v", got[i].File, got[i])
		}
	}
	if got[1].Verdict != "refused" || len(got[1].Findings) == 0 || got[1].Findings[0].FR == "" || got[1].Findings[0].EN == "" {
		t.Errorf("a text: %+v", got[1])
	}
	if code, stdout, _ := cli(t, systemClock{}, "import", "--data", data, filepath.Join(film.dir, "film.mp4")); code != exitDone || !strings.Contains(stdout, asset) {
		t.Errorf("exit %d: %s", code, stdout)
	}
}

func TestScheduleVerbs(t *testing.T) {
	t.Parallel()
	data, asset := withFilm(t)
	before := stoppedClock(noon().Add(-time.Hour))
	file := scratch(t, "event.yaml", eventYAML(asset))
	if got := good(t, before, "schedule", "check", "--data", data, file); !strings.HasPrefix(got, "ok: event test, 1 auditorium(s), 1 talk(s)") {
		t.Errorf("check: %s", got)
	}
	if code, _, stderr := cli(t, before, "schedule", "show", "test", "--data", data); code != exitFault || !strings.Contains(stderr, "no event") {
		t.Errorf("check has stored the event: %s", stderr)
	}
	good(t, before, "schedule", "set", "--data", data, file)
	shown := good(t, before, "schedule", "show", "test", "--data", data)
	again := good(t, before, "schedule", "set", "--data", data, scratch(t, "again.yaml", shown))
	if !strings.HasPrefix(again, "stored: event test") {
		t.Errorf("set: %s", again)
	}
	if got := good(t, before, "schedule", "show", "test", "--data", data); got != shown {
		t.Errorf("show, set, show changes the event:\n%s\n%s", shown, got)
	}
	if got := good(t, before, "schedule", "show", "--data", data); !strings.Contains(got, "test   2026-09-14 11:58") {
		t.Errorf("list: %s", got)
	}
	// Films that came in by other ways stay, unless the file says that there are none.
	films := regexp.MustCompile(`, films: \{[^}]*\}`)
	later := films.ReplaceAllString(strings.ReplaceAll(eventYAML(asset), "2026-09-14 12:00", "2026-09-14 12:01"), "")
	good(t, before, "schedule", "set", "--data", data, scratch(t, "later.yaml", later))
	if got := good(t, before, "schedule", "show", "test", "--data", data); !strings.Contains(got, asset) || !strings.Contains(got, "2026-09-14 12:01") {
		t.Errorf("a file that does not mention films: %s", got)
	}
	good(t, before, "schedule", "set", "--data", data, scratch(t, "none.yaml", films.ReplaceAllString(eventYAML(asset), ", films: {}")))
	if got := good(t, before, "schedule", "show", "test", "--data", data); strings.Contains(got, asset) {
		t.Errorf("films: {} keeps them: %s", got)
	}
	table := scratch(t, "talks.csv", "id,auditorium,starts,slot,title_fr,title_en,film\na,main,2026-09-14 12:00,10s,A,A,"+asset+"\nb,main,2026-09-14 12:00:05,,B,,"+asset+"\n")
	_, stdout, stderr := cli(t, before, "schedule", "set", "--data", data, "--event", "test", table)
	for _, word := range []string{"a (fr) lasts 13s, its slot is 10s: too long by 3s", "talk b (2026-09-14 12:00:05) overlaps talk a", "talk b has no title in en"} {
		if !strings.Contains(stderr, word) {
			t.Errorf("not told: %s\n%s%s", word, stdout, stderr)
		}
	}
	code, _, stderr := cli(t, before, "schedule", "set", "--data", data, scratch(t, "bad.yaml", strings.ReplaceAll(eventYAML("./none.mp4"), "en: ./none.mp4", "en: 0000")))
	for _, word := range []string{"line 8: talk noon: film ./none.mp4: There is no file of this name.", "the library has no asset 0000"} {
		if code != exitFault || !strings.Contains(stderr, word) {
			t.Errorf("exit %d, not told: %s\n%s", code, word, stderr)
		}
	}
}

func TestScheduleExampleIsRight(t *testing.T) {
	t.Parallel()
	now := stoppedClock(noon())
	path := scratch(t, "event.yaml", good(t, now, "schedule", "example"))
	file, err := readEventFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if file.Event.Auditoriums[0].Opens.Before(noon()) || len(file.Event.Talks) != 2 {
		t.Errorf("%+v", file.Event)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	data := scheduled(t)
	now := stoppedClock(noon())
	h, err := openHouse(t.Context(), testConfig(data), silent(), now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.close() }()
	for _, c := range []struct {
		args, begins string
		staff        bool
		kind, scope  string
	}{
		{"token link test", "http://127.0.0.1:8080/fr/#k=", false, token.Link, token.WholeEvent},
		{"token link test --talk noon --language en --base https://v.example.org", "https://v.example.org/en/t/noon#k=", false, token.Link, "talk:noon"},
		{"token link test -a main --life 2h", "http://127.0.0.1:8080/fr/a/main#k=", false, token.Link, "aud:main"},
		{"token desk test", "http://127.0.0.1:8080/fr/desk#k=", true, token.Link, token.WholeEvent},
		{"token playback test --auditorium main", "http://127.0.0.1:8080/p/", false, token.Playback, "aud:main"},
		{"token playback test --talk noon --view startover", "http://127.0.0.1:8080/p/", false, token.Playback, "talk:noon"},
	} {
		var got struct {
			URL, Token string
			Expires    time.Time
		}
		args := append(strings.Fields(c.args), "--json", "--data", data)
		if err := json.Unmarshal([]byte(good(t, now, args...)), &got); err != nil {
			t.Fatal(err)
		}
		claims, err := h.keys.Verify(got.Token, noon())
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if !strings.HasPrefix(got.URL, c.begins) || claims.Staff != c.staff || claims.Kind != c.kind || len(claims.Scopes) != 1 || claims.Scopes[0] != c.scope || !claims.Expires.Equal(got.Expires) {
			t.Errorf("%s: %+v %+v", c.args, got, claims)
		}
		if strings.Contains(c.args, "--life") != got.Expires.Equal(noon().Add(2*time.Hour)) {
			t.Errorf("%s: expires %s", c.args, got.Expires)
		}
	}
	for args, word := range map[string]string{
		"token link nobody":                       `no event "nobody"`,
		"token link test -t nothing":              `no talk "nothing"`,
		"token link test -L de":                   "--language de",
		"token link test -t noon -a main":         "can't be used together",
		"token playback test -t noon --view live": "--view live goes with --auditorium",
	} {
		code, _, stderr := cli(t, now, append(strings.Fields(args), "--data", data)...)
		if code == exitDone || !strings.Contains(stderr, word) {
			t.Errorf("%s: exit %d, %q does not say %q", args, code, stderr, word)
		}
	}
	good(t, now, "token", "rotate", "--data", data)
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	cfg := testConfig("x")
	for listening, want := range map[string]string{"127.0.0.1:80": "http://127.0.0.1:80", "[::]:8080": "http://localhost:8080", "0.0.0.0:1": "http://localhost:1", ":9": "http://localhost:9"} {
		if got := baseURL(cfg, listening); got != want {
			t.Errorf("%s: %s", listening, got)
		}
	}
	cfg.HTTP.PublicURL = "https://v.example.org/live/"
	if got := baseURL(cfg, ":9"); got != "https://v.example.org/live" {
		t.Error(got)
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	data, _ := withFilm(t)
	quick := newSetClock(noon())
	done := make(chan struct{})
	go func() { // the doctor looks at the clock for a moment
		defer close(done)
		select {
		case <-quick.asked:
			quick.set(noon().Add(300 * time.Millisecond))
		case <-t.Context().Done():
		}
	}()
	_, stdout, stderr := cli(t, quick, "doctor", "--json", "--data", data, "--set", "http.listen=127.0.0.1:0", "--set", "metrics.listen=", "--set", "ingest.ffprobe=no-such-ffprobe")
	<-done
	checks := map[string]health{}
	decoder := json.NewDecoder(strings.NewReader(stdout))
	for decoder.More() {
		var d diagnosis
		if err := decoder.Decode(&d); err != nil {
			t.Fatal(err)
		}
		if d.Health != healthy && d.Advice == "" {
			t.Errorf("%s: %s, and nothing says what to do", d.Check, d.Found)
		}
		if checks[d.Check] != broken {
			checks[d.Check] = d.Health
		}
	}
	if checks["ffmpeg"] != broken || checks["database"] != healthy || checks["storage"] != healthy || checks["port"] != healthy {
		t.Errorf("%v\n%s%s", checks, stdout, stderr)
	}
	if err := os.WriteFile(filepath.Join(data, "reprise.db"), []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := checkDatabase(t.Context(), testConfig(data), program{clock: systemClock{}, stderr: &bytes.Buffer{}}); got[0].Health != broken {
		t.Errorf("a broken database: %+v", got)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	data := scheduled(t)
	before := stoppedClock(noon().Add(-time.Hour))
	out := good(t, before, "verify", "test", "--nodes", "2", "--data", data)
	if !strings.Contains(out, "2 feeds") || !strings.Contains(out, "no fault") {
		t.Errorf("%s", out)
	}
	h, err := openHouse(t.Context(), testConfig(data), silent(), before)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.close() }()
	journal, revision, err := h.rows.Journal(t.Context(), stream.Feed{Event: "test", Auditorium: "main", Language: event.Language("fr")})
	if err != nil || revision != 0 || len(journal.Entries) != 0 {
		t.Errorf("verify has written a journal: revision %d, %v", revision, err)
	}
	if code, _, stderr := cli(t, before, "verify", "nobody", "--data", data); code != exitFault || !strings.Contains(stderr, `no event "nobody"`) {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
