package uploads

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	tus "github.com/tus/tusd/v2/pkg/handler"

	"reprise/storage"
	"reprise/vod"
)

const (
	idLength = 26
	noteTime = 2 * time.Second // between two notes of how far a running request is
)

func validID(s string) bool {
	return len(s) == idLength && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '2' || r > '7') })
}

// Handler serves tus 1.0 at the root that it is given: api takes its prefix
// off. It sets its own deadlines; api must not bound bodies or their time.
func (u *Uploads) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{u: u, w: w, r: r}
		x.serve()
	})
}

// exchange is one request on its way through tusd: its data store, its locker,
// and the ResponseWriter that turns tusd's errors into ours.
type exchange struct {
	u      *Uploads
	w      http.ResponseWriter
	r      *http.Request
	row    vod.Upload
	sink   sink
	lease  *lease
	err    error // of ours, that tusd would make a text of
	status int   // of an error that is held back until tusd is done; 0: none
	text   []byte
	sent   bool

	mu     sync.Mutex
	broken bool // tusd wants the body's reads to end
}

var (
	_ tus.DataStore           = (*exchange)(nil)
	_ tus.TerminaterDataStore = (*exchange)(nil)
	_ tus.Locker              = (*exchange)(nil)
	_ http.ResponseWriter     = (*exchange)(nil)
)

func (x *exchange) serve() {
	x.r.Header.Del("X-HTTP-Method-Override") // tusd would follow it, past Authorize
	x.w.Header().Set("Tus-Resumable", "1.0.0")
	x.w.Header().Set("Cache-Control", "no-store")
	// tusd's last write deadline must not fall upon the next request of the connection.
	defer func() { _ = http.NewResponseController(x.w).SetWriteDeadline(time.Time{}) }() // a recorder in a test has none
	err := x.admit()
	if err == nil {
		err = x.pass()
	}
	if err != nil {
		h := x.w.Header()
		for _, name := range []string{"Content-Type", "Content-Length", "Upload-Length", "Upload-Metadata"} {
			h.Del(name)
		}
		x.u.deps.Problem(x.w, x.r, err)
	}
}

// admit asks who it is, before a byte of the body is read, and reads the row.
func (x *exchange) admit() error {
	id := strings.Trim(x.r.URL.Path, "/")
	switch {
	case x.r.Method == http.MethodOptions:
		return nil
	case x.r.Method == http.MethodPost && id == "":
		return x.admitNew()
	case x.r.Method == http.MethodHead || x.r.Method == http.MethodPatch || x.r.Method == http.MethodDelete:
		return x.admitKnown(id)
	}
	x.w.Header().Set("Allow", "OPTIONS, POST, HEAD, PATCH, DELETE")
	return &Fault{http.StatusMethodNotAllowed, "method-not-allowed", "method not allowed"}
}

func (x *exchange) admitNew() error {
	row, faulty := announced(x.r.Header)
	permit, err := x.u.deps.Authorize(x.r, Meta{Method: x.r.Method, New: true, Upload: row})
	switch {
	case err != nil:
		return err
	case permit.Owner == "":
		return errors.New("a permit without owner")
	case faulty != nil: // said only to those who may know
		return faulty
	}
	limit := x.u.cfg.MaxSize
	if permit.MaxSize > 0 && (limit == 0 || permit.MaxSize < limit) {
		limit = permit.MaxSize
	}
	if limit > 0 && row.Size > limit {
		return ErrTooLarge
	}
	now := x.u.deps.Now().UTC()
	row.ID = vod.UploadID(storage.RandomName())
	row.State = vod.UploadOpen
	row.Owner, row.Event, row.HandIn, row.By = permit.Owner, permit.Event, permit.HandIn, permit.By
	if permit.Talk != "" {
		row.Talk = permit.Talk
	}
	if len(permit.Languages) > 0 {
		row.Languages = permit.Languages
	}
	if permit.Asset != "" {
		row.Asset = permit.Asset
	}
	row.Object = string(objectKey(row.ID))
	row.Created, row.Touched, row.Expires = now, now, x.u.expiry(now, now)
	x.row = row
	return nil
}

func (x *exchange) admitKnown(id string) error {
	if !validID(id) {
		return ErrNotFound
	}
	row, err := x.u.row(x.r.Context(), vod.UploadID(id))
	if err != nil {
		return err
	}
	permit, err := x.u.deps.Authorize(x.r, Meta{Method: x.r.Method, Upload: row})
	if err != nil {
		return err
	}
	if permit.Owner == "" || permit.Owner != row.Owner && (!permit.Staff || permit.Event != "" && permit.Event != row.Event) {
		return ErrNotYours
	}
	x.row = row
	return x.usable()
}

// usable says whether the upload can still be asked about.
func (x *exchange) usable() error {
	switch {
	case x.row.State == vod.UploadRefused:
		return errRefused(x.row.Reason)
	case x.row.State == vod.UploadOpen && x.u.expired(&x.row):
		return ErrExpired
	}
	return nil
}

// pass lets tusd speak the protocol over this one request's own store.
func (x *exchange) pass() error {
	composer := tus.NewStoreComposer()
	composer.UseCore(x)
	composer.UseTerminater(x)
	composer.UseLocker(x)
	protocol, err := tus.NewHandler(tus.Config{
		StoreComposer:                    composer,
		MaxSize:                          x.u.cfg.MaxSize,
		BasePath:                         x.u.cfg.Path,
		DisableDownload:                  true,
		DisableConcatenation:             true,
		Cors:                             &tus.CorsConfig{Disable: true},
		Logger:                           x.u.tusLog,
		GracefulRequestCompletionTimeout: x.u.cfg.Grace,
		AcquireLockTimeout:               x.u.cfg.Wait,
		NetworkTimeout:                   x.u.cfg.Idle,
	})
	if err != nil {
		return fmt.Errorf("tus: %w", err)
	}
	r := x.r.WithContext(x.r.Context())
	r.Body = &body{ReadCloser: x.r.Body, x: x}
	protocol.ServeHTTP(x, r)
	switch {
	case x.status == 0:
		return nil
	case x.err != nil:
		return x.err
	}
	return protocolFault(x.status, string(x.text))
}

// fail keeps an error of ours for the answer.
func (x *exchange) fail(err error) error {
	if err != nil && x.err == nil {
		x.err = err
	}
	return err
}

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.w.Header() }

// WriteHeader implements http.ResponseWriter. Errors are held back.
func (x *exchange) WriteHeader(status int) {
	if x.sent || x.status != 0 {
		return
	}
	h := x.w.Header()
	if x.sink != nil && x.r.Method != http.MethodDelete {
		h.Set("Upload-Offset", strconv.FormatInt(x.sink.offset(), 10))
	}
	if status >= http.StatusBadRequest {
		x.status = status
		return
	}
	if x.row.State == vod.UploadOpen && x.r.Method != http.MethodDelete {
		h.Set("Upload-Expires", x.row.Expires.UTC().Format(http.TimeFormat))
	}
	if h.Get("Location") != "" {
		h.Set("Location", x.u.cfg.Path+string(x.row.ID)) // without a host: a proxy before us may speak HTTPS
	}
	if extensions := h.Get("Tus-Extension"); extensions != "" {
		h.Set("Tus-Extension", extensions+",expiration")
	}
	x.sent = true
	x.w.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status != 0 {
		x.text = append(x.text, p[:min(len(p), 256)]...)
		return len(p), nil
	}
	return x.w.Write(p)
}

// Unwrap lets http.ResponseController find the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.w }

// SetReadDeadline is called by tusd: with the present to end the body's reads for good.
func (x *exchange) SetReadDeadline(t time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.broken {
		return nil
	}
	x.broken = !t.After(time.Now()) // the connection's clock is the machine's
	return http.NewResponseController(x.w).SetReadDeadline(t)
}

// body gives each read its own time to wait: the store may have taken longer
// over the bytes before than a client may stay silent.
type body struct {
	io.ReadCloser
	x *exchange
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.x.SetReadDeadline(time.Now().Add(b.x.u.cfg.Idle)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return b.ReadCloser.Read(p)
}

// NewLock implements tusd's Locker.
func (x *exchange) NewLock(id string) (tus.Lock, error) {
	x.lease = x.u.newLease(leaseName(vod.UploadID(id)))
	return lock{x.lease, x}, nil
}

// lock is a lease whose errors come to the answer.
type lock struct {
	*lease
	x *exchange
}

func (l lock) Lock(ctx context.Context, requestUnlock func()) error {
	return l.x.fail(l.lease.Lock(ctx, requestUnlock))
}

// NewUpload implements tusd's DataStore: the row was made by admit.
func (x *exchange) NewUpload(ctx context.Context, _ tus.FileInfo) (tus.Upload, error) {
	if err := x.fail(x.u.create(ctx, &x.row)); err != nil {
		return nil, err
	}
	return x.open(ctx)
}

// GetUpload implements tusd's DataStore. The row is read again, now that nobody
// else changes it. An upload that has all its bytes is finished here: whoever
// asks where it stands must find it so.
func (x *exchange) GetUpload(ctx context.Context, id string) (tus.Upload, error) {
	row, err := x.u.row(ctx, vod.UploadID(id))
	if err == nil {
		x.row = row
		err = x.usable()
	}
	if x.fail(err) != nil {
		return nil, err
	}
	return x.open(ctx)
}

func (x *exchange) open(ctx context.Context) (tus.Upload, error) {
	// Of a complete or taken one the bytes are the library's; of one to be removed it does not matter how many there are.
	if x.row.State != vod.UploadOpen || x.r.Method == http.MethodDelete {
		x.sink = &wholeSink{row: &x.row}
		return &upload{x}, nil
	}
	s, err := x.u.back.open(ctx, &x.row)
	if errors.Is(err, ErrNotFound) && x.row.Offset == 0 { // a process died between the row and the room for its bytes
		if err = x.u.back.begin(ctx, &x.row); err == nil {
			s, err = x.u.back.open(ctx, &x.row)
		}
	}
	if x.fail(err) != nil {
		return nil, err
	}
	x.sink = s
	if s.offset() == x.row.Size {
		if err := x.fail(x.u.finish(ctx, &x.row, s, resume(&x.row, s))); err != nil {
			return nil, err
		}
	}
	return &upload{x}, nil
}

// AsTerminatableUpload implements tusd's TerminaterDataStore.
func (x *exchange) AsTerminatableUpload(up tus.Upload) tus.TerminatableUpload {
	return up.(*upload)
}
