package mail

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Letter is what one of our letters is about. Texts come from people: they are
// cut to a sane length and made harmless here.
type Letter struct {
	ID       ID // empty: a new one. Who may be killed and try again gives the same one again (see IDFor)
	Kind     Kind
	Event    string // event.ID
	HandIn   string // event.HandInID; empty: none
	Language string // of the reader: "fr…"; anything else: English
	To       string // mail address
	ReplyTo  string // mail address; empty: none

	Name       string         // of the reader; empty: no name in the greeting
	Conference string         // title of the event, in Language
	Talk       string         // title of the talk, in Language
	Speaker    string         // CameIn: who handed it in
	Link       string         // where the reader goes: http(s) address
	Deadline   time.Time      // Invitation, Reminder; zero: none is said
	Lock       time.Time      // until when the film may be replaced; zero: not said
	Zone       *time.Location // of the event; nil: UTC
	Note       string         // Invitation, Reminder: from the organizer, lines
	File       string         // name of the film's file
	Size       int64          // of it, bytes; 0: not said
	Findings   []string       // words of what was found in the film, in Language
}

// Limits of what goes into a letter.
const (
	longestName = 200  // runes
	longestNote = 4000 // runes
	mostFound   = 50
	longestID   = 26
)

// NewID returns an id that nobody has.
func NewID() ID {
	b := make([]byte, 17)
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand never fails on the systems we build for
	}
	return ID(idText(b))
}

// IDFor returns the id of the letter about these things: the same for the same
// ones. The Store's ErrConflict then says that it is written already.
func IDFor(kind Kind, about ...string) ID {
	h := sha256.New()
	for _, part := range append([]string{string(kind)}, about...) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return ID(idText(h.Sum(nil)))
}

func idText(b []byte) string {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(b)[:longestID]
}

// Write makes the message of a letter, waiting to be put into a Store. ErrInvalid
// when it has no proper address or link, or is of no known kind.
func Write(l Letter, now time.Time) (Message, error) {
	for _, a := range []string{l.To, l.ReplyTo} {
		if _, err := address(a); err != nil && (a != "" || l.To == "") {
			return Message{}, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if err := checkLink(l.Link); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	l = l.harmless()
	language := "en"
	if strings.HasPrefix(strings.ToLower(l.Language), "fr") {
		language = "fr"
	}
	s, ok := l.sheet(language)
	if !ok {
		return Message{}, fmt.Errorf("%w: unknown kind", ErrInvalid)
	}
	if l.ID == "" {
		l.ID = NewID()
	}
	return Message{
		ID: l.ID, Kind: l.Kind, Event: l.Event, HandIn: l.HandIn, To: l.To, ReplyTo: l.ReplyTo, Language: language,
		Subject: s.subject, Text: s.text(), HTML: s.html(language), State: Waiting, Created: now.UTC(),
	}, nil
}

func checkLink(link string) error {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(link) > 4096 {
		return errors.New("no proper link") // without its text, which is a secret
	}
	return nil
}

// harmless returns the letter with its texts cut, and what could be taken for something else gone.
func (l Letter) harmless() Letter {
	for _, text := range []*string{&l.Name, &l.Conference, &l.Talk, &l.Speaker, &l.File} {
		*text = oneLine(*text, longestName)
	}
	var lines []string
	for line := range strings.Lines(clip(strings.ReplaceAll(l.Note, "\r", "\n"), longestNote)) {
		lines = append(lines, oneLine(line, longestNote))
	}
	l.Note = strings.Trim(strings.Join(lines, "\n"), "\n")
	var found []string
	for _, text := range l.Findings[:min(len(l.Findings), mostFound)] {
		found = append(found, oneLine(text, 1000))
	}
	l.Findings = found
	return l
}

// oneLine makes a single line of a text: no line ends, no controls, nothing that turns the direction of writing.
func oneLine(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\u00a0' || r == '\u202f':
			return r // French puts them before signs
		case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == utf8.RuneError:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return clip(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " "), most)
}

// clip cuts a text to so many runes.
func clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
