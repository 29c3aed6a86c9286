package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"reprise/api"
	"reprise/api/web"
	"reprise/configs"
	"reprise/storage"
	"reprise/storage/cache"
	"reprise/storage/uploads"
	"reprise/stream"
)

// deps are what a server is given from outside.
type deps struct {
	clock clock
	log   *slog.Logger
}

// run builds a server and runs it until ctx ends and everything has stopped in order.
func run(ctx context.Context, cfg configs.Config, d deps) error {
	a, err := newApp(ctx, cfg, d)
	if err != nil {
		return err
	}
	return a.run(ctx)
}

// app is one server, built and listening, not yet running.
type app struct {
	*house
	lock     *fileLock
	jobs     *jobs
	uploads  *uploads.Uploads
	cache    *cache.Cache // nil: objects are on this machine's disk
	playout  *stream.Playout
	server   *api.Server
	listener net.Listener // the public one
	metrics  net.Listener // nil: off
	registry *prometheus.Registry
}

// newApp builds everything, top to bottom, and listens. What is on air already
// is known before the first request can come.
func newApp(ctx context.Context, cfg configs.Config, d deps) (*app, error) {
	if err := makeDataDir(cfg); err != nil {
		return nil, err
	}
	lock, err := lockServer(ctx, cfg.Data.Dir, systemClock{}) // another process dies by the machine's clock
	if err != nil {
		return nil, err
	}
	a := &app{lock: lock, registry: prometheus.NewRegistry()}
	if err := a.build(ctx, cfg, d); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *app) build(ctx context.Context, cfg configs.Config, d deps) error {
	var err error
	if a.house, err = openHouse(ctx, cfg, d.log, d.clock); err != nil {
		return err
	}
	if err := a.openIngest(); err != nil {
		return err
	}
	if a.jobs, err = a.openJobs(); err != nil {
		return err
	}
	a.jobs.handle(cfg.Ingest.Workers)
	if a.cache, err = a.openCache(a.registry); err != nil {
		return err
	}
	secret, err := a.rows.Secret(ctx, "stream")
	if err != nil {
		return err
	}
	if a.playout, err = stream.New(stream.Config{Depth: cfg.Stream.Depth}, stream.Deps{
		Events: a.rows, Library: a.rows, Journals: a.rows, Slates: slateMaker{a.ingester}, Objects: a.viewed(),
		Secret: secret, Log: d.log, Now: d.clock.Now, Wait: d.clock.Wait,
	}); err != nil {
		return err
	}
	if err := a.playout.Refresh(ctx); err != nil {
		// What could be planned is on air; the rest is tried again by Run.
		d.log.Error("the programme is not fully planned, next try soon", "error", err)
	}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := a.openUploads(); err != nil {
		return err
	}
	if err := a.listen(ctx, cfg); err != nil {
		return err
	}
	a.server, err = api.New(api.Config{
		PlaybackLife: cfg.Tokens.PlaybackLife, DrainDelay: cfg.HTTP.DrainDelay, DrainTimeout: cfg.HTTP.DrainTimeout,
		BaseURL: baseURL(cfg, a.listener.Addr().String()), TermsFR: cfg.HandIn.TermsFR, TermsEN: cfg.HandIn.TermsEN,
		CaptionCommand: cfg.Ingest.CaptionCommand != "", UploadSize: int64(cfg.Uploads.MaxSize),
	}, api.Deps{
		Playout: a.playout, Keyring: a.keys, Objects: a.viewed(), Web: web.FS(), Registry: a.registry,
		Log: d.log, Now: d.clock.Now, Wait: d.clock.Wait, Ready: a.ready, Intake: a.intake(),
	})
	return err
}

// listen opens both listeners, so that a taken port is told before anything runs.
func (a *app) listen(ctx context.Context, cfg configs.Config) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", cfg.HTTP.Listen)
	if err != nil {
		return fmt.Errorf("http.listen: %w; give another address with --listen", err)
	}
	a.listener = limitConnections(l, cfg.HTTP.MaxConnections)
	a.metrics, err = listenMetrics(ctx, cfg)
	return err
}

// run serves until ctx ends, then stops in order: the public server drains
// first, then jobs, planning and metrics end, then the stores close. It
// returns nil after an orderly stop.
func (a *app) run(ctx context.Context) error {
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	var group errgroup.Group
	background := func(name string, loop func(context.Context) error) {
		group.Go(func() error {
			defer stopServing() // without one of its loops a server must not go on
			err := loop(working)
			switch {
			case working.Err() != nil && (err == nil || errors.Is(err, context.Canceled)):
				return nil
			case err == nil:
				return fmt.Errorf("%s: ended by itself", name)
			}
			return fmt.Errorf("%s: %w", name, err)
		})
	}
	// Uploads last for hours: they are broken off, and go on elsewhere or later.
	defer context.AfterFunc(serving, a.uploads.Interrupt)()
	group.Go(func() error {
		defer stopWorking()
		return a.server.Run(serving, a.listener)
	})
	background("playout", a.playout.Run)
	background("queue", a.jobs.queue.Run)
	background("unfinished recordings", a.jobs.resume)
	background("sweep", a.jobs.tidy)
	background("uploads", a.uploads.Run)
	if a.cache != nil {
		background("storage cache", a.keepAhead)
	}
	if a.metrics != nil {
		background("metrics", func(ctx context.Context) error { return serveMetrics(ctx, a.metrics, a.registry, a.logger()) })
	}
	err := group.Wait()
	if closeErr := a.close(); err == nil {
		err = closeErr
	}
	if err == nil {
		a.logger().Info("stopped")
	}
	return err
}

func (a *app) logger() *slog.Logger { return a.house.log }

// ready says whether the stores answer. A remote store of objects is not
// asked: what is on air is on this machine's disk, and goes on without it.
func (a *app) ready(ctx context.Context) error {
	if err := a.rows.Ping(ctx); err != nil {
		return err
	}
	if a.cache != nil {
		return nil
	}
	if _, err := a.objects.Stat(ctx, "ready"); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return nil
}

// serveMetrics serves Prometheus metrics until ctx ends.
func serveMetrics(ctx context.Context, l net.Listener, registry *prometheus.Registry, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	log.Info("metrics", "address", l.Addr().String())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

// close closes what is open. It may be called on an app that is half built.
func (a *app) close() error {
	var faults []error
	for _, l := range []net.Listener{a.listener, a.metrics} {
		if l == nil {
			continue
		}
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			faults = append(faults, err)
		}
	}
	if a.cache != nil {
		faults = append(faults, a.cache.Close())
	}
	if a.house != nil {
		faults = append(faults, a.house.close())
	}
	a.lock.free()
	return errors.Join(faults...)
}

func nodeName() string {
	name, err := os.Hostname()
	if err != nil {
		return "node"
	}
	return name
}
