package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"reprise/event"
	"reprise/stream/hls"
	"reprise/vod"
	"reprise/vod/cmaf"
	"reprise/vod/webvtt"
)

// Config are the settings of a Playout. Zero fields have their defaults.
type Config struct {
	Depth      time.Duration // of the live window; default 15 min
	Poll       time.Duration // how often the store's version is asked for; default 500 ms, at most 1 s (R234)
	SlateAhead time.Duration // how long before its use a slate is made; default 24 h
	CacheBytes int64         // of playlists kept; default 24 MiB

	// NoGzip leaves the compressed form out, which is most of a playlist's cost:
	// for simulated time.
	NoGzip bool
	// Rewind lets the edge follow the given instants back too, without the
	// guard of R237: for simulated time, where one Playout is asked about the
	// same day again and again.
	Rewind bool
}

// Deps are what a Playout works with.
type Deps struct {
	Events   event.Store
	Library  library // vod.Library
	Journals JournalStore
	Slates   SlateMaker
	Objects  objects // storage.Store: slate templates are read from it
	Secret   []byte  // the same on all nodes: ids of slates follow from it
	Log      *slog.Logger
	Now      func() time.Time
	// Wait returns when it is until, by the same clock as Now, or with an error when ctx is done.
	Wait func(ctx context.Context, until time.Time) error
}

// library is what a Playout needs of vod.Library.
type library interface {
	Asset(ctx context.Context, id vod.AssetID) (vod.Asset, error)
	Assets(ctx context.Context) ([]vod.Asset, error)
	Media(ctx context.Context, id vod.MediaID) (vod.Media, error)
	PutMedia(ctx context.Context, m vod.Media) error
}

// Playout answers what is on air. All methods are safe for concurrent use.
type Playout struct {
	cfg  Config
	deps Deps
	log  *slog.Logger

	snapshot  atomic.Pointer[snapshot]
	shelf     *shelf
	empty     []byte // a segment of empty captions
	retime    func(dst []byte, init, template []byte, index int, nominal, length int64) ([]byte, error)
	documents *cache[documentKey, view]
	pieces    *cache[textPieceKey, textPiece]
	texts     *cache[textKey, hls.Multivariant]
	templates *cache[templateKey, template]
	retimed   *cache[retimedKey, []byte]

	multivariants *cache[multivariantKey, multivariantView]
	compressors   sync.Pool // of *gzip.Writer

	planning sync.Mutex // one turn at a time; guards what follows
	version  int64
	planned  time.Time // when the last whole turn was
	clocks   map[Feed]*clock
	slates   map[vod.MediaID]bool // known to be in the library

	wanted atomic.Pointer[[]wantedSlate] // slates to make, the most urgent first
	wake   chan struct{}                 // there are new ones
	making sync.Mutex                    // one slate at a time; guards failed
	failed map[vod.MediaID]time.Time     // when the making of a slate last failed
}

const (
	// turnEvery bounds the time between two whole turns: what depends on the hour alone is seen then.
	turnEvery = 30 * time.Second

	// complainEvery bounds how often a failing store is logged.
	complainEvery = 10 * time.Second

	mediaBytes    = 12 << 20 // of media indexes kept
	pieceBytes    = 12 << 20 // of playlist pieces kept
	templateBytes = 8 << 20  // of slate templates kept
	retimedBytes  = 8 << 20  // of slate segments kept
)

// New returns a Playout that knows nothing yet: Refresh or Run fills it.
func New(cfg Config, deps Deps) (*Playout, error) {
	if cfg.Depth <= 0 {
		cfg.Depth = 15 * time.Minute
	}
	if cfg.Poll <= 0 {
		cfg.Poll = 500 * time.Millisecond
	}
	if cfg.SlateAhead <= 0 {
		cfg.SlateAhead = 24 * time.Hour
	}
	if cfg.CacheBytes <= 0 {
		cfg.CacheBytes = 24 << 20
	}
	switch {
	case cfg.Poll > time.Second:
		return nil, fmt.Errorf("stream: poll %v is longer than a second: other nodes' edits would be seen too late", cfg.Poll)
	case deps.Events == nil || deps.Library == nil || deps.Journals == nil || deps.Slates == nil || deps.Objects == nil:
		return nil, errors.New("stream: events, library, journals, slates and objects are all needed")
	case deps.Now == nil || deps.Wait == nil || deps.Log == nil:
		return nil, errors.New("stream: now, wait and log are all needed")
	case len(deps.Secret) < 16:
		return nil, errors.New("stream: the secret must have 16 bytes or more")
	}
	p := &Playout{
		cfg: cfg, deps: deps, log: deps.Log,
		shelf:     newShelf(deps.Library, mediaBytes),
		empty:     webvtt.Empty(),
		retime:    cmaf.Retime,
		documents: newCache[documentKey, view](cfg.CacheBytes),
		pieces:    newCache[textPieceKey, textPiece](pieceBytes),
		texts:     newCache[textKey, hls.Multivariant](4 << 20),
		templates: newCache[templateKey, template](templateBytes),
		retimed:   newCache[retimedKey, []byte](retimedBytes),
		clocks:    map[Feed]*clock{},

		multivariants: newCache[multivariantKey, multivariantView](4 << 20),

		slates: map[vod.MediaID]bool{},
		failed: map[vod.MediaID]time.Time{},
		wake:   make(chan struct{}, 1),
	}
	p.snapshot.Store(&snapshot{})
	return p, nil
}

// Run keeps the snapshot fresh, plans ahead and makes slates until ctx ends.
// Its errors are logged and tried again; it returns ctx's error.
func (p *Playout) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var children sync.WaitGroup
	children.Go(func() { p.slateLoop(ctx) })
	defer children.Wait()
	defer cancel()
	var said time.Time
	for warm := false; ; {
		if err := p.follow(ctx); err != nil && ctx.Err() == nil {
			if now := p.deps.Now(); now.Sub(said).Abs() >= complainEvery {
				said = now
				p.log.Error("playout turn failed, the snapshot grows old; next try with the next poll", "error", err)
			}
		}
		if !warm && len(p.snapshot.Load().events) > 0 {
			warm = true
			children.Go(func() { p.warm(ctx) })
		}
		if err := p.deps.Wait(ctx, p.deps.Now().Add(p.cfg.Poll)); err != nil {
			return err
		}
	}
}

// warm reads, one after the other, what the programme says of films, so that
// the first visitor of a large event need not wait for it.
func (p *Playout) warm(ctx context.Context) {
	for _, e := range p.snapshot.Load().events {
		for id := range e.films {
			if ctx.Err() != nil {
				return
			}
			if _, err := p.shelf.summary(id); err != nil {
				p.log.Warn("film cannot be read ahead, it is tried again when it is asked for", "media_id", id, "error", err)
			}
		}
	}
}

// follow makes a turn if anything changed, or the last one is long ago.
func (p *Playout) follow(ctx context.Context) error {
	version, err := p.deps.Events.Version(ctx)
	if err != nil {
		return fmt.Errorf("read the store's version: %w", err)
	}
	p.planning.Lock()
	defer p.planning.Unlock()
	if version == p.version && p.deps.Now().Sub(p.planned).Abs() < turnEvery {
		return nil
	}
	return p.turn(ctx)
}

// Refresh makes one turn of Run: read, plan, write what changed in the
// journals, show it. It makes no slates.
func (p *Playout) Refresh(ctx context.Context) error {
	p.planning.Lock()
	defer p.planning.Unlock()
	return p.turn(ctx)
}

// clockOf returns the feed's clock. The caller holds planning.
func (p *Playout) clockOf(f Feed) *clock {
	c := p.clocks[f]
	if c == nil {
		c = &clock{rewind: p.cfg.Rewind}
		p.clocks[f] = c
	}
	return c
}
