package uploads

import (
	"context"
	"fmt"
	"sync"
	"time"

	tus "github.com/tus/tusd/v2/pkg/handler"

	"reprise/storage"
	"reprise/vod"
)

const (
	leaseRenewal = time.Second            // so long until a holder hears that it is wanted elsewhere
	leasePoll    = 100 * time.Millisecond // between two tries of somebody who waits
	rowTimeout   = 5 * time.Second        // of one step at the rows
)

func leaseName(id vod.UploadID) string { return "uploads/" + string(id) }

// lease keeps an upload to one request among all nodes. It is tusd's Lock: who
// waits for it asks the holder to let go, on this node at once, on another with
// its next renewal.
type lease struct {
	u      *Uploads
	name   string
	holder string
	ctx    context.Context // of the one time it is held; ends with it
	end    context.CancelFunc
	ended  chan struct{} // closed when renew has returned
	given  chan struct{} // closed when it is given back

	mu    sync.Mutex
	ask   func() // breaks the request off
	armed bool   // the request can be broken off
	asked bool
	lost  bool // somebody else may have it
}

var _ tus.Lock = (*lease)(nil)

func (u *Uploads) newLease(name string) *lease {
	return &lease{u: u, name: name, holder: u.deps.Node + "/" + storage.RandomName(), ended: make(chan struct{}), given: make(chan struct{})}
}

// Lock implements tusd's Lock.
func (l *lease) Lock(ctx context.Context, requestUnlock func()) error {
	return l.take(ctx, requestUnlock)
}

// take waits for the lease until ctx ends, which is ErrLocked. ask is called
// once when it is wanted elsewhere, or lost, but not before arm.
func (l *lease) take(ctx context.Context, ask func()) (err error) {
	defer func() {
		if err != nil { // it may have been acquired just when ctx ended
			l.release()
		}
	}()
	for {
		now := l.u.deps.Now()
		ok, err := l.u.deps.Rows.AcquireLease(ctx, l.name, l.holder, now, now.Add(l.u.cfg.Lease))
		if ok {
			break
		}
		if ctx.Err() != nil {
			return ErrLocked
		}
		if err != nil {
			return fmt.Errorf("lock upload: %w", err)
		}
		if !l.wait(ctx) {
			return ErrLocked
		}
	}
	l.hold(ctx, ask)
	return nil
}

// try takes the lease if it is free, and does not wait. A holder on another node
// would be broken off: it is for uploads that nobody seems to be busy with.
func (l *lease) try(ctx context.Context) (bool, error) {
	l.u.mu.Lock()
	_, held := l.u.held[l.name]
	l.u.mu.Unlock()
	if held {
		return false, nil
	}
	now := l.u.deps.Now()
	ok, err := l.u.deps.Rows.AcquireLease(ctx, l.name, l.holder, now, now.Add(l.u.cfg.Lease))
	if ok {
		l.hold(ctx, func() {})
	}
	return ok, err
}

// hold keeps the lease that was acquired.
func (l *lease) hold(ctx context.Context, ask func()) {
	l.ask = ask
	l.ctx, l.end = context.WithCancel(context.WithoutCancel(ctx))
	l.u.mu.Lock()
	l.u.held[l.name] = l
	if l.u.down {
		l.request()
	}
	l.u.mu.Unlock()
	go l.renew() // Unlock waits for it
}

// wait asks a holder of this process to let go, and waits a moment for it.
func (l *lease) wait(ctx context.Context) bool {
	var given <-chan struct{}
	l.u.mu.Lock()
	if holder := l.u.held[l.name]; holder != nil {
		holder.request()
		given = holder.given
	}
	l.u.mu.Unlock()
	poll := time.NewTimer(leasePoll)
	defer poll.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-given:
	case <-poll.C:
	}
	return true
}

// renew prolongs the lease until it is given back. A lease that is lost, or
// cannot be prolonged before its end, breaks the request off: another may write.
func (l *lease) renew() {
	defer close(l.ended)
	tick := time.NewTicker(min(leaseRenewal, l.u.cfg.Lease/5))
	defer tick.Stop()
	end := l.u.deps.Now().Add(l.u.cfg.Lease)
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-tick.C:
		}
		now := l.u.deps.Now()
		ctx, stop := context.WithTimeout(l.ctx, l.u.cfg.Lease/2)
		held, wanted, err := l.u.deps.Rows.RenewLease(ctx, l.name, l.holder, now.Add(l.u.cfg.Lease))
		stop()
		switch {
		case l.ctx.Err() != nil:
			return
		case err != nil:
			l.u.deps.Log.Warn("an upload's lease is not renewed; trying again", "lease", l.name, "error", err)
			if l.u.deps.Now().Add(l.u.cfg.Lease / 4).After(end) {
				l.lose()
				l.request()
			}
		case !held:
			l.lose()
			l.request()
		case wanted:
			l.request()
		}
		if err == nil {
			end = now.Add(l.u.cfg.Lease)
		}
	}
}

func (l *lease) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = true
}

// ours tells whether the lease can still be relied on.
func (l *lease) ours() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.lost
}

// request asks the holder to let go: now, or as soon as it can be broken off.
func (l *lease) request() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.armed && !l.asked {
		l.ask()
	}
	l.asked = true
}

// arm says that the request reads its body: before that tusd has nothing to
// break off, and would forget that it was asked.
func (l *lease) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked && !l.armed {
		l.ask()
	}
	l.armed = true
}

// Unlock implements tusd's Lock.
func (l *lease) Unlock() error {
	l.end()
	<-l.ended
	l.release()
	l.u.mu.Lock()
	if l.u.held[l.name] == l { // the next one may have it since release
		delete(l.u.held, l.name)
	}
	l.u.mu.Unlock()
	close(l.given)
	return nil
}

// release gives the lease back in the rows, whatever became of the request.
func (l *lease) release() {
	ctx, stop := context.WithTimeout(context.Background(), rowTimeout)
	defer stop()
	if err := l.u.deps.Rows.ReleaseLease(ctx, l.name, l.holder); err != nil {
		l.u.deps.Log.Warn("an upload's lease is not given back; it ends by itself", "lease", l.name, "error", err)
	}
}
