package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"reprise/event"
	"reprise/stream"
	"reprise/stream/conformance"
	"reprise/stream/timeline"
	"reprise/vod"
)

type verifyCommand struct {
	Event string        `arg:"" help:"Id of the event."`
	Nodes int           `short:"n" default:"1" placeholder:"N" help:"Run N independent instances and compare every byte. Default: 1"`
	Step  time.Duration `default:"1s" placeholder:"DURATION" help:"Simulated time between two looks. Default: 1s"`
}

// Help is shown by 'reprise verify --help'.
func (verifyCommand) Help() string {
	return `Plays the whole programme of an event in simulated time, from doors open to doors close: every feed, each second, every playlist that a viewer could ask for. Each is checked against the numbered rules of docs/hls-conformance.md. Nothing is written and nothing goes on air: run it before the day, beside a running server if you like.

What is on air already is taken as it was; the rest is planned as it would be now. The exit status is 1 when a rule is broken.

Examples:
  reprise verify congress
  reprise verify congress --nodes 3`
}

// Run prints the report.
func (v *verifyCommand) Run(ctx context.Context, c *commandLine, p program) (err error) {
	if v.Nodes < 1 || v.Nodes > 16 {
		return errors.New("--nodes: from 1 to 16")
	}
	if v.Step < 10*time.Millisecond {
		return errors.New("--step: at least 10ms")
	}
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	h, err := openExisting(ctx, cfg, logger(quiet(cfg.Log), p.stderr), p.clock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	nodes, missing, err := h.rehearsal(ctx, event.ID(v.Event), v.Nodes)
	if err != nil {
		return err
	}
	for _, m := range missing {
		_, _ = fmt.Fprintf(p.stderr, "remark: %s\n", m)
	}
	options := conformance.Options{Step: v.Step, Now: p.clock.Now}
	for _, n := range nodes[1:] {
		options.Nodes = append(options.Nodes, n)
	}
	report, err := conformance.Run(ctx, nodes[0], options)
	if errors.Is(err, conformance.ErrNoFeeds) {
		return fmt.Errorf("event %s has no auditorium: there is nothing to check", v.Event)
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(p.stdout, "event %s: %s", v.Event, report.String()); err != nil {
		return err
	}
	if !report.OK() {
		return errReported
	}
	return nil
}

// rehearsal builds so many independent instances on copies of the stored
// journals, each planned by itself at the same instant. missing says which
// talks have no film.
func (h *house) rehearsal(ctx context.Context, id event.ID, count int) (nodes []*rehearsalNode, missing []string, err error) {
	e, err := h.rows.Event(ctx, id)
	if errors.Is(err, event.ErrNotFound) {
		return nil, nil, fmt.Errorf("there is no event %q; 'reprise schedule show' lists them", id)
	}
	if err != nil {
		return nil, nil, err
	}
	secret, err := h.rows.Secret(ctx, "stream")
	if err != nil {
		return nil, nil, err
	}
	slates, err := h.standIns(ctx, e)
	if err != nil {
		return nil, nil, err
	}
	now := h.clock.Now()
	for range count {
		n, err := h.rehearse(ctx, e, slates, secret, now)
		if err != nil {
			return nil, nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nodes[0].missing(e), nil
}

// rehearse makes one instance and plans its journals.
func (h *house) rehearse(ctx context.Context, e event.Event, slates *standIn, secret []byte, now time.Time) (*rehearsalNode, error) {
	n := &rehearsalNode{event: e, memory: newMemory(h.rows, e)}
	var err error
	n.playout, err = stream.New(stream.Config{Depth: h.cfg.Stream.Depth, SlateAhead: 100 * 365 * 24 * time.Hour, Rewind: true, NoGzip: true}, stream.Deps{
		Events: n.memory, Library: n.memory, Journals: n.memory, Slates: slates, Objects: slates,
		Secret: secret, Log: h.log, Now: func() time.Time { return now }, Wait: h.clock.Wait,
	})
	if err != nil {
		return nil, err
	}
	// Once for the plan with what is there, which tells the slates that are missing; once with these.
	for range 2 {
		if err := n.playout.Refresh(ctx); err != nil {
			return nil, fmt.Errorf("plan event %s: %w", e.ID, err)
		}
		if err := n.playout.MakeSlates(ctx); err != nil {
			return nil, fmt.Errorf("plan event %s: %w", e.ID, err)
		}
	}
	return n, n.playout.Refresh(ctx)
}

// rehearsalNode is one instance as conformance.Run sees it.
type rehearsalNode struct {
	event   event.Event
	playout *stream.Playout
	memory  *memory
}

var (
	_ conformance.Subject = (*rehearsalNode)(nil)
	_ conformance.Skipper = (*rehearsalNode)(nil)
)

// Feeds implements conformance.Subject: a feed is called main/fr.
func (n *rehearsalNode) Feeds() []conformance.Feed {
	var feeds []conformance.Feed
	for _, a := range n.event.Auditoriums {
		for _, l := range n.event.Languages {
			f := conformance.Feed{Name: string(a.ID) + "/" + string(l), Opens: a.Opens, Closes: a.Closes}
			for _, t := range n.event.Talks {
				if t.Auditorium == a.ID && n.onAir(f.Name, t.ID) {
					f.Talks = append(f.Talks, conformance.Talk{ID: string(t.ID), Starts: t.Starts})
				}
			}
			feeds = append(feeds, f)
		}
	}
	return feeds
}

// onAir reports whether a talk is in the journal of a feed. A journal that cannot be read is told of by Run.
func (n *rehearsalNode) onAir(feed string, id event.TalkID) bool {
	j, err := n.Journal(feed)
	return err == nil && slices.ContainsFunc(j.Entries, func(e timeline.Entry) bool { return e.Talk == string(id) })
}

// missing names the talks that are on no journal.
func (n *rehearsalNode) missing(e event.Event) []string {
	var list []string
	for _, t := range e.Talks {
		for _, l := range e.Languages {
			if !n.onAir(string(t.Auditorium)+"/"+string(l), t.ID) {
				list = append(list, fmt.Sprintf("talk %s is not on air in %s: its film is missing or not ready", t.ID, l))
			}
		}
	}
	return list
}

// feed undoes the name of a feed.
func (n *rehearsalNode) feed(name string) stream.Feed {
	auditorium, language, _ := strings.Cut(name, "/")
	return stream.Feed{Event: n.event.ID, Auditorium: event.AuditoriumID(auditorium), Language: event.Language(language)}
}

func (n *rehearsalNode) address(a conformance.Address) stream.Address {
	f := n.feed(a.Feed)
	return stream.Address{View: stream.View(a.View), Event: f.Event, Auditorium: f.Auditorium, Talk: event.TalkID(a.Talk), Language: f.Language}
}

// Journal implements conformance.Subject.
func (n *rehearsalNode) Journal(feed string) (timeline.Journal, error) {
	j, _, err := n.memory.Journal(context.Background(), n.feed(feed))
	return j, err
}

// Multivariant implements conformance.Subject.
func (n *rehearsalNode) Multivariant(a conformance.Address, now time.Time) (conformance.Playlist, error) {
	return playlistOf(n.playout.Multivariant(n.address(a), now))
}

// Media implements conformance.Subject.
func (n *rehearsalNode) Media(a conformance.Address, uri string, now time.Time) (conformance.Playlist, error) {
	return playlistOf(n.playout.Media(n.address(a), strings.TrimSuffix(uri, ".m3u8"), now, false))
}

// Delta implements conformance.Skipper.
func (n *rehearsalNode) Delta(a conformance.Address, uri string, now time.Time) (conformance.Playlist, error) {
	return playlistOf(n.playout.Media(n.address(a), strings.TrimSuffix(uri, ".m3u8"), now, true))
}

func playlistOf(d *stream.Document, err error) (conformance.Playlist, error) {
	if err != nil {
		return conformance.Playlist{}, err
	}
	return conformance.Playlist{Body: d.Body, Next: d.Next}, nil
}

// memory is the stores of one event, whose writes stay in memory. It is
// written by one goroutine, before the first of many reads.
type memory struct {
	vod.Library // what is not below
	rows        stores
	event       event.Event
	media       map[vod.MediaID]vod.Media
	journals    map[stream.Feed]memoryJournal
}

// stores is what a rehearsal reads.
type stores interface {
	vod.Library
	event.Store
	stream.JournalStore
}

type memoryJournal struct {
	journal  timeline.Journal
	revision int64
}

func newMemory(rows stores, e event.Event) *memory {
	return &memory{Library: rows, rows: rows, event: e, media: map[vod.MediaID]vod.Media{}, journals: map[stream.Feed]memoryJournal{}}
}

var errReadOnly = errors.New("a rehearsal does not write")

// PutEvent implements event.Store.
func (m *memory) PutEvent(context.Context, event.Event) (event.Event, error) {
	return event.Event{}, errReadOnly
}

// Event implements event.Store.
func (m *memory) Event(_ context.Context, id event.ID) (event.Event, error) {
	if id != m.event.ID {
		return event.Event{}, event.ErrNotFound
	}
	return m.event, nil
}

// Events implements event.Store.
func (m *memory) Events(context.Context) ([]event.Event, error) { return []event.Event{m.event}, nil }

// Version implements event.Store. Nothing changes under a rehearsal.
func (m *memory) Version(context.Context) (int64, error) { return 1, nil }

// PutMedia implements vod.Library.
func (m *memory) PutMedia(_ context.Context, media vod.Media) error {
	m.media[media.ID] = media
	return nil
}

// Media implements vod.Library.
func (m *memory) Media(ctx context.Context, id vod.MediaID) (vod.Media, error) {
	if media, ok := m.media[id]; ok {
		return media, nil
	}
	return m.rows.Media(ctx, id)
}

// Journal implements stream.JournalStore: the stored journal, until it is written over in memory.
func (m *memory) Journal(ctx context.Context, feed stream.Feed) (timeline.Journal, int64, error) {
	if j, ok := m.journals[feed]; ok {
		return j.journal, j.revision, nil
	}
	return m.rows.Journal(ctx, feed)
}

// AppendJournal implements stream.JournalStore.
func (m *memory) AppendJournal(ctx context.Context, feed stream.Feed, revision int64, from int, entries []timeline.Entry, closed bool, _ time.Time) error {
	j, stored, err := m.Journal(ctx, feed)
	if err != nil {
		return err
	}
	if stored != revision || from > len(j.Entries) {
		return stream.ErrConflict
	}
	m.journals[feed] = memoryJournal{timeline.Journal{Entries: slices.Concat(j.Entries[:from], entries), Closed: closed}, revision + 1}
	return nil
}
