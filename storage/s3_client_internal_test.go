package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener gives a server connections in memory, whose waits are those of a test's own clock.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// inMemory runs do with a client of a server, on a clock that jumps.
func inMemory(t *testing.T, timeout time.Duration, handler http.HandlerFunc, do func(t *testing.T, client *http.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		base, end := context.WithCancel(context.Background()) // of the server's requests
		server := &http.Server{Handler: handler, BaseContext: func(net.Listener) context.Context { return base }}
		go server.Serve(l)
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			a, b := net.Pipe()
			select {
			case l.conns <- a:
				return b, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}
		defer func() {
			transport.CloseIdleConnections()
			end()
			server.Close()
			time.Sleep(minute) // of the test's clock: connections linger before they close
		}()
		do(t, clientOf(transport, timeout))
	})
}

const minute = time.Minute

// TestWatchedEndsWhatStandsStill: a server that neither reads, nor answers, nor goes on.
func TestWatchedEndsWhatStandsStill(t *testing.T) {
	t.Parallel()
	hang := func(r *http.Request) { <-r.Context().Done() }
	tests := []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"body is not read", func(_ http.ResponseWriter, r *http.Request) { hang(r) }},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); hang(r) }},
		{"answer breaks off", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("half"))
			_ = http.NewResponseController(w).Flush()
			hang(r)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inMemory(t, minute, tt.handler, func(t *testing.T, client *http.Client) {
				began := time.Now()
				resp, err := client.Post("http://test", "", bytes.NewReader(make([]byte, 1<<20)))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					_ = resp.Body.Close()
				}
				if took := time.Since(began); !errors.Is(err, errStalled) || took != minute {
					t.Errorf("after %s: %v", took, err)
				}
			})
		})
	}
}

// TestWatchedLetsTheSlowGoOn: a piece every now and then for an hour, both ways, and a reader that pauses.
func TestWatchedLetsTheSlowGoOn(t *testing.T) {
	t.Parallel()
	const piece, pieces, rest = 64 << 10, 80, 25 * time.Second
	handler := func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, piece)
		for {
			time.Sleep(rest)
			if _, err := io.ReadFull(r.Body, b); err != nil {
				break
			}
		}
		for range pieces {
			time.Sleep(rest)
			_, _ = w.Write(b)
			_ = http.NewResponseController(w).Flush()
		}
	}
	inMemory(t, minute, handler, func(t *testing.T, client *http.Client) {
		began := time.Now()
		resp, err := client.Post("http://test", "", bytes.NewReader(make([]byte, piece*pieces)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadFull(resp.Body, make([]byte, piece*pieces/2)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * minute) // the reader has other things to do
		if b, err := io.ReadAll(resp.Body); len(b) != piece*pieces/2 || err != nil {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		if took := time.Since(began); took < time.Hour {
			t.Errorf("it took %s: the test shows nothing", took)
		}
	})
}

func TestPauseGrowsAndIsBounded(t *testing.T) {
	t.Parallel()
	for attempt := range 100 {
		for range 20 {
			got := pause(attempt)
			top := firstPause
			for range attempt - 1 {
				top = min(top*2, lastPause)
			}
			if got < top/2 || got > top {
				t.Fatalf("attempt %d: %s is not within %s and %s", attempt, got, top/2, top)
			}
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/100", "bytes 5-4/100", "bytes */100", "bytes 0-9/*", "bytes 0-99999999999999999999/1", "bytes -1-2/3", "", "bytes 0-0/1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		start, end, size, ok := parseContentRange(s)
		if ok && (start < 0 || end < start || size <= end) {
			t.Errorf("%q: %d-%d/%d", s, start, end, size)
		}
	})
}

func FuzzLedger(f *testing.F) {
	f.Add([]byte(`{"key":"a/b","size":1,"from":"2026-01-02T03:04:05.000000006Z","to":"2026-01-02T03:04:05Z"}` + "\n" + `{"key":"c","si`))
	f.Add([]byte("\n\nnull\n[]\n{}\n"))
	f.Add(bytes.Repeat([]byte("x"), 3*maxLedgerLine))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := readLedger(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		for key, line := range lines {
			if key.Validate() != nil || line.Key != key {
				t.Errorf("%q is taken for a key", key)
			}
		}
	})
}

// FuzzRedact: whatever a server says, one short line comes of it that holds none of our secrets.
func FuzzRedact(f *testing.F) {
	s := &S3{cfg: S3Config{AccessKeyID: "AKIATEST", SecretAccessKey: "very secret"}}
	f.Add("SlowDown: please")
	f.Add("AWS4-HMAC-SHA256 Credential=AKIATEST/x, Signature=abc")
	f.Add("very secret AKIATEST\r\nnext line")
	f.Fuzz(func(t *testing.T, text string) {
		got := s.redact(text)
		if len(got) > shown+len("…") {
			t.Errorf("%d bytes", len(got))
		}
		for _, bad := range []string{"AKIATEST", "very secret", "Signature=", "\n", "\r"} {
			if bytes.Contains([]byte(got), []byte(bad)) {
				t.Errorf("%q holds %q", got, bad)
			}
		}
	})
}
