package uploads

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/vod"
)

// size is a film of two parts and a rest on S3.
const filmSize = 2*minPartSize + 700_001

func TestUpload(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		c := w.node("one")
		film := random(1, filmSize)
		location := c.create(len(film), map[string]string{
			"filename": "Conférence d’ouverture.mp4", "filetype": "video/mp4", "talk": "opening", "languages": "fr, en", "language": "fr",
			"asset": "a1", "fingerprint": "f1", "sha256": strings.ToUpper(hexSum(film)),
		})
		if !strings.HasPrefix(location, root) || !validID(strings.TrimPrefix(location, root)) {
			t.Fatalf("location %q", location)
		}
		a := c.head(location)
		if a.status != http.StatusOK || a.offset() != 0 || a.header.Get("Upload-Length") == "" || a.header.Get("Tus-Resumable") != "1.0.0" || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("head: %d %v", a.status, a.header)
		}
		if expires, err := http.ParseTime(a.header.Get("Upload-Expires")); err != nil || !expires.Equal(w.clock.now().Add(7*24*time.Hour)) {
			t.Errorf("expires %v: %v", expires, err)
		}
		for _, end := range []int{1, 3_000_000, minPartSize, minPartSize + 1, filmSize - 1, filmSize} {
			from := c.head(location).offset()
			a := c.patch(location, from, film[from:end])
			if a.status != http.StatusNoContent || a.offset() != int64(end) {
				t.Fatalf("patch to %d: %d %s, offset %d", end, a.status, a.code, a.offset())
			}
			if row := w.row(location); row.Offset != int64(end) || row.Hashed != int64(end) {
				t.Errorf("row at %d: offset %d, hashed %d", end, row.Offset, row.Hashed)
			}
		}
		row := w.row(location)
		want := vod.Upload{
			ID: row.ID, State: vod.UploadComplete, Owner: "ann", By: "ann", Event: "congress", Talk: "opening", Languages: []string{"fr", "en"},
			Asset: "a1", Name: "Conférence d’ouverture.mp4", Type: "video/mp4", Language: "fr", Fingerprint: "f1",
			Size: filmSize, Offset: filmSize, Hashed: filmSize, SHA256: hexSum(film), Object: string(objectKey(row.ID)),
			Created: row.Created, Touched: row.Touched, Expires: row.Expires,
		}
		if !slices.Equal(row.Languages, want.Languages) || row.Hash != nil {
			t.Errorf("row %+v", row)
		}
		row.Languages, want.Languages = nil, nil
		if diff := differ(row, want); diff != "" {
			t.Error(diff)
		}
		if !bytes.Equal(w.object(location), film) {
			t.Error("the object differs")
		}
		if told := w.told(); len(told) != 1 || told[0].ID != row.ID {
			t.Errorf("told of %v", told)
		}
		if names := left(t, w.dir, w.store); len(names) != 1 {
			t.Errorf("left beside the object: %q", names)
		}
		// A client that did not hear of it asks again.
		if a := c.head(location); a.status != http.StatusOK || a.offset() != filmSize {
			t.Errorf("head afterwards: %d, offset %d", a.status, a.offset())
		}
		if a := c.patch(location, filmSize, nil); a.status != http.StatusNoContent {
			t.Errorf("patch afterwards: %d %s", a.status, a.code)
		}
	})
}

// differ says that two rows are not the same, but for their slices.
func differ(got, want vod.Upload) string {
	got.Languages, want.Languages, got.Hash, want.Hash = nil, nil, nil, nil
	g, w := dump(got), dump(want)
	if g == w {
		return ""
	}
	return "got " + g + "\nwant " + w
}

func TestProtocol(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	c := w.node("one")
	location := c.create(10, nil)

	a := c.must(http.MethodOptions, root, nil, nil)
	if a.status != http.StatusOK || a.header.Get("Tus-Version") != "1.0.0" || a.header.Get("Tus-Extension") != "creation,creation-with-upload,termination,expiration" {
		t.Errorf("options: %d %v", a.status, a.header)
	}
	with := func(pairs ...string) map[string]string {
		h := patchHeader(0)
		for i := 0; i < len(pairs); i += 2 {
			h[pairs[i]] = pairs[i+1]
		}
		return h
	}
	for _, test := range []struct {
		name, method, location string
		header                 map[string]string
		body                   string
		status                 int
		code                   string
	}{
		{"no such upload", http.MethodPatch, root + strings.Repeat("a", 26), with(), "x", 404, "upload-not-found"},
		{"no such name", http.MethodPatch, root + "..%2f..%2fetc", with(), "x", 404, "upload-not-found"},
		{"download", http.MethodGet, location, nil, "", 405, "method-not-allowed"},
		{"list", http.MethodGet, root, nil, "", 405, "method-not-allowed"},
		{"post to an upload", http.MethodPost, location, with(), "x", 405, "method-not-allowed"},
		{"method override", http.MethodPost, location, with("X-HTTP-Method-Override", "DELETE"), "", 405, "method-not-allowed"},
		{"other offset", http.MethodPatch, location, with("Upload-Offset", "5"), "x", 409, "upload-offset"},
		{"no offset", http.MethodPatch, location, with("Upload-Offset", "-1"), "x", 400, "upload-invalid-offset"},
		{"no type", http.MethodPatch, location, with("Content-Type", "video/mp4"), "x", 400, "upload-invalid-content-type"},
		{"other version", http.MethodPatch, location, with("Tus-Resumable", "0.2.2"), "x", 412, "upload-unsupported-version"},
		{"too much", http.MethodPatch, location, with(), "12345678901", 413, "upload-size-exceeded"},
		{"later length", http.MethodPost, root, map[string]string{"Upload-Defer-Length": "1"}, "", 501, "upload-extension"},
		{"partial", http.MethodPost, root, map[string]string{"Upload-Concat": "partial", "Upload-Length": "1"}, "", 501, "upload-extension"},
		{"no length", http.MethodPost, root, nil, "", 400, "upload-length"},
		{"empty", http.MethodPost, root, map[string]string{"Upload-Length": "0"}, "", 422, "upload-empty"},
		{"no name", http.MethodPost, root, map[string]string{"Upload-Length": "1"}, "", 422, "upload-name"},
		{"bad metadata", http.MethodPost, root, map[string]string{"Upload-Length": "1", "Upload-Metadata": "filename !"}, "", 400, "upload-metadata"},
		{"draft", http.MethodPost, root, map[string]string{"Tus-Resumable": "", "Upload-Draft-Interop-Version": "6", "Upload-Complete": "?1", "Upload-Length": "1", "Upload-Metadata": metaHeader(map[string]string{"filename": "a"})}, "x", 412, "upload-unsupported-version"},
	} {
		a := c.must(test.method, test.location, test.header, strings.NewReader(test.body))
		if a.status != test.status || a.code != test.code || a.header.Get("Tus-Resumable") != "1.0.0" {
			t.Errorf("%s: %d %s", test.name, a.status, a.code)
		}
		if test.status == 409 && a.offset() != 0 {
			t.Errorf("%s: offset %d is told", test.name, a.offset())
		}
	}
	if a := c.head(location); a.offset() != 0 {
		t.Errorf("refused bytes were kept: offset %d", a.offset())
	}
}

func TestCreationWithUpload(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		c := w.node("one")
		film := random(2, 100_000)
		a := c.must(http.MethodPost, root, map[string]string{
			"Upload-Length": "100000", "Upload-Metadata": metaHeader(map[string]string{"filename": "a.mov"}), "Content-Type": "application/offset+octet-stream",
		}, bytes.NewReader(film[:60_000]))
		if a.status != http.StatusCreated || a.offset() != 60_000 {
			t.Fatalf("create: %d %s, offset %d", a.status, a.code, a.offset())
		}
		location := a.header.Get("Location")
		if a := c.send(location, film); a.status != http.StatusNoContent {
			t.Fatalf("send: %d %s", a.status, a.code)
		}
		if !bytes.Equal(w.object(location), film) || w.row(location).SHA256 != hexSum(film) {
			t.Error("the object differs")
		}
	})
}

func TestWhoMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	c := w.node("one")
	location := c.create(10, nil)
	nobody := c.as("")
	nobody.token = ""
	body := &untouched{}
	for _, test := range []struct {
		name   string
		c      *client
		method string
		path   string
		status int
	}{
		{"nobody begins", nobody, http.MethodPost, root, 401},
		{"nobody asks", nobody, http.MethodHead, location, 401},
		{"nobody goes on", nobody, http.MethodPatch, location, 401},
		{"nobody cancels", nobody, http.MethodDelete, location, 401},
		{"another asks", c.as("bob"), http.MethodHead, location, 403},
		{"another goes on", c.as("bob"), http.MethodPatch, location, 403},
		{"another cancels", c.as("bob"), http.MethodDelete, location, 403},
	} {
		header := patchHeader(0)
		header["Expect"] = "100-continue" // the client waits for leave to send the body
		header["Upload-Length"] = "10"
		header["Upload-Metadata"] = "filename YQ=="
		var sent io.Reader = body
		if test.method == http.MethodHead || test.method == http.MethodDelete {
			sent = nil
		}
		if a := test.c.must(test.method, test.path, header, sent); a.status != test.status {
			t.Errorf("%s: %d %s", test.name, a.status, a.code)
		}
	}
	if body.read {
		t.Error("a byte was sent before the answer")
	}
	staff := c.as("staff")
	if a := staff.patch(location, 0, []byte("12345")); a.status != http.StatusNoContent {
		t.Errorf("staff goes on: %d %s", a.status, a.code)
	}
	if a := staff.must(http.MethodDelete, location, nil, nil); a.status != http.StatusNoContent {
		t.Errorf("staff cancels: %d %s", a.status, a.code)
	}
	if a := c.head(location); a.status != http.StatusGone {
		t.Errorf("head of a cancelled one: %d", a.status)
	}
	if row := w.row(location); row.State != vod.UploadRefused || row.Reason != "cancelled" {
		t.Errorf("row %+v", row)
	}
	if names := left(t, w.dir, w.store); len(names) != 0 {
		t.Errorf("left: %q", names)
	}
}

// untouched is a body that says whether somebody read it.
type untouched struct{ read bool }

func (u *untouched) Read([]byte) (int, error) {
	u.read = true
	return 0, errors.New("a body that must not be sent")
}

func TestCancel(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, w *world) {
		c := w.node("one")
		film := random(3, minPartSize+100)
		half, whole := c.create(len(film), nil), c.create(len(film), nil)
		c.patch(half, 0, film[:minPartSize+50])
		c.send(whole, film)
		taken := c.create(1, nil)
		c.send(taken, film[:1])
		if _, err := w.rows.UpdateUpload(t.Context(), w.row(taken).ID, func(u *vod.Upload) error { u.State = vod.UploadTaken; return nil }); err != nil {
			t.Fatal(err)
		}
		for _, location := range []string{half, whole, half} {
			if err := c.u.Cancel(t.Context(), w.row(location).ID); err != nil {
				t.Errorf("cancel: %v", err)
			}
		}
		if err := c.u.Cancel(t.Context(), w.row(taken).ID); !errors.Is(err, ErrTaken) {
			t.Errorf("cancel a taken one: %v", err)
		}
		if a := c.must(http.MethodDelete, taken, nil, nil); a.status != http.StatusConflict || a.code != "upload-taken" {
			t.Errorf("delete a taken one: %d %s", a.status, a.code)
		}
		if err := c.u.Cancel(t.Context(), "aaaaaaaaaaaaaaaaaaaaaaaaaa"); !errors.Is(err, ErrNotFound) {
			t.Errorf("cancel none: %v", err)
		}
		if names := left(t, w.dir, w.store); len(names) != 1 || names[0] != "object "+w.row(taken).Object {
			t.Errorf("left: %q", names)
		}
	})
}
