package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"reprise/vod"
)

// listen runs a child and hands each sink what the child writes to one more
// descriptor: the first sink's is 3+len(c.files), the next ones follow
// (sinkName). Sinks are written to from one goroutine each, until listen
// returns; what they return is ignored, so that a child never waits for one that has had enough.
func (g *Ingester) listen(ctx context.Context, c child, sinks ...io.Writer) (err error) {
	var readers, writers []*os.File
	closeAll := func(files []*os.File) {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
	}
	for range sinks {
		r, w, fault := os.Pipe()
		if fault != nil {
			closeAll(append(readers, writers...))
			return errors.Join(fmt.Errorf("make pipe: %w", fault), err)
		}
		readers, writers = append(readers, r), append(writers, w)
	}
	c.files = append(slices.Clip(c.files), writers...)
	var wait sync.WaitGroup
	for i, sink := range sinks {
		wait.Go(func() {
			buffer := make([]byte, 64<<10)
			for {
				n, fault := readers[i].Read(buffer)
				_, _ = sink.Write(buffer[:n])
				if fault != nil {
					return
				}
			}
		})
	}
	err = g.run(ctx, c)
	closeAll(writers) // ours were the last ones: the readers come to an end
	wait.Wait()
	closeAll(readers)
	return err
}

// sinkName is the file name under which a child with so many files writes to sink i of listen.
func sinkName(files, i int) string { return fmt.Sprintf("pipe:%d", 3+files+i) }

// longestFirst bounds a list of time codes; of more, the longest are kept. They come in the order of time.
func longestFirst(spans []vod.Span, most int) []vod.Span {
	if len(spans) > most {
		spans = slices.Clone(spans)
		slices.SortStableFunc(spans, func(a, b vod.Span) int {
			switch la, lb := a.To-a.From, b.To-b.From; {
			case la > lb:
				return -1
			case la < lb:
				return 1
			}
			return 0
		})
		spans = spans[:most]
	}
	slices.SortFunc(spans, func(a, b vod.Span) int {
		if a.From < b.From {
			return -1
		}
		return 1
	})
	return spans
}
