package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/api/token"
	"reprise/event"
	"reprise/storage/db"
	"reprise/storage/dbtest"
	"reprise/stream"
	"reprise/stream/timeline"
	"reprise/vod"
)

// engines are the databases that the suite runs on; each makes an empty one and says where.
var engines = map[string]func(t testing.TB) (where string){
	"sqlite":     func(t testing.TB) string { return filepath.Join(t.TempDir(), "reprise.db") },
	"postgresql": dbtest.Postgres,
}

// onEach runs a test on every engine.
func onEach(t *testing.T, test func(t *testing.T, where string)) {
	t.Helper()
	t.Parallel()
	for name, create := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, create(t))
		})
	}
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 123456000, time.UTC)

func open(t *testing.T, where string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{DSN: where, Now: func() time.Time { return noon }}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// TestConformance runs every query of the package on every engine.
func TestConformance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		test func(t *testing.T, d *db.DB)
	}{
		{"assets", testAssets},
		{"asset changed from two sides", testAssetChange},
		{"put media", testPutMedia},
		{"media as large as an hour", testLargeMedia},
		{"extras and history", testExtras},
		{"first rendition", testFirst},
		{"made twice", testMaking},
		{"deletion", testDeleteAsset},
		{"reports", testReports},
		{"uploads", testUploads},
		{"leases", testLeases},
		{"leases asked for at once", testLeaseRace},
		{"hand-ins", testHandIns},
		{"letters", testMails},
		{"odd text", testOddText},
		{"events", testEvents},
		{"event conflicts", testEventConflict},
		{"journal", testJournal},
		{"journal against a model", testJournalModel},
		{"journal conflicts", testJournalConflict},
		{"keys", testKeys},
		{"secrets", testSecrets},
		{"version", testVersion},
		{"eight writers", testWriters},
		{"ended context", testContext},
	}
	for name, create := range engines {
		for _, tt := range tests {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				tt.test(t, open(t, create(t)))
			})
		}
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, doing string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", doing, got, want)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func anAsset(id string) vod.Asset {
	return vod.Asset{
		ID: vod.AssetID(id), Title: "L'œuvre « ouverte »", State: vod.Probing, Percent: 12.5, Verdict: vod.VerdictRemarks,
		Findings: []vod.Finding{{Code: "variable-frame-rate", FR: "Cadence variable", EN: "Variable frame rate"}},
		Source: vod.Source{
			ID: "s1", Name: "talk.mp4", Object: "sources/x", Size: 1 << 40, SHA256: "ab", Fingerprint: "cd",
			Captions: []vod.Captions{{Language: "fr", Object: "sources/y"}}, Language: "fr",
		},
		Created: noon.Add(-time.Hour), Updated: noon.Add(-time.Minute),
	}
}

func testAssets(t *testing.T, d *db.DB) {
	ctx := t.Context()
	equal(t, "no assets", must[[]vod.Asset](t)(d.Assets(ctx)), []vod.Asset(nil))
	_, err := d.Asset(ctx, "none")
	wantErr(t, "unknown asset", err, vod.ErrNotFound)

	b := anAsset("b")
	check(t, d.CreateAsset(ctx, b))
	wantErr(t, "create twice", d.CreateAsset(ctx, vod.Asset{ID: "b"}), vod.ErrConflict)
	equal(t, "asset", must[vod.Asset](t)(d.Asset(ctx, "b")), b)

	old := anAsset("z")
	old.Created = b.Created.Add(-time.Second)
	check(t, d.CreateAsset(ctx, old))
	check(t, d.CreateAsset(ctx, vod.Asset{ID: "a", State: vod.Uploaded}))
	list := must[[]vod.Asset](t)(d.Assets(ctx))
	equal(t, "oldest first", list, []vod.Asset{old, b, {ID: "a", State: vod.Uploaded, Created: noon, Updated: noon}})
}

func testAssetChange(t *testing.T, d *db.DB) {
	ctx := t.Context()
	a := anAsset("a")
	check(t, d.CreateAsset(ctx, a))
	a.State, a.Percent, a.Findings, a.Updated = vod.Failed, 0, nil, noon
	got := must[vod.Asset](t)(d.UpdateAsset(ctx, "a", func(x *vod.Asset) error {
		x.State, x.Percent, x.Findings = vod.Failed, 0, nil
		x.ID, x.Created = "other", time.Time{} // not to be changed
		return nil
	}))
	equal(t, "returned", got, a)
	equal(t, "stored", must[vod.Asset](t)(d.Asset(ctx, "a")), a)

	refused := errors.New("refused")
	_, err := d.UpdateAsset(ctx, "a", func(x *vod.Asset) error { x.Title = "lost"; return refused })
	wantErr(t, "change refuses", err, refused)
	equal(t, "nothing written", must[vod.Asset](t)(d.Asset(ctx, "a")), a)
	_, err = d.UpdateAsset(ctx, "none", func(*vod.Asset) error { t.Error("called for an unknown asset"); return nil })
	wantErr(t, "unknown asset", err, vod.ErrNotFound)

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if _, err := d.UpdateAsset(ctx, "a", func(x *vod.Asset) error { x.Percent++; return nil }); err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got := must[vod.Asset](t)(d.Asset(ctx, "a")); got.Percent != 40 {
		t.Errorf("%v of 40 changes are there", got.Percent)
	}
}

func aMedia(id string, asset string, revision int) vod.Media {
	return vod.Media{
		ID: vod.MediaID(id), Asset: vod.AssetID(asset), Revision: revision, NameKey: []byte{0, 1, 255},
		Nominal: 184320, Last: 960, Count: 2, Poster: "p", Sprites: []string{"s"},
		Chapters: []vod.Chapter{{Start: 1, Title: "é"}}, Loudness: -16.1,
		Renditions: []vod.Rendition{
			{
				Name: "v720", Kind: vod.Video, Codec: "avc1.64001f", Width: 1280, Height: 720, Frame: 1920, Object: "o", InitSize: 700,
				Segments: []vod.Segment{{Offset: 700, Size: 1000, IFrame: 50}, {Offset: 1700, Size: 1 << 33, IFrame: 60}},
			},
			{Name: "s-fr", Kind: vod.Subtitles, Language: "fr", Codec: "wvtt", Object: "o2", Segments: []vod.Segment{}},
			{Name: "a-fr", Kind: vod.Audio, Segments: []vod.Segment{{Offset: 90, Size: 1}, {Offset: 3, Size: 2}}}, // not back to back
			{Name: "none"},
		},
	}
}

func testPutMedia(t *testing.T, d *db.DB) {
	ctx := t.Context()
	_, err := d.Media(ctx, "none")
	wantErr(t, "unknown media", err, vod.ErrNotFound)
	wantErr(t, "media of an unknown asset", d.PutMedia(ctx, aMedia("m", "none", 1)), vod.ErrNotFound)
	_, err = d.Media(ctx, "m")
	wantErr(t, "after the failure", err, vod.ErrNotFound)

	slate := aMedia("slate", "", 0)
	check(t, d.PutMedia(ctx, slate))
	equal(t, "slate", must[vod.Media](t)(d.Media(ctx, "slate")), slate)

	check(t, d.CreateAsset(ctx, anAsset("a")))
	second := aMedia("m2", "a", 2)
	check(t, d.PutMedia(ctx, aMedia("m1", "a", 1)))
	for range 2 {
		check(t, d.PutMedia(ctx, second))
	}
	check(t, d.PutMedia(ctx, aMedia("m1", "a", 1))) // a late repeat
	equal(t, "media", must[vod.Media](t)(d.Media(ctx, "m2")), second)
	want := anAsset("a")
	want.State, want.Percent, want.Revision, want.Media, want.Updated = vod.Ready, 100, 2, "m2", noon
	equal(t, "asset", must[vod.Asset](t)(d.Asset(ctx, "a")), want)
	if second.Renditions[0].Segments == nil {
		t.Error("PutMedia changed its argument")
	}
}

// hour is the index of an hour of talk in thirteen renditions.
func hour(id string) vod.Media {
	r := rand.New(rand.NewPCG(1, 2))
	m := vod.Media{ID: vod.MediaID(id), Nominal: 184320, Last: 184320, Count: 940, NameKey: make([]byte, 32)}
	for i := range 13 {
		rendition := vod.Rendition{Name: fmt.Sprintf("v%d", i), Kind: vod.Video, Codec: "avc1.64001f", Object: "media/x/v", InitSize: 733}
		offset := rendition.InitSize
		for range 940 {
			s := vod.Segment{Offset: offset, Size: 900_000 + r.Int64N(900_000), IFrame: r.Int64N(60_000)}
			offset += s.Size
			rendition.Segments = append(rendition.Segments, s)
		}
		m.Renditions = append(m.Renditions, rendition)
	}
	return m
}

func testLargeMedia(t *testing.T, d *db.DB) {
	m := hour("hour")
	check(t, d.PutMedia(t.Context(), m))
	equal(t, "media", must[vod.Media](t)(d.Media(t.Context(), "hour")), m)
}

func anEvent(id string) event.Event {
	return event.Event{
		ID: event.ID(id), Title: event.Text{"fr": "Colloque", "en": "Conference"}, Languages: []event.Language{"fr", "en"},
		Zone: "America/Montreal", ReplayUntil: noon.AddDate(0, 3, 0),
		Auditoriums: []event.Auditorium{{ID: "main", Title: event.Text{"fr": "Grande salle"}, Opens: noon, Closes: noon.Add(8 * time.Hour)}},
		Talks: []event.Talk{{
			ID: "t1", Auditorium: "main", Title: event.Text{"fr": "Ouverture"}, Abstract: event.Text{"en": "…"}, Speakers: []string{"Zoé"},
			Starts: noon.Add(time.Hour), Slot: 30 * time.Minute, Films: map[event.Language]string{"fr": "a", "en": "b"}, Spoken: "fr",
		}, {ID: "t2"}},
	}
}

func testEvents(t *testing.T, d *db.DB) {
	ctx := t.Context()
	equal(t, "no events", must[[]event.Event](t)(d.Events(ctx)), []event.Event(nil))
	_, err := d.Event(ctx, "none")
	wantErr(t, "unknown event", err, event.ErrNotFound)

	want := anEvent("b")
	local := anEvent("b")
	local.Talks[0].Starts = local.Talks[0].Starts.In(time.FixedZone("", -5*3600))
	local.ReplayUntil = local.ReplayUntil.In(time.FixedZone("", -5*3600))
	want.Version = 1
	equal(t, "returned", must[event.Event](t)(d.PutEvent(ctx, local)), want)
	equal(t, "stored", must[event.Event](t)(d.Event(ctx, "b")), want)

	want.Talks, want.Title = want.Talks[:1], nil
	stored := must[event.Event](t)(d.PutEvent(ctx, want))
	want.Version = 2
	equal(t, "changed", stored, want)
	a := must[event.Event](t)(d.PutEvent(ctx, event.Event{ID: "a-b"}))
	c := must[event.Event](t)(d.PutEvent(ctx, event.Event{ID: "aa"})) // before a-b in a dictionary
	equal(t, "by id", must[[]event.Event](t)(d.Events(ctx)), []event.Event{a, c, want})
	if !a.ReplayUntil.IsZero() {
		t.Errorf("zero instant came back as %v", a.ReplayUntil)
	}
}

func testEventConflict(t *testing.T, d *db.DB) {
	ctx := t.Context()
	one := must[event.Event](t)(d.PutEvent(ctx, anEvent("e")))
	two := must[event.Event](t)(d.PutEvent(ctx, one))
	for name, version := range map[string]int64{"new": 0, "stale": one.Version, "future": two.Version + 1} {
		e := anEvent("e")
		e.Version = version
		_, err := d.PutEvent(ctx, e)
		wantErr(t, name, err, event.ErrConflict)
	}
	_, err := d.PutEvent(ctx, event.Event{ID: "none", Version: 3})
	wantErr(t, "vanished", err, event.ErrConflict)
	equal(t, "stored", must[event.Event](t)(d.Event(ctx, "e")), two)
}

var feed = stream.Feed{Event: "e", Auditorium: "main", Language: "fr"}

func entries(from, n int) []timeline.Entry {
	list := []timeline.Entry{}
	for i := from; i < from+n; i++ {
		list = append(list, timeline.Entry{
			AirStart: noon.Add(time.Duration(i)*time.Minute + 1), Source: timeline.Source{Kind: timeline.Recording, ID: fmt.Sprint(i)},
			Talk: "t", From: i, Count: 15, Nominal: 184320, Last: 7, BaseMSN: 15 * int64(i), BaseDSN: int64(i),
		})
	}
	return list
}

func testJournal(t *testing.T, d *db.DB) {
	ctx := t.Context()
	j, revision, err := d.Journal(ctx, feed)
	if err != nil || revision != 0 || len(j.Entries) != 0 || j.Closed {
		t.Fatalf("no journal: %+v %d %v", j, revision, err)
	}
	check(t, d.AppendJournal(ctx, feed, 0, 0, entries(0, 5), false, noon))
	check(t, d.AppendJournal(ctx, feed, 1, 3, entries(100, 1), true, noon))
	check(t, d.AppendJournal(ctx, stream.Feed{Event: "e", Auditorium: "main", Language: "en"}, 0, 0, entries(7, 1), false, noon))
	j, revision, err = d.Journal(ctx, feed)
	if err != nil || revision != 2 {
		t.Fatalf("revision %d, %v", revision, err)
	}
	equal(t, "journal", j, timeline.Journal{Entries: append(entries(0, 3), entries(100, 1)...), Closed: true})

	check(t, d.AppendJournal(ctx, feed, 2, 4, nil, false, noon)) // opened again, nothing added
	j, _, err = d.Journal(ctx, feed)
	check(t, err)
	equal(t, "opened again", j, timeline.Journal{Entries: append(entries(0, 3), entries(100, 1)...)})
}

// testJournalModel compares with a journal kept in memory, over random edits.
func testJournalModel(t *testing.T, d *db.DB) {
	ctx := t.Context()
	r := rand.New(rand.NewPCG(3, 4))
	var model timeline.Journal
	for revision := range int64(60) {
		from := r.IntN(len(model.Entries) + 1)
		added := entries(1000*int(revision), r.IntN(4))
		model.Entries = append(slices.Clone(model.Entries[:from]), added...)
		model.Closed = r.IntN(5) == 0
		check(t, d.AppendJournal(ctx, feed, revision, from, added, model.Closed, noon))
		j, stored, err := d.Journal(ctx, feed)
		if err != nil || stored != revision+1 || j.Closed != model.Closed || !slices.Equal(j.Entries, model.Entries) {
			t.Fatalf("revision %d (stored %d, %v): got %+v, want %+v", revision+1, stored, err, j, model)
		}
	}
}

func testJournalConflict(t *testing.T, d *db.DB) {
	ctx := t.Context()
	check(t, d.AppendJournal(ctx, feed, 0, 0, entries(0, 2), false, noon))
	for _, revision := range []int64{0, 2, -1} {
		wantErr(t, fmt.Sprint("revision ", revision), d.AppendJournal(ctx, feed, revision, 0, entries(5, 1), false, noon), stream.ErrConflict)
	}
	for _, from := range []int{-1, 3} {
		if err := d.AppendJournal(ctx, feed, 1, from, entries(5, 1), false, noon); err == nil || errors.Is(err, stream.ErrConflict) {
			t.Errorf("from %d: %v", from, err)
		}
	}
	// Four nodes plan at once: one revision each is kept, the others hear of it.
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		kept int
	)
	for range 4 {
		wg.Go(func() {
			for range 10 {
				_, revision, err := d.Journal(ctx, feed)
				if err == nil {
					err = d.AppendJournal(ctx, feed, revision, 2, entries(2, 1), false, noon)
				}
				mu.Lock()
				if err == nil {
					kept++
				} else if !errors.Is(err, stream.ErrConflict) {
					t.Errorf("append: %v", err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	j, revision, err := d.Journal(ctx, feed)
	if err != nil || revision != int64(1+kept) || !slices.Equal(j.Entries, entries(0, 3)) {
		t.Errorf("revision %d after %d acknowledged, %v", revision, 1+kept, err)
	}
}

func testKeys(t *testing.T, d *db.DB) {
	ctx := t.Context()
	equal(t, "no keys", must[[]token.Key](t)(d.Keys(ctx)), []token.Key(nil))
	old := token.Key{ID: "old", Secret: []byte{0, 255}, Created: noon.Add(-time.Hour), NotAfter: noon}
	young := token.Key{ID: "new", Secret: []byte{1}, Created: noon}
	check(t, d.AddKey(ctx, young))
	check(t, d.AddKey(ctx, old))
	check(t, d.AddKey(ctx, token.Key{ID: "new", Secret: []byte{9}, Created: noon})) // never replaces
	equal(t, "keys", must[[]token.Key](t)(d.Keys(ctx)), []token.Key{old, young})
}

func testSecrets(t *testing.T, d *db.DB) {
	var (
		wg  sync.WaitGroup
		got [6][]byte
	)
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = d.Secret(t.Context(), "slates"); err != nil {
				t.Errorf("secret: %v", err)
			}
		})
	}
	wg.Wait()
	for _, b := range got {
		if len(b) != 32 || !bytes.Equal(b, got[0]) {
			t.Fatalf("secrets differ: %x %x", b, got[0])
		}
	}
	other := must[[]byte](t)(d.Secret(t.Context(), "other"))
	if bytes.Equal(other, got[0]) {
		t.Error("two names, one secret")
	}
}

func testVersion(t *testing.T, d *db.DB) {
	ctx := t.Context()
	check(t, d.Ping(ctx))
	last := must[int64](t)(d.Version(ctx))
	step := func(what string, raises bool, err error) {
		t.Helper()
		check(t, err)
		now := must[int64](t)(d.Version(ctx))
		if (now != last) != raises {
			t.Errorf("%s: version %d -> %d", what, last, now)
		}
		last = now
	}
	step("nothing", false, nil)
	step("create", true, d.CreateAsset(ctx, anAsset("a")))
	_, err := d.UpdateAsset(ctx, "a", func(a *vod.Asset) error { a.Percent = 99; return nil })
	step("progress", false, err)
	_, err = d.UpdateAsset(ctx, "a", func(a *vod.Asset) error { a.State = vod.Processing; return nil })
	step("state", true, err)
	_, err = d.UpdateAsset(ctx, "a", func(a *vod.Asset) error { a.Title = "new"; return nil })
	step("title", true, err)
	_, err = d.UpdateAsset(ctx, "a", func(a *vod.Asset) error {
		a.Progress.Stage, a.Making, a.Extras.Poster, a.Source.Preview = "encoding", "x", "p", "o"
		return nil
	})
	step("what playout does not see", false, err)
	step("upload", false, d.CreateUpload(ctx, anUpload("u", "e", noon)))
	step("media", true, d.PutMedia(ctx, aMedia("m", "a", 1)))
	_, err = d.PutEvent(ctx, anEvent("e"))
	step("event", true, err)
	step("journal", true, d.AppendJournal(ctx, feed, 0, 0, entries(0, 1), false, noon))
	if err := d.AppendJournal(ctx, feed, 0, 0, nil, false, noon); !errors.Is(err, stream.ErrConflict) {
		t.Error(err)
	}
	step("refused", false, nil)
}

// testWriters: 8 writers, 400 transactions, readers beside them, not one error.
func testWriters(t *testing.T, d *db.DB) {
	ctx := t.Context()
	before := must[int64](t)(d.Version(ctx))
	done, stop := context.WithCancel(ctx)
	defer stop()
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for done.Err() == nil {
				if _, err := d.Assets(ctx); err != nil {
					t.Errorf("read: %v", err)
					return
				}
			}
		})
	}
	for w := range 8 {
		writers.Go(func() {
			for i := range 50 {
				if err := d.CreateAsset(ctx, vod.Asset{ID: vod.AssetID(fmt.Sprintf("%d-%d", w, i))}); err != nil {
					t.Errorf("write: %v", err)
					return
				}
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
	if n := len(must[[]vod.Asset](t)(d.Assets(ctx))); n != 400 {
		t.Errorf("%d of 400 assets", n)
	}
	if v := must[int64](t)(d.Version(ctx)); v != before+400 {
		t.Errorf("version rose by %d", v-before)
	}
}

func testContext(t *testing.T, d *db.DB) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Assets(ctx)
	wantErr(t, "assets", err, context.Canceled)
	wantErr(t, "create", d.CreateAsset(ctx, anAsset("a")), context.Canceled)
	_, err = d.Secret(ctx, "s")
	wantErr(t, "secret", err, context.Canceled)
	if n := len(must[[]vod.Asset](t)(d.Assets(t.Context()))); n != 0 {
		t.Errorf("%d assets", n)
	}
}
