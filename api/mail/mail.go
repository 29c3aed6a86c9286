package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// Config says which server takes our mail.
type Config struct {
	Server   string         // host:port
	TLS      string         // none, starttls (refused by a server without it) or tls
	Username string         // empty: no authentication; needs TLS
	Password string         // never logged
	From     string         // "Conference <video@example.org>"
	Timeout  time.Duration  // most that one exchange with the server may take; 30 s
	Roots    *x509.CertPool // whom to trust; nil: whom the system trusts
}

// Mailer hands messages to an SMTP server. Safe for concurrent use.
type Mailer struct {
	cfg  Config
	host string
	port int
	from netmail.Address
	log  *slog.Logger
	now  func() time.Time
}

var (
	// ErrPermanent is in the chain when trying again cannot help: the server
	// refuses the message or whom it is for, or the message cannot be sent as it is.
	ErrPermanent = errors.New("mail: will not be taken")
	// ErrInvalid is in the chain, with ErrPermanent, of a message that would not be a proper one.
	ErrInvalid = errors.New("mail: not a proper message")
)

// Refusal is the answer of a server that did not take a message. One of 5xx is an ErrPermanent.
type Refusal struct {
	Code   int    // of SMTP, 400 to 599
	Status string // enhanced status (RFC 3463), "5.1.1"; empty: the server has none
	Step   string // what was refused: sender, recipient, message
}

func (r *Refusal) Error() string {
	return strings.TrimSpace(fmt.Sprintf("mail: the server refuses the %s: %d %s", r.Step, r.Code, r.Status))
}

// Unwrap makes refusals of 5xx permanent ones.
func (r *Refusal) Unwrap() error {
	if r.Code >= 500 {
		return ErrPermanent
	}
	return nil
}

// New checks cfg. It does not speak to the server.
func New(cfg Config, log *slog.Logger, now func() time.Time) (*Mailer, error) {
	m := &Mailer{cfg: cfg, log: log, now: now}
	if log == nil || now == nil {
		return nil, errors.New("mail: logger and clock are required")
	}
	host, port, err := net.SplitHostPort(cfg.Server)
	if err != nil || host == "" {
		return nil, fmt.Errorf("mail: server %q is not host:port", cfg.Server)
	}
	if m.port, err = strconv.Atoi(port); err != nil || m.port < 1 || m.port > 65535 {
		return nil, fmt.Errorf("mail: server %q is not host:port", cfg.Server)
	}
	m.host = host
	switch {
	case cfg.TLS != "none" && cfg.TLS != "starttls" && cfg.TLS != "tls":
		return nil, fmt.Errorf("mail: tls %q is none of none, starttls, tls", cfg.TLS)
	case cfg.TLS == "none" && cfg.Username != "":
		return nil, errors.New("mail: a password is not sent without TLS: set tls to starttls or tls")
	case cfg.Timeout < 0:
		return nil, errors.New("mail: the timeout is negative")
	case cfg.Timeout == 0:
		m.cfg.Timeout = 30 * time.Second
	}
	from, err := netmail.ParseAddress(cfg.From)
	if err != nil {
		return nil, fmt.Errorf("mail: from %q is not an address", cfg.From)
	}
	m.from = *from
	return m, nil
}

// Deliver sends the waiting message of that id and writes down what became of
// it. It may be called again at any time: what is sent or given up is left alone.
//
// An error means that another attempt may succeed. A message that the server
// refuses for good, or that waited for three days, becomes Failed with the
// reason, and the error is nil.
func (m *Mailer) Deliver(ctx context.Context, store Store, id ID) error {
	message, err := store.Mail(ctx, id)
	if err != nil {
		return fmt.Errorf("deliver mail %s: %w", id, err)
	}
	if message.State != Waiting {
		return nil
	}
	err = m.Send(ctx, message)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("deliver mail %s: %w", id, err)
	}
	state := Waiting
	switch {
	case err == nil:
		state = Sent
	case errors.Is(err, ErrPermanent) || m.now().Sub(message.Created) > longestWait:
		state = Failed
	}
	// Written down even if we are asked to stop now: or else it goes out again.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, failed := store.UpdateMail(keep, id, func(row *Message) error { m.note(row, state, err); return nil }); failed != nil {
		return fmt.Errorf("deliver mail %s: %w", id, errors.Join(failed, err))
	}
	switch state {
	case Sent:
		m.log.Info("mail sent", "mail_id", id, "kind", message.Kind, "attempt", message.Attempts+1)
	case Failed:
		m.log.Warn("mail given up", "mail_id", id, "kind", message.Kind, "attempt", message.Attempts+1, "error", err)
	default:
		return fmt.Errorf("deliver mail %s: %w", id, err)
	}
	return nil
}

// longestWait is how long a message is tried; its words would be out of date.
const longestWait = 72 * time.Hour

// note writes the outcome of an attempt into a row.
func (m *Mailer) note(row *Message, state State, err error) {
	row.Attempts++
	row.State, row.Reason = state, ""
	if err != nil {
		row.Reason = clip(err.Error(), 300)
	}
	if state != Waiting {
		row.Text, row.HTML = "", "" // they hold a personal link
	}
	if state == Sent {
		row.Sent = m.now().UTC()
	}
}

// Send hands one message to the server. The Message-ID and the date follow from
// the message, so that sending it twice is seen as such by who receives it.
// Errors: ErrPermanent, ErrInvalid, *Refusal, ctx's own, and those of network and TLS.
func (m *Mailer) Send(ctx context.Context, message Message) error {
	letter, err := m.compose(message)
	if err != nil {
		return fmt.Errorf("%w: %w: %w", ErrPermanent, ErrInvalid, err)
	}
	client, release, err := m.client(ctx)
	if err != nil {
		return err
	}
	defer release()
	err = client.DialAndSendWithContext(ctx, letter)
	switch {
	case err == nil || letter.IsDelivered(): // the server took it and then said goodbye badly
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("send mail: %w", ctx.Err())
	}
	var failure *gomail.SendError
	if !errors.As(err, &failure) || failure.ErrorCode() < 400 {
		return fmt.Errorf("send mail: %w", cause(failure, err))
	}
	steps := map[gomail.SendErrReason]string{gomail.ErrSMTPMailFrom: "sender", gomail.ErrSMTPRcptTo: "recipient"}
	step := steps[failure.Reason]
	if step == "" {
		step = "message"
	}
	return &Refusal{Code: failure.ErrorCode(), Status: failure.EnhancedStatusCode(), Step: step}
}

// errBroken stands for a failure of go-mail whose own words name the recipient.
var errBroken = errors.New("the exchange with the server broke off")

func cause(failure *gomail.SendError, err error) error {
	if failure != nil {
		return errBroken
	}
	return err
}

// compose makes the letter.
func (m *Mailer) compose(message Message) (*gomail.Msg, error) {
	if message.ID == "" || strings.Trim(string(message.ID), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return nil, errors.New("no proper id")
	}
	if message.Subject == "" || strings.ContainsFunc(message.Subject, unicode.IsControl) {
		return nil, errors.New("no proper subject")
	}
	if message.Text == "" || message.Created.IsZero() {
		return nil, errors.New("no text or date")
	}
	letter := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	letter.FromMailAddress(&m.from)
	to, err := address(message.To)
	if err != nil {
		return nil, err
	}
	letter.ToMailAddress(to)
	if message.ReplyTo != "" {
		reply, err := address(message.ReplyTo)
		if err != nil {
			return nil, err
		}
		letter.ReplyToMailAddress(reply)
	}
	letter.Subject(message.Subject)
	letter.SetDateWithValue(message.Created.UTC())
	letter.SetMessageIDWithValue(string(message.ID) + "@" + m.domain())
	// No out-of-office notes, please (RFC 3834).
	letter.SetGenHeader("Auto-Submitted", "auto-generated")
	letter.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	if message.Language != "" && strings.Trim(message.Language, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") == "" {
		letter.SetGenHeader("Content-Language", message.Language)
	}
	letter.SetBodyString(gomail.TypeTextPlain, message.Text)
	if message.HTML != "" {
		letter.AddAlternativeString(gomail.TypeTextHTML, message.HTML)
	}
	return letter, nil
}

// address parses a bare address: no name, no list, nothing that could begin another header.
func address(s string) (*netmail.Address, error) {
	parsed, err := netmail.ParseAddress(s)
	if err != nil || parsed.Name != "" || parsed.Address != s || len(s) > 254 || strings.ContainsFunc(s, unicode.IsControl) {
		return nil, errors.New("no proper address")
	}
	return parsed, nil
}

func (m *Mailer) domain() string {
	return m.from.Address[strings.LastIndexByte(m.from.Address, '@')+1:]
}

// client returns a client for one exchange. Its connection is cut when ctx ends; release ends that watch.
func (m *Mailer) client(ctx context.Context) (client *gomail.Client, release func(), err error) {
	policy := gomail.NoTLS
	if m.cfg.TLS == "starttls" {
		policy = gomail.TLSMandatory
	}
	secure := &tls.Config{ServerName: m.host, RootCAs: m.cfg.Roots, MinVersion: tls.VersionTLS12}
	stop := func() bool { return true }
	dial := func(dialing context.Context, network, address string) (net.Conn, error) {
		var conn net.Conn
		var err error
		if m.cfg.TLS == "tls" {
			conn, err = (&tls.Dialer{Config: secure}).DialContext(dialing, network, address)
		} else {
			conn, err = (&net.Dialer{}).DialContext(dialing, network, address)
		}
		if err != nil {
			return nil, fmt.Errorf("connect to mail server: %w", err)
		}
		// go-mail looks at ctx only until it is connected.
		stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
		return conn, nil
	}
	options := []gomail.Option{
		gomail.WithPort(m.port), gomail.WithTLSPolicy(policy), gomail.WithTLSConfig(secure),
		gomail.WithHELO(m.domain()), gomail.WithTimeout(m.cfg.Timeout), gomail.WithDialContextFunc(dial),
	}
	if m.cfg.Username != "" {
		options = append(options, gomail.WithUsername(m.cfg.Username), gomail.WithPassword(m.cfg.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5))
	}
	client, err = gomail.NewClient(m.host, options...)
	if err != nil {
		return nil, nil, fmt.Errorf("mail client: %w", err)
	}
	return client, func() { stop() }, nil
}
