package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"reprise/storage"
	"reprise/vod"
)

// input is an open source: for us (ReaderAt, Size) and for children (file).
type input struct {
	storage.Object
	file *os.File
}

func (in *input) Close() error {
	return errors.Join(in.Object.Close(), in.file.Close())
}

// errSourceChanged says that a stored source is not what came.
var errSourceChanged = errors.New("the stored film is not the one that came")

// openSource opens a source. One in a store that cannot lend a file is copied
// into dir once, with its hash compared on the way; the copy serves all
// attempts of a run, and one that was cut short is gone on with. progress gets 0..1 of that copy.
func (g *Ingester) openSource(ctx context.Context, s vod.Source, dir string, progress func(float64)) (*input, error) {
	key := storage.Key(s.Object)
	object, err := g.store.Open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	if filer, ok := g.store.(storage.Filer); ok {
		file, err := filer.File(key)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open source file: %w", err), object.Close())
		}
		return &input{Object: object, file: file}, nil
	}
	path := filepath.Join(dir, "source")
	if _, err := os.Stat(path); err != nil {
		if err := g.fetch(ctx, s, object, path, progress); err != nil {
			return nil, errors.Join(fmt.Errorf("copy source: %w", err), object.Close())
		}
	}
	if err := object.Close(); err != nil {
		return nil, fmt.Errorf("copy source: %w", err)
	}
	return openCopy(path)
}

// openCopy opens a local copy of a source: for us too it is faster than the store.
func openCopy(path string) (*input, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open copy of source: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open copy of source: %w", err), file.Close())
	}
	again, err := os.Open(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open copy of source: %w", err), file.Close())
	}
	return &input{Object: localObject{file, info.Size()}, file: again}, nil
}

// localObject is a file as an object.
type localObject struct {
	*os.File
	size int64
}

func (o localObject) Size() int64 { return o.size }

// fetchBuffer is how much of a source is in memory while it is copied.
const fetchBuffer = 1 << 20

// fetch copies an object to path, which appears whole or not at all.
func (g *Ingester) fetch(ctx context.Context, s vod.Source, object storage.Object, path string, progress func(float64)) (err error) {
	part, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, part.Close())
		}
	}()
	h := sha256.New()
	buffer := make([]byte, fetchBuffer)
	have, err := io.CopyBuffer(h, struct{ io.Reader }{&contextReader{ctx, io.LimitReader(part, object.Size())}}, buffer)
	if err != nil {
		return err
	}
	if err := g.need(filepath.Dir(path), object.Size()-have); err != nil {
		return err
	}
	if _, err := part.Seek(have, io.SeekStart); err != nil {
		return err
	}
	rest := &counter{r: &contextReader{ctx, io.NewSectionReader(object, have, object.Size()-have)}, done: have, total: object.Size(), hash: h,
		tell: func(done, total int64) { progress(float64(done) / float64(max(1, total))) }}
	if _, err := io.CopyBuffer(struct{ io.Writer }{part}, rest, buffer); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); s.SHA256 != "" && sum != s.SHA256 || s.Size > 0 && rest.done != s.Size {
		return errors.Join(fmt.Errorf("%w: %d bytes", errSourceChanged, rest.done), os.Remove(part.Name()))
	}
	if err := errors.Join(part.Sync(), part.Truncate(rest.done)); err != nil {
		return err
	}
	if err := part.Close(); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// open opens a stored source by its key alone: its bytes are not compared.
func (g *Ingester) open(ctx context.Context, key storage.Key, dir string) (*input, error) {
	return g.openSource(ctx, vod.Source{Object: string(key)}, dir, func(float64) {})
}
