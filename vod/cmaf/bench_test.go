package cmaf

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// benchFilm makes, once for a machine, 30 minutes of 1280x720p30 H.264 and AAC,
// about 377 MB: 64 s of a moving test picture with noise, looped, with a GOP of
// 64 frames, and sound encoded in one go.
func benchFilm(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(os.TempDir(), "reprise-bench")
	path := filepath.Join(dir, "packaging-30min.mp4")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	unit, sound, whole := filepath.Join(dir, "unit.mp4"), filepath.Join(dir, "sound.m4a"), filepath.Join(dir, "whole.mp4")
	ffmpeg(b, "-threads", "0", "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30:d=64,noise=alls=6:allf=t", "-c:v", "libx264",
		"-preset", "ultrafast", "-g", "64", "-keyint_min", "64", "-sc_threshold", "0", "-bf", "2",
		"-b:v", "1540k", "-maxrate", "1700k", "-bufsize", "3400k", "-pix_fmt", "yuv420p", unit)
	ffmpeg(b, "-f", "lavfi", "-i", "anoisesrc=r=48000:a=0.1:d=1801", "-c:a", "aac", "-ac", "2", "-b:a", "128k", sound)
	ffmpeg(b, "-stream_loop", "28", "-t", "1800", "-i", unit, "-i", sound, "-c", "copy", whole)
	for _, p := range []string{unit, sound} {
		if err := os.Remove(p); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.Rename(whole, path); err != nil {
		b.Fatal(err)
	}
	return path
}

// stopwatch collects the times of one way of doing it.
type stopwatch []time.Duration

func (s *stopwatch) time(b *testing.B, f func() error) {
	b.Helper()
	start := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	*s = append(*s, time.Since(start))
}

func (s stopwatch) median() float64 {
	if len(s) == 0 {
		return 0
	}
	all := slices.Sorted(slices.Values(s))
	return all[len(all)/2].Seconds()
}

// repackage writes picture and sound of path to two files in dir.
func repackage(b *testing.B, path, dir string, sync bool) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	m, err := Inspect(in, st.Size())
	if err != nil {
		return err
	}
	var jobs []Job
	var outs []*os.File
	for i, name := range []string{"v.mp4", "a.mp4"} {
		out, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		defer out.Close()
		outs = append(outs, out)
		jobs = append(jobs, Job{Track: i, Plan: Plan{Nominal: 204800, Priming: -1}, W: out})
	}
	indexes, err := PackageAll(b.Context(), m, jobs)
	if err != nil {
		return err
	}
	if n := len(indexes[0].Segments); n != 422 || len(indexes[1].Segments) != n {
		return fmt.Errorf("%d and %d segments", n, len(indexes[1].Segments))
	}
	for _, out := range outs {
		if sync {
			if err := out.Sync(); err != nil {
				return err
			}
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkPackage repackages 30 minutes without re-encoding, alternating with
// cp and, three times, with what ffmpeg does with the sound apart. It reports
// medians: seconds, and ours as a multiple of cp's and of ffmpeg's; the same
// with fsync; and how much the resident memory grows.
func BenchmarkPackage(b *testing.B) {
	path := benchFilm(b)
	dir := b.TempDir()
	run := func(name string, args ...string) func() error {
		return func() error {
			out, err := exec.Command(name, args...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%s: %w: %s", name, err, out)
			}
			return nil
		}
	}
	clear := func() {
		left, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, p := range left {
			os.Remove(p)
		}
	}
	hls := []string{"-hls_time", "4", "-hls_segment_type", "fmp4", "-hls_playlist_type", "vod"}
	rest := slices.Concat([]string{"-nostdin", "-v", "error", "-y", "-i", path, "-map", "0:v", "-c", "copy", "-f", "hls"}, hls,
		[]string{"-hls_fmp4_init_filename", "vi.mp4", filepath.Join(dir, "v.m3u8"), "-map", "0:a", "-c", "copy", "-f", "hls"}, hls,
		[]string{"-hls_fmp4_init_filename", "ai.mp4", filepath.Join(dir, "a.m3u8")})
	copied := filepath.Join(dir, "copy.mp4")
	var cp, ours, other, cpSync, oursSync stopwatch
	run("cat", path)() // warm
	growth := int64(0)
	for b.Loop() {
		cp.time(b, run("cp", path, copied))
		clear()
		before := memory(b, "VmRSS", true)
		ours.time(b, func() error { return repackage(b, path, dir, false) })
		growth = max(growth, memory(b, "VmHWM", false)-before)
		clear()
		if len(other) < 3 {
			other.time(b, run("ffmpeg", rest...))
			clear()
			cpSync.time(b, run("sh", "-c", "cp \"$0\" \"$1\" && sync \"$1\"", path, copied))
			clear()
			oursSync.time(b, func() error { return repackage(b, path, dir, true) })
			clear()
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ours.median(), "s")
	b.ReportMetric(cp.median(), "cp-s")
	b.ReportMetric(ours.median()/cp.median(), "x-cp")
	b.ReportMetric(oursSync.median()/cpSync.median(), "x-cp+fsync")
	b.ReportMetric(ours.median()/other.median(), "x-ffmpeg")
	b.ReportMetric(float64(growth)/(1<<20), "MiB-growth")
}

// memory returns a field of /proc/self/status in bytes, after resetting the
// high-water mark when asked. 0 where there is no /proc.
func memory(t testing.TB, field string, reset bool) int64 {
	t.Helper()
	if reset {
		debug.FreeOSMemory()
		_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	}
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	return 0
}

// BenchmarkRetime makes a slate segment of 300 kB.
func BenchmarkRetime(b *testing.B) {
	video, _ := slate(b)
	list, decode, _, ok := readSegment(nil, video.segment(0))
	if !ok {
		b.Fatal("unreadable")
	}
	for i := range list {
		list[i].size = 300_000 / uint32(len(list))
	}
	data := make([]byte, int(list[0].size)*len(list))
	template := append(appendMoof(nil, 1, decode, list), data...)
	init := video.init()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Retime(nil, init, template, 5, slateNominal, slateNominal); err != nil {
			b.Fatal(err)
		}
	}
}
