package ingest

import (
	"fmt"

	"reprise/vod"
)

// words are one kind of finding, for people who do not know codecs.
type words struct {
	fatal  bool
	fr, en string // formats with the same arguments
}

// finding returns the finding of that code. An unknown code is a programmer's error.
func finding(code string, args ...any) vod.Finding {
	w, ok := catalogue[code]
	if !ok {
		panic("ingest: unknown finding " + code)
	}
	f := vod.Finding{Code: code, Fatal: w.fatal, FR: w.fr, EN: w.en}
	if len(args) > 0 {
		french := make([]any, len(args))
		english := make([]any, len(args))
		for i, a := range args {
			french[i], english[i] = a, a
			if b, ok := a.(both); ok {
				french[i], english[i] = b.fr, b.en
			}
		}
		f.FR, f.EN = fmt.Sprintf(w.fr, french...), fmt.Sprintf(w.en, english...)
	}
	return f
}

// both is an argument of a finding that differs between the languages.
type both struct{ fr, en string }

// catalogue holds all findings. Codes are stable: programs compare them.
var catalogue = map[string]words{
	// Fatal: the source is refused.
	"empty-file": {fatal: true, fr: "Le fichier est vide. L’envoi s’est sans doute interrompu\u00a0: envoyez-le de nouveau.",
		en: "The file is empty. The upload probably broke off: send it again."},
	"source-missing": {fatal: true, fr: "Le fichier n’est plus dans le stockage. Envoyez-le de nouveau.",
		en: "The file is no longer in the store. Send it again."},
	"not-media": {fatal: true, fr: "Ce fichier n’est pas une vidéo, ou il est trop abîmé pour être reconnu. Ouvrez-le dans un lecteur, puis exportez-le de nouveau en MP4.",
		en: "This file is not a video, or it is too damaged to be recognised. Open it in a player, then export it again as MP4."},
	"not-film-image": {fatal: true, fr: "Ce fichier est une image, pas une vidéo.",
		en: "This file is a picture, not a video."},
	"not-film-text": {fatal: true, fr: "Ce fichier est un texte, pas une vidéo, quel que soit son nom.",
		en: "This file is text, not a video, whatever its name says."},
	"index-missing": {fatal: true, fr: "La table des matières du fichier manque\u00a0: l’enregistrement ou la copie s’est arrêté avant la fin. Sans elle, rien ne peut être lu. Exportez ou copiez le fichier de nouveau.",
		en: "The file’s table of contents is missing: recording or copying stopped before the end. Nothing can be read without it. Export or copy the file again."},
	"index-damaged": {fatal: true, fr: "La table des matières du fichier est fausse\u00a0: elle désigne des données qui n’y sont pas. Exportez le fichier de nouveau.",
		en: "The file’s table of contents is wrong: it points at data that is not there. Export the file again."},
	"fragments-without-index": {fatal: true, fr: "Ce fichier n’est qu’un morceau d’un flux\u00a0: l’en-tête qui permet de le lire est dans un autre fichier. Envoyez la vidéo entière.",
		en: "This file is only a piece of a stream: the header needed to read it is in another file. Send the whole video."},
	"truncated": {fatal: true, fr: "Il manque la fin de la vidéo\u00a0: le fichier annonce %[1]s et n’en contient que %[2]s. Copiez-le ou exportez-le de nouveau.",
		en: "The end of the video is missing: the file announces %[1]s and holds only %[2]s. Copy or export it again."},
	"encrypted": {fatal: true, fr: "La vidéo est protégée par un verrou numérique (DRM) et ne peut pas être lue. Envoyez une copie sans protection.",
		en: "The video is locked by copy protection (DRM) and cannot be read. Send a copy without protection."},
	"picture-codec-unsupported": {fatal: true, fr: "L’image est codée en %[1]s, que ce serveur ne sait pas lire. Exportez la vidéo en H.264.",
		en: "The picture is coded as %[1]s, which this server cannot read. Export the video as H.264."},
	"sound-codec-unsupported": {fatal: true, fr: "Le son est codé en %[1]s, que ce serveur ne sait pas lire. Exportez la vidéo avec un son AAC.",
		en: "The sound is coded as %[1]s, which this server cannot read. Export the video with AAC sound."},
	"dolby-vision-only": {fatal: true, fr: "L’image n’existe qu’en Dolby Vision (profil 5), dont les couleurs seraient fausses sur les écrans ordinaires. Exportez la vidéo en SDR ou en HDR10.",
		en: "The picture exists only as Dolby Vision (profile 5), whose colours would be wrong on ordinary screens. Export the video as SDR or HDR10."},
	"no-picture": {fatal: true, fr: "Le fichier ne contient pas d’image animée\u00a0: c’est un enregistrement sonore.",
		en: "The file holds no moving picture: it is a sound recording."},
	"zero-length": {fatal: true, fr: "La vidéo ne dure rien\u00a0: elle ne contient aucune image.",
		en: "The video lasts no time at all: it holds no picture."},
	"undecodable": {fatal: true, fr: "L’image ne peut pas être décodée\u00a0: les données sont abîmées. Exportez le fichier de nouveau.",
		en: "The picture cannot be decoded: the data is damaged. Export the file again."},
	"sound-undecodable": {fatal: true, fr: "Le son ne peut pas être décodé\u00a0: les données sont abîmées. Exportez le fichier de nouveau.",
		en: "The sound cannot be decoded: the data is damaged. Export the file again."},
	"damaged": {fatal: true, fr: "Les données sont abîmées en de nombreux endroits (%[1]d erreurs de lecture)\u00a0: l’image ou le son sauterait. Copiez ou exportez le fichier de nouveau.",
		en: "The data is damaged in many places (%[1]d reading errors): picture or sound would break up. Copy or export the file again."},
	"too-long": {fatal: true, fr: "La vidéo dure %[1]s\u202f; le maximum est de %[2]s.",
		en: "The video lasts %[1]s; the maximum is %[2]s."},
	"too-large": {fatal: true, fr: "L’image mesure %[1]d\u00a0×\u00a0%[2]d points\u202f; le maximum est de 8192\u00a0×\u00a08192.",
		en: "The picture is %[1]d × %[2]d pixels; the maximum is 8192 × 8192."},
	"too-costly": {fatal: true, fr: "La conversion de cette vidéo a dépassé le temps ou la mémoire permis. Exportez-la en H.264, 1920\u00a0×\u00a01080 au plus.",
		en: "Converting this video exceeded the time or memory allowed. Export it as H.264, 1920 × 1080 at most."},

	// Remarks: the source is used, and this was done about it.
	"end-missing": {fr: "La toute fin manque\u00a0: le fichier annonce %[1]s et contient %[2]s. Vérifiez les dernières secondes.",
		en: "The very end is missing: the file announces %[1]s and holds %[2]s. Check the last seconds."},
	"stopped-recording": {fr: "Le fichier s’arrête au milieu d’une donnée\u00a0: l’enregistrement a été interrompu. Vérifiez que la fin est bien la bonne.",
		en: "The file stops in the middle of its data: the recording was interrupted. Check that the end is the right one."},
	"size-field-wrong": {fr: "Une longueur inscrite dans le fichier est fausse, mais toutes les données sont là.",
		en: "A length written in the file is wrong, but all the data is there."},
	"reading-errors": {fr: "Quelques données sont abîmées (%[1]d erreurs de lecture). Regardez la vidéo avant de la diffuser.",
		en: "Some data is damaged (%[1]d reading errors). Watch the video before it goes on air."},
	"variable-frame-rate": {fr: "La cadence des images varie (enregistreur d’écran ou téléphone)\u00a0: elle est rendue régulière, à %[1]d images par seconde.",
		en: "The frame rate varies (screen recorder or phone): it is made regular, at %[1]d frames a second."},
	"frame-rate-converted": {fr: "La cadence de %[1]s images par seconde est portée à %[2]d\u202f; les mouvements peuvent être moins fluides.",
		en: "The rate of %[1]s frames a second is converted to %[2]d; movement may be less smooth."},
	"rotated": {fr: "La vidéo a été filmée de côté\u00a0: elle est redressée de %[1]d\u00a0degrés.",
		en: "The video was filmed sideways: it is turned upright by %[1]d degrees."},
	"portrait": {fr: "L’image est plus haute que large\u00a0: elle est diffusée entre deux bandes noires.",
		en: "The picture is taller than wide: it is shown between two black bars."},
	"hdr-converted": {fr: "L’image est en HDR\u00a0: ses couleurs sont ramenées à celles des écrans ordinaires.",
		en: "The picture is HDR: its colours are brought down to those of ordinary screens."},
	"interlaced": {fr: "L’image est entrelacée (vidéo ancienne ou télévision)\u00a0: elle est désentrelacée.",
		en: "The picture is interlaced (older video or television): it is deinterlaced."},
	"anamorphic": {fr: "Les points de l’image ne sont pas carrés\u00a0: elle est étirée à ses vraies proportions.",
		en: "The pixels are not square: the picture is stretched to its true proportions."},
	"low-resolution": {fr: "L’image est petite (%[1]d\u00a0×\u00a0%[2]d points)\u00a0: les textes des diapositives peuvent être illisibles.",
		en: "The picture is small (%[1]d × %[2]d pixels): text on slides may be unreadable."},
	"very-short": {fr: "La vidéo ne dure que %[1]s.",
		en: "The video lasts only %[1]s."},
	"several-pictures": {fr: "Le fichier contient %[1]d images animées\u202f; seule la principale est diffusée.",
		en: "The file holds %[1]d moving pictures; only the main one is shown."},
	"no-sound": {fr: "La vidéo n’a pas de son\u00a0: elle est diffusée en silence.",
		en: "The video has no sound: it is shown in silence."},
	"silent": {fr: "La piste sonore%[1]s est silencieuse. Vérifiez que le micro était ouvert.",
		en: "The sound track%[1]s is silent. Check that the microphone was on."},
	"quiet": {fr: "Le son%[1]s est faible (%[2]s\u00a0LUFS)\u00a0: il est amplifié.",
		en: "The sound%[1]s is quiet (%[2]s LUFS): it is amplified."},
	"very-quiet": {fr: "Le son%[1]s est très faible (%[2]s\u00a0LUFS)\u00a0: même amplifié de %[3]d\u00a0dB, il reste sous le niveau voulu, et le souffle s’entend.",
		en: "The sound%[1]s is very quiet (%[2]s LUFS): even amplified by %[3]d dB it stays below the wanted level, and noise can be heard."},
	"mono": {fr: "Le son%[1]s n’a qu’un canal\u00a0: il est diffusé des deux côtés.",
		en: "The sound%[1]s has one channel only: it is played on both sides."},
	"one-sided": {fr: "Le son%[1]s n’est que d’un côté\u00a0: il est diffusé des deux.",
		en: "The sound%[1]s is on one side only: it is played on both."},
	"surround": {fr: "Le son%[1]s a %[2]d canaux\u00a0: il est ramené à la stéréo.",
		en: "The sound%[1]s has %[2]d channels: it is mixed down to stereo."},
	"dull-sound": {fr: "Le son%[1]s est de qualité téléphonique (%[2]d\u00a0Hz).",
		en: "The sound%[1]s is of telephone quality (%[2]d Hz)."},
	"low-rate-sound": {fr: "Le son%[1]s est en %[2]s, un codage pour petits débits\u00a0: il est converti, sa qualité reste moindre.",
		en: "The sound%[1]s is %[2]s, a coding for low bit rates: it is converted, its quality stays lower."},
	"sound-late": {fr: "Le son%[1]s commence %[2]s après l’image\u00a0: le début est complété par du silence.",
		en: "The sound%[1]s starts %[2]s after the picture: silence is added at the start."},
	"picture-late": {fr: "L’image commence %[1]s après le son\u00a0: la première image est montrée plus tôt.",
		en: "The picture starts %[1]s after the sound: the first picture is shown earlier."},
	"sound-shorter": {fr: "Le son%[1]s finit %[2]s avant l’image\u00a0: la fin est complétée par du silence.",
		en: "The sound%[1]s ends %[2]s before the picture: silence is added at the end."},
	"sound-longer": {fr: "Le son%[1]s finit %[2]s après l’image\u00a0: la dernière image est maintenue.",
		en: "The sound%[1]s ends %[2]s after the picture: the last picture is held."},
	"language-missing": {fr: "La langue du son n’est pas indiquée dans le fichier. Indiquez-la pour que chacun entende la sienne.",
		en: "The file does not say the language of its sound. Say it, so that everybody hears their own."},
	"languages-unknown": {fr: "Le fichier a %[1]d pistes sonores et ne dit pas leurs langues\u00a0: seule la première est diffusée. Indiquez les langues dans l’ordre.",
		en: "The file has %[1]d sound tracks and does not say their languages: only the first is used. Say the languages in order."},
	"sound-track-ignored": {fr: "Une piste sonore est laissée de côté (%[1]s)\u00a0: une autre a la même langue.",
		en: "A sound track is left out (%[1]s): another one has the same language."},
	"lengths-differ": {fr: "Les pistes sonores n’ont pas la même durée\u00a0: %[1]s d’écart.",
		en: "The sound tracks differ in length by %[1]s."},
	"captions-ignored": {fr: "Des sous-titres du fichier sont des images et ne peuvent pas être repris. Joignez-les en WebVTT ou en SRT.",
		en: "Some captions in the file are pictures and cannot be used. Add them as WebVTT or SRT."},
	"captions-faulty": {fr: "Les sous-titres %[1]s ne peuvent pas être lus et sont laissés de côté.",
		en: "The captions %[1]s cannot be read and are left out."},
	"captions-language-missing": {fr: "La langue de sous-titres n’est pas indiquée\u00a0: ils sont laissés de côté. Nommez le fichier comme «\u202ffilm.fr.vtt\u202f».",
		en: "The language of some captions is not said: they are left out. Name the file like “film.fr.vtt”."},
}
