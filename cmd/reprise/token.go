package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"reprise/api/token"
	"reprise/configs"
	"reprise/event"
	"reprise/stream"
)

type tokenCommand struct {
	Link     tokenLink     `cmd:"" help:"Make the link of an attendee: the whole event, one auditorium, or one talk."`
	Desk     tokenDesk     `cmd:"" help:"Make the link of an organizer."`
	Playback tokenPlayback `cmd:"" help:"Make the address of a playlist, for any player."`
	Rotate   tokenRotate   `cmd:"" help:"Sign with a new key from now on; tokens made before stay good until they expire."`
}

// Help is shown by 'reprise token --help'.
func (tokenCommand) Help() string {
	return `A link opens the page; whoever has it can watch. A playback token stands in the address of a playlist, for a player without a page. Both end by themselves: --life, or tokens.linkLife after the event's last day.

Examples:
  reprise token link congress
  reprise token link congress --talk opening --language en --life 48h
  reprise token desk congress --for "Ada Lovelace"
  mpv "$(reprise token playback congress --auditorium main --language fr)"`
}

// tokenOptions are common to all that makes tokens.
type tokenOptions struct {
	Event    string        `arg:"" help:"Id of the event."`
	Language string        `short:"L" placeholder:"TAG" help:"Language, such as fr. Default: the event's first."`
	Life     time.Duration `placeholder:"DURATION" help:"How long it works from now, such as 48h. Default: tokens.linkLife after the event's last day."`
	For      string        `placeholder:"NAME" help:"Whose it is; kept in the token."`
	Base     string        `placeholder:"URL" help:"Address of the server, as people type it. Default: http.publicUrl, or http:// and http.listen."`
	JSON     bool          `name:"json" help:"Print one JSON object: url, token, expires."`
}

// maker opens the house and returns what makes links for the event.
func (o tokenOptions) maker(ctx context.Context, c *commandLine, p program) (linkMaker, *house, error) {
	cfg, err := c.load(p, overrides("http.publicUrl", o.Base)...)
	if err != nil {
		return linkMaker{}, nil, err
	}
	if o.Life < 0 {
		return linkMaker{}, nil, errors.New("--life: it must be positive, such as 48h")
	}
	h, err := openExisting(ctx, cfg, logger(configs.Log{Level: "warn", Format: cfg.Log.Format}, p.stderr), p.clock)
	if err != nil {
		return linkMaker{}, nil, err
	}
	e, err := h.rows.Event(ctx, event.ID(o.Event))
	if errors.Is(err, event.ErrNotFound) {
		err = fmt.Errorf("there is no event %q; 'reprise schedule show' lists them", o.Event)
	}
	if err != nil {
		return linkMaker{}, nil, errors.Join(err, h.close())
	}
	return h.links(e, baseURL(cfg, cfg.HTTP.Listen), o.For, o.Life), h, nil
}

// language checks the language that was asked for.
func (o tokenOptions) language(e event.Event) (event.Language, error) {
	if o.Language == "" {
		return e.Languages[0], nil
	}
	if !slices.Contains(e.Languages, event.Language(o.Language)) {
		return "", fmt.Errorf("--language %s: event %s has %v", o.Language, e.ID, e.Languages)
	}
	return event.Language(o.Language), nil
}

// tokenPlace is an auditorium or a talk of an event, or neither.
type tokenPlace struct {
	Auditorium string `short:"a" placeholder:"ID" xor:"place" help:"For one auditorium."`
	Talk       string `short:"t" placeholder:"ID" xor:"place" help:"For one talk."`
}

// scope returns the scope of the place, the whole event when none is given.
func (pl tokenPlace) scope(e event.Event) (string, error) {
	switch {
	case pl.Auditorium != "":
		if !slices.ContainsFunc(e.Auditoriums, func(a event.Auditorium) bool { return string(a.ID) == pl.Auditorium }) {
			return "", fmt.Errorf("event %s has no auditorium %q", e.ID, pl.Auditorium)
		}
		return token.AuditoriumScope(pl.Auditorium), nil
	case pl.Talk != "":
		if !slices.ContainsFunc(e.Talks, func(t event.Talk) bool { return string(t.ID) == pl.Talk }) {
			return "", fmt.Errorf("event %s has no talk %q", e.ID, pl.Talk)
		}
		return token.TalkScope(pl.Talk), nil
	}
	return token.WholeEvent, nil
}

// print prints the address, or all of it as JSON.
func (o tokenOptions) print(p program, url string, expires time.Time) error {
	if !o.JSON {
		_, err := fmt.Fprintln(p.stdout, url)
		return err
	}
	_, tok, found := strings.Cut(url, "#k=")
	if !found {
		_, tok, _ = strings.Cut(url, "/p/")
		tok, _, _ = strings.Cut(tok, "/")
	}
	return json.NewEncoder(p.stdout).Encode(struct {
		URL     string    `json:"url"`
		Token   string    `json:"token"`
		Expires time.Time `json:"expires"`
	}{url, tok, expires})
}

// run opens the house, lets address make what was asked for, and prints it.
func (o tokenOptions) run(ctx context.Context, c *commandLine, p program, address func(linkMaker, event.Language) (string, error)) (err error) {
	links, h, err := o.maker(ctx, c, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	language, err := o.language(links.event)
	if err != nil {
		return err
	}
	url, err := address(links, language)
	if err != nil {
		return err
	}
	return o.print(p, url, links.expires)
}

type tokenLink struct {
	tokenOptions
	tokenPlace
}

// Run prints an attendee's link.
func (t *tokenLink) Run(ctx context.Context, c *commandLine, p program) error {
	return t.run(ctx, c, p, func(links linkMaker, language event.Language) (string, error) {
		scope, err := t.scope(links.event)
		if err != nil {
			return "", err
		}
		where := ""
		switch {
		case t.Talk != "":
			where = "t/" + t.Talk
		case t.Auditorium != "":
			where = "a/" + t.Auditorium
		}
		return links.attendee(language, where, scope)
	})
}

type tokenDesk struct{ tokenOptions }

// Run prints an organizer's link.
func (t *tokenDesk) Run(ctx context.Context, c *commandLine, p program) error {
	return t.run(ctx, c, p, func(links linkMaker, language event.Language) (string, error) { return links.organizer(language) })
}

type tokenPlayback struct {
	tokenOptions
	tokenPlace
	View string `enum:"live,startover,replay," default:"" placeholder:"VIEW" help:"live (an auditorium), startover or replay (a talk). Default: live, or replay with --talk."`
}

// Run prints the address of a multivariant playlist.
func (t *tokenPlayback) Run(ctx context.Context, c *commandLine, p program) error {
	view, where := stream.View(t.View), t.Auditorium+t.Talk
	switch {
	case where == "":
		return errors.New("say what to play: --auditorium ID or --talk ID")
	case view == "" && t.Talk != "":
		view = stream.Replay
	case view == "":
		view = stream.Live
	case (view == stream.Live) != (t.Auditorium != ""):
		return errors.New("--view live goes with --auditorium, startover and replay with --talk")
	}
	return t.run(ctx, c, p, func(links linkMaker, language event.Language) (string, error) {
		scope, err := t.scope(links.event)
		if err != nil {
			return "", err
		}
		tok, err := links.mint(token.Playback, false, scope)
		if err != nil {
			return "", err
		}
		return links.playlist(view, where, language, tok), nil
	})
}

type tokenRotate struct{}

// Run adds a key.
func (t *tokenRotate) Run(ctx context.Context, c *commandLine, p program) (err error) {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	h, err := openExisting(ctx, cfg, logger(cfg.Log, p.stderr), p.clock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if err := h.keys.Rotate(ctx); err != nil {
		return fmt.Errorf("rotate keys: %w", err)
	}
	_, err = fmt.Fprintln(p.stdout, "a new key signs from now on")
	return err
}
