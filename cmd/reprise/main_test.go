package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/configs"
)

// childVariable makes the test binary be the program: tests that kill a server need a process of their own.
const (
	childVariable = "REPRISETEST_CHILD"
	nowVariable   = "REPRISETEST_NOW"   // RFC 3339: the child's clock stands still at this instant
	aheadVariable = "REPRISETEST_AHEAD" // duration: the child's clock runs so far ahead of the machine's
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		p := program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), clock: systemClock{}}
		if now, err := time.Parse(time.RFC3339, os.Getenv(nowVariable)); err == nil {
			p.clock = stoppedClock(now)
		}
		if ahead, err := time.ParseDuration(os.Getenv(aheadVariable)); err == nil {
			p.clock = running(ahead)
		}
		ctx, cancel := context.WithCancel(context.Background())
		go func() { // the parent is gone, or asks for an orderly end
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
		os.Exit(execute(ctx, os.Args[1:], p))
	}
	code := m.Run()
	for _, p := range []*prepared{&film, &onAir} {
		if p.dir != "" {
			_ = os.RemoveAll(p.dir)
		}
	}
	os.Exit(code)
}

// stoppedClock stands still; those who wait wait as long as they would.
type stoppedClock time.Time

func (c stoppedClock) Now() time.Time { return time.Time(c) }

func (c stoppedClock) Wait(ctx context.Context, until time.Time) error {
	return systemClock{}.Wait(ctx, time.Now().Add(until.Sub(time.Time(c))))
}

// setClock is a clock that the test sets. Waiters wake when their hour is set.
type setClock struct {
	mu      sync.Mutex
	now     time.Time
	waiting map[chan struct{}]time.Time
	asked   chan time.Duration // how long each Wait is to last; what is not read is lost
}

func newSetClock(now time.Time) *setClock {
	return &setClock{now: now, waiting: map[chan struct{}]time.Time{}, asked: make(chan time.Duration, 100)}
}

func (c *setClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *setClock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
	for ch, until := range c.waiting {
		if !until.After(now) {
			close(ch)
			delete(c.waiting, ch)
		}
	}
}

func (c *setClock) Wait(ctx context.Context, until time.Time) error {
	c.mu.Lock()
	if !until.After(c.now) {
		c.mu.Unlock()
		return ctx.Err()
	}
	ch := make(chan struct{})
	c.waiting[ch] = until
	select {
	case c.asked <- until.Sub(c.now):
	default:
	}
	c.mu.Unlock()
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cli runs one command line in this process.
func cli(t testing.TB, c clock, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = execute(t.Context(), args, program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, clock: c})
	return code, out.String(), errs.String()
}

// good is cli that must succeed; it returns standard output.
func good(t testing.TB, c clock, args ...string) string {
	t.Helper()
	code, stdout, stderr := cli(t, c, args...)
	if code != exitDone {
		t.Fatalf("reprise %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// prepared are data folders made once and copied for each test that wants one.
type prepared struct {
	once  sync.Once
	dir   string // holds film.mp4 and data
	asset string
	err   error
}

var (
	film  prepared // one small film with French and English sound
	onAir prepared // the same, with the event of eventYAML, its slates and journals
)

const filmSeconds = 13

// copy returns a data folder of the test's own.
func (p *prepared) copy(t testing.TB, make func() error) string {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("ffmpeg is missing: .ci/setup test installs it")
	}
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "reprise-test-"); p.err == nil {
			p.err = make()
		}
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	data := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(data, os.DirFS(filepath.Join(p.dir, "data"))); err != nil {
		t.Fatal(err)
	}
	return data
}

// withFilm returns a data folder with one film in it, and the id of its asset.
func withFilm(t testing.TB) (data, asset string) {
	t.Helper()
	data = film.copy(t, makeFilm)
	return data, film.asset
}

func makeFilm() error {
	path := filepath.Join(film.dir, "film.mp4")
	if err := recordFilm(path, filmSeconds); err != nil {
		return err
	}
	out, err := outOf(systemClock{}, "import", "--json", "--data", filepath.Join(film.dir, "data"), "--set", "ingest.preset=ultrafast", path)
	_, rest, _ := strings.Cut(out, `"asset":"`)
	film.asset, _, _ = strings.Cut(rest, `"`)
	return err
}

// outOf runs one command line and returns its standard output.
func outOf(c clock, args ...string) (string, error) {
	var out, errs bytes.Buffer
	code := execute(context.Background(), args, program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, clock: c})
	if code != exitDone {
		return "", fmt.Errorf("%v: exit %d\n%s%s", args, code, out.String(), errs.String())
	}
	return out.String(), nil
}

// recordFilm makes a small film with French and English sound.
func recordFilm(path string, seconds int) error {
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-y",
		"-f", "lavfi", "-i", "testsrc=s=640x360:r=25", "-f", "lavfi", "-i", "sine=440:r=48000", "-f", "lavfi", "-i", "sine=660:r=48000",
		"-t", strconv.Itoa(seconds), "-map", "0", "-map", "1", "-map", "2", "-metadata:s:a:0", "language=fra", "-metadata:s:a:1", "language=eng",
		"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make film: %w: %s", err, out)
	}
	return nil
}

// eventYAML is an event with one talk at noon on 14 September 2026, Paris time; doors are open from 11:58 to 12:03.
func eventYAML(asset string) string {
	return `event: test
title: {fr: Essai, en: Test}
languages: [fr, en]
zone: Europe/Paris
auditoriums:
  - {id: main, title: {fr: Salle, en: Hall}, opens: 2026-09-14 11:58, closes: 2026-09-14 12:03}
talks:
  - {id: noon, auditorium: main, title: {fr: Midi, en: Noon}, starts: 2026-09-14 12:00, films: {fr: ` + asset + `, en: ` + asset + `}}
`
}

// noon is when that talk starts.
func noon() time.Time { return time.Date(2026, 9, 14, 10, 0, 0, 0, time.UTC) }

// scheduled returns a data folder whose event has one talk at noon; nothing is planned yet.
func scheduled(t testing.TB) string {
	t.Helper()
	data, asset := withFilm(t)
	good(t, stoppedClock(noon().Add(-time.Hour)), "schedule", "set", "--data", data, scratch(t, "event.yaml", eventYAML(asset)))
	return data
}

// planned returns the same with journals and slates, as an hour before noon.
func planned(t testing.TB) string {
	t.Helper()
	return onAir.copy(t, func() error {
		before := stoppedClock(noon().Add(-time.Hour))
		dir := filepath.Join(onAir.dir, "data")
		if err := os.Rename(scheduled(t), dir); err != nil {
			return err
		}
		a, err := newApp(context.Background(), testConfig(dir), deps{clock: before, log: silent()})
		if err != nil {
			return err
		}
		for range 2 {
			err = errors.Join(err, a.playout.MakeSlates(context.Background()), a.playout.Refresh(context.Background()))
		}
		return errors.Join(err, a.close())
	})
}

// testConfig is a server's configuration for a test.
func testConfig(data string) configs.Config {
	cfg := configs.Default()
	cfg.Data.Dir = data
	cfg.HTTP.Listen = "127.0.0.1:0"
	cfg.Metrics.Listen = "127.0.0.1:0"
	cfg.Ingest.Preset = "ultrafast"
	return cfg
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }
