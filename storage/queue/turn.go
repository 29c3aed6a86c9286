package queue

import (
	"encoding/json"
	"time"
)

// River does what is available in the order of priority, then of the instant
// that a job is scheduled at, then of enqueueing; and what is scheduled in the
// future is not available. So that a job that is due next week is available now
// and still in its turn, all instants are moved back by the 400 years after
// which the calendar repeats itself: an order of instants that are all past.
//
// When river tries a failed job again it writes the instant of the next attempt
// there. The rank is kept with the job, and put back once it is available again.

// rank is the instant that river gets for one that a job is due at.
func rank(due time.Time) time.Time {
	first, last := time.Unix(0, 0), time.Date(2399, 1, 1, 0, 0, 0, 0, time.UTC)
	if due.Before(first) {
		due = first
	}
	if due.After(last) {
		due = last
	}
	return due.UTC().AddDate(-400, 0, 0)
}

// turn is kept in river's metadata of a job.
type turn struct {
	Due  int64  `json:"due"`  // microseconds since 1970
	Rank string `json:"rank"` // in rankLayout
}

// rankLayout is how river writes instants in SQLite; PostgreSQL reads it too.
const rankLayout = "2006-01-02 15:04:05.000"

func turnOf(due time.Time) turn {
	return turn{Due: due.UnixMicro(), Rank: rank(due).Format(rankLayout)}
}

func (t turn) json() ([]byte, error) { return json.Marshal(t) }
