package cmaf

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ffmpeg runs ffmpeg and fails the test on any message or a bad exit.
func ffmpeg(t testing.TB, args ...string) {
	t.Helper()
	cmd := exec.Command("ffmpeg", append([]string{"-nostdin", "-v", "error", "-y", "-threads", "1"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// film says what make encodes: a test picture and a tone.
type film struct {
	rate     int
	frames   int
	gop      int
	bframes  int
	audio    string // encoder arguments, "" for aac stereo 48 kHz; "none"
	muxer    []string
	name     string
	overhang float64 // seconds of sound more than picture
}

func (f film) make(t testing.TB) string {
	t.Helper()
	name := f.name
	if name == "" {
		name = "film.mp4"
	}
	path := filepath.Join(t.TempDir(), name)
	length := float64(f.frames) / float64(f.rate)
	args := []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=128x72:r=%d:d=%g", f.rate, length)}
	if f.audio != "none" {
		args = append(args, "-f", "lavfi", "-i", fmt.Sprintf("sine=f=440:r=48000:d=%g", length+f.overhang))
	}
	args = append(args, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
		"-g", fmt.Sprint(f.gop), "-keyint_min", fmt.Sprint(f.gop), "-sc_threshold", "0", "-bf", fmt.Sprint(f.bframes),
		"-b_strategy", "0")
	if f.audio == "" {
		args = append(args, "-c:a", "aac", "-ac", "2", "-b:a", "64k")
	} else if f.audio != "none" {
		args = append(args, strings.Fields(f.audio)...)
	}
	args = append(args, f.muxer...)
	ffmpeg(t, append(args, path)...)
	return path
}

// inspect opens and inspects a file; it is closed when the test ends.
func inspect(t testing.TB, path string) *Movie {
	t.Helper()
	m, err := inspectFile(t, path)
	if err != nil {
		t.Fatalf("Inspect(%s): %v", filepath.Base(path), err)
	}
	return m
}

func inspectFile(t testing.TB, path string) (*Movie, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return Inspect(f, st.Size())
}

func (m *Movie) trackOf(t testing.TB, kind Kind) int {
	t.Helper()
	for i, track := range m.Tracks {
		if track.Kind == kind {
			return i
		}
	}
	t.Fatalf("no %s track", kind)
	return -1
}

// packed is a packaged track in memory.
type packed struct {
	*Index
	object []byte
}

func (p packed) init() []byte { return p.object[:p.InitSize] }

func (p packed) segment(i int) []byte {
	s := p.Segments[i]
	return p.object[s.Offset : s.Offset+s.Size]
}

// pack packages the first video and the first audio track in one pass.
func pack(t testing.TB, m *Movie, plan Plan) (video, audio packed) {
	t.Helper()
	var v, a bytes.Buffer
	plan.Priming = -1
	indexes, err := PackageAll(t.Context(), m, []Job{
		{Track: m.trackOf(t, Video), Plan: plan, W: &v},
		{Track: m.trackOf(t, Audio), Plan: plan, W: &a},
	})
	if err != nil {
		t.Fatalf("PackageAll: %v", err)
	}
	return packed{indexes[0], v.Bytes()}, packed{indexes[1], a.Bytes()}
}

// clean fails the test for each error.
func clean(t testing.TB, errs []error) {
	t.Helper()
	for _, err := range errs {
		t.Error(err)
	}
}

// decode decodes bytes with ffmpeg and returns its messages and the number of
// frames.
func decode(t testing.TB, p []byte) (messages string, frames int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.mp4")
	if err := os.WriteFile(path, p, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-i", path, "-fps_mode", "passthrough", "-f", "framecrc", "-")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		errs.WriteString(err.Error())
	}
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "#") {
			frames++
		}
	}
	return errs.String(), frames
}
