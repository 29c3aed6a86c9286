package api

import (
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
	"net/http"
)

var sampleSite = fstest.MapFS{
	"index.html":            {Data: []byte("<!doctype html><title>Reprise</title>" + strings.Repeat("<p>words</p>", 90))},
	"favicon.svg":           {Data: []byte("<svg/>")},
	"assets/app-1a2b.js":    {Data: []byte(strings.Repeat("let a = 1;\n", 200))},
	"assets/app-1a2b.css":   {Data: []byte("p{}")},
	"assets/app-1a2b.js.gz": {Data: []byte("not served")},
	".gitkeep":              {},
}

func TestWeb(t *testing.T) {
	t.Parallel()
	w := setup(t, withWeb(sampleSite))
	const forever, page = "public, max-age=31536000, immutable", "no-cache"
	html := "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
	for _, tt := range []struct {
		target, accept string
		status         int
		contentType    string
		cache          string
	}{
		{"/", "", 200, "text/html; charset=utf-8", page},
		{"/index.html", "", 200, "text/html; charset=utf-8", page},
		{"/fr/a/main", html, 200, "text/html; charset=utf-8", page},
		{"/en/desk", html, 200, "text/html; charset=utf-8", page},
		{"/fr/a/main", "Accept: */*", 200, "text/html; charset=utf-8", "no-cache"},
		{"/en-CA/t/opening", "X: no Accept", 200, "text/html; charset=utf-8", "no-cache"},
		{"/nowhere/a/main", "Accept: */*", 404, "application/problem+json", noStore},
		{"/fr/a/main", "Accept: application/json", 404, "application/problem+json", noStore},
		{"/assets/app-1a2b.js", "", 200, "text/javascript; charset=utf-8", forever},
		{"/assets/app-1a2b.css", "", 200, "text/css; charset=utf-8", forever},
		{"/assets/app-9.js", html, 404, "application/problem+json", noStore},
		{"/assets/", html, 404, "application/problem+json", noStore},
		{"/assets/app-1a2b.js.gz", html, 404, "application/problem+json", noStore},
		{"/favicon.svg", "", 200, "image/svg+xml", "public, max-age=3600"},
		{"/.gitkeep", html, 404, "application/problem+json", noStore},
		{"/api/v2/x", html, 404, "application/problem+json", noStore},
		{"/../../etc/passwd", html, 200, "text/html; charset=utf-8", page}, // the page: there is no file system behind
		{"/live/main/fr/v720.m3u8", html, 404, "application/problem+json", noStore},
		{"/s/" + mediaID + "/v720/0-x.m4s", html, 404, "application/problem+json", noStore},
		{"//p/x", html, 404, "application/problem+json", noStore},
	} {
		rec := w.do("GET", tt.target, tt.accept)
		h := rec.Header()
		if rec.Code != tt.status || h.Get("Content-Type") != tt.contentType || h.Get("Cache-Control") != tt.cache {
			t.Errorf("%s (%s): %d %q %q", tt.target, tt.accept, rec.Code, h.Get("Content-Type"), h.Get("Cache-Control"))
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Permissions-Policy") == "" {
			t.Errorf("%s: headers %v", tt.target, h)
		}
		if csp := h.Get("Content-Security-Policy"); strings.HasPrefix(tt.contentType, "text/html") != (csp != "") {
			t.Errorf("%s: policy %q", tt.target, csp)
		}
	}
}

func TestWebPolicy(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "media-src 'self' blob:", "worker-src 'self' blob:", "connect-src 'self';", "img-src 'self' data: blob:", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestWebCompressionAndConditions(t *testing.T) {
	t.Parallel()
	w := setup(t, withWeb(sampleSite))
	for _, target := range []string{"/", "/assets/app-1a2b.js"} {
		plain, packed := w.do("GET", target), w.do("GET", target, "Accept-Encoding: gzip, br")
		if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() >= plain.Body.Len() || packed.Header().Get("Etag") == plain.Header().Get("Etag") {
			t.Errorf("%s: %v", target, packed.Header())
		}
		if rec := w.do("GET", target, "If-None-Match: "+plain.Header().Get("Etag")); rec.Code != 304 || rec.Body.Len() > 0 {
			t.Errorf("%s: %d", target, rec.Code)
		}
		if rec := w.do("HEAD", target); rec.Code != 200 || rec.Body.Len() > 0 || rec.Header().Get("Content-Length") != plain.Header().Get("Content-Length") {
			t.Errorf("HEAD %s: %d %v", target, rec.Code, rec.Header())
		}
	}
	if rec := w.do("GET", "/favicon.svg", "Accept-Encoding: gzip"); rec.Header().Get("Content-Encoding") != "" {
		t.Error("six bytes are compressed")
	}
}

func TestWebNotBuilt(t *testing.T) {
	t.Parallel()
	w := setup(t, withWeb(fstest.MapFS{".gitkeep": {}}))
	rec := w.do("GET", "/")
	for _, want := range []string{"/api/v1/docs", "n’est pas construite", "not built"} {
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, target := range []string{"/healthz", "/readyz"} {
		if rec := w.do("GET", target); rec.Code != 200 || rec.Header().Get("Cache-Control") != noStore {
			t.Errorf("%s: %d", target, rec.Code)
		}
	}
	w.ready = io.ErrUnexpectedEOF
	wantProblem(t, w.do("GET", "/readyz"), 503, "not-ready", noStore)
	w.ready = nil
	w.server.unready.Store(true)
	wantProblem(t, w.do("GET", "/readyz"), 503, "not-ready", noStore)
	if rec := w.do("GET", "/healthz"); rec.Code != 200 {
		t.Errorf("healthz while draining: %d", rec.Code)
	}
}

func TestPanicIs500(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.server.echo.GET("/api/v1/boom", func(echo.Context) error { panic("secret of a panic") })
	rec := w.do("GET", "/api/v1/boom")
	if strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("leak: %s", rec.Body)
	}
	wantProblem(t, rec, http.StatusInternalServerError, "internal", noStore)
	if !strings.Contains(w.log.String(), "secret of a panic") {
		t.Error("not logged")
	}
}
