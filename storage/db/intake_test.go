package db_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reprise/api/mail"
	"reprise/event"
	"reprise/storage/db"
	"reprise/vod"
)

func testExtras(t *testing.T, d *db.DB) {
	ctx := t.Context()
	at := 12.5
	a := anAsset("a")
	a.Progress = vod.Progress{Stage: "encoding", Speed: 2.5, Left: time.Minute, Node: "n1"}
	a.Extras = vod.Extras{
		Captions: []vod.Captions{{Language: "fr", Object: "o", Shift: -0.5, At: noon}},
		Chapters: []vod.Chapter{}, // none, which is not the same as those of the file
		PosterAt: &at, Poster: "p",
	}
	a.First, a.Making = "first", "making"
	a.History = []vod.Revision{{Number: 1, Source: a.Source, Extras: a.Extras, Media: "m0", At: noon, Reason: "replaced"}}
	check(t, d.CreateAsset(ctx, a))
	equal(t, "stored", must[vod.Asset](t)(d.Asset(ctx, "a")), a)

	got := must[vod.Asset](t)(d.UpdateAsset(ctx, "a", func(x *vod.Asset) error {
		x.Extras, x.First = vod.Extras{}, ""
		for i := range 2 * vod.MaxHistory {
			x.History = append(x.History, vod.Revision{Number: 2 + i, At: noon})
		}
		return nil
	}))
	stored := must[vod.Asset](t)(d.Asset(ctx, "a"))
	if n := len(stored.History); n != vod.MaxHistory || stored.History[n-1].Number != 1+2*vod.MaxHistory {
		t.Errorf("%d past revisions, the last is %+v", n, stored.History[n-1])
	}
	if stored.Extras.Chapters != nil || stored.First != "" || stored.Making != "making" {
		t.Errorf("stored: %+v", stored)
	}
	got.History = stored.History
	equal(t, "changed", stored, got)
}

func testFirst(t *testing.T, d *db.DB) {
	ctx := t.Context()
	first := aMedia("first", "a", 1)
	first.Partial, first.Source = true, "s1"
	wantErr(t, "of an unknown asset", d.PutFirst(ctx, first), vod.ErrNotFound)
	check(t, d.CreateAsset(ctx, anAsset("a"))) // of source s1
	other := aMedia("other", "a", 1)
	other.Partial, other.Source = true, "s0"
	wantErr(t, "of another source", d.PutFirst(ctx, other), vod.ErrConflict)
	_, err := d.Media(ctx, "other")
	wantErr(t, "refused media", err, vod.ErrNotFound)

	before := must[int64](t)(d.Version(ctx))
	for range 2 {
		check(t, d.PutFirst(ctx, first))
	}
	equal(t, "first", must[vod.Media](t)(d.Media(ctx, "first")), first)
	want := anAsset("a")
	want.First, want.Updated = "first", noon
	equal(t, "asset", must[vod.Asset](t)(d.Asset(ctx, "a")), want)
	if now := must[int64](t)(d.Version(ctx)); now != before+1 {
		t.Errorf("version rose from %d to %d", before, now)
	}

	whole := aMedia("whole", "a", 1)
	whole.Source = "s0"
	wantErr(t, "whole, of another source", d.PutMedia(ctx, whole), vod.ErrConflict)
	equal(t, "after the refusal", must[vod.Asset](t)(d.Asset(ctx, "a")), want)
	_, err = d.UpdateAsset(ctx, "a", func(a *vod.Asset) error { a.Making = "whole"; return nil })
	check(t, err)
	whole.Source = "s1"
	for range 2 {
		check(t, d.PutMedia(ctx, whole))
	}
	want.State, want.Percent, want.Revision, want.Media, want.First = vod.Ready, 100, 1, "whole", ""
	equal(t, "ready", must[vod.Asset](t)(d.Asset(ctx, "a")), want)

	late := aMedia("late", "a", 1)
	late.Partial, late.Source = true, "s1"
	wantErr(t, "after the whole", d.PutFirst(ctx, late), vod.ErrConflict)
	check(t, d.PutFirst(ctx, first)) // a late repeat
	equal(t, "still ready", must[vod.Asset](t)(d.Asset(ctx, "a")), want)

	// The film is replaced: the media stays, and what is made of the old one comes too late.
	_, err = d.UpdateAsset(ctx, "a", func(a *vod.Asset) error { a.Source.ID, a.State = "s2", vod.Uploaded; return nil })
	check(t, err)
	again := aMedia("again", "a", 2)
	again.Source = "s1"
	wantErr(t, "after the replacement", d.PutMedia(ctx, again), vod.ErrConflict)
	if a := must[vod.Asset](t)(d.Asset(ctx, "a")); a.Media != "whole" || a.State != vod.Uploaded {
		t.Errorf("after the replacement: %+v", a)
	}
}

// testMaking: what woke up late undoes nothing.
func testMaking(t *testing.T, d *db.DB) {
	ctx := t.Context()
	check(t, d.CreateAsset(ctx, anAsset("a"))) // of source s1
	making := func(id vod.MediaID) {
		t.Helper()
		_, err := d.UpdateAsset(ctx, "a", func(a *vod.Asset) error { a.Making = id; return nil })
		check(t, err)
	}
	put := func(id string, revision int) error {
		m := aMedia(id, "a", revision)
		m.Source = "s1"
		return d.PutMedia(ctx, m)
	}
	making("m1")
	wantErr(t, "another is being made", put("m0", 1), vod.ErrConflict)
	check(t, put("m1", 1))
	wantErr(t, "none is being made", put("m0", 2), vod.ErrConflict)
	making("m2")
	check(t, put("m2", 2))
	if a := must[vod.Asset](t)(d.Asset(ctx, "a")); a.Media != "m2" || a.Making != "" {
		t.Errorf("asset: %+v", a)
	}
	_, err := d.Media(ctx, "m0")
	wantErr(t, "what came late", err, vod.ErrNotFound)
}

func testDeleteAsset(t *testing.T, d *db.DB) {
	ctx := t.Context()
	for _, id := range []string{"a", "b"} {
		check(t, d.CreateAsset(ctx, anAsset(id)))
		check(t, d.PutMedia(ctx, aMedia("m"+id, id, 1)))
		check(t, d.PutReport(ctx, vod.Report{Source: vod.SourceID("s" + id), Asset: vod.AssetID(id)}))
	}
	before := must[int64](t)(d.Version(ctx))
	for range 2 {
		check(t, d.DeleteAsset(ctx, "a"))
	}
	if now := must[int64](t)(d.Version(ctx)); now != before+1 {
		t.Errorf("version rose from %d to %d", before, now)
	}
	_, err := d.Asset(ctx, "a")
	wantErr(t, "asset", err, vod.ErrNotFound)
	_, err = d.Media(ctx, "ma")
	wantErr(t, "media", err, vod.ErrNotFound)
	_, err = d.Report(ctx, "sa")
	wantErr(t, "report", err, vod.ErrNotFound)
	must[vod.Asset](t)(d.Asset(ctx, "b"))
	must[vod.Media](t)(d.Media(ctx, "mb"))
	must[vod.Report](t)(d.Report(ctx, "sb"))

	// Deleted and finished at once: either order will do, and nothing is left.
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 20 {
			if err := d.PutMedia(ctx, aMedia(fmt.Sprint("n", i), "b", 1)); err != nil && !errors.Is(err, vod.ErrNotFound) {
				t.Errorf("put: %v", err)
			}
		}
	})
	wg.Go(func() {
		if err := d.DeleteAsset(ctx, "b"); err != nil {
			t.Errorf("delete: %v", err)
		}
	})
	wg.Wait()
	_, err = d.Asset(ctx, "b")
	wantErr(t, "asset", err, vod.ErrNotFound)
}

func testReports(t *testing.T, d *db.DB) {
	ctx := t.Context()
	_, err := d.Report(ctx, "s1")
	wantErr(t, "no report", err, vod.ErrNotFound)
	r := vod.Report{
		Source: "s1", Asset: "a", Made: noon, Verdict: vod.VerdictRemarks, Duration: 3600.25, Format: "MP4",
		Findings: []vod.Finding{{Code: "black", FR: "Image noire", EN: "Black picture", Spans: []vod.Span{{From: 1, To: 9}}}},
		Picture:  &vod.Picture{Codec: "h264", Width: 1280, Height: 720},
		Sounds:   []vod.Sound{{Language: "fr", Loudness: -23.1, Offsets: []vod.Offset{{At: 1, Offset: 0.01}}}},
		Captions: []string{},
	}
	check(t, d.PutReport(ctx, r))
	equal(t, "report", must[vod.Report](t)(d.Report(ctx, "s1")), r)
	r.Complete, r.Made = true, noon.Add(time.Minute)
	check(t, d.PutReport(ctx, r))
	equal(t, "replaced", must[vod.Report](t)(d.Report(ctx, "s1")), r)
}

func anUpload(id, of string, created time.Time) vod.Upload {
	return vod.Upload{
		ID: vod.UploadID(id), State: vod.UploadOpen, Owner: "staff", HandIn: "h", Event: of, Talk: "t1", Languages: []string{"fr"}, Asset: "a",
		Name: "Zoé.mp4", Type: "video/mp4", Language: "fr", By: "Zoé", Fingerprint: "f", Size: 1 << 40, Offset: 7, Object: "uploads/x",
		SHA256: "ab", Hash: []byte{0, 255}, Hashed: 7, Created: created, Touched: created, Expires: created.Add(time.Hour),
	}
}

func testUploads(t *testing.T, d *db.DB) {
	ctx := t.Context()
	_, err := d.Upload(ctx, "none")
	wantErr(t, "unknown upload", err, vod.ErrNotFound)
	b, a, other := anUpload("b", "e", noon), anUpload("a", "e", noon.Add(-time.Hour)), anUpload("c", "f", noon.Add(-2*time.Hour))
	for _, u := range []vod.Upload{b, a, other} {
		check(t, d.CreateUpload(ctx, u))
	}
	wantErr(t, "create twice", d.CreateUpload(ctx, b), vod.ErrConflict)
	equal(t, "of an event", must[[]vod.Upload](t)(d.Uploads(ctx, "e")), []vod.Upload{a, b})
	equal(t, "of all", must[[]vod.Upload](t)(d.Uploads(ctx, "")), []vod.Upload{other, a, b})
	equal(t, "of none", must[[]vod.Upload](t)(d.Uploads(ctx, "g")), []vod.Upload(nil))

	b.State, b.Offset, b.Touched = vod.UploadComplete, b.Size, noon.Add(time.Minute)
	got := must[vod.Upload](t)(d.UpdateUpload(ctx, "b", func(u *vod.Upload) error {
		u.State, u.Offset, u.Touched = vod.UploadComplete, u.Size, noon.Add(time.Minute).In(time.FixedZone("", 3600))
		u.ID, u.Event, u.Created = "z", "z", time.Time{} // not to be changed
		return nil
	}))
	equal(t, "returned", got, b)
	equal(t, "stored", must[vod.Upload](t)(d.Upload(ctx, "b")), b)
	refused := errors.New("refused")
	_, err = d.UpdateUpload(ctx, "b", func(u *vod.Upload) error { u.Name = "lost"; return refused })
	wantErr(t, "change refuses", err, refused)
	_, err = d.UpdateUpload(ctx, "none", func(*vod.Upload) error { return nil })
	wantErr(t, "unknown upload", err, vod.ErrNotFound)
	equal(t, "nothing written", must[vod.Upload](t)(d.Upload(ctx, "b")), b)

	for range 2 {
		check(t, d.DeleteUpload(ctx, "b"))
	}
	_, err = d.Upload(ctx, "b")
	wantErr(t, "deleted", err, vod.ErrNotFound)
}

func testLeases(t *testing.T, d *db.DB) {
	ctx := t.Context()
	acquire := func(what, holder string, now time.Time, want bool) {
		t.Helper()
		if ok, err := d.AcquireLease(ctx, "x", holder, now, now.Add(time.Minute)); err != nil || ok != want {
			t.Errorf("%s: %v, %v", what, ok, err)
		}
	}
	renew := func(what, holder string, now time.Time, wantHeld, wantWanted bool) {
		t.Helper()
		if held, wanted, err := d.RenewLease(ctx, "x", holder, now.Add(time.Minute)); err != nil || held != wantHeld || wanted != wantWanted {
			t.Errorf("%s: held %v, wanted %v, %v", what, held, wanted, err)
		}
	}
	renew("of nobody", "a", noon, false, false)
	acquire("free", "a", noon, true)
	renew("nobody waits", "a", noon, true, false)
	acquire("one's own", "a", noon, true)
	renew("own again", "a", noon, true, false)
	acquire("another's", "b", noon, false)
	renew("somebody waits", "a", noon, true, true)
	acquire("one's own, wanted", "a", noon, true)
	renew("somebody still waits", "a", noon, true, true)
	renew("not the holder", "b", noon, false, false)
	check(t, d.ReleaseLease(ctx, "x", "b")) // another's: left alone
	acquire("still another's", "b", noon, false)
	check(t, d.ReleaseLease(ctx, "x", "a"))
	acquire("given back", "b", noon, true)
	renew("not wanted by its holder", "b", noon, true, false)
	acquire("over at this instant", "c", noon.Add(time.Minute), true)
	renew("taken over", "b", noon, false, false)
	renew("who waited asks again", "c", noon, true, false)
	// What nobody gave back is cleared away a day after its end.
	if ok, err := d.AcquireLease(ctx, "y", "a", noon.Add(48*time.Hour), noon.Add(49*time.Hour)); err != nil || !ok {
		t.Errorf("another lease: %v, %v", ok, err)
	}
	renew("cleared away", "c", noon, false, false)
}

// testLeaseRace: of many who ask at once one gets the lease.
func testLeaseRace(t *testing.T, d *db.DB) {
	for range 10 {
		var (
			wg  sync.WaitGroup
			got atomic.Int32
		)
		for holder := range 8 {
			wg.Go(func() {
				ok, err := d.AcquireLease(t.Context(), "x", string(rune('a'+holder)), noon, noon.Add(time.Minute))
				if err != nil {
					t.Errorf("acquire: %v", err)
				}
				if ok {
					got.Add(1)
				}
			})
		}
		wg.Wait()
		if n := got.Load(); n != 1 {
			t.Errorf("%d have the lease", n)
		}
		for holder := range 8 {
			check(t, d.ReleaseLease(t.Context(), "x", string(rune('a'+holder))))
		}
	}
}

func testHandIns(t *testing.T, d *db.DB) {
	ctx := t.Context()
	_, err := d.HandIn(ctx, "none")
	wantErr(t, "unknown hand-in", err, event.ErrNotFound)
	h := event.HandIn{
		ID: "b", Event: "e", Talk: "t1", Languages: []event.Language{"fr"}, Name: "Zoé", Email: "zoe@example.org", Language: "fr",
		Deadline: noon.Add(time.Hour), Lock: noon.Add(2 * time.Hour), Organizer: "org@example.org", Message: "À bientôt", Created: noon,
	}
	check(t, d.CreateHandIn(ctx, h))
	wantErr(t, "create twice", d.CreateHandIn(ctx, h), event.ErrConflict)
	check(t, d.CreateHandIn(ctx, event.HandIn{ID: "a", Event: "e"}))
	check(t, d.CreateHandIn(ctx, event.HandIn{ID: "c", Event: "f"}))
	equal(t, "stored", must[event.HandIn](t)(d.HandIn(ctx, "b")), h)
	equal(t, "of an event", must[[]event.HandIn](t)(d.HandIns(ctx, "e")), []event.HandIn{{ID: "a", Event: "e", Created: noon}, h})

	h.Accepted, h.Terms = noon, "2"
	equal(t, "changed", must[event.HandIn](t)(d.UpdateHandIn(ctx, "b", func(x *event.HandIn) error {
		x.Accepted, x.Terms = noon, "2"
		x.ID, x.Event, x.Created = "z", "z", time.Time{} // not to be changed
		return nil
	})), h)
	equal(t, "stored", must[event.HandIn](t)(d.HandIn(ctx, "b")), h)
	_, err = d.UpdateHandIn(ctx, "none", func(*event.HandIn) error { return nil })
	wantErr(t, "unknown hand-in", err, event.ErrNotFound)
}

func testMails(t *testing.T, d *db.DB) {
	ctx := t.Context()
	_, err := d.Mail(ctx, "none")
	wantErr(t, "unknown letter", err, mail.ErrNotFound)
	m := mail.Message{
		ID: "b", Kind: mail.Invitation, Event: "e", HandIn: "h", To: "zoe@example.org", ReplyTo: "org@example.org", Language: "fr",
		Subject: "Votre film", Text: "…", HTML: "<p>…</p>", State: mail.Waiting, Created: noon,
	}
	check(t, d.PutMail(ctx, m))
	wantErr(t, "put twice", d.PutMail(ctx, m), mail.ErrConflict)
	check(t, d.PutMail(ctx, mail.Message{ID: "a", Event: "f", Created: noon.Add(-time.Hour)}))
	equal(t, "of an event", must[[]mail.Message](t)(d.Mails(ctx, "e")), []mail.Message{m})
	equal(t, "of all", must[[]mail.Message](t)(d.Mails(ctx, "")), []mail.Message{{ID: "a", Event: "f", Created: noon.Add(-time.Hour)}, m})
	m.State, m.Attempts, m.Reason, m.Sent, m.Text = mail.Sent, 2, "250", noon, ""
	equal(t, "changed", must[mail.Message](t)(d.UpdateMail(ctx, "b", func(x *mail.Message) error {
		x.State, x.Attempts, x.Reason, x.Sent, x.Text = mail.Sent, 2, "250", noon, ""
		return nil
	})), m)
	equal(t, "stored", must[mail.Message](t)(d.Mail(ctx, "b")), m)
	_, err = d.UpdateMail(ctx, "none", func(*mail.Message) error { return nil })
	wantErr(t, "unknown letter", err, mail.ErrNotFound)
}

// testOddText: what people and hostile clients send is text that not every engine can hold.
func testOddText(t *testing.T, d *db.DB) {
	ctx := t.Context()
	for _, odd := range []string{"a\x00b", "a\xffb"} {
		_, err := d.Asset(ctx, vod.AssetID(odd))
		wantErr(t, "asset", err, vod.ErrNotFound)
		_, err = d.UpdateAsset(ctx, vod.AssetID(odd), func(*vod.Asset) error { return nil })
		wantErr(t, "change of asset", err, vod.ErrNotFound)
		_, err = d.Media(ctx, vod.MediaID(odd))
		wantErr(t, "media", err, vod.ErrNotFound)
		_, err = d.Report(ctx, vod.SourceID(odd))
		wantErr(t, "report", err, vod.ErrNotFound)
		_, err = d.Upload(ctx, vod.UploadID(odd))
		wantErr(t, "upload", err, vod.ErrNotFound)
		_, err = d.HandIn(ctx, event.HandInID(odd))
		wantErr(t, "hand-in", err, event.ErrNotFound)
		_, err = d.Event(ctx, event.ID(odd))
		wantErr(t, "event", err, event.ErrNotFound)
		equal(t, "uploads", must[[]vod.Upload](t)(d.Uploads(ctx, odd)), []vod.Upload(nil))
	}
	check(t, d.CreateAsset(ctx, vod.Asset{ID: "a", Title: "x\x00y\xffz", Source: vod.Source{Name: "n\x00m"}}))
	if a := must[vod.Asset](t)(d.Asset(ctx, "a")); a.Title != "x\uFFFDy\uFFFDz" || a.Source.Name != "n\x00m" {
		t.Errorf("stored: %q %q", a.Title, a.Source.Name)
	}
}
