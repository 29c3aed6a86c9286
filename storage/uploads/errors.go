package uploads

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Fault is why a request is refused. Every error that Problem is given has one
// in its chain, but those of the store, of the rows, and of Authorize.
type Fault struct {
	Status int    // HTTP status that clients of tus act upon
	Code   string // stable; the end of the problem's type
	Text   string
}

func (f *Fault) Error() string { return "uploads: " + f.Text }

// HTTPStatus and ProblemCode let a package that does not import this one answer with the fault.
func (f *Fault) HTTPStatus() int     { return f.Status }
func (f *Fault) ProblemCode() string { return f.Code } // as in api's table

// The faults. Statuses are those of tus 1.0 where it has one.
var (
	ErrNotFound  = &Fault{http.StatusNotFound, "upload-not-found", "no such upload"}
	ErrNotYours  = &Fault{http.StatusForbidden, "upload-not-yours", "the upload belongs to somebody else"}
	ErrExpired   = &Fault{http.StatusGone, "upload-expired", "the upload was given up: no byte came for too long"}
	ErrCancelled = &Fault{http.StatusGone, "upload-cancelled", "the upload was cancelled"}
	ErrChecksum  = &Fault{460, "upload-checksum", "the bytes are not those that were announced"}
	ErrTooLarge  = &Fault{http.StatusRequestEntityTooLarge, "upload-too-large", "the file is larger than allowed"}
	ErrEmpty     = &Fault{http.StatusUnprocessableEntity, "upload-empty", "the file is empty"}
	ErrName      = &Fault{http.StatusUnprocessableEntity, "upload-name", "the file has no usable name"}
	ErrMetadata  = &Fault{http.StatusBadRequest, "upload-metadata", "invalid Upload-Metadata"}
	ErrLength    = &Fault{http.StatusBadRequest, "upload-length", "missing or invalid Upload-Length"}
	ErrTooMany   = &Fault{http.StatusTooManyRequests, "upload-too-many", "too many unfinished uploads of one person"}
	ErrTaken     = &Fault{http.StatusConflict, "upload-taken", "a film is made of the upload already"}
	ErrLocked    = &Fault{http.StatusLocked, "upload-locked", "another request is busy with the upload"}
	ErrOffset    = &Fault{http.StatusConflict, "upload-offset", "the upload stands elsewhere: ask with HEAD"}
	ErrExtension = &Fault{http.StatusNotImplemented, "upload-extension", "concatenation and deferred length are not offered"}
	errQuota     = &Fault{http.StatusRequestEntityTooLarge, "upload-quota", "the event's storage is used up"}
)

// ErrQuota is the refusal of a file that the event has no room for.
type ErrQuota struct {
	Used, Limit int64 // bytes; Used are kept, open and complete ones
}

func (e *ErrQuota) Error() string {
	return fmt.Sprintf("%v: %d of %d bytes", errQuota, e.Used, e.Limit)
}
func (e *ErrQuota) Unwrap() error { return errQuota }

// errRefused makes the error that a refused upload answers with, from its row's reason.
func errRefused(reason string) error {
	switch reason {
	case reasonChecksum:
		return ErrChecksum
	case reasonExpired:
		return ErrExpired
	}
	return ErrCancelled
}

const (
	reasonChecksum  = "checksum"
	reasonCancelled = "cancelled"
	reasonExpired   = "expired"
)

// protocolFaults are tusd's own errors that have a meaning of ours.
var protocolFaults = map[string]*Fault{
	"ERR_UPLOAD_NOT_FOUND":      ErrNotFound,
	"ERR_UPLOAD_LOCKED":         ErrLocked,
	"ERR_LOCK_TIMEOUT":          ErrLocked,
	"ERR_MISMATCHED_OFFSET":     ErrOffset,
	"ERR_MAX_SIZE_EXCEEDED":     ErrTooLarge,
	"ERR_UPLOAD_SIZE_EXCEEDED":  {http.StatusRequestEntityTooLarge, "upload-size-exceeded", "more bytes than were announced"},
	"ERR_INVALID_UPLOAD_LENGTH": ErrLength,
	"ERR_NOT_IMPLEMENTED":       ErrExtension,
	// Clients try again after 5xx, not after tusd's 400: nothing is wrong with the file.
	"ERR_UPLOAD_INTERRUPTED": {http.StatusServiceUnavailable, "upload-interrupted", "another request goes on with the upload, or the server stops"},
	"ERR_UNEXPECTED_EOF":     {http.StatusServiceUnavailable, "upload-broken-off", "the request ended too soon"},
}

// protocolFault is the fault of an answer that tusd gave by itself. Its text
// begins with a stable code.
func protocolFault(status int, text string) *Fault {
	code, words, _ := strings.Cut(strings.TrimSpace(text), ": ")
	if f, ok := protocolFaults[code]; ok {
		return f
	}
	if name, ok := strings.CutPrefix(code, "ERR_"); ok {
		return &Fault{status, "upload-" + strings.ReplaceAll(strings.ToLower(name), "_", "-"), words}
	}
	for _, f := range []*Fault{ErrNotFound, ErrLocked, ErrOffset, ErrTooLarge} { // an answer to HEAD has no text
		if f.Status == status {
			return f
		}
	}
	return &Fault{status, "upload-protocol", strings.ToLower(http.StatusText(status))}
}

// faultOf finds the fault in an error's chain; nil: there is none.
func faultOf(err error) *Fault {
	var f *Fault
	errors.As(err, &f)
	return f
}
