package vod_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"reprise/vod"
)

func named(key byte, loop bool) *vod.Media {
	return &vod.Media{ID: "m", Asset: "secret-talk", NameKey: bytes.Repeat([]byte{key}, 32), Loop: loop, Nominal: 184320, Last: 184320, Count: 1000}
}

// TestR209_NamesSayNothing: a name holds a segment's number and a hash that
// needs the media's key; one that is guessed, or of another rendition or media,
// is not taken.
func TestR209_NamesSayNothing(t *testing.T) {
	t.Parallel()
	m, other := named(1, false), named(2, false)
	for rendition, suffix := range map[string]string{"v720": ".m4s", "al-fr": ".m4s", "s-fr": ".vtt", vod.Empty: ".vtt"} {
		name := m.SegmentName(rendition, 7, 0)
		stem, hash, _ := strings.Cut(strings.TrimSuffix(name, suffix), "-")
		if stem != "7" || len(hash) != 24 || strings.Contains(name, "secret") || strings.Contains(name, rendition) {
			t.Errorf("%s: %s", rendition, name)
		}
		for _, guess := range []string{
			strings.Replace(name, "7-", "8-", 1), strings.Replace(name, "7-", "07-", 1), name + "x", name[1:], strings.ToUpper(name),
			"7" + suffix, "7-" + suffix, "init-" + hash + ".mp4", other.SegmentName(rendition, 7, 0), m.SegmentName("v234", 7, 0),
		} {
			if _, _, _, ok := m.ParseName(rendition, guess); ok {
				t.Errorf("%s: %s is taken", rendition, guess)
			}
		}
	}
}

// TestNamesComeBack: ParseName undoes SegmentName and InitName.
func TestNamesComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := named(rapid.Byte().Draw(t, "key"), rapid.Bool().Draw(t, "loop"))
		rendition := rapid.SampledFrom([]string{"v1080", "v234", "a-fr", "al-en", "s-fr", vod.Empty}).Draw(t, "rendition")
		index, ticks := rapid.IntRange(0, 1<<30).Draw(t, "index"), m.Nominal
		i, d, init, ok := m.ParseName(rendition, m.SegmentName(rendition, index, ticks))
		if !ok || init || i != index || m.Loop && d != ticks {
			t.Fatalf("%d %d %v %v", i, d, init, ok)
		}
		if _, _, init, ok := m.ParseName(rendition, m.InitName(rendition)); !ok || !init {
			t.Fatalf("init: %v %v", init, ok)
		}
	})
}
