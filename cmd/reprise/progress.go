package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"reprise/vod"
)

// meter tells how far a long work is: a bar that moves on a terminal, a plain
// line now and then elsewhere. It is used by one goroutine at a time.
type meter struct {
	w        io.Writer
	clock    clock
	bar      bool
	width    int
	title    string
	stage    string
	fraction float64 // last printed
	printed  time.Time
	started  time.Time
	dirty    bool // a bar is on the current line
}

func newMeter(p program, title string) *meter {
	m := &meter{w: p.stderr, clock: p.clock, title: title, started: p.clock.Now(), width: 80}
	if m.bar = p.onTerminal(p.stderr); m.bar {
		m.width = terminalWidth(p.stderr.(*os.File))
	}
	return m
}

// Steps between what is printed.
const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 10 * time.Second
)

// stageWord says what happens in a state of an asset.
func stageWord(s vod.State) string {
	switch s {
	case vod.Uploading, vod.Uploaded:
		return "copying"
	case vod.Probing:
		return "looking"
	case vod.Processing:
		return "encoding"
	}
	return string(s)
}

// update says that stage is done to a fraction of 0 to 1.
func (m *meter) update(stage string, fraction float64) {
	now := m.clock.Now()
	fraction = min(max(fraction, 0), 1)
	fresh := stage != m.stage
	every := lineEvery
	if m.bar {
		every = barEvery
	}
	if !fresh && now.Sub(m.printed) < every {
		return
	}
	m.stage, m.fraction, m.printed = stage, fraction, now
	if m.bar {
		_, _ = fmt.Fprint(m.w, "\r"+m.line(now.Sub(m.started)))
		m.dirty = true
		return
	}
	_, _ = fmt.Fprintf(m.w, "%s: %s %.0f %%\n", m.title, stage, fraction*100)
}

// line draws the bar, as wide as the terminal.
func (m *meter) line(elapsed time.Duration) string {
	tail := fmt.Sprintf(" %3.0f %%  %s", m.fraction*100, elapsed.Round(time.Second))
	head := fit(m.title, max(m.width/3, 12)) + "  " + fmt.Sprintf("%-8s ", m.stage)
	room := m.width - len([]rune(head)) - len([]rune(tail)) - 3
	if room < 5 {
		return fit(head+tail, m.width-1)
	}
	full := int(m.fraction * float64(room))
	return head + "[" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "]" + tail
}

// fit cuts or pads s to n signs.
func fit(s string, n int) string {
	r := []rune(s)
	if len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s + strings.Repeat(" ", n-len(r))
}

// done takes the bar away and prints one last line.
func (m *meter) done(format string, args ...any) {
	if m.dirty {
		_, _ = fmt.Fprint(m.w, "\r"+strings.Repeat(" ", max(m.width-1, 0))+"\r")
		m.dirty = false
	}
	if format != "" {
		_, _ = fmt.Fprintf(m.w, format+"\n", args...)
	}
}
