package ingest

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reprise/storage"
	"reprise/vod"
)

// fileUploads is a vod.Uploads in the folder of a fileLibrary: it outlives a killed process.
type fileUploads struct {
	vod.Leases // none is taken here
	files      *fileLibrary
}

func (f fileUploads) CreateUpload(_ context.Context, u vod.Upload) error {
	return f.files.locked(func() error { return f.files.write("upload", string(u.ID), u) })
}

func (f fileUploads) Upload(_ context.Context, id vod.UploadID) (u vod.Upload, err error) {
	err = f.files.locked(func() error { return f.files.read("upload", string(id), &u) })
	return u, err
}

func (f fileUploads) Uploads(context.Context, string) (all []vod.Upload, err error) {
	err = f.files.locked(func() error {
		paths, err := filepath.Glob(filepath.Join(f.files.dir, "upload-*.json"))
		for _, path := range paths {
			var u vod.Upload
			if err := f.files.read("upload", strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "upload-"), ".json"), &u); err != nil {
				return err
			}
			all = append(all, u)
		}
		return err
	})
	return all, err
}

func (f fileUploads) UpdateUpload(_ context.Context, id vod.UploadID, change func(*vod.Upload) error) (u vod.Upload, err error) {
	err = f.files.locked(func() error {
		if err := f.files.read("upload", string(id), &u); err != nil {
			return err
		}
		if err := change(&u); err != nil {
			return err
		}
		return f.files.write("upload", string(id), u)
	})
	return u, err
}

func (f fileUploads) DeleteUpload(_ context.Context, id vod.UploadID) error {
	return f.files.locked(func() error { return os.RemoveAll(f.files.path("upload", string(id))) })
}

// upload stores a file as a complete upload; change may alter its row.
func (w *world) upload(path string, change func(*vod.Upload)) vod.Upload {
	w.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	id := vod.UploadID(storage.RandomName())
	u := vod.Upload{
		ID: id, State: vod.UploadComplete, Event: "congress", Name: filepath.Base(path), Size: int64(len(data)), Offset: int64(len(data)),
		Object: "uploads/" + string(id) + "/film", Created: time.Now(),
	}
	if _, err := w.store.Put(w.t.Context(), storage.Key(u.Object), strings.NewReader(string(data))); err != nil {
		w.t.Fatal(err)
	}
	if change != nil {
		change(&u)
	}
	if err := w.uploadRows().CreateUpload(w.t.Context(), u); err != nil {
		w.t.Fatal(err)
	}
	return u
}

func (w *world) uploadRows() fileUploads { return fileUploads{files: w.library} }

// take takes an upload.
func (w *world) take(id vod.UploadID) Taken {
	w.t.Helper()
	taken, err := w.Take(w.t.Context(), w.uploadRows(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return taken
}

// asset reads an asset.
func (w *world) asset(id vod.AssetID) vod.Asset {
	w.t.Helper()
	a, err := w.library.Asset(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// ready processes an asset and returns it with its media.
func (w *world) ready(id vod.AssetID) (vod.Asset, vod.Media) {
	w.t.Helper()
	if err := w.Process(w.t.Context(), id, nil); err != nil {
		w.t.Fatal(err)
	}
	a := w.asset(id)
	return a, w.media(a)
}

// checkObjects checks that every object is named and every name has its object, after a sweep.
func (w *world) checkObjects() {
	w.t.Helper()
	if err := w.Sweep(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	there := map[string]bool{}
	for _, key := range w.objects() {
		there[key] = true
	}
	n := names{g: w.Ingester, objects: map[string]bool{}, making: map[vod.MediaID]bool{}, media: map[vod.MediaID]bool{}}
	if err := n.gather(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	for key := range n.objects {
		if key != "" && !there[key] {
			w.t.Errorf("%s is named and not there", key)
		}
	}
	for key := range there {
		if !n.objects[key] {
			w.t.Errorf("%s is there and not named", key)
		}
	}
}

// small makes a short film with sound; seed tells films apart.
func small(t *testing.T, seed string, more ...string) string {
	return makeFilm(t, filepath.Join(t.TempDir(), "talk-"+seed+".mp4"), append([]string{"-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1",
		"-f", "lavfi", "-i", "anoisesrc=d=1:c=pink:a=0.3:seed=" + seed, "-ac", "2", "-preset", "ultrafast", "-metadata:s:a:0", "language=fra"}, more...)...)
}

// hashState is the state of a SHA-256 over some bytes, as an upload's row keeps it.
func hashState(t *testing.T, data []byte) []byte {
	h := sha256.New()
	h.Write(data)
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func sumOfFile(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
