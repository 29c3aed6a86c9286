package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/stream/hls"
	"reprise/stream/timeline"
)

// morning is a short programme: doors at 9, a talk at 9:10, another at 9:20, doors close at 9:40.
func morning(t testing.TB) *fake {
	return newFake(t, at(t, "2026-11-23 09:00:00"), at(t, "2026-11-23 09:40:00"),
		talk("t1", at(t, "2026-11-23 09:10:00"), 70, 77777),
		talk("t2", at(t, "2026-11-23 09:20:00"), 120, 204800))
}

func TestRunFindsNothingInAGoodProgramme(t *testing.T) {
	t.Parallel()
	s := morning(t)
	report, err := Run(context.Background(), s, Options{Nodes: []Subject{s.another()}})
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() {
		t.Error(report.String())
	}
	t.Log(report.String())
	if report.Seconds != 2400 || report.Renditions != len(renditions) || report.Talks != 4 || report.Nodes != 2 {
		t.Errorf("%+v", report)
	}
}

// BenchmarkRun plays one feed for a day.
func BenchmarkRun(b *testing.B) {
	day := at(b, "2026-11-23 00:00:00")
	s := newFake(b, day, day.Add(24*time.Hour),
		talk("t1", day.Add(9*time.Hour), 700, 77777), talk("t2", day.Add(11*time.Hour), 700, 77777),
		talk("t3", day.Add(14*time.Hour), 700, 77777), talk("t4", day.Add(16*time.Hour), 700, 77777))
	for b.Loop() {
		report, err := Run(context.Background(), s, Options{Now: time.Now})
		if err != nil || !report.OK() {
			b.Fatal(err, report.String())
		}
		b.Log(report.String())
	}
}

// short is a programme of eight minutes: doors at 9, a talk of two minutes at 9:02.
func short(t testing.TB) *fake {
	s := newFake(t, at(t, "2026-11-23 09:00:00"), at(t, "2026-11-23 09:06:00"), talk("t1", at(t, "2026-11-23 09:02:00"), 30, 77777))
	s.depth = 2 * time.Minute
	return s
}

func rules(r Report) []string {
	var list []string
	for _, g := range r.Groups {
		list = append(list, g.Rule+string(g.Level))
	}
	return list
}

func TestRunFindsFaults(t *testing.T) {
	t.Parallel()
	const hour = 9 * time.Hour
	// between tells whether now is in that part of the morning.
	between := func(now time.Time, from, to time.Duration) bool {
		d := now.Sub(now.Truncate(24*time.Hour)) - hour
		return d >= from && d < to
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, s *fake)
	}{
		{"R072 no date range", func(_ *testing.T, s *fake) {
			s.mutate = func(_ Address, _ string, _ time.Time, m *hls.Media) { m.DateRanges = nil }
		}},
		{"R078 a sliding playlist with a type", func(_ *testing.T, s *fake) {
			s.mutate = func(a Address, _ string, _ time.Time, m *hls.Media) {
				if a.View == Live {
					m.Type = hls.Event
				}
			}
		}},
		{"R079 a start-over without its type", func(_ *testing.T, s *fake) {
			s.mutate = func(a Address, _ string, _ time.Time, m *hls.Media) {
				if a.View == StartOver {
					m.Type = ""
				}
			}
		}},
		{"R102 numbers go back", func(_ *testing.T, s *fake) {
			s.mutate = func(a Address, _ string, now time.Time, m *hls.Media) {
				if a.View == Live && between(now, 4*time.Minute, time.Hour) {
					m.MediaSequence -= 20
				}
			}
		}},
		{"R104 one rendition changes a segment", func(_ *testing.T, s *fake) {
			s.mutate = func(a Address, uri string, now time.Time, m *hls.Media) {
				if a.View == Live && uri == "a-en.m3u8" && between(now, 3*time.Minute, 4*time.Minute) {
					m.Segments[10].URI = strings.Replace(m.Segments[10].URI, "a-en", "a-fr", 1)
				}
			}
		}},
		{"R105 the list stands still", func(_ *testing.T, s *fake) {
			s.mutate = func(a Address, uri string, now time.Time, m *hls.Media) {
				if between(now, 150*time.Second, time.Hour) {
					w, _ := s.window(a, at(t, "2026-11-23 09:02:30"))
					*m = *s.build(a, uri, w)
				}
			}
		}},
		{"R109 no end", func(_ *testing.T, s *fake) {
			s.mutate = func(a Address, _ string, _ time.Time, m *hls.Media) { m.EndList = m.EndList && a.View != Live }
		}},
		{"R110 the replay changes", func(_ *testing.T, s *fake) {
			s.mutate = func(a Address, _ string, now time.Time, m *hls.Media) {
				if a.View == Replay && between(now, 6*time.Minute, time.Hour) {
					m.Segments[3].Duration += time.Millisecond
				}
			}
		}},
		{"R137 a rendition is missing for a while", func(_ *testing.T, s *fake) { s.missing = "s-en.m3u8" }},
		{"R139 a rendition lags", func(_ *testing.T, s *fake) {
			s.mutate = func(a Address, uri string, now time.Time, m *hls.Media) {
				if a.View == Live && uri == "a-en.m3u8" && between(now, 3*time.Minute, 4*time.Minute) {
					m.Segments = m.Segments[:len(m.Segments)-1]
				}
			}
		}},
		{"R190 a delta update of another playlist", func(_ *testing.T, s *fake) {
			s.mutate = func(a Address, uri string, now time.Time, m *hls.Media) { _ = a }
			s.mutateDelta = func(m *hls.Media) { m.Segments[0].URI += "x" }
		}},
		{"R230 listed early", func(_ *testing.T, s *fake) {
			s.shift = 2 * time.Second
		}},
		{"R230 listed late", func(_ *testing.T, s *fake) {
			s.shift = -2 * time.Second
		}},
		{"R231 hold-back", func(_ *testing.T, s *fake) {
			s.mutate = func(_ Address, _ string, _ time.Time, m *hls.Media) {
				if m.ServerControl != nil {
					m.ServerControl.HoldBack = 12 * time.Second
				}
			}
		}},
		{"R231 no start", func(_ *testing.T, s *fake) {
			s.mutateMV = func(_ Address, _ time.Time, m *hls.Multivariant) { m.Start = nil }
		}},
		{"R231 a start that stands still", func(_ *testing.T, s *fake) {
			s.mutateMV = func(_ Address, _ time.Time, m *hls.Multivariant) { m.Start = &hls.Start{TimeOffset: -15 * time.Second} }
		}},
		{"R232 dates off", func(_ *testing.T, s *fake) {
			s.mutate = func(_ Address, _ string, _ time.Time, m *hls.Media) {
				for i := range m.Segments {
					m.Segments[i].ProgramDateTime = m.Segments[i].ProgramDateTime.Add(5 * time.Millisecond)
				}
			}
		}},
		{"R103 discontinuities miscounted", func(_ *testing.T, s *fake) {
			s.mutate = func(_ Address, _ string, _ time.Time, m *hls.Media) { m.DiscontinuitySequence++ }
		}},
		{"R233 not at its hour", func(t *testing.T, s *fake) {
			s.feeds[0].Talks[0].Starts = at(t, "2026-11-23 09:02:01")
		}},
		{"R234 the past changes", func(_ *testing.T, s *fake) {
			s.rewrite = func(j timeline.Journal) timeline.Journal {
				j.Entries = append([]timeline.Entry(nil), j.Entries...)
				j.Entries[1].Source.ID = "another"
				return j
			}
		}},
		{"R235 renditions come and go", func(_ *testing.T, s *fake) {
			s.mutateMV = func(_ Address, now time.Time, m *hls.Multivariant) {
				if between(now, 3*time.Minute, time.Hour) {
					m.Variants = m.Variants[:3]
				}
			}
		}},
		{"R236 the end too early", func(_ *testing.T, s *fake) {
			s.mutate = func(a Address, _ string, now time.Time, m *hls.Media) {
				m.EndList = m.EndList || a.View == Live && between(now, 5*time.Minute, time.Hour)
			}
		}},
		{"R238 other files in the replay", func(_ *testing.T, s *fake) {
			s.mutate = func(a Address, _ string, _ time.Time, m *hls.Media) {
				if a.View == Replay {
					m.Segments[0].Map = &hls.Map{URI: "x.mp4"}
				}
			}
		}},
		{"R239 the replay before its hour", func(_ *testing.T, s *fake) { s.open = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := short(t)
			c.spoil(t, s)
			report, err := Run(context.Background(), s, Options{Step: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(report.Groups, func(g Group) bool { return g.Rule == c.name[:4] })
			if i < 0 || (report.OK() && report.Groups[i].Level != Should) {
				t.Errorf("found %v\n%s", rules(report), report.String())
			}
		})
	}
}

func TestR115_NodesAreCompared(t *testing.T) {
	t.Parallel()
	s := short(t)
	other := s.another()
	other.mutate = func(a Address, uri string, _ time.Time, m *hls.Media) {
		if uri == "s-fr.m3u8" && a.View == Live {
			m.Version = 6
		}
	}
	third := s.another()
	third.mutateMV = func(_ Address, _ time.Time, m *hls.Multivariant) { m.Variants[0].Bandwidth++ }
	report, err := Run(context.Background(), s, Options{Nodes: []Subject{other, third}})
	if err != nil {
		t.Fatal(err)
	}
	if got := rules(report); !slices.Equal(got, []string{"R076S", "R115O"}) {
		t.Errorf("found %v\n%s", got, report.String())
	}
	for _, e := range report.Groups[1].Examples {
		t.Log(e)
	}
}

func TestRunOfASmallWindowIsGood(t *testing.T) {
	t.Parallel()
	report, err := Run(context.Background(), short(t), Options{})
	if err != nil || !report.OK() || !slices.Equal(rules(report), []string{"R076S"}) {
		t.Error(err, report.String())
	}
}

// failing is a programme whose live playlists cease: expired too early, say.
type failing struct {
	*fake
	from time.Time
}

func (f failing) Multivariant(a Address, now time.Time) (Playlist, error) {
	if a.View == Live && !now.Before(f.from) {
		return Playlist{}, errors.New("gone")
	}
	return f.fake.Multivariant(a, now)
}

func TestRunEndsThoughAFeedFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	report, err := Run(ctx, failing{short(t), at(t, "2026-11-23 09:04:00")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.OK() {
		t.Error("nothing found")
	}
}

func TestRunStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, short(t), Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := Run(context.Background(), &fake{}, Options{}); !errors.Is(err, ErrNoFeeds) {
		t.Error(err)
	}
}
