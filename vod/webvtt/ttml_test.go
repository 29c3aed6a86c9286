package webvtt

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func tt(params, head, body string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xmlns:tts="http://www.w3.org/ns/ttml#styling"
 xmlns:ttm="http://www.w3.org/ns/ttml#metadata" xmlns:ebuttm="urn:ebu:tt:metadata" xml:lang="fr" ` + params + `>
<head>` + head + `</head><body><div>` + body + `</div></body></tt>`
}

func TestTTML(t *testing.T) {
	t.Parallel()
	at := func(start, end int64, text string) Cue { return Cue{Start: ms(start), End: ms(end), Text: text} }
	for _, c := range []struct {
		name, in string
		want     []Cue
		problems []Problem
	}{
		{"plain", tt("", "", `<p begin="00:00:01.000" end="00:00:02.5">Bonjour<br/>à tous</p>`), []Cue{at(1000, 2500, "Bonjour\nà tous")}, nil},
		{"prefix of its own", `<tt:tt xmlns:tt="http://www.w3.org/ns/ttml"><tt:body><tt:div><tt:p begin="1s" dur="1.5s">Bonjour<tt:br/>à tous</tt:p></tt:div></tt:body></tt:tt>`,
			[]Cue{at(1000, 2500, "Bonjour\nà tous")}, nil},
		{"the draft of 2006", `<tt xmlns="http://www.w3.org/2006/10/ttaf1"><body><div><p begin="1000ms" end="2500ms">a</p></div></body></tt>`, []Cue{at(1000, 2500, "a")}, nil},
		{"frames", tt(`ttp:frameRate="25"`, "", `<p begin="00:00:01:05" end="00:00:02:24">a</p><p begin="75f" end="100f">b</p>`), []Cue{at(1200, 2960, "a"), at(3000, 4000, "b")}, nil},
		{"iTT: NTSC film", tt(`ttp:timeBase="smpte" ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001"`, "", `<p begin="01:00:00:00" end="01:00:01:12">a</p>`),
			[]Cue{at(3603600, 3605102, "a")}, nil},
		{"drop frame", tt(`ttp:timeBase="smpte" ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001" ttp:dropMode="dropNTSC"`, "", `<p begin="01:00:00;00" end="01:00:01;00">a</p>`),
			[]Cue{at(3599996, 3600997, "a")}, nil},
		{"ticks", tt(`ttp:tickRate="10000000"`, "", `<p begin="10000000t" end="25000000t">a</p>`), []Cue{at(1000, 2500, "a")}, nil},
		{"units", tt("", "", `<p begin="0.5h" end="30.5m">a</p>`), []Cue{at(1800000, 1830000, "a")}, nil},
		{"start of the tape", tt(`ttp:frameRate="25"`, `<metadata><ebuttm:documentMetadata><ebuttm:documentStartOfProgramme>10:00:00:00</ebuttm:documentStartOfProgramme></ebuttm:documentMetadata></metadata>`,
			`<p begin="10:00:01:00" end="10:00:02:00">a</p><p begin="09:59:00:00" end="09:59:01:00">leader</p>`), []Cue{at(1000, 2000, "a")}, []Problem{{4, Time, ""}}},
		{"offsets of parents", strings.Replace(tt("", "", `<p begin="1s" end="2s">a</p><p begin="3s">b</p>`), "<div>", `<div begin="10s" end="14s">`, 1),
			[]Cue{at(11000, 12000, "a"), at(13000, 14000, "b")}, nil},
		{"cues before their div, as iTT moves them", strings.Replace(tt("", "", `<p begin="01:00:01.000" end="01:00:02.000">a</p>`), "<div>", `<div begin="-01:00:00.000">`, 1),
			[]Cue{at(1000, 2000, "a")}, nil},
		{"one after the other", strings.Replace(tt("", "", `<p dur="1s">a</p><p begin="1s" dur="2s">b</p>`), "<div>", `<div timeContainer="seq">`, 1),
			[]Cue{at(0, 1000, "a"), at(2000, 4000, "b")}, nil},
		{"spans with times", tt("", "", `<p><span begin="1s" end="3s">un</span><br/><span begin="2s" end="3s">deux</span></p>`),
			[]Cue{at(1000, 2000, "un"), at(2000, 3000, "un\ndeux")}, nil},
		{"styles", tt("", `<styling><style xml:id="s0" tts:fontStyle="italic"/><style xml:id="s1" style="s0" tts:fontWeight="bold"/></styling>`,
			`<p begin="1s" end="2s" tts:textAlign="left">a <span style="s1">b</span> c</p>`),
			[]Cue{{Start: ms(1000), End: ms(2000), Text: "a <i><b>b</b></i> c", Settings: "align:left"}}, nil},
		{"styles in a circle", tt("", `<styling><style xml:id="a" style="b"/><style xml:id="b" style="a b" tts:fontStyle="italic"/></styling>`, `<p begin="1s" end="2s" style="a">x</p>`),
			[]Cue{at(1000, 2000, "<i>x</i>")}, nil},
		{"top of the picture", tt("", `<layout><region xml:id="r" tts:displayAlign="before"><style tts:origin="10% 5%"/></region><region xml:id="q" tts:origin="10% 80%" tts:displayAlign="before"/></layout>`,
			`<p begin="1s" end="2s" region="r">a</p><p begin="3s" end="4s" region="q">b</p>`),
			[]Cue{{Start: ms(1000), End: ms(2000), Text: "a", Settings: "line:0"}, at(3000, 4000, "b")}, nil},
		{"speakers", tt("", `<metadata><ttm:agent xml:id="z" type="person"><ttm:name type="full">Zoé &lt;Martin&gt;</ttm:name></ttm:agent></metadata>`, `<p begin="1s" end="2s" ttm:agent="z">Bonjour</p>`),
			[]Cue{at(1000, 2000, "<v Zoé Martin>Bonjour</v>")}, nil},
		{"white space", tt("", "", "<p begin='1s' end='2s'>\n  a\n\t <span>b</span>\n</p><p begin='3s' end='4s' xml:space='preserve'>a\nb</p>"), []Cue{at(1000, 2000, "a b"), at(3000, 4000, "a\nb")}, nil},
		{"entities", tt("", "", `<p begin="1s" end="2s">R&amp;D &lt;i&gt; &#233;</p>`), []Cue{at(1000, 2000, "R&amp;D &lt;i&gt; é")}, nil},
		{"metadata is no text", tt("", "", `<p begin="1s" end="2s"><metadata><ttm:desc>no</ttm:desc></metadata>a</p>`), []Cue{at(1000, 2000, "a")}, nil},
		{"broken times", tt("", "", "<p begin='x' end='2s'>a</p>\n<p begin='3s' end='2s'>b</p>\n<p begin='5s'>c</p>\n<p begin='6s' end='7s'>d</p>"),
			[]Cue{at(6000, 7000, "d")}, []Problem{{4, Time, "x 2s"}, {5, Backwards, "3s 2s"}, {6, Time, ""}}},
		{"pictures", tt("", "", `<p begin="1s" end="2s" smpte:backgroundImage="#i"/>`), nil, []Problem{{4, Pictures, ""}}},
		{"cut off", strings.TrimSuffix(tt("", "", `<p begin="1s" end="2s">a</p><p begin="3s" end="4s">b`), "</div></body></tt>"), []Cue{at(1000, 2000, "a")}, []Problem{{4, Markup, ""}}},
		{"unknown entity", tt("", "", `<p begin="1s" end="2s">a</p><p begin="3s" end="4s">&xxe;</p>`), []Cue{at(1000, 2000, "a")}, []Problem{{4, Markup, ""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := Read([]byte(c.in))
			if f.Format != TTML {
				t.Errorf("format %q", f.Format)
			}
			if diff := cmp.Diff(c.want, f.Cues); diff != "" {
				t.Errorf("cues (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.problems, f.Problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	if f := Read([]byte(tt("", "", ""))); f.Language != "fr" {
		t.Errorf("language %q", f.Language)
	}
}

// TestHostile: files made to cost much cost little, and read nothing outside.
func TestHostile(t *testing.T) {
	t.Parallel()
	var laughs strings.Builder
	laughs.WriteString("<?xml version='1.0'?><!DOCTYPE tt [<!ENTITY a 'aaaaaaaaaa'>")
	for i := range 20 {
		fmt.Fprintf(&laughs, "<!ENTITY a%d '&a%d;&a%d;'>", i+1, i, i)
	}
	laughs.WriteString("]><tt><body><div><p begin='1s' end='2s'>&a20;</p></div></body></tt>")
	spans := strings.Repeat("<span begin='1s' end='2s'>a</span>", 100_000)
	var apart strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&apart, "<span begin='%dms' end='%ds'>%s</span>", i, i+1000, strings.Repeat("x", 40))
	}
	var ladder strings.Builder // each style names eight, which name eight
	for i := range 9 {
		for k := range 8 {
			fmt.Fprintf(&ladder, "<style xml:id='s%d%d' style='", i, k)
			for n := range 8 {
				fmt.Fprintf(&ladder, "s%d%d ", i+1, n)
			}
			ladder.WriteString("'/>")
		}
	}
	region := "<region xml:id='r' " + strings.Repeat("a='b' ", 300_000) + "/>"
	for name, in := range map[string]string{
		"styles of styles":     tt("", ladder.String(), strings.Repeat("<p begin='1s' end='2s' style='s00'>a</p>", 100)),
		"wide regions":         tt("", region, strings.Repeat("<p begin='1s' end='2s' region='r'>a</p>", 100)),
		"names in crumbs":      tt("", "<metadata><ttm:agent xml:id='a'><ttm:name>"+strings.Repeat("a<!---->", 500_000)+"</ttm:name></ttm:agent></metadata>", "<p begin='1s' end='2s'>a</p>"),
		"text in crumbs":       tt("", "", "<p begin='1s' end='2s'>"+strings.Repeat("a<!---->", 500_000)+"</p>"),
		"long spans apart":     tt("", "", strings.Repeat("<p>"+strings.Repeat("<span begin='1s' end='9s'>"+strings.Repeat("x", 4096)+"</span>", 10)+"</p>", 100)),
		"overrides":            "1\n00:00:01,000 --> 00:00:02,000\n" + strings.Repeat(`{\}`, 2_000_000),
		"tags":                 "1\n00:00:01,000 --> 00:00:02,000\n" + strings.Repeat("<b>", 2_000_000),
		"lines":                "1\n00:00:01,000 --> 00:00:02,000\n" + strings.Repeat("a\n", 2_000_000),
		"arrows":               "1\n00:00:01,000 --> 00:00:02,000\na\n" + strings.Repeat("-->\n", 2_000_000),
		"one long line":        "1\n00:00:01,000 --> " + strings.Repeat("0:", 4_000_000),
		"entities in entities": laughs.String(),
		"outside entity":       "<!DOCTYPE tt [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><tt><body><div><p begin='1s' end='2s'>&x;</p></div></body></tt>",
		"depth":                "<tt><body>" + strings.Repeat("<div>", 1_000_000),
		"depth in the head":    "<tt><head>" + strings.Repeat("<metadata>", 1_000_000),
		"spans":                tt("", "", "<p>"+spans+"</p>"),
		"spans apart":          tt("", "", "<p>"+apart.String()+"</p>"),
		"attributes":           "<tt " + strings.Repeat("a='b' ", 200_000) + "><body/></tt>",
		"numbers":              tt(`ttp:frameRate="99999999999999999999" ttp:tickRate="-1" ttp:frameRateMultiplier="0 0"`, "", "<p begin='9223372036854775807t' end='99999999999999h'>a</p>"),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			f := Read([]byte(in))
			if took := time.Since(began); took > 20*time.Second { // hours, if it grew with the square; a slow machine is no fault
				t.Errorf("took %v", took)
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 512<<20 {
				t.Errorf("%d MiB allocated", got>>20)
			}
			for _, c := range f.Cues {
				if len(c.Text) > maxText || strings.Contains(c.Text, "root:") {
					t.Errorf("text of %d bytes", len(c.Text))
				}
			}
			if len(f.Cues) > 2*maxPieces {
				t.Errorf("%d cues", len(f.Cues))
			}
		})
	}
}

func FuzzTTML(f *testing.F) {
	for name, data := range samples(f) {
		if strings.HasSuffix(name, ".xml") || strings.HasSuffix(name, ".itt") {
			f.Add(string(data))
		}
	}
	f.Add(tt(`ttp:frameRate="25"`, `<styling><style xml:id="a" tts:fontStyle="italic"/></styling>`, `<p begin="1s" end="00:00:02:05" style="a">a<br/><span begin="1s">b</span></p>`))
	f.Add(tt(`ttp:timeBase="smpte" ttp:dropMode="dropNTSC"`, `<layout><region xml:id="r"/></layout>`, `<p region="r" begin="00:01:00;02" dur="3f">a`))
	f.Add(`<tt><body timeContainer="seq"><div><p dur="1t">&#0;</p>`)
	f.Fuzz(func(t *testing.T, text string) {
		p := &parser{}
		p.ttml(text)
		sortCues(p.cues)
		checkSane(t, p.cues)
	})
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"1s", "00:00:01:05", "1.5h", "12t", "00:01:00;02.1"} {
		f.Add(s, "25", "1000 1001", "90000")
	}
	f.Fuzz(func(t *testing.T, s, rate, multiplier, tick string) {
		c := newClock(func(name string) string {
			return map[string]string{"frameRate": rate, "frameRateMultiplier": multiplier, "tickRate": tick, "timeBase": "smpte", "dropMode": "dropNTSC"}[name]
		})
		if d, ok := c.time(s); ok && d.Abs() > 5*maxHours*time.Hour {
			t.Errorf("%q is %v", s, d)
		}
	})
}
