package stream_test

import (
	"strings"
	"testing"
	"time"

	"reprise/stream"
	"reprise/stream/hls"
	"reprise/stream/timeline"
)

// measured is a stretch of a rendition: bytes and ticks of each segment.
type measured []struct {
	bytes int64
	ticks timeline.Ticks
}

// peak is the largest rate of all contiguous runs of 2 to 6.5 s, found the long way.
func (m measured) peak() float64 {
	best := 0.0
	for i := range m {
		bytes, ticks := int64(0), timeline.Ticks(0)
		for _, s := range m[i:] {
			bytes, ticks = bytes+s.bytes, ticks+s.ticks
			if d := ticks.Duration(); d >= 2*time.Second && d <= 6500*time.Millisecond {
				best = max(best, float64(8*bytes)/d.Seconds())
			}
		}
	}
	return best
}

func (m measured) average() float64 {
	bytes, ticks := int64(0), timeline.Ticks(0)
	for _, s := range m {
		bytes, ticks = bytes+s.bytes, ticks+s.ticks
	}
	return float64(8*bytes) / ticks.Duration().Seconds()
}

// weigh returns the segments that a media playlist lists, by their real sizes.
func weigh(t *testing.T, w *world, doc *stream.Document, iframes bool) measured {
	t.Helper()
	var m measured
	for _, s := range parse(t, doc).Segments {
		n := cutURI(t, s.URI)
		f, err := w.File("conf", n.media, n.rendition, n.name, doors.Add(time.Hour), anyone, true)
		if err != nil {
			t.Fatal(err)
		}
		size := f.Length
		if iframes {
			size = s.ByteRange.Length
		}
		m = append(m, struct {
			bytes int64
			ticks timeline.Ticks
		}{size, timeline.TicksOf(s.Duration)})
	}
	return m
}

// TestR021_R022_BandwidthIsMeasured compares what multivariant playlists say
// with the files: exactly for a replay, as a bound for a feed with its slates.
func TestR021_R022_BandwidthIsMeasured(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{Rewind: true})
	for _, c := range []struct {
		a   stream.Address
		now time.Duration
	}{
		{replay("sea", "fr"), 10 * time.Minute}, {replay("sky", "en"), 10 * time.Minute}, {startOver("sea", "en"), 10 * time.Minute},
		{live("fr"), 8 * time.Minute}, {live("en"), 8 * time.Minute},
	} {
		now := doors.Add(c.now)
		doc, err := w.Multivariant(c.a, now)
		if err != nil {
			t.Fatal(err)
		}
		m, err := hls.ParseMultivariant(doc.Body)
		if err != nil {
			t.Fatal(err)
		}
		ask := func(uri string) measured {
			return weigh(t, w, media(t, w, c.a, strings.TrimSuffix(uri, ".m3u8"), now), strings.HasPrefix(uri, "i"))
		}
		group := func(id string) (peak, average float64) {
			for _, g := range m.Groups {
				for _, r := range g.Renditions {
					if g.ID == id {
						x := ask(r.URI)
						peak, average = max(peak, x.peak()), max(average, x.average())
					}
				}
			}
			return peak, average
		}
		check := func(what string, peak, average float64, bandwidth, averageBandwidth int64) {
			if float64(bandwidth) < peak-1 || (c.a.View != stream.Live && float64(bandwidth) > peak+8) {
				t.Errorf("R021 %s %s %s: BANDWIDTH %d, measured %.1f", c.a.View, c.a.Language, what, bandwidth, peak)
			}
			if float64(averageBandwidth) < average-1 || (c.a.View != stream.Live && float64(averageBandwidth) > average+8) {
				t.Errorf("R022 %s %s %s: AVERAGE-BANDWIDTH %d, measured %.1f", c.a.View, c.a.Language, what, averageBandwidth, average)
			}
			if float64(bandwidth) > 1.25*peak {
				t.Errorf("R021 %s %s: BANDWIDTH %d is far above the measured %.1f", c.a.View, what, bandwidth, peak)
			}
		}
		for _, v := range m.Variants {
			x := ask(v.URI)
			peak, average := x.peak(), x.average()
			soundPeak, soundAverage := group(v.Audio)
			textPeak, textAverage := group(v.Subtitles)
			check(v.URI, peak+soundPeak+textPeak, average+soundAverage+textAverage, v.Bandwidth, v.AverageBandwidth)
		}
		for _, v := range m.IFrameVariants {
			x := ask(v.URI)
			check(v.URI, x.peak(), x.average(), v.Bandwidth, v.AverageBandwidth)
		}
	}
}

// TestR038_TheLowestRungFitsACellularLink: with its half-rate sound, at most 192 kbit/s.
func TestR038_TheLowestRungFitsACellularLink(t *testing.T) {
	t.Parallel()
	w := onAir(t, stream.Config{})
	doc, err := w.Multivariant(live("fr"), doors.Add(3*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	m, err := hls.ParseMultivariant(doc.Body)
	if err != nil {
		t.Fatal(err)
	}
	low := m.Variants[len(m.Variants)-1]
	if low.URI != "v234.m3u8" || low.Audio != "aac-low" || low.Bandwidth > 192_000 {
		t.Errorf("%+v", low)
	}
	if first := m.Variants[0].URI; first != "v540.m3u8" {
		t.Errorf("players begin with %s", first)
	}
}

// TestNothingReady: before any film is ready a feed offers the slate up to 720 lines.
func TestNothingReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newStore(), doors.Add(-time.Hour), stream.Config{})
	w.put(conference())
	w.settle()
	doc, err := w.Multivariant(live("fr"), doors)
	if err != nil {
		t.Fatal(err)
	}
	m, err := hls.ParseMultivariant(doc.Body)
	if err != nil {
		t.Fatal(err)
	}
	var uris []string
	for _, v := range m.Variants {
		uris = append(uris, v.URI)
	}
	if got := strings.Join(uris, " "); got != "v540.m3u8 v720.m3u8 v360.m3u8 v234.m3u8" {
		t.Error(got)
	}
}

// TestOwnLanguageOfAReplay: a film whose sound is in no language of the event still has sound.
func TestOwnLanguageOfAReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newStore(), doors.Add(-time.Hour), stream.Config{Rewind: true})
	f := seaFilm()
	f.sounds, f.captions = []string{"de"}, nil
	w.addFilm(f, 1)
	w.put(conference())
	w.settle()
	now := doors.Add(20 * time.Minute)
	doc, err := w.Multivariant(replay("sea", "fr"), now)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc.Body), `NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a-de.m3u8"`) {
		t.Errorf("%s", doc.Body)
	}
	media(t, w, replay("sea", "fr"), "a-de", now)
	if list := parse(t, media(t, w, live("fr"), "a-fr", doors.Add(2*time.Minute+30*time.Second))); !strings.Contains(list.Segments[len(list.Segments)-1].URI, "/a-de/") {
		t.Error("a feed does not fall back to the talk's own sound")
	}
}
