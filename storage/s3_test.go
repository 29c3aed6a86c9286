package storage_test

import (
	"context"
	"log/slog"
	"testing"

	"reprise/storage"
	"reprise/storage/storagetest"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newS3(t *testing.T, cfg storage.S3Config) *storage.S3 {
	t.Helper()
	s, err := storage.NewS3(t.Context(), cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestS3Conformance runs the suite on a real server.
func TestS3Conformance(t *testing.T) {
	t.Parallel()
	g := storagetest.StartGateway(t)
	storagetest.Conformance(t, func(t *testing.T) storage.Store {
		cfg := g.Config("b" + storage.RandomName())
		cfg.PartSize = 5 << 20
		return newS3(t, cfg)
	})
}

var _ = context.Background
