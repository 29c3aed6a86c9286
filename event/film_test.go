package event_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/event"
)

func TestSetFilm(t *testing.T) {
	t.Parallel()
	e := func() event.Event {
		return event.Event{Languages: []event.Language{"fr", "en"}, Talks: []event.Talk{{ID: "opening", Films: map[event.Language]string{"fr": "old"}}, {ID: "closing"}}}
	}
	for _, test := range []struct {
		name      string
		talk      event.TalkID
		languages []event.Language
		asset     string
		changed   bool
		films     map[event.Language]string
		err       error
	}{
		{"one language", "opening", []event.Language{"en"}, "new", true, map[event.Language]string{"fr": "old", "en": "new"}, nil},
		{"all languages", "opening", nil, "new", true, map[event.Language]string{"fr": "new", "en": "new"}, nil},
		{"a talk without films", "closing", nil, "new", true, map[event.Language]string{"fr": "new", "en": "new"}, nil},
		{"the same again", "opening", []event.Language{"fr"}, "old", false, map[event.Language]string{"fr": "old"}, nil},
		{"taken off", "opening", nil, "", true, map[event.Language]string{}, nil},
		{"unknown talk", "lunch", nil, "new", false, nil, event.ErrNotFound},
		{"unknown language", "opening", []event.Language{"de"}, "new", false, map[event.Language]string{"fr": "old"}, event.ErrNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			before, got := e(), e()
			kept := got
			changed, err := got.SetFilm(test.talk, test.languages, test.asset)
			if changed != test.changed || !errors.Is(err, test.err) {
				t.Fatalf("%v, %v", changed, err)
			}
			if diff := cmp.Diff(before, kept); diff != "" {
				t.Errorf("what others hold has changed:\n%s", diff)
			}
			for _, talk := range got.Talks {
				if talk.ID != test.talk {
					continue
				}
				if diff := cmp.Diff(test.films, talk.Films); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
