package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secretLink = "https://video.example.org/h/eyJhbGciOi.secret"

func message(t *testing.T) Message {
	t.Helper()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Write(Letter{
		Kind: Invitation, Language: "fr", To: "zoe@example.net", ReplyTo: "orga@example.org", Name: "Zoé", Conference: "Congrès", Talk: "L’œuvre <rejouée>",
		Link: secretLink, Deadline: time.Date(2026, 12, 1, 13, 0, 0, 0, time.UTC), Zone: paris, Note: "Bonjour,\n\nmerci & à bientôt",
	}, noon)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// parts reads a letter as a mail program does: header, text and HTML.
func parts(t *testing.T, data []byte) (header netmail.Header, text, html string) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s: %v", kind, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	var bodies []string
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, strings.ReplaceAll(string(body), "\r\n", "\n"))
	}
	if len(bodies) != 2 {
		t.Fatalf("%d parts", len(bodies))
	}
	return m.Header, bodies[0], bodies[1]
}

func TestSend(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"none", "starttls", "tls"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := &server{}
			cfg := Config{TLS: mode}
			if mode != "none" {
				s.user, s.password = "me", "hush-hush"
				cfg.Username, cfg.Password = s.user, s.password
			}
			start(t, s, mode)
			m, log := mailer(t, s, cfg)
			msg := message(t)
			for range 2 {
				if err := m.Send(t.Context(), msg); err != nil {
					t.Fatal(err)
				}
			}
			got := s.got()
			if len(got) != 2 || got[0].from != "video@example.org" || got[0].to != "zoe@example.net" {
				t.Fatalf("%d letters: %+v", len(got), got)
			}
			if mode != "none" && len(s.logins) != 2 {
				t.Errorf("logins %q", s.logins)
			}
			header, text, html := parts(t, got[0].data)
			again, _, _ := parts(t, got[1].data)
			if id := header.Get("Message-Id"); id != "<"+string(msg.ID)+"@example.org>" || id != again.Get("Message-Id") || header.Get("Date") != again.Get("Date") {
				t.Errorf("Message-ID %s, then %s", id, again.Get("Message-Id"))
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
			if err != nil || subject != msg.Subject {
				t.Errorf("subject %q: %v", subject, err)
			}
			if header.Get("Reply-To") != "<orga@example.org>" || header.Get("Auto-Submitted") != "auto-generated" || header.Get("Content-Language") != "fr" {
				t.Errorf("header %v", header)
			}
			if text != msg.Text || html != msg.HTML {
				t.Errorf("text %q\nhtml %q", text, html)
			}
			if log.Len() > 0 {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

func TestStartTLSIsDemanded(t *testing.T) {
	t.Parallel()
	s := start(t, &server{}, "none")
	m, _ := mailer(t, s, Config{TLS: "starttls"})
	if err := m.Send(t.Context(), message(t)); err == nil || errors.Is(err, ErrPermanent) {
		t.Errorf("error is %v", err)
	}
	if len(s.got()) > 0 {
		t.Error("the letter went out in the clear")
	}
}

func TestUnknownCertificateIsRefused(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"starttls", "tls"} {
		s := start(t, &server{}, mode)
		_, s.roots = certificate(t)
		m, _ := mailer(t, s, Config{TLS: mode})
		if err := m.Send(t.Context(), message(t)); err == nil || errors.Is(err, ErrPermanent) || len(s.got()) > 0 {
			t.Errorf("%s: error is %v, %d letters", mode, err, len(s.got()))
		}
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	s := start(t, &server{user: "me", password: "right"}, "starttls")
	m, _ := mailer(t, s, Config{TLS: "starttls", Username: "me", Password: "wrong-and-secret"})
	err := m.Send(t.Context(), message(t))
	// The operator will set it right: the letter is not lost.
	if err == nil || errors.Is(err, ErrPermanent) || strings.Contains(err.Error(), "wrong-and-secret") {
		t.Errorf("error is %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	permanent := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody zoe@example.net here"}
	later := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "come back"}
	for _, c := range []struct {
		name      string
		server    *server
		step      string
		permanent bool
	}{
		{"unknown recipient", &server{refuseTo: permanent}, "recipient", true},
		{"recipient later", &server{refuseTo: later}, "recipient", false},
		{"sender", &server{refuseFrom: permanent}, "sender", true},
		{"content", &server{refuseData: permanent}, "message", true},
		{"content later", &server{refuseData: later}, "message", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, c.server, "none")
			m, _ := mailer(t, s, Config{})
			err := m.Send(t.Context(), message(t))
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Step != c.step || errors.Is(err, ErrPermanent) != c.permanent {
				t.Fatalf("error is %v", err)
			}
			if strings.Contains(err.Error(), "zoe") || strings.Contains(err.Error(), "secret") {
				t.Errorf("error names the recipient: %v", err)
			}
		})
	}
}

func TestServerThatHangs(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]string{"silent": "", "after the greeting": "220 hello\r\n", "endless": strings.Repeat("220-x\r\n", 100)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := mailer(t, &server{addr: hang(t, said)}, Config{Timeout: 200 * time.Millisecond})
			began := time.Now()
			err := m.Send(t.Context(), message(t))
			if err == nil || errors.Is(err, ErrPermanent) || time.Since(began) > 20*time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
			m, _ = mailer(t, &server{addr: hang(t, said)}, Config{Timeout: time.Hour})
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := m.Send(ctx, message(t)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("stopped: %v", err)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	m, _ := mailer(t, &server{addr: "127.0.0.1:1"}, Config{})
	if err := m.Send(t.Context(), message(t)); err == nil || errors.Is(err, ErrPermanent) {
		t.Errorf("error is %v", err)
	}
}

// TestNoOtherHeader: what people write cannot become a header, a recipient or a command.
func TestNoOtherHeader(t *testing.T) {
	t.Parallel()
	s := start(t, &server{}, "none")
	m, _ := mailer(t, s, Config{})
	evil := "x\r\nBcc: victim@example.com\r\n\r\n.\r\nMAIL FROM:<a@b>"
	for name, change := range map[string]func(*Message){
		"subject":   func(m *Message) { m.Subject = evil },
		"to":        func(m *Message) { m.To = "a@example.net\r\nBcc: victim@example.com" },
		"two":       func(m *Message) { m.To = "a@example.net, victim@example.com" },
		"name":      func(m *Message) { m.To = "Zoé <a@example.net>" },
		"quoted":    func(m *Message) { m.To = "\"a\r\n b\"@example.net" },
		"reply":     func(m *Message) { m.ReplyTo = "a@example.net\nX: y" },
		"id":        func(m *Message) { m.ID = "a>\r\nX: y" },
		"no text":   func(m *Message) { m.Text = "" },
		"far away":  func(m *Message) { m.To = strings.Repeat("a", 300) + "@example.net" },
		"no sender": func(m *Message) { m.To = "" },
	} {
		msg := message(t)
		change(&msg)
		if err := m.Send(t.Context(), msg); !errors.Is(err, ErrInvalid) || !errors.Is(err, ErrPermanent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	msg, err := Write(Letter{Kind: CameIn, To: "orga@example.org", Talk: evil, Speaker: evil, File: evil, Conference: evil, Findings: []string{evil}, Link: secretLink}, noon)
	if err != nil {
		t.Fatal(err)
	}
	msg.Language = "fr\r\nX: y"
	if err := m.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	got := s.got()
	if len(got) != 1 || got[0].to != "orga@example.org" {
		t.Fatalf("%d letters", len(got))
	}
	if header, _, _ := parts(t, got[0].data); header.Get("Bcc") != "" || header.Get("X") != "" {
		t.Errorf("header %v", header)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{
		{Server: "smtp.example.org", TLS: "tls", From: "a@b"},
		{Server: "smtp.example.org:x", TLS: "tls", From: "a@b"},
		{Server: "s:25", TLS: "perhaps", From: "a@b"},
		{Server: "s:25", TLS: "none", From: "a@b", Username: "me", Password: "hush"},
		{Server: "s:25", TLS: "tls", From: "nobody"},
		{Server: "s:25", TLS: "tls", From: "a@b", Timeout: -1},
	} {
		if _, err := New(c, nil, nil); err == nil {
			t.Error("no logger, no error")
		}
		if _, err := New(c, testLog(), time.Now); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%+v: %v", c.Server, err)
		}
	}
}

// memory is a Store in memory.
type memory struct {
	mu   sync.Mutex
	rows map[ID]Message
}

func (s *memory) PutMail(_ context.Context, m Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.rows[m.ID]; ok {
		return ErrConflict
	}
	if s.rows == nil {
		s.rows = map[ID]Message{}
	}
	s.rows[m.ID] = m
	return nil
}

func (s *memory) Mail(_ context.Context, id ID) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.rows[id]
	if !ok {
		return m, fmt.Errorf("mail %s: %w", id, ErrNotFound)
	}
	return m, nil
}

func (s *memory) UpdateMail(_ context.Context, id ID, change func(*Message) error) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.rows[id]
	if !ok {
		return m, ErrNotFound
	}
	if err := change(&m); err != nil {
		return m, err
	}
	s.rows[id] = m
	return m, nil
}

func (s *memory) Mails(context.Context, string) ([]Message, error) { return nil, nil }

func TestDeliver(t *testing.T) {
	t.Parallel()
	later := &smtp.SMTPError{Code: 451, Message: "later"}
	never := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "never"}
	for _, c := range []struct {
		name   string
		refuse error
		age    time.Duration
		state  State
		reason string
		again  bool // an error: another attempt
	}{
		{"sent", nil, 0, Sent, "", false},
		{"later", later, 0, Waiting, "mail: the server refuses the recipient: 451 4.0.0", true},
		{"never", never, 0, Failed, "mail: the server refuses the recipient: 550 5.1.1", false},
		{"too late", later, 73 * time.Hour, Failed, "mail: the server refuses the recipient: 451 4.0.0", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, &server{refuseTo: c.refuse}, "none")
			m, log := mailer(t, s, Config{})
			store := &memory{}
			msg := message(t)
			msg.Created = noon.Add(-c.age)
			if err := store.PutMail(t.Context(), msg); err != nil {
				t.Fatal(err)
			}
			err := m.Deliver(t.Context(), store, msg.ID)
			if (err != nil) != c.again {
				t.Errorf("error is %v", err)
			}
			row, _ := store.Mail(t.Context(), msg.ID)
			if row.State != c.state || row.Attempts != 1 || row.Reason != c.reason {
				t.Errorf("row is %s after %d: %q", row.State, row.Attempts, row.Reason)
			}
			if kept := strings.Contains(row.Text+row.HTML, "secret"); kept != (c.state == Waiting) {
				t.Errorf("the link is kept: %v", kept)
			}
			if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "zoe") {
				t.Errorf("logged: %s", log)
			}
			if !c.again {
				if err := m.Deliver(t.Context(), store, msg.ID); err != nil || len(s.got()) > 1 {
					t.Errorf("again: %v, %d letters", err, len(s.got()))
				}
			}
		})
	}
	m, _ := mailer(t, start(t, &server{}, "none"), Config{})
	if err := m.Deliver(t.Context(), &memory{}, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}
