package vod

import (
	"context"
	"time"
)

// UploadID names an upload: 26 random characters, so that it cannot be guessed.
type UploadID string

// UploadState is where an upload stands.
type UploadState string

const (
	UploadOpen     UploadState = "open"     // bytes are coming, or will be
	UploadComplete UploadState = "complete" // all bytes are stored; a job will make an asset of them
	UploadTaken    UploadState = "taken"    // Asset is made of it
	UploadRefused  UploadState = "refused"  // its bytes are not what was announced (Reason)
)

// Upload is a file on its way in. Its row outlives the process that began it.
type Upload struct {
	ID          UploadID
	State       UploadState
	Reason      string   // stable code when refused: checksum, cancelled
	Owner       string   // subject of the token that began it; only this subject, or staff, may go on with it
	HandIn      string   // event.HandInID when a hand-in link began it
	Event       string   // event.ID; quota is counted by it
	Talk        string   // event.TalkID that the film is for; empty: none yet
	Languages   []string // languages of the event that the film is for; empty: all
	Asset       AssetID  // asset whose film it replaces; once taken: the asset made of it
	Name        string   // of the file, cleaned
	Type        string   // what the browser said it is; never trusted
	Language    string   // of untagged sound, if said
	By          string   // who sends it, as people know them
	Fingerprint string   // the client's own, to find an upload again: name, size, time; may be empty
	Size        int64    // bytes, announced
	Offset      int64    // bytes durably stored, as last noted; the store knows better
	Object      string   // storage key that the bytes will have
	SHA256      string   // announced, hex; empty: not. Once complete: measured
	Hash        []byte   // state of the running SHA-256 …
	Hashed      int64    // … over so many bytes
	Placed      bool     // the film was put on Talk: where it is shown is the organizer's from then on
	Created     time.Time
	Touched     time.Time // last byte
	Expires     time.Time // an open one goes from here
}

// Uploads is the store of uploads and of their locks; storage/db implements
// it. ErrNotFound and ErrConflict as in Library; safe for concurrent use.
type Uploads interface {
	CreateUpload(ctx context.Context, u Upload) error
	Upload(ctx context.Context, id UploadID) (Upload, error)
	// Uploads returns those of an event, oldest first; of all events when event is empty.
	Uploads(ctx context.Context, event string) ([]Upload, error)
	// UpdateUpload reads the upload, lets change alter it, and writes it, in one transaction.
	UpdateUpload(ctx context.Context, id UploadID, change func(*Upload) error) (Upload, error)
	// DeleteUpload removes the row; one that is not there is not an error.
	DeleteUpload(ctx context.Context, id UploadID) error
	Leases
}

// Leases are locks with an end, held by name, that every node sees. They are
// for work that must not be done twice at once but may be taken over.
type Leases interface {
	// AcquireLease takes the lease for holder until the instant, if it is free,
	// over, or holder's own. When it is another's, wanted is noted on it and ok is false.
	AcquireLease(ctx context.Context, name, holder string, now, until time.Time) (ok bool, err error)
	// RenewLease prolongs holder's lease and says whether somebody waits for it.
	// held is false when it is no longer holder's.
	RenewLease(ctx context.Context, name, holder string, until time.Time) (held, wanted bool, err error)
	// ReleaseLease gives holder's lease back; another's is left alone.
	ReleaseLease(ctx context.Context, name, holder string) error
}
