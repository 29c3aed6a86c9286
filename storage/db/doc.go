// Package db keeps rows: assets and media, events, journals, signing keys and
// secrets. It implements the stores that the domain packages declare beside
// their types, knows all of them, and none of them knows it; cmd puts them
// together.
//
// It is plain database/sql and a small kit. One SQL text serves SQLite, and
// PostgreSQL when it comes: $1 parameters, TEXT ids made in Go, BIGINT
// microseconds since 1970 for instants, JSON as TEXT, ON CONFLICT and RETURNING;
// no arrays and no engine's own functions. Only Open knows the engine. The SQL
// is checked by running it: the conformance test executes every query.
//
// It owns modernc.org/sqlite and goose.
package db
