package conformance

import (
	"slices"
	"strings"

	"reprise/stream/hls"
)

// CheckSoundOnly checks a multivariant playlist of the sound alone by itself.
// It is for those who listen, apart from the one with pictures: a device that
// refuses variants without pictures (R038, A 9.20) is never shown it.
func CheckSoundOnly(body []byte) []Fault {
	var f faults
	m, err := hls.ParseMultivariant(body)
	if err != nil {
		f.syntax(err)
		return f.list
	}
	checkNormal(&f, body)
	if m.Version > plainVersion {
		f.should("R007", "version %d, none of it needed", m.Version)
	}
	checkTags(&f, m)
	if !m.IndependentSegments {
		f.should("R041", "no EXT-X-INDEPENDENT-SEGMENTS")
	}
	for i := range m.Groups {
		checkGroup(&f, &m.Groups[i])
		if m.Groups[i].Type != hls.Audio {
			f.own("R038", "group %s is not of sound", m.Groups[i].ID)
		}
	}
	checkGroupsAlike(&f, m)
	checkVariants(&f, m, checkSoundCodecs)
	checkSoundLadder(&f, m)
	checkStableIDs(&f, m)
	return f.list
}

// checkSoundCodecs demands sound and nothing else of a variant (R024).
func checkSoundCodecs(f *faults, v *hls.Variant) {
	for _, c := range strings.Split(v.Codecs, ",") {
		if !codec.MatchString(c) || !strings.HasPrefix(c, "mp4a.") {
			f.must("R024", "%s: codec %q", v.URI, c)
		}
	}
	if v.Width != 0 || v.FrameRate != 0 {
		f.must("R025", "%s: RESOLUTION or FRAME-RATE without a picture", v.URI)
	}
}

// checkSoundLadder demands that a variant is its group's default rendition, which
// is what a player without choice hears, and that one fits a cellular link (R038).
func checkSoundLadder(f *faults, m *hls.Multivariant) {
	if len(m.Variants) == 0 {
		f.must("R020", "no variant")
		return
	}
	lowest := m.Variants[0].Bandwidth
	for i := range m.Variants {
		v := &m.Variants[i]
		lowest = min(lowest, v.Bandwidth)
		if !slices.ContainsFunc(m.Groups, func(g hls.Group) bool {
			return g.ID == v.Audio && slices.ContainsFunc(g.Renditions, func(r hls.Rendition) bool { return r.Default && r.URI == v.URI })
		}) {
			f.must("R028", "%s: is not the default of group %s", v.URI, v.Audio)
		}
	}
	if lowest > 192_000 {
		f.must("R038", "the lowest variant has a peak of %d bit/s, over 192000", lowest)
	}
	if len(m.IFrameVariants) > 0 {
		f.must("R042", "I-frame playlists without a picture")
	}
}
