package event

import (
	"fmt"
	"maps"
	"slices"
)

// SetFilm makes asset the film of a talk in the languages, in all of the event
// when there are none; an empty asset takes it off. It reports whether anything
// changed. The event's own slices and maps are replaced, not written to.
// ErrNotFound for an unknown talk or language.
func (e *Event) SetFilm(talk TalkID, languages []Language, asset string) (changed bool, err error) {
	i := slices.IndexFunc(e.Talks, func(t Talk) bool { return t.ID == talk })
	if i < 0 {
		return false, fmt.Errorf("%w: talk %s", ErrNotFound, talk)
	}
	if len(languages) == 0 {
		languages = e.Languages
	}
	films := maps.Clone(e.Talks[i].Films)
	if films == nil {
		films = map[Language]string{}
	}
	for _, l := range languages {
		switch {
		case !slices.Contains(e.Languages, l):
			return false, fmt.Errorf("%w: language %s", ErrNotFound, l)
		case asset == "":
			delete(films, l)
		default:
			films[l] = asset
		}
	}
	if maps.Equal(films, e.Talks[i].Films) {
		return false, nil
	}
	e.Talks = slices.Clone(e.Talks)
	e.Talks[i].Films = films
	return true, nil
}
