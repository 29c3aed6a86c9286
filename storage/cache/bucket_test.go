package cache

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"reprise/storage"
	"reprise/storage/storagetest"
)

// TestBeforeABucket is the cache before a real S3 server, which is then cut off.
func TestBeforeABucket(t *testing.T) {
	t.Parallel()
	gateway := storagetest.StartGateway(t)
	cfg := gateway.Config("films")
	cfg.Attempts, cfg.Timeout = 1, 5*time.Second
	bucket, err := storage.NewS3(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	film := pattern("film", 3<<20+5)
	if _, err := bucket.Put(t.Context(), "media/film", bytes.NewReader(film)); err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Dir: t.TempDir(), Now: time.Now, Wait: small("", &clock{}).Wait}, bucket, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	info, err := c.Stat(t.Context(), "media/film")
	if err != nil {
		t.Fatal(err)
	}
	o, err := bucket.Open(t.Context(), "media/film")
	if err != nil {
		t.Fatal(err)
	}
	if said := o.(storage.Informed).Info(); !same(said, info) || said.Key != info.Key {
		t.Errorf("open it is %+v, by Stat %+v", said, info)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Warm(t.Context(), "media/film", 0, 2<<20); err != nil {
		t.Fatal(err)
	}
	gateway.Stop()
	body, err := c.OpenRange(t.Context(), "media/film", 1<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil || !bytes.Equal(got, film[1<<20:2<<20]) {
		t.Errorf("%d bytes without the server: %v", len(got), err)
	}
	if _, err := c.OpenRange(t.Context(), "media/film", 2<<20, 5); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("what is not here: %v", err)
	}
	gateway.Restart()
	body, err = c.OpenRange(t.Context(), "media/film", 0, 4<<20)
	if err != nil {
		t.Fatal(err)
	}
	got, err = io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil || !bytes.Equal(got, film) {
		t.Errorf("%d bytes with it: %v", len(got), err)
	}
}
