package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"reprise/api/token"
	"reprise/storage"
	"reprise/stream"
)

// Config is what an operator may set.
type Config struct {
	// PlaybackLife is how long a playback token lives. Zero: until a day after
	// the event's end, and a day at least.
	PlaybackLife time.Duration
	// DrainDelay is how long the server goes on accepting after /readyz says
	// 503, so that a load balancer sees it. Zero: not at all.
	DrainDelay time.Duration
	// DrainTimeout is how long a stopping server lets running answers finish. Zero: 30 s.
	DrainTimeout time.Duration
	// BaseURL is what links begin with, without a slash at the end.
	BaseURL string
	// TermsFR and TermsEN are what speakers agree to when they hand in a film.
	// Both empty: the text that comes with the program.
	TermsFR, TermsEN string
	// CaptionCommand says that captions can be made from the sound here.
	CaptionCommand bool
	// UploadSize is the largest file that may be sent, in bytes. Zero: not said.
	UploadSize int64
}

// Playout is what the server needs of stream.Playout.
type Playout interface {
	playlists
	files
	programmes
}

// Keyring is what the server needs of token.Keyring.
type Keyring interface {
	verifier
	Mint(c token.Claims) (string, error)
}

var (
	_ Playout = (*stream.Playout)(nil)
	_ Keyring = (*token.Keyring)(nil)
)

// Deps is what the server works with. All but Intake and Ready are required.
type Deps struct {
	Playout  Playout
	Keyring  Keyring
	Objects  storage.Store
	Web      fs.FS // the built web application; may hold no index.html
	Registry *prometheus.Registry
	Log      *slog.Logger
	Now      func() time.Time
	// Wait returns nil at the instant until by the clock of Now, or the
	// context's error if that ends first.
	Wait func(ctx context.Context, until time.Time) error
	// Intake is what films come in by. Nil: this server only plays, and the
	// operations on films answer 503.
	Intake *Intake
	// Ready says why the server cannot serve yet; nil: it always can.
	Ready func(ctx context.Context) error
}

// Limits of the listener. Uploads and sockets that stay open set their own.
const (
	// readTimeout is that of headers and of headers with body: bodies are small
	// here, and one deadline costs half of two. It must be longer than a blocking
	// reload: net/http takes its passing for the client's leaving.
	readTimeout    = 20 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
	drainTimeout   = 30 * time.Second
)

// Server answers HTTP. Safe for concurrent use.
type Server struct {
	cfg      Config
	deps     Deps
	log      *slog.Logger
	registry *prometheus.Registry
	metrics  *metrics
	gate     *gate
	echo     *echo.Echo
	spec     []byte  // openapi.json
	in       *Intake // deps.Intake; nil: this server only plays
	terms    terms
	pictures chan struct{} // a token for each picture that may be decoded at once

	transcripts transcripts
	board       board
	listeners   atomic.Int32 // streams of progress

	unready  atomic.Bool // /readyz says 503
	draining atomic.Bool // blocking reloads are released
	drain    context.CancelFunc
}

// New builds a server. The error names what is missing or cannot be read.
func New(cfg Config, deps Deps) (*Server, error) {
	for name, missing := range map[string]bool{
		"Playout": deps.Playout == nil, "Keyring": deps.Keyring == nil, "Objects": deps.Objects == nil, "Web": deps.Web == nil,
		"Registry": deps.Registry == nil, "Log": deps.Log == nil, "Now": deps.Now == nil, "Wait": deps.Wait == nil,
	} {
		if missing {
			return nil, fmt.Errorf("api: no %s", name)
		}
	}
	if err := deps.Intake.validate(); err != nil {
		return nil, err
	}
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = drainTimeout
	}
	m, err := newMetrics(deps.Registry)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	s := &Server{cfg: cfg, deps: deps, log: deps.Log, registry: deps.Registry, metrics: m, in: deps.Intake, terms: newTerms(cfg.TermsFR, cfg.TermsEN), pictures: make(chan struct{}, 1)}
	var stopping context.Context
	stopping, s.drain = context.WithCancel(context.Background())
	filer, _ := deps.Objects.(storage.Filer)
	s.gate = &gate{
		playlists: deps.Playout, files: deps.Playout, directory: newDirectory(deps.Playout), keys: deps.Keyring,
		objects: deps.Objects, filer: filer, metrics: m, log: deps.Log, now: deps.Now, wait: deps.Wait,
		drain: stopping, draining: &s.draining,
	}
	if err := s.routes(); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler returns the public handler: the gate under /p/, echo for the rest.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix) {
			s.gate.ServeHTTP(w, r)
			return
		}
		s.echo.ServeHTTP(w, r)
	})
}

// Run serves on l until ctx ends, then stops in order: /readyz says 503;
// DrainDelay passes, in which each answer ends its connection; blocking reloads
// answer; the listener closes; running answers finish, for DrainTimeout at
// most. It returns nil after an orderly stop, an error if answers had to be cut
// or the listener failed. A server runs once.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		ConnContext:       withConn,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(quiet{s.log.Handler()}, slog.LevelDebug),
		// Requests outlive ctx: it ends when the drain begins.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(batch{l}) }()
	s.log.LogAttrs(ctx, slog.LevelInfo, "listening", slog.String("address", l.Addr().String()))
	select {
	case err := <-served:
		s.unready.Store(true)
		s.release()
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "stopping: draining requests", slog.Duration("deadline", s.cfg.DrainTimeout))
	s.unready.Store(true)
	if s.cfg.DrainDelay > 0 {
		srv.SetKeepAlivesEnabled(false)
		<-time.After(s.cfg.DrainDelay) // by the machine's clock: a load balancer knows no other
	}
	s.release()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer cancel()
	err := srv.Shutdown(last)
	if err != nil {
		err = errors.Join(fmt.Errorf("drain requests: %w", err), srv.Close())
	}
	<-served // http.ErrServerClosed; the goroutine has ended
	return err
}

// release lets all blocking reloads answer, and from now on each at once: not
// before the listener is about to close, or players would ask again in a loop.
func (s *Server) release() {
	s.draining.Store(true)
	s.drain()
}
