package stream_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/event"
	"reprise/storage"
	"reprise/stream"
	"reprise/stream/timeline"
	"reprise/vod"
)

// doors is when the auditorium of the tests opens.
var doors = time.Date(2026, 11, 24, 13, 58, 0, 0, time.UTC)

const (
	frame25 timeline.Ticks = 1920
	frame30 timeline.Ticks = 1600
)

// store is all stores of a Playout, in memory.
type store struct {
	mu       sync.Mutex
	version  int64
	events   map[event.ID]event.Event
	assets   []vod.Asset
	media    map[vod.MediaID]vod.Media
	loads    map[vod.MediaID]int
	journals map[stream.Feed]*journalRow
	objects  map[storage.Key][]byte
	slates   []stream.SlateSpec // as they were asked for
	fail     error              // of MakeSlate
	rival    func()             // called once, before an append
}

type journalRow struct {
	journal  timeline.Journal
	revision int64
}

func newStore() *store {
	return &store{
		events: map[event.ID]event.Event{}, media: map[vod.MediaID]vod.Media{}, loads: map[vod.MediaID]int{},
		journals: map[stream.Feed]*journalRow{}, objects: map[storage.Key][]byte{},
	}
}

func (s *store) PutEvent(_ context.Context, e event.Event) (event.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Version = s.events[e.ID].Version + 1
	s.events[e.ID] = e
	s.version++
	return e, nil
}

func (s *store) Event(_ context.Context, id event.ID) (event.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.events[id]
	if !ok {
		return e, event.ErrNotFound
	}
	return e, nil
}

func (s *store) Events(context.Context) ([]event.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []event.Event
	for _, e := range s.events {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b event.Event) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

func (s *store) Version(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version, nil
}

func (s *store) CreateAsset(_ context.Context, a vod.Asset) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assets = append(s.assets, a)
	s.version++
	return nil
}

func (s *store) Asset(_ context.Context, id vod.AssetID) (vod.Asset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.assets {
		if a.ID == id {
			return a, nil
		}
	}
	return vod.Asset{}, vod.ErrNotFound
}

func (s *store) Assets(context.Context) ([]vod.Asset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.assets), nil
}

func (s *store) UpdateAsset(_ context.Context, id vod.AssetID, change func(*vod.Asset) error) (vod.Asset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.assets {
		if s.assets[i].ID == id {
			s.version++
			return s.assets[i], change(&s.assets[i])
		}
	}
	return vod.Asset{}, vod.ErrNotFound
}

func (s *store) PutMedia(_ context.Context, m vod.Media) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.media[m.ID] = m
	s.version++
	for i := range s.assets {
		if s.assets[i].ID == m.Asset && m.Asset != "" {
			s.assets[i].State, s.assets[i].Media, s.assets[i].Revision = vod.Ready, m.ID, m.Revision
		}
	}
	return nil
}

func (s *store) Media(_ context.Context, id vod.MediaID) (vod.Media, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.media[id]
	if !ok {
		return m, vod.ErrNotFound
	}
	s.loads[id]++
	return m, nil
}

func (s *store) Journal(_ context.Context, f stream.Feed) (timeline.Journal, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row := s.journals[f]; row != nil {
		return row.journal, row.revision, nil
	}
	return timeline.Journal{}, 0, nil
}

func (s *store) AppendJournal(_ context.Context, f stream.Feed, revision int64, from int, entries []timeline.Entry, closed bool, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rival := s.rival; rival != nil {
		s.rival = nil
		s.mu.Unlock()
		rival()
		s.mu.Lock()
	}
	row := s.journals[f]
	if row == nil {
		row = &journalRow{}
	}
	if row.revision != revision {
		return stream.ErrConflict
	}
	next := slices.Concat(row.journal.Entries[:from], entries)
	s.journals[f] = &journalRow{timeline.Journal{Entries: next, Closed: closed}, revision + 1}
	s.version++
	return nil
}

func (s *store) Open(_ context.Context, key storage.Key) (storage.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.objects[key]
	if !ok {
		return nil, storage.ErrNotFound
	}
	return object{bytes.NewReader(b)}, nil
}

type object struct{ *bytes.Reader }

func (o object) Close() error { return nil }
func (o object) Size() int64  { return o.Reader.Size() }

// MakeSlate makes a slate of fake segments: see retime.
func (s *store) MakeSlate(_ context.Context, spec stream.SlateSpec) (vod.Media, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return vod.Media{}, s.fail
	}
	s.slates = append(s.slates, spec)
	m := vod.Media{ID: spec.ID, Loop: true, Nominal: timeline.SlateNominal, Last: 112 * frame25}
	add := func(r vod.Rendition, samples, size int) {
		template := fakeSegment(samples, size)
		r.Object, r.InitSize = "slates/"+string(spec.ID)+"/"+r.Name, 800
		r.Segments = []vod.Segment{{Offset: 800, Size: int64(len(template)), IFrame: int64(8 + 16*samples + 8 + size)}}
		s.objects[storage.Key(r.Object)] = append(make([]byte, 800), template...)
		m.Renditions = append(m.Renditions, r)
	}
	for _, v := range ladder {
		add(vod.Rendition{Name: v.name, Kind: vod.Video, Codec: v.codec, Width: v.width, Height: v.height, Frame: frame25}, 112, v.height*20)
	}
	for _, l := range spec.Languages {
		add(vod.Rendition{Name: "a-" + l, Kind: vod.Audio, Language: l, Codec: "mp4a.40.2", Channels: 2}, 210, 6)
		add(vod.Rendition{Name: "al-" + l, Kind: vod.Audio, Language: l, Codec: "mp4a.40.2", Channels: 2}, 210, 6)
	}
	return m, nil
}

// fakeSegment is a moof with 16 bytes a sample and an mdat whose first sample has size bytes, the others 10.
func fakeSegment(samples, size int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+16*samples))
	b = append(b, "moof"...)
	b = append(b, make([]byte, 16*samples)...)
	b = binary.BigEndian.AppendUint32(b, uint32(8+size+10*(samples-1)))
	b = append(b, "mdat"...)
	return append(b, make([]byte, size+10*(samples-1))...)
}

// retime stands for cmaf.Retime.
func retime(_ []byte, _, template []byte, index int, nominal, length int64) ([]byte, error) {
	moof := int(binary.BigEndian.Uint32(template))
	samples := (moof - 8) / 16
	size := len(template) - moof - 8 - 10*(samples-1)
	unit := int64(112*frame25) / int64(samples)
	return fakeSegment(max(1, int(length/unit)), size), nil
}

var ladder = []struct {
	name          string
	width, height int
	codec         string
	bytes         int64 // of a segment
}{
	{"v1080", 1920, 1080, "avc1.640028", 900_000},
	{"v720", 1280, 720, "avc1.64001f", 500_000},
	{"v540", 960, 540, "avc1.64001f", 300_000},
	{"v360", 640, 360, "avc1.64001e", 150_000},
	{"v234", 416, 234, "avc1.640015", 40_000},
}

// film says what a recording has.
type film struct {
	asset    string
	length   timeline.Ticks
	frame    timeline.Ticks
	top      int // lines of the highest rung
	sounds   []string
	captions []string
}

// media makes the media of a film, the same for the same film and revision.
func (f film) media(revision int) vod.Media {
	m := vod.Media{
		ID: vod.MediaID(fmt.Sprintf("m%s%d%s", f.asset, revision, strings.Repeat("x", 26))[:26]), Asset: vod.AssetID(f.asset), Revision: revision,
		NameKey: bytes.Repeat([]byte{byte(len(f.asset)), byte(revision)}, 16), Nominal: 96 * frame25, Poster: f.asset + "/poster", Sprites: []string{f.asset + "/sprite"},
	}
	if f.frame == frame30 {
		m.Nominal = 128 * frame30
	}
	m.Count = int((f.length + m.Nominal - 1) / m.Nominal)
	m.Last = f.length - timeline.Ticks(m.Count-1)*m.Nominal
	if m.Last < timeline.ShortestSegment && m.Last+m.Nominal < 9*timeline.TicksPerSecond/2 && m.Count > 1 {
		m.Count, m.Last = m.Count-1, m.Last+m.Nominal
	}
	add := func(r vod.Rendition, init, size int64) {
		r.Object, r.InitSize = fmt.Sprintf("%s/%d/%s", f.asset, revision, r.Name), init
		at := init
		for i := range m.Count {
			ticks := m.Nominal
			if i == m.Count-1 {
				ticks = m.Last
			}
			s := vod.Segment{Offset: at, Size: (size + size/10*int64(i%3)) * int64(ticks) / int64(m.Nominal)}
			if r.Kind == vod.Video {
				s.IFrame = s.Size / 5
			}
			at += s.Size
			r.Segments = append(r.Segments, s)
		}
		m.Renditions = append(m.Renditions, r)
	}
	for _, v := range ladder {
		if v.height <= f.top || v.height == 234 {
			add(vod.Rendition{Name: v.name, Kind: vod.Video, Codec: v.codec, Width: v.width, Height: v.height, Frame: f.frame}, 800, v.bytes)
		}
	}
	for _, l := range f.sounds {
		add(vod.Rendition{Name: "a-" + l, Kind: vod.Audio, Language: l, Codec: "mp4a.40.2", Channels: 2}, 700, 63_000)
		add(vod.Rendition{Name: "al-" + l, Kind: vod.Audio, Language: l, Codec: "mp4a.40.2", Channels: 2}, 700, 32_000)
	}
	for _, l := range f.captions {
		add(vod.Rendition{Name: "s-" + l, Kind: vod.Subtitles, Language: l, Codec: "wvtt"}, 0, 300)
	}
	return m
}

// world is a store, a clock and a Playout.
type world struct {
	tb    testing.TB
	store *store
	mu    sync.Mutex
	now   time.Time
	*stream.Playout
}

func newWorld(tb testing.TB, s *store, now time.Time, cfg stream.Config) *world {
	tb.Helper()
	return newWorldOn(tb, &world{tb: tb, store: s, now: now}, s, cfg)
}

// objects is what a Playout needs of storage.Store.
type objects interface {
	Open(ctx context.Context, key storage.Key) (storage.Object, error)
}

// newWorldOn gives a world its Playout, which reads objects from another store.
func newWorldOn(tb testing.TB, w *world, objects objects, cfg stream.Config) *world {
	tb.Helper()
	s := w.store
	p, err := stream.New(cfg, stream.Deps{
		Events: s, Library: s, Journals: s, Slates: s, Objects: objects,
		Secret: []byte("a secret that all nodes share"), Log: slog.New(slog.DiscardHandler), Now: w.clock, Wait: w.wait,
	})
	if err != nil {
		tb.Fatal(err)
	}
	p.SetRetime(retime)
	p.SetEmpty([]byte("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\n"))
	w.Playout = p
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// wait lets time pass at once.
func (w *world) wait(ctx context.Context, until time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if until.After(w.now) {
		w.now = until
	}
	return ctx.Err()
}

func (w *world) at(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now
}

func (w *world) refresh() {
	w.tb.Helper()
	if err := w.Refresh(context.Background()); err != nil {
		w.tb.Fatal(err)
	}
}

// settle turns until all slates are made and planned.
func (w *world) settle() {
	w.tb.Helper()
	for range 3 {
		w.refresh()
		if err := w.MakeSlates(context.Background()); err != nil {
			w.tb.Fatal(err)
		}
	}
	w.refresh()
}

func (w *world) addFilm(f film, revision int) vod.Media {
	w.tb.Helper()
	ctx := context.Background()
	if _, err := w.store.Asset(ctx, vod.AssetID(f.asset)); err != nil {
		if err := w.store.CreateAsset(ctx, vod.Asset{ID: vod.AssetID(f.asset), State: vod.Processing}); err != nil {
			w.tb.Fatal(err)
		}
	}
	m := f.media(revision)
	if err := w.store.PutMedia(ctx, m); err != nil {
		w.tb.Fatal(err)
	}
	return m
}

func (w *world) put(e event.Event) {
	w.tb.Helper()
	if _, err := w.store.PutEvent(context.Background(), e); err != nil {
		w.tb.Fatal(err)
	}
}

// conference is the programme of the golden tests: one auditorium open for six
// minutes, a bilingual talk at 14:00, one with a film in French only at 14:03.
func conference() event.Event {
	return event.Event{
		ID: "conf", Title: event.Text{"fr": "Journées d’automne", "en": "Autumn days"}, Languages: []event.Language{"fr", "en"}, Zone: "Europe/Paris",
		Auditoriums: []event.Auditorium{{
			ID: "main", Title: event.Text{"fr": "Grande salle", "en": "Main hall"}, Opens: doors, Closes: doors.Add(8 * time.Minute),
		}},
		Talks: []event.Talk{
			{
				ID: "sea", Auditorium: "main", Title: event.Text{"fr": "La mer", "en": "The sea"}, Starts: doors.Add(2 * time.Minute), Slot: 2 * time.Minute,
				Films: map[event.Language]string{"fr": "sea", "en": "sea"}, Spoken: "fr",
			},
			{
				ID: "sky", Auditorium: "main", Title: event.Text{"fr": "Le ciel", "en": "The sky"}, Starts: doors.Add(5 * time.Minute), Slot: time.Minute,
				Films: map[event.Language]string{"fr": "sky"}, Spoken: "fr",
			},
		},
	}
}

func seaFilm() film {
	return film{asset: "sea", length: 15360 * 261, frame: frame25, top: 720, sounds: []string{"fr", "en"}, captions: []string{"fr"}}
}

func skyFilm() film {
	return film{asset: "sky", length: 25600 * 80, frame: frame30, top: 360, sounds: []string{"fr"}}
}

// onAir is the conference with both films ready and all slates made.
func onAir(tb testing.TB, cfg stream.Config) *world {
	tb.Helper()
	w := newWorld(tb, newStore(), doors.Add(-time.Hour), cfg)
	w.addFilm(seaFilm(), 1)
	w.addFilm(skyFilm(), 1)
	w.put(conference())
	w.settle()
	return w
}

func live(l event.Language) stream.Address {
	return stream.Address{View: stream.Live, Event: "conf", Auditorium: "main", Language: l}
}

func startOver(talk event.TalkID, l event.Language) stream.Address {
	return stream.Address{View: stream.StartOver, Event: "conf", Talk: talk, Language: l}
}

func replay(talk event.TalkID, l event.Language) stream.Address {
	return stream.Address{View: stream.Replay, Event: "conf", Talk: talk, Language: l}
}

func anyone(event.AuditoriumID, event.TalkID) bool { return true }
