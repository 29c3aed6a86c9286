package api

import (
	"crypto/sha256"
	"encoding/hex"
)

// terms is what a speaker agrees to, and the version by which an agreement is remembered.
type terms struct {
	version string // of these very words: a hash of them
	fr, en  string
}

// The terms that come with the program. They bind nobody to more than showing
// the talk needs; an organizer who needs more sets Config.TermsFR and TermsEN.
const (
	termsFR = "En déposant cette vidéo, j’autorise l’organisateur à la convertir, à la diffuser pendant l’événement et à la proposer en rediffusion " +
		"aux inscrits, jusqu’à la date annoncée. Je confirme que j’ai le droit de la montrer, ainsi que les images, la musique et les personnes qu’elle contient. " +
		"Je reste propriétaire de mon travail et je peux demander son retrait à l’organisateur."
	termsEN = "By handing in this film I allow the organizer to convert it, to show it during the event, and to offer it as a replay " +
		"to registered people until the date announced. I confirm that I may show it, with the pictures, music and people in it. " +
		"My work stays mine, and I can ask the organizer to take it down."
)

// newTerms returns the configured terms, or those of the program. One text
// alone stands for both languages.
func newTerms(fr, en string) terms {
	switch {
	case fr == "" && en == "":
		fr, en = termsFR, termsEN
	case fr == "":
		fr = en
	case en == "":
		en = fr
	}
	sum := sha256.Sum256([]byte(fr + "\x00" + en))
	return terms{version: hex.EncodeToString(sum[:8]), fr: fr, en: en}
}
