package ingest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"reprise/vod/cmaf"
)

// Probe is what a source holds, as far as it can be told without judging it.
type Probe struct {
	Size     int64
	Format   string        // ffmpeg's name of the container; empty: it cannot be opened
	Start    time.Duration // when the first thing is shown; film time 0
	Declared time.Duration // length that the header promises; 0: it promises none
	Video    []VideoTrack  // moving pictures; the first is the one to use
	Audio    []AudioTrack
	Text     []TextTrack
	Covers   int      // attached pictures
	Data     []string // codec tags of other tracks: tmcd, mebx, gpmd
	Chapters []Chapter
	Offset   time.Duration // to add to all times that ffmpeg gives, from its start of the film: those here have it (align)

	Magic    string      // "image", "document", "text", "mp4" or "": what the first bytes look like
	Movie    *cmaf.Movie // nil when it is not an MP4 or QuickTime file, or not a readable one
	MovieErr error       // why Movie is nil
	Said     []string    // what ffprobe said last, when Format is empty

	fragments bool // the file begins with fragments
}

// Track is what all tracks have.
type Track struct {
	Index    int    // of ffmpeg
	Codec    string // ffmpeg's name; empty: it does not know it
	Tag      string // four-character code
	Profile  string
	Language string // BCP 47, empty when not said
	Title    string
	Default  bool
	Declared time.Duration // length the header promises; 0 unknown
	Frames   int64         // number of frames the header promises; 0 unknown
	packets
}

// VideoTrack is one track of moving pictures.
type VideoTrack struct {
	Track
	Width, Height int      // coded
	Aspect        [2]int   // sample aspect ratio; 1:1 when not said
	Rotation      int      // degrees clockwise to turn before showing: 0, 90, 180, 270
	Rate          Rational // frames a second, measured from the packets
	Constant      bool     // frame rate
	PixelFormat   string
	Depth         int // bits a sample
	Transfer      string
	Primaries     string
	Matrix        string
	FullRange     bool
	Field         string // ffmpeg's field order: progressive, tt, bb, tb, bt, unknown
	Interlaced    bool
	TopFieldFirst bool
	DolbyProfile  int // 0 none
	HDR           bool
	Shown         int           // frames that a trial decoding gave
	Late          time.Duration // by which ffmpeg says pictures later than they are; the times here are right
}

// AudioTrack is one track of sound.
type AudioTrack struct {
	Track
	SampleRate int
	Channels   int
	Layout     string
	Comment    bool // commentary, audio description and the like: not a language
}

// TextTrack is one track of captions.
type TextTrack struct {
	Track
	Bitmap bool // pictures of text, which cannot be made into WebVTT
}

// Chapter is a named point of the source, from film time 0.
type Chapter struct {
	Start time.Duration
	Title string
}

// Rational is a ratio of whole numbers; the zero value is unknown.
type Rational struct{ Num, Den int }

// Float returns r as a number, 0 when unknown.
func (r Rational) Float() float64 {
	if r.Den == 0 {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

// probe looks at a source. A file that cannot be opened is not an error: the
// result has no Format. Errors are those of this machine.
func (g *Ingester) probe(ctx context.Context, in *input) (*Probe, error) {
	p := &Probe{Size: in.Size()}
	if p.Size == 0 {
		return p, nil
	}
	var head [1024]byte
	n, err := in.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read source: %w", err)
	}
	p.Magic = magic(head[:n])
	if p.Movie, p.MovieErr = cmaf.Inspect(in, p.Size); p.MovieErr != nil {
		p.Movie, p.fragments = nil, startsWithFragment(in)
	}
	if err := g.probeStreams(ctx, in, p); err != nil || p.Format == "" {
		return p, err
	}
	if len(p.Video) == 0 && len(p.Audio) == 0 {
		return p, nil
	}
	if err := g.probePackets(ctx, in, p); err != nil {
		return p, err
	}
	if len(p.Video) > 0 {
		if err := g.probeFrames(ctx, in, p); err != nil {
			return p, err
		}
	}
	p.align()
	return p, nil
}

// magic tells from the first bytes what a file is that is no film.
func magic(head []byte) string {
	text := string(head)
	switch {
	case len(head) >= 12 && text[4:8] == "ftyp" && (strings.HasPrefix(text[8:], "avif") || strings.HasPrefix(text[8:], "heic") || strings.HasPrefix(text[8:], "mif1")):
		return "image"
	case len(head) >= 8 && (text[4:8] == "ftyp" || text[4:8] == "moov" || text[4:8] == "mdat" || text[4:8] == "wide" || text[4:8] == "moof" || text[4:8] == "styp"):
		return "mp4"
	case strings.HasPrefix(text, "\x89PNG"), strings.HasPrefix(text, "\xff\xd8\xff"), strings.HasPrefix(text, "GIF8"), strings.HasPrefix(text, "BM") && len(head) > 14,
		strings.HasPrefix(text, "II*\x00"), strings.HasPrefix(text, "MM\x00*"), strings.HasPrefix(text, "RIFF") && len(head) >= 12 && text[8:12] == "WEBP":
		return "image"
	case strings.HasPrefix(text, "PK\x03\x04"), strings.HasPrefix(text, "%PDF-"), strings.HasPrefix(text, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), strings.HasPrefix(text, "{\\rtf"):
		return "document" // Office old and new, PDF, ZIP
	}
	for _, b := range head {
		if b < 0x20 && b != '\n' && b != '\r' && b != '\t' && b != '\f' && b != 0x1b {
			return ""
		}
	}
	return "text"
}

// startsWithFragment tells whether a movie fragment is among the first boxes.
func startsWithFragment(r io.ReaderAt) bool {
	var head [8]byte
	for at, n := int64(0), 0; n < 16; n++ {
		if _, err := r.ReadAt(head[:], at); err != nil {
			return false
		}
		if string(head[4:]) == "moof" {
			return true
		}
		size := int64(binary.BigEndian.Uint32(head[:4]))
		if size < 8 {
			return false
		}
		at += size
	}
	return false
}

// The JSON of ffprobe: numbers come as text, absent ones not at all.
type (
	probeJSON struct {
		Streams  []streamJSON `json:"streams"`
		Format   formatJSON   `json:"format"`
		Chapters []struct {
			Start string            `json:"start_time"`
			Tags  map[string]string `json:"tags"`
		} `json:"chapters"`
	}
	formatJSON struct {
		Name     string `json:"format_name"`
		Start    string `json:"start_time"`
		Duration string `json:"duration"`
	}
	streamJSON struct {
		Index       int               `json:"index"`
		Type        string            `json:"codec_type"`
		Codec       string            `json:"codec_name"`
		Tag         string            `json:"codec_tag_string"`
		Profile     string            `json:"profile"`
		Width       int               `json:"width"`
		Height      int               `json:"height"`
		Aspect      string            `json:"sample_aspect_ratio"`
		PixelFormat string            `json:"pix_fmt"`
		Depth       string            `json:"bits_per_raw_sample"`
		Range       string            `json:"color_range"`
		Transfer    string            `json:"color_transfer"`
		Primaries   string            `json:"color_primaries"`
		Matrix      string            `json:"color_space"`
		Field       string            `json:"field_order"`
		RealRate    string            `json:"r_frame_rate"`
		AverageRate string            `json:"avg_frame_rate"`
		SampleRate  string            `json:"sample_rate"`
		Channels    int               `json:"channels"`
		Layout      string            `json:"channel_layout"`
		Duration    string            `json:"duration"`
		Frames      string            `json:"nb_frames"`
		Disposition map[string]int    `json:"disposition"`
		Tags        map[string]string `json:"tags"`
		SideData    []sideJSON        `json:"side_data_list"`
	}
	sideJSON struct {
		Type     string  `json:"side_data_type"`
		Rotation float64 `json:"rotation"`
		Profile  int     `json:"dv_profile"`
	}
)

const largestJSON = 8 << 20

func (g *Ingester) probeStreams(ctx context.Context, in *input, p *Probe) error {
	out := capped{limit: largestJSON}
	err := g.ffprobe(ctx, in, &out, "-show_format", "-show_streams", "-show_chapters", "-of", "json")
	var failed *childError
	if errors.As(err, &failed) && !failed.signalled {
		p.Said = failed.tail
		return nil
	}
	if err != nil {
		return err
	}
	var said probeJSON
	if out.over || json.Unmarshal(out.data, &said) != nil {
		p.Said = []string{"unreadable answer of ffprobe"}
		return nil
	}
	p.Format, p.Start = said.Format.Name, seconds(said.Format.Start)
	if promises(p.Format) {
		p.Declared = seconds(said.Format.Duration)
	}
	for _, s := range said.Streams {
		p.addStream(s)
	}
	for _, c := range said.Chapters {
		p.Chapters = append(p.Chapters, Chapter{Start: max(0, seconds(c.Start)-p.Start), Title: cleanText(c.Tags["title"])})
	}
	p.order()
	return nil
}

// promises tells whether a container's header says how long the film is; of the others ffmpeg guesses from the bit rate.
func promises(format string) bool {
	for _, name := range []string{"mov", "matroska", "avi", "asf"} {
		if strings.HasPrefix(format, name) {
			return true
		}
	}
	return false
}

func (g *Ingester) ffprobe(ctx context.Context, in *input, out io.Writer, args ...string) error {
	all := append([]string{"-v", "error"}, reading(g.cfg.Threads)...)
	all = append(all, args...)
	return g.run(ctx, child{
		path: g.cfg.FFprobe, args: append(all, film), files: []*os.File{in.file},
		timeout: g.probeTime(in), stdout: out,
	})
}

// probeTime is how long a look at a film may take: longer for what takes long to read (20 MB/s).
func (g *Ingester) probeTime(in *input) time.Duration {
	return g.cfg.ProbeTimeout + time.Duration(in.Size()/20e6)*time.Second
}

func (p *Probe) addStream(s streamJSON) {
	track := Track{
		Index: s.Index, Codec: known(s.Codec), Tag: s.Tag, Profile: known(s.Profile),
		Language: languageOf(s.Tags), Title: cleanText(s.Tags["title"]), Default: s.Disposition["default"] == 1,
		Declared: seconds(s.Duration), Frames: int64(number(s.Frames)),
	}
	if track.Declared == 0 {
		track.Declared = clock(s.Tags["DURATION"]) // matroska
	}
	switch {
	case s.Disposition["attached_pic"] == 1 || s.Disposition["timed_thumbnails"] == 1 || s.Disposition["still_image"] == 1:
		p.Covers++
	case s.Type == "video":
		p.Video = append(p.Video, videoTrack(track, s))
	case s.Type == "audio":
		comment := false
		for _, name := range []string{"comment", "visual_impaired", "descriptions", "karaoke"} {
			comment = comment || s.Disposition[name] == 1
		}
		p.Audio = append(p.Audio, AudioTrack{
			Track: track, SampleRate: int(number(s.SampleRate)), Channels: s.Channels, Layout: s.Layout, Comment: comment,
		})
	case s.Type == "subtitle":
		p.Text = append(p.Text, TextTrack{Track: track, Bitmap: bitmapText[track.Codec]})
	default:
		p.Data = append(p.Data, s.Tag)
	}
}

var bitmapText = map[string]bool{
	"dvd_subtitle": true, "hdmv_pgs_subtitle": true, "dvb_subtitle": true, "xsub": true, "dvb_teletext": true, "eia_608": true, "": true,
}

func videoTrack(track Track, s streamJSON) VideoTrack {
	v := VideoTrack{
		Track: track, Width: s.Width, Height: s.Height, Aspect: [2]int{1, 1}, PixelFormat: known(s.PixelFormat),
		Transfer: known(s.Transfer), Primaries: known(s.Primaries), Matrix: known(s.Matrix), FullRange: s.Range == "pc" || strings.HasPrefix(s.PixelFormat, "yuvj"),
		Field: s.Field, Rate: ratio(s.AverageRate, "/"), Depth: depth(s),
	}
	if aspect := ratio(s.Aspect, ":"); aspect.Num > 0 && aspect.Den > 0 {
		v.Aspect = [2]int{aspect.Num, aspect.Den}
	}
	if v.Rate.Num == 0 {
		v.Rate = ratio(s.RealRate, "/")
	}
	for _, side := range s.SideData {
		switch side.Type {
		case "Display Matrix":
			turns := int(math.Round(-side.Rotation/90)) % 4
			v.Rotation = (turns + 4) % 4 * 90
		case "DOVI configuration record":
			v.DolbyProfile = side.Profile
		}
	}
	v.HDR = v.Transfer == "smpte2084" || v.Transfer == "arib-std-b67"
	return v
}

func depth(s streamJSON) int {
	if n := int(number(s.Depth)); n > 0 {
		return n
	}
	for _, bits := range []int{16, 14, 12, 10, 9} {
		if strings.Contains(s.PixelFormat, "p"+strconv.Itoa(bits)) || strings.HasPrefix(s.PixelFormat, "p0"+strconv.Itoa(bits)) {
			return bits
		}
	}
	return 8
}

// order puts the picture to use first: the default one, else the largest.
func (p *Probe) order() {
	best := 0
	for i, v := range p.Video {
		b := p.Video[best]
		if v.Default != b.Default {
			if v.Default {
				best = i
			}
			continue
		}
		if v.Width*v.Height > b.Width*b.Height {
			best = i
		}
	}
	if best > 0 {
		p.Video[0], p.Video[best] = p.Video[best], p.Video[0]
	}
}

// Shape returns the size of the picture as it is shown with square pixels: turned, and stretched to its aspect.
func (v *VideoTrack) Shape() (width, height int) {
	width, height = v.Width, v.Height
	if v.Aspect[0] != v.Aspect[1] && v.Aspect[1] > 0 {
		width = int(math.Round(float64(width) * float64(v.Aspect[0]) / float64(v.Aspect[1])))
	}
	if v.Rotation == 90 || v.Rotation == 270 {
		width, height = height, width
	}
	return max(width, 1), max(height, 1)
}

func known(s string) string {
	switch s {
	case "unknown", "none", "unspecified", "reserved":
		return ""
	}
	return s
}

func number(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// seconds reads decimal seconds; what is absent or absurd (over a year) is 0.
func seconds(s string) time.Duration {
	f := number(s)
	if math.Abs(f) > 366*24*3600 {
		return 0
	}
	return time.Duration(math.Round(f*1e6)) * time.Microsecond
}

// clock reads matroska's 00:01:02.345000000.
func clock(s string) time.Duration {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return 0
	}
	return seconds(strconv.FormatFloat(number(parts[0])*3600+number(parts[1])*60+number(parts[2]), 'f', 6, 64))
}

func ratio(s, mark string) Rational {
	a, b, ok := strings.Cut(s, mark)
	if !ok {
		return Rational{}
	}
	num, den := int(number(a)), int(number(b))
	if num <= 0 || den <= 0 {
		return Rational{}
	}
	return Rational{num, den}
}

// cleanText makes one short line of a title from a file: no control characters, 200 characters at most.
func cleanText(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case r == '\ufeff' || unicode.Is(unicode.Bidi_Control, r):
			return -1 // what turns the writing round makes one name look like another
		case unicode.IsControl(r) || r == '\ufffd' || r == '\u2028' || r == '\u2029':
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))), " ")
	if runes := []rune(s); len(runes) > 200 {
		s = string(runes[:200])
	}
	return s
}
