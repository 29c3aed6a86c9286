package ingest

import "testing"

// One film from which many are made by surgery: its moov lies at the end.
var (
	plainFilm  = once(plainPattern.encode("film.mp4"))
	plainFirst = once(plainPattern.encode("film.mp4", "-movflags", "+faststart"))
)

// TestOddContainers: all containers in which films come, and all places in which an MP4 file keeps its index.
func TestOddContainers(t *testing.T) { testOdd(t, oddContainers) }

var oddContainers = []oddRow{
	{name: "MP4, moov at the end", make: plainFilm},
	{name: "MP4, moov first", make: plainFirst},
	{name: "MP4, co64", make: surgery(plainFilm, func(moov *atom) { toCo64(moov, 0) })},
	// Of fragments alone ffmpeg writes no edit list: what begins with priming, or with B-frames, is apart in the file already.
	{name: "MP4, fragmented", make: plainPattern.encode("film.mp4", flags(asFLAC, []string{"-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-g", "25"})...)},
	{name: "MP4, fragmented, places counted from the file's start", make: plainPattern.encode("film.mp4", flags(asFLAC, []string{"-movflags", "+frag_keyframe+empty_moov", "-g", "25"})...)},
	{name: "MP4, fragmented, with edit lists", make: plainPattern.encode("film.mp4", "-movflags", "+frag_keyframe+delay_moov+default_base_moof", "-g", "25", "-bf", "3", "-preset", "veryfast")},
	{name: "MP4, fragmented, negative composition offsets", make: plainPattern.encode("film.mp4", flags(asFLAC, []string{"-movflags", "+frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets", "-g", "25", "-bf", "3", "-preset", "veryfast"})...)},
	{name: "MP4, hybrid", make: plainPattern.encode("film.mp4", "-movflags", "+frag_keyframe", "-g", "25")},
	{name: "MP4, composition offsets of version 1", make: plainPattern.encode("film.mp4", "-movflags", "+negative_cts_offsets", "-bf", "3", "-preset", "veryfast")},
	{name: "MP4, 3GP of an old telephone", make: plainPattern.with(func(p *pattern) { p.size = "176x144"; p.rate = "15" }).encode("film.3gp", "-c:v", "h263", "-c:a", "aac", "-ac", "1", "-ar", "16000"),
		pattern: patternAt("15"), says: says("frame-rate-converted", "mono", "dull-sound")},
	{name: "QuickTime, PCM", make: plainPattern.encode("film.mov", "-c:a", "pcm_s16be", "-ac", "2")},
	{name: "QuickTime, ProRes 4:2:2 10 bits", make: plainPattern.encode("film.mov", "-c:v", "prores", "-c:a", "pcm_s24le", "-ac", "2"), says: says("ten-bit")},
	{name: "QuickTime, DNxHR", make: plainPattern.encode("film.mov", "-c:v", "dnxhd", "-profile:v", "dnxhr_sq", "-pix_fmt", "yuv422p", "-c:a", "pcm_s16le", "-ac", "2")},
	{name: "Matroska, Opus", make: plainPattern.encode("film.mkv", "-c:a", "libopus", "-ac", "2")},
	{name: "Matroska, FLAC", make: plainPattern.encode("film.mkv", "-c:a", "flac", "-ac", "2")},
	{name: "WebM, VP8, Vorbis", make: plainPattern.encode("film.webm", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "500k", "-c:a", "libvorbis", "-ac", "2")},
	{name: "WebM, VP9, Opus", make: plainPattern.encode("film.webm", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus", "-ac", "2")},
	{name: "WebM, AV1", make: plainPattern.encode("film.webm", "-c:v", "libsvtav1", "-preset", "12", "-c:a", "libopus", "-ac", "2")},
	{name: "transport stream", make: plainPattern.encode("film.ts", "-bf", "3", "-preset", "veryfast")},
	{name: "transport stream, MP2", make: plainPattern.encode("film.ts", "-c:a", "mp2", "-ac", "2")},
	{name: "transport stream, MPEG-2, AC-3", make: plainPattern.encode("film.ts", "-c:v", "mpeg2video", "-bf", "2", "-c:a", "ac3", "-ac", "2")},
	{name: "transport stream of a camera, M2TS", make: plainPattern.encode("film.m2ts", "-c:a", "ac3", "-ac", "2")},
	{name: "programme stream", make: plainPattern.encode("film.mpg", "-c:v", "mpeg2video", "-c:a", "mp2", "-ac", "2")},
	{name: "AVI, MPEG-4, MP3", make: plainPattern.encode("film.avi", "-c:v", "mpeg4", "-q:v", "4", "-c:a", "libmp3lame", "-ac", "2")},
	{name: "AVI, H.264 with B-frames", make: plainPattern.encode("film.avi", "-bf", "2", "-preset", "veryfast", "-c:a", "pcm_s16le", "-ac", "2")},
	{name: "MXF, MPEG-2", make: plainPattern.encode("film.mxf", "-c:v", "mpeg2video", "-c:a", "pcm_s16le", "-ac", "2", "-ar", "48000")},
	{name: "MXF, DNxHR", make: plainPattern.encode("film.mxf", "-c:v", "dnxhd", "-profile:v", "dnxhr_sq", "-pix_fmt", "yuv422p", "-c:a", "pcm_s16le", "-ac", "2", "-ar", "48000")},
	{name: "Flash video", make: plainPattern.encode("film.flv", "-c:v", "flv", "-c:a", "libmp3lame", "-ac", "2", "-ar", "44100")},
	{name: "Windows Media", make: plainPattern.encode("film.wmv", "-c:v", "wmv2", "-c:a", "wmav2", "-ac", "2")},
	{name: "Ogg, Theora, Vorbis", make: plainPattern.encode("film.ogv", "-c:v", "libtheora", "-q:v", "7", "-c:a", "libvorbis", "-ac", "2"), says: says("variable-frame-rate")},
	{name: "NUT", make: plainPattern.encode("film.nut", "-c:v", "ffv1", "-c:a", "pcm_s16le", "-ac", "2")},
	{name: "named wrongly", make: plainPattern.encode("film.avi", "-f", "matroska")},
}

// TestOddTimes: edit lists, rates, and times that do not begin at nothing.
func TestOddTimes(t *testing.T) { testOdd(t, oddTimes) }

// withEdits is the plainFilm film with other edit lists: v of the picture, a of the sound; nil keeps what there is.
func withEdits(v, a []edit) maker {
	return surgery(plainFilm, func(moov *atom) {
		for i, edits := range [][]edit{v, a} {
			if edits != nil {
				setEdits(moov, moov.tracks()[i], edits...)
			}
		}
	})
}

var oddTimes = []oddRow{
	{name: "edit list: priming only", make: plainFilm},
	{name: "edit list: none", make: surgery(plainPattern.encode("film.mov", "-c:a", "pcm_s16le", "-ac", "2"), func(moov *atom) {
		for _, trak := range moov.tracks() {
			trak.remove("edts")
		}
	})},
	{name: "edit list: sound late behind an empty edit", make: withEdits(nil, []edit{{0.7, -1, 0}, {3.9, 0.7, 0}}), says: says("sound-late")},
	{name: "edit list: picture late behind an empty edit", make: withEdits([]edit{{0.6, -1, 0}, {4, 0.6, 0}}, nil), says: says("picture-late")},
	{name: "edit list: both late", make: withEdits([]edit{{0.5, -1, 0}, {4.6, 0, 0}}, []edit{{0.5, -1, 0}, {4.6, 0, 0}}), flashes: []float64{1, 2, 3, 4}},
	{name: "edit list: begins in mid-group", make: withEdits([]edit{{4.1, 0.52, 0}}, []edit{{4.1, 0.52, 0}}), length: 4.08, flashes: []float64{0.48, 1.48, 2.48, 3.48}},
	{name: "edit list: end cut off", make: withEdits([]edit{{3.6, 0, 0}}, []edit{{3.6, 0, 0}}), length: 3.6, flashes: []float64{1, 2, 3}},
	{name: "edit list: several, the middle cut out", make: withEdits([]edit{{1.52, 0, 0}, {2.08, 2.52, 0}}, []edit{{1.52, 0, 0}, {2.08, 2.52, 0}}), length: 3.6, flashes: []float64{1, 2, 3}},
	{name: "edit list: twice the speed is not played", make: withEdits([]edit{{2.3, 0, 2}}, []edit{{2.3, 0, 2}}), length: 2.3, flashes: []float64{1, 2}},
	{name: "variable rate, as of a meeting", make: patternAt("30").encode("film.mp4", "-vf", "select='not(mod(n,3))+lt(mod(n,90),30)+not(mod(n,30))+eq(mod(n,30),6)'", "-fps_mode", "vfr"),
		pattern: patternAt("30"), says: says("variable-frame-rate")},
	{name: "variable rate, as of a telephone", make: patternAt("30").encode("film.mov", "-vf", "settb=1/600,setpts='PTS+mod(N,3)*3*gt(mod(N,30),8)+7*not(mod(N,7))*gt(mod(N,30),8)'", "-fps_mode", "vfr", "-enc_time_base", "1/600", "-video_track_timescale", "600"),
		pattern: patternAt("30"), says: says("variable-frame-rate")},
	{name: "variable rate, stills of slides", make: patternAt("30").encode("film.mkv", "-vf", "select='not(mod(n,30))+eq(mod(n,30),6)'", "-fps_mode", "vfr"),
		pattern: patternAt("30"), says: says("variable-frame-rate"), length: 4.6},
	{name: "23.976 a second", make: patternAt("24000/1001").encode("film.mp4"), pattern: patternAt("24000/1001")},
	{name: "24 a second", make: patternAt("24").encode("film.mp4"), pattern: patternAt("24")},
	{name: "29.97 a second", make: patternAt("30000/1001").encode("film.mp4"), pattern: patternAt("30000/1001")},
	{name: "30 a second", make: patternAt("30").encode("film.mp4"), pattern: patternAt("30")},
	{name: "50 a second", make: patternAt("50").encode("film.mp4"), pattern: patternAt("50")},
	{name: "59.94 a second", make: patternAt("60000/1001").encode("film.mp4"), pattern: patternAt("60000/1001")},
	{name: "60 a second", make: patternAt("60").encode("film.mp4"), pattern: patternAt("60")},
	{name: "48 a second", make: patternAt("48").encode("film.mp4"), pattern: patternAt("48"), says: says("frame-rate-converted")},
	{name: "120 a second", make: patternAt("120").encode("film.mp4"), pattern: patternAt("120"), says: says("frame-rate-converted")},
	{name: "12 a second", make: patternAt("12").encode("film.mp4"), pattern: patternAt("12"), says: says("frame-rate-converted")},
	{name: "1 a second", make: onePerSecond.encode("film.mp4"), pattern: onePerSecond, says: says("frame-rate-converted")},
	{name: "one picture long", make: onePicture.encode("film.mp4"), pattern: onePicture, says: says("very-short", "silent"), bare: true},
	{name: "rare key frames", make: plainPattern.encode("film.mp4", "-g", "1000", "-keyint_min", "1000")},
	{name: "open groups", make: plainPattern.encode("film.mp4", "-bf", "3", "-g", "20", "-preset", "veryfast", "-flags", "-cgop", "-x264-params", "open-gop=1")},
	{name: "intra refresh", make: plainPattern.encode("film.mp4", "-preset", "veryfast", "-x264-params", "intra-refresh=1:keyint=25")},
	{name: "times begin at 10 hours, transport stream", make: plainPattern.encode("film.ts", "-output_ts_offset", "36000")},
	{name: "times begin at 10 hours, Matroska", make: plainPattern.encode("film.mkv", "-output_ts_offset", "36000")},
	{name: "times begin at 10 hours, QuickTime", make: plainPattern.encode("film.mov", "-output_ts_offset", "36000")},
	{name: "times below nothing, QuickTime", make: plainPattern.encode("film.mov", "-output_ts_offset", "-0.52", "-avoid_negative_ts", "disabled"), length: 4.08, flashes: []float64{0.48, 1.48, 2.48, 3.48}},
	{name: "times wrap, transport stream", make: plainPattern.encode("film.ts", "-output_ts_offset", "95439.9")},
	{name: "times jump an hour, transport stream", make: joined("film.ts", half.encode("1.ts"), half.encode("2.ts", "-output_ts_offset", "3600")),
		pattern: half, length: 4.8, flashes: []float64{1, 2, 3.4, 4.4}},
	{name: "times jump back, transport stream", make: joined("film.ts", half.encode("1.ts", "-output_ts_offset", "3600"), half.encode("2.ts")),
		pattern: half, length: 4.8, flashes: []float64{1, 2, 3.4, 4.4}},
}

var (
	onePerSecond = plainPattern.with(func(p *pattern) { p.rate, p.every, p.length = "1", 2, 8 })
	onePicture   = plainPattern.with(func(p *pattern) { p.length = 0.04 })
	half         = plainPattern.with(func(p *pattern) { p.length = 2.4 })
)
