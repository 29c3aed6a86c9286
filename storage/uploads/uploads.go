package uploads

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	exp "golang.org/x/exp/slog"

	"reprise/storage"
	"reprise/vod"
)

// Config are the limits of what may come in. Zero means the value in brackets.
type Config struct {
	Dir      string        // unfinished files; with a disk store on its file system. Made when missing
	Path     string        // where api mounts the handler ["/api/v1/uploads/"]
	MaxSize  int64         // bytes of one file; 0: no limit but the quota
	Quota    int64         // bytes of one event: open and complete uploads as announced, and originals kept; 0: none
	PerOwner int           // open uploads of one person [20]
	Expire   time.Duration // an open upload goes so long after its last byte, at the latest four times this after its beginning [7 days]
	Keep     time.Duration // rows of taken and refused uploads are kept so long [Expire]
	Idle     time.Duration // a connection on which no byte moves for so long is closed [30 s]
	Grace    time.Duration // what came is put away within so long after a connection broke [10 s]
	Wait     time.Duration // a request waits so long for one that is busy with the same upload [20 s]
	Lease    time.Duration // a node that died holds an upload so long [15 s]
	Sweep    time.Duration // between two sweeps of Run [10 min]
	PartSize int64         // bytes of a part on S3 [16 MiB]; more where a file needs more than 10,000 parts
}

func (c *Config) defaults() {
	for _, d := range []struct {
		value *time.Duration
		is    time.Duration
	}{{&c.Expire, 7 * 24 * time.Hour}, {&c.Idle, 30 * time.Second}, {&c.Grace, 10 * time.Second}, {&c.Wait, 20 * time.Second}, {&c.Lease, 15 * time.Second}, {&c.Sweep, 10 * time.Minute}} {
		if *d.value <= 0 {
			*d.value = d.is
		}
	}
	if c.Keep <= 0 {
		c.Keep = c.Expire
	}
	if c.PerOwner <= 0 {
		c.PerOwner = 20
	}
	if c.Path == "" {
		c.Path = "/api/v1/uploads/"
	}
	if c.PartSize < minPartSize {
		c.PartSize = defaultPartSize
	}
}

// Meta is what is asked about: New tells a creation, whose Upload is what the
// client announced (Name, Type, Size, SHA256, Fingerprint, Talk, Languages,
// Language, Asset), from a later request, whose Upload is the row.
type Meta struct {
	Method string // POST HEAD PATCH DELETE
	New    bool
	Upload vod.Upload
}

// Permit is what a caller may do. Of a creation it fixes the row: what is empty
// here is taken as announced.
type Permit struct {
	Owner     string // subject of the token; never empty
	Staff     bool   // may go on with, and cancel, uploads of others
	Event     string
	Talk      string
	Languages []string
	HandIn    string
	Asset     vod.AssetID
	By        string
	MaxSize   int64 // bytes; 0: Config's
}

// Deps is what uploads are built on.
type Deps struct {
	// Store keeps the objects: one that is a storage.Adopter (disk) or a
	// storage.Parter (S3). Not a cache before it.
	Store storage.Store
	Rows  vod.Uploads
	Log   *slog.Logger
	Now   func() time.Time
	Node  string // name of this process among those that share the rows
	// Authorize says who is asking, before the first byte of each request. Its error goes to Problem.
	Authorize func(r *http.Request, meta Meta) (Permit, error)
	// Finished hears of a complete upload: it may hear of one again, until the
	// row is no longer complete, and must not do the work twice.
	Finished func(ctx context.Context, u vod.Upload) error
	// Problem writes an error as the body of an answer. Headers of tus are set
	// already and must stay. The status is HTTPStatus's where the chain has a *Fault.
	Problem func(w http.ResponseWriter, r *http.Request, err error)
	// Used says how many bytes of originals an event keeps beside its uploads;
	// nil: none are counted.
	Used func(ctx context.Context, event string) (int64, error)
}

// Uploads takes recordings in.
type Uploads struct {
	cfg    Config
	deps   Deps
	back   backend
	tusLog *exp.Logger

	mu   sync.Mutex
	held map[string]*lease // leases of this process, by name
	down bool              // no request may last any more
}

// New opens the unfinished uploads of cfg.Dir and of the store. Nothing runs until Run.
func New(cfg Config, deps Deps) (*Uploads, error) {
	if deps.Store == nil || deps.Rows == nil || deps.Log == nil || deps.Now == nil || deps.Authorize == nil || deps.Finished == nil || deps.Problem == nil {
		return nil, errors.New("uploads: a dependency is missing")
	}
	cfg.defaults()
	u := &Uploads{cfg: cfg, deps: deps, tusLog: newTusLogger(deps.Log), held: map[string]*lease{}}
	var err error
	switch store := deps.Store.(type) {
	case storage.Adopter:
		u.back, err = newDiskBackend(cfg.Dir, deps.Store, store)
	case storage.Parter:
		u.back, err = newPartsBackend(cfg.Dir, cfg.PartSize, deps.Store, store)
	default:
		err = fmt.Errorf("a %T can neither adopt files nor take parts", deps.Store)
	}
	if err != nil {
		return nil, fmt.Errorf("uploads: %w", err)
	}
	return u, nil
}

// Find returns the open upload that owner began of the same file: same
// fingerprint, same size. ErrNotFound when there is none.
func (u *Uploads) Find(ctx context.Context, event, owner, fingerprint string, size int64) (vod.Upload, error) {
	if fingerprint == "" {
		return vod.Upload{}, ErrNotFound
	}
	rows, err := u.deps.Rows.Uploads(ctx, event)
	if err != nil {
		return vod.Upload{}, fmt.Errorf("find upload: %w", err)
	}
	for _, row := range rows {
		if row.State == vod.UploadOpen && row.Owner == owner && row.Fingerprint == fingerprint && row.Size == size && !u.expired(&row) {
			return row, nil
		}
	}
	return vod.Upload{}, ErrNotFound
}

// Used returns how many bytes of an event's quota are used, and the quota (0: none).
func (u *Uploads) Used(ctx context.Context, event string) (used, limit int64, err error) {
	rows, err := u.deps.Rows.Uploads(ctx, event)
	if err != nil {
		return 0, 0, fmt.Errorf("count uploads: %w", err)
	}
	used, err = u.usedBy(ctx, event, rows)
	return used, u.cfg.Quota, err
}

func (u *Uploads) usedBy(ctx context.Context, event string, rows []vod.Upload) (used int64, err error) {
	if u.deps.Used != nil {
		if used, err = u.deps.Used(ctx, event); err != nil {
			return 0, fmt.Errorf("count originals: %w", err)
		}
	}
	for i := range rows {
		if open := rows[i].State == vod.UploadOpen && !u.expired(&rows[i]); open || rows[i].State == vod.UploadComplete {
			used += rows[i].Size
		}
	}
	return used, nil
}

// row returns an upload's row; ErrNotFound is ours.
func (u *Uploads) row(ctx context.Context, id vod.UploadID) (vod.Upload, error) {
	row, err := u.deps.Rows.Upload(ctx, id)
	switch {
	case errors.Is(err, vod.ErrNotFound):
		return vod.Upload{}, ErrNotFound
	case err != nil:
		return vod.Upload{}, fmt.Errorf("upload %s: %w", id, err)
	}
	return row, nil
}

func (u *Uploads) expired(row *vod.Upload) bool { return !u.deps.Now().Before(row.Expires) }

// expiry is when an upload goes whose last byte came at touched. An end in any
// case lets the store be swept of what nobody remembers.
func (u *Uploads) expiry(created, touched time.Time) time.Time {
	last := created.Add(u.lifetime())
	if e := touched.Add(u.cfg.Expire); e.Before(last) {
		return e
	}
	return last
}

func (u *Uploads) lifetime() time.Duration { return 4 * u.cfg.Expire }

// create writes the row, in the quota, and makes room for the bytes. The row is
// first: whatever the store holds without one may be swept.
func (u *Uploads) create(ctx context.Context, row *vod.Upload) error {
	l := u.newLease("uploads/quota/" + row.Event)
	waiting, stop := context.WithTimeout(ctx, u.cfg.Wait)
	defer stop()
	if err := l.take(waiting, func() {}); err != nil {
		return err
	}
	err := u.admit(ctx, row)
	if err == nil {
		err = u.deps.Rows.CreateUpload(ctx, *row)
	}
	_ = l.Unlock() // never fails
	if err != nil {
		return err
	}
	if err := u.back.begin(ctx, row); err != nil {
		return errors.Join(fmt.Errorf("begin upload: %w", err), u.back.remove(ctx, row), u.deps.Rows.DeleteUpload(ctx, row.ID))
	}
	return nil
}

// admit says whether the event has room, and the owner a place, for one more.
func (u *Uploads) admit(ctx context.Context, row *vod.Upload) error {
	rows, err := u.deps.Rows.Uploads(ctx, row.Event)
	if err != nil {
		return fmt.Errorf("count uploads: %w", err)
	}
	open := 0
	for i := range rows {
		if rows[i].Owner == row.Owner && rows[i].State == vod.UploadOpen && !u.expired(&rows[i]) {
			open++
		}
	}
	if open >= u.cfg.PerOwner {
		return ErrTooMany
	}
	if u.cfg.Quota <= 0 {
		return nil
	}
	used, err := u.usedBy(ctx, row.Event, rows)
	if err != nil {
		return err
	}
	if row.Size > u.cfg.Quota-used {
		return &ErrQuota{Used: used, Limit: u.cfg.Quota}
	}
	return nil
}

// Cancel gives an upload up that no film is made of yet, and removes its bytes.
// A request that is busy with it is broken off first. One that was given up is not an error.
func (u *Uploads) Cancel(ctx context.Context, id vod.UploadID) error {
	ctx, stop := context.WithTimeout(ctx, u.cfg.Wait)
	defer stop()
	l := u.newLease(leaseName(id))
	if err := l.take(ctx, func() {}); err != nil {
		return err
	}
	defer func() { _ = l.Unlock() }() // never fails
	row, err := u.row(ctx, id)
	if err != nil {
		return err
	}
	return u.refuse(ctx, &row, reasonCancelled)
}

// Interrupt breaks off the running requests and lets no new one last: what came
// is stored, and clients go on at once elsewhere. It is for a server's stop.
func (u *Uploads) Interrupt() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.down = true
	for _, l := range u.held {
		l.request()
	}
}
