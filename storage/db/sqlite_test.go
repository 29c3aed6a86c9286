package db_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reprise/storage/db"
	"reprise/vod"
)

func TestSQLiteSettings(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "odd? name%20#1 é.db")
	d := open(t, path)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "30000",
	} {
		var got string
		if err := d.SQL().QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, want %s (%v)", pragma, got, want, err)
		}
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v: %v", st, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]db.Config{
		"no file": {Now: time.Now}, "no clock": {DSN: filepath.Join(dir, "a")}, "other engine": {DSN: "mysql://localhost/x", Now: time.Now},
		"a folder": {DSN: dir, Now: time.Now}, "no database": {DSN: text, Now: time.Now},
	} {
		if d, err := db.Open(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil {
			d.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

func TestSQLiteDamagedSegments(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "reprise.db"))
	if err := d.PutMedia(t.Context(), aMedia("m", "", 1)); err != nil {
		t.Fatal(err)
	}
	for _, packed := range []string{"", "!", "AAAA", "////////", "/////////w8"} {
		if _, err := d.SQL().ExecContext(t.Context(), `UPDATE media SET segments = $1`, packed); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Media(t.Context(), "m"); err == nil || errors.Is(err, vod.ErrNotFound) {
			t.Errorf("%q: %v", packed, err)
		}
	}
}

// BenchmarkMedia reads the index of an hour in thirteen renditions: under 5 ms.
func BenchmarkMedia(b *testing.B) {
	d, err := db.Open(b.Context(), db.Config{DSN: filepath.Join(b.TempDir(), "x.db"), Now: time.Now}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := d.PutMedia(b.Context(), hour("hour")); err != nil {
		b.Fatal(err)
	}
	var size int
	if err := d.SQL().QueryRowContext(b.Context(), `SELECT length(segments) FROM media`).Scan(&size); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(size), "stored-B")
	for b.Loop() {
		if _, err := d.Media(b.Context(), "hour"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVersion(b *testing.B) {
	d, err := db.Open(b.Context(), db.Config{DSN: filepath.Join(b.TempDir(), "x.db"), Now: time.Now}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for b.Loop() {
		if _, err := d.Version(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
