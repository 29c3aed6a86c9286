package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/storage"
	"reprise/stream"
	"reprise/vod"
)

// playlists is what the gate needs of stream.Playout to answer for playlists.
type playlists interface {
	Multivariant(a stream.Address, now time.Time) (*stream.Document, error)
	SoundOnly(a stream.Address, now time.Time) (*stream.Document, error)
	Media(a stream.Address, rendition string, now time.Time, skip bool) (*stream.Document, error)
	ListedAt(a stream.Address, msn int64) (time.Time, error)
}

// files is what the gate needs of stream.Playout to answer for files.
type files interface {
	File(ev event.ID, id vod.MediaID, rendition, name string, now time.Time,
		may func(event.AuditoriumID, event.TalkID) bool, staff bool) (stream.File, error)
	PreviewFile(id vod.MediaID, rendition, name string) (stream.File, error)
	SourceFile(ev event.ID, id vod.AssetID) (stream.File, error)
}

// verifier is what the gate needs of token.Keyring.
type verifier interface {
	Verify(tok string, now time.Time) (*token.Claims, error)
}

// opener is what the gate needs of storage.Store.
type opener interface {
	Open(ctx context.Context, key storage.Key) (storage.Object, error)
}

// ranger is the optional power of a store to open a range at once. What it
// returns may be an io.WriterTo that hands open files to the socket, for sendfile.
type ranger interface {
	OpenRange(ctx context.Context, key storage.Key, offset, length int64) (io.ReadCloser, error)
}

// gate answers everything under /p/: it checks the token, then hands out
// playlists and files. It is the hot path: no router, no middleware, no
// response wrapper, and as few allocations as net/http lets one have.
type gate struct {
	playlists playlists
	files     files
	directory *directory
	keys      verifier
	objects   opener
	filer     storage.Filer // objects' optional power; nil without
	metrics   *metrics
	log       *slog.Logger
	now       func() time.Time
	wait      func(ctx context.Context, until time.Time) error

	drain    context.Context // cancelled when the server begins to stop (not a request's context)
	draining *atomic.Bool
}

// Header values that never change; the slices are shared by all answers.
//
// A playlist's answer has eight headers of ours: with a ninth Go's map grows to
// another form, which costs as much as all the rest of the gate.
var (
	anyOrigin    = []string{"*"}
	exposed      = []string{"Date, Age, ETag, Content-Length, Content-Range, Retry-After, X-Request-Id, CMSD-Dynamic"}
	allowMethods = []string{"GET, HEAD, OPTIONS"}
	allowHeaders = []string{"Range, If-Range, If-None-Match, If-Modified-Since, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status"}
	oneDay       = []string{"86400"}
	nosniff      = []string{"nosniff"}
	onlyGzip     = []string{"gzip"}
	varyEncoding = []string{"Accept-Encoding"}
	bytesUnit    = []string{"bytes"}
	playlistType = []string{"application/vnd.apple.mpegurl"} // R004, R201
	cacheNever   = []string{"private, no-store"}             // R203: multivariant
	cacheRelease = []string{noStore}
	cacheLive    = []string{"public, max-age=1"}
	cacheBlocked = []string{"public, max-age=24"} // 6 target durations
	cacheReplay  = []string{"private, max-age=60"}
	cacheForever = []string{"public, max-age=31536000, immutable"}
	cacheOwn     = []string{"private, max-age=3600"} // before its hour
)

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.metrics.inFlight.Inc()
	defer g.metrics.inFlight.Dec()
	h := w.Header()
	h["Access-Control-Allow-Origin"] = anyOrigin // R205: the credential is in the path
	h["Access-Control-Expose-Headers"] = exposed
	h["Timing-Allow-Origin"] = anyOrigin
	if r.Method == http.MethodOptions {
		g.preflight(w)
		return
	}
	start := g.now()
	q, ok := parse(r.URL.Path)
	status, err := g.serve(w, r, &q, ok, start)
	c := q.class(ok, r)
	if err != nil {
		status = g.fail(w, r, err, c)
	}
	elapsed := g.now().Sub(start)
	g.metrics.count(c, string(q.view), status, elapsed)
	if r.URL.RawQuery != "" || len(r.Header["Cmcd-Status"]) > 0 {
		if text := cmcd(r); text != "" && starved(text) {
			g.metrics.starved.Inc()
		}
	}
	if g.log.Enabled(r.Context(), slog.LevelDebug) {
		g.log.LogAttrs(r.Context(), slog.LevelDebug, "media request", slog.String("method", r.Method), slog.String("path", token.Redact(r.URL.Path)),
			slog.String("route", classNames[c]), slog.Int("status", status), slog.Duration("duration", elapsed), slog.String("cmcd", token.Redact(cmcd(r))))
	}
}

// preflight answers OPTIONS (R205, R220), before the token is looked at: a
// preflight shows nothing, and a browser hides its errors from the page.
func (g *gate) preflight(w http.ResponseWriter) {
	h := w.Header()
	h["Access-Control-Allow-Methods"] = allowMethods
	h["Access-Control-Allow-Headers"] = allowHeaders
	h["Access-Control-Max-Age"] = oneDay
	h["Allow"] = allowMethods
	w.WriteHeader(http.StatusNoContent)
}

// serve answers one request; an error means that nothing was written yet.
func (g *gate) serve(w http.ResponseWriter, r *http.Request, q *request, ok bool, now time.Time) (int, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header()["Allow"] = allowMethods
		return 0, errMethod
	}
	if q.token == "" {
		return 0, errTokenMissing
	}
	claims, err := g.keys.Verify(q.token, now)
	if err != nil {
		return 0, err
	}
	if claims.Kind != token.Playback {
		return 0, errWrongKind
	}
	switch {
	case !ok:
		return 0, errNoRoute
	case q.media != "", q.asset != "":
		return g.file(w, r, q, claims, now)
	default:
		return g.playlist(w, r, q, claims, now)
	}
}

// may checks the scope of a playlist request. It comes before the question
// whether the thing exists, so that a narrow token learns nothing.
func (g *gate) may(q *request, c *token.Claims, now time.Time) error {
	switch q.view {
	case stream.Live:
		if !c.MayAuditorium(q.place) {
			return errScope
		}
		return nil
	case stream.Preview:
		if !c.MayMedia(q.place) {
			return errScope
		}
		return nil
	}
	if c.MayTalk("", q.place) { // staff, the whole event, or just this talk
		return nil
	}
	if !c.MayTalk(g.directory.auditorium(event.ID(c.Event), event.TalkID(q.place), now), q.place) {
		return errScope
	}
	return nil
}

// fail writes the problem for err, and logs it when nobody foresaw it.
func (g *gate) fail(w http.ResponseWriter, r *http.Request, err error, c class) int {
	if errors.Is(err, errClientGone) {
		return 499 // for the metrics; nobody is there to read it
	}
	p := writeProblem(w, r, err, newRequestID())
	if p.cause != nil {
		g.log.LogAttrs(r.Context(), slog.LevelError, "media request failed", slog.String("request_id", p.Instance),
			slog.String("route", classNames[c]), slog.String("path", token.Redact(r.URL.Path)), slog.String("error", token.Redact(p.cause.Error())))
	}
	return p.Status
}

// class tells the route class of a request.
func (q *request) class(ok bool, r *http.Request) class {
	switch {
	case !ok:
		return classBad
	case q.asset != "":
		return classSource
	case q.media != "" && q.rendition == "":
		return classPicture
	case q.media != "" && strings.HasPrefix(q.name, "init-"):
		return classInit
	case q.media != "":
		return classSegment
	case q.rendition == "":
		return classMultivariant
	case r.URL.RawQuery != "" && strings.Contains(r.URL.RawQuery, "_HLS_msn="):
		return classReload
	}
	return classPlaylist
}
