package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"reprise/storage"
	"reprise/vod"
)

// Config says where work is done and how much it may cost. The zero value of
// each field means its default.
type Config struct {
	Scratch string // folder for unfinished work, on the same disk as nothing in particular; made when absent; required

	FFmpeg  string // path or name; "ffmpeg"
	FFprobe string // path or name; "ffprobe"

	Preset  string // x264 preset; empty or "auto": "veryfast" up to 4 cores, "fast" up to 8, else "medium"
	Threads int    // decoder threads; the number of cores

	ProbeTimeout  time.Duration // for one look at a file; 2 minutes
	EncodeTimeout time.Duration // least time a transcode may take; 10 minutes, to which 30 times the film's length is added
	MemoryLimit   int64         // bytes of address space of a child; 12 GiB; negative: none

	MaxDuration     time.Duration // longer films are refused; 12 hours
	MaxDecodeErrors int           // more lines of decoder complaints and the film is refused; 12
	SweepAge        time.Duration // what nothing names is removed when it is older; 1 hour; negative: at once

	Node           string        // name of this machine, shown with the work it does
	CaptionCommand []string      // makes captions of a sound: {audio} (WAV, 16 kHz, mono), {language} and {output} (WebVTT) are filled in; empty: none
	CaptionTimeout time.Duration // most that CaptionCommand may take; 6 hours
}

// Deps are the things an Ingester works with.
type Deps struct {
	Library vod.Library
	Store   storage.Store
	Log     *slog.Logger
	Now     func() time.Time

	// Uploads are asked by Sweep, which leaves the bytes of uploads alone; nil: there are none.
	Uploads vod.Uploads
	// InUse lists media that are named outside the library: in journals. Sweep
	// keeps their objects when the history of the asset has forgotten them. nil:
	// all media ever made may be in use.
	InUse func(context.Context) ([]vod.MediaID, error)
	// Airs tells when an asset is first on air from now on; zero: nobody knows of
	// a time. A film whose hour comes before its ladder can be ready gets a first
	// rendition. nil: no film is in a hurry.
	Airs func(context.Context, vod.AssetID) (time.Time, error)
}

// Ingester turns sources into media. Safe for concurrent use.
type Ingester struct {
	cfg     Config
	library vod.Library
	store   storage.Store
	log     *slog.Logger
	now     func() time.Time
	uploads vod.Uploads
	inUse   func(context.Context) ([]vod.MediaID, error)
	airs    func(context.Context, vod.AssetID) (time.Time, error)
	confine confinement                     // of ffmpeg and ffprobe
	prlimit string                          // path of prlimit(1), empty when there is none
	space   func(dir string) (int64, error) // bytes free on a folder's disk

	mu     sync.Mutex
	active map[vod.MediaID]int  // media being made in this process: Sweep leaves them alone
	assets map[vod.AssetID]bool // assets being processed in this process
	pace   pace                 // of encoding
}

var (
	// ErrNotFile is returned by Add for what is not a readable regular file.
	ErrNotFile = errors.New("ingest: not a regular file")
	// ErrBusy is returned by Process while the same asset is being processed by this process.
	ErrBusy = errors.New("ingest: asset is being processed")
	// ErrNoSpace is in the chain when the scratch folder's disk has no room for
	// the work. Other films may fit, and this one later.
	ErrNoSpace = errors.New("ingest: no room on this machine's disk")
	// ErrNotReady is returned for an asset that has no media of its latest film.
	ErrNotReady = errors.New("ingest: the latest film is not ready")
	// ErrTimeout is in the chain when a child ran out of time.
	ErrTimeout = errors.New("ingest: out of time")
)

// errMachine is in the chain when ffmpeg failed for a reason that lies in this machine: its disk, its build.
var errMachine = errors.New("ffmpeg cannot work here")

const gibibyte = 1 << 30

// New checks cfg, makes the scratch folder and returns an Ingester.
func New(cfg Config, deps Deps) (*Ingester, error) {
	if deps.Library == nil || deps.Store == nil || deps.Log == nil || deps.Now == nil {
		return nil, errors.New("ingest: library, store, log and clock are required")
	}
	if cfg.Scratch == "" {
		return nil, errors.New("ingest: scratch folder is required")
	}
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Scratch, 0o700); err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	g := &Ingester{
		cfg: cfg, library: deps.Library, store: deps.Store, log: deps.Log, now: deps.Now,
		uploads: deps.Uploads, inUse: deps.InUse, airs: deps.Airs, space: freeSpace,
		active: map[vod.MediaID]int{}, assets: map[vod.AssetID]bool{}, pace: presetPace(cfg.Preset, runtime.NumCPU()),
	}
	confined := false
	if g.confine, confined = tryConfinement(); !confined {
		g.log.Info("this system makes no network namespaces: ffmpeg is kept off the network by its own options alone")
	}
	if path, err := exec.LookPath("prlimit"); err == nil {
		g.prlimit = path
	} else if cfg.MemoryLimit > 0 {
		g.log.Warn("prlimit is missing: ffmpeg runs without a memory limit")
	}
	return g, nil
}

func (c *Config) fill() error {
	var err error
	if c.Scratch, err = filepath.Abs(c.Scratch); err != nil {
		return fmt.Errorf("scratch folder: %w", err)
	}
	for _, tool := range []struct {
		path *string
		name string
	}{{&c.FFmpeg, "ffmpeg"}, {&c.FFprobe, "ffprobe"}} {
		if *tool.path == "" {
			*tool.path = tool.name
		}
		if *tool.path, err = exec.LookPath(*tool.path); err != nil {
			return fmt.Errorf("find %s: %w", tool.name, err)
		}
	}
	if c.Threads <= 0 {
		c.Threads = runtime.NumCPU()
	}
	if c.Preset == "" || c.Preset == "auto" {
		c.Preset = defaultPreset(runtime.NumCPU())
	}
	if !presets[c.Preset] {
		return fmt.Errorf("ingest: unknown preset %q", c.Preset)
	}
	set(&c.ProbeTimeout, 2*time.Minute)
	set(&c.EncodeTimeout, 10*time.Minute)
	set(&c.MemoryLimit, 12*gibibyte)
	set(&c.MaxDuration, 12*time.Hour)
	set(&c.MaxDecodeErrors, 12)
	set(&c.SweepAge, time.Hour)
	set(&c.CaptionTimeout, 6*time.Hour)
	return nil
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

var presets = map[string]bool{
	"ultrafast": true, "superfast": true, "veryfast": true, "faster": true, "fast": true,
	"medium": true, "slow": true, "slower": true, "veryslow": true,
}

// defaultPreset keeps a ladder faster than real time: veryfast costs a third of medium at equal SSIM on slides.
func defaultPreset(cores int) string {
	switch {
	case cores <= 4:
		return "veryfast"
	case cores <= 8:
		return "fast"
	}
	return "medium"
}

// hold marks media as being made here until release is called.
func (g *Ingester) hold(id vod.MediaID) (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active[id]++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.active[id]--; g.active[id] <= 0 {
			delete(g.active, id)
		}
	}
}

// claim makes sure that one asset is processed once at a time in this process.
func (g *Ingester) claim(id vod.AssetID) (release func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.assets[id] {
		return nil, fmt.Errorf("process %s: %w", id, ErrBusy)
	}
	g.assets[id] = true
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.assets, id)
	}, nil
}

func (g *Ingester) holds(id vod.MediaID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.active[id] > 0
}

// retryable tells an error that the next attempt may not meet (disk, cancel,
// killed child) from one that lies in the film. Only the film's own faults
// become findings.
func retryable(ctx context.Context, err error) bool {
	var child *childError
	if ctx.Err() != nil || !errors.As(err, &child) {
		return true
	}
	return child.signalled && !child.timeout
}
