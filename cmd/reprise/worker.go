package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"reprise/configs"
)

type workerCommand struct {
	Workers int `short:"w" placeholder:"N" help:"Recordings processed at the same time; the same as --set ingest.workers=N."`
}

// Help is shown by 'reprise worker --help'.
func (workerCommand) Help() string {
	return `Makes media of recordings, and nothing else, on a machine beside the servers: it takes jobs from the database and objects from the store, so it needs the configuration that they have (PostgreSQL and an S3 bucket; on the same machine the data folder will do).

Give servers ingest.workers: 0 to leave all of the work to workers. What a worker leaves unfinished when it dies is taken over by another within a minute; a signal (SIGINT, SIGTERM) puts it back at once.

Examples:
  reprise --config /etc/reprise.yaml worker
  reprise --config /etc/reprise.yaml worker --workers 2`
}

// Run works until a signal.
func (w *workerCommand) Run(ctx context.Context, c *commandLine, p program) error {
	var workers string
	if w.Workers != 0 {
		workers = fmt.Sprint(w.Workers)
	}
	cfg, err := c.load(p, overrides("ingest.workers", workers)...)
	if err != nil {
		return err
	}
	if cfg.Ingest.Workers == 0 {
		return errors.New("ingest.workers is 0: a worker has at least one; give --workers N")
	}
	return runWorker(ctx, cfg, deps{clock: p.clock, log: logger(cfg.Log, p.stderr)})
}

// runWorker does jobs until ctx ends.
func runWorker(ctx context.Context, cfg configs.Config, d deps) (err error) {
	h, err := openHouse(ctx, cfg, d.log, d.clock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if err := h.openIngest(); err != nil {
		return err
	}
	j, err := h.openJobs()
	if err != nil {
		return err
	}
	j.handle(cfg.Ingest.Workers)
	d.log.Info("working", "workers", cfg.Ingest.Workers)
	group, ctx := errgroup.WithContext(ctx)
	for _, loop := range []func(context.Context) error{j.queue.Run, j.resume, j.tidy} {
		group.Go(func() error { return loop(ctx) })
	}
	if l, err := listenMetrics(ctx, cfg); err != nil {
		// The server of this machine has the port; a worker is no reason to fail.
		d.log.Warn("this worker has no metrics", "error", err)
	} else if l != nil {
		registry := prometheus.NewRegistry()
		registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		group.Go(func() error { return serveMetrics(ctx, l, registry, d.log) })
	}
	err = group.Wait()
	if errors.Is(err, context.Canceled) {
		d.log.Info("stopped")
		return nil
	}
	return err
}

// listenMetrics opens the listener of the metrics; nil: they are off.
func listenMetrics(ctx context.Context, cfg configs.Config) (net.Listener, error) {
	if cfg.Metrics.Listen == "" {
		return nil, nil
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", cfg.Metrics.Listen)
	if err != nil {
		return nil, fmt.Errorf("metrics.listen: %w; set it to another address, or to nothing to do without", err)
	}
	return l, nil
}
