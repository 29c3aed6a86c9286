package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/stream"
	"reprise/stream/hls"
	"reprise/stream/timeline"
	"reprise/vod/cmaf"
	"reprise/vod/webvtt"
)

// mediaTimeBase is the media time of an entry's first frame (R158).
const mediaTimeBase = 10 * int64(timeline.TicksPerSecond)

// take is one entry of the air in one rendition: the segments from one
// discontinuity to the next.
type take struct {
	name     string // for messages
	view     *chainView
	uri      string // v360.m3u8
	dsn      int64
	init     []byte
	track    *cmaf.Track // as the init segment and the first segment say
	segments []hls.Segment
	ranges   []hls.ByteRange // of video: as the I-frame playlist says
}

func (k *take) ticks(i int) timeline.Ticks { return timeline.TicksOf(k.segments[i].Duration) }

func (k *take) video() bool { return k.uri[0] == 'v' }

// cut divides a playlist at its discontinuities.
func cut(m *hls.Media) (dsns []int64, parts [][]hls.Segment) {
	dsn := m.DiscontinuitySequence
	for i, s := range m.Segments {
		if s.Discontinuity {
			dsn++
		}
		if i == 0 || s.Discontinuity {
			dsns, parts = append(dsns, dsn), append(parts, nil)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], s)
	}
	return dsns, parts
}

// eachTake visits sound and picture of all presentations.
func (c *chain) eachTake(t *testing.T, visit func(*take)) {
	t.Helper()
	for _, v := range c.views {
		for uri, m := range v.media {
			if uri[0] != 'v' && uri[0] != 'a' {
				continue
			}
			dsns, parts := cut(m)
			for n, segments := range parts {
				k := &take{name: fmt.Sprintf("%s %s entry %d", v.name, uri, n), view: v, uri: uri, dsn: dsns[n], segments: segments}
				if segments[0].Map == nil {
					t.Fatalf("R065 %s has no init segment", k.name)
				}
				k.init = c.files[fileOf(segments[0].Map.URI)]
				head := slices.Concat(k.init, c.files[fileOf(segments[0].URI)])
				movie, err := cmaf.Inspect(bytes.NewReader(head), int64(len(head)))
				if err != nil || len(movie.Tracks) != 1 {
					t.Fatalf("R037 %s: %v", k.name, err)
				}
				k.track = movie.Tracks[0]
				if k.video() {
					_, stills := cut(v.media["i"+uri[1:]])
					for i, s := range stills[n] {
						if s.URI != segments[i].URI || s.ByteRange.Offset != 0 {
							t.Errorf("R180 %s: I-frame %d is %s %v", k.name, i, s.URI, s.ByteRange)
						}
						k.ranges = append(k.ranges, s.ByteRange)
					}
				}
				visit(k)
			}
		}
	}
}

// sampleOf is one sample of a segment.
type sampleOf struct {
	at, length, offset int64 // decode time, duration and composition offset, in ticks
	idr                bool  // of video: holds a NAL unit of type 5
}

// samplesOf reads the boxes of a segment of ours: one moof with one traf and one trun, and the mdat.
func samplesOf(t *testing.T, b []byte) (list []sampleOf) {
	t.Helper()
	body := func(name string) []byte {
		i := bytes.Index(b, []byte(name))
		if i < 4 {
			t.Fatalf("R151: no %s", name)
		}
		return b[i+4 : i-4+int(binary.BigEndian.Uint32(b[i-4:]))]
	}
	u32 := binary.BigEndian.Uint32
	at := int64(binary.BigEndian.Uint64(body("tfdt")[4:]))
	tfhd, trun, data := body("tfhd"), body("trun"), body("mdat")
	defaults := map[uint32]uint32{} // tfhd: by flag
	rest := tfhd[8:]
	for _, flag := range []uint32{8, 16, 32} {
		if u32(tfhd)&flag != 0 {
			defaults[flag], rest = u32(rest), rest[4:]
		}
	}
	flags, n := u32(trun), int(u32(trun[4:]))
	p := trun[8:]
	if flags&1 != 0 {
		p = p[4:]
	}
	if flags&4 != 0 {
		p = p[4:]
	}
	for range n {
		field := func(flag, preset uint32) uint32 {
			if flags&flag == 0 {
				return preset
			}
			v := u32(p)
			p = p[4:]
			return v
		}
		s := sampleOf{at: at, length: int64(field(0x100, defaults[8]))}
		size := int(field(0x200, defaults[16]))
		field(0x400, 0)
		s.offset = int64(int32(field(0x800, 0)))
		for picture := data[:size]; len(picture) > 4; picture = picture[min(len(picture), 4+int(u32(picture))):] {
			s.idr = s.idr || picture[4]&31 == 5
		}
		data, at, list = data[size:], at+s.length, append(list, s)
	}
	return list
}

// times checks that dates less media times are one constant in each entry, over
// all renditions, and that all have the same boundaries (R131, R132, R138, R139).
func (c *chain) times(t *testing.T) {
	zero := map[string]time.Time{} // the date of media time 10 s, by view and discontinuity sequence number
	edges := map[string]string{}
	c.eachTake(t, func(k *take) {
		key := fmt.Sprint(k.view.name, k.dsn)
		var starts []int64
		for i, s := range k.segments {
			at := max(samplesOf(t, c.files[fileOf(s.URI)])[0].at, mediaTimeBase) - mediaTimeBase
			date := s.ProgramDateTime.Add(-timeline.Ticks(at).Duration())
			if zero[key].IsZero() {
				zero[key] = date
			}
			if d := date.Sub(zero[key]).Abs(); d > time.Millisecond {
				t.Errorf("R132 %s segment %d: dates and media times are %v apart from another rendition's", k.name, i, d)
			}
			starts = append(starts, at, at+int64(k.ticks(i)))
		}
		if edges[key] == "" {
			edges[key] = fmt.Sprint(starts)
		}
		if got := fmt.Sprint(starts); got != edges[key] {
			t.Errorf("R139 %s: boundaries %s, another rendition has %s", k.name, got, edges[key])
		}
	})
	for _, v := range c.views {
		dsns, parts := cut(v.media[v.list.Variants[0].URI])
		if want := map[bool]int{true: 5, false: 1}[v.view == stream.Live]; len(parts) != want {
			t.Errorf("R131 %s: %d entries, want %d", v.name, len(parts), want)
		}
		for i, start := range []time.Duration{0, 20 * time.Second} {
			if at := zero[fmt.Sprint(v.name, dsns[min(2*i+1, len(dsns)-1)])]; v.view == stream.Live && !at.Equal(noon().Add(start)) {
				t.Errorf("R233 %s: talk %d begins at %v", v.name, i, at)
			}
		}
	}
}

// keyFrames checks that key frames are at the same instants in all variants, and not far apart (R141, R154).
func (c *chain) keyFrames(t *testing.T) {
	seen := map[string]string{}
	c.eachTake(t, func(k *take) {
		if !k.video() {
			return
		}
		for i, s := range k.segments {
			var at []int64
			for _, x := range samplesOf(t, c.files[fileOf(s.URI)]) {
				if x.idr {
					at = append(at, x.at+x.offset-mediaTimeBase)
				}
			}
			for j := 1; j < len(at); j++ {
				if d := timeline.Ticks(at[j] - at[j-1]).Duration(); d > 2200*time.Millisecond {
					t.Errorf("R154 %s segment %d: %v between key frames", k.name, i, d)
				}
			}
			key := fmt.Sprint(k.view.name, k.dsn, " ", i)
			if seen[key] == "" {
				seen[key] = fmt.Sprint(at)
			}
			if got := fmt.Sprint(at); got != seen[key] || len(at) == 0 {
				t.Errorf("R141 %s segment %d: key frames at %s, another variant has %s", k.name, i, got, seen[key])
			}
		}
	})
}

// looks compares what multivariant playlists say with the init segments: exactly
// for a talk alone, as the most that is asked of a decoder for a feed.
func (c *chain) looks(t *testing.T) {
	most := map[string]hls.FrameRate{}
	c.eachTake(t, func(k *take) {
		if !k.video() {
			if k.track.Codec != "mp4a.40.2" || k.track.Channels != 2 || k.track.SampleRate != 48000 {
				t.Errorf("R040 %s: %s, %d channels, %d Hz", k.name, k.track.Codec, k.track.Channels, k.track.SampleRate)
			}
			return
		}
		if b := k.track.AVCC; k.track.FourCC != "avc1" || b[1] != 100 && b[1] != 77 || b[3] > 40 || k.track.BitDepth != 8 || k.track.Chroma != "4:2:0" || k.track.MaybeInterlaced {
			t.Errorf("R155 %s: %s %s, %d bit %s, may be interlaced: %v", k.name, k.track.FourCC, k.track.Codec, k.track.BitDepth, k.track.Chroma, k.track.MaybeInterlaced)
		}
		v := k.view.list.Variants[slices.IndexFunc(k.view.list.Variants, func(v hls.Variant) bool { return v.URI == k.uri })]
		still := k.view.list.IFrameVariants[slices.IndexFunc(k.view.list.IFrameVariants, func(v hls.IFrameVariant) bool { return v.URI == "i"+k.uri[1:] })]
		codec, others, _ := strings.Cut(v.Codecs, ",")
		exact := k.view.view != stream.Live
		if codec != still.Codecs || (codec != k.track.Codec && (exact || codec[9:] < k.track.Codec[9:] || codec[5:7] < k.track.Codec[5:7])) {
			t.Errorf("R024 %s: CODECS %s and %s, the init segment says %s", k.name, v.Codecs, still.Codecs, k.track.Codec)
		}
		if want := map[bool]string{true: "mp4a.40.2,wvtt", false: "mp4a.40.2"}[v.Subtitles != ""]; others != want {
			t.Errorf("R024 %s: CODECS %s, want %s beside the picture", k.name, v.Codecs, want)
		}
		if v.Width != k.track.Width || v.Height != k.track.Height || still.Width != v.Width || still.Height != v.Height {
			t.Errorf("R025 %s: RESOLUTION %dx%d, the init segment says %dx%d", k.name, v.Width, v.Height, k.track.Width, k.track.Height)
		}
		rate := hls.FrameRate(1000 * timeline.TicksPerSecond / timeline.Ticks(k.track.MinFrame))
		most[k.view.name+k.uri] = max(most[k.view.name+k.uri], rate)
		if v.FrameRate < rate || exact && v.FrameRate != rate {
			t.Errorf("R026 %s: FRAME-RATE %d, the bytes have %d", k.name, v.FrameRate, rate)
		}
	})
	for _, v := range c.views {
		for _, variant := range v.list.Variants {
			if got := most[v.name+variant.URI]; got != variant.FrameRate {
				t.Errorf("R026 %s %s: FRAME-RATE %d, the most is %d", v.name, variant.URI, variant.FrameRate, got)
			}
		}
	}
}

// bandwidth compares BANDWIDTH and AVERAGE-BANDWIDTH with the bytes that came:
// exactly for talks, as bounds for a feed (R021, R022).
func (c *chain) bandwidth(t *testing.T) {
	for _, v := range c.views {
		rates := func(uri string) (peak, average float64) {
			var sizes, seconds []float64
			for _, s := range v.media[uri].Segments {
				size := int64(len(c.files[fileOf(s.URI)]))
				if uri[0] == 'i' {
					size = s.ByteRange.Length
				}
				sizes, seconds = append(sizes, 8*float64(size)), append(seconds, s.Duration.Seconds())
			}
			bits, length := 0.0, 0.0
			for i := range sizes {
				bits, length = bits+sizes[i], length+seconds[i]
				b, d := 0.0, 0.0
				for j := i; j < len(sizes); j++ {
					if b, d = b+sizes[j], d+seconds[j]; d >= 2 && d <= 6.5 {
						peak = max(peak, b/d)
					}
				}
			}
			return peak, bits / length
		}
		group := func(id string) (peak, average float64) {
			for _, g := range v.list.Groups {
				for _, r := range g.Renditions {
					if p, a := rates(r.URI); g.ID == id {
						peak, average = max(peak, p), max(average, a)
					}
				}
			}
			return peak, average
		}
		check := func(uri string, bandwidth, averageBandwidth int64, peak, average float64) {
			slack := math.Inf(1)
			if v.view != stream.Live {
				slack = 8 // each of the sums is rounded up
			}
			if b := float64(bandwidth); b < peak-1 || b > peak+slack || b > 1.25*peak {
				t.Errorf("R021 %s %s: BANDWIDTH %d, measured %.0f", v.name, uri, bandwidth, peak)
			}
			if b := float64(averageBandwidth); b < average-1 || b > average+slack {
				t.Errorf("R022 %s %s: AVERAGE-BANDWIDTH %d, measured %.0f", v.name, uri, averageBandwidth, average)
			}
		}
		for _, x := range v.list.Variants {
			p, a := rates(x.URI)
			soundPeak, soundAverage := group(x.Audio)
			textPeak, textAverage := group(x.Subtitles)
			check(x.URI, x.Bandwidth, x.AverageBandwidth, p+soundPeak+textPeak, a+soundAverage+textAverage)
		}
		for _, x := range v.list.IFrameVariants {
			p, a := rates(x.URI)
			check(x.URI, x.Bandwidth, x.AverageBandwidth, p, a)
		}
	}
}

// decoding decodes every segment alone after its init, and every replay whole: not one message (R162).
func (c *chain) decoding(t *testing.T) {
	var pieces [][]byte
	var where []string
	var want []int
	done := map[string]bool{}
	c.eachTake(t, func(k *take) {
		whole, count := slices.Clone(k.init), 0
		for i, s := range k.segments {
			name := fileOf(s.URI)
			b := c.files[name]
			n := len(samplesOf(t, b))
			whole, count = append(whole, b...), count+n
			if !done[name] {
				done[name] = true
				pieces, where, want = append(pieces, slices.Concat(k.init, b)), append(where, fmt.Sprintf("%s segment %d", k.name, i)), append(want, n)
			}
		}
		if k.view.view == stream.Replay {
			pieces, where, want = append(pieces, whole), append(where, k.name), append(want, count)
		}
	})
	messages, frames := decodeEach(t, pieces)
	if messages != "" {
		t.Errorf("R162: ffmpeg says:\n%s", messages)
	}
	for i := range frames {
		if frames[i] != want[i] {
			t.Errorf("R162 %s: %d of %d frames decoded", where[i], frames[i], want[i])
		}
	}
	t.Logf("%d pieces decoded", len(pieces))
}

// decodeEach decodes each piece by itself, many in one process, and counts frames.
func decodeEach(t *testing.T, pieces [][]byte) (messages string, frames []int) {
	t.Helper()
	const many = 40
	for group := range slices.Chunk(pieces, many) {
		dir := t.TempDir()
		args := []string{"-nostdin", "-v", "error", "-filter_threads", "1"}
		var out []string
		for i, p := range group {
			path := filepath.Join(dir, fmt.Sprintf("%d.mp4", i))
			if err := os.WriteFile(path, p, 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "-threads", "1", "-i", path)
			out = append(out, "-map", fmt.Sprint(i), "-fps_mode", "passthrough", "-f", "framecrc", path+".crc")
		}
		said, err := exec.CommandContext(t.Context(), "ffmpeg", append(args, out...)...).CombinedOutput()
		if messages += string(said); err != nil {
			messages += err.Error()
		}
		for i := range group {
			crc, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d.mp4.crc", i)))
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, strings.Count("\n"+string(crc), "\n0, "))
		}
	}
	return messages, frames
}

// captions checks that each segment has its header and the cues on the screen
// during it, whole, and that captions are as long as the picture (R170 to R173).
func (c *chain) captions(t *testing.T) {
	cues := []struct{ from, to time.Duration }{{500, 1500}, {3000, 5000}, {8000, 8900}} // ms
	shown := 0
	for _, v := range c.views {
		for uri, m := range v.media {
			if uri[0] != 's' {
				continue
			}
			if d := len(m.Segments) - len(v.media[v.list.Variants[0].URI].Segments); d != 0 {
				t.Errorf("R173 %s %s: %d segments more than the picture", v.name, uri, d)
			}
			dsns, parts := cut(m)
			for n, segments := range parts {
				talk := v.place == "both" || v.view == stream.Live && n == 1
				for i, s := range segments {
					text := string(c.files[fileOf(s.URI)])
					rest, ok := strings.CutPrefix(text, "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n")
					if !ok || rest != "" && rest[0] != '\n' {
						t.Errorf("R170 R171 %s %s: %q", v.name, uri, text)
					}
					from := s.ProgramDateTime.Sub(segments[0].ProgramDateTime)
					var want []string
					for k, cue := range cues {
						if talk && cue.from*time.Millisecond < from+s.Duration && cue.to*time.Millisecond > from {
							word := map[string]string{"s-fr.m3u8": "été", "s-en.m3u8": "summer"}[uri]
							want = append(want, fmt.Sprint(cue.from*time.Millisecond, cue.to*time.Millisecond, word, " ", k+1))
						}
					}
					parsed, problems := webvtt.Parse([]byte(text))
					var got []string
					for _, cue := range parsed {
						got = append(got, fmt.Sprint(cue.Start, cue.End, cue.Text))
					}
					if !slices.Equal(got, want) || len(problems) > 0 {
						t.Errorf("R172 %s %s entry %d segment %d: %v, want %v (%v)", v.name, uri, dsns[n], i, got, want, problems)
					}
					shown += len(got)
				}
			}
		}
	}
	if shown < 20 {
		t.Errorf("only %d cues seen", shown)
	}
}
