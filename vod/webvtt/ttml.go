package webvtt

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
)

// Limits of a TTML document. encoding/xml resolves no entity that a document
// declares itself, and no reference to anything outside.
const (
	maxDepth  = 64     // elements in one another
	maxNamed  = 10_000 // styles, regions and speakers
	maxAttrs  = 100    // attributes of one of them
	maxStyles = 64     // styles that an element has, through one another
	maxPieces = 200    // stretches of text in a paragraph
)

// endless is the end of what has none.
const endless = time.Duration(1<<63 - 1)

var errTooDeep = errors.New("webvtt: elements too deep")

// look is what we keep of TTML's styles.
type look struct {
	italic, bold, underline bool
	align                   string // of the text: start, end, left, right; empty: centred
	display, origin         string // displayAlign and origin of the region
}

// scope is what an element inherits.
type scope struct {
	begin, end time.Duration
	seq        bool // children follow one another
	look       look
	preserve   bool   // white space
	speaker    string // cleaned for a <v> tag
}

// document is a TTML document while it is read.
type document struct {
	*parser
	xml     *xml.Decoder
	clock   clock
	styles  map[string][]xml.Attr
	regions map[string][]xml.Attr
	agents  map[string]string // id -> name
	depth   int
	applied int // styles that the current element has so far
}

// ttml reads a TTML document. What is broken ends it; what was read stays.
func (p *parser) ttml(text string) {
	d := &document{
		parser: p, xml: xml.NewDecoder(strings.NewReader(text)),
		styles: map[string][]xml.Attr{}, regions: map[string][]xml.Attr{}, agents: map[string]string{},
	}
	// The text is UTF-8 by now, whatever its declaration says.
	d.xml.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	err := d.read()
	if line, _ := d.xml.InputPos(); err != nil && !errors.Is(err, io.EOF) {
		reason := Markup
		if errors.Is(err, errFull) {
			reason = TooMany
		}
		p.report(line, reason, "")
	}
}

var errFull = errors.New("webvtt: too many cues")

func (d *document) read() error {
	for {
		token, err := d.xml.Token()
		if err != nil {
			return err
		}
		root, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		d.clock = newClock(func(name string) string { return attr(root, name) })
		d.language = attr(root, "lang")
		whole := scope{end: endless, preserve: attr(root, "space") == "preserve"}
		return d.children(func(e xml.StartElement) error {
			switch e.Name.Local {
			case "head":
				return d.head()
			case "body":
				_, err := d.timed(e, whole, 0)
				return err
			}
			return d.skip()
		}, nil)
	}
}

func attr(e xml.StartElement, local string) string {
	for _, a := range e.Attr {
		if a.Name.Local == local && a.Name.Space != "xmlns" {
			return a.Value
		}
	}
	return ""
}

// children calls element for each child of the current element, which must
// consume it, and text for what is between; it returns at the end tag.
func (d *document) children(element func(xml.StartElement) error, text func(string)) error {
	if d.depth++; d.depth > maxDepth {
		return errTooDeep
	}
	defer func() { d.depth-- }()
	for {
		token, err := d.xml.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := element(t); err != nil {
				return err
			}
		case xml.CharData:
			if text != nil {
				text(string(t))
			}
		case xml.EndElement:
			return nil
		}
	}
}

// skip passes over the current element.
func (d *document) skip() error {
	return d.children(func(xml.StartElement) error { return d.skip() }, nil)
}

// head reads styles, regions, speakers, and where the program starts on the tape.
func (d *document) head() error {
	return d.children(func(e xml.StartElement) error {
		id := attr(e, "id")
		switch e.Name.Local {
		case "style":
			if id != "" && len(d.styles) < maxNamed {
				d.styles[id] = slices.Clone(e.Attr[:min(len(e.Attr), maxAttrs)])
			}
		case "region":
			return d.region(id, e)
		case "agent":
			return d.agent(id)
		case "documentStartOfProgramme":
			return d.start()
		}
		return d.head() // styling, layout, metadata
	}, nil)
}

// region keeps a region's attributes, and those of the styles inside it.
func (d *document) region(id string, e xml.StartElement) error {
	attrs := slices.Clone(e.Attr[:min(len(e.Attr), maxAttrs)])
	err := d.children(func(e xml.StartElement) error {
		if e.Name.Local == "style" {
			attrs = append(attrs, e.Attr[:min(len(e.Attr), maxAttrs-len(attrs))]...)
		}
		return d.skip()
	}, nil)
	if id != "" && len(d.regions) < maxNamed {
		d.regions[id] = attrs
	}
	return err
}

func (d *document) agent(id string) error {
	return d.children(func(xml.StartElement) error {
		name, err := d.short()
		if id != "" && len(d.agents) < maxNamed && d.agents[id] == "" {
			d.agents[id] = annotation(strings.Join(strings.Fields(name), " "))
		}
		return err
	}, nil)
}

// short returns the text of the current element, its first 200 bytes or a few more.
func (d *document) short() (text string, err error) {
	err = d.children(func(xml.StartElement) error { return d.skip() }, func(s string) {
		if len(text) < 200 {
			text += s[:min(len(s), 200)]
		}
	})
	return text, err
}

// annotation makes a name fit for a <v> tag.
func annotation(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '<' || r == '>' || r == '&' {
			return -1
		}
		return r
	}, clean(name))
	return strings.TrimSpace(strings.ToValidUTF8(name[:min(len(name), 100)], ""))
}

func (d *document) start() error {
	text, err := d.short()
	if t, ok := d.clock.time(text); ok {
		d.clock.program = t
	}
	return err
}

// scope works out what element e inherits and says itself. before is the end
// of its elder sibling, where children follow one another.
func (d *document) scope(e xml.StartElement, outer scope, before time.Duration) (scope, bool) {
	inner := outer
	inner.seq = attr(e, "timeContainer") == "seq"
	base := outer.begin
	if outer.seq {
		base = before
	}
	inner.begin = base
	valid := true
	read := func(name string) (time.Duration, bool) {
		value := attr(e, name)
		if value == "" {
			return 0, false
		}
		t, ok := d.clock.time(value)
		valid = valid && ok
		return t, ok
	}
	if t, ok := read("begin"); ok {
		inner.begin = base + t
	}
	if t, ok := read("end"); ok {
		inner.end = min(inner.end, base+t)
	}
	if t, ok := read("dur"); ok {
		inner.end = min(inner.end, inner.begin+t)
	}
	switch attr(e, "space") {
	case "preserve":
		inner.preserve = true
	case "default":
		inner.preserve = false
	}
	inner.look = d.look(outer.look, e.Attr)
	if names := strings.Fields(attr(e, "agent")); len(names) > 0 {
		inner.speaker = d.agents[names[0]]
	}
	return inner, valid
}

// timed reads body, div and paragraphs, and returns when it ends.
func (d *document) timed(e xml.StartElement, outer scope, before time.Duration) (time.Duration, error) {
	line, _ := d.xml.InputPos()
	inner, ok := d.scope(e, outer, before)
	if !ok {
		d.report(line, Time, attr(e, "begin")+" "+attr(e, "end")+attr(e, "dur"))
		return before, d.skip()
	}
	if attr(e, "backgroundImage") != "" {
		d.report(line, Pictures, "")
	}
	if inner.end <= inner.begin {
		d.report(line, Backwards, attr(e, "begin")+" "+attr(e, "end")+attr(e, "dur"))
		return inner.begin, d.skip()
	}
	if e.Name.Local == "p" {
		return inner.end, d.paragraph(line, inner)
	}
	last := inner.begin
	err := d.children(func(e xml.StartElement) (err error) {
		switch e.Name.Local {
		case "div", "p":
			last, err = d.timed(e, inner, last)
			return err
		case "image":
			d.report(line, Pictures, "")
		}
		return d.skip()
	}, nil)
	if inner.end == endless {
		return last, err
	}
	return inner.end, err
}

// look applies attributes, and the styles and region that they name, to what is inherited.
func (d *document) look(l look, attrs []xml.Attr) look {
	d.applied = 0
	for _, a := range attrs {
		switch {
		case a.Name.Local == "region":
			l.display, l.origin = "", ""
			l = d.style(l, d.regions[a.Value], 0)
		case a.Name.Local == "style" && a.Name.Space == "":
			l = d.named(l, a.Value, 0)
		}
	}
	return d.style(l, attrs, 0)
}

// named applies the styles of these ids; they may name others in turn, or one another in a circle.
func (d *document) named(l look, ids string, depth int) look {
	for id := range strings.FieldsSeq(ids) {
		if d.applied++; d.applied > maxStyles || depth > 8 {
			break
		}
		l = d.style(l, d.styles[id], depth+1)
	}
	return l
}

// style applies attributes to l; depth is how many styles have named one another so far.
func (d *document) style(l look, attrs []xml.Attr, depth int) look {
	for _, a := range attrs {
		if depth > 0 && a.Name.Local == "style" && a.Name.Space == "" {
			l = d.named(l, a.Value, depth)
		}
	}
	for _, a := range attrs {
		switch a.Name.Local {
		case "fontStyle":
			l.italic = a.Value == "italic" || a.Value == "oblique"
		case "fontWeight":
			l.bold = a.Value == "bold"
		case "textDecoration":
			l.underline = strings.Contains(a.Value, "underline") && !strings.Contains(a.Value, "noUnderline")
		case "textAlign":
			l.align = ""
			if slices.Contains([]string{"start", "end", "left", "right"}, a.Value) {
				l.align = a.Value
			}
		case "displayAlign":
			l.display = a.Value
		case "origin":
			l.origin = a.Value
		}
	}
	return l
}

// atTop tells whether a region that fills from above stands in the upper part of the picture.
func atTop(display, origin string) bool {
	fields := strings.Fields(origin)
	if len(fields) != 2 {
		return display == "before"
	}
	digits, percent := strings.CutSuffix(fields[1], "%")
	whole, _, _ := strings.Cut(digits, ".")
	return percent && (len(whole) == 1 || len(whole) == 2 && whole < "40") && isNumber(whole) && display != "after" && display != "center"
}

// settings of a cue with this look.
func (l look) settings() string {
	var s []string
	if atTop(l.display, l.origin) {
		s = append(s, "line:0")
	}
	if l.align != "" {
		s = append(s, "align:"+l.align)
	}
	return strings.Join(s, " ")
}
