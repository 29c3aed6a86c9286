package stream_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"
	"time"

	"reprise/stream"
)

func gunzip(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// BenchmarkMediaHit is the hot path: a playlist that is there.
func BenchmarkMediaHit(b *testing.B) {
	w := onAir(b, stream.Config{})
	a, now := live("fr"), doors.Add(3*time.Minute)
	media(b, w, a, "v720", now)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := w.Media(a, "v720", now, false); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkMediaRender is a new segment in a full window of 15 minutes: the
// playlist is made, compressed and stored; without compression as verify does.
func BenchmarkMediaRender(b *testing.B) {
	for name, cfg := range map[string]stream.Config{"gzip": {Rewind: true}, "plain": {Rewind: true, NoGzip: true}} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, newStore(), doors.Add(-time.Hour), cfg)
			long := seaFilm()
			long.length = 15360 * 12 * 400
			w.addFilm(long, 1)
			e := conference()
			e.Auditoriums[0].Closes = doors.Add(time.Hour)
			e.Talks = e.Talks[:1]
			w.put(e)
			w.settle()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				media(b, w, live("fr"), "v720", doors.Add(20*time.Minute+time.Duration(i%2)*4*time.Second))
			}
		})
	}
}

func BenchmarkMultivariant(b *testing.B) {
	w := onAir(b, stream.Config{Rewind: true})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := w.Multivariant(live("fr"), doors.Add(3*time.Minute+time.Duration(i%1000)*time.Millisecond)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFile(b *testing.B) {
	w := onAir(b, stream.Config{})
	now := doors.Add(3 * time.Minute)
	m := seaFilm().media(1)
	name := m.SegmentName("v720", 4, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.File("conf", m.ID, "v720", name, now, anyone, false); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMediaHitAllocatesNothing guards the hot path.
func TestMediaHitAllocatesNothing(t *testing.T) {
	w := onAir(t, stream.Config{})
	a, now := live("fr"), doors.Add(3*time.Minute)
	media(t, w, a, "v720", now)
	if n := testing.AllocsPerRun(1000, func() { _, _ = w.Media(a, "v720", now, false) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
