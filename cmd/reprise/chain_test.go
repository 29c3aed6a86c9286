package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/event"
	"reprise/stream"
	"reprise/stream/conformance"
	"reprise/stream/hls"
	"reprise/vod/cmaf"
)

// chain is a conference of a hundred seconds with all that a player can fetch
// of it when it is over: a talk of 25 frames a second in two languages, with
// captions, and one of 30 in French only, and slates between.
type chain struct {
	data  string
	views []*chainView      // live, start-over and replay, in both languages
	files map[string][]byte // each init and segment, by the end of its address: s/MEDIA/RENDITION/NAME
}

// chainView is one presentation: its playlists of one instant.
type chainView struct {
	name         string
	view         stream.View
	place        string // auditorium or talk
	language     event.Language
	multivariant []byte
	list         *hls.Multivariant
	bodies       map[string][]byte
	media        map[string]*hls.Media // by URI
}

// chainCues are the captions of the first talk: the second one goes over the
// boundary at 3.84 s.
const chainCues = "1\n00:00:00,500 --> 00:00:01,500\n%[1]s 1\n\n2\n00:00:03,000 --> 00:00:05,000\n%[1]s 2\n\n3\n00:00:08,000 --> 00:00:08,900\n%[1]s 3\n"

// makeChain makes both films, imports them, and plans the conference.
func makeChain(t *testing.T) *chain {
	t.Helper()
	for _, tool := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatal(tool + " is missing: .ci/setup test installs it")
		}
	}
	dir := t.TempDir()
	c := &chain{data: filepath.Join(dir, "data"), files: map[string][]byte{}}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("both.fr.srt", fmt.Sprintf(chainCues, "été"))
	write("both.en.srt", fmt.Sprintf(chainCues, "summer"))
	record := func(name, rate, seconds string, more ...string) string {
		path := filepath.Join(dir, name)
		args := append([]string{"-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=" + rate, "-f", "lavfi", "-i", "sine=440:r=48000"}, more...)
		args = append(args, "-t", seconds, "-metadata:s:a:0", "language=fra", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "3", "-c:a", "aac", path)
		if out, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", name, err, out)
		}
		return path
	}
	films := []string{
		record("both.mp4", "25", "9", "-f", "lavfi", "-i", "sine=660:r=48000", "-map", "0", "-map", "1", "-map", "2", "-metadata:s:a:1", "language=eng"),
		record("one.mp4", "30", "6"),
	}
	out := good(t, systemClock{}, append([]string{"import", "--json", "--data", c.data, "--set", "ingest.preset=ultrafast"}, films...)...)
	var assets []string
	for decoder := json.NewDecoder(strings.NewReader(out)); decoder.More(); {
		var one imported
		if err := decoder.Decode(&one); err != nil {
			t.Fatal(err)
		}
		assets = append(assets, string(one.Asset))
	}
	early := stoppedClock(noon().Add(-time.Hour))
	good(t, early, "schedule", "set", "--data", c.data, scratch(t, "event.yaml", fmt.Sprintf(`event: test
title: {fr: Essai, en: Test}
languages: [fr, en]
zone: Europe/Paris
auditoriums:
  - {id: main, title: {fr: Salle, en: Hall}, opens: 2026-09-14 11:59:20, closes: 2026-09-14 12:01:00}
talks:
  - {id: both, auditorium: main, title: {fr: Deux, en: Both}, starts: 2026-09-14 12:00, films: {fr: %[1]s, en: %[1]s}}
  - {id: one, auditorium: main, title: {fr: Une, en: One}, starts: 2026-09-14 12:00:20, films: {fr: %[2]s}}
`, assets[0], assets[1])))
	a, err := newApp(t.Context(), testConfig(c.data), deps{clock: early, log: silent()})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err = errors.Join(err, a.playout.MakeSlates(context.Background()), a.playout.Refresh(context.Background()))
	}
	if err := errors.Join(err, a.close()); err != nil {
		t.Fatal(err)
	}
	return c
}

// look fetches all playlists of a presentation at the server's hour and holds
// them against the rules of texts; nil when it is not there.
func look(t *testing.T, s *testServer, view stream.View, place string, language event.Language) *chainView {
	t.Helper()
	v := &chainView{
		name: fmt.Sprintf("%s/%s/%s", view, place, language), view: view, place: place, language: language,
		bodies: map[string][]byte{}, media: map[string]*hls.Media{},
	}
	status, body := s.playlist(t, view, place, language, "multivariant.m3u8")
	if status == http.StatusNotFound {
		return nil
	}
	var err error
	if v.list, err = hls.ParseMultivariant([]byte(body)); status != http.StatusOK || err != nil {
		t.Fatalf("%s: %d %v", v.name, status, err)
	}
	v.multivariant = []byte(body)
	faults := conformance.CheckMultivariant(v.multivariant)
	for _, uri := range conformance.URIs(v.list) {
		status, body := s.playlist(t, view, place, language, uri)
		if v.media[uri], err = hls.ParseMedia([]byte(body)); status != http.StatusOK || err != nil {
			t.Fatalf("%s %s: %d %v", v.name, uri, status, err)
		}
		v.bodies[uri] = []byte(body)
		faults = append(faults, conformance.CheckMedia(v.bodies[uri])...)
	}
	faults = append(faults, conformance.CheckRenditions(conformance.Set{Multivariant: v.multivariant, Media: v.bodies})...)
	for _, f := range conformance.Serious(faults) {
		t.Errorf("%s at %s: %v", v.name, s.clock.Now().Format("15:04:05"), f)
	}
	return v
}

// presentations are all that the conference ever has.
var presentations = []struct {
	view  stream.View
	place string
}{{stream.Live, "main"}, {stream.StartOver, "both"}, {stream.StartOver, "one"}, {stream.Replay, "both"}, {stream.Replay, "one"}}

func lookAtAll(t *testing.T, s *testServer) (views []*chainView) {
	t.Helper()
	for _, p := range presentations {
		for _, language := range []event.Language{"fr", "en"} {
			if v := look(t, s, p.view, p.place, language); v != nil {
				views = append(views, v)
			}
		}
	}
	return views
}

// names are the files that the playlists of a presentation list.
func (v *chainView) names() map[string]bool {
	names := map[string]bool{}
	for _, m := range v.media {
		for _, s := range m.Segments {
			names[fileOf(s.URI)] = true
			if s.Map != nil {
				names[fileOf(s.Map.URI)] = true
			}
		}
	}
	return names
}

func fileOf(uri string) string { return strings.TrimPrefix(uri, "../../../") }

// fetch asks for a file; header may name a range.
func (s *testServer) fetch(t *testing.T, method, name, byteRange string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.base+"/p/"+s.play+"/"+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if byteRange != "" {
		request.Header.Set("Range", byteRange)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, b.Bytes()
}

// TestChain follows two films from their files to every byte that a player is
// given of them: imported, scheduled, on air between slates, from the
// beginning, and as replays, over HTTP.
func TestChain(t *testing.T) {
	t.Parallel()
	c := makeChain(t)
	s := startServer(t, c.data, noon().Add(2*time.Minute))
	c.views = lookAtAll(t, s)
	if len(c.views) != 2*len(presentations) {
		t.Fatalf("%d presentations after the end", len(c.views))
	}
	for _, v := range c.views {
		for name := range v.names() {
			if c.files[name] == nil {
				status, body := s.fetch(t, http.MethodGet, name, "")
				if status != http.StatusOK {
					t.Fatalf("R108: %s: %d %s", name, status, body)
				}
				c.files[name] = body
			}
		}
	}
	t.Logf("%d files", len(c.files))
	t.Run("R150 R151 R152 R153 R156 R157 R158 R159 R161 R163 R182 bytes", c.bytes)
	t.Run("R024 R025 R026 R037 R040 R155 what is said of renditions", c.looks)
	t.Run("R035 groups have the renditions that they name", c.groups)
	t.Run("R021 R022 bandwidth", c.bandwidth)
	t.Run("R131 R132 R138 R139 dates and media times", c.times)
	t.Run("R141 R154 key frames", c.keyFrames)
	t.Run("R162 decoding", c.decoding)
	t.Run("R180 I-frames", func(t *testing.T) { c.iframes(t, s) })
	t.Run("R170 R171 R172 R173 captions", c.captions)
	t.Run("R238 replays are the files that were live", c.replays)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	t.Run("R107 R108 R239 listed is there, not listed is not", c.walk)
}

// walk goes through the conference from before doors open: every file of it is
// there if, and only if, some playlist lists it, and what is listed stays.
func (c *chain) walk(t *testing.T) {
	s := startServer(t, c.data, noon().Add(-time.Minute))
	before := map[string]*chainView{}
	for _, at := range []time.Duration{-30 * time.Second, -12161 * time.Millisecond, -12160 * time.Millisecond, time.Second, 10 * time.Second, 21 * time.Second, 40 * time.Second} {
		s.clock.set(noon().Add(at))
		listed := map[string]bool{}
		for _, v := range lookAtAll(t, s) {
			for name := range v.names() {
				listed[name] = true
			}
			if was := before[v.name]; was != nil {
				for uri, body := range v.bodies {
					for _, f := range conformance.Serious(conformance.CheckChange(was.bodies[uri], body)) {
						t.Errorf("%v %s %s: %v", at, v.name, uri, f)
					}
				}
			}
			before[v.name] = v
		}
		for name := range listed {
			if c.files[name] == nil {
				t.Errorf("%v: R104: %s was listed and is not any more at the end", at, name)
			}
		}
		there := 0
		for name := range c.files {
			status, _ := s.fetch(t, http.MethodHead, name, "")
			if want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[listed[name]]; status != want {
				t.Errorf("R108 R239 %v: %s is listed: %v, but answers %d", at, name, listed[name], status)
			}
			if status == http.StatusOK {
				there++
			}
		}
		t.Logf("%v: %d of %d files", at, there, len(c.files))
	}
}

// replays checks R238: the start-over and the replay of a talk name files of the live window, in its order.
func (c *chain) replays(t *testing.T) {
	find := func(view stream.View, place string, language event.Language) *chainView {
		return c.views[slices.IndexFunc(c.views, func(v *chainView) bool { return v.view == view && v.place == place && v.language == language })]
	}
	uris := func(m *hls.Media) (list []string) {
		for _, s := range m.Segments {
			list = append(list, fmt.Sprint(s.URI, s.ByteRange))
		}
		return list
	}
	for _, v := range c.views {
		if v.view == stream.Live {
			continue
		}
		live := find(stream.Live, "main", v.language)
		for uri, m := range v.media {
			all, part := uris(live.media[uri]), uris(m)
			if from := slices.Index(all, part[0]); from < 0 || !slices.Equal(all[from:min(from+len(part), len(all))], part) {
				t.Errorf("R238: %s %s names other files than live:\n%v\n%v", v.name, uri, part, all)
			}
			if !m.EndList {
				t.Errorf("R236: %s %s does not end", v.name, uri)
			}
		}
	}
}

// groups checks that a group of a rate has renditions of that rate, in each
// language that it says, and only those; and that what stands in for a language
// that a film lacks is its own sound at the same rate.
func (c *chain) groups(t *testing.T) {
	for _, v := range c.views {
		for _, g := range v.list.Groups {
			prefix := map[string]string{"aac": "a-", "aac-low": "al-", "text": "s-"}[g.ID]
			for _, r := range g.Renditions {
				if prefix == "" || r.URI != prefix+r.Language+".m3u8" {
					t.Errorf("%s: group %s has %s (%s)", v.name, g.ID, r.URI, r.Language)
					continue
				}
				for _, s := range v.media[r.URI].Segments {
					rendition := strings.Split(fileOf(s.URI), "/")[2]
					if !strings.HasPrefix(rendition, prefix) {
						t.Errorf("%s %s: filled with %s", v.name, r.URI, rendition)
					}
					if v.place == "one" && g.Type == hls.Audio && rendition != prefix+"fr" {
						t.Errorf("%s %s: the film in French only has %s", v.name, r.URI, rendition)
					}
				}
			}
			if v.place == "one" && v.view == stream.Replay && g.Type == hls.Audio && len(g.Renditions) != 1 {
				t.Errorf("%s: group %s has %d languages, the film one", v.name, g.ID, len(g.Renditions))
			}
		}
	}
}

// iframes checks R180: the byte ranges of I-frame playlists, fetched as ranges, are one picture each.
func (c *chain) iframes(t *testing.T, s *testServer) {
	var pieces [][]byte
	var where []string
	done := map[string]bool{}
	c.eachTake(t, func(k *take) {
		for i := range k.ranges {
			r, name := k.ranges[i], fileOf(k.segments[i].URI)
			if done[name] || i > 0 && i < len(k.ranges)-1 {
				continue // the first and the last of each
			}
			done[name] = true
			status, body := s.fetch(t, http.MethodGet, name, fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1))
			if status != http.StatusPartialContent || int64(len(body)) != r.Length || !bytes.Equal(body, c.files[name][r.Offset:r.Offset+r.Length]) {
				t.Errorf("R206 %s: %d and %d bytes", name, status, len(body))
			}
			pieces, where = append(pieces, slices.Concat(k.init, body)), append(where, name)
		}
	})
	if len(pieces) < 8 {
		t.Fatalf("only %d I-frames", len(pieces))
	}
	_, frames := decodeEach(t, pieces)
	for i, n := range frames {
		if n != 1 {
			t.Errorf("R180 %s: %d pictures in the byte range", where[i], n)
		}
	}
}

// bytes checks inits and segments of each entry of the air, in each rendition,
// with an index made of what the playlists say.
func (c *chain) bytes(t *testing.T) {
	n, negative := 0, false
	c.eachTake(t, func(k *take) {
		index := cmaf.Index{Codec: k.track.Codec, InitSize: int64(len(k.init)), Width: k.track.Width, Height: k.track.Height}
		object := slices.Clone(k.init)
		for i, s := range k.segments {
			b := c.files[fileOf(s.URI)]
			one := cmaf.IndexSegment{Offset: int64(len(object)), Size: int64(len(b)), Duration: int64(k.ticks(i))}
			if k.ranges != nil {
				one.IFrame = k.ranges[i].Length
			}
			index.Length += one.Duration
			index.Segments = append(index.Segments, one)
			object = append(object, b...)
			for _, x := range samplesOf(t, b) {
				negative = negative || x.offset < 0
			}
			n++
		}
		for _, err := range cmaf.CheckIndex(object, &index) {
			t.Errorf("%s: %v", k.name, err)
		}
	})
	if n < 300 || !negative {
		t.Errorf("%d segments; B-frames: %v: the test sees too little", n, negative)
	}
}
