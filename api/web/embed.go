// Package web is the interface in the browser: a Svelte application (its
// sources are the TypeScript beside this file) and the built files of it, held
// in the binary.
//
// It is not the HTTP server: api hands these files out and decides about
// headers and fallbacks. A build without Node has an empty dist folder (only
// .gitkeep is committed); then FS has no index.html, and api says so in words.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// FS returns the built application, rooted at dist: index.html, favicon.svg
// and assets/*. The names under assets carry a hash of their content, so they
// may be cached for ever; index.html may not.
func FS() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // only for a name that is not a valid path
	}
	return sub
}
