package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"reprise/api/token"
)

// apiVersion is the version of the operations, not of the program.
const apiVersion = "1.0.0"

// maxBody bounds a JSON body, in bytes.
const maxBody = 16 << 10

// operations registers the JSON operations and returns the OpenAPI document.
func (s *Server) operations() ([]byte, error) {
	cfg := apiConfig()
	cfg.Transformers = []huma.Transformer{s.transform}
	spec, err := document(s.register(humaecho.New(s.echo, cfg)))
	if err != nil {
		return nil, err
	}
	page, err := newPage("docs.html", docsPage(spec))
	if err != nil {
		return nil, err
	}
	s.echo.Match([]string{http.MethodGet, http.MethodHead}, apiPrefix+"/openapi.json", func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-cache")
		return c.Blob(http.StatusOK, "application/json", spec)
	})
	s.echo.Match([]string{http.MethodGet, http.MethodHead}, apiPrefix+"/docs", page.send)
	return spec, nil
}

// OpenAPI returns the OpenAPI 3.1 document of the operations, indented JSON
// with a final newline: what api/openapi.json holds.
func OpenAPI() ([]byte, error) {
	// The operations are described, never called: no dependencies are needed.
	return document((&Server{}).register(humaecho.New(echo.New(), apiConfig())))
}

// apiConfig is huma's configuration: no $schema in bodies (no create hooks),
// no pages of its own (they load scripts from elsewhere).
func apiConfig() huma.Config {
	cfg := huma.DefaultConfig("Reprise", apiVersion)
	cfg.CreateHooks = nil
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", ""
	cfg.Info.Description = "Operations of a Reprise server. Media is not here: POST /playback returns the address of a playlist under /p/."
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"link":   {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The token of an attendee's or organizer's link: what follows #k= in it."},
		"desk":   {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The token of the link of the organizers' desk."},
		"handin": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The token of a speaker's hand-in link."},
	}
	return cfg
}

// register describes the operations to huma.
func (s *Server) register(a huma.API) huma.API {
	linked := []map[string][]string{{"link": {}}}
	operate(a, huma.Operation{OperationID: "time", Tags: []string{"watch"}, Method: http.MethodGet, Path: apiPrefix + "/time",
		Summary: "The server's clock", Description: "For players that hold the picture to the schedule. Never cached."}, s.clock)
	operate(a, huma.Operation{OperationID: "playback", Tags: []string{"watch"}, Method: http.MethodPost, Path: apiPrefix + "/playback", Security: linked, MaxBodyBytes: maxBody,
		Summary: "Exchange a link for a playlist", Description: "Returns the address of the presentation that fits now: the auditorium live, a talk from its beginning, or its replay."}, s.playback)
	operate(a, huma.Operation{OperationID: "programme", Tags: []string{"watch"}, Method: http.MethodGet, Path: apiPrefix + "/programme", Security: linked,
		Summary: "The event's programme", Description: "Auditoriums and talks, with the state of each at this instant."}, s.programme)
	s.registerIntake(a)
	return a
}

// operate registers one operation whose errors go through the table of errors.go.
func operate[I, O any](a huma.API, op huma.Operation, f func(context.Context, *I) (*O, error)) {
	schema := a.OpenAPI().Components.Schemas.Schema(problemType, true, "Problem")
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = &huma.Response{
		Description: "A problem (RFC 9457)",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
	huma.Register(a, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err != nil {
			return nil, &raised{err}
		}
		return out, nil
	})
}

// raised carries an operation's error through huma to transform, which knows
// the request.
type raised struct{ err error }

func (e *raised) Error() string { return e.err.Error() }

// GetStatus implements huma.StatusError.
func (e *raised) GetStatus() int {
	a, _ := answerTo(e.err)
	return a.status
}

// ContentType implements huma.ContentTypeFilter.
func (e *raised) ContentType(string) string { return "application/problem+json" }

// transform turns what an operation raised, and huma's own errors, into problems.
func (s *Server) transform(ctx huma.Context, status string, v any) (any, error) {
	var err error
	var faults []Fault
	switch e := v.(type) {
	case *raised:
		err = e.err
	case *huma.ErrorModel:
		code, _ := strconv.Atoi(status)
		err = ofStatus(code, errors.New(e.Detail))
		for _, d := range e.Errors {
			if d != nil {
				faults = append(faults, Fault{Location: d.Location, Message: d.Message})
			}
		}
	default:
		return v, nil
	}
	c := humaecho.Unwrap(ctx)
	p, a := problem(err, ctx.Header("Accept-Language"), requestID(c))
	if code, convErr := strconv.Atoi(status); convErr == nil {
		p.Status = code
	}
	if faults != nil {
		p.Errors = faults
	}
	a.headers(c.Response().Header(), p.lang)
	c.Response().Header().Set("Cache-Control", noStore) // never by a second, as media is: it depends on who asks
	if p.cause != nil {
		s.log.LogAttrs(ctx.Context(), slog.LevelError, "operation failed", slog.String("request_id", p.Instance),
			slog.String("operation", ctx.Operation().OperationID), slog.String("error", token.Redact(p.cause.Error())))
	}
	return p, nil
}

// document returns the OpenAPI text. Lists are never null in our answers,
// though huma says that they may be; and its own error type is not used.
func document(a huma.API) ([]byte, error) {
	schemas := a.OpenAPI().Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	for _, schema := range schemas {
		noNull(schema)
	}
	raw, err := json.Marshal(a.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("write openapi document: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("write openapi document: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func noNull(schema *huma.Schema) {
	if schema == nil {
		return
	}
	if schema.Type == huma.TypeArray {
		schema.Nullable = false
		noNull(schema.Items)
	}
	if values, ok := schema.AdditionalProperties.(*huma.Schema); ok {
		noNull(values)
	}
	for _, p := range schema.Properties {
		noNull(p)
	}
}

// Bearer is the credential of an operation. Exported, as huma fills only exported fields.
type Bearer struct {
	Authorization string `header:"Authorization" hidden:"true"`
}

// link returns the claims of a link token: the only kind that operations take.
// A playback address that somebody shares must not be a way to get more.
func (s *Server) link(b Bearer, now time.Time) (*token.Claims, error) {
	scheme, tok, _ := strings.Cut(b.Authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") || tok == "" {
		return nil, errTokenMissing
	}
	c, err := s.deps.Keyring.Verify(strings.TrimSpace(tok), now)
	if err != nil {
		return nil, err
	}
	if c.Kind != token.Link {
		return nil, errWrongKind
	}
	return c, nil
}

// Time is the server's clock.
type Time struct {
	Now    time.Time `json:"now" doc:"this instant, UTC"`
	UnixMS int64     `json:"unix_ms" doc:"the same, in milliseconds since 1970" example:"1795420800000"`
}

type clockOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Time
}

// clock answers GET /api/v1/time.
func (s *Server) clock(context.Context, *struct{}) (*clockOutput, error) {
	now := s.deps.Now().UTC()
	return &clockOutput{CacheControl: noStore, Body: Time{Now: now, UnixMS: now.UnixMilli()}}, nil
}
