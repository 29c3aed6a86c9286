package storage_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"reprise/storage"
	"reprise/storage/storagetest"
)

// badNetwork starts a proxy with toxics in front of a server and returns its address.
func badNetwork(t *testing.T, endpoint string, toxics ...string) string {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", strings.TrimPrefix(endpoint, "http://"))
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	for _, toxic := range toxics {
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			t.Fatal(err)
		}
	}
	return "http://" + proxy.Listen
}

// conformThrough runs the suite on a server that is reached at an address of its own.
func conformThrough(t *testing.T, g *storagetest.Gateway, endpoint string) {
	t.Helper()
	storagetest.Conformance(t, func(t *testing.T) storage.Store {
		cfg := g.Config("b" + storage.RandomName())
		cfg.Endpoint, cfg.PartSize = endpoint, 5<<20
		return newS3(t, cfg)
	})
}

func TestS3ConformanceLatency(t *testing.T) {
	t.Parallel()
	g := storagetest.StartGateway(t)
	conformThrough(t, g, badNetwork(t, g.Endpoint, `{"type":"latency","attributes":{"latency":10,"jitter":9}}`))
}

// TestS3ConformanceResets breaks every connection after 100 kB of answers, and some before the first.
func TestS3ConformanceResets(t *testing.T) {
	t.Parallel()
	g := storagetest.StartGateway(t)
	conformThrough(t, g, badNetwork(t, g.Endpoint,
		`{"type":"limit_data","attributes":{"bytes":100000}}`,
		`{"type":"reset_peer","toxicity":0.05,"attributes":{"timeout":0}}`))
}

func TestS3ConformanceSlowReads(t *testing.T) {
	t.Parallel()
	g := storagetest.StartGateway(t)
	conformThrough(t, g, badNetwork(t, g.Endpoint,
		`{"type":"bandwidth","attributes":{"rate":3000}}`,
		`{"type":"slicer","attributes":{"average_size":20000,"size_variation":9000,"delay":10}}`))
}

func TestS3ConformanceFaults(t *testing.T) {
	t.Parallel()
	g := storagetest.StartGateway(t)
	f := newFaults(t, g.Endpoint)
	conformThrough(t, g, f.endpoint)
	t.Cleanup(func() { // after the subtests
		if f.count.Load() < 100 {
			t.Errorf("only %d faults were met", f.count.Load())
		}
	})
}

// faults is an HTTP proxy that fails the first two attempts of most requests, in turn by
// 500, 503 SlowDown, a body that breaks off, and an answer that is lost after the deed.
type faults struct {
	endpoint string
	turn     atomic.Int64
	count    atomic.Int64
	only     func(*http.Request) bool // nil: all
	always   *fault                   // nil: in turn
}

type fault int

const (
	serverError fault = iota
	slowDown
	brokenBody
	lostAnswer
	faultKinds
)

func newFaults(t *testing.T, endpoint string) *faults {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	f := &faults{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(proxy, w, r) }))
	t.Cleanup(server.Close)
	f.endpoint = server.URL
	return f
}

func (f *faults) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	attempt := r.Header.Get("Amz-Sdk-Request")
	early := strings.HasPrefix(attempt, "attempt=1;") || strings.HasPrefix(attempt, "attempt=2;")
	turn := f.turn.Add(1)
	if !early || turn%3 == 0 || f.only != nil && !f.only(r) {
		next.ServeHTTP(w, r)
		return
	}
	kind := fault(turn / 3 % int64(faultKinds))
	if kind == lostAnswer && r.Method == http.MethodPut && len(path.Base(r.URL.Path)) > 200 {
		kind = slowDown // versitygw cannot replace an object whose name is as long as that of a file may be
	}
	if f.always != nil {
		kind = *f.always
	}
	f.count.Add(1)
	switch kind {
	case serverError:
		answerFault(w, r, http.StatusInternalServerError, "InternalError")
	case slowDown:
		answerFault(w, r, http.StatusServiceUnavailable, "SlowDown")
	case brokenBody:
		next.ServeHTTP(&breaking{ResponseWriter: w}, r)
	case lostAnswer:
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
}

func answerFault(w http.ResponseWriter, r *http.Request, status int, code string) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>by the test</Message></Error>`, code)
}

// breaking lets half of the first piece of a body through.
type breaking struct{ http.ResponseWriter }

func (b *breaking) Write(p []byte) (int, error) {
	_, _ = b.ResponseWriter.Write(p[:len(p)/2])
	_ = http.NewResponseController(b.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// TestS3LostAnswerOfComplete: the object is made, the answer is lost, and the
// server knows the upload no more when asked again.
func TestS3LostAnswerOfComplete(t *testing.T) {
	t.Parallel()
	g := storagetest.StartGateway(t)
	f := newFaults(t, g.Endpoint)
	lost := lostAnswer
	f.always = &lost
	f.only = func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") }
	cfg := g.Config("bucket")
	cfg.Endpoint, cfg.PartSize = f.endpoint, 5<<20
	s := newS3(t, cfg)
	for range 3 { // one of them is spared by turn
		content := pattern(11<<20, 7)
		info, err := s.Put(t.Context(), "k", bytes.NewReader(content))
		if err != nil || info.Size != int64(len(content)) || info.Modified.IsZero() {
			t.Fatalf("put: %+v %v", info, err)
		}
		if got := readAll(t, s, "k"); !bytes.Equal(got, content) {
			t.Fatal("other bytes came back")
		}
	}
	if f.count.Load() == 0 {
		t.Error("no answer was lost")
	}
	if left := uploads(t, s); left != 0 {
		t.Errorf("%d uploads are left", left)
	}
}
