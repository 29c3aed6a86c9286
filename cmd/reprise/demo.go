package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"reprise/api"
	"reprise/configs"
	"reprise/event"
	"reprise/storage/queue"
	"reprise/vod"
	"reprise/vod/ingest"
)

type demoCommand struct {
	Listen  string        `short:"l" placeholder:"ADDR" help:"Address to listen on, host:port; port 0 takes a free one. Default: 127.0.0.1:8080"`
	OnAirIn time.Duration `placeholder:"DURATION" help:"When the first talk goes on air, from the start of this command, such as 60s. Default: 25s after it is ready."`
	JSON    bool          `name:"json" help:"Print one JSON object on one line when the first talk can go on air: url, organizer_url, feeds, talks and more. Everything else goes to standard error."`
	Again   bool          `help:"Put the talks on air once more, as a new event, from now."`
}

// Help is shown by 'reprise demo --help'.
func (demoCommand) Help() string {
	return `Makes a bilingual conference with two auditoriums and three short talks, on an empty data folder: one film with French and English sound, one film for each language, and one in French only. The talks are spoken by espeak-ng and drawn by ffmpeg, brought in like any recording, and put on air. The first one goes on air within 90 seconds; the others are made while it plays. The doors stay open for 12 hours.

A second start finds everything and goes on: 'reprise demo --again' puts the talks on air once more.

It needs espeak-ng, ffmpeg and fonts-dejavu-core.

Examples:
  reprise demo
  reprise demo --data /tmp/demo --listen :9000 --on-air-in 2m
  reprise demo --json | jq -r .feeds.main.fr`
}

// Hours of the demonstration.
const (
	demoDoors  = 12 * time.Hour   // the doors stay open after the start
	demoNotice = 25 * time.Second // from ready to air: the lead of 16 s, the guard of 2 s, and time for a slate
)

// Run makes what is missing, serves, and prints the links.
func (d *demoCommand) Run(ctx context.Context, c *commandLine, p program) error {
	started := p.clock.Now()
	cfg, err := c.load(p, overrides("http.listen", d.Listen)...)
	if err != nil {
		return err
	}
	if d.OnAirIn < 0 {
		return errors.New("--on-air-in: it must be positive, such as 60s")
	}
	if cfg.Metrics.Listen == configs.Default().Metrics.Listen {
		cfg.Metrics.Listen = "" // a newcomer's machine may have something there
	}
	if cfg.Ingest.Preset == "auto" {
		cfg.Ingest.Preset = "superfast" // slides: soon on air matters more than small
	}
	cfg.Log = quiet(cfg.Log)
	a, err := newApp(ctx, cfg, deps{clock: p.clock, log: logger(cfg.Log, p.stderr)})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.run(ctx) })
	group.Go(func() error {
		s := &demoStage{app: a, p: p, json: d.JSON, started: started, onAirIn: d.OnAirIn, dir: filepath.Join(cfg.Data.Dir, "demo"),
			base: baseURL(cfg, a.listener.Addr().String()), ffmpeg: cfg.Ingest.FFmpeg}
		err := s.play(ctx, d.Again)
		if ctx.Err() != nil {
			return nil // asked to stop: what is half made is taken up by the next start
		}
		return err
	})
	return group.Wait()
}

// demoStage puts the demonstration on air.
type demoStage struct {
	app     *app
	p       program
	json    bool
	started time.Time
	onAirIn time.Duration
	dir     string // films are kept here
	base    string
	ffmpeg  string
	event   event.Event
}

// play finds or makes the event, prints the links, and makes what is missing.
func (s *demoStage) play(ctx context.Context, again bool) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	s.tidy()
	id, err := s.latest(ctx, again)
	if err != nil {
		return err
	}
	s.event, err = s.app.rows.Event(ctx, id)
	if err != nil && !errors.Is(err, event.ErrNotFound) {
		return err
	}
	talks := demoTalks()
	if ready, err := s.ready(ctx, talks[0]); err != nil {
		return err
	} else if !ready {
		if err := s.open(ctx, id); err != nil {
			return err
		}
		if err := s.firstOnAir(ctx, talks); err != nil {
			return err
		}
	}
	if err := s.announce(ctx, talks); err != nil {
		return err
	}
	for _, t := range talks {
		if err := s.prepare(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// tidy removes what a killed start left half filmed.
func (s *demoStage) tidy() {
	left, err := filepath.Glob(filepath.Join(s.dir, "making-*"))
	if err != nil {
		return // the pattern is right
	}
	for _, dir := range left {
		_ = os.RemoveAll(dir) // what stays costs only space
	}
}

// latest returns the id of the demonstration to show: demo, demo-2, …
func (s *demoStage) latest(ctx context.Context, again bool) (event.ID, error) {
	events, err := s.app.rows.Events(ctx)
	if err != nil {
		return "", err
	}
	number := 0
	for _, e := range events {
		if e.ID == "demo" {
			number = max(number, 1)
		} else if tail, ok := strings.CutPrefix(string(e.ID), "demo-"); ok {
			if n, err := strconv.Atoi(tail); err == nil {
				number = max(number, n)
			}
		}
	}
	if again || number == 0 {
		number++
	}
	if number == 1 {
		return "demo", nil
	}
	return event.ID("demo-" + strconv.Itoa(number)), nil
}

// ready reports whether a talk of the stored event has all its media.
func (s *demoStage) ready(ctx context.Context, t demoTalk) (bool, error) {
	for _, stored := range s.event.Talks {
		if stored.ID != t.id {
			continue
		}
		for _, film := range distinct(stored.Films) {
			asset, err := s.app.rows.Asset(ctx, vod.AssetID(film))
			if err != nil || asset.Media == "" {
				return false, err
			}
		}
		return len(stored.Films) > 0, nil
	}
	return false, nil
}

// open stores the event with its doors open and no talk yet: the first slates
// are made while the first film is.
func (s *demoStage) open(ctx context.Context, id event.ID) error {
	opens := s.started.Truncate(time.Second).UTC()
	closes := opens.Add(demoDoors).Truncate(time.Minute)
	s.event = event.Event{
		ID: id, Title: said("Rencontres Reprise", "Reprise Meeting"), Languages: []event.Language{"fr", "en"}, Zone: "Europe/Paris",
		Auditoriums: []event.Auditorium{
			{ID: "main", Title: said("Grande salle", "Main hall"), Opens: opens, Closes: closes},
			{ID: "studio", Title: said("Studio", "Studio"), Opens: opens, Closes: closes},
		},
	}
	return s.app.store(ctx, &s.event)
}

// firstOnAir makes the first talk ready and sets the hours of all.
func (s *demoStage) firstOnAir(ctx context.Context, talks []demoTalk) error {
	// Lengths of the other talks, for the programme; they are spoken while the first one is encoded.
	group, inner := errgroup.WithContext(ctx)
	slots := make([]time.Duration, len(talks))
	for i, t := range talks {
		group.Go(func() (err error) {
			slots[i], err = t.length(inner)
			return err
		})
	}
	films, err := s.makeFilms(ctx, talks[0])
	if err := errors.Join(err, group.Wait()); err != nil {
		return err
	}
	if err := s.awaitMedia(ctx, films, talks[0]); err != nil {
		return err
	}
	now := s.app.clock.Now()
	starts := s.started.Add(s.onAirIn)
	if soonest := now.Add(demoNotice); s.onAirIn == 0 || starts.Before(soonest) {
		if s.onAirIn != 0 {
			_, _ = fmt.Fprintf(s.p.stderr, "The first talk was not ready in time: it goes on air %s later than asked.\n", soonest.Sub(starts).Round(time.Second))
		}
		starts = soonest
	}
	starts = starts.Add(time.Second - time.Nanosecond).Truncate(time.Second).UTC()
	for i, t := range talks {
		e := event.Talk{ID: t.id, Auditorium: t.auditorium, Title: t.title, Speakers: t.speakers, Starts: starts.Add(t.after), Slot: slots[i],
			Films: map[event.Language]string{}, Spoken: t.films[0][0]}
		if i == 0 {
			e.Films = films
		}
		s.event.Talks = append(s.event.Talks, e)
	}
	if err := s.app.store(ctx, &s.event); err != nil {
		return err
	}
	return s.awaitFeeds(ctx)
}

// prepare makes a talk's films and puts them into the event.
func (s *demoStage) prepare(ctx context.Context, t demoTalk) error {
	if ready, err := s.ready(ctx, t); ready || err != nil {
		return err
	}
	films, err := s.makeFilms(ctx, t)
	if err != nil {
		return err
	}
	stored, err := s.app.rows.Event(ctx, s.event.ID)
	if err != nil {
		return err
	}
	s.event = stored
	for i := range s.event.Talks {
		if s.event.Talks[i].ID == t.id {
			s.event.Talks[i].Films = films
		}
	}
	if err := s.app.store(ctx, &s.event); err != nil {
		return err
	}
	return s.awaitMedia(ctx, films, t)
}

// makeFilms records what is not there yet, adds it to the library, and writes
// the jobs down. It returns the asset for each language.
func (s *demoStage) makeFilms(ctx context.Context, t demoTalk) (map[event.Language]string, error) {
	films := map[event.Language]string{}
	for _, languages := range t.films {
		f := t.film(s.dir, languages)
		m := newMeter(s.p, s.name(t, languages))
		err := f.make(ctx, s.ffmpeg, func(fraction float64) { m.update("filming", fraction) })
		if err == nil {
			m.update("copying", 0)
			var asset vod.Asset
			if asset, err = s.app.ingester.Add(ctx, f.path, f.options(), nil); err == nil {
				err = s.app.jobs.queue.Enqueue(ctx, api.JobProcess, string(asset.ID), queue.Options{Priority: queue.Urgent})
			}
			for _, l := range languages {
				films[l] = string(asset.ID)
			}
		}
		m.done("")
		if err != nil {
			return nil, err
		}
	}
	return films, nil
}

// options says of a film what the file does not.
func (f demoFilm) options() ingest.AddOptions {
	o := ingest.AddOptions{Title: f.talk.title.In(f.languages[0]), Captions: map[string]string{}}
	for l, path := range f.captions {
		o.Captions[string(l)] = path
	}
	return o
}

func (s *demoStage) name(t demoTalk, languages []event.Language) string {
	names := make([]string, len(languages))
	for i, l := range languages {
		names[i] = string(l)
	}
	return t.title.In("en") + " (" + strings.Join(names, ", ") + ")"
}

// awaitMedia waits until the queue has made all films of a talk ready.
func (s *demoStage) awaitMedia(ctx context.Context, films map[event.Language]string, t demoTalk) error {
	for _, film := range distinct(films) {
		var languages []event.Language
		for _, l := range s.event.Languages {
			if films[l] == film {
				languages = append(languages, l)
			}
		}
		m := newMeter(s.p, s.name(t, languages))
		err := s.awaitAsset(ctx, vod.AssetID(film), m)
		m.done("")
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *demoStage) awaitAsset(ctx context.Context, id vod.AssetID, m *meter) error {
	for {
		asset, err := s.app.rows.Asset(ctx, id)
		switch {
		case err != nil:
			return err
		case asset.Media != "":
			return nil
		case asset.State == vod.Failed:
			return fmt.Errorf("demo: %s was refused: %s", asset.Source.Name, findingWords(asset.Findings))
		}
		m.update(stageWord(asset.State), asset.Percent/100)
		if err := s.app.clock.Wait(ctx, s.app.clock.Now().Add(100*time.Millisecond)); err != nil {
			return err
		}
	}
}

// length returns how long a talk is: its longest film.
func (t demoTalk) length(ctx context.Context) (time.Duration, error) {
	var longest time.Duration
	for _, languages := range t.films {
		voice, err := recite(ctx, t.slides, languages)
		if err != nil {
			return 0, err
		}
		longest = max(longest, voice.length)
	}
	return longest, nil
}
