package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// CopyOptions says how Copy works. The zero value copies everything.
type CopyOptions struct {
	Prefix  Key    // only objects whose key begins so
	Workers int    // objects at once; 4
	Ledger  string // path of a file that keeps what was verified between these two stores, so that a later run need not read it again; "": none
}

// CopyProgress is how far a Copy is. Totals grow with each pass.
type CopyProgress struct {
	Pass                  int
	Key                   Key // of the object that moved last
	Objects, TotalObjects int
	Bytes, TotalBytes     int64
}

// CopyReport is what a Copy did.
type CopyReport struct {
	Copied  int   // objects
	Bytes   int64 // of those
	Skipped int   // objects that were there, and the same
	Gone    int   // objects that the source lost while it was copied
	Passes  int
	Failed  []CopyFailure
}

// CopyFailure is an object that was not copied, and why.
type CopyFailure struct {
	Key Key
	Err error
}

const (
	copyWorkers  = 4
	copyPasses   = 5  // at most; a source that gains objects faster needs another run
	copyTries    = 3  // of one object that comes back different or changes
	copyFailures = 20 // objects that may fail before the rest is not tried
	copyTell     = 8 << 20
)

// errDiffers is of an object that came back from the target other than it was sent.
var errDiffers = errors.New("storage: what came back is not what was sent")

// Copy copies everything from one store to another. Each object is read back
// from the target and compared by SHA-256; one that is there with the same size
// and hash is left alone, so that a run after a kill goes on where the other was
// killed. Where the stores differ under a key, the source is right. Nothing is
// ever deleted but an object of the target that came back different.
//
// The source may be in use: what it loses meanwhile is counted as gone, what it
// gains is copied by further passes, until a pass finds nothing new. tell, which
// may be nil, is called from one goroutine at a time, at least once an object and every 8 MiB.
//
// The error is of the context, of a list, or says that objects failed (report.Failed).
func Copy(ctx context.Context, from, to Store, o CopyOptions, tell func(CopyProgress)) (CopyReport, error) {
	setDefault(&o.Workers, copyWorkers)
	if tell == nil {
		tell = func(CopyProgress) {}
	}
	ledger, err := openLedger(o.Ledger)
	if err != nil {
		return CopyReport{}, fmt.Errorf("copy: %w", err)
	}
	c := &copier{from: from, to: to, ledger: ledger, tell: tell, settled: map[Key]Info{}, failed: map[Key]error{}, again: map[Key]bool{}}
	err = c.passes(ctx, o)
	report := c.report
	for key, err := range c.failed {
		report.Failed = append(report.Failed, CopyFailure{key, err})
	}
	slices.SortFunc(report.Failed, func(a, b CopyFailure) int { return strings.Compare(string(a.Key), string(b.Key)) })
	if err == nil && len(report.Failed) > 0 {
		first := report.Failed[0]
		err = fmt.Errorf("copy: %d objects were not copied, one of them %s: %w", len(report.Failed), first.Key, first.Err)
	}
	return report, errors.Join(err, ledger.close())
}

// copier is one Copy.
type copier struct {
	from, to Store
	ledger   *ledger

	mu       sync.Mutex // guards below, and that tell is called by one
	tell     func(CopyProgress)
	told     int64 // bytes since tell was called
	progress CopyProgress
	report   CopyReport
	settled  map[Key]Info  // by the source's info: nothing is left to do
	failed   map[Key]error // the last failure
	again    map[Key]bool  // failed in an earlier pass: not tried a third time
	fatal    error         // no other object would fare better
}

func (c *copier) passes(ctx context.Context, o CopyOptions) error {
	for pass := 1; pass <= copyPasses; pass++ {
		todo, err := c.list(ctx, o.Prefix)
		if err != nil {
			return fmt.Errorf("copy: %w", err)
		}
		if len(todo) == 0 {
			return nil
		}
		c.report.Passes, c.progress.Pass = pass, pass
		c.run(ctx, todo, o.Workers)
		if ctx.Err() != nil {
			return fmt.Errorf("copy: %w", context.Cause(ctx))
		}
		if c.fatal != nil {
			return fmt.Errorf("copy: %w", c.fatal)
		}
		if len(c.failed) >= copyFailures {
			return nil // the caller sees them
		}
	}
	return nil
}

// list returns what is left to do and adds it to the totals.
func (c *copier) list(ctx context.Context, prefix Key) ([]Info, error) {
	var todo []Info
	err := c.from.List(ctx, prefix, func(i Info) error {
		done, known := c.settled[i.Key]
		if known && done.Size == i.Size && done.Modified.Equal(i.Modified) || c.again[i.Key] {
			return nil
		}
		if _, failed := c.failed[i.Key]; failed {
			c.again[i.Key] = true
		} else {
			c.progress.TotalObjects++
			c.progress.TotalBytes += i.Size
		}
		todo = append(todo, i)
		return nil
	})
	return todo, err
}

// run works on a pass with several workers.
func (c *copier) run(ctx context.Context, todo []Info, workers int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make(chan Info)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(next)
	for range workers {
		wg.Go(func() {
			for i := range next {
				if !c.settle(ctx, i) {
					cancel()
				}
			}
		})
	}
	for _, i := range todo {
		select {
		case next <- i:
		case <-ctx.Done():
			return
		}
	}
}

// settle does one object and notes what became of it; false: stop.
func (c *copier) settle(ctx context.Context, i Info) bool {
	m := &moving{c: c, key: i.Key}
	outcome, err := c.object(ctx, i, m)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		m.rewind()
		if ctx.Err() != nil {
			return false
		}
		c.failed[i.Key] = err
		if errors.Is(err, ErrNoSpace) || errors.Is(err, fs.ErrPermission) {
			c.fatal = err
		}
		return c.fatal == nil && len(c.failed) < copyFailures
	}
	delete(c.failed, i.Key)
	c.settled[i.Key] = i
	switch outcome {
	case wasCopied:
		c.report.Copied++
		c.report.Bytes += i.Size
	case wasThere:
		c.report.Skipped++
	case isGone:
		c.report.Gone++
	}
	c.progress.Key = i.Key
	c.progress.Objects++
	c.progress.Bytes += i.Size - m.counted
	c.told = 0
	c.tell(c.progress)
	return true
}

// outcome is what became of an object.
type outcome int

const (
	wasCopied outcome = iota
	wasThere
	isGone
)

// object sees to it that the target has an object as the source has it.
func (c *copier) object(ctx context.Context, i Info, m *moving) (outcome, error) {
	there, err := c.to.Stat(ctx, i.Key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	if err == nil && there.Size == i.Size {
		if c.ledger.has(i, there) {
			return wasThere, nil
		}
		same, err := c.same(ctx, i.Key)
		if err == nil && same {
			return wasThere, c.ledger.add(i, there)
		}
		if err != nil && !moved(err) {
			return 0, err
		}
	}
	for range copyTries {
		if err = c.transfer(ctx, i.Key, m); err == nil {
			if there, err = c.to.Stat(ctx, i.Key); err != nil {
				return 0, err
			}
			return wasCopied, c.ledger.add(i, there)
		}
		if errors.Is(err, errGone) {
			return isGone, nil
		}
		c.mu.Lock()
		m.rewind()
		c.mu.Unlock()
		if !moved(err) && !errors.Is(err, errDiffers) {
			return 0, err
		}
	}
	if errors.Is(err, errDiffers) {
		err = errors.Join(err, c.to.Delete(ctx, i.Key))
	}
	return 0, err
}

// errGone is of an object that the source does not have any more.
var errGone = errors.New("storage: the source lost the object")

// moved reports whether err is of an object that was replaced or deleted while it was read.
func moved(err error) bool { return errors.Is(err, ErrChanged) || errors.Is(err, ErrNotFound) }

// transfer copies one object and reads it back.
func (c *copier) transfer(ctx context.Context, key Key, m *moving) error {
	o, err := c.from.Open(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return errGone
	}
	if err != nil {
		return err
	}
	defer o.Close()
	sent := sha256.New()
	info, err := c.to.Put(ctx, key, &tee{r: o, size: o.Size(), into: io.MultiWriter(sent, m)})
	if err != nil {
		return err
	}
	if info.Size != o.Size() {
		return fmt.Errorf("copy %s: %d of %d bytes: %w", key, info.Size, o.Size(), errDiffers)
	}
	came, err := hashOf(ctx, c.to, key)
	if err != nil {
		return fmt.Errorf("read back %s: %w", key, err)
	}
	if [sha256.Size]byte(sent.Sum(nil)) != came {
		return fmt.Errorf("copy %s: %w", key, errDiffers)
	}
	return nil
}

// tee is io.TeeReader that also says how much there is, for stores that send in parts.
type tee struct {
	r    io.Reader
	size int64
	into io.Writer
}

func (t *tee) Size() int64 { return t.size }

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	_, _ = t.into.Write(p[:n]) // a hash and a counter never fail
	return n, err
}

// same compares an object of both stores by hash.
func (c *copier) same(ctx context.Context, key Key) (bool, error) {
	a, err := hashOf(ctx, c.from, key)
	if err != nil {
		return false, err
	}
	b, err := hashOf(ctx, c.to, key)
	return a == b, err
}

// hashOf reads a whole object.
func hashOf(ctx context.Context, s Store, key Key) (sum [sha256.Size]byte, err error) {
	o, err := s.Open(ctx, key)
	if err != nil {
		return sum, err
	}
	defer o.Close()
	h := sha256.New()
	buffer := make([]byte, 256<<10)
	for {
		if ctx.Err() != nil {
			return sum, context.Cause(ctx)
		}
		n, err := o.Read(buffer)
		h.Write(buffer[:n])
		if errors.Is(err, io.EOF) {
			return [sha256.Size]byte(h.Sum(nil)), nil
		}
		if err != nil {
			return sum, err
		}
	}
}

// moving counts the bytes of an object on its way.
type moving struct {
	c       *copier
	key     Key
	counted int64 // guarded by c.mu
}

// Write implements io.Writer.
func (m *moving) Write(p []byte) (int, error) {
	c := m.c
	c.mu.Lock()
	defer c.mu.Unlock()
	m.counted += int64(len(p))
	c.progress.Bytes += int64(len(p))
	if c.told += int64(len(p)); c.told >= copyTell {
		c.told, c.progress.Key = 0, m.key
		c.tell(c.progress)
	}
	return len(p), nil
}

// rewind takes back what was counted of a try that failed; c.mu is held.
func (m *moving) rewind() {
	m.c.progress.Bytes -= m.counted
	m.counted = 0
}
