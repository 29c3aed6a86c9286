// Package db keeps rows: assets and media, reports, uploads and leases, events,
// hand-ins, letters, journals, signing keys and secrets. It implements the
// stores that the domain packages declare beside their types, knows all of
// them, and none of them knows it; cmd puts them together.
//
// It is plain database/sql and a small kit. One SQL text serves SQLite and
// PostgreSQL: $1 parameters, TEXT ids made in Go, BIGINT microseconds since 1970
// for instants, JSON as TEXT, ON CONFLICT and RETURNING; no arrays, no engine's
// own functions, no order by an alphabet. Only Open knows the engine. The SQL is
// checked by running it: the conformance test executes every query on both.
//
// A transaction may have to give way to another and is then run again, so a
// function that changes a row may be called more than once.
//
// It owns modernc.org/sqlite and goose, and pgx together with storage/queue.
package db
