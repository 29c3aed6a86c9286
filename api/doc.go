// Package api is the HTTP face of the server: the gate in front of all media
// (/p/{token}/…), the JSON operations under /api/v1, health, metrics and the
// web application.
//
// It decides nothing about time, programmes or bytes: playlists come ready-made
// from stream, segments from storage, the right to watch from api/token. What
// is its own is HTTP: caching, conditional and range requests, blocking reload,
// the words and statuses of errors (errors.go is the only table), limits, and the
// order of a shutdown. It owns echo and huma; cmd builds one Server by hand.
//
// The gate is a plain http.Handler in front of echo, for two reasons: echo's
// response wrapper hides io.ReaderFrom, so that a file sent through it is copied
// through user space instead of going by sendfile, and a playlist request is
// worth more than a router's and a middleware chain's time.
package api
