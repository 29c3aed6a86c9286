package webvtt

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func TestParse(t *testing.T) {
	t.Parallel()
	hello := []Cue{{Start: ms(1000), End: ms(2500), Text: "Bonjour à tous"}}
	for _, c := range []struct {
		name, in string
		want     []Cue
		problems []Problem
	}{
		{"webvtt", "WEBVTT\n\n00:01.000 --> 00:02.500\nBonjour à tous\n", hello, nil},
		{"byte order mark, CRLF", "\ufeffWEBVTT - titre\r\nKind: captions\r\n\r\n00:00:01.000 --> 00:00:02.500\r\nBonjour à tous\r\n", hello, nil},
		{"subrip", "1\n00:00:01,000 --> 00:00:02,500\nBonjour à tous\n\n", hello, nil},
		{"old Macintosh", "1\r00:00:01,000 --> 00:00:02,500\rBonjour à tous", hello, nil},
		{"UTF-16", "\xff\xfe" + utf16le("1\n00:00:01,000 --> 00:00:02,500\nBonjour à tous"), hello, nil},
		{"Windows-1252", "1\n00:00:01,000 --> 00:00:02,500\nBonjour \xe0 tous\x85\n",
			[]Cue{{Start: ms(1000), End: ms(2500), Text: "Bonjour à tous…"}}, []Problem{{1, Encoding, "windows-1252"}}},
		{"overlong hours, colons for the dot", "1\n100:00:01:000 --> 100:00:02:500\nBonjour à tous",
			[]Cue{{Start: 100*time.Hour + ms(1000), End: 100*time.Hour + ms(2500), Text: "Bonjour à tous"}}, nil},
		{"arrows of a word processor", "1\n00:00:01,000 → 00:00:02,500\nun → deux\n\n2\n00:00:03.000 –> 00:00:04.000\ntrois",
			[]Cue{{Start: ms(1000), End: ms(2500), Text: "un → deux"}, {Start: ms(3000), End: ms(4000), Text: "trois"}}, nil},
		{"no line between header and cue", "WEBVTT\n00:01.000 --> 00:02.500\nBonjour à tous", hello, nil},
		{"blank lines before the header", "\n\nWEBVTT\nKind: captions\nLanguage: fr\n\n00:01.000 --> 00:02.500\nBonjour à tous", hello, nil},
		{"header lost", "00:01.000 --> 00:02.500\nBonjour à tous", hello, nil},
		{"sloppy times", "0:00:01,0-->0:00:02,5\nBonjour à tous", hello, nil},
		{"no blank line between", "1\n00:00:01,000 --> 00:00:02,500\nun\n2\n00:00:03,000 --> 00:00:04,000\ndeux",
			[]Cue{{Start: ms(1000), End: ms(2500), Text: "un"}, {Start: ms(3000), End: ms(4000), Text: "deux"}}, nil},
		{"blank line inside", "1\n00:00:01,000 --> 00:00:02,500\nun\n\ndeux\n",
			[]Cue{{Start: ms(1000), End: ms(2500), Text: "un\ndeux"}}, nil},
		{"identifier and settings", "WEBVTT\n\nintro\n00:01.000 --> 00:02.500 line:90%,end position:10% align:start foo:1 region:r\nBonjour à tous",
			[]Cue{{ID: "intro", Start: ms(1000), End: ms(2500), Settings: "line:90%,end position:10% align:start", Text: "Bonjour à tous"}},
			[]Problem{{4, Setting, "foo:1"}}},
		{"notes and styles", "WEBVTT\n\nNOTE a --\nb\n\nSTYLE\n::cue {}\n\n00:01.000 --> 00:02.500\nBonjour à tous", hello, []Problem{{6, Style, ""}}},
		{"coordinates", "1\n00:00:01,000 --> 00:00:02,500 X1:40 X2:600 Y1:20 Y2:50\nBonjour à tous", hello, nil},
		{"top", "1\n00:00:01,000 --> 00:00:02,500\n{\\an8}Bonjour à tous", []Cue{{Start: ms(1000), End: ms(2500), Settings: "line:0", Text: "Bonjour à tous"}}, nil},
		{"broken cues", "WEBVTT\n\n00:01.000 --> 00:61.000\nun\n\n00:05.000 --> 00:04.000\ndeux\n\n00:01.000 --> 00:02.000\n\n00:01.000 --> 00:02.500\nBonjour à tous\n\nseul\n",
			hello, []Problem{{3, Time, "00:01.000 --> 00:61.000"}, {6, Backwards, "00:05.000 --> 00:04.000"}, {9, NoText, ""}, {14, Stray, "seul"}}},
		{"order", "WEBVTT\n\n00:03.000 --> 00:04.000\nb\n\n00:01.000 --> 00:02.000\na",
			[]Cue{{Start: ms(1000), End: ms(2000), Text: "a"}, {Start: ms(3000), End: ms(4000), Text: "b"}}, nil},
		{"long", "WEBVTT\n\n123:00:01.000 --> 123:00:02.000\na", []Cue{{Start: 123*time.Hour + ms(1000), End: 123*time.Hour + ms(2000), Text: "a"}}, nil},
		{"nothing", "", nil, []Problem{{1, NotCaptions, ""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cues, problems := Parse([]byte(c.in))
			if diff := cmp.Diff(c.want, cues); diff != "" {
				t.Errorf("cues (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.problems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func utf16le(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"<i>un</i> <b>deux</b>":              "<i>un</i> <b>deux</b>",
		"<I>un</I>":                          "<i>un</i>",
		"<i>un":                              "<i>un</i>",
		"un</i>":                             "un",
		"<b><i>un</b></i>":                   "<b><i>un</i></b>",
		`<font color="#fff">un</font>`:       "un",
		"<v Zoé>un":                          "<v Zoé>un</v>",
		"<v A & B &amp; C>un":                "<v A &amp; B &amp; C>un</v>",
		"<c.jaune>un</c>":                    "<c.jaune>un</c>",
		"<lang en>one</lang>":                "<lang en>one</lang>",
		"R&D, 1 < 2 > 0 &amp; &#233; &nbsp;": "R&amp;D, 1 &lt; 2 &gt; 0 &amp; &#233; &nbsp;",
		"a --> b":                            "a --&gt; b",
		"un <00:00:01.500>deux":              "un <00:00:01.500>deux",
		"<script>x</script>":                 "x",
		"<b></b>":                            "",
		"a\x07b":                             "ab",
	} {
		if got, _ := cueText([]string{in}); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestR170_R171_Header: every segment starts with WEBVTT and maps cue time 0 to
// media time 10 s in 90 kHz.
func TestR170_R171_Header(t *testing.T) {
	t.Parallel()
	want := "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n"
	if string(Empty()) != want {
		t.Errorf("Empty: %q", Empty())
	}
	for _, s := range Segments([]Cue{{End: time.Second, Text: "a"}}, 184320, 100, 3) {
		if !strings.HasPrefix(string(s), want) {
			t.Errorf("%q", s)
		}
	}
}

// TestR172_Spanning: a cue is in each segment that it touches, with its full
// times, and in no other.
func TestR172_Spanning(t *testing.T) {
	t.Parallel()
	cues := []Cue{
		{Start: ms(1000), End: ms(9000), Text: "long", ID: "x", Settings: "line:0"},
		{Start: ms(3840), End: ms(7680), Text: "exact"},
	}
	segments := Segments(cues, 184320, 92160, 4)
	if len(segments) != 4 {
		t.Fatalf("%d segments", len(segments))
	}
	for i, want := range []string{"10", "11", "10", "00"} {
		for k, line := range []string{"x\n00:00:01.000 --> 00:00:09.000 line:0\nlong\n", "00:00:03.840 --> 00:00:07.680\nexact\n"} {
			if got := strings.Contains(string(segments[i]), "\n\n"+line); got != (want[k] == '1') {
				t.Errorf("segment %d has %q: %v", i, cues[k].Text, got)
			}
		}
	}
}

// TestR172_Property: over random cues, the cues of each segment are those that
// overlap it, and what is written reads back without a problem.
func TestR172_Property(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		nominal := rapid.SampledFrom([]int64{184320, 204800}).Draw(t, "nominal")
		count := rapid.IntRange(1, 8).Draw(t, "count")
		last := rapid.Int64Range(1, nominal+30719).Draw(t, "last")
		var cues []Cue
		start := time.Duration(0)
		for range rapid.IntRange(0, 12).Draw(t, "cues") {
			start += ms(rapid.Int64Range(0, 5000).Draw(t, "gap"))
			cues = append(cues, Cue{Start: start, End: start + ms(rapid.Int64Range(1, 12000).Draw(t, "length")), Text: "a"})
		}
		for i, s := range Segments(cues, nominal, last, count) {
			from := int64(i) * nominal
			to := from + nominal
			if i == count-1 {
				to = from + last
			}
			var want []Cue
			for _, c := range cues {
				if c.Start.Milliseconds()*48 < to && c.End.Milliseconds()*48 > from {
					want = append(want, c)
				}
			}
			got, problems := Parse(s)
			if len(problems) > 0 {
				t.Fatalf("%v in %q", problems, s)
			}
			if len(got) != len(want) {
				t.Fatalf("segment %d: %d cues, want %d", i, len(got), len(want))
			}
		}
	})
}

// TestBounded: thousands of endless cues do not fill the memory.
func TestBounded(t *testing.T) {
	t.Parallel()
	var cues []Cue
	for range 5000 {
		cues = append(cues, Cue{End: 10 * time.Hour, Text: strings.Repeat("x", 100)})
	}
	total := 0
	for _, s := range Segments(cues, 184320, 184320, 100) {
		total += len(s)
	}
	if total > 100*maxVisible*200 {
		t.Errorf("%d bytes", total)
	}
	_, problems := Parse(append([]byte("WEBVTT\n\n"), bytes.Repeat([]byte("x --> y\n\n"), 5000)...))
	if len(problems) != maxProblems+1 || problems[maxProblems].Reason != TooMany {
		t.Errorf("%d problems", len(problems))
	}
}

func FuzzParse(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data)
	}
	f.Add([]byte("WEBVTT\n\n00:01.000 --> 00:02.500 line:0\n<i>a</i> & <b\n"))
	f.Add([]byte("1\r\n00:00:01,000 --> 00:00:02,500\r\n{\\an8}a\r\n\r\nb\r\n"))
	f.Add([]byte("\xff\xfea\x00"))
	f.Add([]byte("WEBVTT\n\nSTYLE\nx\n\nNOTE\n\n1\n--> -->\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cues, _ := Parse(data)
		checkSane(t, cues)
		for _, s := range Segments(cues, 184320, 1000, 3) {
			again, problems := Parse(s)
			if len(problems) > 0 {
				t.Fatalf("%v in %q", problems, s)
			}
			for _, c := range again {
				if more, _ := cueText(strings.Split(c.Text, "\n")); more != c.Text {
					t.Fatalf("text is not stable: %q, then %q", c.Text, more)
				}
			}
		}
	})
}
