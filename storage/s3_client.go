package storage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

const (
	dialTimeout = 10 * time.Second
	patience    = 10 * time.Minute // for the server to put the parts of an object together
	keptIdle    = 64               // connections
	idleTimeout = 30 * time.Second

	// sendBuffer bounds what the kernel holds of a body that we have counted as
	// moved: without a bound a slow line would look dead while it empties.
	sendBuffer = 512 << 10

	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// newTransport makes the connections to the server: HTTP/1.1, as parallel parts
// shall not share one.
func newTransport(cfg S3Config) (*http.Transport, error) {
	roots, err := rootsWith(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dial,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   dialTimeout,
		MaxIdleConns:          keptIdle,
		MaxIdleConnsPerHost:   keptIdle,
		IdleConnTimeout:       idleTimeout,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // ranges are of the bytes as they are stored
	}, nil
}

// rootsWith returns the system's authorities and those of a PEM file; nil without a file.
func rootsWith(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA file %s holds no PEM certificate", file)
	}
	return roots, nil
}

// dial connects. Names below localhost are this machine (RFC 6761), which most
// resolvers do not know: http://localhost:9000 works with bucket names in front.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(strings.TrimSuffix(host, "."), ".localhost") {
		address = net.JoinHostPort("localhost", port)
	}
	conn, err := (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext(ctx, network, address)
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetWriteBuffer(sendBuffer)
	}
	return conn, err
}

// clientOf is the SDK's HTTP client. It does not follow redirects: a signature
// is for one server, and the SDK's error names the right region.
func clientOf(t *http.Transport, timeout time.Duration) *http.Client {
	return &http.Client{
		Transport:     &watched{next: t, timeout: timeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// errStalled ends a request of which no byte moved for too long.
var errStalled = errors.New("no byte moved for too long")

// watched ends requests that stand still: while a body is sent, while the answer
// is awaited, and during each Read of an answer's body. A reader that pauses is
// not the server's fault and costs nothing.
type watched struct {
	next    *http.Transport
	timeout time.Duration
}

// CloseIdleConnections is found by http.Client.
func (w *watched) CloseIdleConnections() { w.next.CloseIdleConnections() }

// RoundTrip implements http.RoundTripper.
func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	alarm := time.AfterFunc(w.timeout, func() { cancel(errStalled) })
	var answered atomic.Bool // a body that is sent after the answer began does not set the answer's alarm
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &watchedBody{ReadCloser: r.Body, moved: func() {
			if !answered.Load() {
				alarm.Reset(w.timeout)
			}
		}}
	}
	resp, err := w.next.RoundTrip(r)
	answered.Store(true)
	alarm.Stop()
	if err != nil {
		err = stalled(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &answerBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, alarm: alarm, timeout: w.timeout}
	return resp, nil
}

// stalled names the alarm as the cause of err when it was.
func stalled(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

// watchedBody tells when the transport takes bytes to send.
type watchedBody struct {
	io.ReadCloser
	moved func()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.moved()
	return b.ReadCloser.Read(p[:min(len(p), 64<<10)])
}

// answerBody sets the alarm during each Read.
type answerBody struct {
	io.ReadCloser
	ctx     context.Context // of the request, to know what ended it
	cancel  context.CancelCauseFunc
	alarm   *time.Timer
	timeout time.Duration
}

func (b *answerBody) Read(p []byte) (int, error) {
	b.alarm.Reset(b.timeout)
	n, err := b.ReadCloser.Read(p)
	b.alarm.Stop()
	if err != nil && err != io.EOF {
		err = stalled(b.ctx, err)
	}
	return n, err
}

func (b *answerBody) Close() error {
	b.alarm.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// retryer decides which failures of a request are tried again and when; every
// retry is logged. The SDK's own quota of retries is off: it would give up on
// all objects because of one bad minute.
type retryer struct {
	*retry.Standard
	log *slog.Logger
	say func(error) string
}

// newRetryer makes the retryer of a store.
func newRetryer(s *S3) aws.RetryerV2 {
	standard := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = s.cfg.Attempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) { return pause(attempt), nil })
		o.Retryables = append([]retry.IsErrorRetryable{
			retry.NoRetryCanceledError{}, // before ours: our caller's end is final
			retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				var certificate *tls.CertificateVerificationError
				switch {
				case errors.As(err, &certificate): // it will not become a better one
					return aws.FalseTernary
				case brokeOff(err):
					return aws.TrueTernary
				}
				return aws.UnknownTernary
			}),
			retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}, http.StatusRequestTimeout: {}}},
			retry.RetryableErrorCode{Codes: passing},
		}, o.Retryables...)
	})
	return &retryer{Standard: standard, log: s.log, say: s.plain}
}

// passing are error codes of S3 that another try may not meet, besides those the
// SDK knows: faults of the server under a good status, bytes damaged or lost on
// the way, two writers at once. ExistingObjectIsDirectory is what versitygw says
// of every folder that another deletes at the same moment.
var passing = map[string]struct{}{
	"InternalError": {}, "ServiceUnavailable": {}, "OperationAborted": {}, "ConditionalRequestConflict": {}, "TooManyRequests": {},
	"BadDigest": {}, "InvalidDigest": {}, "XAmzContentSHA256Mismatch": {}, "IncompleteBody": {}, "ExistingObjectIsDirectory": {},
}

// RetryDelay implements aws.Retryer.
func (r *retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	wait, delayErr := r.Standard.RetryDelay(attempt, err)
	level := slog.LevelDebug
	if attempt >= 3 { // one failure is daily life, many are news
		level = slog.LevelWarn
	}
	r.log.Log(context.Background(), level, "object store request failed; trying again", "attempt", attempt, "wait", wait, "error", r.say(err))
	return wait, delayErr
}

// pause is how long to wait after a failed attempt (the first is 1): anything
// between half of and a whole doubling time, so that many clients do not come back together.
func pause(attempt int) time.Duration {
	top := lastPause
	if attempt < 8 {
		top = min(lastPause, firstPause<<max(attempt-1, 0))
	}
	return top/2 + rand.N(top/2)
}

// brokeOff reports whether err is of a connection that ended or stood still.
func brokeOff(err error) bool {
	var network net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errStalled) ||
		errors.Is(err, net.ErrClosed) || isReset(err) || errors.As(err, &network) && network.Timeout()
}
