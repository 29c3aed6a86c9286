package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"reprise/configs"
	"reprise/storage"
)

type storageCommand struct {
	Copy storageCopy `cmd:"" help:"Copy every object into another store, verified, while servers run."`
}

type storageCopy struct {
	To      string `arg:"" help:"Where to: a folder, or the configuration file (YAML) of the server to be, whose storage section is used."`
	Prefix  string `placeholder:"KEY" help:"Only objects whose names begin so."`
	Workers int    `short:"w" default:"4" help:"Objects at the same time."`
	JSON    bool   `name:"json" help:"Print one JSON object when done."`
}

// Help is shown by 'reprise storage copy --help'.
func (storageCopy) Help() string {
	return `Copies originals, media and captions from the store of this configuration into another: from disk to S3, back, or between buckets. Each object is read back and compared. Run again after a break, it goes on where it was; run once more after the servers have changed over, it brings what came meanwhile. Nothing is deleted anywhere. Uploads that are not finished stay behind: their senders begin anew.

To change a server over: copy while it runs, stop it, copy again (this takes a moment), start it with the new storage section.

Examples:
  reprise --config /etc/reprise.yaml storage copy /etc/reprise-s3.yaml
  reprise --config /etc/reprise-s3.yaml storage copy /srv/backup/objects/`
}

// Run copies.
func (s *storageCopy) Run(ctx context.Context, c *commandLine, p program) (err error) {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	log := logger(quiet(cfg.Log), p.stderr)
	if !onS3(cfg) {
		// An empty store would be copied without a word.
		if _, err := os.Stat(objectsDir(cfg)); err != nil {
			return fmt.Errorf("there are no objects in %s: give the folder with --data DIR", objectsDir(cfg))
		}
	}
	from, err := openObjects(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, target, err := s.open(ctx, cfg, p, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := makeDataDir(cfg); err != nil {
		return err
	}
	m := newMeter(p, "objects")
	report, err := storage.Copy(ctx, from, to, storage.CopyOptions{
		Prefix: storage.Key(s.Prefix), Workers: s.Workers, Ledger: filepath.Join(cfg.Data.Dir, ledgerName(target)),
	}, func(done storage.CopyProgress) {
		m.update(fmt.Sprintf("pass %d", done.Pass), float64(done.Bytes)/float64(max(done.TotalBytes, 1)))
	})
	m.done("")
	return errors.Join(s.tell(p, target, report), err)
}

// ledgerName names the file that remembers what a target was given.
func ledgerName(target string) string {
	sum := sha256.Sum256([]byte(target))
	return "storage-copy-" + hex.EncodeToString(sum[:8]) + ".ledger"
}

// open opens the store that To names; the text says for people which it is.
func (s *storageCopy) open(ctx context.Context, cfg configs.Config, p program, log *slog.Logger) (objectStore, string, error) {
	info, err := os.Stat(s.To)
	if strings.HasSuffix(s.To, "/") || err == nil && info.IsDir() {
		if !onS3(cfg) && sameFolder(objectsDir(cfg), s.To) {
			return nil, "", fmt.Errorf("%s is where the objects are already", s.To)
		}
		disk, err := storage.NewDisk(s.To)
		return disk, s.To, err
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s is no configuration file, and no folder (end it with / to have it made): %w", s.To, err)
	}
	other, err := configs.Load(s.To, nil, nil)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", s.To, err)
	}
	if other.Storage == cfg.Storage && (onS3(cfg) || sameFolder(objectsDir(cfg), objectsDir(other))) {
		return nil, "", fmt.Errorf("%s names the store that the objects are in already", s.To)
	}
	to, err := openObjects(ctx, other, log)
	if onS3(other) {
		c := other.Storage.S3
		return to, strings.TrimSpace(fmt.Sprintf("bucket %s %s %s", c.Bucket, c.Prefix, c.Endpoint)), err
	}
	return to, objectsDir(other), err
}

func sameFolder(a, b string) bool {
	one, errA := os.Stat(a)
	two, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(one, two)
}

// tell says what was done.
func (s *storageCopy) tell(p program, target string, r storage.CopyReport) error {
	if s.JSON {
		type failure struct {
			Object string `json:"object"`
			Reason string `json:"reason"`
		}
		out := struct {
			Copied  int       `json:"copied"`
			Bytes   int64     `json:"bytes"`
			Skipped int       `json:"skipped"`
			Gone    int       `json:"gone"`
			Passes  int       `json:"passes"`
			Failed  []failure `json:"failed"`
		}{r.Copied, r.Bytes, r.Skipped, r.Gone, r.Passes, []failure{}}
		for _, f := range r.Failed {
			out.Failed = append(out.Failed, failure{string(f.Key), f.Err.Error()})
		}
		return json.NewEncoder(p.stdout).Encode(out)
	}
	_, err := fmt.Fprintf(p.stdout, "%s: %d objects copied (%.1f MiB), %d were there already\n", target, r.Copied, float64(r.Bytes)/(1<<20), r.Skipped)
	return errors.Join(err, tellFailed(p.stderr, r.Failed))
}

// tellFailed names the first of what was not copied; the error that ends the program counts all.
func tellFailed(w io.Writer, failed []storage.CopyFailure) error {
	for _, f := range failed[:min(len(failed), 10)] {
		if _, err := fmt.Fprintf(w, "not copied: %s: %s\n", f.Key, f.Err); err != nil {
			return err
		}
	}
	return nil
}
