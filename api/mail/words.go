package mail

import (
	"fmt"
	"strings"
	"time"
)

// sheet returns what the letter says, in "fr" or "en". ok is false for an unknown kind.
func (l Letter) sheet(language string) (s sheet, ok bool) {
	if language == "fr" {
		return l.french()
	}
	return l.english()
}

func (l Letter) french() (s sheet, ok bool) {
	greeting := "Bonjour,"
	if l.Name != "" {
		greeting = "Bonjour " + l.Name + ","
	}
	talk := "«\u00a0" + l.Talk + "\u00a0»"
	s.say(greeting)
	switch l.Kind {
	case Invitation:
		s.subject = "Votre vidéo pour " + talk
		s.say(l.Conference + " vous invite à remettre la vidéo de votre intervention " + talk + ".")
		l.frenchTerms(&s)
	case Reminder:
		s.subject = "Rappel\u00a0: votre vidéo pour " + talk
		s.say("Nous n’avons pas encore reçu la vidéo de votre intervention " + talk + " pour " + l.Conference + ".")
		l.frenchTerms(&s)
	case Received:
		s.subject = "Bien reçue\u00a0: votre vidéo pour " + talk
		s.say("Nous avons bien reçu votre vidéo pour " + talk + l.file(" (", ")", french) + ". Elle est en préparation\u202f; vous pouvez voir ici où elle en est, et à quoi elle ressemble\u00a0:")
		s.link(l.Link, "Voir ma vidéo")
		if !l.Lock.IsZero() {
			s.say("Vous pouvez la remplacer jusqu’au " + frenchTime(l.Lock, l.Zone) + ".")
		}
	case CameIn:
		s.subject = "Une vidéo est arrivée pour " + talk
		s.say(or(l.Speaker, "Quelqu’un") + " a remis une vidéo pour " + talk + " (" + l.Conference + ")" + l.file("\u00a0: ", "", french) + ".")
		s.found("À savoir\u00a0:", l.Findings)
		s.link(l.Link, "Voir la vidéo")
	case Refused:
		s.subject = "Votre vidéo pour " + talk + " ne peut pas être utilisée"
		s.say("Nous avons reçu votre vidéo pour " + talk + l.file(" (", ")", french) + ", mais elle ne peut pas être utilisée.")
		s.found("Pourquoi, et que faire\u00a0:", l.Findings)
		s.link(l.Link, "Envoyer un autre fichier")
		if !l.Lock.IsZero() {
			s.say("Vous pouvez le faire jusqu’au " + frenchTime(l.Lock, l.Zone) + ".")
		}
	case Ready:
		s.subject = "Prête\u00a0: votre vidéo pour " + talk
		s.say("Votre vidéo pour " + talk + " est prête à être diffusée. Regardez-la une fois, son compris\u00a0:")
		s.link(l.Link, "Voir ma vidéo")
		s.found("À savoir\u00a0:", l.Findings)
	default:
		return sheet{}, false
	}
	s.say(l.Conference)
	return s, true
}

func (l Letter) frenchTerms(s *sheet) {
	s.quote("Message de l’organisation\u00a0:", l.Note)
	s.link(l.Link, "Remettre ma vidéo")
	if !l.Deadline.IsZero() {
		s.say("Date limite\u00a0: " + frenchTime(l.Deadline, l.Zone) + ".")
	}
	if l.Lock.After(l.Deadline) {
		s.say("Vous pourrez ensuite remplacer votre fichier jusqu’au " + frenchTime(l.Lock, l.Zone) + ".")
	}
	s.say("Aucun compte n’est nécessaire. Si la connexion se coupe, l’envoi reprend où il s’était arrêté. Ce lien vous est personnel\u00a0: il n’ouvre que cette intervention\u202f; ne le transmettez pas.")
}

func (l Letter) english() (s sheet, ok bool) {
	greeting := "Hello,"
	if l.Name != "" {
		greeting = "Hello " + l.Name + ","
	}
	talk := "“" + l.Talk + "”"
	s.say(greeting)
	switch l.Kind {
	case Invitation:
		s.subject = "Your video for " + talk
		s.say(l.Conference + " invites you to hand in the video of your talk " + talk + ".")
		l.englishTerms(&s)
	case Reminder:
		s.subject = "Reminder: your video for " + talk
		s.say("We have not yet received the video of your talk " + talk + " for " + l.Conference + ".")
		l.englishTerms(&s)
	case Received:
		s.subject = "Received: your video for " + talk
		s.say("We have your video for " + talk + l.file(" (", ")", english) + ". It is being prepared; here you can see how far it is, and how it looks:")
		s.link(l.Link, "See my video")
		if !l.Lock.IsZero() {
			s.say("You can replace it until " + englishTime(l.Lock, l.Zone) + ".")
		}
	case CameIn:
		s.subject = "A video came in for " + talk
		s.say(or(l.Speaker, "Somebody") + " handed in a video for " + talk + " (" + l.Conference + ")" + l.file(": ", "", english) + ".")
		s.found("To know:", l.Findings)
		s.link(l.Link, "See the video")
	case Refused:
		s.subject = "Your video for " + talk + " cannot be used"
		s.say("We have received your video for " + talk + l.file(" (", ")", english) + ", but it cannot be used.")
		s.found("Why, and what to do:", l.Findings)
		s.link(l.Link, "Send another file")
		if !l.Lock.IsZero() {
			s.say("You can do so until " + englishTime(l.Lock, l.Zone) + ".")
		}
	case Ready:
		s.subject = "Ready: your video for " + talk
		s.say("Your video for " + talk + " is ready to go on air. Please watch it once, with sound:")
		s.link(l.Link, "See my video")
		s.found("To know:", l.Findings)
	default:
		return sheet{}, false
	}
	s.say(l.Conference)
	return s, true
}

func (l Letter) englishTerms(s *sheet) {
	s.quote("Message from the organizers:", l.Note)
	s.link(l.Link, "Hand in my video")
	if !l.Deadline.IsZero() {
		s.say("Deadline: " + englishTime(l.Deadline, l.Zone) + ".")
	}
	if l.Lock.After(l.Deadline) {
		s.say("After that you can replace your file until " + englishTime(l.Lock, l.Zone) + ".")
	}
	s.say("No account is needed. If the connection drops, the upload goes on where it stopped. This link is yours alone: it opens this talk and nothing else; please do not pass it on.")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// units are the words for sizes of a language.
type units struct {
	decimal  string
	kb       [3]string
	quantity string // what stands between number and unit
}

var (
	french  = units{",", [3]string{"ko", "Mo", "Go"}, "\u00a0"}
	english = units{".", [3]string{"kB", "MB", "GB"}, "\u00a0"}
)

// file returns the name and size of the film's file between two texts; nothing when it has no name.
func (l Letter) file(before, after string, u units) string {
	if l.File == "" {
		return ""
	}
	size := ""
	if l.Size > 0 {
		n, unit := float64(l.Size)/1e3, u.kb[0]
		for _, next := range u.kb[1:] {
			if n < 1000 {
				break
			}
			n, unit = n/1e3, next
		}
		size = ", " + strings.Replace(fmt.Sprintf("%.1f", n), ".", u.decimal, 1) + u.quantity + unit
	}
	return before + l.File + size + after
}

// frenchTime is an instant as French people write it: mardi 24 novembre 2026 à 14 h 00 (heure de Paris, UTC+1).
func frenchTime(t time.Time, zone *time.Location) string {
	t = in(t, zone)
	days := [...]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"}
	months := [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}
	day := fmt.Sprint(t.Day())
	if t.Day() == 1 {
		day = "1er"
	}
	return fmt.Sprintf("%s %s\u00a0%s\u00a0%d à %d\u00a0h\u00a0%02d%s", days[t.Weekday()], day, months[t.Month()-1], t.Year(), t.Hour(), t.Minute(), zoneWords(t, func(city string) string {
		if known, ok := frenchCities[city]; ok {
			city = known
		}
		if strings.ContainsAny(city[:1], "AEIOU") || strings.HasPrefix(city, "É") {
			return "heure d’" + city
		}
		return "heure de " + city
	}))
}

// frenchCities are the cities of time zones that are called otherwise in French.
var frenchCities = map[string]string{
	"London": "Londres", "Brussels": "Bruxelles", "Lisbon": "Lisbonne", "Vienna": "Vienne", "Athens": "Athènes", "Copenhagen": "Copenhague",
	"Warsaw": "Varsovie", "Bucharest": "Bucarest", "Moscow": "Moscou", "Algiers": "Alger", "Montreal": "Montréal", "Dublin": "Dublin",
	"Reunion": "La Réunion", "Martinique": "la Martinique", "Guadeloupe": "la Guadeloupe", "Singapore": "Singapour", "Mexico City": "Mexico", "Sao Paulo": "São Paulo",
}

// englishTime is the same in English, by 24 hours: Tuesday 24 November 2026 at 14:00 (Paris time, UTC+1).
func englishTime(t time.Time, zone *time.Location) string {
	t = in(t, zone)
	return t.Format("Monday 2\u00a0January\u00a02006 at 15:04") + zoneWords(t, func(city string) string { return city + " time" })
}

func in(t time.Time, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone)
}

// zoneWords names the zone of t: the hour of a city, and how far it is from UTC.
func zoneWords(t time.Time, hour func(city string) string) string {
	_, seconds := t.Zone()
	offset := "UTC"
	if seconds != 0 {
		sign := "+"
		if seconds < 0 {
			sign, seconds = "−", -seconds
		}
		offset += fmt.Sprintf("%s%d", sign, seconds/3600)
		if minutes := seconds / 60 % 60; minutes > 0 {
			offset += fmt.Sprintf(":%02d", minutes)
		}
	}
	name := t.Location().String()
	cut := strings.LastIndexByte(name, '/')
	if cut < 0 || cut == len(name)-1 || strings.HasPrefix(name, "Etc/") {
		return " " + offset
	}
	return " (" + hour(strings.ReplaceAll(name[cut+1:], "_", " ")) + ", " + offset + ")"
}
