package storage_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"reprise/storage"
	"reprise/storage/storagetest"
)

func openDisk(dir string) (storage.Store, error) { return storage.NewDisk(dir) }

func TestMain(m *testing.M) {
	os.Exit(storagetest.Main(m, func(where string) (storage.Store, error) {
		if strings.HasPrefix(where, `{"Copy"`) {
			return nil, copyChild(where)
		}
		if strings.HasPrefix(where, "{") { // a configuration, not a path
			return openS3(where)
		}
		return openDisk(where)
	}))
}

func newDisk(t *testing.T, dir string) *storage.Disk {
	t.Helper()
	d, err := storage.NewDisk(dir)
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

func TestDiskConformance(t *testing.T) {
	t.Parallel()
	storagetest.Conformance(t, func(t *testing.T) storage.Store {
		dir := t.TempDir()
		d := newDisk(t, dir)
		t.Cleanup(func() { // runs before the disk is closed
			if left := hiddenFiles(t, dir); len(left) != 0 {
				t.Errorf("unfinished files are left: %q", left)
			}
		})
		return d
	})
}

// TestDiskBigObject is not parallel: it measures the memory of the process.
func TestDiskBigObject(t *testing.T) {
	storagetest.BigObject(t, newDisk(t, t.TempDir()), 96<<20)
}

func TestDiskKillDuringPut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	storagetest.KillDuringPut(t, dir, func(dir string) (storage.Store, error) {
		return newDisk(t, dir), nil
	})
	if left := hiddenFiles(t, dir); len(left) != 0 {
		t.Errorf("files of the killed process are left: %q", left)
	}
}

// hiddenFiles returns what lies in the hidden folder, apart from locks.
func hiddenFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(dir, ".tmp"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != "lock" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestDiskSweepSparesTheLiving(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := newDisk(t, dir)
	w, err := server.Create(t.Context(), "a/slow")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "half"); err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(dir, ".tmp", "dead")
	if err := os.Mkdir(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dead, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dead, "part"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	newDisk(t, dir) // the import beside the server
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder of a dead process is left: %v", err)
	}
	if _, err := w.Commit(); err != nil {
		t.Errorf("the living one lost its file: %v", err)
	}
}

func TestDiskCopiesFromFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := newDisk(t, filepath.Join(dir, "objects"))
	for _, size := range []int{0, 1, 4 << 20, 4<<20 + 1} {
		content := strings.Repeat("z", size)
		path := filepath.Join(dir, "source")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := d.Put(t.Context(), "k", f)
		if err != nil || info.Size != int64(size) {
			t.Fatalf("%d bytes: %+v %v", size, info, err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "objects", "k"))
		if err != nil || string(got) != content {
			t.Fatalf("%d bytes differ: %v", size, err)
		}
	}
}

func TestDiskKeyBelowObject(t *testing.T) {
	t.Parallel()
	d := newDisk(t, t.TempDir())
	for _, pair := range [][2]storage.Key{{"a", "a/b"}, {"c/d", "c"}} {
		if _, err := d.Put(t.Context(), pair[0], strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Put(t.Context(), pair[1], strings.NewReader("x")); !errors.Is(err, storage.ErrInvalidKey) {
			t.Errorf("%s beside %s: %v", pair[1], pair[0], err)
		}
	}
}

func TestDiskIgnoresForeignFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := newDisk(t, dir)
	for _, name := range []string{"lost+found", ".DS_Store", "Thumbs.db"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := d.List(t.Context(), "", func(i storage.Info) error { return errors.New(string(i.Key)) })
	if err != nil {
		t.Errorf("listed: %v", err)
	}
}

func TestDiskPermission(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may do everything")
	}
	dir := t.TempDir()
	d := newDisk(t, dir)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
	if _, err := d.Put(t.Context(), "a/b", strings.NewReader("x")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

// TestDiskFull fills a real file system of 2 MiB, where the machine lets us mount one.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	d, err := storage.NewDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if _, err := d.Put(t.Context(), "small", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	_, err = d.Put(t.Context(), "large", strings.NewReader(strings.Repeat("x", 4<<20)))
	if !errors.Is(err, storage.ErrNoSpace) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	if left := hiddenFiles(t, dir); len(left) != 0 {
		t.Errorf("half files are left: %q", left)
	}
	if _, err := d.Put(t.Context(), "small", strings.NewReader("y")); err != nil {
		t.Errorf("after the failure: %v", err)
	}
}

func TestNewDiskWhereAFileIs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := storage.NewDisk(path); err == nil {
		t.Error("a file is taken for a folder")
	}
}

func FuzzKey(f *testing.F) {
	for _, key := range storagetest.InvalidKeys() {
		f.Add(string(key))
	}
	f.Add("media/x/v720.mp4")
	f.Fuzz(func(t *testing.T, key string) {
		if storage.Key(key).Validate() != nil {
			return
		}
		if !filepath.IsLocal(key) || filepath.Clean(key) != key || strings.Contains(key, "/.") || key[0] == '.' {
			t.Errorf("%q leaves its folder", key)
		}
	})
}

func BenchmarkDiskPut(b *testing.B) {
	d, err := storage.NewDisk(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for b.Loop() {
		if _, err := d.Put(context.Background(), "a/b/c", strings.NewReader("x")); err != nil {
			b.Fatal(err)
		}
	}
}
