package mail

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// server is a real SMTP server of this process.
type server struct {
	addr  string
	roots *x509.CertPool

	// Set before the first letter.
	user, password string
	refuseFrom     error
	refuseTo       error
	refuseData     error

	mu      sync.Mutex
	letters []letter
	logins  []string
	secure  []bool
}

type letter struct {
	from, to string
	data     []byte
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// start serves s with the given TLS (none, starttls, tls) until the test ends.
func start(t *testing.T, s *server, mode string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	srv := smtp.NewServer(s)
	srv.Domain = "test"
	srv.ErrorLog = quiet{}
	var cert tls.Certificate
	cert, s.roots = certificate(t)
	if mode != "none" {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	if mode == "tls" {
		l = tls.NewListener(l, srv.TLSConfig)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return s
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (s *server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, secure := c.TLSConnectionState()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secure = append(s.secure, secure)
	if s.user != "" {
		return &authSession{session{s: s}}, nil
	}
	return &session{s: s}, nil
}

func (s *server) got() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]letter(nil), s.letters...)
}

type session struct {
	s        *server
	from, to string
	known    bool
}

func (*session) Reset()        {}
func (*session) Logout() error { return nil }

func (n *session) Mail(from string, _ *smtp.MailOptions) error {
	if n.s.user != "" && !n.known {
		return smtp.ErrAuthRequired
	}
	n.from = from
	return n.s.refuseFrom
}

func (n *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	n.to = to
	return n.s.refuseTo
}

func (n *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if n.s.refuseData != nil {
		return n.s.refuseData
	}
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	n.s.letters = append(n.s.letters, letter{n.from, n.to, data})
	return nil
}

// authSession is a session of a server that wants a password.
type authSession struct{ session }

func (*authSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (n *authSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		n.s.mu.Lock()
		defer n.s.mu.Unlock()
		n.s.logins = append(n.s.logins, user)
		if user != n.s.user || password != n.s.password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no"}
		}
		n.known = true
		return nil
	}), nil
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// mailer returns a Mailer for s, and what it logs.
func mailer(t *testing.T, s *server, cfg Config) (*Mailer, *bytes.Buffer) {
	t.Helper()
	cfg.Server, cfg.Roots = s.addr, s.roots
	if cfg.From == "" {
		cfg.From = "Congrès <video@example.org>"
	}
	if cfg.TLS == "" {
		cfg.TLS = "none"
	}
	var out bytes.Buffer
	m, err := New(cfg, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	return m, &out
}

// hang answers nothing after said, until the test ends; it returns its address.
func hang(t *testing.T, said string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var open []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			open = append(open, c)
			if _, err := io.WriteString(c, said); err != nil && !errors.Is(err, net.ErrClosed) {
				break
			}
		}
		for _, c := range open {
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}
