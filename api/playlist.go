package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/stream"
	"reprise/stream/timeline"
	"reprise/vod"
)

const (
	// longestReload is how long a blocking reload is held (R192).
	longestReload = 3 * timeline.TargetDuration
	// reloadPause is the least time between two looks at a playlist that should
	// have grown by now: a clock that woke us early, or an edit.
	reloadPause = 100 * time.Millisecond
	// farthestAhead is how many segments after the last one may be asked for (R192).
	farthestAhead = 2
)

// playlist answers for a multivariant or media playlist (R190-R192, R200, R203, R207).
func (g *gate) playlist(w http.ResponseWriter, r *http.Request, q *request, c *token.Claims, now time.Time) (int, error) {
	if err := g.may(q, c, now); err != nil {
		return 0, err
	}
	a := stream.Address{View: q.view, Event: event.ID(c.Event), Language: event.Language(q.language)}
	switch q.view {
	case stream.Live:
		a.Auditorium = event.AuditoriumID(q.place)
	case stream.Preview:
		a.Event, a.Media = staffOf(c), vod.MediaID(q.place)
	default:
		a.Talk = event.TalkID(q.place)
	}
	if q.rendition == "" {
		doc, err := g.multivariant(a, q.sound, now)
		if err != nil {
			return 0, err
		}
		return send(w, r, doc, cacheNever), nil
	}
	var d directives
	d.msn = -1
	if r.URL.RawQuery != "" {
		var err error
		if d, err = parseDirectives(r.URL.RawQuery); err != nil {
			return 0, err
		}
	}
	doc, err := g.playlists.Media(a, q.rendition, now, d.skip)
	if err != nil {
		return 0, err
	}
	cache := cacheLive
	switch {
	case q.view == stream.Replay, q.view == stream.Preview, doc.Ended && q.view == stream.StartOver:
		cache = cacheReplay // never changes again, and withdrawn on a day, not a second
	case doc.Ended || d.msn < 0:
	case d.msn <= doc.LastMSN:
		cache = cacheBlocked
	default:
		if doc, cache, err = g.reload(w, r, a, q.rendition, d, doc, now); err != nil {
			return 0, err
		}
	}
	return send(w, r, doc, cache), nil
}

func (g *gate) multivariant(a stream.Address, sound bool, now time.Time) (*stream.Document, error) {
	if sound {
		return g.playlists.SoundOnly(a, now)
	}
	return g.playlists.Multivariant(a, now)
}

// staffOf returns the event whose staff a preview is for, "" when the token
// opens just this preview by its scope.
func staffOf(c *token.Claims) event.ID {
	if c.Staff {
		return event.ID(c.Event)
	}
	return ""
}

// reload holds a request until the segment that it asks for is listed (R191).
// It ends with errTooFar at once, errReloadTimeout after three target
// durations, and at once with the playlist as it stands when the server stops:
// then the player comes back, to another node.
func (g *gate) reload(w http.ResponseWriter, r *http.Request, a stream.Address, rendition string, d directives, doc *stream.Document, now time.Time) (*stream.Document, []string, error) {
	if d.msn > doc.LastMSN+farthestAhead {
		return nil, nil, errTooFar
	}
	g.metrics.blocked.Inc()
	defer g.metrics.blocked.Dec()
	extend(w, longestReload+writeTimeout)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(g.drain, cancel)()
	limit := now.Add(longestReload)
	for {
		switch {
		case doc.Ended || d.msn <= doc.LastMSN:
			return doc, cacheBlocked, nil
		case r.Context().Err() != nil:
			return nil, nil, errClientGone
		case g.draining.Load():
			return doc, cacheRelease, nil
		case !now.Before(limit):
			return nil, nil, errReloadTimeout
		}
		// How a wait ends does not matter: what counts is looked at above.
		_ = g.wait(ctx, g.nextLook(a, d.msn, doc, now, limit))
		now = g.now()
		var err error
		if doc, err = g.playlists.Media(a, rendition, now, d.skip); err != nil {
			return nil, nil, err
		}
	}
}

// nextLook returns when to look again for segment msn: when it is due, or, if
// no journal says so, when the playlist changes next.
func (g *gate) nextLook(a stream.Address, msn int64, doc *stream.Document, now, limit time.Time) time.Time {
	at, err := g.playlists.ListedAt(a, msn)
	if err != nil {
		at = doc.Next
	}
	if at.IsZero() || at.After(limit) {
		return limit
	}
	if soonest := now.Add(reloadPause); at.Before(soonest) && !at.After(now) {
		return soonest
	}
	return at
}

// send writes a playlist and returns the status. Range is ignored: 200 is a
// legal answer to it, and a range of one encoding of a text that changes each
// few seconds would be a trap (R206).
func send(w http.ResponseWriter, r *http.Request, doc *stream.Document, cache []string) int {
	body, tag := doc.Body, doc.ETag
	h := w.Header()
	h["Vary"] = varyEncoding
	h["Cache-Control"] = cache
	if len(doc.Gzip) > 0 && acceptsGzip(first(r.Header["Accept-Encoding"])) {
		body, tag = doc.Gzip, gzipTag(tag)
		h["Content-Encoding"] = onlyGzip
	}
	values := [2]string{tag, strconv.Itoa(len(body))} // one allocation for both slices
	h["Etag"] = values[0:1:1]
	if match := first(r.Header["If-None-Match"]); match != "" && matches(match, tag) {
		delete(h, "Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified
	}
	h["Content-Type"] = playlistType
	h["Content-Length"] = values[1:2:2]
	if r.Method != http.MethodHead {
		writeAll(w, r, body)
	}
	return http.StatusOK
}

// gzipTag returns the strong ETag of the compressed form: another
// representation, another tag (RFC 9110 section 8.8.3.3).
func gzipTag(tag string) string {
	if len(tag) < 2 {
		return tag
	}
	return tag[:len(tag)-1] + `-gz"`
}

// first returns the first of a header's values, "" if there is none. Unlike
// Header.Get it does not canonicalize the name.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// extend moves the connection's write deadline to d from now. Sockets know
// only the machine's clock; the injected one may be set to any day.
func extend(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d)) // a recorder in a test has none
}
