package ingest

import (
	"testing"

	"reprise/vod"
)

// TestOddPictures: pictures of every shape and coding.
func TestOddPictures(t *testing.T) { testOdd(t, oddPictures) }

// turned is a film whose track header turns it.
func turned(degrees int) maker {
	return surgery(plainFilm, func(moov *atom) { setMatrix(moov.tracks()[0], degrees) })
}

var asHEVC = []string{"-c:v", "libx265", "-preset", "ultrafast"}

var oddPictures = []oddRow{
	{name: "turned by 90 degrees", make: turned(90), says: says("rotated", "portrait")},
	{name: "turned by 180 degrees", make: turned(180), says: says("rotated")},
	{name: "turned by 270 degrees", make: turned(270), says: says("rotated", "portrait")},
	{name: "anamorphic, 16:11", make: patternOf("352x288").encode("film.mp4", "-vf", "setsar=16/11"), says: says("anamorphic")},
	{name: "anamorphic, tall pixels", make: patternOf("640x180").encode("film.mkv", "-vf", "setsar=1/2"), says: says("anamorphic")},
	{name: "H.264, 10 bits", make: plainPattern.encode("film.mp4", "-pix_fmt", "yuv420p10le"), says: says("ten-bit")},
	{name: "H.264, 4:2:2", make: plainPattern.encode("film.mp4", "-pix_fmt", "yuv422p")},
	{name: "H.264, 4:4:4, full range", make: plainPattern.encode("film.mp4", "-pix_fmt", "yuvj444p")},
	{name: "H.264, RGB", make: plainPattern.encode("film.mkv", "-c:v", "libx264rgb", "-pix_fmt", "rgb24", "-preset", "ultrafast")},
	{name: "H.264, grey", make: plainPattern.encode("film.mp4", "-pix_fmt", "gray")},
	{name: "interlaced, top field first", make: fielded.encode("film.mp4", "-vf", "tinterlace=interleave_top,setfield=tff", "-flags", "+ilme+ildct", "-x264opts", "tff=1"), says: says("interlaced")},
	{name: "interlaced, bottom field first", make: fielded.encode("film.mp4", "-vf", "tinterlace=interleave_bottom,setfield=bff", "-flags", "+ilme+ildct", "-x264opts", "bff=1"), says: says("interlaced")},
	{name: "interlaced, MPEG-2", make: fielded.encode("film.mpg", "-vf", "tinterlace=interleave_top,setfield=tff", "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-c:a", "mp2", "-ac", "2"), says: says("interlaced")},
	{name: "HEVC", make: plainPattern.encode("film.mp4", flags(asHEVC, []string{"-x265-params", "log-level=error", "-tag:v", "hvc1"})...)},
	{name: "HEVC, 10 bits, QuickTime", make: plainPattern.encode("film.mov", flags(asHEVC, []string{"-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error", "-tag:v", "hvc1"})...), says: says("ten-bit")},
	{name: "HDR, HLG", make: plainPattern.encode("film.mp4", flags(asHEVC, []string{"-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc"})...), says: says("hdr-converted")},
	{name: "HDR, PQ", make: plainPattern.encode("film.mkv", flags(asHEVC, []string{"-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"})...), says: says("hdr-converted")},
	{name: "BT.2020 without HDR", make: plainPattern.encode("film.mp4", flags(asHEVC, []string{"-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error:colorprim=bt2020:transfer=bt709:colormatrix=bt2020nc"})...), says: says("ten-bit")},
	{name: "AV1, MP4", make: plainPattern.encode("film.mp4", "-c:v", "libsvtav1", "-preset", "12")},
	{name: "VP9, MP4", make: plainPattern.encode("film.mp4", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")},
	{name: "MPEG-4 part 2, B-frames", make: plainPattern.encode("film.mp4", "-c:v", "mpeg4", "-q:v", "4", "-bf", "2")},
	{name: "H.263", make: patternOf("352x288").encode("film.mov", "-c:v", "h263", "-r", "25")},
	{name: "Motion JPEG", make: plainPattern.encode("film.mov", "-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj422p")},
	{name: "uncompressed, 10 bits", make: plainPattern.encode("film.mov", "-c:v", "v210", "-pix_fmt", "yuv422p10le"), says: says("ten-bit")},
	{name: "screen recorder, GIF-like palette", make: plainPattern.encode("film.mov", "-c:v", "qtrle", "-pix_fmt", "rgb24")},
	{name: "odd numbers", make: patternOf("321x181").encode("film.mkv", "-pix_fmt", "yuv444p")},
	{name: "480 lines and more: all renditions", make: patternOf("854x480").encode("film.mp4"), check: func(t *testing.T, w *world, a vod.Asset, m vod.Media) {
		if m.Rendition("v540") == nil || m.Rendition("v360") == nil || m.Rendition("v234") == nil {
			t.Error("renditions are missing")
		}
	}},
	{name: "very wide", make: patternOf("2048x64").encode("film.mp4")},
	{name: "very tall", make: patternOf("64x2048").encode("film.mp4"), says: says("portrait")},
	{name: "8192 wide", make: patternOf("8192x64").encode("film.mkv", "-c:v", "ffv1")},
	{name: "1 x 1", make: patternOf("16x16").encode("film.mkv", "-c:v", "ffv1", "-vf", "scale=1:1", "-pix_fmt", "yuv444p")},
	{name: "2 x 2", make: patternOf("2x2").encode("film.mkv", "-c:v", "ffv1", "-pix_fmt", "yuv420p")},
	{name: "too large", make: patternOf("8208x64").encode("film.mkv", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-t", "0.2"), says: says("too-large")},
	{name: "two pictures", make: plainPattern.encode("film.mp4", "-map", "0", "-map", "1", "-map", "0", "-s:v:1", "160x90"), says: says("several-pictures")},
	{name: "cover art", make: plainPattern.encode("film.mp4", "-map", "0", "-map", "1", "-map", "0", "-c:v:1", "mjpeg", "-frames:v:1", "1", "-disposition:v:1", "attached_pic")},
	{name: "Dolby Vision of a telephone", make: sample("dolby-vision.mov"), says: says("hdr-converted", "rotated", "portrait", "very-short", "quiet"), bare: true, length: 0.133},
}

// Two fields of each picture: twice as many pictures go in as come out.
var fielded = plainPattern.with(func(p *pattern) { p.size, p.rate = "360x288", "50" })

// TestOddSounds: sounds of every coding, number, language and length.
func TestOddSounds(t *testing.T) { testOdd(t, oddSounds) }

// twoSounds has the pattern's sound twice, in the languages given.
func twoSounds(file, one, other string, options ...string) maker {
	return plainPattern.encode(file, append([]string{"-map", "0", "-map", "1", "-map", "1", "-metadata:s:a:0", "language=" + one, "-metadata:s:a:1", "language=" + other}, options...)...)
}

// languagesAre checks which languages have a sound.
func languagesAre(want ...string) func(*testing.T, *world, vod.Asset, vod.Media) {
	return func(t *testing.T, w *world, a vod.Asset, m vod.Media) {
		for _, language := range want {
			if m.Rendition(audioName(language)) == nil || m.Rendition(lowAudioName(language)) == nil {
				t.Errorf("no sound in %s", language)
			}
		}
		if n := len(without(soundsOf(m), nil)); n != 2*len(want) {
			t.Errorf("%d sounds, want %v", n, want)
		}
	}
}

func soundsOf(m vod.Media) (names []string) {
	for _, r := range m.Renditions {
		if r.Kind == vod.Audio {
			names = append(names, r.Name)
		}
	}
	return names
}

var oddSounds = []oddRow{
	{name: "mono", make: plainPattern.encode("film.mp4", "-ac", "1"), says: says("mono")},
	{name: "5.1", make: plainPattern.encode("film.mp4", "-ac", "6"), says: says("surround")},
	{name: "5.1, AC-3, 48 kHz", make: plainPattern.encode("film.mkv", "-c:a", "ac3", "-ac", "6"), says: says("surround")},
	{name: "7.1, FLAC, 96 kHz", make: plainPattern.encode("film.mkv", "-c:a", "flac", "-ac", "8", "-ar", "96000"), says: says("surround")},
	{name: "8 kHz", make: plainPattern.encode("film.mp4", "-ar", "8000"), says: says("dull-sound")},
	{name: "44.1 kHz", make: plainPattern.encode("film.mp4", "-ar", "44100")},
	{name: "MP3 in MP4", make: plainPattern.encode("film.mp4", "-c:a", "libmp3lame", "-ac", "2")},
	{name: "Opus in MP4", make: plainPattern.encode("film.mp4", "-c:a", "libopus", "-ac", "2")},
	{name: "FLAC in MP4", make: plainPattern.encode("film.mp4", "-c:a", "flac", "-ac", "2", "-strict", "-2")},
	{name: "AC-3 in MP4", make: plainPattern.encode("film.mp4", "-c:a", "ac3", "-ac", "2")},
	{name: "E-AC-3 in MP4", make: plainPattern.encode("film.mp4", "-c:a", "eac3", "-ac", "2")},
	{name: "ALAC", make: plainPattern.encode("film.mov", "-c:a", "alac", "-ac", "2")},
	{name: "PCM, 24 bits, QuickTime", make: plainPattern.encode("film.mov", "-c:a", "pcm_s24le", "-ac", "2")},
	{name: "PCM, floating point, Matroska", make: plainPattern.encode("film.mkv", "-c:a", "pcm_f32le", "-ac", "2")},
	{name: "Vorbis, Matroska", make: plainPattern.encode("film.mkv", "-c:a", "libvorbis", "-ac", "2")},
	{name: "DTS", make: plainPattern.encode("film.mkv", "-c:a", "dca", "-ac", "2", "-strict", "-2")},
	{name: "A-law of a telephone", make: plainPattern.encode("film.mov", "-c:a", "pcm_alaw", "-ac", "1", "-ar", "8000"), says: says("mono", "dull-sound")},
	{name: "HE-AAC", make: heAAC},
	{name: "xHE-AAC", make: sample("xhe-aac.mp4"), says: says("sound-codec-unsupported")},
	{name: "AC-4", make: sample("ac4.mp4"), says: says("sound-codec-unsupported")},
	{name: "AC-4 beside a picture", make: change(change(plainFilm, swap("mp4a", "ac-4")), swap("esds", "dac4")), says: says("sound-codec-unsupported")},
	{name: "IAMF beside a picture", make: change(change(plainFilm, swap("mp4a", "iamf")), swap("esds", "iacb")), says: says("sound-codec-unsupported")},
	{name: "VVC", make: sample("vvc.mp4"), says: says("picture-codec-unsupported")},
	{name: "French and English", make: twoSounds("film.mp4", "fra", "eng"), check: languagesAre("fr", "en")},
	{name: "English and French, Matroska", make: twoSounds("film.mkv", "eng", "fre"), check: languagesAre("en", "fr")},
	{name: "two without a language", make: twoSounds("film.mp4", "und", "und"), says: says("language-missing", "languages-unknown"), check: languagesAre("und")},
	{name: "two without a language, said by hand", make: twoSounds("film.mp4", "und", "und"), options: AddOptions{Language: "fr,en"}, check: languagesAre("fr", "en")},
	{name: "two of one language", make: twoSounds("film.mp4", "fra", "fra"), says: says("sound-track-ignored"), check: languagesAre("fr")},
	{name: "a language that is none", make: twoSounds("film.mkv", "qqq", "x!y"), says: says("language-missing", "languages-unknown"), check: languagesAre("und")},
	{name: "no sound", make: plainPattern.encode("film.mp4", "-an", "-map", "0"), says: says("no-sound"), bare: true},
	{name: "sound shorter", make: plainPattern.encode("film.mp4", "-af", "atrim=end=2.5"), says: says("sound-shorter"), bare: true},
	{name: "sound longer", make: plainPattern.encode("film.mp4", "-vf", "trim=end=2.52"), says: says("sound-longer"), bare: true},
	{name: "sound late, Matroska", make: plainPattern.encode("film.mkv", "-af", "atrim=start=0.7", "-c:a", "libopus", "-ac", "2"), says: says("sound-late")},
	{name: "sound late, transport stream", make: plainPattern.encode("film.ts", "-af", "atrim=start=0.7"), says: says("sound-late")},
	{name: "sound only, M4A", make: plainPattern.encode("film.m4a", "-map", "1", "-vn"), says: says("no-picture")},
	{name: "sound only, MP3", make: plainPattern.encode("film.mp3", "-map", "1", "-vn", "-c:a", "libmp3lame", "-ac", "2"), says: says("no-picture")},
	{name: "sound only, WAV", make: plainPattern.encode("film.wav", "-map", "1", "-vn", "-c:a", "pcm_s16le", "-ac", "2"), says: says("no-picture")},
	{name: "sound only, FLAC", make: plainPattern.encode("film.flac", "-map", "1", "-vn", "-c:a", "flac", "-ac", "2"), says: says("no-picture")},
	{name: "sound only, Ogg", make: plainPattern.encode("film.opus", "-map", "1", "-vn", "-c:a", "libopus", "-ac", "2"), says: says("no-picture")},
	{name: "MP3 with cover art", make: plainPattern.encode("film.mp3", "-map", "1", "-map", "0", "-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-disposition:v", "attached_pic", "-c:a", "libmp3lame", "-ac", "2"), says: says("no-picture")},
}

// heAAC is AAC at 24 kHz whose header says that its upper half is to be made up
// (object type 5, 48 kHz): no encoder of HE-AAC is free enough for Debian.
var heAAC maker = surgery(plainPattern.encode("film.mp4", "-ar", "24000"), func(moov *atom) {
	moov.tracks()[1].table().child("stsd").replace([]byte{0x05, 0x80, 0x80, 0x80, 0x05, 0x13, 0x10, 0x56, 0xe5, 0x00}, []byte{0x05, 0x80, 0x80, 0x80, 0x05, 0x2b, 0x11, 0x88, 0x00, 0x00})
	setEdits(moov, moov.tracks()[1], edit{4.58, 962.0 / 48000, 0}) // what the decoder of the upper half is later, as an encoder would say
})

// TestOddTracks: what lies in files beside picture and sound, and files that are damaged.
func TestOddTracks(t *testing.T) { testOdd(t, oddTracks) }

var oddTracks = []oddRow{
	{name: "timecode track", make: plainPattern.encode("film.mov", "-timecode", "01:00:00:00")},
	{name: "captions inside, mov_text", make: withText("film.mp4", "mov_text"), check: captionsAre("fr")},
	{name: "captions inside, Matroska, SSA", make: withText("film.mkv", "ass"), check: captionsAre("fr")},
	{name: "captions inside, WebM", make: remux(withText("text.mkv", "webvtt"), "film.mkv", nil), check: captionsAre("fr")},
	{name: "chapters", make: withChapters, check: func(t *testing.T, w *world, a vod.Asset, m vod.Media) {
		if len(m.Chapters) != 2 || m.Chapters[1].Title != "Suite & fin" || m.Chapters[1].Start.Duration().Seconds() != 2 {
			t.Errorf("chapters are %v", m.Chapters)
		}
	}},
	{name: "moov missing", make: change(plainFilm, withoutBox("moov")), says: says("index-missing")},
	{name: "cut before the moov", make: change(plainFilm, cut(0.5)), says: says("index-missing")},
	{name: "cut in the moov", make: change(plainFilm, cut(0.99)), says: says("index-missing")},
	{name: "half a file, moov first", make: change(plainFirst, cut(0.5)), says: says("truncated")},
	{name: "the last percent missing, moov first", make: change(plainFirst, cut(0.995)), says: says("end-missing", "reading-errors"), length: -1, flashes: []float64{1, 2, 3, 4}},
	{name: "half a Matroska file", make: change(plainPattern.encode("film.mkv"), cut(0.5)), says: says("truncated")},
	{name: "half a transport stream", make: change(plainPattern.encode("film.ts"), cut(0.5)), length: -1, flashes: []float64{1, 2}},
	{name: "fragments, stopped", make: change(plainPattern.encode("film.mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-g", "25"), cut(0.97)), says: says("stopped-recording", "reading-errors"), length: -1, flashes: []float64{1, 2, 3, 4}},
	{name: "fragments without moov", make: change(plainPattern.encode("film.mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-g", "25"), withoutBox("moov")), says: says("fragments-without-index")},
	{name: "mdat too long", make: change(plainFirst, longerMedia), says: says("size-field-wrong")},
	{name: "bit rot", make: change(plainFirst, rot), says: says("damaged")},
	{name: "chunk out of range", make: sample("chunk-out-of-range.mp4"), says: says("index-damaged")},
	{name: "cenc, whole", make: plainPattern.encode("film.mp4", "-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"), says: says("encrypted")},
	{name: "empty", make: bytesOf("film.mp4", nil), says: says("empty-file")},
}
