package hls

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrSyntax is what every error of the parsers is.
var ErrSyntax = errors.New("hls: not a playlist")

// ParseError says where and why a text is not a playlist.
type ParseError struct {
	Line int    // from 1
	Rule string // the numbered rule that is broken: R010
	Text string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("hls: line %d: %s: %s", e.Line, e.Rule, e.Text)
}

// Is makes every ParseError an ErrSyntax.
func (e *ParseError) Is(target error) bool { return target == ErrSyntax }

// scanner walks over the lines of a playlist. The first error stays.
type scanner struct {
	rest string
	text string // current line, without its end
	line int
	err  *ParseError
	seen [12]string // tags that may be there once only; a media playlist has eleven
}

func (s *scanner) fail(rule, format string, args ...any) {
	if s.err == nil {
		s.err = &ParseError{Line: s.line, Rule: rule, Text: fmt.Sprintf(format, args...)}
	}
}

// start checks the first line.
func (s *scanner) start(body []byte) {
	s.rest = string(body)
	if strings.HasPrefix(s.rest, "\ufeff") {
		s.line = 1
		s.fail("R002", "a byte order mark")
		return
	}
	if !s.next() || s.text != "#EXTM3U" || s.line != 1 {
		s.line = 1
		s.fail("R001", "the first line is not #EXTM3U")
	}
}

// next moves to the next line that is not empty; it returns false at the end or on an error.
func (s *scanner) next() bool {
	for s.err == nil && s.rest != "" {
		s.text, s.rest, _ = strings.Cut(s.rest, "\n")
		s.line++
		s.text = strings.TrimSuffix(s.text, "\r")
		s.checkText()
		if s.text != "" {
			return s.err == nil
		}
	}
	return false
}

func (s *scanner) checkText() {
	ascii := true
	for i := 0; i < len(s.text); i++ {
		c := s.text[i]
		// RECENTLY-REMOVED-DATERANGES is a list with tabs (bis 4.4.5.2), in spite of 4.1.
		if (c < 0x20 || c == 0x7f) && (c != '\t' || !strings.HasPrefix(s.text, "#EXT-X-SKIP:")) {
			s.fail("R002", "control character %#x", c)
			return
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii {
		if !utf8.ValidString(s.text) {
			s.fail("R002", "not UTF-8")
		}
		for _, r := range s.text {
			if r >= 0x80 && r < 0xa0 {
				s.fail("R002", "control character %#x", r)
			}
		}
	}
	if n := len(s.text); n > 0 && (s.text[0] == ' ' || s.text[n-1] == ' ') {
		s.fail("R003", "white space at the start or the end of a line")
	}
}

// tag splits the current line at the colon.
func (s *scanner) tag() (name, value string, bare bool) {
	name, value, found := strings.Cut(s.text[1:], ":")
	return name, value, !found
}

// once refuses the second of a tag.
func (s *scanner) once(rule, name string) {
	for i := range s.seen {
		switch s.seen[i] {
		case name:
			s.fail(rule, "a second %s", name)
			return
		case "":
			s.seen[i] = name
			return
		}
	}
}

// bare refuses a value for a tag that takes none.
func (s *scanner) bare(name string, bare bool) {
	if !bare {
		s.fail("R003", "%s takes no value", name)
	}
}

func (s *scanner) integer(rule, name, value string) int64 {
	n, ok := parseInteger(value)
	if !ok {
		s.fail(rule, "%s is not a whole number: %q", name, value)
	}
	return n
}

func (s *scanner) attributes(tag, value string) *attributes {
	a := &attributes{s: s, tag: tag}
	for more := true; more && s.err == nil; {
		value, more = a.one(value)
	}
	return a
}

// attributes is one attribute list; what has been taken is removed from it.
type attributes struct {
	s    *scanner
	tag  string
	list []Attribute
}

// one parses the first attribute of text and returns what follows its comma.
func (a *attributes) one(text string) (rest string, more bool) {
	name, value, found := strings.Cut(text, "=")
	if !found || name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		a.s.fail("R010", "%s: bad attribute name %q", a.tag, name)
		return "", false
	}
	for i := range a.list {
		if a.list[i].Name == name {
			a.s.fail("R010", "%s: a second %s", a.tag, name)
		}
	}
	out := Attribute{Name: name}
	if quoted, ok := strings.CutPrefix(value, `"`); ok {
		out.Quoted = true
		out.Value, value, found = strings.Cut(quoted, `"`)
		if !found || out.Value == "" || (value != "" && value[0] != ',') {
			a.s.fail("R010", "%s: bad quoted string of %s", a.tag, name)
			return "", false
		}
		rest, more = strings.CutPrefix(value, ",")
	} else {
		out.Value, rest, more = strings.Cut(value, ",")
		if out.Value == "" || strings.ContainsAny(out.Value, "\" \t") {
			a.s.fail("R010", "%s: bad value of %s: %q", a.tag, name, out.Value)
		}
	}
	a.list = append(a.list, out)
	return rest, more
}

// take removes an attribute; quoted is the form it must have.
func (a *attributes) take(name string, quoted bool) (string, bool) {
	for i := range a.list {
		if a.list[i].Name != name {
			continue
		}
		v := a.list[i]
		if v.Quoted != quoted {
			a.s.fail("R010", "%s: %s has the wrong kind of value", a.tag, name)
		}
		a.list = append(a.list[:i], a.list[i+1:]...)
		return v.Value, true
	}
	return "", false
}

// ParseAttributes parses the value of a tag that is an attribute list (bis 4.2).
func ParseAttributes(value string) ([]Attribute, error) {
	s := &scanner{line: 1}
	a := s.attributes("attribute list", value)
	if s.err != nil {
		return nil, s.err
	}
	return a.list, nil
}

// remaining returns what was not taken, nil when nothing.
func (a *attributes) remaining() []Attribute {
	if len(a.list) == 0 {
		return nil
	}
	return a.list
}

func (a *attributes) text(name string) string {
	v, _ := a.take(name, true)
	return v
}

func (a *attributes) need(rule, name string) string {
	v, ok := a.take(name, true)
	if !ok {
		a.s.fail(rule, "%s without %s", a.tag, name)
	}
	return v
}

func (a *attributes) enum(name string) string {
	v, _ := a.take(name, false)
	return v
}

// yesNo returns the value of a YES/NO attribute, or absent.
func (a *attributes) yesNo(name string, absent bool) bool {
	v, ok := a.take(name, false)
	if ok && v != "YES" && v != "NO" {
		a.s.fail("R010", "%s: %s is neither YES nor NO", a.tag, name)
	}
	return v == "YES" || (!ok && absent)
}

func (a *attributes) integer(name string) int64 {
	v, ok := a.take(name, false)
	if !ok {
		return 0
	}
	return a.s.integer("R010", a.tag+" "+name, v)
}

func (a *attributes) seconds(name string, signed bool) time.Duration {
	v, ok := a.take(name, false)
	if !ok {
		return 0
	}
	d, ok := parseSeconds(v, signed)
	if !ok {
		a.s.fail("R010", "%s: %s is not a number of seconds: %q", a.tag, name, v)
	}
	return d
}

func (a *attributes) date(name string) time.Time {
	v, ok := a.take(name, true)
	if !ok {
		return time.Time{}
	}
	t, ok := ParseDate(v)
	if !ok {
		a.s.fail("R071", "%s: %s is not a date with a zone: %q", a.tag, name, v)
	}
	return t
}

func (a *attributes) resolution() (width, height int) {
	v, ok := a.take("RESOLUTION", false)
	if !ok {
		return 0, 0
	}
	w, h, found := strings.Cut(v, "x")
	wide, ok1 := parseInteger(w)
	high, ok2 := parseInteger(h)
	if !found || !ok1 || !ok2 || wide > 1<<16 || high > 1<<16 {
		a.s.fail("R025", "%s: bad RESOLUTION %q", a.tag, v)
		return 0, 0
	}
	return int(wide), int(high)
}

func (a *attributes) frameRate() FrameRate {
	v, ok := a.take("FRAME-RATE", false)
	if !ok {
		return 0
	}
	whole, decimals, _ := strings.Cut(v, ".")
	n, ok := parseInteger(whole + decimals)
	if !ok || len(decimals) != 3 || whole == "" || n > 1e6 {
		a.s.fail("R026", "%s: FRAME-RATE %q has not three decimals", a.tag, v)
	}
	return FrameRate(n)
}

func (a *attributes) byteRange(name string) ByteRange {
	v, ok := a.take(name, true)
	if !ok {
		return ByteRange{}
	}
	r, explicit, ok := parseByteRange(v)
	if !ok || !explicit {
		a.s.fail("R010", "%s: bad %s %q", a.tag, name, v)
	}
	return r
}

func parseByteRange(v string) (r ByteRange, explicit, ok bool) {
	length, offset, explicit := strings.Cut(v, "@")
	r.Length, ok = parseInteger(length)
	if explicit && ok {
		r.Offset, ok = parseInteger(offset)
	}
	return r, explicit, ok && r.Length > 0
}

func parseInteger(v string) (int64, bool) {
	if v == "" || strings.Trim(v, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(v, 10, 64)
	return n, err == nil
}

// parseSeconds parses a decimal number of seconds, to the nanosecond.
func parseSeconds(v string, signed bool) (time.Duration, bool) {
	if rest, negative := strings.CutPrefix(v, "-"); negative && signed {
		d, ok := parseSeconds(rest, false)
		return -d, ok
	}
	whole, decimals, dot := strings.Cut(v, ".")
	if len(whole) > 9 || (dot && decimals == "") || strings.Trim(decimals, "0123456789") != "" {
		return 0, false
	}
	seconds, ok := parseInteger(whole)
	if !ok {
		return 0, false
	}
	d := time.Duration(seconds) * time.Second
	unit := time.Second
	for i := 0; i < len(decimals) && i < 9; i++ {
		unit /= 10
		d += time.Duration(decimals[i]-'0') * unit
	}
	return d, true
}

// ParseDate parses a date of a playlist: ISO 8601 with a zone (bis 4.4.4.6). The result is in UTC.
func ParseDate(v string) (time.Time, bool) {
	if t, ok := parsePlainDate(v); ok {
		return t, true
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil || strings.Contains(v, ",") || t.UTC().Year() < 1 || t.UTC().Year() > 9000 {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// parsePlainDate parses the form that AppendDate prints, some times faster than time.Parse.
func parsePlainDate(v string) (time.Time, bool) {
	const form = "0000-00-00T00:00:00.000Z"
	if len(v) != len(form) {
		return time.Time{}, false
	}
	var fields [7]int
	field := 0
	for i := 0; i < len(form); i++ {
		switch {
		case form[i] != '0':
			if v[i] != form[i] {
				return time.Time{}, false
			}
			field++
		case v[i] < '0' || v[i] > '9':
			return time.Time{}, false
		default:
			fields[field] = fields[field]*10 + int(v[i]-'0')
		}
	}
	year, month, day, hour, minute, second := fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]
	if year < 1 || year > 9000 || month < 1 || month > 12 || day < 1 || day > 28 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false // the 29th and later: time.Parse knows the months
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, fields[6]*1e6, time.UTC), true
}

// either reads the tags that both kinds of playlist have (bis 4.4.1, 4.4.2); it
// reports whether name was one of them.
func (s *scanner) either(name, value string, bare bool, version *int, independent *bool, start **Start) bool {
	switch name {
	case "EXTM3U":
		s.fail("R001", "a second #EXTM3U")
	case "EXT-X-VERSION":
		s.once("R005", name)
		*version = int(min(s.integer("R005", name, value), 1<<20))
	case "EXT-X-INDEPENDENT-SEGMENTS":
		s.once("R009", name)
		s.bare(name, bare)
		*independent = true
	case "EXT-X-START":
		s.once("R009", name)
		*start = s.parseStart(value)
	default:
		return false
	}
	return true
}
