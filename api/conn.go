package api

import (
	"context"
	"io"
	"net"
	"net/http"
)

// batch wraps a listener's connections so that an answer that is larger than
// net/http's write buffer (4 KiB) can go out in one system call instead of two
// or three, without being copied: for a playlist without compression that is a
// third of its cost.
type batch struct{ net.Listener }

// Accept implements net.Listener.
func (l batch) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	from, ok := c.(io.ReaderFrom)
	if !ok { // not TCP: nothing to gain
		return c, nil
	}
	return &batchConn{Conn: c, from: from}, nil
}

// batchConn is such a connection. Only the goroutine that answers the current
// request writes to it, so writing needs no lock; another one may read.
type batchConn struct {
	net.Conn
	from    io.ReaderFrom // Conn itself: sendfile stays in reach
	hold    bool
	held    []byte      // what came in pieces of net/http's buffer, which it uses again
	vector  [2][]byte   // backs buffers
	buffers net.Buffers // of the system call
}

// Write implements net.Conn. While it holds, small pieces wait for the large
// one that follows, and go out before it.
func (c *batchConn) Write(p []byte) (int, error) {
	switch {
	case !c.hold:
		return c.Conn.Write(p)
	case len(p) <= netBuffer:
		c.held = append(c.held, p...)
		return len(p), nil
	}
	c.vector = [2][]byte{c.held, p}
	c.buffers = c.vector[:]
	_, err := c.buffers.WriteTo(c.Conn)
	c.held, c.vector = c.held[:0], [2][]byte{}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// ReadFrom implements io.ReaderFrom.
func (c *batchConn) ReadFrom(r io.Reader) (int64, error) { return c.from.ReadFrom(r) }

// batchKey finds a request's connection in its context. It is the one thing
// besides caller and id that a context carries here: net/http offers no other way
// from a request to its connection.
type batchKey struct{}

// withConn is a http.Server.ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if b, ok := c.(*batchConn); ok {
		return context.WithValue(ctx, batchKey{}, b)
	}
	return ctx
}

const (
	// netBuffer is net/http's write buffer: what is larger comes past it, as it is.
	netBuffer = 4 << 10
	// oneWrite is the size up to which net/http sends body and headers together by itself.
	oneWrite = 3 << 10
)

// writeAll writes a whole body; errors are those of a client that left, and
// concern nobody.
func writeAll(w http.ResponseWriter, r *http.Request, body []byte) {
	if len(body) > oneWrite {
		if c, ok := r.Context().Value(batchKey{}).(*batchConn); ok {
			c.writeAll(w, body)
			return
		}
	}
	_, _ = w.Write(body)
}

func (c *batchConn) writeAll(w http.ResponseWriter, body []byte) {
	c.hold = true
	defer func() { c.hold = false }()
	_, _ = w.Write(body)
	_ = http.NewResponseController(w).Flush() // all that net/http still has
	if len(c.held) > 0 {
		_, _ = c.Conn.Write(c.held)
		c.held = c.held[:0]
	}
}
