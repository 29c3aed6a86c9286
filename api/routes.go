package api

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"reprise/api/token"
)

const (
	apiPrefix = "/api/v1"
	bodyLimit = "64K"
)

// routes builds echo's side of the server.
func (s *Server) routes() error {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard) // all that is logged goes through slog
	e.HTTPErrorHandler = s.problem
	// Operations have limits of their own, each its: huma's, or those of uploads.
	e.Use(s.observe, harden, middleware.BodyLimitWithConfig(middleware.BodyLimitConfig{Limit: bodyLimit, Skipper: func(c echo.Context) bool {
		return strings.HasPrefix(c.Request().URL.Path, apiPrefix+"/")
	}}))
	e.Match([]string{http.MethodGet, http.MethodHead}, "/healthz", s.healthz)
	e.Match([]string{http.MethodGet, http.MethodHead}, "/readyz", s.readyz)
	s.echo = e
	var err error
	if s.spec, err = s.operations(); err != nil {
		return err
	}
	s.mountUploads()
	web, err := newSite(s.deps.Web)
	if err != nil {
		return err
	}
	// The web application takes what is left, which hides the router's own 405:
	// an address that has a route under another method says so.
	methods := map[string]string{}
	for _, r := range e.Routes() {
		methods[r.Path] = strings.TrimPrefix(methods[r.Path]+", "+r.Method, ", ")
	}
	e.Match([]string{http.MethodGet, http.MethodHead}, "/*", func(c echo.Context) error {
		if allow := methods[c.Request().URL.Path]; allow != "" {
			c.Response().Header().Set("Allow", allow)
			return errMethod
		}
		return web.serve(c)
	})
	return nil
}

// harden sets the headers that every answer of echo's side carries.
func harden(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h["X-Content-Type-Options"] = nosniff
		h.Set("Referrer-Policy", "no-referrer") // an attendee's link is a secret
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		return next(c)
	}
}

// problem is echo's error handler: each error becomes a problem, the router's
// own 404 and 405 too.
func (s *Server) problem(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var he *echo.HTTPError
	if errors.As(err, &he) {
		err = ofStatus(he.Code, err)
	}
	var p *Problem
	if !errors.As(err, &p) {
		p = writeProblem(c.Response(), c.Request(), err, requestID(c))
	}
	if p.cause != nil {
		s.log.LogAttrs(c.Request().Context(), slog.LevelError, "request failed", slog.String("request_id", p.Instance),
			slog.String("error", token.Redact(p.cause.Error())))
	}
}

// ofStatus returns our error for a status that a library chose, or err itself
// if it is none of the known ones.
func ofStatus(status int, err error) error {
	switch status {
	case http.StatusBadRequest:
		return errMalformed
	case http.StatusNotFound:
		return errNoRoute
	case http.StatusMethodNotAllowed:
		return errMethod
	case http.StatusNotAcceptable:
		return errNotAcceptable
	case http.StatusRequestTimeout:
		return errRequestTimeout
	case http.StatusRequestEntityTooLarge:
		return errBodyTooLarge
	case http.StatusUnsupportedMediaType:
		return errUnsupported
	case http.StatusUnprocessableEntity:
		return errUnprocessable
	}
	return err
}

// healthz says that the process lives.
func (s *Server) healthz(c echo.Context) error {
	return health(c, "ok")
}

// readyz says whether requests should come here: not while starting, not
// while a service that we depend on is away, not once the drain has begun.
func (s *Server) readyz(c echo.Context) error {
	if s.unready.Load() {
		return errNotReady
	}
	if s.deps.Ready != nil {
		if err := s.deps.Ready(c.Request().Context()); err != nil {
			s.log.LogAttrs(c.Request().Context(), slog.LevelWarn, "not ready", slog.String("request_id", requestID(c)), slog.String("error", token.Redact(err.Error())))
			return errNotReady
		}
	}
	return health(c, "ready")
}

func health(c echo.Context, status string) error {
	c.Response().Header().Set("Cache-Control", noStore)
	return c.JSON(http.StatusOK, map[string]string{"status": status})
}
