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
	"not-film-document": {fatal: true, fr: "Ce fichier est une présentation, un document ou une archive (PowerPoint, PDF, ZIP…), pas une vidéo. Enregistrez-le ou exportez-le en vidéo (MP4).",
		en: "This file is a presentation, a document or an archive (PowerPoint, PDF, ZIP…), not a video. Record it, or export it as a video (MP4)."},
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
	"no-picture": {fr: "Le fichier ne contient pas d’image animée, seulement du son\u00a0: il est diffusé avec une image fixe.",
		en: "The file holds no moving picture, only sound: it is shown with a still picture."},
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
	"captions-language-missing": {fr: "La langue de sous-titres n’est pas indiquée\u00a0: ils sont laissés de côté. Nommez le fichier comme «\u00a0film.fr.vtt\u00a0».",
		en: "The language of some captions is not said: they are left out. Name the file like “film.fr.vtt”."},

	// Remarks on what was seen and heard while the film was decoded. %[1]s of most are the time codes.
	"black-picture": {fr: "L’image est noire %[1]s. Si ce n’est pas voulu, coupez ce passage.",
		en: "The picture is black %[1]s. Unless this is wanted, cut it out."},
	"all-black": {fr: "L’image est noire du début à la fin. Vérifiez que c’est le bon fichier, puis exportez-le de nouveau.",
		en: "The picture is black from beginning to end. Check that this is the right file, then export it again."},
	"still-film": {fr: "L’image ne bouge jamais\u00a0: c’est la même du début à la fin. Si les diapositives devaient y être, exportez la vidéo de nouveau.",
		en: "The picture never moves: it is the same from beginning to end. If slides should be in it, export the video again."},
	"frozen-picture": {fr: "L’image est immobile et l’on n’entend rien %[1]s. Coupez ce passage s’il n’y manque rien, sinon exportez la vidéo de nouveau.",
		en: "The picture stands still and nothing is heard %[1]s. Cut it out if nothing is missing there, else export the video again."},
	"frozen-camera": {fr: "L’image se fige %[1]s alors que le son continue. Regardez ce passage\u00a0: si la caméra s’est arrêtée, remplacez-la par une diapositive ou exportez la vidéo de nouveau.",
		en: "The picture freezes %[1]s while the sound goes on. Watch this part: if the camera stopped, put a slide in its place or export the video again."},
	"blurred-picture": {fr: "L’image est floue pour sa taille (%[1]d\u00a0×\u00a0%[2]d points)\u00a0: elle a sans doute été agrandie, et montre au mieux ce que montrerait une image de %[3]d\u00a0×\u00a0%[4]d. Exportez la vidéo depuis l’original, sans l’agrandir.",
		en: "The picture is blurred for its size (%[1]d × %[2]d pixels): it was probably enlarged, and shows at best what a picture of %[3]d × %[4]d would show. Export the video from the original, without enlarging it."},
	"small-text": {fr: "Le texte à l’écran est très petit (lettres de %[2]d points dans une image de 1080 lignes) %[1]s. Sur un téléphone ou une connexion lente il sera illisible\u00a0: agrandissez-le si vous le pouvez, ou joignez le document.",
		en: "Text on the screen is very small (letters of %[2]d pixels in a picture of 1080 lines) %[1]s. On a telephone or a slow line it will be unreadable: make it larger if you can, or add the document."},
	"silent-start": {fr: "On n’entend rien pendant les %[1]s du début. Coupez le début, ou vérifiez que le micro était ouvert.",
		en: "Nothing is heard in the first %[1]s. Cut the start, or check that the microphone was on."},
	"silent-end": {fr: "On n’entend rien pendant les %[1]s de la fin. Coupez la fin, ou vérifiez qu’il n’y manque rien.",
		en: "Nothing is heard in the last %[1]s. Cut the end, or check that nothing is missing."},
	"silent-middle": {fr: "On n’entend rien%[2]s %[1]s. Écoutez ce passage\u00a0: le micro a peut-être été coupé.",
		en: "Nothing is heard%[2]s %[1]s. Listen to this part: the microphone may have been off."},
	"clipping": {fr: "Le son%[2]s sature %[3]d fois (%[1]s)\u00a0: il grésille, et rien ne peut le réparer. Exportez-le de nouveau avec un volume plus bas, si l’original est meilleur.",
		en: "The sound%[2]s is overdriven %[3]d times (%[1]s): it crackles, and nothing can mend that. Export it again at a lower volume if the original is better."},
	"noisy": {fr: "Un bruit de fond s’entend entre les mots%[1]s (%[2]s\u00a0dB sous la voix seulement). Si vous avez un outil de réduction du bruit, passez-y le son.",
		en: "Background noise is heard between the words%[1]s (only %[2]s dB below the voice). If you have a noise reduction tool, run the sound through it."},
	"unbalanced": {fr: "Le son%[1]s est plus fort de %[2]s\u00a0dB du côté %[3]s. Exportez-le en mono, ou équilibrez-le.",
		en: "The sound%[1]s is %[2]s dB louder on the %[3]s side. Export it in mono, or balance it."},
	"out-of-phase": {fr: "Les deux côtés du son%[1]s s’annulent (câble ou réglage inversé)\u00a0: seul le gauche est diffusé, des deux côtés.",
		en: "The two sides of the sound%[1]s cancel each other (a swapped cable or setting): only the left one is used, on both sides."},
	"sound-drifts": {fr: "L’horloge du son%[1]s et celle de l’image ne vont pas à la même vitesse\u00a0: %[2]s d’écart à la fin. C’est corrigé à trois centièmes de seconde près\u202f; vérifiez tout de même que voix et lèvres vont ensemble à la fin.",
		en: "The clocks of the sound%[1]s and of the picture do not run at the same speed: %[2]s apart at the end. This is corrected to three hundredths of a second; check all the same that voice and lips agree at the end."},
	"sound-gaps": {fr: "Il manque du son%[2]s %[1]s\u00a0: ces trous sont remplis de silence. Si l’original n’en a pas, exportez la vidéo de nouveau.",
		en: "Sound%[2]s is missing %[1]s: these gaps are filled with silence. If the original has none, export the video again."},
	"ten-bit": {fr: "L’image a %[1]d bits par couleur\u00a0: elle est ramenée à 8, ce qui ne se voit pas. Il n’y a rien à faire.",
		en: "The picture has %[1]d bits a colour: it is brought down to 8, which cannot be seen. There is nothing to do."},

	// Remarks on how the film stands in its programme (Compare).
	"longer-than-slot": {fr: "Le film dure %[1]s, son créneau %[2]s\u00a0: il dépasse de %[3]s. Rien n’est retardé, car la suite commence plus tard.",
		en: "The film lasts %[1]s, its slot %[2]s: it runs over by %[3]s. Nothing is delayed, as what follows starts later."},
	"pushes-next-talk": {fr: "Le film dure %[1]s, son créneau %[2]s\u00a0: il dépasse de %[3]s, et la suite commence %[4]s plus tard. Raccourcissez le film, ou allongez le créneau.",
		en: "The film lasts %[1]s, its slot %[2]s: it runs over by %[3]s, and what follows starts %[4]s later. Shorten the film, or lengthen the slot."},
	"shorter-than-slot": {fr: "Le film dure %[1]s, son créneau %[2]s\u00a0: un écran d’attente occupe les %[3]s qui restent. Prévoyez-y des questions, ou raccourcissez le créneau.",
		en: "The film lasts %[1]s, its slot %[2]s: a waiting picture fills the %[3]s that are left. Plan questions there, or shorten the slot."},
	"longer-than-other-language": {fr: "Ce film dure %[1]s de plus que celui en %[2]s, dont le public attendra d’autant. Vérifiez que les deux sont complets.",
		en: "This film is %[1]s longer than the %[2]s one, whose audience will wait as long. Check that both are complete."},
	"shorter-than-other-language": {fr: "Ce film dure %[1]s de moins que celui en %[2]s\u00a0: son public attendra d’autant. Vérifiez que les deux sont complets.",
		en: "This film is %[1]s shorter than the %[2]s one: its audience will wait as long. Check that both are complete."},
	"language-absent": {fr: "Il n’y a pas de son en %[1]s\u00a0: ce public entendra la langue du film. Ajoutez une piste, un film ou des sous-titres.",
		en: "There is no sound in %[1]s: this audience will hear the film’s own language. Add a sound track, a film or captions."},
	"quieter-than-others": {fr: "Le son est %[1]s\u00a0dB plus faible que celui des autres conférences. Il est amplifié au même niveau, et le souffle avec lui\u00a0: écoutez-le.",
		en: "The sound is %[1]s dB quieter than that of the other talks. It is amplified to the same level, and its noise with it: listen to it."},
	"louder-than-others": {fr: "Le son est %[1]s\u00a0dB plus fort que celui des autres conférences. Il est ramené au même niveau\u00a0: il n’y a rien à faire.",
		en: "The sound is %[1]s dB louder than that of the other talks. It is brought to the same level: there is nothing to do."},
	"captions-outside": {fr: "Des sous-titres en %[1]s (%[2]d) sont placés après la fin du film\u00a0: ils vont sans doute avec une autre version. Décalez-les ou remplacez-les.",
		en: "Some %[1]s captions (%[2]d) stand after the end of the film: they probably belong to another version. Shift or replace them."},
	"captions-overlap": {fr: "Des sous-titres en %[1]s (%[2]d) se recouvrent. Corrigez leurs heures de début ou de fin.",
		en: "Some %[1]s captions (%[2]d) cover one another. Correct their start or end times."},
	"captions-fast": {fr: "Des sous-titres en %[1]s (%[2]d) passent trop vite pour être lus (plus de 25 signes par seconde). Raccourcissez-les ou laissez-les plus longtemps.",
		en: "Some %[1]s captions (%[2]d) go too fast to be read (over 25 characters a second). Shorten them or leave them longer."},

	// Of a file of captions that somebody gives. Fatal: there is nothing in it that can be used.
	"captions-unknown": {fatal: true, fr: "Ce fichier n’est pas un fichier de sous-titres. Envoyez du WebVTT, du SRT ou du TTML.",
		en: "This file is no file of captions. Send WebVTT, SRT or TTML."},
	"captions-empty": {fatal: true, fr: "Le fichier ne contient aucun sous-titre lisible.",
		en: "The file holds no captions that can be read."},
	"captions-pictures": {fr: "Des sous-titres sont des images et ne peuvent pas être repris\u00a0: %[1]d. Exportez-les en texte.",
		en: "Some captions are pictures and cannot be used: %[1]d. Export them as text."},
	"captions-encoding": {fr: "Le fichier ne dit pas comment ses lettres sont codées. Il est lu comme %[1]s\u00a0: vérifiez les accents.",
		en: "The file does not say how its letters are encoded. It is read as %[1]s: check the accents."},
	"captions-left-out": {fr: "Des sous-titres sont laissés de côté, faute d’heures justes ou de texte\u00a0: %[1]d. Le premier est à la ligne %[2]d.",
		en: "Some captions are left out, for want of proper times or of text: %[1]d. The first is on line %[2]d."},
	"captions-cues-left-out": {fr: "Des sous-titres sont laissés de côté, faute d’heures justes ou de texte\u00a0: %[1]d.",
		en: "Some captions are left out, for want of proper times or of text: %[1]d."},
	"captions-stray": {fr: "Du texte sans heures est laissé de côté, à partir de la ligne %[1]d.",
		en: "Text without times is left out, from line %[1]d on."},
	"captions-styles": {fr: "Les couleurs et les styles du fichier ne sont pas repris\u202f; le texte, l’italique et la place le sont.",
		en: "Colours and styles of the file are not kept; text, italics and places are."},
	"captions-cut": {fr: "Le fichier est abîmé à la ligne %[1]d\u00a0: la suite est laissée de côté.",
		en: "The file is damaged on line %[1]d: the rest is left out."},
	"captions-too-many": {fr: "Le fichier contient trop de sous-titres\u00a0: la suite est laissée de côté.",
		en: "The file holds too many captions: the rest is left out."},
	"captions-hours-late": {fr: "Tous les sous-titres viennent après la fin du film, mais conviendraient %[1]d\u00a0h plus tôt\u00a0: décalez-les de −%[1]d\u00a0h.",
		en: "All captions come after the end of the film, but would fit %[1]d h earlier: shift them by −%[1]d h."},
	"captions-other-language": {fr: "Le fichier dit être en %[1]s.",
		en: "The file says that it is %[1]s."},
}
