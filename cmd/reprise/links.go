package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"reprise/api/token"
	"reprise/configs"
	"reprise/event"
	"reprise/stream"
)

// baseURL is the address that links begin with: as configured, else as listened on.
func baseURL(cfg configs.Config, listening string) string {
	if cfg.HTTP.PublicURL != "" {
		return strings.TrimRight(cfg.HTTP.PublicURL, "/")
	}
	host, port, err := net.SplitHostPort(listening)
	if err != nil {
		return "http://" + listening
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// linkMaker makes addresses with tokens in them.
type linkMaker struct {
	keys    tokenMinter
	base    string
	event   event.Event
	expires time.Time
	subject string
}

type tokenMinter interface {
	Mint(token.Claims) (string, error)
}

// links returns a maker for an event; life 0 is as configured, counted from the event's last day.
func (h *house) links(e event.Event, base, subject string, life time.Duration) linkMaker {
	expires := h.clock.Now().Add(life)
	if life == 0 {
		expires = latest(lastInstant(e), h.clock.Now()).Add(h.cfg.Tokens.LinkLife)
	}
	return linkMaker{keys: h.keys, base: base, event: e, expires: expires.UTC().Truncate(time.Second), subject: subject}
}

// lastInstant returns when the last doors of an event close.
func lastInstant(e event.Event) time.Time {
	var last time.Time
	for _, a := range e.Auditoriums {
		last = latest(last, a.Closes)
	}
	for _, t := range e.Talks {
		last = latest(last, t.Starts.Add(t.Slot))
	}
	return last
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// mint makes a token of a kind for scopes of the event.
func (m linkMaker) mint(kind string, staff bool, scopes ...string) (string, error) {
	tok, err := m.keys.Mint(token.Claims{
		Event: string(m.event.ID), Subject: m.subject, Scopes: scopes, Staff: staff, Kind: kind, Expires: m.expires,
	})
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return tok, nil
}

// attendee returns the link of a place ("a/main", "t/opening") for people.
func (m linkMaker) attendee(language event.Language, place string, scopes ...string) (string, error) {
	tok, err := m.mint(token.Link, false, scopes...)
	return m.base + "/" + string(language) + "/" + place + "#k=" + tok, err
}

// organizer returns the link of the organizers' desk.
func (m linkMaker) organizer(language event.Language) (string, error) {
	tok, err := m.mint(token.Link, true, token.WholeEvent)
	return m.base + "/" + string(language) + "/desk#k=" + tok, err
}

// playlist returns the address of a multivariant playlist; place is an auditorium's or a talk's id.
func (m linkMaker) playlist(view stream.View, place string, language event.Language, tok string) string {
	return fmt.Sprintf("%s/p/%s/%s/%s/%s/multivariant.m3u8", m.base, tok, view, place, language)
}
