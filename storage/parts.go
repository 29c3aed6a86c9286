package storage

import (
	"context"
	"io"
	"time"
)

// Part is a stored part of an object that is not whole yet.
type Part struct {
	Number int // from 1
	Size   int64
	ETag   string // what the store calls its content
}

// Parter is the optional power of a store to take an object in parts, over
// days and by any process, and to make the object of them when all are there:
// S3 has it. An unfinished object is named by its key and by a name that the
// store chose.
type Parter interface {
	// BeginParts begins an object.
	BeginParts(ctx context.Context, key Key) (name string, err error)
	// PutPart stores part number, whose body is size bytes; one that is there is replaced.
	PutPart(ctx context.Context, key Key, name string, number int, body io.ReadSeeker, size int64) error
	// Parts returns the stored parts in order. ErrNotFound when the object is not begun, or whole, or given up.
	Parts(ctx context.Context, key Key, name string) ([]Part, error)
	// CompleteParts makes the object of all parts.
	CompleteParts(ctx context.Context, key Key, name string, parts []Part) error
	// AbortParts gives it up; one that is not there is not an error.
	AbortParts(ctx context.Context, key Key, name string) error
	// Unfinished calls yield for each unfinished object whose key begins with
	// prefix, until it returns an error, which it returns.
	Unfinished(ctx context.Context, prefix Key, yield func(Unfinished) error) error
}

// Unfinished is an object that is not whole yet.
type Unfinished struct {
	Key   Key
	Name  string
	Begun time.Time
}
