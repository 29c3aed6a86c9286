package ingest

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"reprise/vod"
)

// Sources of the films below. A lively picture is small, as few findings are about size.
const (
	lively = "testsrc2=s=160x90:r=25"
	calm   = "color=0x335577:s=160x90:r=25"
	// syllables is noise with pauses, as speech has them.
	syllables = "anoisesrc=c=pink:a=0.5:r=48000:seed=1,volume='if(lt(mod(t,0.3),0.2),1,0)':eval=frame"
)

// fault is a film with one fault and what the report must say of it.
type fault struct {
	name  string
	make  func(t *testing.T, dir string) string
	says  []string
	not   []string
	spans map[string][]vod.Span // of findings, to half a second …
	loose float64               // … or so many seconds
}

// faulty makes a film of d of the two sources, with options.
func faulty(file string, d time.Duration, video, audio string, more ...string) func(*testing.T, string) string {
	return func(t *testing.T, dir string) string {
		args := []string{"-f", "lavfi", "-i", video, "-f", "lavfi", "-i", audio, "-t", decimal(d.Seconds()).en, "-preset", "ultrafast", "-metadata:s:a:0", "language=fra"}
		if !slices.Contains(more, "-ac") && !slices.Contains(more, "-filter_complex") {
			args = append(args, "-ac", "2")
		}
		return makeFilm(t, filepath.Join(dir, file), append(args, more...)...)
	}
}

// text is a slide of text of that size, drawn in one size and shown in 1280x720.
func text(size string, drawnAt string) func(*testing.T, string) string {
	return func(t *testing.T, dir string) string {
		if err := os.WriteFile(filepath.Join(dir, "text"), []byte(strings.Repeat("La reprise d’un spectacle demande des outils adaptés\n", 9)), 0o600); err != nil {
			t.Fatal(err)
		}
		return faulty("text.mp4", 2*time.Second, "color=white:s="+drawnAt+":r=25", syllables,
			"-vf", "drawtext=font=DejaVu Sans:textfile=text:fontsize="+size+":line_spacing=8:x=20:y=20:fontcolor=0x202020,scale=1280:720:flags=bicubic,setsar=1")(t, dir)
	}
}

var faults = []fault{
	{name: "black in the middle", make: faulty("f.mp4", 12*time.Second, lively+",drawbox=c=black:t=fill:enable='between(t,4,9)'", syllables),
		says: []string{"black-picture"}, not: []string{"frozen-picture", "still-film"}, spans: map[string][]vod.Span{"black-picture": {{From: 4, To: 9}}}},
	{name: "black throughout", make: faulty("f.mp4", 5*time.Second, "color=black:s=160x90:r=25", syllables), says: []string{"all-black"}, not: []string{"black-picture"}},
	{name: "nothing happens for six seconds", make: faulty("f.mp4", 14*time.Second, calm, syllables+",volume=0:enable='between(t,4,10)'"),
		says: []string{"frozen-picture"}, not: []string{"silent-middle"}, spans: map[string][]vod.Span{"frozen-picture": {{From: 4, To: 10}}}},
	{name: "a pause of speech over a slide", make: faulty("f.mp4", 12*time.Second, calm, syllables+",volume=0:enable='between(t,4,8)'"), not: []string{"frozen-picture", "silent-middle"}},
	{name: "a camera that stops", make: faulty("f.mp4", 33*time.Second, lively+":d=11,tpad=stop_mode=clone:stop=-1", syllables),
		says: []string{"frozen-camera"}, spans: map[string][]vod.Span{"frozen-camera": {{From: 11, To: 33}}}},
	{name: "one picture throughout", make: faulty("f.mp4", 31*time.Second, calm, syllables), says: []string{"still-film"}},
	{name: "silence at both ends and long in the middle", make: faulty("f.mp4", 28*time.Second, lively, syllables+",volume=0:enable='lt(t,4)+between(t,8,19)+gt(t,23)'"),
		says:  []string{"silent-start", "silent-end", "silent-middle"},
		spans: map[string][]vod.Span{"silent-start": {{From: 0, To: 4}}, "silent-middle": {{From: 8, To: 19}}, "silent-end": {{From: 23, To: 28}}}},
	{name: "overdriven for two seconds", make: faulty("f.mkv", 6*time.Second, lively, syllables+",volume=30dB:enable='between(t,2,4)'", "-c:v", "libx264", "-c:a", "pcm_s16le"),
		says: []string{"clipping"}, not: []string{"noisy"}, spans: map[string][]vod.Span{"clipping": {{From: 2, To: 4}}}},
	{name: "noise between the words", make: faulty("f.mp4", 6*time.Second, lively, "anoisesrc=c=pink:a=0.8:r=48000:seed=1,volume='if(lt(mod(t,0.3),0.2),1,0.35)':eval=frame"), says: []string{"noisy"}},
	{name: "left louder", make: faulty("f.mp4", 4*time.Second, lively, syllables, "-filter_complex", "[1:a]pan=stereo|c0=c0|c1=0.3*c0[a]", "-map", "0:v", "-map", "[a]"),
		says: []string{"unbalanced"}, not: []string{"one-sided"}},
	{name: "one side the other's opposite", make: faulty("f.mp4", 4*time.Second, lively, syllables, "-filter_complex", "[1:a]pan=stereo|c0=c0|c1=-1*c0[a]", "-map", "0:v", "-map", "[a]"),
		says: []string{"out-of-phase"}, not: []string{"one-sided"}},
	{name: "a hole in the sound", make: faulty("f.mkv", 6*time.Second, lively, syllables+",aselect='not(between(t,2,3))'", "-c:v", "libx264", "-c:a", "aac"),
		says: []string{"sound-gaps"}, not: []string{"sound-drifts"}, spans: map[string][]vod.Span{"sound-gaps": {{From: 2, To: 3}}}},
	{name: "a slow clock", make: faulty("f.mkv", 12*time.Second, lively, syllables+",asetpts=PTS*1.012", "-c:v", "libx264", "-c:a", "aac"), says: []string{"sound-drifts"}, not: []string{"sound-gaps"}},
	{name: "an enlarged picture", make: text("16", "426x240"), says: []string{"blurred-picture"}},
	{name: "a sharp picture", make: text("36", "1280x720"), not: []string{"blurred-picture", "small-text"}},
	{name: "very small text", make: text("9", "1280x720"), says: []string{"small-text"}, not: []string{"blurred-picture"}},
	// Places are known of the picture alone: sound is decoded too fast for the log to be in step.
	{name: "a few spoilt bytes", make: then(faulty("f.mp4", 10*time.Second, "testsrc2=s=320x180:r=25", syllables, "-map", "0:v", "-movflags", "+faststart", "-g", "25"), func(b []byte) []byte {
		for i := range 40 {
			b[len(b)/2+i] ^= 0x5a
		}
		return b
	}), says: []string{"reading-errors"}, spans: map[string][]vod.Span{"reading-errors": {{From: 4.5, To: 5.5}}}, loose: 4}, // such a small film goes by faster than its log is read
}

func TestReportNamesFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			a := w.ingest(f.make(t, t.TempDir()), AddOptions{})
			r := w.report(a)
			kind{says: f.says, not: f.not}.check(t, r.Findings)
			for code, want := range f.spans {
				i := slices.IndexFunc(r.Findings, func(f vod.Finding) bool { return f.Code == code })
				if i >= 0 && !near(r.Findings[i].Spans, want, max(0.6, f.loose)) {
					t.Errorf("%s is at %v, want %v", code, r.Findings[i].Spans, want)
				}
			}
			if !slices.Equal(codes(r.Findings), codes(a.Findings)) || r.Verdict != a.Verdict {
				t.Errorf("report says %v, the asset %v", codes(r.Findings), codes(a.Findings))
			}
		})
	}
}

// report returns the stored report on an asset's source, and checks what holds of each.
func (w *world) report(a vod.Asset) vod.Report {
	w.t.Helper()
	r, err := w.library.Report(w.t.Context(), a.Source.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	if strings.Contains(string(data), "null") {
		w.t.Errorf("a list is null: %s", data)
	}
	if !r.Complete || r.Asset != a.ID || r.Made.IsZero() {
		w.t.Errorf("report is complete %v, of asset %q, made at %v", r.Complete, r.Asset, r.Made)
	}
	for _, f := range r.Findings {
		for i, s := range f.Spans {
			if s.From < 0 || s.To < s.From || i > 0 && s.From < f.Spans[i-1].From {
				w.t.Errorf("%s has time codes %v", f.Code, f.Spans)
			}
		}
	}
	return r
}

// TestReportOnAGoodTalk: slides that stand still while somebody speaks are
// nothing to remark upon; the report has the film's data all the same.
func TestReportOnAGoodTalk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	speech := exec.CommandContext(t.Context(), "espeak-ng", "-v", "fr", "-s", "150", "-w", "speech.wav", strings.Repeat("Bonjour à toutes et à tous. Une reprise est une représentation donnée de nouveau. ", 4))
	speech.Dir = dir
	if out, err := speech.CombinedOutput(); err != nil {
		t.Fatalf("espeak-ng: %v %s", err, out)
	}
	var slides []string
	for i, words := range []string{"La reprise d’un spectacle", "Des outils adaptés à chaque salle", "Vos questions"} {
		slides = append(slides, "drawtext=font=DejaVu Sans:fontsize=44:line_spacing=20:x=60:y="+decimal(float64(60+40*i)).en+":fontcolor=0x203040:text='"+
			strings.Repeat(words+"\n", 4+3*i)+"':enable='gte(t,"+decimal(float64(6*i)).en+")*lt(t,"+decimal(float64(6*i+6)).en+")'")
	}
	film := makeFilm(t, filepath.Join(dir, "talk.mp4"), "-f", "lavfi", "-i", "color=white:s=1280x720:r=25:d=18", "-i", filepath.Join(dir, "speech.wav"),
		"-vf", strings.Join(slides, ","), "-af", "aresample=48000,pan=stereo|c0=c0|c1=c0,apad", "-t", "18", "-preset", "ultrafast", "-metadata:s:a:0", "language=fra")
	w := setup(t)
	a := w.ingest(film, AddOptions{})
	r := w.report(a)
	if len(r.Findings) > 0 || r.Verdict != vod.VerdictReady {
		t.Errorf("verdict %s, findings %v", r.Verdict, r.Findings)
	}
	p := r.Picture
	if p == nil || p.Codec != "H.264" || p.Width != 1280 || p.Height != 720 || p.Rate != 25 || !p.Constant || p.Aspect != "1:1" || p.Depth != 8 || p.Sharpness < 0.8 || len(p.Black)+len(p.Frozen) > 0 {
		t.Errorf("picture is %+v", p)
	}
	if p != nil && !near(p.Slides, []vod.Span{{From: 0, To: 6}, {From: 6, To: 12}, {From: 12, To: 18}}, 0.4) {
		t.Errorf("slides are %v", p.Slides)
	}
	if len(r.Sounds) != 1 || r.Format != "MP4" || math.Abs(r.Duration-18) > 0.1 {
		t.Fatalf("%d sounds, format %q, %v s", len(r.Sounds), r.Format, r.Duration)
	}
	s := r.Sounds[0]
	if s.Language != "fr" || s.Codec != "AAC" || s.Channels != 2 || s.Rate != 48000 || s.Loudness > -10 || s.Loudness < -30 || s.Peak > 0 || math.Abs(s.Balance) > 0.1 || len(s.Clipped) > 0 {
		t.Errorf("sound is %+v", s)
	}
	if len(s.Offsets) != 3 || math.Abs(s.Offsets[0].Offset) > 0.05 || math.Abs(s.Offsets[2].Offset) > 0.05 {
		t.Errorf("offsets are %v", s.Offsets)
	}
}

// TestReportOnARefusedFilm: the reason is in the report, with what was found of the film.
func TestReportOnARefusedFilm(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r := w.report(w.ingest(then(longFast, cut(0.5))(t, t.TempDir()), AddOptions{}))
	if r.Verdict != vod.VerdictRefused || !slices.Equal(codes(r.Findings), []string{"truncated"}) || len(r.Findings[0].Spans) != 1 || r.Picture == nil || r.Picture.Width != 320 {
		t.Errorf("report is %+v", r)
	}
	r = w.report(w.ingest(bytesOf("film.mp4", nil)(t, t.TempDir()), AddOptions{}))
	if r.Verdict != vod.VerdictRefused || r.Picture != nil {
		t.Errorf("report on an empty file is %+v", r)
	}
}

// notProduced are the findings that no film of the tables shows, with the reason.
var notProduced = map[string]string{
	"source-missing":            "no film: TestReportOnAMissingSource removes it",
	"zero-length":               "ffmpeg writes no such file; TestJudgeOfProbes",
	"undecodable":               "needs a decoder that gives nothing and does not complain; TestJudgeOfProbes",
	"sound-undecodable":         "as undecodable",
	"dolby-vision-only":         "no free encoder; TestJudgeOfProbes",
	"too-large":                 "a picture of 8193 pixels takes minutes to make; TestJudgeOfProbes",
	"too-long":                  "TestR175_LongFilmsAreRefused",
	"too-costly":                "needs a time limit",
	"end-missing":               "TestJudgeOfProbes",
	"several-pictures":          "TestJudgeOfProbes",
	"low-rate-sound":            "no free encoder of HE-AAC; TestJudgeOfProbes",
	"picture-late":              "TestJudgeOfProbes",
	"lengths-differ":            "TestJudgeOfProbes",
	"captions-ignored":          "TestJudgeOfProbes",
	"captions-faulty":           "of captions: their own tests",
	"captions-language-missing": "of captions: their own tests",
}

// TestEveryFindingIsProduced: each word of the catalogue has a film that shows it, or a reason why not.
func TestEveryFindingIsProduced(t *testing.T) {
	t.Parallel()
	produced := map[string]bool{}
	add := func(list []string) {
		for _, code := range list {
			produced[code] = true
		}
	}
	for _, k := range slices.Concat(refusedKinds, usedKinds) {
		add(k.says)
	}
	for _, f := range faults {
		add(f.says)
	}
	for _, c := range comparisons {
		add(c.says)
	}
	for code := range catalogue {
		reason, listed := notProduced[code]
		switch {
		case produced[code] && listed:
			t.Errorf("%s is produced, and listed as not", code)
		case !produced[code] && !listed && !strings.HasPrefix(code, "captions-"): // files of captions have tests of their own
			t.Errorf("nothing produces %s", code)
		case listed && reason == "":
			t.Errorf("%s has no reason", code)
		}
	}
	for code := range notProduced {
		if _, ok := catalogue[code]; !ok {
			t.Errorf("%s is no finding", code)
		}
	}
}

func TestReportOnAMissingSource(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a := w.add(good(t, t.TempDir()), AddOptions{})
	if err := os.Remove(w.file(a.Source.Object)); err != nil {
		t.Fatal(err)
	}
	if err := w.Process(t.Context(), a.ID, nil); err != nil {
		t.Fatal(err)
	}
	if got := codes(w.report(a).Findings); !slices.Equal(got, []string{"source-missing"}) {
		t.Errorf("findings are %v", got)
	}
}

// TestJudgeOfProbes: verdicts on files that cannot be made here, from what a probe would find.
func TestJudgeOfProbes(t *testing.T) {
	t.Parallel()
	probe := func(change func(*Probe)) *Probe {
		shown := packets{Count: 250, All: 250, End: 10 * time.Second, Sum: 10 * time.Second}
		p := &Probe{Size: 1000, Format: "matroska", Declared: 10 * time.Second,
			Video: []VideoTrack{{Track: Track{Codec: "h264", packets: shown}, Width: 1280, Height: 720, Aspect: [2]int{1, 1}, Rate: Rational{25, 1}, Constant: true, PixelFormat: "yuv420p", Depth: 8, Shown: 24}},
			Audio: []AudioTrack{{Track: Track{Index: 1, Codec: "aac", Language: "fr", packets: shown}, SampleRate: 48000, Channels: 2}},
		}
		change(p)
		return p
	}
	for code, change := range map[string]func(*Probe){
		"":                  func(*Probe) {},
		"zero-length":       func(p *Probe) { p.Video[0].packets = packets{} },
		"undecodable":       func(p *Probe) { p.Video[0].Shown = 0 },
		"dolby-vision-only": func(p *Probe) { p.Video[0].DolbyProfile = 5 },
		"too-large":         func(p *Probe) { p.Video[0].Width = 8193 },
		"end-missing":       func(p *Probe) { p.Declared += 300 * time.Millisecond },
		"truncated":         func(p *Probe) { p.Declared += 5 * time.Second },
		"several-pictures":  func(p *Probe) { p.Video = append(p.Video, p.Video[0]) },
		"low-rate-sound":    func(p *Probe) { p.Audio[0].Profile = "HE-AACv2" },
		"picture-late":      func(p *Probe) { p.Video[0].First = time.Second },
		"ten-bit":           func(p *Probe) { p.Video[0].Depth = 10 },
		"captions-ignored":  func(p *Probe) { p.Text = []TextTrack{{Bitmap: true}} },
		"lengths-differ": func(p *Probe) {
			p.Audio = append(p.Audio, p.Audio[0])
			p.Audio[1].Language, p.Audio[1].Index, p.Audio[1].End = "en", 2, 12*time.Second
		},
	} {
		p := probe(change)
		found := judge(p, chooseSounds(p, vod.Source{}), limits{duration: time.Hour})
		if got := codes(found); code == "" && len(got) > 0 || code != "" && !slices.Contains(got, code) {
			t.Errorf("findings are %v, want %q", got, code)
		}
		kind{}.check(t, found)
	}
}

// breaking are places where French wants a space that does not break: U+00A0
// before a colon and inside quotes, U+202F before other high marks.
var breaking = regexp.MustCompile(`[^\x{202F}\s][;!?]|[^\x{00A0}]:|«[^\x{00A0}]|[^\x{00A0}]»`)

// TestWordsAreSetWell: both languages of the whole catalogue.
func TestWordsAreSetWell(t *testing.T) {
	t.Parallel()
	for code, w := range catalogue {
		plain := strings.NewReplacer("%[1]s", "x", "%[2]s", "x", "%[3]s", "x", "%[4]s", "x", "%[1]d", "1", "%[2]d", "1", "%[3]d", "1", "%[4]d", "1").Replace(w.fr)
		if found := breaking.FindString(plain); found != "" {
			t.Errorf("%s: %q in %q", code, found, w.fr)
		}
		for _, words := range []string{w.fr, w.en} {
			if !strings.HasSuffix(words, ".") || strings.Contains(words, "  ") || !utf8.ValidString(words) {
				t.Errorf("%s is not a sentence: %q", code, words)
			}
		}
		if strings.ContainsAny(w.en, "\u00a0«»") && !strings.Contains(w.en, "%") {
			t.Errorf("%s has French marks in English: %q", code, w.en)
		}
	}
}

// TestGuidesExplainEveryFinding: organizers find each code in both guides.
func TestGuidesExplainEveryFinding(t *testing.T) {
	t.Parallel()
	for _, guide := range []string{"organizer-guide.md", "guide-organisateur.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", guide))
		if err != nil {
			t.Fatal(err)
		}
		for code := range catalogue {
			if !strings.Contains(string(text), "`"+code+"`") {
				t.Errorf("%s does not explain %s", guide, code)
			}
		}
	}
}
