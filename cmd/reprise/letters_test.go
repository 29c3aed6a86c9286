package main

import (
	"bytes"
	"io"
	"mime"
	"net"
	"net/mail"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// postOffice is a real mail server of this process.
type postOffice struct {
	addr string

	mu      sync.Mutex
	letters []mailed
}

// mailed is a letter that came.
type mailed struct {
	to, subject, text string // text: all parts, as they travel
}

func startPostOffice(t *testing.T) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &postOffice{addr: l.Addr().String()}
	s := smtp.NewServer(o)
	s.Domain, s.ErrorLog = "test", quietLog{}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return o
}

type quietLog struct{}

func (quietLog) Printf(string, ...any) {}
func (quietLog) Println(...any)        {}

// NewSession implements smtp.Backend.
func (o *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return &counter{office: o}, nil }

// to returns the subjects of the letters to somebody, in the order they came.
func (o *postOffice) to(address string) (subjects []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.letters {
		if l.to == address {
			subjects = append(subjects, l.subject)
		}
	}
	return subjects
}

// counter takes letters in.
type counter struct {
	office *postOffice
	to     string
}

func (*counter) Reset()                               {}
func (*counter) Logout() error                        { return nil }
func (*counter) Mail(string, *smtp.MailOptions) error { return nil }
func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = to
	return nil
}

func (c *counter) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return err
	}
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.letters = append(c.office.letters, mailed{c.to, subject, string(raw)})
	return nil
}
