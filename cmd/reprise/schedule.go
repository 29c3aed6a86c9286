package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"reprise/event"
	"reprise/vod"
	"reprise/vod/ingest"
)

type scheduleCommand struct {
	Show    scheduleShow    `cmd:"" help:"Print an event as YAML that 'set' takes back; without an event, list them."`
	Set     scheduleSet     `cmd:"" help:"Store an event from a file. What is on air already stays."`
	Check   scheduleCheck   `cmd:"" help:"Check a file as 'set' would, and store nothing."`
	Example scheduleExample `cmd:"" help:"Print a file to begin with."`
}

// Help is shown by 'reprise schedule --help'.
func (scheduleCommand) Help() string {
	return `A file holds a whole event: zone, languages, auditoriums, talks and their films. Hours are local, in the event's zone. Films are asset ids (of 'reprise import') or paths of recordings, seen from the file; these are imported.

A talk table as CSV takes the place of the talks of an event that is stored already: give it with --event. The first line names the columns: id, auditorium, starts (2026-09-14 09:00), slot (minutes, or 1h15m), speakers (parted by /), spoken; and, by language or for all, title_fr, title_en, abstract_fr, film_fr, film, captions_fr. Commas or semicolons part the columns.

A talk whose films the file does not mention keeps those it has (from uploads and hand-ins); films: {} takes them off.

A running server on the same data folder follows within a second.

Examples:
  reprise schedule example > event.yaml
  reprise schedule check event.yaml
  reprise schedule set event.yaml
  reprise schedule set talks.csv --event congress
  reprise schedule show congress > event.yaml`
}

// open loads the configuration and opens the house.
func (scheduleCommand) open(ctx context.Context, c *commandLine, p program) (*house, error) {
	cfg, err := c.load(p)
	if err != nil {
		return nil, err
	}
	return openHouse(ctx, cfg, logger(quiet(cfg.Log), p.stderr), p.clock)
}

type scheduleShow struct {
	Event string `arg:"" optional:"" help:"Id of the event."`
}

// Run prints one event, or the list.
func (s *scheduleShow) Run(ctx context.Context, c *commandLine, p program) (err error) {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	h, err := openExisting(ctx, cfg, logger(quiet(cfg.Log), p.stderr), p.clock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if s.Event == "" {
		return h.listEvents(ctx, p)
	}
	e, err := h.rows.Event(ctx, event.ID(s.Event))
	if errors.Is(err, event.ErrNotFound) {
		return fmt.Errorf("there is no event %q; 'reprise schedule show' lists them", s.Event)
	}
	if err != nil {
		return err
	}
	yaml, err := writeEvent(e)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(p.stdout, yaml)
	return err
}

func (h *house) listEvents(ctx context.Context, p program) error {
	events, err := h.rows.Events(ctx)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		_, err := fmt.Fprintln(p.stderr, "There is no event yet. 'reprise schedule example' prints a file to begin with.")
		return err
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "EVENT\tOPENS\tCLOSES\tAUDITORIUMS\tTALKS\tTITLE")
	for _, e := range events {
		zone, err := time.LoadLocation(e.Zone)
		if err != nil {
			zone = time.UTC
		}
		first := lastInstant(e)
		for _, a := range e.Auditoriums {
			if a.Opens.Before(first) {
				first = a.Opens
			}
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\n", e.ID, first.In(zone).Format("2006-01-02 15:04"), lastInstant(e).In(zone).Format("2006-01-02 15:04"),
			len(e.Auditoriums), len(e.Talks), e.Title.In(e.Languages[0]))
	}
	return table.Flush()
}

// scheduleFile is the file of set and check.
type scheduleFile struct {
	File  string `arg:"" name:"file" help:"YAML of a whole event, or CSV of its talks; - is standard input (YAML)."`
	Event string `placeholder:"ID" help:"Whose talks a CSV file holds."`
}

// read reads the file and looks up what it names. All faults are told at once.
func (s *scheduleFile) read(ctx context.Context, h *house, p program) (eventFile, error) {
	var file eventFile
	var err error
	if strings.EqualFold(filepath.Ext(s.File), ".csv") {
		if s.Event == "" {
			return file, errors.New("a CSV file holds the talks of an event that is stored already: say which with --event ID")
		}
		base, eventErr := h.rows.Event(ctx, event.ID(s.Event))
		if errors.Is(eventErr, event.ErrNotFound) {
			return file, fmt.Errorf("there is no event %q yet: store it with 'reprise schedule set event.yaml', its talks may be missing", s.Event)
		}
		if eventErr != nil {
			return file, eventErr
		}
		file, err = readTalksCSV(s.File, p.stdin, base)
	} else {
		if s.Event != "" {
			return file, errors.New("--event goes with a CSV file; a YAML file names its event")
		}
		file, err = readEventFile(s.File, p.stdin)
	}
	if err != nil {
		return file, err
	}
	if err := h.keepFilms(ctx, file); err != nil {
		return file, err
	}
	return file, h.lookUp(ctx, s.File, file)
}

// keepFilms gives talks whose films the file does not mention those that they
// have: films come in by other ways, and a file with new hours must not lose them.
func (h *house) keepFilms(ctx context.Context, file eventFile) error {
	stored, err := h.rows.Event(ctx, file.Event.ID)
	if errors.Is(err, event.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range file.Event.Talks {
		t := &file.Event.Talks[i]
		if len(t.Films) > 0 || file.Talks[t.ID].NoFilms {
			continue
		}
		k := slices.IndexFunc(stored.Talks, func(s event.Talk) bool { return s.ID == t.ID })
		if k < 0 {
			continue
		}
		for l, film := range stored.Talks[k].Films {
			if slices.Contains(file.Event.Languages, l) {
				t.Films[l] = film
			}
		}
	}
	return nil
}

// lookUp checks that every film is there: an asset that can be used, or a file.
func (h *house) lookUp(ctx context.Context, name string, file eventFile) error {
	faults := &fileFaults{file: name}
	for _, t := range file.Event.Talks {
		line := file.Talks[t.ID].Line
		for _, film := range distinct(t.Films) {
			if isPath(film) {
				if err := readable(file.path(film)); err != nil {
					faults.add(line, "talk %s: film %s: %s", t.ID, film, explainFile(err))
				}
				continue
			}
			asset, err := h.rows.Asset(ctx, vod.AssetID(film))
			switch {
			case errors.Is(err, vod.ErrNotFound):
				faults.add(line, "talk %s: the library has no asset %s; a file is written with its dot or a slash, such as ./%s", t.ID, film, film)
			case err != nil:
				return err
			case asset.Verdict == vod.VerdictRefused:
				faults.add(line, "talk %s: asset %s (%s) was refused: %s", t.ID, film, asset.Source.Name, findingWords(asset.Findings))
			}
		}
		for _, caption := range distinct(file.Talks[t.ID].Captions) {
			if err := readable(file.path(caption)); err != nil {
				faults.add(line, "talk %s: captions %s: %s", t.ID, caption, explainFile(err))
			}
		}
	}
	return faults.err()
}

func findingWords(findings []vod.Finding) string {
	for _, f := range findings {
		if f.Fatal {
			return f.EN
		}
	}
	return "no reason was kept"
}

// distinct returns the values of m, each once, in order.
func distinct(m map[event.Language]string) []string {
	return slices.Compact(mapValues(m))
}

type scheduleCheck struct{ scheduleFile }

// Run reads the file and prints what there is to say.
func (s *scheduleCheck) Run(ctx context.Context, c *commandLine, p program) (err error) {
	h, err := scheduleCommand{}.open(ctx, c, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	file, err := s.read(ctx, h, p)
	if err != nil {
		return err
	}
	remarks, err := h.review(ctx, file)
	if err != nil {
		return err
	}
	return sayRemarks(p, file, remarks, "ok")
}

type scheduleSet struct {
	scheduleFile
	NoWait bool `help:"Do not wait for new recordings to be processed here: a running server does it."`
}

// Run imports new recordings and stores the event.
func (s *scheduleSet) Run(ctx context.Context, c *commandLine, p program) (err error) {
	h, err := scheduleCommand{}.open(ctx, c, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	file, err := s.read(ctx, h, p)
	if err != nil {
		return err
	}
	if err := s.importFilms(ctx, h, p, &file); err != nil {
		return err
	}
	remarks, err := h.review(ctx, file)
	if err != nil {
		return err
	}
	if err := h.store(ctx, &file.Event); err != nil {
		return err
	}
	return sayRemarks(p, file, remarks, "stored")
}

// store writes the event over the one that is there.
func (h *house) store(ctx context.Context, e *event.Event) error {
	stored, err := h.rows.Event(ctx, e.ID)
	if err != nil && !errors.Is(err, event.ErrNotFound) {
		return err
	}
	e.Version = stored.Version
	*e, err = h.rows.PutEvent(ctx, *e)
	if errors.Is(err, event.ErrConflict) {
		return fmt.Errorf("event %s was changed by somebody else at the same time: look at it with 'reprise schedule show %s', and set it again", e.ID, e.ID)
	}
	return err
}

// importFilms puts asset ids in the place of paths.
func (s *scheduleSet) importFilms(ctx context.Context, h *house, p program, file *eventFile) error {
	faults := &fileFaults{file: s.File}
	for i := range file.Event.Talks {
		t := &file.Event.Talks[i]
		for _, film := range distinct(t.Films) {
			if !isPath(film) {
				continue
			}
			asset, err := s.importFilm(ctx, h, p, file, t, film)
			if err != nil {
				return fmt.Errorf("talk %s: %s: %w", t.ID, film, err)
			}
			if asset.Verdict == vod.VerdictRefused {
				faults.add(file.Talks[t.ID].Line, "talk %s: %s is refused: %s", t.ID, film, findingWords(asset.Findings))
			}
			for l, path := range t.Films {
				if path == film {
					t.Films[l] = string(asset.ID)
				}
			}
		}
	}
	return faults.err()
}

func (s *scheduleSet) importFilm(ctx context.Context, h *house, p program, file *eventFile, t *event.Talk, film string) (vod.Asset, error) {
	if err := h.openIngest(); err != nil {
		return vod.Asset{}, err
	}
	options := ingest.AddOptions{Title: t.Title.In(file.Event.Languages[0]), Language: string(filmLanguage(t, film)), Captions: map[string]string{}}
	for l, path := range file.Talks[t.ID].Captions {
		options.Captions[string(l)] = file.path(path)
	}
	if !s.NoWait {
		return h.bringIn(ctx, p, file.path(film), options)
	}
	asset, err := h.ingester.Add(ctx, file.path(film), options, nil)
	if err != nil {
		return vod.Asset{}, err
	}
	jobs, err := h.openJobs()
	if err != nil {
		return vod.Asset{}, err
	}
	return asset, jobs.enqueue(ctx, asset.ID)
}

// filmLanguage returns the language of a film's untagged sound: the one it is
// for, or the talk's own when it is for several.
func filmLanguage(t *event.Talk, film string) event.Language {
	var only []event.Language
	for l, path := range t.Films {
		if path == film {
			only = append(only, l)
		}
	}
	if len(only) == 1 {
		return only[0]
	}
	return t.Spoken
}

// sayRemarks prints what there is to say of a programme, and a last line.
func sayRemarks(p program, file eventFile, remarks []string, word string) error {
	for _, r := range remarks {
		_, _ = fmt.Fprintf(p.stderr, "remark: %s\n", r)
	}
	e := file.Event
	_, err := fmt.Fprintf(p.stdout, "%s: event %s, %d auditorium(s), %d talk(s), %d remark(s)\n", word, e.ID, len(e.Auditoriums), len(e.Talks), len(remarks))
	return err
}

type scheduleExample struct{}

// Run prints an event two weeks from now.
func (scheduleExample) Run(p program) error {
	day := p.clock.Now().AddDate(0, 0, 14).Format("2006-01-02")
	_, err := fmt.Fprintf(p.stdout, exampleEvent, day, day, day, day)
	return err
}

// exampleEvent is a file to begin with; its verbs are days.
const exampleEvent = `# An event: everything that Reprise knows of it. Store it with: reprise schedule set event.yaml
event: congress                        # its id: small letters, figures, hyphens; part of no link that is guessed
title: {fr: Congrès d’automne, en: Autumn congress}
languages: [fr, en]                    # the first one is the default
zone: Europe/Paris                     # all hours below are local hours there
# replayUntil: 2027-01-31 23:59        # replays end; without it, three months after the last day

auditoriums:
  - id: main
    title: {fr: Grande salle, en: Main hall}
    opens: %s 08:30            # doors: viewers see the waiting picture from here on
    closes: %s 18:00

talks:
  - id: opening
    auditorium: main
    title: {fr: Ouverture, en: Opening}
    abstract: {fr: Une demi-heure pour commencer., en: Half an hour to begin.}
    speakers: [Ada Lovelace]
    starts: %s 09:00
    slot: 30m                          # planned length; without it, as long as the film
    spoken: fr                         # language of the talk's own sound
    films: ./opening.mp4               # one film with both sounds: a file, or an asset id of 'reprise import'
    captions: {fr: ./opening.fr.vtt}   # files beside the film (opening.en.srt) are found without being named
  - id: machines
    auditorium: main
    title: {fr: Machines, en: Machines}
    starts: %s 09:45
    films:                             # a film for each language
      fr: ./machines-fr.mp4
      en: ./machines-en.mp4
`
