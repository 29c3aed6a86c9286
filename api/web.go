package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// policy is the Content-Security-Policy of every page: our own scripts only,
// media and worker blobs for the player, no frames, no forms elsewhere.
// Inline styles stay allowed: the player's components set style attributes.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob: data:; " +
	"worker-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// site is the built web application, read once and kept with its compressed
// form: a few hundred kilobytes that never change while the process lives.
type site struct {
	files map[string]*page // by path, "/assets/app-1a2b.js"
	index *page
}

// page is one file of it.
type page struct {
	contentType string
	cache       string
	tag         string
	body, gzip  []byte // gzip is nil where it gains nothing
	html        bool
}

// newSite reads the application. Without an index.html (a build without Node)
// a page in words takes its place.
func newSite(files fs.FS) (*site, error) {
	s := &site{files: map[string]*page{}}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if packed, ok := strings.CutSuffix(name, ".gz"); ok {
			if _, err := fs.Stat(files, packed); err == nil {
				return nil // the compressed twin of a file: newPage makes its own
			}
		}
		p, err := newPage(name, body)
		if err != nil {
			return err
		}
		s.files["/"+name] = p
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read web application: %w", err)
	}
	if s.index = s.files["/index.html"]; s.index == nil {
		if s.index, err = newPage("index.html", []byte(notBuilt)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// newPage prepares one file: names under assets/ carry a hash and never change.
func newPage(name string, body []byte) (*page, error) {
	p := &page{contentType: mime.TypeByExtension(path.Ext(name)), cache: "public, max-age=3600", body: body}
	switch path.Ext(name) { // Go's table depends on the machine's files: ours must not
	case ".html":
		p.contentType, p.cache, p.html = "text/html; charset=utf-8", "no-cache", true
	case ".js", ".mjs":
		p.contentType = "text/javascript; charset=utf-8"
	case ".css":
		p.contentType = "text/css; charset=utf-8"
	case ".svg":
		p.contentType = "image/svg+xml"
	case ".json", ".map":
		p.contentType = "application/json"
	case ".webmanifest":
		p.contentType = "application/manifest+json"
	case ".woff2":
		p.contentType = "font/woff2"
	case "":
		p.contentType = "application/octet-stream"
	}
	if strings.HasPrefix(name, "assets/") {
		p.cache = cacheForever[0]
	}
	sum := sha256.Sum256(body)
	p.tag = `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if b.Len() < len(body)*9/10 {
		p.gzip = b.Bytes()
	}
	return p, nil
}

// serve answers for every address that nothing else took: a file of the
// application, or its index for a browser that asks for a page (the application
// has its own router). A wrong address of a file, or of a program, is a 404:
// never 200 with HTML (R210).
func (s *site) serve(c echo.Context) error {
	r := c.Request()
	p := s.files[r.URL.Path]
	if p == nil {
		if !pageRequest(r) {
			return errNoRoute
		}
		p = s.index
	}
	return p.send(c)
}

// pageRequest reports whether somebody asks for a page: a browser, which
// accepts HTML, asks for anything without a file name; or whoever accepts
// everything (a mail scanner, a link preview) asks for a page in a language.
func pageRequest(r *http.Request) bool {
	if r.URL.Path == "/" {
		return true
	}
	if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/assets/") || strings.Contains(r.URL.Path, "//") || path.Ext(r.URL.Path) != "" {
		return false
	}
	accept := r.Header.Get("Accept")
	if accept == "" || strings.Contains(accept, "*/*") {
		return strings.Contains(accept, "text/html") || pageInLanguage(r.URL.Path)
	}
	return strings.Contains(accept, "text/html")
}

// pageInLanguage reports whether a path begins with a language: /fr, /en/a/main.
func pageInLanguage(path string) bool {
	language, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	language, _, _ = strings.Cut(language, "-")
	return len(language) == 2
}

func (p *page) send(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Cache-Control", p.cache)
	h.Add("Vary", "Accept-Encoding")
	if p.html {
		h.Set("Content-Security-Policy", policy)
		h.Add("Vary", "Accept")
	}
	body, tag := p.body, p.tag
	if p.gzip != nil && acceptsGzip(c.Request().Header.Get("Accept-Encoding")) {
		body, tag = p.gzip, gzipTag(tag)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Etag", tag)
	if match := c.Request().Header.Get("If-None-Match"); match != "" && matches(match, tag) {
		h.Del("Content-Encoding")
		return c.NoContent(http.StatusNotModified)
	}
	h.Set("Content-Type", p.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method != http.MethodHead {
		_, _ = c.Response().Write(body) // a client that left is no error of ours
	}
	return nil
}

// notBuilt is shown when the binary was built without the web application.
const notBuilt = `<!doctype html>
<html lang="fr">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Reprise</title>
<style>body{font:1.1em/1.5 system-ui,sans-serif;max-width:36em;margin:3em auto;padding:0 1em;color:#222;background:#fff}code{background:#eee;padding:.1em .3em}</style></head>
<body>
<h1>Reprise</h1>
<p>L’interface n’est pas construite dans ce programme : lancez <code>make web</code>, puis reconstruisez-le. Les flux et l’API fonctionnent.</p>
<p lang="en">The interface is not built into this binary: run <code>make web</code>, then build again. Streams and the API work.</p>
<p><a href="/api/v1/docs">API</a></p>
</body>
</html>
`
