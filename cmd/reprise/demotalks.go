package main

import (
	"time"

	"reprise/event"
)

// demoTalk is a talk of the demonstration: what is said and shown.
type demoTalk struct {
	id         event.TalkID
	auditorium event.AuditoriumID
	title      event.Text
	speakers   []string
	slides     []demoSlide
	after      time.Duration      // starts so long after the first talk
	films      [][]event.Language // one film with these sound tracks each
	accent     string             // colour of the slides
}

// demoSlide is shown while its sentences are spoken.
type demoSlide struct {
	heading event.Text
	points  []event.Text
	spoken  []event.Text // sentences; what is not given in a language is silence
}

// said makes a text in the demo's two languages.
func said(fr, en string) event.Text { return event.Text{"fr": fr, "en": en} }

// demoTalks is the programme: one film with French and English sound, one film
// per language with different lengths, one film in French only.
func demoTalks() []demoTalk {
	both := []event.Language{"fr", "en"}
	return []demoTalk{
		{
			id: "opening", auditorium: "main", accent: "0xf2a541",
			title:    said("Ouverture : une salle, deux langues", "Opening: one room, two languages"),
			speakers: []string{"Camille Moreau"},
			films:    [][]event.Language{both},
			slides:   openingSlides(),
		},
		{
			id: "captions", auditorium: "studio", accent: "0x4fb3bf", after: 2 * time.Minute,
			title:    said("Des sous-titres qui aident vraiment", "Captions that truly help"),
			speakers: []string{"Inès Delorme", "Tom Whitfield"},
			films:    [][]event.Language{{"fr"}, {"en"}},
			slides:   captionSlides(),
		},
		{
			id: "memoire", auditorium: "main", accent: "0xd1495b", after: 3 * time.Minute,
			title:    said("La mémoire d’une conférence", "The memory of a conference"),
			speakers: []string{"Lucien Faure"},
			films:    [][]event.Language{{"fr"}},
			slides:   memorySlides(),
		},
	}
}

func openingSlides() []demoSlide {
	return []demoSlide{
		{
			heading: said("Bienvenue", "Welcome"),
			points:  []event.Text{said("Une conférence en ligne", "An online conference"), said("Un même instant pour tous", "One same instant for all")},
			spoken: []event.Text{
				said("Bonjour à toutes et à tous, et bienvenue.", "Hello everyone, and welcome."),
				said("Cette présentation a été enregistrée, mais nous la regardons ensemble, à la même seconde.",
					"This talk was recorded, yet we are watching it together, at the very same second."),
			},
		},
		{
			heading: said("Deux langues, une image", "Two languages, one picture"),
			points:  []event.Text{said("Français ou anglais", "French or English"), said("Sans recharger la page", "Without reloading the page")},
			spoken: []event.Text{
				said("Vous pouvez changer de langue quand vous voulez : l’image continue, et seul le son change.",
					"You may change the language whenever you like: the picture goes on, only the sound changes."),
				said("Les sous-titres suivent le même choix, et votre préférence reste pour la suite.", "Captions follow the same choice, and your preference stays for the talks to come."),
			},
		},
		{
			heading: said("L’heure fait foi", "The clock decides"),
			points:  []event.Text{said("Un programme, des horaires", "A programme, with hours"), said("Le direct est un calcul", "Live is arithmetic")},
			spoken: []event.Text{
				said("Le programme dit ce qui passe à l’antenne, et à quelle heure.", "The programme says what goes on air, and when."),
				said("Si le serveur redémarre, rien ne se perd : il sait toujours où nous en sommes.",
					"Should the server restart, nothing is lost: it always knows where we are."),
			},
		},
		{
			heading: said("Et après ?", "And afterwards?"),
			points:  []event.Text{said("Revoir au même endroit", "Watch again at the same place"), said("Pendant trois mois", "For three months")},
			spoken: []event.Text{
				said("À la fin, cette page devient la rediffusion, sans rien faire.", "At the end, this very page becomes the replay, all by itself."),
				said("Merci, et bonne conférence !", "Thank you, and enjoy the conference!"),
			},
		},
	}
}

func captionSlides() []demoSlide {
	return []demoSlide{
		{
			heading: said("Pourquoi des sous-titres ?", "Why captions?"),
			points:  []event.Text{said("Entendre mal, écouter sans le son", "Hearing little, watching without sound"), said("Suivre une langue étrangère", "Following a foreign language")},
			spoken: []event.Text{
				said("Une personne sur six entend mal, et beaucoup d’autres regardent sans le son.",
					"One person in six hears badly, and many more watch without any sound at all, in a train or next to a sleeping child."),
				said("Dans le train, au bureau, à côté d’un enfant qui dort : pour tous, les sous-titres sont une porte ouverte.", "For all of them, captions are an open door."),
			},
		},
		{
			heading: said("Trois règles simples", "Three simple rules"),
			points:  []event.Text{said("Des phrases courtes", "Short sentences"), said("Deux lignes au plus", "Two lines at most"), said("Le temps de lire", "Time to read")},
			spoken: []event.Text{
				said("Écrivez des phrases courtes, sur deux lignes au plus.",
					"Write short sentences, and never let them grow over more than two lines on the screen."),
				said("Laissez le temps de lire : quinze signes par seconde, c’est une bonne mesure.",
					"Leave people the time to read: fifteen characters a second is a good measure."),
				said("Et dites qui parle, quand on ne le voit pas.", "And say who is speaking, whenever we cannot see it."),
			},
		},
		{
			heading: said("Un film par langue", "One film for each language"),
			points:  []event.Text{said("Chacun sa durée", "Each with its own length"), said("Un seul programme", "One programme for both")},
			spoken: []event.Text{
				said("Cette présentation existe en deux films, l’un en français, l’autre en anglais.",
					"This talk exists as two films, one in French, and this one, which is spoken in English and takes a little longer."),
				said("Ils n’ont pas la même durée, et cela ne gêne personne : chaque salle suit son film, puis tout le monde se retrouve.", "They do not have the same length, and nobody minds."),
				said("Merci de votre attention.", "Thank you very much for your attention, and for reading along."),
			},
		},
	}
}

func memorySlides() []demoSlide {
	return []demoSlide{
		{
			heading: said("Ce qui reste", "What remains"),
			points:  []event.Text{said("Des images et des voix", "Pictures and voices"), said("Des questions et leurs réponses", "Questions and their answers")},
			spoken: []event.Text{
				said("Une conférence ne dure que deux jours, mais elle laisse des traces.", "A conference lasts but two days, yet it leaves traces."),
				said("Des images, des voix, des questions, des réponses, et parfois des amitiés.", "Pictures, voices, questions, answers, and sometimes friendships."),
			},
		},
		{
			heading: said("Trois mois pour revoir", "Three months to watch again"),
			points:  []event.Text{said("Chaque présentation, entière", "Every talk, whole"), said("Reprendre où l’on s’est arrêté", "Go on from where you stopped")},
			spoken: []event.Text{
				said("Pendant trois mois, chacun peut revoir ce qu’il a manqué, et reprendre là où il s’était arrêté.",
					"For three months, everyone can watch what they missed, and go on from where they stopped."),
				said("Cette présentation n’existe qu’en français : si vous avez choisi l’anglais, vous entendez le son d’origine.",
					"This talk exists in French only: if you chose English, you hear the original sound."),
			},
		},
		{
			heading: said("Et puis le silence", "And then silence"),
			points:  []event.Text{said("La salle reste ouverte", "The room stays open"), said("À bientôt", "See you soon")},
			spoken: []event.Text{
				said("Après ces mots, la salle reste ouverte, avec une image qui attend la suite.", "After these words the room stays open, with a picture that waits for what comes next."),
				said("À bientôt, ici ou ailleurs.", "See you soon, here or elsewhere."),
			},
		},
	}
}
