package db_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reprise/storage/db"
	"reprise/vod"
)

// childVar tells the test binary that it is a child which writes for ever, and into which database.
const childVar = "REPRISE_DBTEST_CHILD"

func TestMain(m *testing.M) {
	if where := os.Getenv(childVar); where != "" {
		os.Exit(child(where))
	}
	goleak.VerifyTestMain(m)
}

// child creates assets named after its process and prints the number of each that was acknowledged.
func child(where string) int {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Config{DSN: where, Now: func() time.Time { return noon }}, slog.New(slog.DiscardHandler))
	for i := 0; err == nil; i++ {
		if err = d.CreateAsset(ctx, vod.Asset{ID: vod.AssetID(fmt.Sprintf("%d-%d", os.Getpid(), i))}); err == nil {
			fmt.Println(i)
		}
	}
	fmt.Println(err)
	return 1
}

// TestKill kills two processes that write one database while this one writes
// too: what they were told is kept is there, and nobody was ever turned away.
func TestKill(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		d := open(t, where)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { killChild(t, d, where) })
		}
		for i := range 40 {
			if err := d.CreateAsset(t.Context(), vod.Asset{ID: vod.AssetID("own-" + strconv.Itoa(i))}); err != nil {
				t.Errorf("write beside the children: %v", err)
			}
		}
		wg.Wait()
		if d.Postgres() != nil {
			return
		}
		var verdict string
		if err := d.SQL().QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
			t.Errorf("integrity: %s %v", verdict, err)
		}
	})
}

// killChild kills a child in the middle of its work and looks for what it was told is kept.
func killChild(t *testing.T, d *db.DB, where string) {
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childVar+"="+where)
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
}

// TestOpenedByManyAtOnce: one process migrates, all find the database ready.
func TestOpenedByManyAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				d, err := db.Open(t.Context(), db.Config{DSN: where, Now: time.Now}, slog.New(slog.DiscardHandler))
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
		var n int
		if err := open(t, where).SQL().QueryRowContext(t.Context(), `SELECT count(*) FROM counter`).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d counters, %v", n, err)
		}
	})
}

func TestRefusesNewerSchema(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		d := open(t, where)
		if _, err := d.SQL().ExecContext(t.Context(), `INSERT INTO schema_version (version_id, is_applied) VALUES (9999, $1)`, true); err != nil {
			t.Fatal(err)
		}
		_, err := db.Open(t.Context(), db.Config{DSN: where, Now: time.Now}, slog.New(slog.DiscardHandler))
		if !errors.Is(err, db.ErrNewerSchema) || !strings.Contains(err.Error(), "9999") {
			t.Errorf("got %v", err)
		}
	})
}
