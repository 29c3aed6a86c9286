package conformance

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"reprise/stream/hls"
)

// plainVersion is the highest EXT-X-VERSION that a playlist of ours without deltas carries (R007).
const plainVersion = 7

// CheckMultivariant checks one multivariant playlist by itself.
func CheckMultivariant(body []byte) []Fault {
	var f faults
	m, err := hls.ParseMultivariant(body)
	if err != nil {
		f.syntax(err)
		return f.list
	}
	checkMultivariant(&f, body, m)
	return f.list
}

func checkMultivariant(f *faults, body []byte, m *hls.Multivariant) {
	checkNormal(f, body)
	if m.Version > plainVersion {
		f.should("R007", "version %d, none of it needed", m.Version)
	}
	checkTags(f, m)
	if !m.IndependentSegments {
		f.should("R041", "no EXT-X-INDEPENDENT-SEGMENTS")
	}
	for i := range m.Groups {
		checkGroup(f, &m.Groups[i])
	}
	checkGroupsAlike(f, m)
	checkVariants(f, m, checkCodecs)
	checkLadder(f, m)
	checkIFrameVariants(f, m)
	checkStableIDs(f, m)
}

// checkNormal looks for text that is not in normal form C (R002).
func checkNormal(f *faults, body []byte) {
	if !norm.NFC.IsNormal(body) {
		f.must("R002", "text is not in Unicode normal form C")
	}
}

func checkTags(f *faults, m *hls.Multivariant) {
	steering := 0
	data := map[string]bool{}
	for _, tag := range m.Tags {
		attributes, _ := hls.ParseAttributes(tag.Value)
		switch tag.Name {
		case "EXT-X-DEFINE":
			checkDefine(f, attributes, true)
		case "EXT-X-CONTENT-STEERING":
			if steering++; steering == 2 {
				f.must("R045", "a second EXT-X-CONTENT-STEERING")
			}
		case "EXT-X-SESSION-DATA":
			id, language := attribute(attributes, "DATA-ID"), attribute(attributes, "LANGUAGE")
			if (attribute(attributes, "VALUE") == "") == (attribute(attributes, "URI") == "") {
				f.must("R046", "EXT-X-SESSION-DATA %q: not one of VALUE and URI", id)
			}
			if key := id + "\x00" + language; data[key] {
				f.must("R046", "EXT-X-SESSION-DATA %q twice", id)
			} else {
				data[key] = true
			}
		case "EXT-X-SESSION-KEY":
			if attribute(attributes, "METHOD") == "NONE" {
				f.must("R046", "EXT-X-SESSION-KEY with METHOD=NONE")
			}
		}
	}
}

// checkDefine checks the attributes of an EXT-X-DEFINE (R012).
func checkDefine(f *faults, attributes []hls.Attribute, multivariant bool) {
	kinds := 0
	for _, name := range []string{"NAME", "IMPORT", "QUERYPARAM"} {
		if attribute(attributes, name) != "" {
			kinds++
		}
	}
	if kinds != 1 {
		f.must("R012", "EXT-X-DEFINE has not exactly one of NAME, IMPORT, QUERYPARAM")
	}
	if multivariant && attribute(attributes, "IMPORT") != "" {
		f.must("R012", "EXT-X-DEFINE imports in a multivariant playlist")
	}
	f.own("R012", "EXT-X-DEFINE is not understood by several players")
}

func attribute(list []hls.Attribute, name string) string {
	for _, a := range list {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$`)

// ownName returns what a language calls itself, for the languages we know (R032).
func ownName(language string) string {
	switch primary, _, _ := strings.Cut(language, "-"); primary {
	case "fr":
		return "Français"
	case "en":
		return "English"
	}
	return ""
}

func checkGroup(f *faults, g *hls.Group) {
	names, selects := map[string]bool{}, map[string]bool{}
	defaults := 0
	for i := range g.Renditions {
		r := &g.Renditions[i]
		label := string(g.Type) + " " + g.ID + " " + r.Name
		if names[r.Name] {
			f.must("R030", "%s: the name is there twice", label)
		}
		names[r.Name] = true
		if r.Default {
			defaults++
			if !r.Autoselect {
				f.must("R030", "%s: DEFAULT=YES with AUTOSELECT=NO", label)
			}
		}
		if r.Autoselect {
			key := strings.Join([]string{r.Language, attribute(r.Other, "ASSOC-LANGUAGE"), yes(r.Forced), r.Characteristics}, "\x00")
			if selects[key] {
				f.should("R033", "%s: a player cannot choose between this and another by language", label)
			}
			selects[key] = true
		}
		checkRendition(f, g.Type, r, label)
	}
	if defaults > 1 {
		f.must("R030", "%s %s: %d defaults", g.Type, g.ID, defaults)
	}
}

func yes(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}

func checkRendition(f *faults, kind hls.MediaType, r *hls.Rendition, label string) {
	if kind != hls.Video && !languageTag.MatchString(r.Language) {
		rule := "R031"
		if kind == hls.Subtitles {
			rule = "R174"
		}
		f.must(rule, "%s: LANGUAGE is %q", label, r.Language)
	}
	if own := ownName(r.Language); own != "" && !strings.HasPrefix(r.Name, own) {
		f.should("R032", "%s: the name is not in its own language (%s)", label, own)
	}
	if kind == hls.Audio && r.Channels == "" {
		f.should("R034", "%s: no CHANNELS", label)
	}
	switch {
	case kind == hls.Subtitles && r.URI == "":
		f.must("R036", "%s: no URI", label)
	case kind == hls.ClosedCaptions && r.URI != "":
		f.must("R036", "%s: has a URI", label)
	case kind == hls.Audio && r.URI == "":
		f.must("R037", "%s: the sound is in the picture's segments", label)
	}
	if kind != hls.Subtitles && attribute(r.Other, "FORCED") != "" {
		f.must("R036", "%s: FORCED", label)
	}
	if r.URI != "" {
		checkURI(f, r.URI)
	}
	const spoken, sounds = "public.accessibility.transcribes-spoken-dialog", "public.accessibility.describes-music-and-sound"
	if strings.Contains(r.Characteristics, spoken) != strings.Contains(r.Characteristics, sounds) {
		f.must("R048", "%s: half a claim of captions for the deaf: %s", label, r.Characteristics)
	}
	if strings.Contains(r.Characteristics, spoken) && !r.Autoselect {
		f.must("R048", "%s: captions for the deaf without AUTOSELECT", label)
	}
}

// checkGroupsAlike demands the same members of all groups of one type (R035).
func checkGroupsAlike(f *faults, m *hls.Multivariant) {
	first := map[hls.MediaType]*hls.Group{}
	for i := range m.Groups {
		g := &m.Groups[i]
		other := first[g.Type]
		if other == nil {
			first[g.Type] = g
			continue
		}
		if !slices.EqualFunc(g.Renditions, other.Renditions, func(a, b hls.Rendition) bool {
			return a.Name == b.Name && a.Language == b.Language && a.Default == b.Default && a.Autoselect == b.Autoselect &&
				a.Forced == b.Forced && a.Characteristics == b.Characteristics
		}) {
			f.must("R035", "%s: groups %s and %s differ in more than the files", g.Type, other.ID, g.ID)
		}
	}
}

// checkVariants checks variants one by one, with what codecs finds of their formats.
func checkVariants(f *faults, m *hls.Multivariant, codecs func(*faults, *hls.Variant)) {
	group := func(kind hls.MediaType, id string) bool {
		return slices.ContainsFunc(m.Groups, func(g hls.Group) bool { return g.Type == kind && g.ID == id })
	}
	scores, without := 0, 0
	for i := range m.Variants {
		v := &m.Variants[i]
		checkURI(f, v.URI)
		if v.AverageBandwidth <= 0 || v.AverageBandwidth > v.Bandwidth {
			f.must("R022", "%s: AVERAGE-BANDWIDTH is %d of %d", v.URI, v.AverageBandwidth, v.Bandwidth)
		}
		codecs(f, v)
		if v.VideoRange != "" && v.VideoRange != "SDR" {
			f.must("R027", "%s: VIDEO-RANGE is %s, but all of ours is SDR", v.URI, v.VideoRange)
		}
		if v.VideoRange != m.Variants[0].VideoRange {
			f.must("R027", "%s: VIDEO-RANGE on some variants only", v.URI)
		}
		if v.Audio != "" && !group(hls.Audio, v.Audio) {
			f.must("R028", "%s: no audio group %s", v.URI, v.Audio)
		}
		if v.Subtitles != "" && !group(hls.Subtitles, v.Subtitles) {
			f.must("R028", "%s: no subtitle group %s", v.URI, v.Subtitles)
		}
		for _, a := range v.Other {
			if a.Name == "VIDEO" && !group(hls.Video, a.Value) || a.Name == "CLOSED-CAPTIONS" && !group(hls.ClosedCaptions, a.Value) {
				f.must("R028", "%s: no group %s", v.URI, a.Value)
			}
		}
		if v.Audio == "" {
			f.must("R037", "%s: no audio group", v.URI)
		}
		if v.NoClosedCaptions != m.Variants[0].NoClosedCaptions {
			f.must("R029", "%s: CLOSED-CAPTIONS=NONE on some variants only", v.URI)
		} else if !v.NoClosedCaptions {
			f.own("R029", "%s: CLOSED-CAPTIONS is not NONE", v.URI)
		}
		if attribute(v.Other, "SCORE") != "" {
			scores++
		} else {
			without++
		}
	}
	if scores > 0 && without > 0 {
		f.must("R043", "SCORE on %d variants of %d", scores, scores+without)
	}
}

// codec is the form of RFC 6381 of the formats we make.
var codec = regexp.MustCompile(`^(avc1\.[0-9A-Fa-f]{6}|mp4a\.40\.[0-9]+|wvtt)$`)

// checkCodecs checks what a variant says of its formats, as far as the playlist itself shows (R024 to R026).
func checkCodecs(f *faults, v *hls.Variant) {
	video, audio := false, false
	for _, c := range strings.Split(v.Codecs, ",") {
		if !codec.MatchString(c) {
			f.must("R024", "%s: codec %q", v.URI, c)
		}
		video = video || strings.HasPrefix(c, "avc1.")
		audio = audio || strings.HasPrefix(c, "mp4a.")
	}
	if v.Audio != "" && !audio {
		f.must("R024", "%s: CODECS %q has no sound", v.URI, v.Codecs)
	}
	if !video {
		f.must("R024", "%s: CODECS %q has no picture", v.URI, v.Codecs)
	}
	if v.Width == 0 {
		f.must("R025", "%s: no RESOLUTION", v.URI)
	}
	if v.FrameRate == 0 {
		f.must("R026", "%s: no FRAME-RATE", v.URI)
	}
}

// checkLadder checks the choice of bit rates and sizes (R038, R039).
func checkLadder(f *faults, m *hls.Multivariant) {
	if len(m.Variants) == 0 {
		f.must("R020", "no variant")
		return
	}
	rates := map[int64]bool{}
	lowest := &m.Variants[0]
	for i := range m.Variants {
		v := &m.Variants[i]
		rates[v.Bandwidth] = true
		if v.Bandwidth < lowest.Bandwidth {
			lowest = v
		}
		if v.Width*m.Variants[0].Height*100 < m.Variants[0].Width*v.Height*99 ||
			v.Width*m.Variants[0].Height*99 > m.Variants[0].Width*v.Height*100 {
			f.should("R039", "%s: %dx%d has not the aspect ratio of the others", v.URI, v.Width, v.Height)
		}
	}
	if len(rates) < 2 {
		f.must("R038", "one bit rate only")
	}
	if lowest.Bandwidth > 192_000 {
		f.must("R038", "%s: the lowest variant has a peak of %d bit/s, over 192000", lowest.URI, lowest.Bandwidth)
	}
}

func checkIFrameVariants(f *faults, m *hls.Multivariant) {
	if len(m.IFrameVariants) == 0 {
		f.must("R042", "no I-frame playlist")
	}
	for i := range m.IFrameVariants {
		v := &m.IFrameVariants[i]
		checkURI(f, v.URI)
		if v.Codecs == "" || !codec.MatchString(v.Codecs) {
			f.must("R024", "%s: codec %q", v.URI, v.Codecs)
		}
		if v.Width == 0 {
			f.must("R025", "%s: no RESOLUTION", v.URI)
		}
		for _, a := range v.Other {
			if slices.Contains([]string{"FRAME-RATE", "AUDIO", "SUBTITLES", "CLOSED-CAPTIONS"}, a.Name) {
				f.must("R042", "%s: EXT-X-I-FRAME-STREAM-INF with %s", v.URI, a.Name)
			}
		}
	}
}

var stableID = regexp.MustCompile(`^[A-Za-z0-9+/=._-]+$`)

// checkStableIDs checks STABLE-VARIANT-ID and STABLE-RENDITION-ID (R044).
func checkStableIDs(f *faults, m *hls.Multivariant) {
	byURI := map[string]string{}
	one := func(uri, id string) {
		if id != "" && !stableID.MatchString(id) {
			f.must("R044", "%s: stable id %q", uri, id)
		}
		if other, ok := byURI[uri]; ok && other != id {
			f.must("R044", "%s: two stable ids, %q and %q", uri, other, id)
		}
		byURI[uri] = id
	}
	for _, v := range m.Variants {
		one(v.URI, attribute(v.Other, "STABLE-VARIANT-ID"))
	}
	for _, g := range m.Groups {
		for _, r := range g.Renditions {
			if r.URI != "" {
				one(r.URI, attribute(r.Other, "STABLE-RENDITION-ID"))
			}
		}
	}
}

// checkURI demands a relative URI without a query: the path prefix with the
// token is inherited by all players, a query by none (R080).
func checkURI(f *faults, uri string) {
	if uri == "" || uri[0] == '/' || strings.ContainsAny(uri, "?#:") {
		f.own("R080", "%q is not a relative path without query", uri)
	}
}

// startLine finds the EXT-X-START line of a text: body[from:to], with its line end; from is -1 without one.
func startLine(body []byte) (from, to int) {
	from = bytes.Index(body, []byte("\n#EXT-X-START:")) + 1
	if from == 0 {
		return -1, -1
	}
	to = bytes.IndexByte(body[from:], '\n')
	if to < 0 {
		return from, len(body)
	}
	return from, from + to + 1
}
