// Package cache keeps blocks of objects of a slow or remote store on this
// machine's disk. A Cache is itself a storage.Store: it is put before the
// origin, and what reads objects by range (stream, api) reads through it.
//
// It is a cache, not a store: all that it holds can be lost. Reads are answered
// from blocks of fixed size, found in memory, checked against their checksum
// before their first use in a process; what is missing is asked of the origin
// once however many want it, neighbours in one request. What was used least
// recently goes first; what is on air is pinned and stays. When the disk is full
// or broken, reads go to the origin. When the origin is out of reach, what is
// here is served without asking it.
//
// Objects are expected never to change under their key, as all media of this
// house. One that did is noticed when a block is missing, when it is asked for
// by Stat, and by Run, which asks the origin now and then behind the readers' back.
//
// It knows nothing of media, feeds or hours: cmd tells Run what is needed
// next. One process at a time has a folder.
package cache
