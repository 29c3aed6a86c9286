package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/stream"
	"reprise/vod"
)

const (
	// writeTimeout is how long an answer that is ready may take to go out, and
	// slowest the rate, in bytes a second, that a client must keep up beyond it:
	// less than the lowest rung asks for. A stuck client loses its socket.
	writeTimeout = 30 * time.Second
	slowest      = 16 << 10

	// mostCompressed bounds the captions that are compressed on request.
	mostCompressed = 1 << 20

	captionsType = "text/vtt"
)

// find finds the file that a request asks for, if its token opens it.
func (g *gate) find(q *request, c *token.Claims, now time.Time) (stream.File, error) {
	switch {
	case q.asset != "":
		if !c.MayAsset(q.asset) {
			return stream.File{}, errScope
		}
		return g.files.SourceFile(staffOf(c), vod.AssetID(q.asset))
	case !c.Staff && c.MayMedia(q.media):
		return g.files.PreviewFile(vod.MediaID(q.media), q.rendition, q.name)
	}
	return g.files.File(event.ID(c.Event), vod.MediaID(q.media), q.rendition, q.name, now,
		func(a event.AuditoriumID, t event.TalkID) bool {
			if t == "" {
				return c.MayAuditorium(string(a))
			}
			return c.MayTalk(string(a), string(t))
		}, c.Staff)
}

// caching says how long a file may be kept, and by whom: what is shown before
// its hour, or never to all, by none but the viewer.
func (q *request) caching(f *stream.File) []string {
	switch {
	case q.asset != "":
		return cacheNever
	case f.Private:
		return cacheOwn
	}
	return cacheForever
}

// file answers for an init segment, a segment, a picture, or a film as it was handed in (R200-R207).
func (g *gate) file(w http.ResponseWriter, r *http.Request, q *request, c *token.Claims, now time.Time) (int, error) {
	f, err := g.find(q, c, now)
	if err != nil {
		return 0, err
	}
	h := w.Header()
	h["Cache-Control"] = q.caching(&f)
	h["Accept-Ranges"] = bytesUnit
	if f.ContentType == captionsType {
		h["Vary"] = varyEncoding
		if r.Header["Range"] == nil && f.Length <= mostCompressed && acceptsGzip(first(r.Header["Accept-Encoding"])) {
			if err := g.compress(r, &f); err != nil {
				return 0, err
			}
			h["Content-Encoding"] = onlyGzip
		}
	}
	size := f.Length
	if f.Bytes != nil {
		size = int64(len(f.Bytes))
	}
	if match := first(r.Header["If-None-Match"]); match != "" && matches(match, f.ETag) {
		h["Etag"] = []string{f.ETag}
		delete(h, "Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified, nil
	}
	start, length, status := int64(0), size, http.StatusOK
	if text := first(r.Header["Range"]); text != "" && r.Method == http.MethodGet && rangeApplies(r, f.ETag) {
		var kind rangeKind
		start, length, kind = parseRange(text, size)
		switch kind {
		case rangeNone:
			start, length = 0, size
		case rangeBad:
			h["Content-Range"] = []string{"bytes */" + strconv.FormatInt(size, 10)}
			return 0, errRange
		case rangePart:
			status = http.StatusPartialContent
			h["Content-Range"] = []string{fmt.Sprintf("bytes %d-%d/%d", start, start+length-1, size)}
		}
	}
	return g.sendFile(w, r, &f, start, length, status)
}

// sendFile writes length bytes from start of f. The object is opened before the
// headers go out, so that a store that fails gives a problem, not half an answer.
func (g *gate) sendFile(w http.ResponseWriter, r *http.Request, f *stream.File, start, length int64, status int) (int, error) {
	var body io.ReadCloser
	if r.Method != http.MethodHead {
		var err error
		if body, err = g.open(r.Context(), f, start, length); err != nil {
			return 0, err
		}
		defer body.Close()
	}
	h := w.Header()
	values := [3]string{f.ETag, strconv.FormatInt(length, 10), f.ContentType}
	h["Etag"], h["Content-Length"], h["Content-Type"] = values[0:1:1], values[1:2:2], values[2:3:3]
	if status != http.StatusOK || r.Method == http.MethodHead || length == 0 {
		w.WriteHeader(status)
	}
	if r.Method == http.MethodHead || length == 0 {
		return status, nil
	}
	// The raw ResponseWriter's ReadFrom hands an *os.File to sendfile.
	extend(w, writeTimeout+time.Duration(length/slowest)*time.Second)
	sent, err := copyBody(w, body, length)
	g.metrics.segment.Add(float64(sent))
	if err != nil {
		// The headers are out: all that is left is to let the client see that
		// the answer is not whole. net/http closes the connection, as fewer
		// bytes than Content-Length were written.
		return 499, nil
	}
	return status, nil
}

// open returns length bytes from start of f.
func (g *gate) open(ctx context.Context, f *stream.File, start, length int64) (io.ReadCloser, error) {
	switch {
	case f.Bytes != nil:
		return io.NopCloser(bytes.NewReader(f.Bytes[start : start+length])), nil
	case g.filer != nil:
		file, err := g.filer.File(f.Object)
		if err != nil {
			return nil, fmt.Errorf("open object: %w", err)
		}
		if _, err := file.Seek(f.Offset+start, io.SeekStart); err != nil {
			file.Close()
			return nil, fmt.Errorf("seek in object: %w", err)
		}
		return file, nil // itself, not wrapped: sendfile looks for an *os.File
	}
	ctx = context.WithoutCancel(ctx) // see readTimeout: it may end a slow download's context
	if store, ok := g.objects.(ranger); ok {
		body, err := store.OpenRange(ctx, f.Object, f.Offset+start, length)
		if err != nil {
			return nil, fmt.Errorf("open object: %w", err)
		}
		return ranged{body}, nil
	}
	object, err := g.objects.Open(ctx, f.Object)
	if err != nil {
		return nil, fmt.Errorf("open object: %w", err)
	}
	return objectBody{io.NewSectionReader(object, f.Offset+start, length), object}, nil
}

// ranged is a range that a store opened: nothing is in it but what was asked for.
type ranged struct{ io.ReadCloser }

// copyBody writes length bytes of a body, whole files by sendfile.
func copyBody(w io.Writer, body io.Reader, length int64) (sent int64, err error) {
	if r, ok := body.(ranged); ok {
		if parts, ok := r.ReadCloser.(io.WriterTo); ok {
			if sent, err = parts.WriteTo(w); err == nil && sent < length {
				err = io.ErrUnexpectedEOF
			}
			return sent, err
		}
	}
	return io.CopyN(w, body, length)
}

// compress puts the gzip form of a text in the place of its bytes: only for
// captions (R200), which are small, and only when no range is asked for (R206).
func (g *gate) compress(r *http.Request, f *stream.File) error {
	body, err := g.open(r.Context(), f, 0, f.Length)
	if err != nil {
		return err
	}
	defer body.Close()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.CopyN(z, body, f.Length); err != nil {
		return fmt.Errorf("compress captions: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("compress captions: %w", err)
	}
	f.Bytes, f.Length, f.ETag = b.Bytes(), int64(b.Len()), gzipTag(f.ETag)
	return nil
}

// objectBody is a range of an object of a store that has no files to lend.
type objectBody struct {
	io.Reader
	io.Closer
}
