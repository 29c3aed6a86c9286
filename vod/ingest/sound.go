package ingest

import (
	"strings"

	"reprise/vod"
)

// sound is a track of sound that becomes a rendition.
type sound struct {
	track    *AudioTrack
	language string // BCP 47, "und" when nobody said
}

// chooseSounds picks one decodable track a language, the default one first: the
// first sound is what languages without their own hear. Untagged tracks take
// the languages that the uploader said, in order, else the one in the file's name.
func chooseSounds(p *Probe, source vod.Source) []sound {
	said := strings.FieldsFunc(source.Language, func(r rune) bool { return r == ',' || r == ' ' })
	if len(said) == 0 {
		if language := languageInName(source.Name); language != "" {
			said = []string{language}
		}
	}
	var sounds []sound
	taken := map[string]bool{}
	take := func(a *AudioTrack, language string) {
		if !taken[language] {
			taken[language] = true
			sounds = append(sounds, sound{a, language})
		}
	}
	usable := usableSounds(p)
	for _, a := range usable {
		language := a.Language
		if language == "" && len(said) > 0 {
			language, said = baseLanguage(normalLanguage(said[0])), said[1:]
		}
		switch {
		case language != "":
			take(a, language)
		case len(usable) == 1 || len(sounds) == 0:
			take(a, undetermined)
		}
	}
	return sounds
}

// usableSounds lists the tracks that can be decoded and are a talk's own sound:
// default ones first, commentaries only when there is nothing else.
func usableSounds(p *Probe) []*AudioTrack {
	var first, others, comments []*AudioTrack
	for i := range p.Audio {
		a := &p.Audio[i]
		switch {
		case a.Codec == "" || a.SampleRate <= 0 || a.Channels <= 0 || a.Count == 0:
		case a.Comment:
			comments = append(comments, a)
		case a.Default:
			first = append(first, a)
		default:
			others = append(others, a)
		}
	}
	if all := append(first, others...); len(all) > 0 {
		return all
	}
	return comments
}
