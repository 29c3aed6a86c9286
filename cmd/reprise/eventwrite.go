package main

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"reprise/event"
)

// writeEvent prints an event as readEventFile takes it back.
func writeEvent(e event.Event) (string, error) {
	zone, err := time.LoadLocation(e.Zone)
	if err != nil {
		return "", fmt.Errorf("zone of event %s: %w", e.ID, err)
	}
	root := newMap()
	root.add("event", text(string(e.ID)))
	root.add("title", byLanguage(e.Title, e.Languages))
	languages := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, l := range e.Languages {
		languages.Content = append(languages.Content, text(string(l)))
	}
	root.add("languages", languages)
	root.add("zone", text(e.Zone))
	if !e.ReplayUntil.IsZero() {
		root.add("replayUntil", text(formatLocal(e.ReplayUntil, zone)))
	}
	auditoriums := &yaml.Node{Kind: yaml.SequenceNode}
	for _, a := range e.Auditoriums {
		m := newMap()
		m.add("id", text(string(a.ID)))
		m.add("title", byLanguage(a.Title, e.Languages))
		m.add("opens", text(formatLocal(a.Opens, zone)))
		m.add("closes", text(formatLocal(a.Closes, zone)))
		auditoriums.Content = append(auditoriums.Content, m.node)
	}
	root.add("auditoriums", auditoriums)
	talks := &yaml.Node{Kind: yaml.SequenceNode}
	for _, t := range e.Talks {
		talks.Content = append(talks.Content, writeTalk(t, e.Languages, zone))
	}
	root.add("talks", talks)
	var b strings.Builder
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(root.node); err != nil {
		return "", fmt.Errorf("write event: %w", err)
	}
	return b.String(), encoder.Close()
}

func writeTalk(t event.Talk, languages []event.Language, zone *time.Location) *yaml.Node {
	m := newMap()
	m.add("id", text(string(t.ID)))
	m.add("auditorium", text(string(t.Auditorium)))
	m.add("title", byLanguage(t.Title, languages))
	if len(t.Abstract) > 0 {
		m.add("abstract", byLanguage(t.Abstract, languages))
	}
	if len(t.Speakers) > 0 {
		speakers := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, s := range t.Speakers {
			speakers.Content = append(speakers.Content, text(s))
		}
		m.add("speakers", speakers)
	}
	m.add("starts", text(formatLocal(t.Starts, zone)))
	if t.Slot > 0 {
		m.add("slot", text(shortLength(t.Slot)))
	}
	if t.Spoken != "" {
		m.add("spoken", text(string(t.Spoken)))
	}
	if len(t.Films) > 0 {
		m.add("films", byLanguage(t.Films, languages))
	}
	return m.node
}

// mapNode is a YAML mapping being written in order.
type mapNode struct{ node *yaml.Node }

func newMap() mapNode { return mapNode{&yaml.Node{Kind: yaml.MappingNode}} }

func (m mapNode) add(key string, value *yaml.Node) {
	m.node.Content = append(m.node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
}

// text makes a scalar that is read back as a text, whatever it looks like.
func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

// byLanguage makes a mapping in the order of the event's languages, in one line when short.
func byLanguage[T ~map[event.Language]string](t T, languages []event.Language) *yaml.Node {
	m := newMap()
	length := 0
	for _, l := range languages {
		if s, ok := t[l]; ok {
			m.add(string(l), text(s))
			length += len(s)
		}
	}
	if length < 90 {
		m.node.Style = yaml.FlowStyle
	}
	return m.node
}

// shortLength prints 45m0s as 45m, 1h15m0s as 1h15m.
func shortLength(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
