package token

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kinds of token.
const (
	// Playback is the kind that stands in a playback URL and opens media.
	Playback = "playback"
	// Link is the kind that an attendee or an organizer holds: it is exchanged
	// for playback tokens and opens no media itself.
	Link = "link"
)

// Scopes. A scope is language-independent.
const (
	// WholeEvent is the scope that opens everything of the event.
	WholeEvent = "event"

	auditoriumPrefix = "aud:"
	talkPrefix       = "talk:"
	mediaPrefix      = "media:"
	assetPrefix      = "asset:"
)

// AuditoriumScope returns the scope that opens one auditorium and the talks in it.
func AuditoriumScope(id string) string { return auditoriumPrefix + id }

// TalkScope returns the scope that opens one talk.
func TalkScope(id string) string { return talkPrefix + id }

// MediaScope returns the scope that opens the preview of one media, whatever the hour.
func MediaScope(id string) string { return mediaPrefix + id }

// AssetScope returns the scope that opens the film of one asset as it was handed in.
func AssetScope(id string) string { return assetPrefix + id }

var (
	// ErrInvalid is returned for a token that this server did not sign, or that is damaged.
	ErrInvalid = errors.New("token: invalid")
	// ErrExpired is returned for a token of ours whose time is over.
	ErrExpired = errors.New("token: expired")
)

// Claims is what a token says. Verify returns the same value to many callers:
// it must not be changed.
type Claims struct {
	Event   string    // event.ID
	Subject string    // who: registrant id, or a name given to the link; may be empty
	Scopes  []string  // WholeEvent, AuditoriumScope, TalkScope
	Lease   string    // server-side lease (concurrent screens, revocation); may be empty
	Staff   bool      // organizer: sees what is not listed yet
	Kind    string    // Playback or Link
	Expires time.Time // whole seconds; not valid at or after this instant
}

// MayAuditorium reports whether the token opens the feeds of an auditorium.
func (c *Claims) MayAuditorium(id string) bool {
	if c.Staff {
		return true
	}
	for _, s := range c.Scopes {
		if s == WholeEvent || names(s, auditoriumPrefix, id) {
			return true
		}
	}
	return false
}

// MayTalk reports whether the token opens a talk, given the auditorium the talk is in ("" if unknown).
func (c *Claims) MayTalk(auditorium, talk string) bool {
	if c.Staff {
		return true
	}
	for _, s := range c.Scopes {
		if s == WholeEvent || names(s, talkPrefix, talk) || names(s, auditoriumPrefix, auditorium) {
			return true
		}
	}
	return false
}

// MayMedia reports whether the token opens the preview of a media. What an
// attendee holds does not: a preview knows no hour.
func (c *Claims) MayMedia(id string) bool { return c.Staff || c.has(mediaPrefix, id) }

// MayAsset reports whether the token opens the film of an asset as it was handed in.
func (c *Claims) MayAsset(id string) bool { return c.Staff || c.has(assetPrefix, id) }

// has reports whether one of the scopes is prefix + id.
func (c *Claims) has(prefix, id string) bool {
	for _, s := range c.Scopes {
		if names(s, prefix, id) {
			return true
		}
	}
	return false
}

// names reports whether scope is prefix + id with a non-empty id, without building the string.
func names(scope, prefix, id string) bool {
	return id != "" && len(scope) == len(prefix)+len(id) && strings.HasPrefix(scope, prefix) && scope[len(prefix):] == id
}

// wire is the JWT form of Claims: registered names of RFC 7519 section 4.1
// where one fits, one letter otherwise, since the token is part of each URL.
type wire struct {
	Event   string   `json:"e"`
	Subject string   `json:"sub,omitempty"`
	Scopes  []string `json:"s,omitempty"`
	Lease   string   `json:"l,omitempty"`
	Staff   bool     `json:"st,omitempty"`
	Kind    string   `json:"k"`
	Expires int64    `json:"exp"` // seconds since 1970
}

var wireKinds = map[string]string{Playback: "p", Link: "l"}

func (c Claims) wire() (wire, error) {
	kind, ok := wireKinds[c.Kind]
	switch {
	case !ok:
		return wire{}, fmt.Errorf("mint token: unknown kind %q", c.Kind)
	case c.Event == "":
		return wire{}, errors.New("mint token: no event")
	case c.Expires.Unix() <= 0:
		return wire{}, errors.New("mint token: no expiry")
	}
	return wire{c.Event, c.Subject, c.Scopes, c.Lease, c.Staff, kind, c.Expires.Unix()}, nil
}

func (w wire) claims() (*Claims, error) {
	c := &Claims{Event: w.Event, Subject: w.Subject, Scopes: w.Scopes, Lease: w.Lease, Staff: w.Staff, Expires: time.Unix(w.Expires, 0).UTC()}
	for name, short := range wireKinds {
		if short == w.Kind {
			c.Kind = name
		}
	}
	if c.Kind == "" || c.Event == "" || w.Expires <= 0 {
		return nil, ErrInvalid
	}
	return c, nil
}
