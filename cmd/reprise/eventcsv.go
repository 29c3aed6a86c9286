package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"reprise/event"
)

// csvColumns are the columns of a talk table that do not depend on the event's languages.
func csvColumns() []string {
	return []string{"id", "auditorium", "starts", "slot", "speakers", "spoken", "title", "abstract", "film", "captions"}
}

// readTalksCSV reads the talks of base from a table with a header line, in
// place of those it had. title, abstract, film and captions come by language
// (title_fr, film_en) or, without a language, for all of them. Commas or
// semicolons part the columns, as the first line says.
func readTalksCSV(path string, stdin io.Reader, base event.Event) (eventFile, error) {
	raw, dir, err := readInput(path, stdin)
	if err != nil {
		return eventFile{}, err
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff")) // spreadsheets put a byte order mark
	if err := checkUTF8(path, raw); err != nil {
		return eventFile{}, err
	}
	zone, err := time.LoadLocation(base.Zone)
	if err != nil {
		return eventFile{}, fmt.Errorf("zone of event %s: %w", base.ID, err)
	}
	file := eventFile{Event: base, Talks: map[event.TalkID]talkLines{}, Dir: dir}
	file.Event.Talks = nil
	faults := &fileFaults{file: path}
	reader := csv.NewReader(bytes.NewReader(raw))
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	if bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		reader.Comma = ';'
	}
	reader.FieldsPerRecord = -1
	header, err := reader.Read()
	if err != nil {
		return eventFile{}, fmt.Errorf("%s: first line: %w", path, err)
	}
	columns := csvHeader(header, base.Languages, faults)
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return eventFile{}, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := reader.FieldPos(0)
		row := csvRow{line: line, cells: map[string]string{}, languages: base.Languages, faults: faults}
		for i, cell := range record {
			if i < len(columns) {
				row.cells[columns[i]] = strings.TrimSpace(cell)
			} else if strings.TrimSpace(cell) != "" {
				faults.add(line, "column %d has no name in the first line", i+1)
			}
		}
		t, lines := row.talk(zone)
		file.addTalk(t, lines, faults)
	}
	return file, faults.err()
}

// checkUTF8 refuses the tables that a spreadsheet saves by its old habit, with
// the letters of one corner of the world: its accents would come out as rubbish
// on every page.
func checkUTF8(path string, raw []byte) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return fmt.Errorf("%s is empty; 'reprise schedule --help' names the columns", path)
	}
	for i, line := range bytes.Split(raw, []byte("\n")) {
		if !utf8.Valid(line) {
			return fmt.Errorf("%s: line %d is not UTF-8: save the table as \"CSV UTF-8\"", path, i+1)
		}
	}
	return nil
}

// csvHeader returns the columns' names and tells of unknown and missing ones.
func csvHeader(header []string, languages []event.Language, faults *fileFaults) []string {
	known := csvColumns()
	for _, name := range []string{"title", "abstract", "film", "captions"} {
		for _, l := range languages {
			known = append(known, name+"_"+string(l))
		}
	}
	columns := make([]string, len(header))
	for i, name := range header {
		columns[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(known, columns[i]) {
			faults.add(1, "no such column %q (known: %s)", name, strings.Join(known, ", "))
		}
	}
	for _, name := range []string{"id", "auditorium", "starts"} {
		if !slices.Contains(columns, name) {
			faults.add(1, "column %s is missing", name)
		}
	}
	return columns
}

// csvRow is one talk of a table.
type csvRow struct {
	line      int
	cells     map[string]string
	languages []event.Language
	faults    *fileFaults
}

func (r csvRow) talk(zone *time.Location) (event.Talk, talkLines) {
	t := event.Talk{
		ID:         event.TalkID(r.cells["id"]),
		Auditorium: event.AuditoriumID(r.cells["auditorium"]),
		Title:      event.Text(r.byLanguage("title")),
		Abstract:   event.Text(r.byLanguage("abstract")),
		Spoken:     event.Language(r.cells["spoken"]),
		Films:      r.byLanguage("film"),
	}
	m := &mapping{line: r.line, faults: r.faults, what: "talk " + string(t.ID)}
	if t.ID == "" {
		r.faults.add(r.line, "id is empty")
	}
	checkID(m, "id", string(t.ID))
	if len(t.Title) == 0 {
		r.faults.add(r.line, "%s: title is missing", m.what)
	}
	for name := range strings.SplitSeq(r.cells["speakers"], "/") {
		if name = strings.TrimSpace(name); name != "" {
			t.Speakers = append(t.Speakers, name)
		}
	}
	var err error
	if t.Starts, err = parseLocal(r.cells["starts"], zone); err != nil {
		r.faults.add(r.line, "%s: starts: %s", m.what, err)
	}
	if slot := r.cells["slot"]; slot != "" {
		if t.Slot, err = parseMinutes(slot); err != nil {
			r.faults.add(r.line, "%s: slot: %s", m.what, err)
		}
	}
	return t, talkLines{Line: r.line, Captions: r.byLanguage("captions")}
}

// byLanguage reads name_fr, name_en, … and name, which stands for those that
// are empty. A title without a language is in the default language.
func (r csvRow) byLanguage(name string) map[event.Language]string {
	found := map[event.Language]string{}
	for i, l := range r.languages {
		if s := r.cells[name+"_"+string(l)]; s != "" {
			found[l] = s
		} else if s := r.cells[name]; s != "" && (i == 0 || name == "film") {
			found[l] = s
		}
	}
	return found
}
