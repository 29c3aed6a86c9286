package ingest

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"reprise/vod"
)

// kind is one kind of file and what must be said of it (HLS rules, 4.1).
type kind struct {
	name  string
	make  func(t *testing.T, dir string) string
	says  []string // codes that must be among the findings
	not   []string // codes that must not
	plain bool     // no finding at all
}

// Pieces of command lines. Speech is noise in syllables: it has a level like a voice.
const (
	picture = "testsrc2=s=640x480:r=25:d=1"
	voice   = "anoisesrc=d=1:c=pink:a=0.4:r=48000:seed=1"
	stereo  = "[1:a]pan=stereo|c0=c0|c1=c0,volume=-3dB[a]"
)

// ff makes a film of the two sources; more is put before the output.
func ff(file, video, audio string, more ...string) func(*testing.T, string) string {
	return func(t *testing.T, dir string) string {
		args := []string{"-f", "lavfi", "-i", video}
		if audio != "" {
			args = append(args, "-f", "lavfi", "-i", audio)
		}
		args = append(args, "-preset", "ultrafast", "-metadata:s:a:0", "language=fra")
		return makeFilm(t, filepath.Join(dir, file), append(args, more...)...)
	}
}

// then changes the bytes of a film.
func then(file func(*testing.T, string) string, change func([]byte) []byte) func(*testing.T, string) string {
	return func(t *testing.T, dir string) string {
		path := file(t, dir)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(data), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

// bytesOf is a file of given bytes.
func bytesOf(name string, data []byte) func(*testing.T, string) string {
	return func(t *testing.T, dir string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

func sample(name string) func(*testing.T, string) string {
	return func(*testing.T, string) string { return filepath.Join("testdata", name) }
}

func cut(share float64) func([]byte) []byte {
	return func(b []byte) []byte { return b[:int(float64(len(b))*share)] }
}

func swap(old, new string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(old), []byte(new)) }
}

// withoutBox removes a box of the top level.
func withoutBox(name string) func([]byte) []byte {
	return func(b []byte) []byte {
		var out []byte
		for len(b) >= 8 {
			n := min(int(binary.BigEndian.Uint32(b)), len(b))
			if string(b[4:8]) != name {
				out = append(out, b[:n]...)
			}
			b = b[n:]
		}
		return out
	}
}

// rot spoils bytes of the media all over the second half.
func rot(b []byte) []byte {
	for i := len(b) / 2; i < len(b)-2000; i += 97 {
		b[i] ^= 0x5a
	}
	return b
}

var (
	good       = ff("good.mp4", picture, voice, "-filter_complex", stereo, "-map", "0:v", "-map", "[a]", "-shortest")
	goodFast   = ff("fast.mp4", picture, voice, "-filter_complex", stereo, "-map", "0:v", "-map", "[a]", "-movflags", "+faststart")
	fragmented = ff("fragmented.mp4", picture, voice, "-filter_complex", stereo, "-map", "0:v", "-map", "[a]", "-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-g", "10")
	longFast   = ff("long.mp4", "testsrc2=s=320x180:r=25:d=8", "anoisesrc=d=8:c=pink:a=0.3", "-movflags", "+faststart")
)

var refusedKinds = []kind{
	{name: "empty file", make: bytesOf("film.mp4", nil), says: []string{"empty-file"}},
	{name: "text named mp4", make: bytesOf("film.mp4", []byte("Bonjour à tous,\nceci n'est pas un film.\n")), says: []string{"not-film-text"}},
	{name: "playlist named mp4", make: bytesOf("film.mp4", []byte("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")), says: []string{"not-film-text"}},
	{name: "concat script named mp4", make: bytesOf("film.mp4", []byte("ffconcat version 1.0\nfile /etc/passwd\n")), says: []string{"not-film-text"}},
	{name: "noise", make: bytesOf("film.mp4", bytes.Repeat([]byte{0, 1, 2, 250, 7, 99}, 5000)), says: []string{"not-media"}},
	{name: "presentation", make: bytesOf("talk.pptx", append([]byte("PK\x03\x04\x14\x00\x06\x00"), make([]byte, 2000)...)), says: []string{"not-film-document"}},
	{name: "pdf named mp4", make: bytesOf("talk.mp4", []byte("%PDF-1.4\n1 0 obj <</Type/Catalog>> endobj\n")), says: []string{"not-film-document"}},
	{name: "png named mp4", make: then(ff("film.png", picture, "", "-frames:v", "1"), cut(1)), says: []string{"not-film-image"}},
	{name: "jpeg", make: ff("film.jpg", picture, "", "-frames:v", "1"), says: []string{"not-film-image"}},
	{name: "gif", make: ff("film.gif", "testsrc2=s=64x64:r=5:d=1", ""), says: []string{"not-film-image"}},
	{name: "huge header size", make: bytesOf("film.mp4", append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom\x7f\xff\xff\xffmoov"), make([]byte, 4096)...)), says: []string{"index-missing"}},
	{name: "moov missing", make: then(good, withoutBox("moov")), says: []string{"index-missing"}},
	{name: "cut before the moov", make: then(good, cut(0.5)), says: []string{"index-missing"}},
	{name: "fragments without moov", make: then(fragmented, withoutBox("moov")), says: []string{"fragments-without-index"}},
	{name: "half a file, moov first", make: then(longFast, cut(0.5)), says: []string{"truncated"}},
	{name: "half a matroska", make: then(ff("film.mkv", "testsrc2=s=320x180:r=25:d=8", voice, "-c:v", "libx264"), cut(0.5)), says: []string{"truncated"}},
	{name: "bit rot", make: then(longFast, rot), says: []string{"damaged"}},
	{name: "cenc encrypted", make: ff("film.mp4", picture, voice, "-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"), says: []string{"encrypted"}},
	{name: "AC-4 beside a picture", make: then(then(good, swap("mp4a", "ac-4")), swap("esds", "dac4")), says: []string{"sound-codec-unsupported"}, not: []string{"no-picture"}},
	{name: "IAMF beside a picture", make: then(then(good, swap("mp4a", "iamf")), swap("esds", "iacb")), says: []string{"sound-codec-unsupported"}},
	{name: "AC-4", make: sample("ac4.mp4"), says: []string{"sound-codec-unsupported"}},
	{name: "xHE-AAC", make: sample("xhe-aac.mp4"), says: []string{"sound-codec-unsupported"}},
	{name: "VVC", make: sample("vvc.mp4"), says: []string{"picture-codec-unsupported"}},
	{name: "chunk out of range", make: sample("chunk-out-of-range.mp4"), says: []string{"index-damaged"}},
	{name: "fuzzed", make: sample("fuzzed.mp4"), says: []string{"truncated"}},
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, k := range refusedKinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			a := w.ingest(k.make(t, t.TempDir()), AddOptions{})
			if a.State != vod.Failed || a.Verdict != vod.VerdictRefused || a.Media != "" {
				t.Fatalf("state %s, verdict %q, media %q, findings %v", a.State, a.Verdict, a.Media, codes(a.Findings))
			}
			k.check(t, a.Findings)
			for _, object := range w.objects() {
				if strings.HasPrefix(object, mediaPrefix) {
					t.Errorf("object %s is left of a refused source", object)
				}
			}
			if entries, err := os.ReadDir(w.cfg.Scratch); err != nil || len(entries) > 0 {
				t.Errorf("scratch is not empty: %v %v", entries, err)
			}
		})
	}
}

func (k kind) check(t *testing.T, findings []vod.Finding) {
	t.Helper()
	got := codes(findings)
	for _, code := range k.says {
		if !slices.Contains(got, code) {
			t.Errorf("findings are %v, want %s", got, code)
		}
	}
	for _, code := range k.not {
		if slices.Contains(got, code) {
			t.Errorf("findings are %v, %s is not wanted", got, code)
		}
	}
	if k.plain && len(got) > 0 {
		t.Errorf("findings are %v, want none", got)
	}
	for _, f := range findings {
		if strings.Contains(f.FR+f.EN, "%!") || f.FR == "" || f.EN == "" {
			t.Errorf("%s is badly worded: %q / %q", f.Code, f.FR, f.EN)
		}
	}
}

// tracks maps the picture, and the sound once for each language.
func tracks(channels string, languages ...string) []string {
	args := []string{"-map", "0:v"}
	for i, language := range languages {
		args = append(args, "-map", "1:a", "-metadata:s:a:"+string(rune('0'+i)), "language="+language)
	}
	return append(args, "-ac", channels, "-af", "volume=-3dB")
}

var usedKinds = []kind{
	{name: "a good film", make: good, plain: true},
	{name: "moov first", make: goodFast, plain: true},
	{name: "fragmented", make: fragmented, plain: true},
	{name: "fragmented, stopped", make: then(fragmented, cut(0.97)), says: []string{"stopped-recording"}},
	{name: "matroska", make: ff("film.mkv", picture, voice, append(tracks("2", "fra"), "-c:v", "libx264", "-c:a", "libopus")...), plain: true},
	{name: "webm", make: ff("film.webm", "testsrc2=s=640x480:r=30:d=1", voice, append(tracks("2", "eng"), "-c:v", "libvpx", "-cpu-used", "8", "-deadline", "realtime")...), plain: true},
	{name: "quicktime, PCM, ProRes", make: ff("film.mov", picture, voice, append(tracks("2", "fra"), "-c:v", "prores", "-c:a", "pcm_s16le")...), says: []string{"ten-bit"}, not: []string{"variable-frame-rate"}},
	{name: "avi, mpeg4, mp3", make: ff("film.avi", picture, voice, append(tracks("2", "fra"), "-c:v", "mpeg4", "-c:a", "libmp3lame")...)},
	{name: "transport stream, AC-3", make: ff("film.ts", picture, voice, append(tracks("2", "fra"), "-c:v", "libx264", "-c:a", "ac3")...), plain: true},
	{name: "flash video", make: ff("film.flv", picture, voice, append(tracks("2", "fra"), "-c:v", "flv", "-ar", "44100")...)},
	{name: "HEVC", make: ff("film.mp4", picture, voice, append(tracks("2", "fra"), "-c:v", "libx265", "-x265-params", "log-level=error")...), plain: true},
	{name: "10 bit", make: ff("film.mp4", picture, voice, append(tracks("2", "fra"), "-c:v", "libx264", "-pix_fmt", "yuv420p10le")...), says: []string{"ten-bit"}},
	{name: "4:4:4, full range", make: ff("film.mp4", picture, voice, append(tracks("2", "fra"), "-c:v", "libx264", "-pix_fmt", "yuvj444p")...), plain: true},
	{name: "HDR, HLG", make: ff("film.mp4", picture, voice, append(tracks("2", "fra"), "-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc")...), says: []string{"hdr-converted"}},
	{name: "HDR, PQ", make: ff("film.mkv", picture, voice, append(tracks("2", "fra"), "-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc")...), says: []string{"hdr-converted"}},
	{name: "Dolby Vision of a phone", make: sample("dolby-vision.mov"), says: []string{"hdr-converted", "rotated", "portrait", "very-short"}},
	{name: "turned, one picture", make: sample("rotation90.mp4"), says: []string{"rotated", "no-sound", "very-short", "low-resolution"}},
	{name: "anamorphic, one picture", make: sample("sar-16-9.mp4"), says: []string{"anamorphic", "no-sound"}},
	{name: "interlaced", make: ff("film.mp4", "testsrc2=s=720x576:r=50:d=1", voice, append(tracks("2", "fra"), "-vf", "tinterlace=interleave_top", "-c:v", "libx264", "-flags", "+ilme+ildct", "-x264opts", "tff=1")...), says: []string{"interlaced"}, not: []string{"variable-frame-rate"}},
	{name: "portrait, odd size", make: ff("film.mkv", "testsrc2=s=481x853:r=25:d=1", voice, append(tracks("2", "fra"), "-c:v", "libx264", "-pix_fmt", "yuv444p")...), says: []string{"portrait"}},
	{name: "variable rate", make: ff("film.mp4", "testsrc2=s=640x480:r=30:d=2", voice, append(tracks("2", "fra"), "-vf", "select='lt(mod(n,10),4)+not(mod(n,3))'", "-fps_mode", "vfr")...), says: []string{"variable-frame-rate"}},
	{name: "1 frame a second", make: ff("film.mp4", "testsrc2=s=640x480:r=1:d=3", "anoisesrc=d=3:c=pink:a=0.4", tracks("2", "fra")...), says: []string{"frame-rate-converted"}},
	{name: "120 frames a second", make: ff("film.mp4", "testsrc2=s=640x480:r=120:d=1", voice, tracks("2", "fra")...), says: []string{"frame-rate-converted"}},
	{name: "24 frames a second", make: ff("film.mp4", "testsrc2=s=640x480:r=24000/1001:d=1", voice, tracks("2", "fra")...), not: []string{"variable-frame-rate", "frame-rate-converted"}},
	{name: "a fifth of a second", make: ff("film.mp4", "testsrc2=s=640x480:r=25:d=0.2", "anoisesrc=d=0.2:c=pink:a=0.4", tracks("2", "fra")...), says: []string{"very-short"}},
	{name: "sound only, mp3", make: ff("film.mp3", picture, voice, "-map", "1:a"), says: []string{"no-picture"}},
	{name: "sound only, m4a", make: ff("film.m4a", picture, voice, "-map", "1:a"), says: []string{"no-picture"}},
	{name: "sound only, wav", make: ff("film.wav", picture, voice, "-map", "1:a"), says: []string{"no-picture"}},
	{name: "mp3 with cover art", make: ff("film.mp3", picture, voice, "-map", "1:a", "-map", "0:v", "-frames:v", "1", "-c:v", "mjpeg", "-disposition:v", "attached_pic", "-id3v2_version", "3"), says: []string{"no-picture"}},
	{name: "Opus only", make: sample("opus-only.mp4"), says: []string{"no-picture"}},
	{name: "no sound", make: ff("film.mp4", picture, ""), says: []string{"no-sound"}},
	{name: "silence", make: ff("film.mp4", picture, "anullsrc=r=44100:cl=stereo:d=1"), says: []string{"silent"}},
	{name: "mono, 8 kHz", make: ff("film.mp4", picture, voice, append(tracks("1", "fra"), "-ar", "8000")...), says: []string{"mono", "dull-sound"}},
	{name: "96 kHz, 5.1", make: ff("film.mkv", picture, voice, append(tracks("6", "fra"), "-ar", "96000", "-c:a", "flac", "-c:v", "libx264")...), says: []string{"surround"}},
	{name: "44.1 kHz", make: ff("film.mp4", picture, voice, append(tracks("2", "fra"), "-ar", "44100")...), plain: true},
	{name: "one side only", make: ff("film.mp4", picture, voice, "-filter_complex", "[1:a]pan=stereo|c0=c0|c1=0*c0[a]", "-map", "0:v", "-map", "[a]"), says: []string{"one-sided"}},
	{name: "quiet", make: ff("film.mp4", picture, "anoisesrc=d=1:c=pink:a=0.05", "-ac", "2"), says: []string{"quiet"}},
	{name: "very quiet", make: ff("film.mp4", picture, "anoisesrc=d=1:c=pink:a=0.01", "-ac", "2"), says: []string{"very-quiet"}},
	{name: "two languages", make: ff("film.mp4", picture, voice, tracks("2", "fra", "eng")...), plain: true},
	{name: "two sounds without language", make: ff("film.mp4", picture, voice, tracks("2", "und", "und")...), says: []string{"language-missing", "languages-unknown"}},
	{name: "same language twice", make: ff("film.mp4", picture, voice, tracks("2", "fra", "fra")...), says: []string{"sound-track-ignored"}},
	{name: "sound late", make: ff("film.mkv", picture, "anoisesrc=d=0.6:c=pink:a=0.4", append(tracks("2", "fra"), "-af", "asetpts=PTS+0.5/TB", "-c:v", "libx264")...), says: []string{"sound-late"}},
	{name: "sound longer", make: ff("film.mp4", picture, "anoisesrc=d=3:c=pink:a=0.4", tracks("2", "fra")...), says: []string{"sound-longer"}},
	{name: "sound shorter", make: ff("film.mp4", "testsrc2=s=640x480:r=25:d=3", voice, tracks("2", "fra")...), says: []string{"sound-shorter"}},
	{name: "small picture", make: ff("film.mp4", "testsrc2=s=320x180:r=25:d=1", voice, tracks("2", "fra")...), says: []string{"low-resolution"}},
	{name: "cover art and timecode", make: ff("film.mov", picture, voice, append(tracks("2", "fra"), "-map", "0:v", "-c:v:1", "mjpeg", "-frames:v:1", "1", "-disposition:v:1", "attached_pic", "-timecode", "01:00:00:00")...), not: []string{"no-picture"}},
	{name: "edit list in mid-group", make: func(t *testing.T, dir string) string {
		return makeFilm(t, filepath.Join(dir, "trim.mp4"), "-ss", "1.3", "-i", ff("whole.mp4", "testsrc2=s=640x480:r=25:d=3", "anoisesrc=d=3:c=pink:a=0.4", append(tracks("2", "fra"), "-g", "50")...)(t, dir), "-c", "copy")
	}, not: []string{"sound-late", "variable-frame-rate"}},
	{name: "raw stream without times", make: ff("film.h264", picture, "", "-c:v", "libx264"), says: []string{"no-sound"}, not: []string{"very-short"}},
	{name: "size changes in mid-film", make: func(t *testing.T, dir string) string {
		vp8 := []string{"-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"}
		ff("1.webm", picture, "", vp8...)(t, dir)
		ff("2.webm", "testsrc2=s=480x640:r=25:d=1", "", vp8...)(t, dir)
		list := bytesOf("list.txt", []byte("file 1.webm\nfile 2.webm\n"))(t, dir)
		return makeFilm(t, filepath.Join(dir, "film.webm"), "-f", "concat", "-i", list, "-c", "copy")
	}, says: []string{"no-sound"}, not: []string{"very-short"}},
	{name: "one byte wrong", make: then(longFast, func(b []byte) []byte { b[len(b)/2] ^= 0xff; return b }), not: []string{"damaged"}},
	{name: "end of mdat missing", make: then(goodFast, cut(0.999)), not: []string{"truncated"}},
	{name: "mdat too long", make: then(goodFast, longerMedia), says: []string{"size-field-wrong"}},
}

// longerMedia makes the last box claim a thousand bytes more than there are.
func longerMedia(b []byte) []byte {
	at := bytes.Index(b, []byte("mdat")) - 4
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at+1000))
	return b
}

func TestUsed(t *testing.T) {
	t.Parallel()
	for _, k := range usedKinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			a := w.ingest(k.make(t, t.TempDir()), AddOptions{})
			m := w.media(a)
			k.check(t, a.Findings)
			if want := verdictOf(a.Findings); a.Verdict != want || want == vod.VerdictRefused {
				t.Errorf("verdict %s with findings %v", a.Verdict, codes(a.Findings))
			}
			w.checkMedia(m)
		})
	}
}

func TestCatalogueIsWordedInBothLanguages(t *testing.T) {
	t.Parallel()
	for code, w := range catalogue {
		if code != strings.ToLower(code) || strings.ContainsAny(code, " _") {
			t.Errorf("code %q is not kebab-case", code)
		}
		if w.fr == "" || w.en == "" || !utf8.ValidString(w.fr) {
			t.Errorf("%s lacks words", code)
		}
		if strings.Contains(w.fr, "'") || strings.Contains(w.en, "'") {
			t.Errorf("%s has a typewriter apostrophe", code)
		}
		for _, mark := range []string{" ;", " !", " ?", " :", "« ", " »"} {
			if strings.Contains(w.fr, mark) {
				t.Errorf("%s: a breaking space in %q", code, w.fr)
			}
		}
		for _, verb := range []string{"%[1]", "%[2]", "%[3]"} {
			if strings.Contains(w.fr, verb) != strings.Contains(w.en, verb) {
				t.Errorf("%s: the languages do not say the same numbers", code)
			}
		}
	}
}
