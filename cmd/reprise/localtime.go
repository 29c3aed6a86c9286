package main

import (
	"fmt"
	"strings"
	"time"
)

// localLayouts are the ways an hour may be written in an event file, most exact first.
func localLayouts() []string {
	return []string{
		"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999",
		"2006-01-02 15:04", "2006-01-02T15:04",
	}
}

// offsetLayouts are the same with an offset, for the night when clocks go back.
func offsetLayouts() []string {
	return []string{
		time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 -07:00",
		"2006-01-02 15:04 -07:00", "2006-01-02 15:04Z07:00", "2006-01-02T15:04Z07:00",
	}
}

// parseLocal reads an hour in the event's zone. An hour that does not exist
// (clocks went forward over it), and one that exists twice (clocks went back)
// without an offset, are errors that say what to write.
func parseLocal(text string, zone *time.Location) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range offsetLayouts() {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		_, given := t.Zone()
		if _, real := t.In(zone).Zone(); given != real && given != 0 {
			return time.Time{}, fmt.Errorf("%q: %s is not at %s then, but at %s", text, zone, t.Format("-07:00"), t.In(zone).Format("-07:00"))
		}
		return t.UTC(), nil
	}
	for _, layout := range localLayouts() {
		wall, err := time.Parse(layout, text) // the figures, as if in UTC
		if err != nil {
			continue
		}
		return resolveLocal(text, wall, zone)
	}
	return time.Time{}, fmt.Errorf("%q is not an hour: write 2026-09-14 09:00 (local time of the event)", text)
}

// resolveLocal finds the one instant at which clocks in zone show wall.
func resolveLocal(text string, wall time.Time, zone *time.Location) (time.Time, error) {
	var found []time.Time
	// Offsets are within ±14 h and change by at most a day at once: looking at
	// the offset a day before and a day after finds both sides of a change.
	for _, probe := range []time.Duration{-26 * time.Hour, 26 * time.Hour} {
		_, offset := wall.Add(probe).In(zone).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		if sameWall(t.In(zone), wall) && (len(found) == 0 || !found[0].Equal(t)) {
			found = append(found, t.UTC())
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 2:
		const layout = "2006-01-02 15:04 -07:00"
		return time.Time{}, fmt.Errorf("%q comes twice in %s, as clocks go back: write %s or %s", text, zone,
			found[0].In(zone).Format(layout), found[1].In(zone).Format(layout))
	}
	after := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	return time.Time{}, fmt.Errorf("%q does not exist in %s, as clocks go forward over it: did you mean %s?", text, zone,
		after.Format("2006-01-02 15:04"))
}

func sameWall(a, b time.Time) bool {
	return a.Format("2006-01-02 15:04:05.999999999") == b.Format("2006-01-02 15:04:05.999999999")
}

// formatLocal writes an instant so that parseLocal gives it back: seconds only
// when there are some, the offset only when the hour comes twice.
func formatLocal(t time.Time, zone *time.Location) string {
	local := t.In(zone)
	layout := "2006-01-02 15:04"
	if local.Second() != 0 || local.Nanosecond() != 0 {
		layout = "2006-01-02 15:04:05.999999999"
	}
	text := local.Format(layout)
	if back, err := parseLocal(text, zone); err != nil || !back.Equal(t) {
		return local.Format("2006-01-02 15:04:05.999999999 -07:00")
	}
	return text
}
