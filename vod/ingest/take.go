package ingest

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"reprise/storage"
	"reprise/vod"
)

// Taken is what became of an upload.
type Taken struct {
	Asset    vod.Asset
	Known    bool // the same bytes were here: Asset is what they made before
	Replaced bool // they are the new film of Asset
}

var (
	// ErrNotComplete is returned by Take for an upload whose bytes are not all here.
	ErrNotComplete = errors.New("ingest: upload is not complete")
	// ErrRefused is returned by Take for an upload whose bytes are not what was announced; its row says why.
	ErrRefused = errors.New("ingest: upload is refused")
)

// reasonChecksum is Upload.Reason when the bytes are not those that were announced.
const reasonChecksum = "checksum"

// Take makes an asset of a complete upload, or replaces the film of the asset
// that the upload names; the object of the upload becomes the source, without a
// copy. The same bytes as those of an asset of the same event make no second
// one. Bytes whose SHA-256 is not the announced one make the row
// vod.UploadRefused, their object goes, and Take returns ErrRefused. A film that
// browsers play as it is has its preview at once.
//
// It may be killed at any point and called again, also on two machines at once:
// one upload makes one asset. Process is for the caller to ask for, unless the asset is Known and ready.
func (g *Ingester) Take(ctx context.Context, uploads vod.Uploads, id vod.UploadID) (Taken, error) {
	u, err := uploads.Upload(ctx, id)
	if err != nil {
		return Taken{}, fmt.Errorf("take upload: %w", err)
	}
	t := taking{g: g, uploads: uploads, upload: u}
	var taken Taken
	switch u.State {
	case vod.UploadComplete:
		taken, err = t.take(ctx)
	case vod.UploadTaken:
		taken, err = t.again(ctx)
	case vod.UploadRefused:
		err = fmt.Errorf("%w: %s", ErrRefused, u.Reason)
	default:
		err = ErrNotComplete
	}
	if err != nil {
		return Taken{}, fmt.Errorf("take upload: %w", err)
	}
	return taken, nil
}

// taking is one attempt to take an upload.
type taking struct {
	g       *Ingester
	uploads vod.Uploads
	upload  vod.Upload
}

func (t *taking) take(ctx context.Context) (Taken, error) {
	if taken, ok, err := t.done(ctx); err != nil || ok {
		return taken, err
	}
	source, err := t.source(ctx)
	if errors.Is(err, storage.ErrNotFound) {
		return t.refuse(ctx, "missing")
	}
	if err != nil {
		return Taken{}, err
	}
	if t.upload.SHA256 != "" && t.upload.SHA256 != source.SHA256 {
		return t.refuse(ctx, reasonChecksum)
	}
	taken, err := t.make(ctx, source)
	if err != nil {
		return Taken{}, err
	}
	return taken, t.close(ctx, taken, source.SHA256)
}

// assetID is the id of the asset that an upload makes: the same at each attempt, and on each machine.
func (t *taking) assetID() vod.AssetID {
	sum := sha256.Sum256([]byte("asset of upload\x00" + string(t.upload.ID)))
	return vod.AssetID(uuidOf(t.upload.Created, [16]byte(sum[:16])))
}

func (t *taking) sourceID() vod.SourceID {
	sum := sha256.Sum256([]byte("source of upload\x00" + string(t.upload.ID)))
	return vod.SourceID(uuidOf(t.upload.Created, [16]byte(sum[:16])))
}

// done finds out whether an attempt that was killed had come as far as the asset.
func (t *taking) done(ctx context.Context) (Taken, bool, error) {
	for _, id := range []vod.AssetID{t.upload.Asset, t.assetID()} {
		if id == "" {
			continue
		}
		a, err := t.g.library.Asset(ctx, id)
		if errors.Is(err, vod.ErrNotFound) {
			continue
		}
		if err != nil {
			return Taken{}, false, err
		}
		if s := madeOf(&a, t.sourceID()); s != nil {
			taken := Taken{Asset: a, Replaced: id == t.upload.Asset}
			return taken, true, t.close(ctx, taken, s.SHA256)
		}
	}
	return Taken{}, false, nil
}

// madeOf returns the source of that id that is, or was, the asset's; nil: it never was.
func madeOf(a *vod.Asset, id vod.SourceID) *vod.Source {
	for i := range a.History {
		if a.History[i].Source.ID == id {
			return &a.History[i].Source
		}
	}
	if a.Source.ID == id {
		return &a.Source
	}
	return nil
}

// source looks at the bytes.
func (t *taking) source(ctx context.Context) (s vod.Source, err error) {
	u := &t.upload
	object, err := t.g.store.Open(ctx, storage.Key(u.Object))
	if err != nil {
		return vod.Source{}, err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	s = vod.Source{
		ID: t.sourceID(), Name: cleanName(u.Name), Object: u.Object, Size: object.Size(), Language: u.Language, By: cleanText(u.By), Event: u.Event,
	}
	if s.SHA256, err = sumOf(ctx, u, object); err != nil {
		return vod.Source{}, err
	}
	if s.Fingerprint, err = fingerprint(object, s.Size); err != nil {
		return vod.Source{}, fmt.Errorf("read upload: %w", err)
	}
	if playsAsItIs(object, s.Size) {
		s.Preview = s.Object
	}
	return s, nil
}

// sumOf returns the SHA-256 of an upload: its hash went along with the bytes,
// and goes on here over what it has not seen.
func sumOf(ctx context.Context, u *vod.Upload, object storage.Object) (string, error) {
	h := sha256.New()
	from := int64(0)
	if state, ok := h.(encoding.BinaryUnmarshaler); ok && u.Hashed > 0 && u.Hashed <= object.Size() && state.UnmarshalBinary(u.Hash) == nil {
		from = u.Hashed
	} else {
		h.Reset()
	}
	rest := io.NewSectionReader(object, from, object.Size()-from)
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{&contextReader{ctx, rest}}, make([]byte, fetchBuffer)); err != nil {
		return "", fmt.Errorf("read upload: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// make makes the asset, replaces the film of one, or finds the one that is there.
func (t *taking) make(ctx context.Context, s vod.Source) (Taken, error) {
	if t.upload.Asset != "" {
		a, err := t.g.library.Asset(ctx, t.upload.Asset)
		if err == nil {
			return t.replace(ctx, a, s)
		}
		if !errors.Is(err, vod.ErrNotFound) { // taken away meanwhile: then it is a new one
			return Taken{}, err
		}
	}
	known, ok, err := t.known(ctx, s)
	if err != nil || ok {
		return Taken{Asset: known, Known: true}, err
	}
	now := t.g.now().UTC()
	a := vod.Asset{ID: t.assetID(), Title: titleOf(s.Name), State: vod.Uploaded, Source: s, Created: now, Updated: now}
	err = t.g.library.CreateAsset(ctx, a)
	if errors.Is(err, vod.ErrConflict) { // another machine was faster
		a, err = t.g.library.Asset(ctx, a.ID)
	}
	if err != nil {
		return Taken{}, fmt.Errorf("create asset: %w", err)
	}
	return Taken{Asset: a}, nil
}

// replace gives an asset the new film, unless it has it already.
func (t *taking) replace(ctx context.Context, a vod.Asset, s vod.Source) (Taken, error) {
	same, err := t.same(ctx, &a, s)
	if err != nil || same {
		return Taken{Asset: a, Known: true}, err
	}
	a, err = t.g.Replace(ctx, a.ID, s)
	return Taken{Asset: a, Replaced: true}, err
}

// known looks for an asset of the same bytes that those who sent them may see.
func (t *taking) known(ctx context.Context, s vod.Source) (vod.Asset, bool, error) {
	assets, err := t.g.library.Assets(ctx)
	if err != nil {
		return vod.Asset{}, false, err
	}
	for i := range assets {
		a := &assets[i]
		if a.Source.Event != s.Event && a.Source.Event != "" {
			continue
		}
		if same, err := t.same(ctx, a, s); err != nil || same {
			return *a, same, err
		}
	}
	return vod.Asset{}, false, nil
}

// same tells whether an asset is made of these bytes and has them: what was
// lost from the store is mended by sending it again.
func (t *taking) same(ctx context.Context, a *vod.Asset, s vod.Source) (bool, error) {
	if a.Source.SHA256 != s.SHA256 || a.Source.Size != s.Size {
		return false, nil
	}
	_, err := t.g.store.Stat(ctx, storage.Key(a.Source.Object))
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// close notes on the row what became of the upload, and what its bytes are, and
// removes bytes that are here already.
func (t *taking) close(ctx context.Context, taken Taken, sum string) error {
	_, err := t.uploads.UpdateUpload(ctx, t.upload.ID, func(u *vod.Upload) error {
		if u.State == vod.UploadRefused { // given up meanwhile
			return fmt.Errorf("%w: %s", ErrRefused, u.Reason)
		}
		u.State, u.Asset, u.SHA256 = vod.UploadTaken, taken.Asset.ID, sum
		return nil
	})
	if err != nil {
		return fmt.Errorf("note upload: %w", err)
	}
	if taken.Known && taken.Asset.Source.Object != t.upload.Object {
		return t.g.store.Delete(ctx, storage.Key(t.upload.Object))
	}
	return nil
}

// again answers for an upload that was taken.
func (t *taking) again(ctx context.Context) (Taken, error) {
	a, err := t.g.library.Asset(ctx, t.upload.Asset)
	if err != nil {
		return Taken{}, err
	}
	made := madeOf(&a, t.sourceID()) != nil
	return Taken{Asset: a, Known: !made, Replaced: made && a.ID != t.assetID()}, nil
}

func (t *taking) refuse(ctx context.Context, reason string) (Taken, error) {
	u, err := t.uploads.UpdateUpload(ctx, t.upload.ID, func(u *vod.Upload) error {
		if u.State == vod.UploadComplete {
			u.State, u.Reason = vod.UploadRefused, reason
		}
		return nil
	})
	if err != nil {
		return Taken{}, fmt.Errorf("note upload: %w", err)
	}
	if t.upload = u; u.State == vod.UploadTaken { // another machine was faster, and the bytes were here already
		return t.again(ctx)
	}
	if err := t.g.store.Delete(ctx, storage.Key(t.upload.Object)); err != nil {
		return Taken{}, err
	}
	return Taken{}, fmt.Errorf("%w: %s", ErrRefused, reason)
}
