package hls

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

// window returns a live media playlist of n segments of 3.84 s, with a talk beginning in the middle.
func window(n int) *Media {
	start := time.Date(2026, 11, 23, 13, 59, 52, 320e6, time.UTC)
	m := &Media{
		Version: 7, TargetDuration: 4 * time.Second, MediaSequence: 1812, DiscontinuitySequence: 6,
		ServerControl: &ServerControl{CanBlockReload: true, CanSkipUntil: 24 * time.Second, HoldBack: 16 * time.Second},
	}
	const base = "../../../s/0193c2a1-7b1e-7000-8000-000000000001/v720/"
	for i := range n {
		s := Segment{
			URI:             fmt.Sprintf("%s%d-abcdefghijklmnopqrstuvwx.m4s", base, i),
			Duration:        Extinf(time.Duration(i)*3840*time.Millisecond, time.Duration(i+1)*3840*time.Millisecond),
			ProgramDateTime: start.Add(time.Duration(i) * 3840 * time.Millisecond),
		}
		if i == 0 || i == n/2 {
			s.Map = &Map{URI: base + "init-abcdefghijklmnopqrstuvwx.mp4"}
		}
		if i == n/2 {
			s.Discontinuity = true
			m.DateRanges = append(m.DateRanges, DateRange{ID: "talk-12", Class: "org.example.talk", StartDate: s.ProgramDateTime, PlannedDuration: 1500 * time.Second})
		}
		m.Segments = append(m.Segments, s)
	}
	return m
}

// BenchmarkAppendMedia renders a 15-minute window: 235 segments with a date each.
func BenchmarkAppendMedia(b *testing.B) {
	m := window(235)
	dst := AppendMedia(nil, m)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendMedia(dst[:0], m)
	}
}

func TestAppendMediaAllocates(t *testing.T) {
	m := window(235)
	if n := testing.AllocsPerRun(20, func() { AppendMedia(nil, m) }); n > 2 { // one, but under the race detector slices.Grow makes two
		t.Errorf("AppendMedia allocates %v times, want once", n)
	}
	dst := AppendMedia(nil, m)
	if n := testing.AllocsPerRun(20, func() { dst = AppendMedia(dst[:0], m) }); n > 0 {
		t.Errorf("AppendMedia into a large enough slice allocates %v times", n)
	}
}

func TestAppendDate(t *testing.T) {
	t.Parallel()
	paris := time.FixedZone("", 3600)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 11, 23, 13, 59, 52, 320e6, time.UTC), "2026-11-23T13:59:52.320Z"},
		{time.Date(2026, 11, 24, 0, 30, 0, 0, paris), "2026-11-23T23:30:00.000Z"},
		{time.Date(2026, 12, 31, 23, 59, 59, 999_500_000, time.UTC), "2027-01-01T00:00:00.000Z"},
		{time.Date(1969, 12, 31, 23, 59, 59, 1e6, time.UTC), "1969-12-31T23:59:59.001Z"},
		{time.Date(2028, 2, 29, 0, 0, 0, 499_999, time.UTC), "2028-02-29T00:00:00.000Z"},
	} {
		if got := string(AppendDate(nil, c.at)); got != c.want {
			t.Errorf("AppendDate(%v) = %s, want %s", c.at, got, c.want)
		}
	}
}

func TestCalendarKeepsNoDay(t *testing.T) {
	t.Parallel()
	var c calendar
	at := time.Date(2026, 3, 28, 23, 59, 50, 0, time.UTC)
	for range 200_000 {
		at = at.Add(977 * time.Millisecond)
		if got, want := string(c.append(nil, at)), at.Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func TestR063_ExtinfDoesNotDrift(t *testing.T) {
	t.Parallel()
	// 128 frames at 30 fps last 4.2666… s: no decimal number of seconds does.
	var sum time.Duration
	at := func(i int) time.Duration { return time.Duration(i) * 204800 * time.Second / 48000 }
	for i := range 4000 {
		d := Extinf(at(i), at(i+1))
		if d != 4266666*time.Microsecond && d != 4266667*time.Microsecond {
			t.Fatalf("segment %d lasts %v", i, d)
		}
		sum += d
		if off := sum - at(i+1); off.Abs() > 500*time.Nanosecond {
			t.Fatalf("after segment %d the sum is %v off", i, off)
		}
	}
}

func TestQuotedStringsStayWhole(t *testing.T) {
	t.Parallel()
	m := &Media{TargetDuration: 4 * time.Second, DateRanges: []DateRange{{ID: "a\"b\nc", StartDate: time.Unix(0, 0)}}}
	if got := AppendMedia(nil, m); !bytes.Contains(got, []byte(`ID="a''b c"`)) {
		t.Errorf("got %s", got)
	}
}
