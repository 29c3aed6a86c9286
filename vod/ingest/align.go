package ingest

import (
	"math"
	"strconv"
	"strings"
	"time"

	"reprise/vod/cmaf"
)

// align corrects the times that ffmpeg gives of a film, and turns the film's time 0
// to where pictures of the grid fall on pictures of the source. Without the
// latter every picture would be shown up to half a frame beside its sound: a
// transport stream's sound begins by its encoder's priming, 21 ms, before the
// picture. What is before the first picture, less than a frame, is cut off.
func (p *Probe) align() {
	if len(p.Video) == 0 || p.Video[0].Count == 0 {
		return
	}
	v := &p.Video[0]
	v.Late += p.composition(v)
	v.First, v.End = v.First-v.Late, v.End-v.Late
	first := v.First
	for i := range p.Audio {
		if p.Audio[i].Count > 0 {
			first = min(first, p.Audio[i].First)
		}
	}
	if v.Late > 0 && first < 0 {
		p.shift(-first)
	}
	if !v.Constant {
		return
	}
	frame := gridOf(gridFor(v.Rate.Float(), true).fps).frame.Duration()
	p.shift(time.Duration(math.Floor(float64(v.First)/float64(frame)+0.25))*frame - v.First)
}

// shift moves everything in the film.
func (p *Probe) shift(by time.Duration) {
	p.Offset += by
	for i := range p.Video {
		p.Video[i].First, p.Video[i].End = p.Video[i].First+by, p.Video[i].End+by
	}
	for i := range p.Audio {
		p.Audio[i].First, p.Audio[i].End = p.Audio[i].First+by, p.Audio[i].End+by
	}
}

// composition is what ffmpeg adds to the times of pictures in fragments: the
// composition offset that is furthest below nothing, which it takes for a delay
// of the decoder (its dts_shift). In other files an edit list takes it back.
func (p *Probe) composition(v *VideoTrack) time.Duration {
	if p.Movie == nil || !p.Movie.Fragmented || p.Movie.Hybrid {
		return 0
	}
	t := movieTrack(p, v.Index, cmaf.Video)
	if t == nil || t.LeastOffset >= 0 || t.TimeScale == 0 {
		return 0
	}
	return time.Duration(float64(-t.LeastOffset) / float64(t.TimeScale) * float64(time.Second))
}

// opening are the options that open the film, with its times corrected. An
// offset that is not 0 also keeps ffmpeg from counting time anew from the first of
// those streams that a run happens to use (mpegts, mpeg, ogg).
func (p *Probe) opening() []string {
	offset := p.Offset
	if offset == 0 {
		offset = time.Microsecond
	}
	return []string{"-itsoffset", strconv.FormatFloat(offset.Seconds(), 'f', 6, 64), "-i", film}
}

// jumpy tells whether a container's times may jump in mid-film, as those of a
// broadcast or of two recordings put end to end do; ffmpeg then lets them go on without a jump.
func jumpy(format string) bool {
	return format == "mpegts" || format == "mpeg" || format == "ogg" || format == "live_flv"
}

// company are outputs that use the streams of a jumpy film which a run does not
// need: where times jump, ffmpeg corrects those of all streams by the one that
// jumps first. Were it another one for the pictures than for the sounds, they would part.
func (p *Probe) company(used func(index int) bool) (args []string) {
	if !jumpy(p.Format) {
		return nil
	}
	add := func(t *Track) {
		if t.Codec != "" && !used(t.Index) {
			args = append(args, "-map", "0:"+strconv.Itoa(t.Index))
		}
	}
	if len(p.Video) > 0 {
		add(&p.Video[0].Track)
	}
	for i := range p.Audio {
		add(&p.Audio[i].Track)
	}
	if len(args) == 0 {
		return nil
	}
	return append(args, "-c", "copy", "-f", "null", "-")
}

// jumps does to the times of packets what ffmpeg will do when it converts them
// (its dts_delta_threshold), so that a film is as long as it will be.
type jumps struct {
	offset time.Duration
	next   map[int]time.Duration // by stream: when its next packet is due
	last   map[int]time.Duration
}

const (
	jumpForward = 10 * time.Second
	jumpBack    = 100 * time.Millisecond
)

// correct returns what is to be added to the times of a packet of stream index.
func (j *jumps) correct(index int, decode string, length time.Duration) time.Duration {
	if decode == "" || strings.HasPrefix(decode, "N") {
		return j.offset
	}
	at := seconds(decode) + j.offset
	if next, ok := j.next[index]; ok {
		if d := at - next; d > jumpForward || d < -jumpForward || at+jumpBack < j.last[index] {
			j.offset -= d
			at = next
		}
	}
	j.next[index], j.last[index] = at+length, at
	return j.offset
}
