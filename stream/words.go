package stream

import (
	"fmt"
	"strings"
	"time"

	"reprise/event"
)

// nbsp is the space that French puts in 14 h 00.
const nbsp = "\u00a0"

// tongue is what we say in a language.
type tongue struct {
	name     string // of the language in itself (R032), in NFC (R002)
	next     string // headline of a slate before a talk
	thanks   string // headline of the last slate
	wait     string // headline of the slate that fits everywhere
	weekdays [7]string
}

// tongueOf returns the words of a language; for one that we do not speak the
// tag is the name and the rest is English.
func tongueOf(l event.Language) tongue {
	base, _, _ := strings.Cut(strings.ToLower(string(l)), "-")
	english := tongue{"English", "Up next", "Thank you", "We will be right with you", weekdays(time.Weekday.String)}
	switch base {
	case "en":
		return english
	case "fr":
		return tongue{"Français", "À suivre", "Merci", "À tout de suite", [7]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"}}
	case "de":
		return tongue{"Deutsch", "Demnächst", "Danke", "Gleich geht es weiter", [7]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"}}
	case "es":
		return tongue{"Español", "A continuación", "Gracias", "Enseguida volvemos", [7]string{"domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"}}
	case "it":
		return tongue{"Italiano", "A seguire", "Grazie", "A tra poco", [7]string{"domenica", "lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato"}}
	case "nl":
		return tongue{"Nederlands", "Straks", "Dank u", "We zijn zo bij u", [7]string{"zondag", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag"}}
	case "pt":
		return tongue{"Português", "A seguir", "Obrigado", "Já voltamos", [7]string{"domingo", "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado"}}
	}
	english.name = string(l)
	return english
}

func weekdays(name func(time.Weekday) string) (days [7]string) {
	for d := range days {
		days[d] = name(time.Weekday(d))
	}
	return days
}

// hourIn returns the hour of t as people of language l write it: 14 h 00,
// 2:00 pm. With day the weekday comes first.
func hourIn(l event.Language, t time.Time, day bool) string {
	var hour string
	switch base, _, _ := strings.Cut(strings.ToLower(string(l)), "-"); base {
	case "fr":
		hour = fmt.Sprintf("%d%sh%s%02d", t.Hour(), nbsp, nbsp, t.Minute())
	case "en":
		hour = t.Format("3:04 pm")
	default:
		hour = t.Format("15:04")
	}
	if day {
		return tongueOf(l).weekdays[t.Weekday()] + " " + hour
	}
	return hour
}

// inFrench and inEnglish name a language inside a sentence of those languages.
func inFrench(l event.Language) string {
	switch l {
	case "fr":
		return "français"
	case "en":
		return "anglais"
	}
	return strings.ToLower(tongueOf(l).name)
}

func inEnglish(l event.Language) string {
	switch l {
	case "fr":
		return "French"
	case "en":
		return "English"
	}
	return tongueOf(l).name
}
