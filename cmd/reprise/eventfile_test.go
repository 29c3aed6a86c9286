package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/event"
)

func scratch(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// congress is an event that uses everything a file can say.
func congress() event.Event {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			panic(err)
		}
		return v
	}
	both := func(fr, en string) event.Text { return event.Text{"fr": fr, "en": en} }
	return event.Event{
		ID: "congress", Title: both("Congrès : « l’automne »", "Congress: \"autumn\""), Languages: []event.Language{"fr", "en"},
		Zone: "Europe/Paris", ReplayUntil: at("2027-01-31T23:00:00Z"),
		Auditoriums: []event.Auditorium{
			{ID: "main", Title: both("Grande salle", "Main hall"), Opens: at("2026-10-24T06:30:00Z"), Closes: at("2026-10-25T17:00:00Z")},
			{ID: "studio", Title: both("Studio", "Studio"), Opens: at("2026-10-25T00:30:00Z"), Closes: at("2026-10-25T01:30:00Z")},
		},
		Talks: []event.Talk{
			{ID: "t1", Auditorium: "main", Title: both("Ouverture", "Opening"), Abstract: both(strings.Repeat("Un mot. ", 20)+"Fin", "A word"),
				Speakers: []string{"Ada Lovelace", "null"}, Starts: at("2026-10-24T07:00:00Z"), Slot: 45 * time.Minute,
				Films: map[event.Language]string{"fr": "0192", "en": "0192"}, Spoken: "fr"},
			{ID: "t2", Auditorium: "main", Title: both("12:30", "yes"), Abstract: event.Text{}, Starts: at("2026-10-24T08:00:00.25Z"),
				Films: map[event.Language]string{"en": "0193"}, Spoken: "en"},
			{ID: "t3", Auditorium: "main", Title: event.Text{"en": "One"}, Abstract: event.Text{}, Starts: at("2026-10-24T10:00:07Z"), Films: map[event.Language]string{}, Spoken: "fr"},
		},
	}
}

func TestEventFileComesBack(t *testing.T) {
	t.Parallel()
	want := congress()
	written, err := writeEvent(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readEventFile(scratch(t, "event.yaml", written), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	if diff := cmp.Diff(want, got.Event); diff != "" {
		t.Errorf("the event changed on its way (-want +got):\n%s\n%s", diff, written)
	}
	if !strings.Contains(written, "2026-10-25 02:30:00 +02:00") {
		t.Errorf("an hour that comes twice is written without its offset:\n%s", written)
	}
}

func TestEventFileFaultsAllAtOnce(t *testing.T) {
	t.Parallel()
	path := scratch(t, "event.yaml", `event: My Event
title: X
languages: [fr, en, fr, français]
zone: Europe/Parys
auditoriums:
  - id: main
    title: {fr: Salle, de: Saal}
    opens: 2026-10-25 02:30
    closes: 2026-10-24 09:00
  - id: main
    opens: 2026-09-14 08:00
talks:
  - id: t1
    auditorium: hall
    title: T
    starts: 25:00
    slot: soon
    spoken: de
    film: x.mp4
  - id: t1
    auditorium: main
    title: T
    starts: 2026-09-14 09:00
    captions: {fr: x.vtt}
    films: 0192
speakers: [A]
`)
	_, err := readEventFile(path, nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, word := range []string{
		`line 1: event: "My Event" is not an id`,
		"line 3: event: language fr is given twice",
		`line 3: event: "français" is not a language tag`,
		`line 4: event: zone: "Europe/Parys" is not a time zone`,
		`auditorium main: title: no such key "de"`,
		"line 9: auditorium main: it closes",
		"line 10: auditorium main is given twice",
		"line 10: auditorium main: title is missing",
		"line 10: auditorium main: closes is missing",
		`line 13: talk t1: there is no auditorium "hall"`,
		`talk t1: starts: "25:00" is not an hour`,
		`talk t1: slot: "soon" is not a length`,
		`talk t1: spoken: "de" is none of the event's languages`,
		`no such key "film"`,
		"line 20: talk t1 is given twice",
		"captions (fr) can only be given with a film that is a file",
		`no such key "speakers"`,
	} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("not told: %s", word)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestEventFileRefusesNightHours(t *testing.T) {
	t.Parallel()
	path := scratch(t, "event.yaml", `event: e
title: X
languages: [fr]
zone: Europe/Paris
auditoriums:
  - {id: main, title: A, opens: "2026-03-29 02:15", closes: "2026-10-25 02:15"}
`)
	_, err := readEventFile(path, nil)
	for _, word := range []string{"does not exist in Europe/Paris", "did you mean 2026-03-29 03:15?", "comes twice in Europe/Paris", "2026-10-25 02:15 +02:00"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("not told: %s\n%v", word, err)
		}
	}
}

func TestTalksFromCSV(t *testing.T) {
	t.Parallel()
	base := congress()
	path := scratch(t, "talks.csv", "\ufeffid;auditorium;starts;slot;speakers;title_fr;title_en;film;captions_fr\r\n"+
		"a;main;2026-10-24 09:00;30;Ada Lovelace / Alan Turing;Bonjour;Hello;films/a.mp4;films/a.fr.vtt\r\n"+
		"b;studio;2026-10-25 02:30 +01:00;1h;;Bonsoir;;;\r\n")
	got, err := readTalksCSV(path, nil, base)
	if err != nil {
		t.Fatal(err)
	}
	want := []event.Talk{
		{ID: "a", Auditorium: "main", Title: event.Text{"fr": "Bonjour", "en": "Hello"}, Abstract: event.Text{}, Speakers: []string{"Ada Lovelace", "Alan Turing"},
			Starts: time.Date(2026, 10, 24, 7, 0, 0, 0, time.UTC), Slot: 30 * time.Minute, Films: map[event.Language]string{"fr": "films/a.mp4", "en": "films/a.mp4"}, Spoken: "fr"},
		{ID: "b", Auditorium: "studio", Title: event.Text{"fr": "Bonsoir"}, Abstract: event.Text{}, Starts: time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC),
			Slot: time.Hour, Films: map[event.Language]string{}, Spoken: "fr"},
	}
	if diff := cmp.Diff(want, got.Event.Talks); diff != "" {
		t.Error(diff)
	}
	if got.Talks["a"].Captions["fr"] != "films/a.fr.vtt" {
		t.Errorf("captions: %v", got.Talks["a"])
	}
	bad := scratch(t, "bad.csv", "id,auditorium,when,titel\nx,hall,2026-10-25 02:30,Y\n,main,,,,extra\n")
	_, err = readTalksCSV(bad, nil, base)
	for _, word := range []string{`no such column "when"`, `no such column "titel"`, "column starts is missing", `line 2: talk x: there is no auditorium "hall"`, "line 3: id is empty", "column 6 has no name", "title is missing"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("not told: %s", word)
		}
	}
}

func TestTableMustBeUTF8(t *testing.T) {
	t.Parallel()
	base := event.Event{ID: "e", Zone: "Europe/Paris", Languages: []event.Language{"fr"}}
	for content, want := range map[string]string{
		"id;auditorium;starts;title\nx;main;2026-10-25 09:00;Pr\xe9sentation\n": "line 2 is not UTF-8",
		"": "is empty",
	} {
		if _, err := readTalksCSV(scratch(t, "talks.csv", content), nil, base); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

func TestReplaysEndAfterTheEvent(t *testing.T) {
	t.Parallel()
	path := scratch(t, "event.yaml", `event: e
title: E
languages: [fr]
zone: Europe/Paris
replayUntil: 2026-09-14 17:00
auditoriums:
  - {id: main, title: A, opens: 2026-09-14 08:00, closes: 2026-09-14 18:00}
`)
	if _, err := readEventFile(path, nil); err == nil || !strings.Contains(err.Error(), "line 5: event: replayUntil (2026-09-14 17:00) is before auditorium main closes (2026-09-14 18:00)") {
		t.Error(err)
	}
}

func TestDoorsDoNotStayOpenForEver(t *testing.T) {
	t.Parallel()
	path := scratch(t, "event.yaml", `event: e
title: E
languages: [fr]
zone: Europe/Paris
auditoriums:
  - {id: main, title: A, opens: 2026-09-14 08:00, closes: 9999-12-31 18:00}
`)
	if _, err := readEventFile(path, nil); err == nil || !strings.Contains(err.Error(), "line 6: auditorium main") || !strings.Contains(err.Error(), "more than 400 days") {
		t.Error(err)
	}
}

func TestOneFileIsOneEvent(t *testing.T) {
	t.Parallel()
	path := scratch(t, "event.yaml", "event: e\ntitle: E\nlanguages: [fr]\nzone: UTC\n---\nevent: f\n")
	if _, err := readEventFile(path, nil); err == nil || !strings.Contains(err.Error(), "more than one document") {
		t.Error(err)
	}
}
