package api

import (
	"bytes"
	"encoding/json"
	"html"
	"reflect"
	"slices"
	"strings"
)

var problemType = reflect.TypeFor[Problem]()

// docsPage lists the operations of an OpenAPI document as a page without scripts.
func docsPage(spec []byte) []byte {
	var doc struct {
		Info  struct{ Title, Version, Description string }
		Paths map[string]map[string]struct {
			Summary, Description string
			Security             []map[string][]string
		}
	}
	if err := json.Unmarshal(spec, &doc); err != nil {
		panic(err) // our own document
	}
	var b bytes.Buffer
	text := func(parts ...string) {
		for _, p := range parts {
			b.WriteString(p)
		}
	}
	text(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>`, html.EscapeString(doc.Info.Title), ` API</title>`,
		`<style>body{font:1em/1.5 system-ui,sans-serif;max-width:44em;margin:3em auto;padding:0 1em;color:#222;background:#fff}code{font-size:1.05em}h2{margin:1.5em 0 0}</style></head><body>`,
		`<h1>`, html.EscapeString(doc.Info.Title), ` API <small>`, html.EscapeString(doc.Info.Version), `</small></h1><p>`, html.EscapeString(doc.Info.Description),
		`</p><p><a href="openapi.json">openapi.json</a> (OpenAPI 3.1)</p>`)
	paths := make([]string, 0, len(doc.Paths))
	for p := range doc.Paths {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		for method, op := range doc.Paths[p] {
			text(`<h2><code>`, html.EscapeString(strings.ToUpper(method)+" "+p), `</code></h2><p><b>`, html.EscapeString(op.Summary), `.</b> `, html.EscapeString(op.Description))
			if len(op.Security) > 0 {
				text(` <i>Authorization: Bearer, the token of a link.</i>`)
			}
			text(`</p>`)
		}
	}
	text("</body></html>\n")
	return b.Bytes()
}
