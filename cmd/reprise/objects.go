package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reprise/configs"
	"reprise/storage"
	"reprise/storage/cache"
)

// objectStore is a store that is closed when the program ends.
type objectStore interface {
	storage.Store
	io.Closer
}

// objectsDir says where the objects are when the configuration does not.
func objectsDir(cfg configs.Config) string { return under(cfg, cfg.Storage.Dir, "objects") }

// uploadsDir is where unfinished uploads lie.
func uploadsDir(cfg configs.Config) string { return under(cfg, cfg.Uploads.Dir, "uploads") }

// under is a configured folder, or name in the data folder.
func under(cfg configs.Config, dir, name string) string {
	if dir != "" {
		return dir
	}
	return filepath.Join(cfg.Data.Dir, name)
}

// onS3 tells whether objects lie in a bucket, not on disk.
func onS3(cfg configs.Config) bool { return cfg.Storage.S3.Bucket != "" }

// openObjects opens the store that the configuration names.
func openObjects(ctx context.Context, cfg configs.Config, log *slog.Logger) (objectStore, error) {
	if !onS3(cfg) {
		disk, err := storage.NewDisk(objectsDir(cfg))
		if err != nil {
			return nil, fmt.Errorf("open storage: %w", err)
		}
		return disk, nil
	}
	bucket, err := storage.NewS3(ctx, s3Config(cfg.Storage.S3), log)
	if err != nil {
		return nil, fmt.Errorf("open storage: %w; docs/object-storage.md has the lines that each service needs", err)
	}
	return bucket, nil
}

func s3Config(c configs.S3) storage.S3Config {
	return storage.S3Config{
		Bucket: c.Bucket, Prefix: c.Prefix, Endpoint: c.Endpoint, Region: c.Region, PathStyle: c.PathStyle, CAFile: c.CAFile,
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey,
		Patient:    true,
		Encryption: c.Encryption, KMSKeyID: c.KMSKeyID, StorageClass: c.StorageClass, PartSize: int64(c.PartSize),
	}
}

// openCache puts a cache on this machine's disk before a remote store. On disk there is none: nil.
func (h *house) openCache(registry prometheus.Registerer) (*cache.Cache, error) {
	if !onS3(h.cfg) {
		return nil, nil
	}
	c, err := cache.New(cache.Config{
		Dir: under(h.cfg, h.cfg.Storage.Cache.Dir, "cache"), MaxBytes: int64(h.cfg.Storage.Cache.Size),
		Now: h.clock.Now, Wait: h.clock.Wait, Registry: registry,
	}, h.objects, h.log)
	if err != nil {
		return nil, fmt.Errorf("open storage cache: %w", err)
	}
	return c, nil
}

// keepAhead keeps on this machine what is on air and what soon will be.
func (a *app) keepAhead(ctx context.Context) error {
	lead := a.cfg.Storage.Cache.ReadAhead
	return a.cache.Run(ctx, func(now time.Time) []cache.Range {
		wanted := a.playout.Ahead(now, lead)
		ranges := make([]cache.Range, len(wanted))
		for i, r := range wanted {
			ranges[i] = cache.Range(r)
		}
		return ranges
	})
}

// viewed is the store that viewers' requests read: the near one.
func (a *app) viewed() storage.Store {
	if a.cache != nil {
		return a.cache
	}
	return a.objects
}
