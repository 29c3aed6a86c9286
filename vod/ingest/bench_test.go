package ingest

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"reprise/storage"
	"reprise/vod"
)

// Environment of BenchmarkIngest.
const (
	benchSecondsVar = "REPRISE_BENCH_SECONDS" // length of the talk; 60
	benchPresetVar  = "REPRISE_BENCH_PRESET"  // of x264; the one for this machine
	benchFolderVar  = "REPRISE_BENCH_DIR"     // where it works; a temporary folder
)

// BenchmarkIngest makes a 720p talk ready and compares that with one bare run
// of ffmpeg that encodes the same ladder, in the same minutes: the overhead is
// everything else (probing, measuring the sound, watching the picture,
// packaging, poster, thumbnails, waveform). It also tells how long after Take
// there is something to look at, and what this process needs of memory.
//
//	go test -run '^$' -bench BenchmarkIngest -benchtime 1x -timeout 60m ./vod/ingest
func BenchmarkIngest(b *testing.B) {
	seconds := 60
	if n, err := strconv.Atoi(os.Getenv(benchSecondsVar)); err == nil && n > 0 {
		seconds = n
	}
	m := newBench(b, seconds)
	var bare, full spent
	for b.Loop() {
		// Bare, whole, bare: what the machine does besides hits both alike.
		before := m.bare()
		full = m.whole()
		bare = before.mean(m.bare())
	}
	first := m.first()
	m.compare()
	b.ReportMetric(0, "ns/op") // the ratio is what counts
	b.ReportMetric(full.wall.Seconds()/bare.wall.Seconds(), "x-bare-wall")
	b.ReportMetric(full.cpu.Seconds()/bare.cpu.Seconds(), "x-bare-cpu")
	b.ReportMetric(bare.wall.Seconds(), "bare-s")
	b.ReportMetric(full.wall.Seconds(), "whole-s")
	b.ReportMetric(float64(seconds)/full.wall.Seconds(), "x-realtime")
	b.ReportMetric(m.preview.Seconds()*1000, "preview-ms")
	b.ReportMetric(first.Seconds(), "first-s")
	b.ReportMetric(m.memory, "rss-MiB")
}

// spent is what something took: on the wall and of the processors, children and this process together.
type spent struct{ wall, cpu time.Duration }

func (s spent) mean(o spent) spent { return spent{(s.wall + o.wall) / 2, (s.cpu + o.cpu) / 2} }

func measured(f func()) spent {
	cpu := func() (sum time.Duration) {
		for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
			var u syscall.Rusage
			if syscall.Getrusage(who, &u) == nil {
				sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
			}
		}
		return sum
	}
	began, used := time.Now(), cpu()
	f()
	return spent{time.Since(began), cpu() - used}
}

// bench is the world of the benchmark.
type bench struct {
	*Ingester
	b       *testing.B
	dir     string
	film    string
	library *fileLibrary
	store   *storage.Disk
	recipe  *recipe
	media   vod.Media
	preview time.Duration // from Take to Source.Preview
	memory  float64       // MiB, the most while a film was made
}

func newBench(b *testing.B, seconds int) *bench {
	dir := os.Getenv(benchFolderVar)
	if dir == "" {
		dir = b.TempDir()
	}
	store, err := storage.NewDisk(filepath.Join(dir, "objects"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	m := &bench{b: b, dir: dir, library: &fileLibrary{dir: filepath.Join(dir, "library")}, store: store}
	m.Ingester, err = New(Config{Scratch: filepath.Join(dir, "scratch"), Preset: os.Getenv(benchPresetVar)}, Deps{
		Library: m.library, Store: store, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	m.film = filepath.Join(dir, "talk.mp4")
	if _, err := os.Stat(m.film); err != nil {
		m.makeTalk(seconds)
	}
	return m
}

// makeTalk makes a talk as people record it: slides, each held for twenty
// seconds, a speaker in a corner who moves before a noisy camera, a voice.
func (m *bench) makeTalk(seconds int) {
	length := strconv.Itoa(seconds)
	args := []string{"-nostdin", "-v", "error", "-y",
		"-f", "lavfi", "-i", "testsrc2=s=1280x720:r=1/20:d=" + length, "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=" + length,
		"-f", "lavfi", "-i", "anoisesrc=c=pink:a=0.2:r=48000:seed=1:d=" + length,
		"-filter_complex", "[0:v]fps=25[slides];[1:v]noise=alls=12:allf=t[camera];[slides][camera]overlay=940:520,format=yuv420p[v];[2:a]tremolo=f=4:d=0.9,pan=stereo|c0=c0|c1=c0[a]",
		"-map", "[v]", "-map", "[a]", "-t", length, "-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac", "-b:a", "128k", "-metadata:s:a:0", "language=fra", m.film}
	if out, err := exec.CommandContext(m.b.Context(), "ffmpeg", args...).CombinedOutput(); err != nil {
		m.b.Fatalf("make talk: %v\n%s", err, out)
	}
}

func (m *bench) must(err error) {
	m.b.Helper()
	if err != nil {
		m.b.Fatal(err)
	}
}

// bare runs ffmpeg once over the film, with the ladder's own arguments and nothing else.
func (m *bench) bare() spent {
	ctx := m.b.Context()
	in, err := openCopy(m.film)
	m.must(err)
	defer in.Close()
	p, err := m.probe(ctx, in)
	m.must(err)
	sounds := chooseSounds(p, vod.Source{})
	if m.recipe == nil {
		treatments, _, err := m.treatSounds(ctx, in, sounds, func(float64) {})
		m.must(err)
		m.recipe = newRecipe(p, sounds, treatments)
	}
	dir := filepath.Join(m.dir, "bare")
	m.must(os.MkdirAll(dir, 0o700))
	args := m.transcodeArgs(job{probe: p, recipe: m.recipe, dir: dir, rungs: m.recipe.Rungs, sounds: []int{0}})
	return measured(func() {
		m.must(m.run(ctx, child{path: m.cfg.FFmpeg, args: args, files: []*os.File{in.file}, dir: dir}))
	})
}

// newAsset uploads and takes the film.
func (m *bench) newAsset() vod.Asset {
	ctx := m.b.Context()
	u := vod.Upload{ID: vod.UploadID(storage.RandomName()), State: vod.UploadComplete, Event: storage.RandomName(), Name: "talk.mp4", Created: time.Now()}
	u.Object = "uploads/" + string(u.ID) + "/film"
	file, err := os.Open(m.film)
	m.must(err)
	defer file.Close()
	_, err = m.store.Put(ctx, storage.Key(u.Object), file)
	m.must(err)
	rows := fileUploads{files: m.library}
	m.must(rows.CreateUpload(ctx, u))
	var taken Taken
	took := measured(func() {
		taken, err = m.Take(ctx, rows, u.ID)
		m.must(err)
		m.must(m.Preview(ctx, taken.Asset.ID))
	})
	a, err := m.library.Asset(ctx, taken.Asset.ID)
	m.must(err)
	if a.Source.Preview == "" {
		m.b.Fatal("no preview")
	}
	m.preview = took.wall
	return a
}

// whole makes the film ready.
func (m *bench) whole() spent {
	a := m.newAsset()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the high-water mark begins anew
	took := measured(func() { m.must(m.Process(m.b.Context(), a.ID, nil)) })
	m.memory = max(m.memory, highWater())
	a, err := m.library.Asset(m.b.Context(), a.ID)
	m.must(err)
	m.media, err = m.library.Media(m.b.Context(), a.Media)
	m.must(err)
	return took
}

// highWater is the most memory that this process had, in MiB.
func highWater() float64 {
	data, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return number(strings.TrimSuffix(strings.TrimSpace(rest), " kB")) / 1024
		}
	}
	return 0
}

// first is how long it takes from Take to the first rendition of a film that is on air at once.
func (m *bench) first() time.Duration {
	began := time.Now()
	a := m.newAsset()
	m.airs = func(context.Context, vod.AssetID) (time.Time, error) { return began, nil }
	ctx, cancel := context.WithCancel(m.b.Context())
	defer cancel()
	var took time.Duration
	err := m.Process(ctx, a.ID, func(s Step) {
		if s.Progress.Stage == stageEncoding && took == 0 {
			took = time.Since(began)
			cancel()
		}
	})
	b, fault := m.library.Asset(m.b.Context(), a.ID)
	m.must(fault)
	if err == nil || b.First == "" {
		m.b.Fatalf("first rendition %q, %v", b.First, err)
	}
	return took
}

// compare checks that the pictures of the library are those of the bare run, to the bit.
func (m *bench) compare() {
	for _, name := range m.recipe.Rungs {
		at := slices.IndexFunc(m.media.Renditions, func(r vod.Rendition) bool { return r.Name == name })
		if at < 0 {
			m.b.Fatalf("no rendition %s", name)
		}
		file, err := m.store.File(storage.Key(m.media.Renditions[at].Object))
		m.must(err)
		made, bare := m.hash(file.Name()), m.hash(outputFile(filepath.Join(m.dir, "bare"), name))
		m.must(file.Close())
		if made != bare {
			m.b.Errorf("%s: pictures are not those of the bare run: %s, %s", name, made, bare)
		}
	}
}

func (m *bench) hash(path string) string {
	out, err := exec.CommandContext(m.b.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", "0:v", "-f", "md5", "-").Output()
	m.must(err)
	return strings.TrimSpace(string(out))
}
