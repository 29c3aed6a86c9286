package api

import (
	"sync"
	"time"

	"reprise/event"
	"reprise/stream"
)

// programmes is what is needed of stream.Playout to know a programme.
type programmes interface {
	Programme(ev event.ID, now time.Time) (stream.Programme, error)
}

// directoryAge is how long the directory trusts what it read.
const directoryAge = time.Second

// directory knows in which auditorium a talk is, for tokens that open an
// auditorium and ask for a talk of it. Programmes are small and are read once a
// second at most, whatever is asked.
type directory struct {
	programmes programmes

	mu     sync.Mutex
	events map[event.ID]*pages
}

type pages struct {
	read  time.Time
	talks map[event.TalkID]event.AuditoriumID
}

func newDirectory(p programmes) *directory {
	return &directory{programmes: p, events: make(map[event.ID]*pages)}
}

// auditorium returns the auditorium of a talk, "" for an unknown talk or event.
// Only events that signed tokens name are asked for, so the map stays small.
func (d *directory) auditorium(ev event.ID, talk event.TalkID, now time.Time) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.events[ev]
	if p == nil || now.Sub(p.read) >= directoryAge || now.Before(p.read) {
		p = &pages{read: now, talks: make(map[event.TalkID]event.AuditoriumID)}
		if programme, err := d.programmes.Programme(ev, now); err == nil {
			for _, t := range programme.Talks {
				p.talks[t.ID] = t.Auditorium
			}
		}
		d.events[ev] = p
	}
	return string(p.talks[talk])
}
