package uploads

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	tus "github.com/tus/tusd/v2/pkg/handler"

	"reprise/vod"
)

// upload is the upload of one request, as tusd sees it.
type upload struct {
	x *exchange
}

var errNotOffered = errors.New("uploads: bytes are not given back")

// GetInfo implements tusd's Upload.
func (up *upload) GetInfo(context.Context) (tus.FileInfo, error) {
	row := &up.x.row
	meta := tus.MetaData{"filename": row.Name}
	for key, value := range map[string]string{
		"filetype": row.Type, "fingerprint": row.Fingerprint, "talk": row.Talk,
		"languages": strings.Join(row.Languages, ","), "language": row.Language,
	} {
		if value != "" {
			meta[key] = value
		}
	}
	return tus.FileInfo{ID: string(row.ID), Size: row.Size, Offset: up.x.sink.offset(), MetaData: meta}, nil
}

// WriteChunk implements tusd's Upload. The row is told how far the bytes are
// every few seconds and at the end, with the state of their sum, also when the
// client is gone: ctx lasts for the grace then.
func (up *upload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	x := up.x
	sum := resume(&x.row, x.sink)
	x.lease.arm()
	last := x.u.deps.Now()
	var latest *progress // not noted yet
	err := x.sink.write(ctx, src, sum, func(p progress) error {
		latest = &p
		if !x.lease.ours() {
			latest = nil // the row is another's now
			return ErrLocked
		}
		if now := x.u.deps.Now(); now.Sub(last) < noteTime {
			return nil
		}
		last, latest = x.u.deps.Now(), nil
		return x.u.note(ctx, &x.row, p)
	})
	if latest != nil {
		err = errors.Join(err, x.u.note(context.WithoutCancel(ctx), &x.row, *latest))
	}
	return x.sink.offset() - offset, x.fail(err)
}

// FinishUpload implements tusd's Upload. The bytes are there: it goes on when the client does not wait.
func (up *upload) FinishUpload(ctx context.Context) error {
	x := up.x
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer stop()
	return x.fail(x.u.finish(ctx, &x.row, x.sink, resume(&x.row, x.sink)))
}

// Terminate implements tusd's TerminatableUpload.
func (up *upload) Terminate(ctx context.Context) error {
	return up.x.fail(up.x.u.refuse(ctx, &up.x.row, reasonCancelled))
}

// GetReader implements tusd's Upload; downloads are off.
func (up *upload) GetReader(context.Context) (io.ReadCloser, error) { return nil, errNotOffered }

// note writes down how far an upload is.
func (u *Uploads) note(ctx context.Context, row *vod.Upload, p progress) error {
	ctx, stop := context.WithTimeout(ctx, rowTimeout)
	defer stop()
	now := u.deps.Now().UTC()
	next, err := u.deps.Rows.UpdateUpload(ctx, row.ID, func(r *vod.Upload) error {
		if r.State != vod.UploadOpen {
			return errRefused(r.Reason)
		}
		r.Offset, r.Touched, r.Expires = p.offset, now, u.expiry(r.Created, now)
		r.Hash, r.Hashed = nil, 0
		if p.state != nil {
			r.Hash, r.Hashed = p.state, p.offset
		}
		return nil
	})
	if err == nil {
		*row = next
	}
	return err
}

const finishTimeout = 15 * time.Minute
