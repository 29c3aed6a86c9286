package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"reprise/event"
	"reprise/stream/timeline"
)

// eventFile is an event as its file says it. Films are asset ids, or paths of
// files that are to be imported.
type eventFile struct {
	Event event.Event
	Talks map[event.TalkID]talkLines
	Dir   string // of the file: paths in it are from here
}

// talkLines is what a file says of a talk beside the event's own fields.
type talkLines struct {
	Line     int
	NoFilms  bool                      // the file says that the talk has none, where it says nothing the stored ones stay
	Captions map[event.Language]string // path per language, for films given by path
}

// readEventFile reads an event from YAML. Everything that is wrong is told at
// once, with lines. The file "-" is standard input.
func readEventFile(path string, stdin io.Reader) (eventFile, error) {
	raw, dir, err := readInput(path, stdin)
	if err != nil {
		return eventFile{}, err
	}
	var root, more yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(raw))
	if err := documents.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return eventFile{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := documents.Decode(&more); !errors.Is(err, io.EOF) {
		return eventFile{}, fmt.Errorf("%s holds more than one document (parted by ---); one file is one event", path)
	}
	faults := &fileFaults{file: path}
	file := eventFile{Talks: map[event.TalkID]talkLines{}, Dir: dir}
	if len(root.Content) == 0 {
		return eventFile{}, fmt.Errorf("%s is empty; 'reprise schedule example' prints one to begin with", path)
	}
	file.read(mappingOf(root.Content[0], "event", faults))
	return file, faults.err()
}

// readInput reads a whole file, or stdin for "-", and the folder that paths in it start from.
func readInput(path string, stdin io.Reader) (raw []byte, dir string, err error) {
	if path == "-" {
		raw, err = io.ReadAll(stdin)
		return raw, ".", err
	}
	raw, err = os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", fmt.Errorf("%s: there is no such file", path)
	}
	return raw, filepath.Dir(path), err
}

func (f *eventFile) read(m *mapping) {
	e := &f.Event
	e.ID = event.ID(m.required("event"))
	checkID(m, "event", string(e.ID))
	languages := m.texts("languages")
	if len(languages) == 0 {
		m.faults.add(m.lineOf("languages"), "event: languages is missing: write languages: [fr, en]; the first is the default")
	}
	for _, l := range languages {
		if !regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`).MatchString(l) {
			m.faults.add(m.lineOf("languages"), "event: %q is not a language tag such as fr or en-GB", l)
		}
		if slices.Contains(e.Languages, event.Language(l)) {
			m.faults.add(m.lineOf("languages"), "event: language %s is given twice", l)
		}
		e.Languages = append(e.Languages, event.Language(l))
	}
	e.Title = title(m, languages)
	zone := m.zone(e)
	e.ReplayUntil = m.local("replayUntil", zone)
	f.readAuditoriums(m, languages, zone)
	for _, a := range e.Auditoriums {
		if !e.ReplayUntil.IsZero() && e.ReplayUntil.Before(a.Closes) { // then all is gone, what is on air too
			m.faults.add(m.lineOf("replayUntil"), "event: replayUntil (%s) is before auditorium %s closes (%s)", formatLocal(e.ReplayUntil, zone), a.ID, formatLocal(a.Closes, zone))
		}
	}
	f.readTalks(m, languages, zone)
	m.close()
}

// zone reads the time zone; the system's own ("Local") is not one.
func (m *mapping) zone(e *event.Event) *time.Location {
	e.Zone = m.required("zone")
	zone, err := time.LoadLocation(e.Zone)
	if err != nil || e.Zone == "" || e.Zone == "Local" {
		if e.Zone != "" {
			m.faults.add(m.lineOf("zone"), "event: zone: %q is not a time zone such as Europe/Paris", e.Zone)
		}
		return time.UTC
	}
	return zone
}

// title reads a title: by language, or one text, which is in the default language.
func title(m *mapping, languages []string) event.Text {
	if node := m.fields["title"]; node != nil && node.Kind == yaml.ScalarNode && len(languages) > 0 {
		return event.Text{event.Language(languages[0]): m.required("title")}
	}
	t := asText(m.byLanguage("title", languages))
	if len(t) == 0 {
		m.faults.add(m.lineOf("title"), "%s: title is missing", m.what)
	}
	return t
}

func asText(by map[string]string) event.Text {
	t := event.Text{}
	for l, s := range by {
		t[event.Language(l)] = s
	}
	return t
}

func checkID(m *mapping, field, id string) {
	if id != "" && !regexp.MustCompile(`^[a-z0-9-]{1,64}$`).MatchString(id) {
		m.faults.add(m.lineOf(field), "%s: %q is not an id: small letters a-z, figures and hyphens, at most 64", m.what, id)
	}
}

func (f *eventFile) readAuditoriums(m *mapping, languages []string, zone *time.Location) {
	nodes := m.items("auditoriums")
	if len(nodes) == 0 {
		m.faults.add(m.lineOf("auditoriums"), "event: auditoriums is missing: at least one is needed")
	}
	seen := map[event.AuditoriumID]bool{}
	for i, node := range nodes {
		am := mappingOf(node, fmt.Sprintf("auditorium %d", i+1), m.faults)
		a := event.Auditorium{ID: event.AuditoriumID(am.required("id"))}
		if a.ID != "" {
			am.what = "auditorium " + string(a.ID)
		}
		checkID(am, "id", string(a.ID))
		if seen[a.ID] && a.ID != "" {
			am.faults.add(am.lineOf("id"), "%s is given twice", am.what)
		}
		seen[a.ID] = true
		a.Title = title(am, languages)
		am.required("opens")
		a.Opens = am.local("opens", zone)
		am.required("closes")
		a.Closes = am.local("closes", zone)
		if !a.Opens.IsZero() && !a.Closes.IsZero() && !a.Closes.After(a.Opens) {
			am.faults.add(am.lineOf("closes"), "%s: it closes (%s) before it opens (%s)", am.what, formatLocal(a.Closes, zone), formatLocal(a.Opens, zone))
		}
		if a.Closes.Sub(a.Opens) > timeline.LongestFeed {
			am.faults.add(am.lineOf("closes"), "%s: its doors stay open for more than %d days", am.what, timeline.LongestFeed/(24*time.Hour))
		}
		am.close()
		f.Event.Auditoriums = append(f.Event.Auditoriums, a)
	}
}

func (f *eventFile) readTalks(m *mapping, languages []string, zone *time.Location) {
	for i, node := range m.items("talks") {
		tm := mappingOf(node, fmt.Sprintf("talk %d", i+1), m.faults)
		t := event.Talk{ID: event.TalkID(tm.required("id"))}
		if t.ID != "" {
			tm.what = "talk " + string(t.ID)
		}
		checkID(tm, "id", string(t.ID))
		t.Auditorium = event.AuditoriumID(tm.required("auditorium"))
		t.Title = title(tm, languages)
		t.Abstract = asText(tm.byLanguage("abstract", languages))
		t.Speakers = tm.texts("speakers")
		tm.required("starts")
		t.Starts = tm.local("starts", zone)
		t.Slot = tm.duration("slot")
		t.Spoken = event.Language(tm.text("spoken"))
		named := tm.fields["films"] != nil
		films := tm.byLanguage("films", languages)
		t.Films = map[event.Language]string{}
		for l, film := range films {
			t.Films[event.Language(l)] = film
		}
		captions := map[event.Language]string{}
		for l, path := range tm.byLanguage("captions", languages) {
			captions[event.Language(l)] = path
		}
		tm.close()
		f.addTalk(t, talkLines{Line: tm.line, NoFilms: named && len(films) == 0, Captions: captions}, tm.faults)
	}
}

// addTalk appends a talk after checking it against the event.
func (f *eventFile) addTalk(t event.Talk, lines talkLines, faults *fileFaults) {
	if _, twice := f.Talks[t.ID]; twice && t.ID != "" {
		faults.add(lines.Line, "talk %s is given twice", t.ID)
	}
	if t.Auditorium != "" && !slices.ContainsFunc(f.Event.Auditoriums, func(a event.Auditorium) bool { return a.ID == t.Auditorium }) {
		faults.add(lines.Line, "talk %s: there is no auditorium %q", t.ID, t.Auditorium)
	}
	if t.Spoken == "" && len(f.Event.Languages) > 0 {
		t.Spoken = f.Event.Languages[0]
		if _, ok := t.Films[t.Spoken]; !ok && len(t.Films) == 1 {
			for l := range t.Films {
				t.Spoken = l // a film in one language only is spoken in it
			}
		}
	}
	if !slices.Contains(f.Event.Languages, t.Spoken) && len(f.Event.Languages) > 0 {
		faults.add(lines.Line, "talk %s: spoken: %q is none of the event's languages", t.ID, t.Spoken)
	}
	for l := range lines.Captions {
		if !slices.ContainsFunc(mapValues(t.Films), isPath) {
			faults.add(lines.Line, "talk %s: captions (%s) can only be given with a film that is a file", t.ID, l)
			break
		}
	}
	f.Talks[t.ID] = lines
	f.Event.Talks = append(f.Event.Talks, t)
}

func mapValues(m map[event.Language]string) []string {
	var list []string
	for _, v := range m {
		list = append(list, v)
	}
	slices.Sort(list)
	return list
}

// isPath tells a file from an asset id: ids have neither a dot nor a slash.
func isPath(film string) bool { return strings.ContainsAny(film, "./") }

// path returns the path of a film or caption file, seen from where the program runs.
func (f *eventFile) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(f.Dir, name)
}
