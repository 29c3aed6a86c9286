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
	bare := m
	bare.Renditions = slices.Clone(m.Renditions)
	for i := range bare.Renditions {
		bare.Renditions[i].Segments = nil
	}
	body, err := toJSON(bare)
	if err != nil {
		return fmt.Errorf("put media %s: %w", m.ID, err)
	}
	err = d.write(ctx, func(tx *sql.Tx) error {
		if m.Asset != "" {
			if err := makeReady(ctx, tx, &m, micros(d.now())); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO media (id, asset, revision, body, segments) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO NOTHING`, m.ID, sql.Null[vod.AssetID]{V: m.Asset, Valid: m.Asset != ""}, m.Revision, body, packSegments(m.Renditions)); err != nil {
			return err
		}
		return raise(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("put media %s: %w", m.ID, err)
	}
	return nil
}

// makeReady puts the media on air for its asset, unless a later revision is there.
func makeReady(ctx context.Context, tx *sql.Tx, m *vod.Media, now int64) error {
	done, err := one(ctx, tx, `UPDATE asset SET state = $2, percent = 100, revision = $3, media = $4, updated = $5
		WHERE id = $1 AND revision <= $3`, m.Asset, vod.Ready, m.Revision, m.ID, now)
	if err != nil || done {
		return err
	}
	var known bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM asset WHERE id = $1)`, m.Asset).Scan(&known); err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("asset %s: %w", m.Asset, vod.ErrNotFound)
	}
	return nil
}

// Media implements vod.Library.
func (d *DB) Media(ctx context.Context, id vod.MediaID) (vod.Media, error) {
	var body, segments string
	err := d.sql.QueryRowContext(ctx, `SELECT body, segments FROM media WHERE id = $1`, id).Scan(&body, &segments)
	if errors.Is(err, sql.ErrNoRows) {
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
