package main

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// fileFaults collects what is wrong with a file, each with its line, so that
// a person can mend all of it before the next try.
type fileFaults struct {
	file  string
	lines []fileFault
}

type fileFault struct {
	line int
	text string
}

func (f *fileFaults) add(line int, format string, args ...any) {
	f.lines = append(f.lines, fileFault{line, fmt.Sprintf(format, args...)})
}

// err returns the faults in line order as one error, or nil.
func (f *fileFaults) err() error {
	if len(f.lines) == 0 {
		return nil
	}
	sort.SliceStable(f.lines, func(i, j int) bool { return f.lines[i].line < f.lines[j].line })
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %d fault(s):", f.file, len(f.lines))
	for _, l := range f.lines {
		fmt.Fprintf(&b, "\n  line %d: %s", l.line, l.text)
	}
	return fmt.Errorf("%s", b.String())
}

// mapping is a YAML mapping with its faults; fields are taken out one by one,
// and what is left over at the end is unknown.
type mapping struct {
	line   int
	fields map[string]*yaml.Node
	keys   map[string]int // field -> line
	taken  []string       // names asked for, in order: the known ones
	faults *fileFaults
	what   string // "talk t1", for words
}

// mappingOf reads node as a mapping; faults are told, and an empty mapping returned.
func mappingOf(node *yaml.Node, what string, faults *fileFaults) *mapping {
	m := &mapping{line: node.Line, fields: map[string]*yaml.Node{}, keys: map[string]int{}, faults: faults, what: what}
	if node.Kind != yaml.MappingNode {
		faults.add(node.Line, "%s: a mapping (key: value) is needed here", what)
		return m
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		k, v := node.Content[i], node.Content[i+1]
		if _, twice := m.fields[k.Value]; twice {
			faults.add(k.Line, "%s: %q is given twice", what, k.Value)
			continue
		}
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		m.fields[k.Value], m.keys[k.Value] = v, k.Line
	}
	return m
}

// take returns the node of a field, nil when it is absent or empty.
func (m *mapping) take(name string) *yaml.Node {
	m.taken = append(m.taken, name)
	node := m.fields[name]
	if node == nil || node.Tag == "!!null" {
		return nil
	}
	return node
}

// lineOf returns the line of a field, or of the mapping when it is absent.
func (m *mapping) lineOf(name string) int {
	if line, ok := m.keys[name]; ok {
		return line
	}
	return m.line
}

// close tells of every field that nobody took.
func (m *mapping) close() {
	for name, line := range m.keys {
		if !slices.Contains(m.taken, name) {
			m.faults.add(line, "%s: no such key %q (known: %s)", m.what, name, strings.Join(slices.Compact(slices.Sorted(slices.Values(m.taken))), ", "))
		}
	}
}

// text returns a scalar's text, "" when absent.
func (m *mapping) text(name string) string {
	node := m.take(name)
	if node == nil {
		return ""
	}
	if node.Kind != yaml.ScalarNode {
		m.faults.add(node.Line, "%s: %s: a text is needed", m.what, name)
		return ""
	}
	return strings.TrimSpace(node.Value)
}

// required is text, and a fault when it is absent.
func (m *mapping) required(name string) string {
	s := m.text(name)
	if s == "" && m.fields[name] == nil {
		m.faults.add(m.line, "%s: %s is missing", m.what, name)
	} else if s == "" {
		m.faults.add(m.lineOf(name), "%s: %s is empty", m.what, name)
	}
	return s
}

// texts returns a list of texts; one text alone is a list of one.
func (m *mapping) texts(name string) []string {
	node := m.take(name)
	if node == nil {
		return nil
	}
	if node.Kind == yaml.ScalarNode {
		return []string{strings.TrimSpace(node.Value)}
	}
	var list []string
	if node.Kind != yaml.SequenceNode {
		m.faults.add(node.Line, "%s: %s: a list is needed", m.what, name)
		return nil
	}
	for _, item := range node.Content {
		if item.Kind != yaml.ScalarNode {
			m.faults.add(item.Line, "%s: %s: a text is needed", m.what, name)
			continue
		}
		list = append(list, strings.TrimSpace(item.Value))
	}
	return list
}

// items returns the nodes of a list.
func (m *mapping) items(name string) []*yaml.Node {
	node := m.take(name)
	if node == nil {
		return nil
	}
	if node.Kind != yaml.SequenceNode {
		m.faults.add(node.Line, "%s: %s: a list is needed", m.what, name)
		return nil
	}
	return node.Content
}

// byLanguage returns a text by language: a mapping, or one text for all of them.
func (m *mapping) byLanguage(name string, languages []string) map[string]string {
	node := m.take(name)
	if node == nil {
		return nil
	}
	found := map[string]string{}
	if node.Kind == yaml.ScalarNode {
		for _, l := range languages {
			found[l] = strings.TrimSpace(node.Value)
		}
		return found
	}
	inner := mappingOf(node, m.what+": "+name, m.faults)
	for _, l := range languages {
		if s := inner.text(l); s != "" {
			found[l] = s
		}
	}
	inner.close()
	return found
}

// duration returns a duration, 0 when absent; it must not be negative.
func (m *mapping) duration(name string) time.Duration {
	s := m.text(name)
	if s == "" {
		return 0
	}
	d, err := parseMinutes(s)
	if err != nil {
		m.faults.add(m.lineOf(name), "%s: %s: %s", m.what, name, err)
	}
	return d
}

// parseMinutes reads "45m", "1h15m", or "45", which are minutes.
func parseMinutes(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if minutes, atoiErr := strconv.Atoi(s); atoiErr == nil {
		d, err = time.Duration(minutes)*time.Minute, nil
	}
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a length: write 45m or 1h15m", s)
	}
	return d, nil
}

// local returns an hour in zone, the zero time when absent.
func (m *mapping) local(name string, zone *time.Location) time.Time {
	s := m.text(name)
	if s == "" || zone == nil {
		return time.Time{}
	}
	t, err := parseLocal(s, zone)
	if err != nil {
		m.faults.add(m.lineOf(name), "%s: %s: %s", m.what, name, err)
	}
	return t
}
