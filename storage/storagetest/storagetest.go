// Package storagetest is the conformance suite of storage.Store: every backend
// runs it in its own tests, so that backends cannot drift apart. It is test
// code: no program imports it.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"reprise/storage"
)

// Conformance runs the whole suite. newStore makes an empty store of its own
// for each call and closes it with t.Cleanup. The optional powers are tested when they are there.
func Conformance(t *testing.T, newStore func(t *testing.T) storage.Store) {
	tests := []struct {
		name string
		test func(t *testing.T, s storage.Store)
	}{
		{"round trip", testRoundTrip},
		{"ranges", testRanges},
		{"not found", testNotFound},
		{"invalid keys", testInvalidKeys},
		{"valid keys", testValidKeys},
		{"replace", testReplace},
		{"delete", testDelete},
		{"list in key order", testList},
		{"list stops", testListStops},
		{"put fails in the middle", testPutFails},
		{"put cancelled in the middle", testPutCancelled},
		{"readers during replace and delete", testConcurrent},
		{"writers and deleters in one folder", testFolderRace},
		{"creator", testCreator},
		{"creator abandoned", testCreatorAbort},
		{"filer", testFiler},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, newStore(t))
		})
	}
}

func put(t *testing.T, s storage.Store, key storage.Key, content string) {
	t.Helper()
	info, err := s.Put(t.Context(), key, strings.NewReader(content))
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	if info.Key != key || info.Size != int64(len(content)) || info.Modified.IsZero() {
		t.Fatalf("put %s: wrong info %+v", key, info)
	}
}

func get(t *testing.T, s storage.Store, key storage.Key) string {
	t.Helper()
	b, err := read(t.Context(), s, key)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	return string(b)
}

func read(ctx context.Context, s storage.Store, key storage.Key) ([]byte, error) {
	o, err := s.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	if err == nil && int64(len(b)) != o.Size() {
		err = fmt.Errorf("read %d bytes of an object of %d", len(b), o.Size())
	}
	return b, err
}

func list(t *testing.T, s storage.Store, prefix storage.Key) []string {
	t.Helper()
	keys := []string{}
	err := s.List(t.Context(), prefix, func(i storage.Info) error {
		keys = append(keys, string(i.Key))
		return nil
	})
	if err != nil {
		t.Fatalf("list %q: %v", prefix, err)
	}
	return keys
}

func wantList(t *testing.T, s storage.Store, prefix storage.Key, want ...string) {
	t.Helper()
	if got := list(t, s, prefix); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("list %q: got %q, want %q", prefix, got, want)
	}
}

func wantErr(t *testing.T, doing string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", doing, got, want)
	}
}

func testRoundTrip(t *testing.T, s storage.Store) {
	for _, content := range []string{"", "x", strings.Repeat("0123456789abcdef", 70_000)} {
		put(t, s, "media/a/v720.mp4", content)
		if got := get(t, s, "media/a/v720.mp4"); got != content {
			t.Fatalf("%d bytes came back as %d, or other ones", len(content), len(got))
		}
		info, err := s.Stat(t.Context(), "media/a/v720.mp4")
		if err != nil || info.Size != int64(len(content)) || info.Key != "media/a/v720.mp4" || info.Modified.IsZero() {
			t.Fatalf("stat: %+v, %v", info, err)
		}
	}
}

func testRanges(t *testing.T, s storage.Store) {
	put(t, s, "r", "0123456789")
	o, err := s.Open(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if o.Size() != 10 {
		t.Errorf("size %d", o.Size())
	}
	b := make([]byte, 4)
	if n, err := o.ReadAt(b, 3); n != 4 || err != nil || string(b) != "3456" {
		t.Errorf("middle: %q %v", b[:n], err)
	}
	if n, err := o.ReadAt(b, 8); n != 2 || !errors.Is(err, io.EOF) || string(b[:n]) != "89" {
		t.Errorf("over the end: %q %v", b[:n], err)
	}
	if n, err := o.ReadAt(b, 10); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d %v", n, err)
	}
	if pos, err := o.Seek(-3, io.SeekEnd); pos != 7 || err != nil {
		t.Errorf("seek: %d %v", pos, err)
	}
	if rest, err := io.ReadAll(o); string(rest) != "789" || err != nil {
		t.Errorf("after seek: %q %v", rest, err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b := make([]byte, 1)
			for range 50 {
				if _, err := o.ReadAt(b, int64(i)); err != nil || b[0] != byte('0'+i) {
					t.Errorf("concurrent ReadAt %d: %q %v", i, b, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func testNotFound(t *testing.T, s storage.Store) {
	put(t, s, "folder/object", "x")
	for _, key := range []storage.Key{"none", "folder", "folder/none", "folder/object/below", "none/below"} {
		_, err := s.Open(t.Context(), key)
		wantErr(t, "open "+string(key), err, storage.ErrNotFound)
		_, err = s.Stat(t.Context(), key)
		wantErr(t, "stat "+string(key), err, storage.ErrNotFound)
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
	}
	wantList(t, s, "", "folder/object")
}

// InvalidKeys are keys that every store must refuse, before it touches anything.
func InvalidKeys() []storage.Key {
	return []storage.Key{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", ".tmp/a", "a/.hidden",
		"A", "a b", "a\\b", "a\x00b", "a\nb", "é", "a%2fb", "a:b", "~", "a/*", "\xff",
		storage.Key(strings.Repeat("a", 256)), storage.Key(strings.Repeat("a/", 256) + "a"),
	}
}

func testInvalidKeys(t *testing.T, s storage.Store) {
	for _, key := range InvalidKeys() {
		_, err := s.Put(t.Context(), key, strings.NewReader("x"))
		wantErr(t, fmt.Sprintf("put %q", key), err, storage.ErrInvalidKey)
		_, err = s.Open(t.Context(), key)
		wantErr(t, fmt.Sprintf("open %q", key), err, storage.ErrInvalidKey)
		_, err = s.Stat(t.Context(), key)
		wantErr(t, fmt.Sprintf("stat %q", key), err, storage.ErrInvalidKey)
		wantErr(t, fmt.Sprintf("delete %q", key), s.Delete(t.Context(), key), storage.ErrInvalidKey)
		if c, ok := s.(storage.Creator); ok {
			_, err = c.Create(t.Context(), key)
			wantErr(t, fmt.Sprintf("create %q", key), err, storage.ErrInvalidKey)
		}
		if f, ok := s.(storage.Filer); ok {
			_, err = f.File(key)
			wantErr(t, fmt.Sprintf("file %q", key), err, storage.ErrInvalidKey)
		}
	}
	for _, prefix := range []storage.Key{"../", "..", "/", "a/../", ".tmp/", "."} {
		err := s.List(t.Context(), prefix, func(storage.Info) error { return nil })
		wantErr(t, fmt.Sprintf("list %q", prefix), err, storage.ErrInvalidKey)
	}
	wantList(t, s, "")
}

func testValidKeys(t *testing.T, s storage.Store) {
	keys := []storage.Key{
		"a", "0", "-", "_", "a.b..c", "a-b_c.d/e", storage.Key(strings.Repeat("a", 255)),
		storage.Key(strings.Repeat("b", 255) + "/" + strings.Repeat("c", 255)), "d/e/f/g/h/i/j/k",
	}
	for _, key := range keys {
		put(t, s, key, string(key))
	}
	for _, key := range keys {
		if got := get(t, s, key); got != string(key) {
			t.Errorf("key %q holds %q", key, got)
		}
	}
}

func testReplace(t *testing.T, s storage.Store) {
	put(t, s, "k", "the first, which is longer")
	old, err := s.Open(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	put(t, s, "k", "the second")
	if got := get(t, s, "k"); got != "the second" {
		t.Errorf("after replace: %q", got)
	}
	wantOld(t, old, "the first, which is longer")
	wantList(t, s, "", "k")
}

// wantOld reads an object that is not under its key any more: it is as it was, or says that it changed.
func wantOld(t *testing.T, o storage.Object, content string) {
	t.Helper()
	b, err := io.ReadAll(o)
	if errors.Is(err, storage.ErrChanged) && strings.HasPrefix(content, string(b)) {
		return
	}
	if string(b) != content || err != nil {
		t.Errorf("object opened before: %q %v", b, err)
	}
}

func testDelete(t *testing.T, s storage.Store) {
	put(t, s, "a/b/c", "x")
	put(t, s, "a/d", "y")
	open, err := s.Open(t.Context(), "a/b/c")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	for range 2 {
		if err := s.Delete(t.Context(), "a/b/c"); err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.Open(t.Context(), "a/b/c")
	wantErr(t, "open deleted", err, storage.ErrNotFound)
	wantOld(t, open, "x")
	wantList(t, s, "", "a/d")
	put(t, s, "a/b", "where a folder was")
	wantList(t, s, "", "a/b", "a/d")
}

func testList(t *testing.T, s storage.Store) {
	// In key order a slash stands after - and . and before digits and letters.
	want := []string{"a", "b-c/d", "b.c", "b/a/z", "b/a0", "b/c", "b0", "b_", "bb/c"}
	for _, i := range rand.Perm(len(want)) {
		put(t, s, storage.Key(want[i]), want[i])
	}
	wantList(t, s, "", want...)
	wantList(t, s, "b", want[1:]...)
	wantList(t, s, "b/", "b/a/z", "b/a0", "b/c")
	wantList(t, s, "b/a", "b/a/z", "b/a0")
	wantList(t, s, "b/a/", "b/a/z")
	wantList(t, s, "b/c", "b/c")
	wantList(t, s, "b/c/")
	wantList(t, s, "c")
	err := s.List(t.Context(), "", func(i storage.Info) error {
		if i.Size != int64(len(i.Key)) || i.Modified.IsZero() {
			return fmt.Errorf("wrong info %+v", i)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func testListStops(t *testing.T, s storage.Store) {
	for i := range 5 {
		put(t, s, storage.Key(fmt.Sprintf("k%d", i)), "")
	}
	stop, n := errors.New("stop"), 0
	err := s.List(t.Context(), "", func(storage.Info) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 2 {
		t.Errorf("got %v after %d", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = s.List(ctx, "", func(storage.Info) error { return nil })
	wantErr(t, "list with ended context", err, context.Canceled)
}

// long is more than a store that sends objects in parts sends at once.
const long = 11 << 20

// breaks gives some bytes and then ends as told.
type breaks struct {
	left int
	end  func() error
}

func (b *breaks) Read(p []byte) (int, error) {
	if b.left == 0 {
		if err := b.end(); err != nil {
			return 0, err
		}
		b.left = len(p) // goes on for ever
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

func testPutFails(t *testing.T, s storage.Store) {
	put(t, s, "old", "as it was")
	broken := errors.New("broken source")
	for _, key := range []storage.Key{"old", "new"} {
		_, err := s.Put(t.Context(), key, &breaks{left: long, end: func() error { return broken }})
		wantErr(t, "put", err, broken)
	}
	if got := get(t, s, "old"); got != "as it was" {
		t.Errorf("after a failed replace: %q", got)
	}
	wantList(t, s, "", "old")
}

func testPutCancelled(t *testing.T, s storage.Store) {
	put(t, s, "old", "as it was")
	for _, key := range []storage.Key{"old", "new"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.Put(ctx, key, &breaks{left: long, end: func() error { cancel(); return nil }})
		wantErr(t, "put", err, context.Canceled)
		_, err = s.Put(ctx, key, strings.NewReader("x"))
		wantErr(t, "put with ended context", err, context.Canceled)
	}
	if got := get(t, s, "old"); got != "as it was" {
		t.Errorf("after a cancelled replace: %q", got)
	}
	wantList(t, s, "", "old")
}

// testConcurrent reads one key while it is replaced and deleted: what is read is
// always one whole object, or not there.
func testConcurrent(t *testing.T, s storage.Store) {
	whole := func(b []byte) bool {
		return len(b) > 0 && bytes.Count(b, b[:1]) == len(b) && len(b) == 10_000+int(b[0])*1000
	}
	object := func(c byte) []byte { return bytes.Repeat([]byte{c}, 10_000+int(c)*1000) }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				b, err := read(t.Context(), s, "k/hot")
				if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrChanged) {
					continue
				}
				if err != nil || !whole(b) {
					t.Errorf("torn read: %d bytes, %v", len(b), err)
					return
				}
			}
		})
	}
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := range 15 {
				if _, err := s.Put(t.Context(), "k/hot", bytes.NewReader(object(byte(2*i+w)))); err != nil {
					t.Errorf("put: %v", err)
				}
				if i%5 == 4 {
					if err := s.Delete(t.Context(), "k/hot"); err != nil {
						t.Errorf("delete: %v", err)
					}
				}
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
}

// testFolderRace makes and empties one folder from several sides: an acknowledged
// object is there, whatever happened to its neighbours.
func testFolderRace(t *testing.T, s storage.Store) {
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			key := storage.Key(fmt.Sprintf("deep/folder/of-%d", w))
			for range 10 {
				if _, err := s.Put(t.Context(), key, strings.NewReader("x")); err != nil {
					t.Errorf("put: %v", err)
					return
				}
				if b, err := read(t.Context(), s, key); string(b) != "x" || err != nil {
					t.Errorf("read after put: %q %v", b, err)
				}
				if err := s.List(t.Context(), "deep/", func(storage.Info) error { return nil }); err != nil {
					t.Errorf("list: %v", err)
				}
				if err := s.Delete(t.Context(), key); err != nil {
					t.Errorf("delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
	wantList(t, s, "")
}

func testCreator(t *testing.T, s storage.Store) {
	c, ok := s.(storage.Creator)
	if !ok {
		t.Skip("not a Creator")
	}
	put(t, s, "k", "old")
	w, err := c.Create(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"....", " world"} {
		if n, err := io.WriteString(w, part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if n, err := w.WriteAt([]byte("hello"), 0); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := io.WriteString(w, "!"); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "k"); got != "old" {
		t.Errorf("visible before commit: %q", got)
	}
	wantList(t, s, "", "k")
	info, err := w.Commit()
	if err != nil || info.Size != 11 || info.Key != "k" {
		t.Fatalf("commit: %+v %v", info, err)
	}
	if got := get(t, s, "k"); got != "helloworld!" {
		t.Errorf("after commit: %q", got)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("abort after commit: %v", err)
	}
	if got := get(t, s, "k"); got != "helloworld!" {
		t.Errorf("after a late abort: %q", got)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("a write after commit is taken")
	}
}

func testCreatorAbort(t *testing.T, s storage.Store) {
	c, ok := s.(storage.Creator)
	if !ok {
		t.Skip("not a Creator")
	}
	w, err := c.Create(t.Context(), "a/k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "x"); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("abort: %v", err)
	}
	if _, err := w.Commit(); err == nil {
		t.Error("commit after abort succeeds")
	}
	ctx, cancel := context.WithCancel(t.Context())
	if w, err = c.Create(ctx, "b/k"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "x"); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = w.Write([]byte("y"))
	wantErr(t, "write with ended context", err, context.Canceled)
	_, err = w.Commit()
	wantErr(t, "commit with ended context", err, context.Canceled)
	wantList(t, s, "")
}

func testFiler(t *testing.T, s storage.Store) {
	f, ok := s.(storage.Filer)
	if !ok {
		t.Skip("not a Filer")
	}
	put(t, s, "a/k", "content")
	file, err := f.File("a/k")
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a/k", "other")
	b, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); string(b) != "content" || err != nil {
		t.Errorf("lent file: %q %v", b, err)
	}
	for _, key := range []storage.Key{"none", "a", "a/k/below"} {
		_, err := f.File(key)
		wantErr(t, "file "+string(key), err, storage.ErrNotFound)
	}
}
