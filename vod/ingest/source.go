package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"reprise/storage"
)

// input is an open source: for us (Object) and for children (file).
type input struct {
	storage.Object
	file *os.File
}

func (in *input) Close() error {
	return errors.Join(in.Object.Close(), in.file.Close())
}

// open opens a stored source. A store that cannot lend a file is copied into dir.
func (g *Ingester) open(ctx context.Context, key storage.Key, dir string) (*input, error) {
	object, err := g.store.Open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	file, err := g.lend(ctx, key, object, dir)
	if err != nil {
		return nil, errors.Join(err, object.Close())
	}
	return &input{Object: object, file: file}, nil
}

func (g *Ingester) lend(ctx context.Context, key storage.Key, object storage.Object, dir string) (*os.File, error) {
	if filer, ok := g.store.(storage.Filer); ok {
		file, err := filer.File(key)
		if err != nil {
			return nil, fmt.Errorf("open source file: %w", err)
		}
		return file, nil
	}
	file, err := os.CreateTemp(dir, "source-*")
	if err != nil {
		return nil, fmt.Errorf("copy source: %w", err)
	}
	err = os.Remove(file.Name()) // it lives on under its descriptor
	if err == nil {
		_, err = io.Copy(file, &contextReader{ctx, io.NewSectionReader(object, 0, object.Size())})
	}
	if err != nil {
		return nil, fmt.Errorf("copy source: %w", errors.Join(err, file.Close()))
	}
	return file, nil
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
