package db_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reprise/storage/db"
	"reprise/vod"
)

// childVar tells the test binary that it is a child which writes for ever, and into which file.
const childVar = "REPRISE_DBTEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVar); path != "" {
		os.Exit(child(path))
	}
	goleak.VerifyTestMain(m)
}

// child creates assets named after its process and prints the number of each that was acknowledged.
func child(path string) int {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Config{DSN: path, Now: func() time.Time { return noon }}, slog.New(slog.DiscardHandler))
	for i := 0; err == nil; i++ {
		if err = d.CreateAsset(ctx, vod.Asset{ID: vod.AssetID(fmt.Sprintf("%d-%d", os.Getpid(), i))}); err == nil {
			fmt.Println(i)
		}
	}
	fmt.Println(err)
	return 1
}

// TestSQLiteKill kills two processes that write one file while this one writes
// too: what they were told is kept is there, and nobody was ever turned away.
func TestSQLiteKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "reprise.db")
	d := open(t, path)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), childVar+"="+path)
			out, err := child.StdoutPipe()
			if err == nil {
				err = child.Start()
			}
			if err != nil {
				t.Error(err)
				return
			}
			acknowledged, lines := -1, bufio.NewScanner(out)
			for lines.Scan() {
				n, err := strconv.Atoi(lines.Text())
				if err != nil {
					t.Errorf("child: %s", lines.Text())
					break
				}
				if acknowledged = n; n == 40 {
					child.Process.Kill() // and read on: what it said before it died counts
				}
			}
			child.Wait() // killed: always an error
			for i := range acknowledged + 1 {
				if _, err := d.Asset(t.Context(), vod.AssetID(fmt.Sprintf("%d-%d", child.Process.Pid, i))); err != nil {
					t.Errorf("acknowledged and lost: %v", err)
				}
			}
			if acknowledged < 40 {
				t.Errorf("child wrote only %d", acknowledged)
			}
		})
	}
	for i := range 40 {
		if err := d.CreateAsset(t.Context(), vod.Asset{ID: vod.AssetID("own-" + strconv.Itoa(i))}); err != nil {
			t.Errorf("write beside the children: %v", err)
		}
	}
	wg.Wait()
	var verdict string
	if err := d.SQL().QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s %v", verdict, err)
	}
}

func TestSQLiteOpenedByManyAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "folder", "reprise.db")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			d, err := db.Open(t.Context(), db.Config{DSN: path, Now: time.Now}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if err := errors.Join(d.Ping(t.Context()), d.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestSQLiteSettings(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "odd? name%20#1 é.db")
	d := open(t, path)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000",
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

func TestSQLiteRefusesNewerSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "reprise.db")
	d := open(t, path)
	if _, err := d.SQL().ExecContext(t.Context(), `INSERT INTO schema_version (version_id, is_applied) VALUES (9999, $1)`, true); err != nil {
		t.Fatal(err)
	}
	_, err := db.Open(t.Context(), db.Config{DSN: path, Now: time.Now}, slog.New(slog.DiscardHandler))
	if !errors.Is(err, db.ErrNewerSchema) || !strings.Contains(err.Error(), "9999") {
		t.Errorf("got %v", err)
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
		"no file": {Now: time.Now}, "no clock": {DSN: filepath.Join(dir, "a")}, "other engine": {DSN: "postgres://localhost/x", Now: time.Now},
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
