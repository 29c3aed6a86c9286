package ingest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/storage"
	"reprise/stream/timeline"
	"reprise/vod"
	"reprise/vod/webvtt"
)

// captionedAsset makes an asset with a media of 60 s that has no more than English
// captions of its own: enough for all that edits captions.
func (w *world) captionedAsset(cues []webvtt.Cue) vod.Asset {
	w.t.Helper()
	ctx := w.t.Context()
	a := vod.Asset{ID: "asset", State: vod.Processing, Source: vod.Source{ID: "source", Name: "film.mp4"}}
	if err := w.library.CreateAsset(ctx, a); err != nil {
		w.t.Fatal(err)
	}
	m := vod.Media{ID: "media1", Asset: a.ID, Source: a.Source.ID, Revision: 1, Nominal: 4 * timeline.TicksPerSecond, Last: 4 * timeline.TicksPerSecond, Count: 15}
	if len(cues) > 0 {
		r, err := w.putCaptions(ctx, captionGrid{m.ID, int64(m.Nominal), int64(m.Last), m.Count}, "en", cues)
		if err != nil {
			w.t.Fatal(err)
		}
		m.Renditions = []vod.Rendition{r}
	}
	if err := w.library.PutMedia(ctx, m); err != nil {
		w.t.Fatal(err)
	}
	a, err := w.library.Asset(ctx, a.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// remade returns the text of a captions rendition as Remake makes it; empty: there is none.
func (w *world) remade(a vod.Asset, language string) string {
	w.t.Helper()
	a, err := w.library.Asset(w.t.Context(), a.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	old := w.media(a)
	renditions, _, err := w.recaption(w.t.Context(), a, &old, "media2")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range renditions {
		if r.Language == language {
			cues, err := w.renditionCues(w.t.Context(), &r)
			if err != nil {
				w.t.Fatal(err)
			}
			return string(webvtt.Write(cues))
		}
	}
	return ""
}

func sec(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

const srt = "1\r\n00:00:01,000 --> 00:00:02,500\r\nB\xe9b\xe9 \x9cuvre\r\n\r\n2\r\n00:00:10,000 --> 00:00:12,000\r\n<i>Fin</i>\r\n"

func TestCaptionsAreGivenShiftedEditedAndTakenAway(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	english := []webvtt.Cue{{Start: sec(1), End: sec(9), Text: "<v Zoé>Hello</v>", Settings: "line:0"}, {ID: "x", Start: sec(10), End: sec(11), Text: "Bye"}}
	a := w.captionedAsset(english)

	a, findings, err := w.SetCaptions(ctx, a.ID, "fr-CA", "../film.fr.srt", "Max", strings.NewReader(srt))
	if err != nil || !slices.Equal(codes(findings), []string{"captions-encoding"}) || !strings.Contains(findings[0].FR, "Windows-1252") {
		t.Fatalf("findings %v: %v", findings, err)
	}
	c := a.Extras.Captions[0]
	if c.Language != "fr" || c.Name != "film.fr.srt" || c.Format != "srt" || c.Encoding != "windows-1252" || c.Origin != "upload" || c.By != "Max" || c.At.IsZero() {
		t.Errorf("captions are %+v", c)
	}
	if original := w.object(c.Original); original != srt {
		t.Errorf("original is %q", original)
	}
	if !strings.Contains(w.object(c.Object), "Bébé œuvre") {
		t.Errorf("object is %q", w.object(c.Object))
	}
	if got := w.remade(a, "fr"); !strings.Contains(got, "00:00:01.000 --> 00:00:02.500\nBébé œuvre") {
		t.Errorf("viewers get %q", got)
	}

	// English is in the film alone: as it was, then later, then edited.
	cues, from, err := w.Cues(ctx, a.ID, "en")
	if diff := cmp.Diff(english, cues); diff != "" || err != nil || from.Origin != "film" {
		t.Errorf("%v, %+v (-want +got):\n%s", err, from, diff)
	}
	for range 2 { // the whole shift, not one more
		if a, _, err = w.ShiftCaptions(ctx, a.ID, "en", "Max", sec(1.5)); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.remade(a, "en"); !strings.Contains(got, "00:00:02.500 --> 00:00:10.500 line:0\n<v Zoé>Hello</v>") {
		t.Errorf("shifted: %q", got)
	}
	cues, from, err = w.Cues(ctx, a.ID, "en")
	if err != nil || cues[0].Start != sec(2.5) || from.Shift != 1.5 {
		t.Errorf("%v, %+v, %v", cues, from, err)
	}
	cues[1].Text = "Goodbye <script>"
	if a, findings, err = w.SetCues(ctx, a.ID, "en", "Eva", append(cues, webvtt.Cue{Start: 5, End: 4, Text: "x"})); err != nil || !slices.Equal(codes(findings), []string{"captions-cues-left-out"}) {
		t.Fatalf("%v: %v", codes(findings), err)
	}
	_, from, err = w.Cues(ctx, a.ID, "en")
	if err != nil || from.Origin != "edited" || from.By != "Eva" || from.Shift != 0 {
		t.Errorf("%+v: %v", from, err)
	}
	lines, err := w.Transcript(ctx, a.ID, "en")
	if want := []Line{{sec(2.5), sec(10.5), "Zoé", "Hello"}, {sec(11.5), sec(12.5), "", "Goodbye"}}; err != nil || !slices.Equal(lines, want) {
		t.Errorf("%v: %v", lines, err)
	}

	list, err := w.CaptionLanguages(ctx, a.ID)
	if err != nil || len(list) != 2 || list[0].Language != "en" || list[1].Language != "fr" {
		t.Errorf("%+v: %v", list, err)
	}
	if a, err = w.RemoveCaptions(ctx, a.ID, "en", "Eva"); err != nil {
		t.Fatal(err)
	}
	if got := w.remade(a, "en"); got != "" {
		t.Errorf("taken away: %q", got)
	}
	if _, _, err := w.Cues(ctx, a.ID, "en"); !errors.Is(err, ErrNoCaptions) {
		t.Errorf("taken away: %v", err)
	}
	if _, err := w.RemoveCaptions(ctx, a.ID, "en", "Eva"); !errors.Is(err, ErrNoCaptions) {
		t.Errorf("twice: %v", err)
	}
	if list, err := w.CaptionLanguages(ctx, a.ID); err != nil || len(list) != 1 {
		t.Errorf("%+v: %v", list, err)
	}
}

// object returns what an object holds.
func (w *world) object(key string) string {
	w.t.Helper()
	data, err := w.readObject(w.t.Context(), storage.Key(key))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

func TestCaptionsBesideTheFilm(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	a := w.captionedAsset(nil)
	if _, err := w.store.Put(ctx, "sources/x/fr", strings.NewReader(srt)); err != nil {
		t.Fatal(err)
	}
	_, err := w.library.UpdateAsset(ctx, a.ID, func(a *vod.Asset) error {
		a.Source.Captions = []vod.Captions{{Language: "fr", Object: "sources/x/fr"}, {Language: "en", Object: "sources/x/gone"}}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cues, from, err := w.Cues(ctx, a.ID, "fr")
	if err != nil || len(cues) != 2 || from.Origin != "beside" || from.Format != "srt" || from.Encoding != "windows-1252" {
		t.Errorf("%v, %+v, %v", cues, from, err)
	}
	if _, _, err := w.Cues(ctx, a.ID, "en"); !errors.Is(err, ErrNoCaptions) {
		t.Errorf("object gone: %v", err)
	}
	a, _, err = w.ShiftCaptions(ctx, a.ID, "fr", "", -sec(1))
	if err != nil || a.Extras.Captions[0].Object != "sources/x/fr" {
		t.Errorf("%+v: %v", a.Extras, err)
	}
	if got := w.remade(a, "fr"); !strings.Contains(got, "00:00:00.000 --> 00:00:01.500\nBébé") {
		t.Errorf("shifted: %q", got)
	}
}

func TestCaptionsAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	a := w.captionedAsset(nil)
	give := func(id vod.AssetID, language, text string) ([]vod.Finding, error) {
		_, findings, err := w.SetCaptions(ctx, id, language, "x.srt", "", strings.NewReader(text))
		return findings, err
	}
	if findings, err := give(a.ID, "fr", "GIF89a"); !errors.Is(err, ErrCaptions) || !slices.Equal(codes(findings), []string{"captions-unknown"}) {
		t.Errorf("%v: %v", codes(findings), err)
	}
	if findings, err := give(a.ID, "fr", "WEBVTT\n\n00:02.000 --> 00:01.000\nx"); !errors.Is(err, ErrCaptions) || !slices.Equal(codes(findings), []string{"captions-empty", "captions-left-out"}) {
		t.Errorf("%v: %v", codes(findings), err)
	}
	if _, err := give(a.ID, "und", srt); !errors.Is(err, ErrLanguage) {
		t.Errorf("language: %v", err)
	}
	if _, err := give("nobody", "fr", srt); !errors.Is(err, vod.ErrNotFound) {
		t.Errorf("asset: %v", err)
	}
	if _, _, err := w.SetCaptions(ctx, a.ID, "fr", "x", "", io.LimitReader(endless{}, largestCaptions+1)); !errors.Is(err, ErrCaptionsSize) {
		t.Errorf("size: %v", err)
	}
	if _, _, err := w.SetCues(ctx, a.ID, "fr", "", []webvtt.Cue{{Text: strings.Repeat("x", largestCaptions+1), End: 1}}); !errors.Is(err, ErrCaptionsSize) {
		t.Errorf("size: %v", err)
	}
	if _, _, err := w.SetCues(ctx, a.ID, "fr", "", nil); !errors.Is(err, ErrCaptions) {
		t.Errorf("no cue: %v", err)
	}
	if _, _, err := w.ShiftCaptions(ctx, a.ID, "fr", "", time.Second); !errors.Is(err, ErrNoCaptions) {
		t.Errorf("shift: %v", err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := w.SetCaptions(stopped, a.ID, "fr", "x", "", strings.NewReader(srt)); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if objects := w.objects(); len(objects) > 0 {
		t.Errorf("left behind: %q", objects)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte("x"), len(p)))
	return len(p), nil
}

func TestFindingsOfCaptions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a := w.captionedAsset(nil)
	for _, c := range []struct {
		name, file string
		want       []string
	}{
		{"film.fr.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\na", nil},
		{"styles", "WEBVTT\n\nSTYLE\n::cue{}\n\n00:01.000 --> 00:02.000 foo:1\na", []string{"captions-styles"}},
		{"tape", "WEBVTT\n\n10:00:01.000 --> 10:00:02.000\na\n\n10:00:50.000 --> 10:00:52.000\nb", []string{"captions-hours-late"}},
		{"other version", "WEBVTT\n\n00:01.000 --> 00:02.000\na\n\n01:50.000 --> 01:52.000\nb", []string{"captions-outside"}},
		{"overlap", "WEBVTT\n\n00:01.000 --> 00:04.000\na\n\n00:02.000 --> 00:05.000\nb", []string{"captions-overlap"}},
		{"x.ttml", "<tt xmlns='http://www.w3.org/ns/ttml' xml:lang='en-GB'><body><div><p begin='1s' end='2s'>a</p><p begin='3s' end='4s'>", []string{"captions-cut", "captions-other-language"}},
	} {
		_, findings, err := w.SetCaptions(t.Context(), a.ID, "fr", c.name, "", strings.NewReader(c.file))
		if err != nil || !slices.Equal(codes(findings), append([]string{}, c.want...)) {
			t.Errorf("%s: %v, %v", c.name, codes(findings), err)
		}
	}
	draft, err := w.ReadCaptions(t.Context(), "keynote.en.srt", strings.NewReader(srt))
	if err != nil || draft.Language != "en" || draft.Format != "srt" || len(draft.Cues) != 2 {
		t.Errorf("%+v: %v", draft, err)
	}
}

const ass = `[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\i1}Bonjour{\i0}\Nà tous
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,Deuxième
`

func TestASS(t *testing.T) {
	t.Parallel()
	w := setup(t)
	draft, err := w.ReadCaptions(t.Context(), "x", strings.NewReader(ass))
	if err != nil || draft.Format != "ass" || len(draft.Findings) > 0 {
		t.Fatalf("%+v: %v", draft, err)
	}
	want := []webvtt.Cue{{Start: sec(1), End: sec(2.5), Text: "<i>Bonjour</i>\nà tous"}, {Start: sec(3), End: sec(4), Text: "Deuxième"}}
	if diff := cmp.Diff(want, draft.Cues); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if draft, err := w.ReadCaptions(t.Context(), "x", strings.NewReader("[Script Info]\nnothing")); err != nil || !refused(draft.Findings) {
		t.Errorf("%+v: %v", draft, err)
	}
}

// TestCaptionsInsideFilms: the tracks of MP4 and Matroska are read before and
// after the film was made into media, and made anew with the rest.
func TestCaptionsInsideFilms(t *testing.T) {
	t.Parallel()
	w := setup(t)
	dir := t.TempDir()
	script := write(t, filepath.Join(dir, "x.ass"), ass)
	english := write(t, filepath.Join(dir, "x.srt"), "1\n00:00:00,500 --> 00:00:02,000\nHello\n")
	film := makeFilm(t, filepath.Join(dir, "film.mkv"), "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=5", "-i", script, "-i", english,
		"-map", "0", "-map", "1", "-map", "2", "-c:s:0", "ass", "-c:s:1", "subrip", "-preset", "ultrafast", "-metadata:s:s:0", "language=fra", "-metadata:s:s:1", "language=eng")
	a := w.add(film, AddOptions{})
	before, from, err := w.Cues(t.Context(), a.ID, "fr")
	if err != nil || len(before) != 2 || before[0].Text != "<i>Bonjour</i>\nà tous" || from.Origin != "film" {
		t.Fatalf("%v, %+v, %v", before, from, err)
	}
	if _, _, err := w.SetCaptions(t.Context(), a.ID, "en", "x.srt", "", strings.NewReader("1\n00:00:03,000 --> 00:00:04,000\nBetter\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Process(t.Context(), a.ID, nil); err != nil {
		t.Fatal(err)
	}
	after, _, err := w.Cues(t.Context(), a.ID, "fr")
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if a, err = w.library.Asset(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	m := w.media(a)
	if text := w.object(m.Rendition("s-en").Object); !strings.Contains(text, "Better") || strings.Contains(text, "Hello") {
		t.Errorf("English is %q", text)
	}
	if _, err := w.RemoveCaptions(t.Context(), a.ID, "fr", ""); err != nil {
		t.Fatal(err)
	}
	if err := w.Remake(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	if a, err = w.library.Asset(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	remade := w.media(a)
	if remade.Rendition("s-fr") != nil || remade.Rendition("s-en") == nil || remade.Revision != m.Revision+1 {
		t.Errorf("revision %d has %v", remade.Revision, remade.Renditions)
	}
	w.cfg.SweepAge = -1
	if err := w.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if cues, _, err := w.Cues(t.Context(), a.ID, "en"); err != nil || len(cues) != 1 {
		t.Errorf("after a sweep: %v, %v", cues, err)
	}
}

// TestTwoGiveCaptionsAtOnce: neither is lost.
func TestTwoGiveCaptionsAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a := w.captionedAsset(nil)
	var group sync.WaitGroup
	languages := []string{"fr", "en", "de", "es", "it"}
	for _, language := range languages {
		group.Go(func() {
			if _, _, err := w.SetCaptions(t.Context(), a.ID, language, "x", "", strings.NewReader(srt)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	list, err := w.CaptionLanguages(t.Context(), a.ID)
	if err != nil || len(list) != len(languages) {
		t.Errorf("%v: %v", list, err)
	}
}

// TestHostileCaptionsReachNothing: what ffmpeg reads of captions cannot name a file.
func TestHostileCaptionsReachNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	secret := write(t, filepath.Join(t.TempDir(), "secret.srt"), "1\n00:00:01,000 --> 00:00:02,000\nsecret\n")
	for _, text := range []string{
		"ffconcat version 1.0\nfile " + secret + "\n",
		"#EXTM3U\n#EXTINF:4,\nfile://" + secret + "\n",
		"[Script Info]\n[Fonts]\nfontname: " + secret + "\n[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,," + secret[:1] + "\n",
		"<?xml version='1.0'?><!DOCTYPE tt [<!ENTITY x SYSTEM 'file://" + secret + "'>]><tt><body><div><p begin='1s' end='2s'>&x;</p></div></body></tt>",
	} {
		draft, err := w.ReadCaptions(t.Context(), secret, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(webvtt.Write(draft.Cues)), "secret") {
			t.Errorf("%q reads %q", text, webvtt.Write(draft.Cues))
		}
	}
	if left, err := os.ReadDir(w.cfg.Scratch); err != nil || len(left) > 0 {
		t.Errorf("left in scratch: %v, %v", left, err)
	}
}
