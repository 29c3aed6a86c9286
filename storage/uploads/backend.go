package uploads

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"hash"
	"io"

	"reprise/storage"
	"reprise/vod"
)

// prefix is where the objects of uploads lie: uploads/{id}/film, and beside it
// what is only there until the film is whole.
const prefix = "uploads/"

func objectKey(id vod.UploadID) storage.Key { return storage.Key(prefix + string(id) + "/film") }

// backend keeps the bytes of uploads that are not objects yet. Only the holder
// of an upload's lease calls it for that upload.
type backend interface {
	// begin makes room for a new upload, whose row is written.
	begin(ctx context.Context, row *vod.Upload) error
	// open finds an upload; ErrNotFound when nothing is left of it.
	open(ctx context.Context, row *vod.Upload) (sink, error)
	// remove takes away all bytes of an upload, the finished object too. It may be repeated.
	remove(ctx context.Context, row *vod.Upload) error
	// sweep takes away what belongs to no open upload, and says how much that was.
	sweep(ctx context.Context, open func(vod.UploadID) (bool, error)) (int, error)
}

// sink is an upload that bytes can be added to.
type sink interface {
	// offset is how many bytes are stored: what is told here is never lost, and never more than is there.
	offset() int64
	// write adds all of src and returns when it is stored, or what of it could
	// be. sum gets the same bytes; stored is called now and then with what is
	// stored, and the sum's state then.
	write(ctx context.Context, src io.Reader, sum *sum, stored func(progress) error) error
	// finish makes the object of the bytes. It may be repeated.
	finish(ctx context.Context) error
}

// progress is how far an upload came.
type progress struct {
	offset int64
	state  []byte // of the sum over these bytes; nil: not known
}

// sum is a running SHA-256 that can be put down and taken up again.
type sum struct {
	hash hash.Hash // nil: lost
	over int64     // bytes
}

// resume takes the sum of a row up at offset. After a kill the bytes may have
// got ahead of it: what is missing is read again where the store can, up to a
// bound. Otherwise the sum is lost, and whoever takes the upload must read it all.
func resume(row *vod.Upload, s sink) *sum {
	out := &sum{hash: sha256.New()}
	if row.Hashed > 0 && row.Hashed <= s.offset() {
		if err := out.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(row.Hash); err != nil {
			out.hash.Reset()
		} else {
			out.over = row.Hashed
		}
	}
	missing := s.offset() - out.over
	if missing == 0 {
		return out
	}
	reader, ok := s.(io.ReaderAt)
	if ok && missing <= maxCatchUp {
		n, err := io.Copy(out.hash, io.NewSectionReader(reader, out.over, missing))
		if ok = err == nil && n == missing; ok {
			out.over += n
			return out
		}
	}
	return &sum{}
}

// maxCatchUp bounds what is read again to take a sum up: seconds of work.
const maxCatchUp = 1 << 30

func (s *sum) add(p []byte) {
	if s.hash != nil {
		s.hash.Write(p)
		s.over += int64(len(p))
	}
}

// lose gives the sum up: not the same bytes were stored.
func (s *sum) lose() { s.hash = nil }

// at is the progress of having stored the bytes that were added.
func (s *sum) at(offset int64) progress {
	p := progress{offset: offset}
	if s.hash != nil && s.over == offset {
		p.state, _ = s.hash.(encoding.BinaryMarshaler).MarshalBinary() // never fails
	}
	return p
}

// hex is the sum of size bytes; "" when it is not known.
func (s *sum) hex(size int64) string {
	if s.hash == nil || s.over != size {
		return ""
	}
	return hex.EncodeToString(s.hash.Sum(nil))
}
