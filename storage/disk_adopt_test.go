package storage_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"reprise/storage"
)

func TestDiskAdopt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := newDisk(t, filepath.Join(dir, "objects"))
	file := filepath.Join(dir, "upload")
	for _, content := range []string{"first", "the second, which replaces it"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := d.Adopt(t.Context(), "sources/a/b", file)
		if err != nil || info.Key != "sources/a/b" || info.Size != int64(len(content)) || info.Modified.IsZero() {
			t.Fatalf("%+v %v", info, err)
		}
		if got := readAll(t, d, "sources/a/b"); string(got) != content {
			t.Errorf("got %q", got)
		}
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
	}
}

func TestDiskAdoptRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := newDisk(t, filepath.Join(dir, "objects"))
	file, link, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, pipe, dir, filepath.Join(dir, "none")} {
		if _, err := d.Adopt(t.Context(), "k", path); err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	if _, err := d.Adopt(t.Context(), "no/../key", file); !errors.Is(err, storage.ErrInvalidKey) {
		t.Errorf("got %v", err)
	}
	if _, err := d.Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Adopt(t.Context(), "a/b", file); !errors.Is(err, storage.ErrInvalidKey) {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(file); string(b) != "x" || err != nil {
		t.Errorf("what was refused is gone: %q %v", b, err)
	}
}

// TestDiskAdoptFromAnotherFileSystem copies, where the machine lets us mount one.
func TestDiskAdoptFromAnotherFileSystem(t *testing.T) {
	t.Parallel()
	other := t.TempDir()
	if err := syscall.Mount("tmpfs", other, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(other, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	d := newDisk(t, t.TempDir())
	file := filepath.Join(other, "upload")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if info, err := d.Adopt(t.Context(), "k", file); err != nil || info.Size != 7 {
		t.Fatalf("%+v %v", info, err)
	}
	if got := readAll(t, d, "k"); string(got) != "content" {
		t.Errorf("got %q", got)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}
