package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"reprise/stream/timeline"
	"reprise/vod"
	"reprise/vod/cmaf"
)

// recipe is everything that decides the bytes of a transcode. It is written to
// the run's folder, so that a killed run goes on with the same one.
type recipe struct {
	FPS       int            `json:"fps"`
	Length    timeline.Ticks `json:"length"`
	Rungs     []string       `json:"rungs"`            // to encode, high to low
	CopyRung  string         `json:"copy_rung"`        // taken from the source as it is; empty: none
	Sounds    []soundPlan    `json:"sounds"`           // never empty: at least silence
	Still     bool           `json:"still,omitempty"`  // the source has no moving picture: the rungs show one that stands still
	Given     []string       `json:"given,omitempty"`  // renditions that the first media has: they are not made again
	Errors    int            `json:"errors,omitempty"` // lines of complaint while decoding
	Trouble   []vod.Finding  `json:"trouble,omitempty"`
	Early     bool           `json:"early,omitempty"` // the outputs of the early pass are whole
	Completed bool           `json:"completed"`
}

// soundPlan is one language.
type soundPlan struct {
	Language  string    `json:"language"`
	Stream    int       `json:"stream"` // of ffmpeg; -1: silence
	Treatment treatment `json:"treatment"`
	Copy      bool      `json:"copy"` // the 128k rendition is the source's own
}

func outputFile(dir, rendition string) string { return filepath.Join(dir, rendition+".mp4") }

// audioName and lowAudioName are the renditions of a language.
func audioName(language string) string    { return "a-" + language }
func lowAudioName(language string) string { return "al-" + language }

// job is one transcode: the rungs and sounds of a recipe that are still to be made.
type job struct {
	probe  *Probe
	recipe *recipe
	dir    string
	rungs  []string
	sounds []int         // indexes of recipe.Sounds
	wave   *wave         // of the first sound; nil: not wanted
	watch  *pictureWatch // looks at the pictures for the report; nil: nobody does
}

// uses tells whether a stream of the source is decoded.
func (j *job) uses(index int) bool {
	if len(j.rungs) > 0 && index == j.probe.Video[0].Index {
		return true
	}
	return slices.ContainsFunc(j.sounds, func(i int) bool { return j.recipe.Sounds[i].Stream == index })
}

// sinks are those who listen to a transcode, in the order of their descriptors.
func (j *job) sinks() (sinks []io.Writer) {
	if j.wave != nil {
		sinks = append(sinks, j.wave)
	}
	if j.watch != nil {
		sinks = append(sinks, j.watch.sinks()...)
	}
	return sinks
}

// transcode runs ffmpeg once over the source: it is decoded once, and split
// into all rungs and all sounds. The outputs are MP4 files in the run's folder.
// Findings say what decoding brought to light; when one is fatal the outputs
// are worth nothing. progress gets 0..1.
func (g *Ingester) transcode(ctx context.Context, in *input, j job, progress func(float64)) ([]vod.Finding, error) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := &watcher{limit: g.cfg.MaxDecodeErrors, stop: cancel}
	if j.watch != nil {
		watch.when = j.watch.now
	}
	length := j.recipe.Length.Duration()
	err := g.listen(inner, child{
		path: g.cfg.FFmpeg, args: g.transcodeArgs(j), files: []*os.File{in.file}, dir: j.dir,
		timeout: g.cfg.EncodeTimeout + 30*length, stdout: progressLines(length, progress), line: watch.line,
	}, j.sinks()...)
	j.recipe.Errors = watch.errors
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("transcode: %w", ctx.Err())
	case watch.ours:
		return nil, fmt.Errorf("transcode: %w: %s", errMachine, strings.Join(watch.last, " | "))
	case watch.errors > g.cfg.MaxDecodeErrors:
		return []vod.Finding{at(finding("damaged", watch.errors), watch.places)}, nil
	case err != nil && retryable(ctx, err):
		return nil, fmt.Errorf("transcode: %w", err)
	case errors.Is(err, ErrTimeout) || err != nil && watch.memory:
		g.log.Warn("transcode given up", "error", err)
		return []vod.Finding{finding("too-costly")}, nil
	case err != nil:
		g.log.Warn("transcode failed", "error", err)
		return []vod.Finding{finding("undecodable")}, nil
	}
	if found := watch.judge(j); refused(found) || outputsWhole(j) {
		return found, nil
	}
	return []vod.Finding{finding("undecodable")}, nil
}

// outputsWhole tells whether ffmpeg wrote something into each of its outputs: of
// a film whose times are absurd it says that all went well, and writes nothing.
func outputsWhole(j job) bool {
	names := slices.Clone(j.rungs)
	for _, i := range j.sounds {
		names = append(names, lowAudioName(j.recipe.Sounds[i].Language))
	}
	for _, name := range names {
		file, err := os.Open(outputFile(j.dir, name))
		if err != nil {
			return false
		}
		info, err := file.Stat()
		if err == nil {
			_, err = cmaf.Inspect(file, info.Size())
		}
		if err = errors.Join(err, file.Close()); err != nil {
			return false
		}
	}
	return true
}

// progressLines reads ffmpeg's -progress and reports the share of length that is done.
func progressLines(length time.Duration, progress func(float64)) *eachLine {
	return newEachLine(func(text string) {
		if value, ok := strings.CutPrefix(text, "out_time_us="); ok && length > 0 {
			progress(min(1, max(0, number(value)/float64(length.Microseconds()))))
		}
	})
}

// transcodeArgs builds the command line.
func (g *Ingester) transcodeArgs(j job) []string {
	args := []string{"-nostdin", "-hide_banner", "-y", "-loglevel", "level+verbose", "-progress", "pipe:1", "-stats_period", "0.5"}
	args = append(args, reading(g.cfg.Threads)...)
	// A picture that changes its size in mid-film must not restart the filters: they would begin again at film time 0.
	args = append(append(args, "-reinit_filter:v", "0"), j.probe.opening()...)
	r := j.recipe
	fps := gridOf(r.FPS)
	if len(j.rungs) > 0 {
		args = append(args, "-filter_complex", videoGraph(&j.probe.Video[0], j.rungs, fps, r.Length, j.watch))
	}
	for k, i := range j.sounds {
		args = append(args, "-filter_complex", soundGraph(j.probe, i, r.Sounds[i], r.Length, k == 0 && j.wave != nil))
	}
	for _, name := range j.rungs {
		args = append(args, g.videoOutput(name, fps, j.dir)...)
	}
	for _, i := range j.sounds {
		s := r.Sounds[i]
		if !s.Copy {
			args = append(args, soundOutput(fmt.Sprintf("[h%d]", i), audioName(s.Language), "128k", j.dir, "-metadata:s:a", "language="+s.Language, "-movflags", "+faststart")...)
		}
		args = append(args, soundOutput(fmt.Sprintf("[l%d]", i), lowAudioName(s.Language), "64k", j.dir)...)
	}
	args = append(args, j.probe.company(j.uses)...)
	files := 1 // the source
	if j.wave != nil {
		args = append(args, "-map", "[wave]", "-f", "s16le", sinkName(files, 0))
		files++
	}
	if j.watch != nil {
		args = append(args, j.watch.outputs("[tiles]", "[text]", files)...)
	}
	return args
}

// videoGraph is the filter graph of the picture: upright, progressive, SDR, at
// the grid's rate, of the exact length, then split and fitted into each rung.
func videoGraph(v *VideoTrack, rungs []string, g grid, length timeline.Ticks, watch *pictureWatch) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[0:%d]", v.Index)
	if v.Late > 0 {
		fmt.Fprintf(&b, "setpts=PTS-%.6f/TB,", v.Late.Seconds())
	}
	rate := fmt.Sprintf("fps=%d:start_time=0:round=near", g.fps)
	faster := v.Rate.Float() > float64(g.fps)+0.5
	if faster && !v.Interlaced {
		b.WriteString(rate + ",") // drop pictures before work is spent on them
	}
	b.WriteString(pictureChain(v, rungs))
	if !faster || v.Interlaced {
		b.WriteString(rate + ",")
	}
	fmt.Fprintf(&b, "tpad=stop=-1:stop_mode=clone,trim=end_frame=%d,setpts=PTS-STARTPTS", length/g.frame)
	ways := len(rungs)
	if watch != nil {
		ways += 2
	}
	if ways > 1 {
		fmt.Fprintf(&b, ",split=%d", ways)
	}
	for i := range ways {
		fmt.Fprintf(&b, "[s%d]", i)
	}
	if watch != nil {
		fmt.Fprintf(&b, ";[s%d]%s[tiles];[s%d]%s[text]", ways-2, watch.tileChain(), ways-1, watch.textChain())
	}
	for i, name := range rungs {
		r := rungNamed(name)
		fmt.Fprintf(&b, ";[s%d]scale=%d:%d:force_original_aspect_ratio=decrease:force_divisible_by=2:eval=frame:flags=bicubic:%s,"+
			"pad=%d:%d:(ow-iw)/2:(oh-ih)/2:color=black:eval=frame,setsar=1,format=yuv420p,setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709[%s]",
			i, r.width, r.height, matrices(v), r.width, r.height, name)
	}
	return b.String()
}

// pictureChain ends in a comma when it is not empty.
func pictureChain(v *VideoTrack, rungs []string) string {
	var chain string
	if v.Interlaced {
		parity := "bff"
		if v.TopFieldFirst {
			parity = "tff"
		}
		chain += "setfield=" + parity + ",bwdif=mode=send_frame:parity=" + parity + ":deint=all,"
	}
	if v.Aspect[0] != v.Aspect[1] {
		chain += "scale=w='trunc(iw*sar/2+0.5)*2':h=ih:eval=frame:flags=bicubic,setsar=1,"
	}
	if v.HDR || wideGamut(v) {
		chain += toneMap(v, rungs)
	}
	return chain
}

func wideGamut(v *VideoTrack) bool {
	return strings.HasPrefix(v.Primaries, "bt2020") || strings.HasPrefix(v.Matrix, "bt2020")
}

// toneMap brings HDR, or the colours of BT.2020, into BT.709. It works on
// floating-point pictures, so the picture is first made no larger than the top rung.
func toneMap(v *VideoTrack, rungs []string) string {
	width, height := v.Shape()
	if len(rungs) > 0 {
		top := rungNamed(rungs[0])
		if shrink := min(float64(top.width)/float64(width), float64(top.height)/float64(height)); shrink < 1 {
			width, height = int(float64(width)*shrink), int(float64(height)*shrink)
		}
	}
	width, height = max(2, width/2*2), max(2, height/2*2)
	transfer := v.Transfer
	if transfer == "" {
		transfer = "bt709"
	}
	// Names that are missing would leave zscale without a path from one colour space to the other.
	set := fmt.Sprintf("setparams=color_primaries=bt2020:color_trc=%s:colorspace=bt2020nc,", transfer)
	if !v.HDR {
		return set + fmt.Sprintf("zscale=w=%d:h=%d:p=bt709:t=bt709:m=bt709:r=limited,format=yuv420p,", width, height)
	}
	return set + fmt.Sprintf("zscale=w=%d:h=%d:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"+
		"zscale=t=bt709:m=bt709:r=limited,format=yuv420p,", width, height)
}

// matrices are the scaler's colour options: from what the source is coded in
// (by its size when it does not say: SD is BT.601) to BT.709, studio range.
func matrices(v *VideoTrack) string {
	in := "bt709"
	switch {
	case v.HDR || wideGamut(v):
	case v.Matrix == "smpte170m" || v.Matrix == "bt470bg" || v.Matrix == "fcc":
		in = "bt601"
	case v.Matrix == "smpte240m":
		in = "smpte240m"
	case v.Matrix == "" && v.Height < 720 && v.Width < 1280:
		in = "bt601"
	}
	options := "in_color_matrix=" + in + ":out_color_matrix=bt709:out_range=tv"
	if v.FullRange && !v.HDR && !wideGamut(v) {
		options += ":in_range=pc"
	}
	return options
}

// soundGraph is the filter graph of one language, to the exact length, twice, and once more for its waveform.
func soundGraph(p *Probe, i int, s soundPlan, length timeline.Ticks, wave bool) string {
	labels := fmt.Sprintf("[l%d]", i)
	if !s.Copy {
		labels += fmt.Sprintf("[h%d]", i)
	}
	if wave {
		labels += "[w];[w]" + waveChain + "[wave]"
	}
	end := fmt.Sprintf("apad,atrim=end_sample=%d,asetpts=N,aformat=sample_fmts=fltp:sample_rates=48000:channel_layouts=stereo,asplit=%d%s",
		length, strings.Count(strings.Split(labels, ";")[0], "["), labels)
	if s.Stream < 0 {
		return "anullsrc=r=48000:cl=stereo," + end
	}
	for k := range p.Audio {
		if p.Audio[k].Index == s.Stream {
			return fmt.Sprintf("[0:%d]%s,%s", s.Stream, soundChain(&p.Audio[k], s.Treatment), end)
		}
	}
	return "anullsrc=r=48000:cl=stereo," + end
}

// Options that all outputs share.
var plainOutput = []string{"-map_metadata", "-1", "-map_chapters", "-1", "-dn", "-sn"}

func rungNamed(name string) rung {
	for _, r := range ladder {
		if r.name == name {
			return r
		}
	}
	panic("ingest: unknown rung " + name)
}

// videoOutput encodes one rung: closed groups of exactly half a segment, capped CRF.
func (g *Ingester) videoOutput(name string, fps grid, dir string) []string {
	args := append([]string{"-map", "[" + name + "]"}, plainOutput...)
	args = append(args, x264(rungNamed(name), fps, g.cfg.Preset, 3)...)
	return append(args, "-video_track_timescale", strconv.Itoa(int(timeline.TicksPerSecond)), "-f", "mp4", outputFile(dir, name))
}

// x264 are the options of the encoder for a rung.
func x264(r rung, g grid, preset string, bframes int) []string {
	return []string{
		"-c:v", "libx264", "-preset", preset, "-profile:v", "high", "-level:v", r.levelAt(g.fps), "-pix_fmt", "yuv420p",
		"-crf", strconv.Itoa(r.crf), "-maxrate", strconv.Itoa(r.rate) + "k", "-bufsize", strconv.Itoa(r.buffer) + "k",
		"-g", strconv.Itoa(g.group), "-keyint_min", strconv.Itoa(g.group), "-sc_threshold", "0", "-flags", "+cgop", "-bf", strconv.Itoa(bframes),
		"-x264-params", "open-gop=0:nal-hrd=vbr",
		"-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv",
	}
}

func soundOutput(label, name, rate, dir string, more ...string) []string {
	args := append([]string{"-map", label}, plainOutput...)
	args = append(args, "-c:a", "aac", "-profile:a", "aac_low", "-b:a", rate, "-ar", "48000", "-ac", "2")
	return append(append(args, more...), "-f", "mp4", outputFile(dir, name))
}

// watcher reads ffmpeg's log: its exit status is no proof that anything was decoded.
type watcher struct {
	limit  int
	stop   func()
	errors int
	when   func() time.Duration // film time of the picture decoded last; nil: unknown
	places []vod.Span           // where the complaints are, a second each
	last   []string             // complaints
	memory bool                 // the limit was reached
	ours   bool                 // this machine is at fault, not the film
	read   map[int]readings
}

// readings are what ffmpeg counted of one stream of the source.
type readings struct{ packets, frames, samples int64 }

func (w *watcher) line(text string) {
	switch severity(text) {
	case "[error]", "[fatal]", "[panic]":
		if strings.HasPrefix(text, "[null @") {
			break // an output that keeps streams company (Probe.company) and goes nowhere
		}
		w.last = append(w.last[max(0, len(w.last)-2):], text)
		w.memory = w.memory || strings.Contains(text, "Cannot allocate memory")
		for _, ours := range []string{"No space left on device", "Unknown encoder", "No such filter", "Permission denied"} {
			w.ours = w.ours || strings.Contains(text, ours)
		}
		w.place()
		if w.errors++; w.errors > w.limit {
			w.stop() // no use in going on
		}
	default:
		if strings.Contains(text, "Input stream #0:") && strings.Contains(text, "packets read") {
			w.count(text)
		}
	}
}

// place notes where in the film a complaint is, to the second.
func (w *watcher) place() {
	if w.when == nil {
		return
	}
	at := w.when().Seconds()
	if n := len(w.places); n > 0 && at < w.places[n-1].To {
		w.places[n-1].To = at + 1
		return
	}
	w.places = append(w.places, vod.Span{From: at, To: at + 1})
}

// severity returns the level among the tags that a log line begins with: a title in the file may say [error] too.
func severity(text string) string {
	for strings.HasPrefix(text, "[") {
		tag, rest, ok := strings.Cut(text, "] ")
		if !ok {
			return ""
		}
		if !strings.Contains(tag, " ") && !strings.Contains(tag, "@") {
			return tag + "]"
		}
		text = rest
	}
	return ""
}

// count reads "  Input stream #0:1 (audio): 10 packets read (99 bytes); 10 frames decoded (10240 samples); ".
func (w *watcher) count(text string) {
	_, rest, _ := strings.Cut(text, "#0:")
	var index int
	var kind string
	var r readings
	var bytes int64
	if _, err := fmt.Sscanf(rest, "%d (%s %d packets read (%d bytes); %d frames decoded", &index, &kind, &r.packets, &bytes, &r.frames); err != nil {
		return
	}
	if _, tail, ok := strings.Cut(rest, "frames decoded ("); ok {
		r.samples = int64(number(strings.Fields(tail)[0]))
	}
	if w.read == nil {
		w.read = map[int]readings{}
	}
	w.read[index] = r
}

// leastDecoded is the share of what the packets promise that must have come out
// of the decoder. Fields in packets of their own, and VP8's hidden frames, make frames fewer than packets.
const leastDecoded = 0.9

// judge compares what was decoded with what the packets promised.
func (w *watcher) judge(j job) (found []vod.Finding) {
	if len(j.rungs) > 0 && w.pictureLost(&j.probe.Video[0]) {
		return []vod.Finding{finding("undecodable")}
	}
	for _, i := range j.sounds {
		if f, bad := w.judgeSound(j.probe, j.recipe.Sounds[i]); bad {
			return []vod.Finding{f}
		}
	}
	if w.errors > 0 {
		found = append(found, at(finding("reading-errors", w.errors), w.places))
	}
	return found
}

// pictureLost tells whether too few of the pictures that the packets promise were decoded.
func (w *watcher) pictureLost(v *VideoTrack) bool {
	r, ok := w.read[v.Index]
	if !ok {
		return false
	}
	least := leastDecoded * float64(min(r.packets, v.Count)) // an edit list may hide some of those read
	if v.Interlaced {
		least /= 2
	}
	return r.frames == 0 || float64(r.frames) < least-3
}

func (w *watcher) judgeSound(p *Probe, s soundPlan) (vod.Finding, bool) {
	for i := range p.Audio {
		a := &p.Audio[i]
		if a.Index != s.Stream {
			continue
		}
		r, ok := w.read[a.Index]
		if !ok || a.SampleRate == 0 {
			return vod.Finding{}, false
		}
		got := time.Duration(float64(r.samples) / float64(a.SampleRate) * float64(time.Second))
		// HE-AAC says its core's rate in some containers: twice as much is not too little.
		if got < time.Duration(leastDecoded*float64(a.Sum))-200*time.Millisecond {
			return finding("sound-undecodable"), true
		}
	}
	return vod.Finding{}, false
}
