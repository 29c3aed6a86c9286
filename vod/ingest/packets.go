package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// packets is what the packets of a track say, headers aside.
type packets struct {
	Count  int64         // packets that are shown (not cut away by an edit list)
	Bytes  int64         //
	First  time.Duration // presentation time of the first one, from film time 0
	End    time.Duration // end of the last one, from film time 0
	Sum    time.Duration // of the durations
	All    int64         // packets, cut away or not
	SumAll time.Duration // of the durations of all
	lead   int           // packets that an edit list hides at the start
	bins   []int64       // bytes by stretch of binTime, video only
	times  []int64       // presentation times in microseconds, video only
	last   time.Duration // duration of the packet shown last
	sparse bool          // only some packets say when they are shown: only their decode times tell the rate
	clock  *soundClock   // sound only; nil: what its packets hold is not known
}

// mostTimes bounds the memory of frame times: 12 hours at 60 frames a second.
const mostTimes = 3 << 20

// binTime is the stretch over which a source's peak bit rate is taken: about a segment.
const binTime = 4 * time.Second

// peak returns the highest bit rate over a whole stretch, in kbit/s.
func (t *packets) peak() int {
	var most int64
	for _, bytes := range t.bins {
		most = max(most, bytes)
	}
	return int(most * 8 / int64(binTime/time.Millisecond))
}

// probePackets reads all packets once without decoding: real lengths, real frame rate, what the header only claims.
// Headers lie: of fragmented files by days, of broken recordings by everything.
func (g *Ingester) probePackets(ctx context.Context, in *input, p *Probe) error {
	tracks := map[int]*packets{}
	video := -1
	for i := range p.Video {
		tracks[p.Video[i].Index] = &p.Video[i].packets
	}
	if len(p.Video) > 0 {
		video = p.Video[0].Index
	}
	for i := range p.Audio {
		tracks[p.Audio[i].Index] = &p.Audio[i].packets
		p.Audio[i].clock = newSoundClock(&p.Audio[i])
	}
	for _, t := range tracks {
		t.sparse = p.Format == "mpeg"
		t.First, t.End = math.MaxInt64, math.MinInt64
	}
	var jumping *jumps
	if jumpy(p.Format) {
		jumping = &jumps{next: map[int]time.Duration{}, last: map[int]time.Duration{}}
	}
	lines := newEachLine(func(text string) {
		fields := strings.Split(text, ",")
		if len(fields) < 6 {
			return
		}
		index, err := strconv.Atoi(fields[0])
		if err != nil || tracks[index] == nil {
			return
		}
		start := p.Start
		if jumping != nil {
			start -= jumping.correct(index, fields[2], seconds(fields[3]))
		}
		tracks[index].add(fields, start, index == video)
	})
	err := g.ffprobe(ctx, in, lines, "-show_entries", "packet=stream_index,pts_time,dts_time,duration_time,size,flags", "-of", "csv=p=0")
	var failed *childError
	if err != nil && (!errors.As(err, &failed) || failed.signalled) {
		return err
	}
	for _, t := range tracks {
		if t.Count == 0 {
			t.First, t.End = 0, 0
		}
	}
	for i := range p.Video {
		p.Video[i].measureRate()
	}
	return nil
}

// add counts one packet: stream, pts, dts, duration, size, flags.
func (t *packets) add(fields []string, start time.Duration, keep bool) {
	t.All++
	t.SumAll += seconds(fields[3])
	if strings.Contains(fields[5], "D") && t.Count == 0 {
		t.lead++
	}
	if strings.Contains(fields[5], "D") { // cut away by an edit list
		return
	}
	stamp := fields[1]
	if stamp == "N/A" || stamp == "" {
		stamp = fields[2]
	}
	length := seconds(fields[3])
	at := t.Sum // a raw stream has no times: one picture follows the other
	if stamp != "N/A" && stamp != "" {
		at = seconds(stamp) - start
	}
	t.Count++
	t.Bytes += int64(number(fields[4]))
	t.Sum += length
	t.First = min(t.First, at)
	if at+length >= t.End {
		t.End, t.last = at+length, length
	}
	if t.clock != nil {
		t.clock.add(at, length, int64(number(fields[4])))
	}
	if keep && len(t.times) < mostTimes {
		tick := at
		if t.sparse && fields[2] != "N/A" && fields[2] != "" {
			tick = seconds(fields[2]) - start
		}
		t.times = append(t.times, int64(tick/time.Microsecond))
		if bin := int(max(0, at) / binTime); bin < mostTimes/64 {
			for len(t.bins) <= bin {
				t.bins = append(t.bins, 0)
			}
			t.bins[bin] += int64(number(fields[4]))
		}
	}
}

// measureRate finds the frame rate from the times of the frames, and whether it
// is constant: at most one gap in a hundred (or one at all: writers of fragments
// stretch the first) may differ by more than a fifth of a frame (Matroska rounds
// to milliseconds), and none may be longer than three frames.
func (v *VideoTrack) measureRate() {
	if len(v.times) < 2 {
		v.Constant = true
		return
	}
	slices.Sort(v.times)
	gaps := make([]int64, 0, len(v.times)-1)
	for i := 1; i < len(v.times); i++ {
		if gap := v.times[i] - v.times[i-1]; gap > 0 {
			gaps = append(gaps, gap)
		}
	}
	span := v.times[len(v.times)-1] - v.times[0]
	v.times = nil
	if len(gaps) == 0 || span <= 0 {
		v.Constant = true
		return
	}
	slices.Sort(gaps)
	median := gaps[len(gaps)/2]
	tolerance := max(median/5, 1500)
	off := 0
	for _, gap := range gaps {
		if d := gap - median; d > tolerance || -d > tolerance {
			off++
		}
	}
	v.Constant = off <= max(1, len(gaps)/100) && gaps[len(gaps)-1] <= 3*median
	measured := float64(len(gaps)) * 1e6 / float64(span)
	if !v.Constant {
		// The usual gap tells what the camera meant; long stills would drag the average down.
		measured = 1e6 / float64(median)
	}
	if said := v.Rate.Float(); said <= 0 || math.Abs(said-measured)/measured > 0.005 {
		v.Rate = Rational{int(math.Round(measured * 1000)), 1000}
	}
	if v.last == 0 {
		v.End += time.Duration(median) * time.Microsecond
	}
}

// trialFrames is how many packets are decoded to see what the pictures are like.
const trialFrames = 24

// frameJSON is one decoded picture.
type frameJSON struct {
	At         string     `json:"best_effort_timestamp_time"`
	Width      int        `json:"width"`
	Height     int        `json:"height"`
	Aspect     string     `json:"sample_aspect_ratio"`
	Interlaced int        `json:"interlaced_frame"`
	TopFirst   int        `json:"top_field_first"`
	Range      string     `json:"color_range"`
	Transfer   string     `json:"color_transfer"`
	Primaries  string     `json:"color_primaries"`
	Matrix     string     `json:"color_space"`
	SideData   []sideJSON `json:"side_data_list"`
}

// probeFrames decodes the first pictures. They say what containers hide or
// claim wrongly: HDR in a file tagged SDR, fields in a file tagged progressive.
func (g *Ingester) probeFrames(ctx context.Context, in *input, p *Probe) error {
	v := &p.Video[0]
	if v.Codec == "" {
		return nil
	}
	out := capped{limit: largestJSON}
	err := g.ffprobe(ctx, in, &out, "-select_streams", strconv.Itoa(v.Index), "-read_intervals", "%+#"+strconv.Itoa(trialFrames+min(v.lead, 1000)),
		"-show_frames", "-of", "json")
	var failed *childError
	if err != nil && (!errors.As(err, &failed) || failed.signalled) {
		return err
	}
	var said struct {
		Frames []frameJSON `json:"frames"`
	}
	if json.Unmarshal(out.data, &said) != nil || len(said.Frames) == 0 {
		return nil
	}
	v.Shown = len(said.Frames)
	if shown := seconds(said.Frames[0].At) - p.Start; p.Format == "avi" && shown > v.First && shown < v.First+time.Second {
		// AVI has no times, only a number of pictures a second: those that a decoder holds back are not late.
		v.Late = shown - v.First
		v.First, v.End = v.First+v.Late, v.End+v.Late
	}
	fields := 0
	for _, f := range said.Frames {
		fields += f.Interlaced
		v.TopFieldFirst = v.TopFieldFirst || f.TopFirst == 1
		for _, side := range f.SideData {
			if side.Type == "Mastering display metadata" && v.Transfer == "" {
				v.Transfer = "smpte2084"
			}
		}
	}
	first := said.Frames[0]
	if aspect := ratio(first.Aspect, ":"); aspect.Num > 0 {
		v.Aspect = [2]int{aspect.Num, aspect.Den}
	}
	for _, tag := range []struct {
		field *string
		value string
	}{{&v.Transfer, first.Transfer}, {&v.Primaries, first.Primaries}, {&v.Matrix, first.Matrix}} {
		if value := known(tag.value); value != "" {
			*tag.field = value // the bit stream knows better than the container
		}
	}
	v.FullRange = v.FullRange || first.Range == "pc"
	v.HDR = v.Transfer == "smpte2084" || v.Transfer == "arib-std-b67"
	v.Interlaced = fields*2 > len(said.Frames)
	if !v.Interlaced && unclearFields(v) {
		return g.detectFields(ctx, in, v)
	}
	return nil
}

// fieldCodecs can hold fields without saying so for sure.
var fieldCodecs = map[string]bool{
	"h264": true, "mpeg2video": true, "mpeg1video": true, "mpeg4": true, "vc1": true, "wmv3": true, "dvvideo": true, "prores": true,
	"dnxhd": true, "mjpeg": true, "rawvideo": true, "v210": true, "ffv1": true, "huffyuv": true, "utvideo": true, "cfhd": true,
}

// unclearFields tells whether only the pictures themselves can say if they are interlaced.
func unclearFields(v *VideoTrack) bool {
	switch v.Field {
	case "progressive":
		return false
	case "tt", "bb", "tb", "bt":
		return true
	}
	return fieldCodecs[v.Codec] && (v.Height == 480 || v.Height == 486 || v.Height == 576 || v.Height == 1080)
}

// detectFields asks the idet filter. Fine patterns look like fields to it: three quarters of what it decides must be.
func (g *Ingester) detectFields(ctx context.Context, in *input, v *VideoTrack) error {
	var top, bottom, progressive float64
	args := append([]string{"-nostdin", "-hide_banner", "-v", "info"}, reading(g.cfg.Threads)...)
	args = append(args, "-i", film, "-map", "0:"+strconv.Itoa(v.Index), "-frames:v", "200", "-vf", "idet", "-f", "null", "-")
	err := g.run(ctx, child{
		path: g.cfg.FFmpeg, args: args, files: []*os.File{in.file}, timeout: g.cfg.ProbeTimeout,
		line: func(text string) {
			if _, rest, ok := strings.Cut(text, "Multi frame detection:"); ok {
				fields := strings.Fields(rest) // TFF: n BFF: n Progressive: n Undetermined: n
				for i := 0; i+1 < len(fields); i += 2 {
					switch fields[i] {
					case "TFF:":
						top = number(fields[i+1])
					case "BFF:":
						bottom = number(fields[i+1])
					case "Progressive:":
						progressive = number(fields[i+1])
					}
				}
			}
		},
	})
	var failed *childError
	if err != nil && (!errors.As(err, &failed) || failed.signalled) {
		return err
	}
	if top+bottom > 3*progressive && top+bottom >= 10 {
		v.Interlaced, v.TopFieldFirst = true, top >= bottom
	}
	return nil
}
