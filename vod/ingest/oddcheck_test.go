package ingest

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

	"reprise/stream/timeline"
	"reprise/vod"
	"reprise/vod/cmaf"
)

// shown is a rendition as a player has it: its bytes, and when each sample is presented.
type shown struct {
	vod.Rendition
	path    string
	data    []byte
	samples []shownSample // in the order of decoding
}

// shownSample is one picture or packet of sound. Times are ticks from film time 0.
type shownSample struct {
	decode, length, offset int64
	idr                    bool
	segment                int
}

// show reads a rendition.
func (w *world) show(r vod.Rendition) *shown {
	w.t.Helper()
	s := &shown{Rendition: r, path: w.file(r.Object)}
	var err error
	if s.data, err = os.ReadFile(s.path); err != nil {
		w.t.Fatal(err)
	}
	for i, segment := range r.Segments {
		list, err := samplesIn(s.data[segment.Offset:][:segment.Size])
		if err != nil {
			w.t.Fatalf("R151 %s segment %d: %v", r.Name, i, err)
		}
		for _, x := range list {
			x.segment = i
			s.samples = append(s.samples, x)
		}
	}
	return s
}

// samplesIn reads the boxes of a segment of ours: one moof with one traf and one trun, and the mdat.
func samplesIn(b []byte) (list []shownSample, err error) {
	body := func(name string) []byte {
		i := bytes.Index(b, []byte(name))
		if i < 4 {
			err = fmt.Errorf("no %s", name)
			return make([]byte, 64)
		}
		return b[i+4 : i-4+int(binary.BigEndian.Uint32(b[i-4:]))]
	}
	u32 := binary.BigEndian.Uint32
	tfdt, tfhd, trun, data := body("tfdt"), body("tfhd"), body("trun"), body("mdat")
	if err != nil {
		return nil, err
	}
	at := int64(binary.BigEndian.Uint64(tfdt[4:])) - int64(vod.MediaTimeBase)
	defaults, rest := map[uint32]uint32{}, tfhd[8:]
	for _, flag := range []uint32{8, 16, 32} {
		if u32(tfhd)&flag != 0 {
			defaults[flag], rest = u32(rest), rest[4:]
		}
	}
	flags, n := u32(trun), int(u32(trun[4:]))
	p := trun[8:]
	for _, flag := range []uint32{1, 4} {
		if flags&flag != 0 {
			p = p[4:]
		}
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
		s := shownSample{decode: at, length: int64(field(0x100, defaults[8]))}
		size := int(field(0x200, defaults[16]))
		field(0x400, 0)
		s.offset = int64(int32(field(0x800, 0)))
		for picture := data[:size]; len(picture) > 4; picture = picture[min(len(picture), 4+int(u32(picture))):] {
			s.idr = s.idr || picture[4]&31 == 5
		}
		data, at, list = data[size:], at+s.length, append(list, s)
	}
	return list, nil
}

// checkRules holds every rendition of a recording against the rules for bytes (R150 to R163),
// and the renditions against one another (R131, R135, R139, R141).
func (w *world) checkRules(m vod.Media) (all []*shown) {
	w.t.Helper()
	keys, edges := "", ""
	for _, r := range m.Renditions {
		if r.Kind == vod.Subtitles {
			continue
		}
		s := w.show(r)
		all = append(all, s)
		index := cmaf.Index{Codec: r.Codec, Width: r.Width, Height: r.Height, InitSize: r.InitSize, Length: int64(m.Duration())}
		for i, segment := range r.Segments {
			length := m.Nominal
			if i == m.Count-1 {
				length = m.Last
			}
			index.Segments = append(index.Segments, cmaf.IndexSegment{Offset: segment.Offset, Size: segment.Size, IFrame: segment.IFrame, Duration: int64(length)})
		}
		for _, err := range cmaf.CheckIndex(s.data, &index) {
			w.t.Errorf("%s: %v", r.Name, err)
		}
		starts, idr := s.places()
		switch {
		case r.Kind == vod.Audio && (r.Codec != "mp4a.40.2" || r.Channels != 2):
			w.t.Errorf("R040 %s: %s, %d channels", r.Name, r.Codec, r.Channels)
		case r.Kind == vod.Video && (!strings.HasPrefix(r.Codec, "avc1.64") && !strings.HasPrefix(r.Codec, "avc1.4d") || r.Codec[9:] > "2a"):
			w.t.Errorf("R155 %s: %s", r.Name, r.Codec)
		}
		if edges == "" {
			edges = starts
		}
		if starts != edges {
			w.t.Errorf("R131 R139 %s: segments begin at %s, those of another rendition at %s", r.Name, starts, edges)
		}
		if r.Kind != vod.Video {
			continue
		}
		if keys == "" {
			keys = idr
		}
		if idr != keys {
			w.t.Errorf("R141 %s: key frames at %s, those of another rendition at %s", r.Name, idr, keys)
		}
	}
	return all
}

// places prints where segments and key frames begin, and complains of key frames that are far apart (R154).
func (s *shown) places() (starts, keys string) {
	var begin, idr []int64
	last := -1
	for _, x := range s.samples {
		if x.segment != last {
			last, begin = x.segment, append(begin, max(0, x.decode))
		}
		if x.idr {
			idr = append(idr, x.decode+x.offset)
		}
	}
	for i := 1; i < len(idr); i++ {
		if d := timeline.Ticks(idr[i] - idr[i-1]).Duration().Seconds(); d > 2.2 {
			return fmt.Sprint(begin), fmt.Sprintf("R154: %.2f s apart", d)
		}
	}
	return fmt.Sprint(begin), fmt.Sprint(idr)
}

// lumaBytes are what decodeAll makes of a picture: one would be so few that ffmpeg complains of the bit rate.
const lumaBytes = 8

// decodeAll decodes all renditions whole in one run, without one message
// (R162), and returns the brightness of the middle of each picture and the samples of each sound.
func (w *world) decodeAll(all []*shown) map[string][]byte {
	w.t.Helper()
	dir := w.t.TempDir()
	args := []string{"-nostdin", "-hide_banner", "-v", "warning", "-xerror", "-y"}
	for _, s := range all {
		args = append(args, "-threads", "1", "-i", s.path)
	}
	for i, s := range all {
		args = append(args, "-map", fmt.Sprint(i))
		if s.Kind == vod.Video {
			args = append(args, "-vf", "crop=2:2,scale=8:1:flags=area,format=gray", "-fps_mode", "passthrough", "-f", "rawvideo")
		} else {
			args = append(args, "-ac", "1", "-f", "s16le")
		}
		args = append(args, filepath.Join(dir, s.Name))
	}
	cmd := exec.CommandContext(w.t.Context(), "ffmpeg", args...)
	if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
		w.t.Errorf("R162: %v, ffmpeg says %s", err, said)
	}
	decoded := map[string][]byte{}
	for _, s := range all {
		data, err := os.ReadFile(filepath.Join(dir, s.Name))
		if err != nil {
			w.t.Fatal(err)
		}
		decoded[s.Name] = data
	}
	return decoded
}

// flashesOf finds when the pictures turn bright, in seconds from film time 0. Times are those of
// the boxes: ffmpeg 5.1 adds to them where composition offsets are negative.
func flashesOf(s *shown, luma []byte) (at []float64) {
	times := make([]int64, len(s.samples))
	for i, x := range s.samples {
		times[i] = x.decode + x.offset
	}
	slices.Sort(times)
	bright := func(i int) bool { return luma[lumaBytes*i] > 140 }
	for i := range min(len(luma)/lumaBytes, len(times)) {
		if bright(i) && (i == 0 || !bright(i-1)) {
			at = append(at, timeline.Ticks(times[i]).Duration().Seconds())
		}
	}
	return at
}

// beepsOf finds when the sound sets in, in seconds from film time 0: where the
// power of a millisecond passes half of the most there is, after a silence.
func beepsOf(s *shown, pcm []byte) (at []float64) {
	const window = 48
	var power []float64
	for ; len(pcm) >= 2*window; pcm = pcm[2*window:] {
		sum := 0.0
		for i := range window {
			v := float64(int16(binary.LittleEndian.Uint16(pcm[2*i:])))
			sum += v * v
		}
		power = append(power, math.Sqrt(sum/window))
	}
	most := 0.0
	for _, p := range power {
		most = max(most, p)
	}
	quiet := 1000
	for i, p := range power {
		switch {
		case p > most*0.4 && most > 300:
			if quiet >= 50 {
				at = append(at, timeline.Ticks(s.samples[0].decode+int64(i*window)).Duration().Seconds())
			}
			quiet = 0
		default:
			quiet++
		}
	}
	return at
}

// together checks that flashes and beeps of all renditions are where they were
// in the source, and less than 20 ms apart at start, middle and end. It returns the largest distance.
func (w *world) together(all []*shown, decoded map[string][]byte, want []float64, frame float64, still bool) (worst float64) {
	w.t.Helper()
	var seen []float64
	if still {
		seen = want
	}
	for _, s := range all {
		if still && s.Kind == vod.Video {
			continue
		}
		at, what := beepsOf(s, decoded[s.Name]), "beeps"
		if s.Kind == vod.Video {
			at, what = flashesOf(s, decoded[s.Name]), "flashes"
		}
		if len(at) != len(want) {
			w.t.Errorf("%s: %s at %.3f, want %.3f", s.Name, what, at, want)
			continue
		}
		for i := range at {
			if math.Abs(at[i]-want[i]) > frame+0.02 {
				w.t.Errorf("%s: %s at %.3f, want %.3f", s.Name, what, at, want)
				break
			}
		}
		if s.Kind == vod.Video {
			seen = at
			continue
		}
		for i := range at {
			if i < len(seen) {
				worst = max(worst, math.Abs(at[i]-seen[i]))
			}
		}
	}
	if worst >= 0.02 {
		w.t.Errorf("picture and sound are %.1f ms apart", 1000*worst)
	}
	return worst
}
