package stream

import (
	"time"

	"reprise/storage"
)

// Range is a stretch of a stored object that viewers will ask for.
type Range struct {
	Key    storage.Key
	Offset int64
	Length int64     // bytes; negative: to the end of the object
	Needed time.Time // when it is first listed
}

// Ahead returns what viewers may ask for until every talk that is on air at
// now, or begins within lead, is over, in all renditions and languages, the
// most urgent first: what is to come by its hour, then what was on air and is
// still in a live window.
func (p *Playout) Ahead(now time.Time, lead time.Duration) []Range {
	return nil
}
