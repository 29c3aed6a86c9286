package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"reprise/storage"
	"reprise/vod"
)

// mediaPrefix is where the objects of media lie: media/{media id}/{name}. The id cannot be guessed.
const (
	mediaPrefix  = "media/"
	sourcePrefix = "sources/"
)

func mediaKey(id vod.MediaID, name string) storage.Key {
	return storage.Key(mediaPrefix + string(id) + "/" + name)
}

// objectWriter is an object being written; exactly one of Commit and Abort must be called.
type objectWriter interface {
	io.Writer
	Commit() (storage.Info, error)
	Abort() error
}

// create begins an object: in place where the store can, through a pipe where it cannot.
func (g *Ingester) create(ctx context.Context, key storage.Key) (objectWriter, error) {
	if creator, ok := g.store.(storage.Creator); ok {
		w, err := creator.Create(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("create %s: %w", key, err)
		}
		return w, nil
	}
	r, w := io.Pipe()
	p := &pipedObject{w: w, done: make(chan struct{})}
	go func() { // ends with Commit or Abort, which wait for it
		defer close(p.done)
		p.info, p.err = g.store.Put(ctx, key, r)
		_ = r.CloseWithError(errors.Join(p.err, io.ErrClosedPipe))
	}()
	return p, nil
}

type pipedObject struct {
	w    *io.PipeWriter
	done chan struct{}
	info storage.Info
	err  error
}

func (p *pipedObject) Write(b []byte) (int, error) { return p.w.Write(b) }

func (p *pipedObject) Commit() (storage.Info, error) {
	_ = p.w.Close() // never fails
	<-p.done
	return p.info, p.err
}

var errAborted = errors.New("ingest: object given up")

func (p *pipedObject) Abort() error {
	_ = p.w.CloseWithError(errAborted)
	<-p.done
	return nil
}

// putObject writes one object with fill. It becomes visible whole or not at all.
func (g *Ingester) putObject(ctx context.Context, key storage.Key, fill func(io.Writer) error) (storage.Info, error) {
	w, err := g.create(ctx, key)
	if err != nil {
		return storage.Info{}, err
	}
	if err := fill(w); err != nil {
		return storage.Info{}, errors.Join(err, w.Abort())
	}
	info, err := w.Commit()
	if err != nil {
		return storage.Info{}, fmt.Errorf("store %s: %w", key, err)
	}
	return info, nil
}

// putFile stores a file below a media; one that was not made is "".
func (g *Ingester) putFile(ctx context.Context, id vod.MediaID, name, path string) (string, error) {
	key, err := g.putNamed(ctx, mediaKey(id, name), path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(key), err
}

// putNamed stores a file.
func (g *Ingester) putNamed(ctx context.Context, key storage.Key, path string) (storage.Key, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("store %s: %w", key, err)
	}
	defer file.Close()
	info, err := g.putObject(ctx, key, func(w io.Writer) error {
		_, err := io.Copy(w, &contextReader{ctx, file})
		return err
	})
	return info.Key, err
}

// giveFile stores a file that is not needed any more: without a copy where the store can take it over.
func (g *Ingester) giveFile(ctx context.Context, key storage.Key, path string) error {
	if adopter, ok := g.store.(storage.Adopter); ok {
		if _, err := adopter.Adopt(ctx, key, path); err == nil {
			return nil
		} // another disk, most likely: then it is copied
	}
	_, err := g.putNamed(ctx, key, path)
	return err
}

// removeObjects deletes what lies under a media's prefix.
func (g *Ingester) removeObjects(ctx context.Context, id vod.MediaID) error {
	var keys []storage.Key
	err := g.store.List(ctx, mediaKey(id, ""), func(info storage.Info) error {
		keys = append(keys, info.Key)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list objects of %s: %w", id, err)
	}
	for _, key := range keys {
		if err := g.store.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete %s: %w", key, err)
		}
	}
	return nil
}

// fetchRange copies the init segment of a rendition, and what lies from an
// offset to the end of a segment, into a file.
func (g *Ingester) fetchRange(ctx context.Context, r *vod.Rendition, from int64, to vod.Segment, path string) (err error) {
	object, err := g.store.Open(ctx, storage.Key(r.Object))
	if err != nil {
		return fmt.Errorf("read %s: %w", r.Name, err)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", r.Name, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	from = max(from, r.InitSize)
	for _, part := range []*io.SectionReader{io.NewSectionReader(object, 0, r.InitSize), io.NewSectionReader(object, from, to.Offset+to.Size-from)} {
		if _, err := io.Copy(file, &contextReader{ctx, part}); err != nil {
			return fmt.Errorf("read %s: %w", r.Name, err)
		}
	}
	return nil
}
