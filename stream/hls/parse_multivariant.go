package hls

import "strings"

// ParseMultivariant parses a multivariant playlist. It refuses, with a
// *ParseError, every text that the standard does not allow by its form.
func ParseMultivariant(body []byte) (*Multivariant, error) {
	p := multivariantParser{m: &Multivariant{}}
	p.start(body)
	for p.next() {
		switch {
		case p.text[0] != '#':
			if p.variant == nil {
				p.fail("R020", "a URI without EXT-X-STREAM-INF")
				break
			}
			p.variant.URI = p.text
			p.m.Variants = append(p.m.Variants, *p.variant)
			p.variant = nil
		case strings.HasPrefix(p.text, "#EXT"):
			if p.variant != nil {
				p.fail("R020", "EXT-X-STREAM-INF is not followed by a URI")
				break
			}
			p.parseTag()
		}
	}
	if p.variant != nil {
		p.fail("R020", "EXT-X-STREAM-INF is not followed by a URI")
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.m, nil
}

type multivariantParser struct {
	scanner
	m       *Multivariant
	variant *Variant // whose URI has not come
}

func (p *multivariantParser) parseTag() {
	name, value, bare := p.tag()
	if isMediaTag(name) {
		p.fail("R008", "%s in a multivariant playlist", name)
		return
	}
	m := p.m
	if p.either(name, value, bare, &m.Version, &m.IndependentSegments, &m.Start) {
		return
	}
	switch name {
	case "EXT-X-MEDIA":
		p.rendition(value)
	case "EXT-X-STREAM-INF":
		p.streamInf(value)
	case "EXT-X-I-FRAME-STREAM-INF":
		p.iFrameStreamInf(value)
	default:
		m.Tags = append(m.Tags, Tag{Name: name, Value: value, Bare: bare})
	}
}

func (p *multivariantParser) rendition(value string) {
	a := p.attributes("EXT-X-MEDIA", value)
	kind := MediaType(a.enum("TYPE"))
	switch kind {
	case Audio, Video, Subtitles, ClosedCaptions:
	default:
		p.fail("R030", "EXT-X-MEDIA: TYPE is %q", kind)
	}
	id := a.need("R030", "GROUP-ID")
	r := Rendition{Name: a.need("R030", "NAME"), Language: a.text("LANGUAGE")}
	r.Default = a.yesNo("DEFAULT", false)
	r.Autoselect = a.yesNo("AUTOSELECT", r.Default)
	if kind == Subtitles {
		r.Forced = a.yesNo("FORCED", false)
	}
	r.Characteristics = a.text("CHARACTERISTICS")
	r.Channels = a.text("CHANNELS")
	r.URI = a.text("URI")
	r.Other = a.remaining()
	for i := range p.m.Groups {
		if g := &p.m.Groups[i]; g.Type == kind && g.ID == id {
			g.Renditions = append(g.Renditions, r)
			return
		}
	}
	p.m.Groups = append(p.m.Groups, Group{Type: kind, ID: id, Renditions: []Rendition{r}})
}

func (p *multivariantParser) streamInf(value string) {
	a := p.attributes("EXT-X-STREAM-INF", value)
	v := &Variant{Bandwidth: p.bandwidth("R020", a), AverageBandwidth: a.integer("AVERAGE-BANDWIDTH")}
	v.Codecs = a.text("CODECS")
	v.Width, v.Height = a.resolution()
	v.FrameRate = a.frameRate()
	v.VideoRange = a.enum("VIDEO-RANGE")
	v.Audio = a.text("AUDIO")
	v.Subtitles = a.text("SUBTITLES")
	for i := range a.list {
		if c := a.list[i]; c.Name == "CLOSED-CAPTIONS" && !c.Quoted {
			v.NoClosedCaptions = a.enum(c.Name) == "NONE"
			if !v.NoClosedCaptions {
				p.fail("R010", "CLOSED-CAPTIONS is %s", c.Value)
			}
			break
		}
	}
	v.Other = a.remaining()
	p.variant = v
}

func (p *multivariantParser) iFrameStreamInf(value string) {
	a := p.attributes("EXT-X-I-FRAME-STREAM-INF", value)
	v := IFrameVariant{Bandwidth: p.bandwidth("R042", a), AverageBandwidth: a.integer("AVERAGE-BANDWIDTH")}
	v.Codecs = a.text("CODECS")
	v.Width, v.Height = a.resolution()
	v.VideoRange = a.enum("VIDEO-RANGE")
	v.URI = a.need("R042", "URI")
	v.Other = a.remaining()
	p.m.IFrameVariants = append(p.m.IFrameVariants, v)
}

func (p *multivariantParser) bandwidth(rule string, a *attributes) int64 {
	n := a.integer("BANDWIDTH")
	if n <= 0 {
		p.fail(rule, "%s without a BANDWIDTH", a.tag)
	}
	return n
}
