package storage

import "context"

// CopyOptions says how Copy works.
type CopyOptions struct {
	Prefix  Key    // only objects whose key begins so; "": all
	Workers int    // objects at once; 4
	Ledger  string // path of a file that remembers what was verified, so that a second run need not read it again; "": none
}

// CopyProgress is how far a Copy is.
type CopyProgress struct {
	Key                   Key // the object that is being worked on or was done last
	Objects, TotalObjects int
	Bytes, TotalBytes     int64
	Pass                  int
}

// CopyReport is what a Copy did.
type CopyReport struct {
	Copied, Skipped, Gone int
	Bytes                 int64
	Passes                int
	Failed                []CopyFailure
}

// CopyFailure is an object that could not be copied.
type CopyFailure struct {
	Key Key
	Err error
}

// Copy is being written.
func Copy(ctx context.Context, from, to Store, o CopyOptions, tell func(CopyProgress)) (CopyReport, error) {
	return CopyReport{}, nil
}
