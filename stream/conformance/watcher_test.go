package conformance

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"reprise/stream/hls"
)

// bodies renders a rendition of the morning at each change, from doors to the end.
func bodies(t testing.TB, s *fake, a Address, uri string) (list [][]byte, times []time.Time) {
	t.Helper()
	now := s.feeds[0].Opens
	for !now.After(s.feeds[0].Closes) {
		p, err := s.Media(a, uri, now)
		if err == nil && (len(list) == 0 || !bytes.Equal(list[len(list)-1], p.Body)) {
			list, times = append(list, p.Body), append(times, now)
		}
		next, ok := s.journals[a.Feed].NextChange(now)
		if !ok || !next.After(now) {
			break
		}
		now = next
	}
	if len(list) < 100 {
		t.Fatalf("only %d bodies", len(list))
	}
	return list, times
}

// TestWatcherReadsOnlyWhatIsNew: a good feed is parsed whole once a rendition, boundaries and all.
func TestWatcherReadsOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	s := morning(t)
	for _, a := range []Address{{View: Live, Feed: "main/fr"}, {View: StartOver, Feed: "main/fr", Talk: "t2"}} {
		for _, uri := range []string{"v720.m3u8", "a-en.m3u8", "s-fr.m3u8", "i720.m3u8"} {
			list, times := bodies(t, s, a, uri)
			w := NewWatcher(Expectation{Journal: s.journals[a.Feed], Talk: a.Talk})
			for i, body := range list {
				if !w.Media(uri, body) {
					t.Fatal("a change is not seen")
				}
				w.Settle(times[i])
				w.Media(uri, bytes.Clone(body))
				clean(t, Serious(w.Faults()))
			}
			if n := w.tracks[0].reloads; n != 1 {
				t.Errorf("%s %s: parsed whole %d times of %d", a, uri, n, len(list))
			}
			if !w.Ended() {
				t.Error("the end is not seen")
			}
		}
	}
}

// TestWatcherFindsWhatThePlainChecksFind spoils a byte now and then.
func TestWatcherFindsWhatThePlainChecksFind(t *testing.T) {
	t.Parallel()
	s := morning(t)
	list, _ := bodies(t, s, Address{View: Live, Feed: "main/fr"}, "a-en.m3u8")
	rnd := rand.New(rand.NewPCG(1, 2))
	spoiled := 0
	for range 2 {
		w := NewWatcher(Expectation{})
		var before []byte
		for _, body := range list {
			if rnd.IntN(6) == 0 {
				body = bytes.Clone(body)
				body[rnd.IntN(len(body))] = "0123456789,\n#Z\""[rnd.IntN(15)]
				spoiled++
			}
			want := CheckMedia(body)
			if _, err := hls.ParseMedia(before); err == nil {
				want = append(want, CheckChange(before, body)...)
			}
			w.Media("a-en.m3u8", body)
			got := w.Faults()
			if (len(Serious(got)) > 0) != (len(Serious(want)) > 0) {
				t.Fatalf("the watcher finds %v, the plain checks %v in\n%s\nafter\n%s", got, want, body, before)
			}
			before = body
		}
	}
	t.Logf("%d bodies of %d spoiled", spoiled, 2*len(list))
}

// BenchmarkWatcher is one change of one rendition with a window of 15 minutes.
func BenchmarkWatcher(b *testing.B) {
	list, _ := bodies(b, morning(b), Address{View: Live, Feed: "main/fr"}, "v720.m3u8")
	list = list[240:]
	b.ReportAllocs()
	w, i := NewWatcher(Expectation{}), 0
	for b.Loop() {
		if i == len(list) {
			w, i = NewWatcher(Expectation{}), 0
		}
		w.Media("v720.m3u8", list[i])
		i++
	}
}
