package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"reprise/api/token"
)

// requestIDKey is where echo's context keeps the request id.
const requestIDKey = "request_id"

// requestID returns the id that begin gave the request.
func requestID(c echo.Context) string {
	id, _ := c.Get(requestIDKey).(string)
	return id
}

// observe is the outermost middleware: request id, recovery from a panic,
// metrics, and one line of log per request, with neither token nor query. The
// id is ours: one that a client sends could forge log lines.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		s.metrics.inFlight.Inc()
		defer s.metrics.inFlight.Dec()
		start := s.deps.Now()
		id := newRequestID()
		c.Set(requestIDKey, id)
		c.Response().Header().Set("X-Request-Id", id)
		if err := s.recovered(next, c); err != nil {
			c.Error(err) // writes the problem, so that the status below is the one sent
		}
		route := classOf(c)
		status, elapsed := c.Response().Status, s.deps.Now().Sub(start)
		s.metrics.count(route, "", status, elapsed)
		level := slog.LevelInfo
		if route == classHealth && status < http.StatusInternalServerError {
			level = slog.LevelDebug
		}
		r := c.Request()
		s.log.LogAttrs(r.Context(), level, "request", slog.String("request_id", id), slog.String("method", r.Method),
			slog.String("path", token.Redact(r.URL.Path)), slog.String("route", classNames[route]), slog.Int("status", status),
			slog.Int64("bytes", c.Response().Size), slog.Duration("duration", elapsed.Round(time.Microsecond)))
		return nil
	}
}

// recovered calls next and turns a panic into an error.
func (s *Server) recovered(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return next(c)
}

// classOf tells the route class of a request that went to echo.
func classOf(c echo.Context) class {
	path := c.Request().URL.Path
	switch {
	case path == "/healthz" || path == "/readyz":
		return classHealth
	case path == "/api" || strings.HasPrefix(path, "/api/"):
		return classAPI
	}
	return classWeb
}

// quiet passes net/http's own complaints (TLS handshakes, clients that left)
// on without addresses' queries or tokens.
type quiet struct{ slog.Handler }

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Message = token.Redact(strings.TrimSpace(r.Message))
	return q.Handler.Handle(ctx, r)
}
