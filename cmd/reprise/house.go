package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"reprise/api/token"
	"reprise/configs"
	"reprise/storage/db"
	"reprise/stream"
	"reprise/vod"
	"reprise/vod/ingest"
)

// house is the stores and services on one data folder that the verbs share.
// Several processes may have it open at once; close must be called once.
type house struct {
	cfg     configs.Config
	log     *slog.Logger
	clock   clock
	rows    *db.DB
	objects objectStore
	keys    *token.Keyring

	ingester *ingest.Ingester // nil until openIngest
	working  *fileLock        // held shared while this process may make media
}

// databasePath says where the database is when the configuration does not.
func databasePath(cfg configs.Config) string {
	if cfg.Database.DSN != "" {
		return cfg.Database.DSN
	}
	return filepath.Join(cfg.Data.Dir, "reprise.db")
}

// onPostgres tells whether rows are on a database server, not in a file.
func onPostgres(cfg configs.Config) bool { return strings.Contains(cfg.Database.DSN, "://") }

// makeDataDir makes the data folder, for the user of the program alone.
func makeDataDir(cfg configs.Config) error {
	if err := os.MkdirAll(filepath.Join(cfg.Data.Dir, "locks"), 0o700); err != nil {
		return fmt.Errorf("data folder: %w; give another with --data DIR", err)
	}
	return nil
}

// openHouse opens database, objects and keys, and makes what is not there.
func openHouse(ctx context.Context, cfg configs.Config, log *slog.Logger, c clock) (*house, error) {
	if err := makeDataDir(cfg); err != nil {
		return nil, err
	}
	h := &house{cfg: cfg, log: log, clock: c}
	var err error
	if h.rows, err = db.Open(ctx, db.Config{DSN: databasePath(cfg), Now: c.Now}, log); err != nil {
		return nil, err
	}
	if h.objects, err = openObjects(ctx, cfg, log); err != nil {
		return nil, errors.Join(err, h.close())
	}
	if h.keys, err = token.NewKeyring(ctx, h.rows, c.Now); err != nil {
		return nil, errors.Join(fmt.Errorf("open keys: %w", err), h.close())
	}
	return h, nil
}

// openExisting is openHouse for verbs that make no sense on an empty folder.
func openExisting(ctx context.Context, cfg configs.Config, log *slog.Logger, c clock) (*house, error) {
	if _, err := os.Stat(databasePath(cfg)); errors.Is(err, os.ErrNotExist) && !onPostgres(cfg) {
		return nil, fmt.Errorf("there is no Reprise data in %s: give the folder with --data DIR", cfg.Data.Dir)
	}
	return openHouse(ctx, cfg, log, c)
}

// openIngest makes the ingester. It needs ffmpeg.
func (h *house) openIngest() error {
	if h.ingester != nil {
		return nil
	}
	i := h.cfg.Ingest
	preset := i.Preset
	if preset == "auto" {
		preset = ""
	}
	var err error
	h.ingester, err = ingest.New(ingest.Config{
		Scratch:       filepath.Join(h.cfg.Data.Dir, "scratch"),
		FFmpeg:        i.FFmpeg,
		FFprobe:       i.FFprobe,
		Preset:        preset,
		Threads:       i.Threads,
		EncodeTimeout: i.Timeout,
		MemoryLimit:   int64(i.MaxMemory),
		MaxDuration:   i.MaxDuration,

		Node:           nodeName(),
		CaptionCommand: strings.Fields(i.CaptionCommand),
	}, ingest.Deps{Library: h.rows, Store: h.objects, Log: h.log, Now: h.clock.Now, Uploads: h.rows, InUse: h.inUse, Airs: h.airs})
	if err != nil {
		return fmt.Errorf("open ingest: %w; 'reprise doctor' says what is missing", err)
	}
	return h.beginWork()
}

// tidying is how long a second process waits for the first one's sweep, and
// sweeping how long that may take: a store that is large, or away, must not keep
// a server from serving. What is left goes with a later sweep.
const (
	tidying  = 30 * time.Second
	sweeping = 20 * time.Second
)

// beginWork tells other processes that media is being made here. Who comes
// alone first removes what killed runs have left; who does not must leave it,
// for it may belong to another process that is at work.
func (h *house) beginWork() error {
	path := filepath.Join(h.cfg.Data.Dir, "locks", "working.lock")
	l, err := lockFile(path, false)
	switch {
	case err == nil:
		if err := h.sweepFirst(); err != nil {
			h.log.Warn("what killed runs left behind is not all removed, the rest goes with a later sweep", "error", err)
		}
		if err := l.share(); err != nil {
			l.free()
			return err
		}
	case errors.Is(err, errInUse):
		// Held shared by those at work, or for a moment by one that tidies up.
		if l, err = lockWithin(context.Background(), path, true, tidying, systemClock{}); err != nil {
			return fmt.Errorf("another process is tidying up %s, try again in a moment: %w", h.cfg.Data.Dir, err)
		}
	default:
		return err
	}
	h.working = l
	return nil
}

func (h *house) sweepFirst() error {
	ctx, cancel := context.WithTimeout(context.Background(), sweeping)
	defer cancel()
	return h.ingester.Sweep(ctx)
}

// process makes an asset's media. One process at a time does so: a second one
// waits, and finds the work done.
func (h *house) process(ctx context.Context, id vod.AssetID, progress func(ingest.Step)) error {
	lock, err := waitForLock(ctx, filepath.Join(h.cfg.Data.Dir, "locks", "asset-"+string(id)+".lock"), systemClock{})
	if err != nil {
		return err
	}
	defer lock.free()
	return h.ingester.Process(ctx, id, progress)
}

// close closes what is open; objects and rows last.
func (h *house) close() error {
	var faults []error
	if h.working != nil {
		h.working.free()
	}
	if h.objects != nil {
		faults = append(faults, h.objects.Close())
	}
	if h.rows != nil {
		faults = append(faults, h.rows.Close())
	}
	return errors.Join(faults...)
}

// slateMaker lets stream ask vod/ingest for slates; the two do not know each other.
type slateMaker struct{ ingester *ingest.Ingester }

// MakeSlate implements stream.SlateMaker.
func (m slateMaker) MakeSlate(ctx context.Context, spec stream.SlateSpec) (vod.Media, error) {
	return m.ingester.MakeSlate(ctx, ingest.SlateSpec(spec))
}
