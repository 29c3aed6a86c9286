// Package stream is what viewers get: playlists and files of a feed, at an
// instant.
//
// A Feed is an auditorium in one language. Its journal (stream/timeline) is the
// only state of the broadcast. Playout follows the event store and the library,
// lays the programme out in journals ahead of time, makes slates, and keeps an
// immutable snapshot of it all. Each answer is a function of that snapshot and
// the instant asked for: no ticker builds a playlist, and any number of nodes
// give the same bytes (R115).
//
// It knows nothing of HTTP, tokens or SQL: api asks it, storage/db fills
// JournalStore, cmd passes a SlateMaker made of vod/ingest.
package stream
