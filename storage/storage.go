// Package storage keeps objects: bytes under a key, whole or not at all. It
// knows nothing of media. The disk store is the default; S3 fills the same
// interface.
package storage

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"io"
	"os"
	"time"
)

// Key names an object: slash-separated segments of [a-z0-9._-], no empty segment, none starting with
// a dot, 512 bytes at most, 255 in a segment. No key may lie below another object's (a, a/b): a store
// of files refuses it with ErrInvalidKey.
type Key string

// Info describes a stored object.
type Info struct {
	Key      Key
	Size     int64
	Modified time.Time
}

// Object is an open object. ReadAt is safe for concurrent use; Close must be called once.
type Object interface {
	io.ReadSeekCloser
	io.ReaderAt
	Size() int64
}

var (
	// ErrNotFound is returned for a key that holds no object.
	ErrNotFound = errors.New("storage: object not found")
	// ErrInvalidKey is returned for a key that breaks the rules of Key.
	ErrInvalidKey = errors.New("storage: invalid key")
	// ErrChanged is returned by reads of an open object that was replaced or
	// deleted meanwhile, where the store does not keep what was. Open it again.
	ErrChanged = errors.New("storage: object was replaced or deleted while it was read")
	// ErrUnavailable is wrapped by every error of a store that did not answer, or
	// answered that it cannot now, after all attempts. Later may be better.
	ErrUnavailable = errors.New("storage: the store does not answer")
	// ErrNoSpace is wrapped by every error that a full disk, or a used-up quota, caused.
	ErrNoSpace = errors.New("storage: no space left")
)

// Store keeps objects. All methods are safe for concurrent use.
type Store interface {
	// Put stores all of r under key. When it returns nil the object is whole and
	// survives a power cut; when it returns an error, or the process dies, the key
	// is as it was before. An existing object is replaced in one step. (Over a
	// network the answer to a deed can be lost: an error that is ErrUnavailable,
	// or of an ended ctx, can also mean that the whole new object is there.)
	Put(ctx context.Context, key Key, r io.Reader) (Info, error)
	// Open opens an object for reading. What is read is always of the one object
	// that was opened: when it is replaced or deleted meanwhile, it stays readable
	// until Close, or reads return ErrChanged; its bytes are never mixed with
	// those of another. ctx bounds the reads too, where they need a network.
	Open(ctx context.Context, key Key) (Object, error)
	// Stat returns what is known without reading.
	Stat(ctx context.Context, key Key) (Info, error)
	// Delete removes an object; a key that holds none is not an error.
	Delete(ctx context.Context, key Key) error
	// List calls yield for each object whose key begins with prefix, in key
	// order, until yield returns an error, which it returns.
	List(ctx context.Context, prefix Key, yield func(Info) error) error
}

// Creator is the optional power of a store to be written in place, without a
// second copy: the disk store has it. The object appears at Commit.
type Creator interface {
	Create(ctx context.Context, key Key) (Writer, error)
}

// Writer is an object being written. Exactly one of Commit and Abort must be called.
type Writer interface {
	io.Writer
	io.WriterAt
	Commit() (Info, error) // fsync, then visible
	Abort() error          // nothing is left
}

// Filer is the optional power of a store to lend an open file of its own, for sendfile. The caller closes it.
type Filer interface {
	File(key Key) (*os.File, error)
}

// Adopter is the optional power of a store to take over a finished file of the
// same file system as an object, without copying it: the disk store has it. The
// file must not be written any more; once Adopt returns nil it is gone from path
// and the object is whole and durable. After an error, or a kill, it is at path
// or under key, whole.
type Adopter interface {
	Adopt(ctx context.Context, key Key, path string) (Info, error)
}

// Informed is the optional power of an open object to say what Stat says of the
// version that is open: objects of S3 have it, and spare a question to the server.
type Informed interface {
	Info() Info
}

// RandomName returns 26 random characters [a-z2-7] (130 bits): a part of a key that cannot be guessed.
func RandomName() string {
	b := make([]byte, 17)
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand never fails on the systems we build for
	}
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(b)[:26]
}
