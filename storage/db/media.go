package db

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"reprise/vod"
)

// PutMedia implements vod.Library. The first media put under an id stays: media
// never change. An older revision that arrives late does not displace a newer one.
func (d *DB) PutMedia(ctx context.Context, m vod.Media) error {
	err := d.addMedia(ctx, &m, func(a *vod.Asset) error {
		if m.Source != "" && a.Making != m.ID && (a.Making != "" || a.State == vod.Ready) {
			return vod.ErrConflict
		}
		if a.Revision > m.Revision {
			return nil
		}
		a.State, a.Percent, a.Progress = vod.Ready, 100, vod.Progress{}
		a.Media, a.Revision, a.First, a.Making = m.ID, m.Revision, "", ""
		return nil
	})
	if err != nil {
		return fmt.Errorf("put media %s: %w", m.ID, err)
	}
	return nil
}

// PutFirst implements vod.Library.
func (d *DB) PutFirst(ctx context.Context, m vod.Media) error {
	err := d.addMedia(ctx, &m, func(a *vod.Asset) error {
		if a.State == vod.Ready {
			return vod.ErrConflict
		}
		a.First = m.ID
		return nil
	})
	if err != nil {
		return fmt.Errorf("put first rendition %s: %w", m.ID, err)
	}
	return nil
}

// addMedia writes a media, once, and what it changes in its asset, if it has
// one: ErrConflict when the asset's source is another by now.
func (d *DB) addMedia(ctx context.Context, m *vod.Media, change func(*vod.Asset) error) error {
	bare := *m
	bare.Renditions = slices.Clone(m.Renditions)
	for i := range bare.Renditions {
		bare.Renditions[i].Segments = nil
	}
	body, err := toJSON(bare)
	if err != nil {
		return err
	}
	return d.write(ctx, func(tx *sql.Tx) error {
		var a vod.Asset
		if m.Asset != "" {
			// The lock comes first: two who put the same id at once wait for each other here.
			if a, err = lockAsset(ctx, tx, m.Asset); err != nil {
				return fmt.Errorf("asset %s: %w", m.Asset, err)
			}
		}
		added, err := one(ctx, tx, `INSERT INTO media (id, asset, revision, body, segments) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO NOTHING`, m.ID, sql.Null[vod.AssetID]{V: m.Asset, Valid: m.Asset != ""}, m.Revision, body, packSegments(m.Renditions))
		if err != nil || !added {
			return err
		}
		if m.Asset != "" {
			if m.Source != "" && m.Source != a.Source.ID {
				return vod.ErrConflict
			}
			if err := change(&a); err != nil {
				return err
			}
			a.Updated = d.now()
			if err := storeAsset(ctx, tx, &a); err != nil {
				return err
			}
		}
		return raise(ctx, tx)
	})
}

// Media implements vod.Library.
func (d *DB) Media(ctx context.Context, id vod.MediaID) (vod.Media, error) {
	var body, segments string
	err := d.sql.QueryRowContext(ctx, `SELECT body, segments FROM media WHERE id = $1`, id).Scan(&body, &segments)
	if missing(err) {
		err = vod.ErrNotFound
	}
	if err != nil {
		return vod.Media{}, fmt.Errorf("load media %s: %w", id, err)
	}
	var m vod.Media
	if err := errors.Join(fromJSON(body, &m), unpackSegments(segments, m.Renditions)); err != nil {
		return vod.Media{}, fmt.Errorf("load media %s: %w", id, err)
	}
	return m, nil
}

// packSegments writes the segment tables of all renditions as base64 of
// varints: per rendition the number of segments plus 1 (0: nil), then for each
// segment its offset less the end of the one before (0 as a rule), its size and
// its I-frame size. An hour in thirteen renditions is 90 kB and is read in a
// millisecond; as JSON it would be half a megabyte and ten.
func packSegments(renditions []vod.Rendition) string {
	var b []byte
	for i := range renditions {
		r := &renditions[i]
		if r.Segments == nil {
			b = binary.AppendUvarint(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(r.Segments))+1)
		end := r.InitSize
		for _, s := range r.Segments {
			b = binary.AppendVarint(b, s.Offset-end)
			b = binary.AppendVarint(b, s.Size)
			b = binary.AppendVarint(b, s.IFrame)
			end = s.Offset + s.Size
		}
	}
	return base64.RawStdEncoding.EncodeToString(b)
}

// errPacked says that a segment table is not what packSegments wrote.
var errPacked = errors.New("segment table is damaged")

// unpackSegments undoes packSegments.
func unpackSegments(packed string, renditions []vod.Rendition) error {
	b, err := base64.RawStdEncoding.DecodeString(packed)
	if err != nil {
		return errors.Join(errPacked, err)
	}
	bad := false
	varint := func() int64 {
		v, n := binary.Varint(b)
		bad = bad || n <= 0
		b = b[max(n, 0):]
		return v
	}
	for i := range renditions {
		r := &renditions[i]
		count, n := binary.Uvarint(b)
		if n <= 0 || count > uint64(len(b))+1 { // a segment takes three bytes at least
			return errPacked
		}
		b = b[n:]
		if count == 0 {
			continue
		}
		r.Segments = make([]vod.Segment, count-1)
		end := r.InitSize
		for j := range r.Segments {
			s := &r.Segments[j]
			s.Offset, s.Size, s.IFrame = end+varint(), varint(), varint()
			end = s.Offset + s.Size
		}
	}
	if bad || len(b) != 0 {
		return errPacked
	}
	return nil
}
