package stream

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"reprise/event"
	"reprise/stream/hls"
	"reprise/stream/timeline"
	"reprise/vod"
)

// All media of a feed decide on the rungs and bandwidths of its multivariant
// playlist, so that these are the same from doors open to doors close. Only in
// a journal of more than fewEntries are they those of dayAround from now,
// either way: reading a thousand films would hold up the first viewer.
const (
	fewEntries = 200
	dayAround  = 24 * time.Hour
)

// textKey names a multivariant playlist but for its EXT-X-START.
type textKey struct {
	feed     *feed
	address  Address
	from, to int  // journal entries in scope
	sound    bool // of the sound alone
}

// multivariantText is a multivariant playlist but for its EXT-X-START. It is
// never changed.
type multivariantText = hls.Multivariant

// multivariantKey names a multivariant playlist.
type multivariantKey struct {
	address Address
	sound   bool // of the sound alone
}

// textCost stands for the memory that a text holds on to, its feed included.
const textCost = 96 << 10

// multivariantView is the last multivariant playlist given out for an address.
type multivariantView struct {
	doc   *Document
	text  *hls.Multivariant
	start time.Duration // of EXT-X-START; noStart without
}

const noStart = time.Duration(-1 << 62)

// Multivariant returns the multivariant playlist of an address at now. That of
// a live feed starts the player on the frame whose hour it is, to the
// millisecond: it must not be cached.
func (p *Playout) Multivariant(a Address, now time.Time) (*Document, error) {
	return p.multivariant(a.normal(), now, false)
}

// multivariant is Multivariant, or SoundOnly, of a normal address.
func (p *Playout) multivariant(a Address, now time.Time, sound bool) (*Document, error) {
	if a.View == Preview {
		return p.previewMultivariant(a, sound)
	}
	s := p.snapshot.Load()
	f := s.feedOf(a)
	if f == nil {
		return nil, s.missing(a)
	}
	now = f.clock.forward(now)
	m, err := p.moment(f, a, now)
	if err != nil {
		return nil, err
	}
	text, err := p.text(f, a, &m, now, sound)
	if err != nil {
		return nil, err
	}
	return p.finish(multivariantKey{a, sound}, text, startOf(a.View, &m, now), m.window.EndList)
}

// finish puts the EXT-X-START into a multivariant playlist and makes its document.
func (p *Playout) finish(key multivariantKey, text *multivariantText, start time.Duration, ended bool) (*Document, error) {
	if len(text.Variants) == 0 {
		return nil, fmt.Errorf("%w: nothing to play at %s %s", ErrNotFound, key.address.View, cmp.Or(string(key.address.Media), string(key.address.Talk)))
	}
	if was := p.multivariants.get(key); was != nil && was.text == text && was.start == start && was.doc.Ended == ended {
		return was.doc, nil // of the same millisecond, or a replay
	}
	list := *text
	if start != noStart {
		list.Start = &hls.Start{TimeOffset: start, Precise: true}
	}
	doc := p.document(hls.AppendMultivariant(make([]byte, 0, 4096), &list), -1)
	doc.Ended = ended
	c := p.multivariants.cell(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	p.multivariants.set(c, &multivariantView{doc, text, start}, int64(len(doc.Body)+len(doc.Gzip))+512)
	return doc, nil
}

// startOf returns the TIME-OFFSET of EXT-X-START. Live it is the way from the
// end of the list back to now: more than three target durations (R014) and not
// more than the lead. Start-over begins at the beginning.
func startOf(v View, m *moment, now time.Time) time.Duration {
	ahead := m.window.Edge.Sub(now).Round(time.Millisecond)
	switch {
	case v == StartOver:
		return 0
	case v == Replay:
		return noStart
	case !m.window.EndList:
		ahead = min(max(ahead, 3*timeline.TargetDuration+time.Millisecond), timeline.Lead)
	case ahead <= 0:
		return noStart // it is over
	}
	return -ahead
}

// text returns the multivariant playlist of an address but for its EXT-X-START.
func (p *Playout) text(f *feed, a Address, m *moment, now time.Time, sound bool) (*multivariantText, error) {
	key := textKey{feed: f, address: a, sound: sound}
	entries := m.entries
	switch {
	case a.View == StartOver:
		entries = f.talkEntries(a.Talk)
	case a.View == Live && len(entries) > fewEntries:
		since, until := now.Add(-dayAround), now.Add(dayAround)
		key.from = sort.Search(len(entries), func(k int) bool { return entries[k].AirEnd().After(since) })
		key.to = sort.Search(len(entries), func(k int) bool { return !entries[k].AirStart.Before(until) })
		key.from = min(key.from, m.window.Spans[0].Entry) // what is listed counts, also after the end
		entries = entries[key.from:key.to]
	}
	return p.texts.do(key, func() (*multivariantText, int64, error) {
		s := scope{entries: entries, empty: int64(len(p.empty))}
		for _, e := range entries {
			media, err := p.shelf.summary(vod.MediaID(e.Source.ID))
			if err != nil {
				return nil, 0, err
			}
			s.media = append(s.media, media)
		}
		return s.text(s.shape(a.View, f), sound), textCost, nil
	})
}

// text describes a shape, or its sound alone.
func (s scope) text(sh shape, sound bool) *multivariantText {
	list := s.multivariant(sh)
	if sound {
		list = s.soundOnly(sh)
	}
	return &list
}

// shape is which renditions a multivariant playlist offers.
type shape struct {
	rungs    []rung // first the one to begin with
	audio    []string
	captions []string
	fallback string // language of the default sound
	exact    bool   // nothing but what the film has: a replay
}

// shape decides what is offered. A feed offers the rungs of its talks and the
// sound and captions of all languages of the event, always; a replay what its
// film has.
func (s scope) shape(v View, f *feed) shape {
	have := map[string]bool{}
	for k, e := range s.entries {
		if e.Talk == "" {
			continue
		}
		for i := range s.media[k].renditions {
			have[s.media[k].renditions[i].Name] = true
		}
		for _, name := range s.media[k].ladder {
			have[name] = have[name] || v == Live // a first rendition: the rest will come
		}
	}
	if v == Live && len(have) == 0 {
		for k := range s.entries { // no talk is ready: the slate's rungs up to 720
			for i := range s.media[k].renditions {
				if r := &s.media[k].renditions[i]; rungHeight(r.Name) <= 720 {
					have[r.Name] = true
				}
			}
		}
	}
	if v == Live {
		have["v360"], have["v234"] = true, true
	}
	sh := shape{fallback: string(f.Language)}
	for _, r := range rungs {
		if have[r.name] {
			sh.rungs = append(sh.rungs, r)
		}
	}
	beginWith(sh.rungs)
	for _, l := range f.languages {
		if v != Replay || have["a-"+string(l)] {
			sh.audio = append(sh.audio, string(l))
		}
		if v != Replay || have["s-"+string(l)] {
			sh.captions = append(sh.captions, string(l))
		}
	}
	if v == Replay && len(s.media) > 0 {
		sh.exact = true
		sh.own(s.media[0])
	}
	return sh
}

// own makes sure that a replay has sound, whatever its language is, and a default that exists.
func (sh *shape) own(m *summary) {
	if len(sh.audio) == 0 {
		if r := m.fill("a-" + sh.fallback); r != nil {
			_, language, _ := strings.Cut(r.Name, "-")
			sh.audio = append(sh.audio, language)
		}
	}
	if len(sh.audio) > 0 && !slices.Contains(sh.audio, sh.fallback) {
		sh.fallback = sh.audio[0]
		if r := m.fill("a-" + sh.fallback); r != nil && slices.Contains(sh.audio, r.Language) {
			sh.fallback = r.Language
		}
	}
}

// beginWith puts the rung that players begin with first: 540 lines, else 720 (R038).
func beginWith(list []rung) {
	for _, name := range []string{"v540", "v720"} {
		if i := slices.IndexFunc(list, func(r rung) bool { return r.name == name }); i >= 0 {
			first := list[i]
			copy(list[1:i+1], list[:i])
			list[0] = first
			return
		}
	}
}

// Group ids of a multivariant playlist.
const (
	soundGroup    = "aac"
	lowSoundGroup = "aac-low" // the same sound at half the rate, for the lowest rung (R038)
	captionsGroup = "text"
)

// multivariant describes the shape with what was measured in the scope.
func (s scope) multivariant(sh shape) hls.Multivariant {
	list := hls.Multivariant{Version: 7, IndependentSegments: true}
	sound := s.soundGroup(soundGroup, "a-", sh)
	low := s.soundGroup(lowSoundGroup, "al-", sh)
	captions := hls.Group{Type: hls.Subtitles, ID: captionsGroup}
	var captionsRate rate
	for _, l := range sh.captions {
		name := "s-" + l
		captions.Renditions = append(captions.Renditions, hls.Rendition{
			Name: tongueOf(event.Language(l)).name, Language: l, Autoselect: true, URI: name + ".m3u8",
		})
		captionsRate = captionsRate.max(s.rates(name, false))
	}
	list.Groups = append(list.Groups, sound.group)
	if slices.ContainsFunc(sh.rungs, func(r rung) bool { return r.name == "v234" }) {
		list.Groups = append(list.Groups, low.group)
	}
	if len(captions.Renditions) > 0 {
		list.Groups = append(list.Groups, captions)
	}
	for _, r := range sh.rungs {
		with := sound
		if r.name == "v234" {
			with = low
		}
		look := s.look(r)
		rates := s.rates(r.name, false).plus(with.rate).plus(captionsRate)
		v := hls.Variant{
			Bandwidth: rates.peak, AverageBandwidth: rates.average,
			Codecs: look.codec + "," + with.codec, Width: look.width, Height: look.height, FrameRate: look.frameRate,
			Audio: with.group.ID, NoClosedCaptions: true, URI: r.name + ".m3u8",
		}
		if len(captions.Renditions) > 0 {
			v.Codecs += ",wvtt"
			v.Subtitles = captionsGroup
		}
		list.Variants = append(list.Variants, v)

		stills := s.rates(r.name, true)
		list.IFrameVariants = append(list.IFrameVariants, hls.IFrameVariant{
			Bandwidth: stills.peak, AverageBandwidth: stills.average,
			Codecs: look.codec, Width: look.width, Height: look.height, URI: "i" + r.name[1:] + ".m3u8",
		})
	}
	return list
}

// soundOnly describes the sound of a shape at both its rates. A variant's URI is
// that of its group's default: a player without choice plays that.
func (s scope) soundOnly(sh shape) hls.Multivariant {
	list := hls.Multivariant{Version: 7, IndependentSegments: true}
	for _, of := range []struct{ id, prefix string }{{soundGroup, "a-"}, {lowSoundGroup, "al-"}} {
		if len(sh.audio) == 0 || (sh.exact && of.id == lowSoundGroup && !s.media[0].has(of.prefix+sh.fallback)) {
			continue
		}
		sound := s.soundGroup(of.id, of.prefix, sh)
		first := max(0, slices.IndexFunc(sound.group.Renditions, func(r hls.Rendition) bool { return r.Default }))
		list.Groups = append(list.Groups, sound.group)
		list.Variants = append(list.Variants, hls.Variant{
			Bandwidth: sound.rate.peak, AverageBandwidth: sound.rate.average, Codecs: sound.codec,
			Audio: of.id, NoClosedCaptions: true, URI: sound.group.Renditions[first].URI,
		})
	}
	return list
}

// sound is an audio group with the rate of its largest rendition.
type sound struct {
	group hls.Group
	rate  rate
	codec string
}

func (s scope) soundGroup(id, prefix string, sh shape) sound {
	g := sound{group: hls.Group{Type: hls.Audio, ID: id}, codec: "mp4a.40.2"}
	for _, l := range sh.audio {
		name := prefix + l
		if prefix == "al-" && sh.exact && !s.media[0].has(name) {
			name = "a-" + l
		}
		g.group.Renditions = append(g.group.Renditions, hls.Rendition{
			Name: tongueOf(event.Language(l)).name, Language: l, Default: l == sh.fallback, Autoselect: true,
			Channels: "2", URI: name + ".m3u8",
		})
		g.rate = g.rate.max(s.rates(name, false))
		for _, m := range s.media {
			if r := m.fill(name); r != nil && r.Codec != "" {
				g.codec = r.Codec
			}
		}
	}
	return g
}

// look is what a player must be able to decode for a rung.
type look struct {
	codec         string
	width, height int
	frameRate     hls.FrameRate
}

func (s scope) look(r rung) look {
	l := look{width: r.width, height: r.height}
	exact := false
	for _, m := range s.media {
		v := m.fill(r.name)
		if v == nil {
			continue
		}
		if moreDemanding(v.Codec, l.codec) {
			l.codec = v.Codec
		}
		if v.Frame > 0 {
			l.frameRate = max(l.frameRate, hls.FrameRate(1000*timeline.TicksPerSecond/v.Frame))
		}
		if v.Name == r.name && !exact && v.Width > 0 {
			l.width, l.height, exact = v.Width, v.Height, true
		}
	}
	return l
}

// moreDemanding reports whether codec string a (avc1.PPCCLL) asks more of a decoder than b: a higher level, then profile.
func moreDemanding(a, b string) bool {
	if len(a) != len(b) || len(a) < 11 {
		return len(a) > len(b)
	}
	if a[9:] != b[9:] {
		return a[9:] > b[9:]
	}
	return a[5:9] > b[5:9]
}

// replayNames returns the renditions that the replay of a film offers.
func replayNames(m *summary) []string {
	var names []string
	for i := range m.renditions {
		names = append(names, m.renditions[i].Name)
	}
	return names
}
