package ingest

import (
	"errors"
	"os"
	"testing"

	"reprise/storage"
	"reprise/vod"
)

func TestTakeMakesOneAsset(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	film := small(t, "1")
	data, err := os.ReadFile(film)
	if err != nil {
		t.Fatal(err)
	}
	u := w.upload(film, func(u *vod.Upload) {
		u.SHA256, u.By, u.Language = sumOfFile(t, film), "Anne\x00 Martin", "en"
		u.Hash, u.Hashed = hashState(t, data[:1000]), 1000
	})
	taken := w.take(u.ID)
	s := taken.Asset.Source
	if taken.Known || taken.Replaced || taken.Asset.State != vod.Uploaded || taken.Asset.Title != "talk-1" {
		t.Errorf("taken is %+v", taken)
	}
	if s.Object != u.Object || s.SHA256 != u.SHA256 || s.Size != u.Size || s.By != "Anne Martin" || s.Event != "congress" || s.Preview != s.Object {
		t.Errorf("source is %+v", s)
	}
	if again := w.take(u.ID); again.Asset.ID != taken.Asset.ID || again.Known {
		t.Errorf("taken again: %+v", again)
	}
	// A process that was killed before it noted the row finds its asset.
	w.setUpload(u.ID, func(u *vod.Upload) { u.State, u.Asset = vod.UploadComplete, "" })
	if again := w.take(u.ID); again.Asset.ID != taken.Asset.ID || again.Known || again.Replaced {
		t.Errorf("taken after a kill: %+v", again)
	}
	row, err := w.uploadRows().Upload(t.Context(), u.ID)
	if err != nil || row.State != vod.UploadTaken || row.Asset != taken.Asset.ID {
		t.Errorf("row is %+v, %v", row, err)
	}
	same := w.take(w.upload(film, nil).ID)
	if !same.Known || same.Asset.ID != taken.Asset.ID {
		t.Errorf("the same bytes: %+v", same)
	}
	other := w.take(w.upload(film, func(u *vod.Upload) { u.Event = "other" }).ID)
	if other.Known || other.Asset.ID == taken.Asset.ID {
		t.Errorf("the same bytes of another event: %+v", other)
	}
	w.checkObjects()
}

// What the store lost is mended by sending it again, not thrown away as known.
func TestTakeMendsALostFilm(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	film := small(t, "1")
	lost := w.take(w.upload(film, nil).ID).Asset
	if err := w.store.Delete(t.Context(), storage.Key(lost.Source.Object)); err != nil {
		t.Fatal(err)
	}
	for _, asset := range []vod.AssetID{lost.ID, ""} {
		u := w.upload(film, func(u *vod.Upload) { u.Asset = asset })
		taken := w.take(u.ID)
		if taken.Known || taken.Replaced != (asset != "") || taken.Asset.Source.Object != u.Object {
			t.Errorf("sent again for %q: %+v", asset, taken)
		}
		if _, err := w.store.Stat(t.Context(), storage.Key(u.Object)); err != nil {
			t.Errorf("sent again for %q: %v", asset, err)
		}
		if asset == "" {
			continue
		}
		if err := w.store.Delete(t.Context(), storage.Key(u.Object)); err != nil { // lost once more
			t.Fatal(err)
		}
	}
}

func (w *world) setUpload(id vod.UploadID, change func(*vod.Upload)) {
	w.t.Helper()
	if _, err := w.uploadRows().UpdateUpload(w.t.Context(), id, func(u *vod.Upload) error { change(u); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func TestTakeRefusesOtherBytes(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	film := write(t, t.TempDir()+"/film.mp4", "not these bytes")
	u := w.upload(film, func(u *vod.Upload) { u.SHA256 = "00" })
	for range 2 {
		if _, err := w.Take(t.Context(), w.uploadRows(), u.ID); !errors.Is(err, ErrRefused) {
			t.Errorf("error is %v", err)
		}
	}
	row, err := w.uploadRows().Upload(t.Context(), u.ID)
	if err != nil || row.State != vod.UploadRefused || row.Reason != "checksum" {
		t.Errorf("row is %+v, %v", row, err)
	}
	if keys := w.objects(); len(keys) > 0 {
		t.Errorf("objects are left: %v", keys)
	}
	open := w.upload(film, func(u *vod.Upload) { u.State = vod.UploadOpen })
	if _, err := w.Take(t.Context(), w.uploadRows(), open.ID); !errors.Is(err, ErrNotComplete) {
		t.Errorf("an open upload: %v", err)
	}
	if _, err := w.Take(t.Context(), w.uploadRows(), "none"); !errors.Is(err, vod.ErrNotFound) {
		t.Errorf("no upload: %v", err)
	}
	gone := w.upload(film, nil)
	if err := w.store.Delete(t.Context(), storage.Key(gone.Object)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Take(t.Context(), w.uploadRows(), gone.ID); !errors.Is(err, ErrRefused) {
		t.Errorf("an upload without its bytes: %v", err)
	}
}

func TestTakeReplacesAFilm(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{SweepAge: -1})
	first := w.take(w.upload(small(t, "1"), nil).ID)
	a, old := w.ready(first.Asset.ID)
	film := small(t, "2")
	u := w.upload(film, func(u *vod.Upload) { u.Asset = a.ID })
	taken := w.take(u.ID)
	if !taken.Replaced || taken.Known || taken.Asset.ID != a.ID || taken.Asset.State != vod.Uploaded || taken.Asset.Media != old.ID {
		t.Errorf("taken is %+v", taken)
	}
	w.setUpload(u.ID, func(u *vod.Upload) { u.State = vod.UploadComplete })
	if again := w.take(u.ID); !again.Replaced || len(again.Asset.History) != 1 {
		t.Errorf("taken after a kill: %+v", again)
	}
	if again := w.take(u.ID); !again.Replaced {
		t.Errorf("taken again: %+v", again)
	}
	if same := w.take(w.upload(film, func(u *vod.Upload) { u.Asset = a.ID }).ID); !same.Known || same.Replaced {
		t.Errorf("the same film again: %+v", same)
	}
	a, m := w.ready(a.ID)
	if a.Revision != 2 || m.Revision != 2 || m.Source != a.Source.ID || len(a.History) != 1 {
		t.Errorf("asset is %+v", a)
	}
	if h := a.History[0]; h.Number != 1 || h.Media != old.ID || h.Source.ID != first.Asset.Source.ID || h.Reason != "replaced" || h.At.IsZero() {
		t.Errorf("history is %+v", h)
	}
	w.checkObjects()
	if missing := w.take(w.upload(small(t, "3"), func(u *vod.Upload) { u.Asset = "gone" }).ID); missing.Replaced || missing.Asset.ID == "gone" {
		t.Errorf("the film of an asset that is gone: %+v", missing)
	}
}
