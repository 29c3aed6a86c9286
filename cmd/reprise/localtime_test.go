package main

import (
	"strings"
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestParseLocal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, text, want string }{
		{"Europe/Paris", "2026-09-14 09:00", "2026-09-14T07:00:00Z"},
		{"Europe/Paris", "2026-09-14T09:00:30", "2026-09-14T07:00:30Z"},
		{"Europe/Paris", "2026-03-29 01:59", "2026-03-29T00:59:00Z"},
		{"Europe/Paris", "2026-03-29 03:00", "2026-03-29T01:00:00Z"},
		{"Europe/Paris", "2026-10-25 01:59:59.5", "2026-10-24T23:59:59.5Z"},
		{"Europe/Paris", "2026-10-25 03:00", "2026-10-25T02:00:00Z"},
		{"Europe/Paris", "2026-10-25 02:30 +02:00", "2026-10-25T00:30:00Z"},
		{"Europe/Paris", "2026-10-25 02:30 +01:00", "2026-10-25T01:30:00Z"},
		{"Europe/Paris", "2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z"},
		{"Australia/Lord_Howe", "2026-04-05 01:20", "2026-04-04T14:20:00Z"},
		{"Pacific/Apia", "2011-12-31 09:00", "2011-12-30T19:00:00Z"},
		{"UTC", "2026-01-01 00:00", "2026-01-01T00:00:00Z"},
	} {
		got, err := parseLocal(c.text, zone(t, c.zone))
		if err != nil {
			t.Errorf("%s %s: %v", c.zone, c.text, err)
			continue
		}
		if got.Format(time.RFC3339Nano) != c.want {
			t.Errorf("%s %s: %s, not %s", c.zone, c.text, got.Format(time.RFC3339Nano), c.want)
		}
	}
}

func TestParseLocalRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, text, word string }{
		{"Europe/Paris", "2026-03-29 02:30", "did you mean 2026-03-29 03:30?"},
		{"Europe/Paris", "2026-10-25 02:30", "write 2026-10-25 02:30 +02:00 or 2026-10-25 02:30 +01:00"},
		{"Australia/Lord_Howe", "2026-04-05 01:45", "comes twice"},
		{"Pacific/Apia", "2011-12-30 09:00", "does not exist"},
		{"Europe/Paris", "2026-09-14 09:00 +05:00", "is not at +05:00 then, but at +02:00"},
		{"Europe/Paris", "tomorrow", "is not an hour"},
		{"Europe/Paris", "2026-02-30 09:00", "is not an hour"},
	} {
		if got, err := parseLocal(c.text, zone(t, c.zone)); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s %s: %s, %v; not %q", c.zone, c.text, got, err, c.word)
		}
	}
}

func TestFormatLocalComesBack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Paris", "Australia/Lord_Howe", "America/Saint_Johns", "UTC"} {
		z, err := time.LoadLocation(name)
		if err != nil {
			continue
		}
		for start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); start.Year() == 2026; start = start.Add(17*time.Minute + 7*time.Second) {
			text := formatLocal(start, z)
			got, err := parseLocal(text, z)
			if err != nil || !got.Equal(start) {
				t.Fatalf("%s: %s is written %q and read %s, %v", name, start, text, got, err)
			}
		}
	}
}
