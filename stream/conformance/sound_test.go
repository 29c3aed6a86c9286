package conformance

import (
	"testing"

	"reprise/stream/hls"
)

// goodSound is a playlist of the sound alone, with nothing wrong.
func goodSound() *hls.Multivariant {
	group := func(id, prefix string) hls.Group {
		return hls.Group{Type: hls.Audio, ID: id, Renditions: []hls.Rendition{
			{Name: "Français", Language: "fr", Default: true, Autoselect: true, Channels: "2", URI: prefix + "fr.m3u8"},
			{Name: "English", Language: "en", Autoselect: true, Channels: "2", URI: prefix + "en.m3u8"},
		}}
	}
	variant := func(id, uri string, rate int64) hls.Variant {
		return hls.Variant{Bandwidth: rate, AverageBandwidth: rate, Codecs: "mp4a.40.2", Audio: id, NoClosedCaptions: true, URI: uri}
	}
	return &hls.Multivariant{
		Version: 7, IndependentSegments: true, Groups: []hls.Group{group("aac", "a-"), group("aac-low", "al-")},
		Variants: []hls.Variant{variant("aac", "a-fr.m3u8", 130_000), variant("aac-low", "al-fr.m3u8", 66_000)},
	}
}

func TestSoundOnly(t *testing.T) {
	t.Parallel()
	clean(t, CheckSoundOnly(hls.AppendMultivariant(nil, goodSound())))
	type M = hls.Multivariant
	for _, c := range []struct {
		name  string // "R030 what is wrong"
		spoil func(*M)
	}{
		{"R007 version too high", func(m *M) { m.Version = 10 }},
		{"R020 no variant", func(m *M) { m.Variants = nil }},
		{"R022 no average", func(m *M) { m.Variants[0].AverageBandwidth = 0 }},
		{"R024 a picture", func(m *M) { m.Variants[0].Codecs = "avc1.64001f,mp4a.40.2" }},
		{"R024 captions", func(m *M) { m.Variants[0].Codecs = "mp4a.40.2,wvtt" }},
		{"R024 nothing", func(m *M) { m.Variants[0].Codecs = "" }},
		{"R025 a size", func(m *M) { m.Variants[0].Width, m.Variants[0].Height = 640, 360 }},
		{"R028 another group", func(m *M) { m.Variants[0].Audio = "other" }},
		{"R028 not the default", func(m *M) { m.Variants[1].URI = "al-en.m3u8" }},
		{"R029 on some only", func(m *M) { m.Variants[1].NoClosedCaptions = false }},
		{"R031 no language", func(m *M) { m.Groups[0].Renditions[1].Language = "" }},
		{"R035 another member", func(m *M) { m.Groups[1].Renditions = m.Groups[1].Renditions[:1] }},
		{"R038 a group of captions", func(m *M) {
			m.Groups = append(m.Groups, hls.Group{Type: hls.Subtitles, ID: "text", Renditions: []hls.Rendition{{Name: "Français", Language: "fr", URI: "s-fr.m3u8"}}})
		}},
		{"R038 too much for a cellular link", func(m *M) { m.Variants[0].Bandwidth, m.Variants[1].Bandwidth = 200_000, 200_000 }},
		{"R041 not independent", func(m *M) { m.IndependentSegments = false }},
		{"R042 i-frames", func(m *M) {
			m.IFrameVariants = []hls.IFrameVariant{{Bandwidth: 1, Codecs: "avc1.64001f", Width: 1, Height: 1, URI: "i.m3u8"}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := goodSound()
			c.spoil(m)
			demand(t, c.name[:4], CheckSoundOnly(hls.AppendMultivariant(nil, m)))
		})
	}
}
