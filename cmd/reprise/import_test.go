package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reprise/vod"
)

// A file that cannot be opened is refused like any other, and the next one is looked at.
func TestImportGoesOnAfterAFileThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	loop, latin, broken := filepath.Join(dir, "loop.mp4"), filepath.Join(dir, "pr\xe9sentation.mp4"), filepath.Join(dir, "a\x1b[31m\nb.mp4")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{latin, broken} {
		if err := os.WriteFile(name, []byte("no film"), 0o600); err != nil {
			t.Skipf("this file system does not take the name: %v", err)
		}
	}
	long := filepath.Join(dir, strings.Repeat("n", 300))
	data := filepath.Join(dir, "data")
	code, stdout, stderr := cli(t, systemClock{}, "import", "--json", "--data", data, loop, long, latin, broken)
	if code != exitFault {
		t.Errorf("exit %d: %s", code, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	want := []string{"file-unreadable", "file-unreadable", "not-film-text", "not-film-text"}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s%s", len(lines), len(want), stdout, stderr)
	}
	for i, line := range lines {
		var got imported
		if err := json.Unmarshal([]byte(line), &got); err != nil || len(got.Findings) != 1 || got.Findings[0].Code != want[i] || got.Findings[0].FR == "" {
			t.Errorf("%s (%v), want %s", line, err, want[i])
		}
	}
	if _, stdout, stderr = cli(t, systemClock{}, "import", "--data", data, broken); strings.Contains(stdout+stderr, "\x1b[31m") || !strings.Contains(stdout, `\x1b[31m\nb.mp4"`) {
		t.Errorf("a name that commands the terminal: %q %q", stdout, stderr)
	}
}

func TestTwoImportsOfOneFileMakeOneAsset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, data := filepath.Join(dir, "talk.mp4"), filepath.Join(dir, "data")
	if err := os.WriteFile(file, bytes.Repeat([]byte("no film, but many bytes\n"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	ids := make(chan string, 3)
	for range cap(ids) {
		go func() {
			var got imported
			_, stdout, stderr := cli(t, systemClock{}, "import", "--json", "--data", data, file)
			if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.Verdict != vod.VerdictRefused {
				t.Errorf("%s%s (%v)", stdout, stderr, err)
			}
			ids <- string(got.Asset)
		}()
	}
	first := <-ids
	for range cap(ids) - 1 {
		if id := <-ids; id != first {
			t.Errorf("assets %s and %s of one file", first, id)
		}
	}
}
