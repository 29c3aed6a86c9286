package api

import (
	"errors"
	"net/http"
	"time"

	"reprise/event"
	"reprise/vod"
	"reprise/vod/ingest"
)

// What operations on films refuse.
var (
	errStaffOnly     = errors.New("for organizers only")
	errSpeakerOnly   = errors.New("for hand-in links only")
	errRevoked       = errors.New("hand-in link revoked")
	errHandInClosed  = errors.New("hand-in closed")
	errTermsMissing  = errors.New("terms not accepted")
	errTermsChanged  = errors.New("terms changed meanwhile")
	errAssetInUse    = errors.New("asset is named by a talk")
	errNothingToStop = errors.New("nothing to cancel")
	errNothingFailed = errors.New("nothing to try again")
	errWorking       = errors.New("work goes on already")
	errNotMade       = errors.New("nothing is made of this film yet")
	errStale         = errors.New("changed meanwhile")
	errCondition     = errors.New("If-Match is missing")
	errInUseNow      = errors.New("somebody changes this right now")
	errPicture       = errors.New("picture cannot be read")
	errLanguage      = errors.New("not a language of the event")
	errNoMail        = errors.New("no mail is sent from here")
	errUploadDone    = errors.New("upload is complete already")
	errCaptionsThere = errors.New("captions by hand are there")
)

// intakeAnswers is the second half of the table in errors.go: what concerns films on their way in.
var intakeAnswers = []answer{
	{err: errStaffOnly, status: http.StatusForbidden, code: "staff-only",
		title:  [2]string{"Réservé à l’organisation", "For organizers only"},
		detail: [2]string{"Ceci s’ouvre avec le lien de la régie, que l’organisateur garde pour lui.", "This opens with the link of the organizers’ desk."}},
	{err: errSpeakerOnly, status: http.StatusForbidden, code: "speaker-only",
		title:  [2]string{"Réservé aux intervenants", "For speakers only"},
		detail: [2]string{"Ceci s’ouvre avec le lien de dépôt envoyé à l’intervenant.", "This opens with the hand-in link that was sent to the speaker."}},
	{err: errRevoked, status: http.StatusGone, code: "hand-in-revoked",
		title:  [2]string{"Lien retiré", "Link withdrawn"},
		detail: [2]string{"L’organisateur a retiré ce lien de dépôt. Demandez-lui-en un nouveau.", "The organizer has withdrawn this hand-in link. Ask for a new one."}},
	{err: errHandInClosed, status: http.StatusGone, code: "hand-in-closed",
		title:  [2]string{"Dépôt clos", "Hand-in closed"},
		detail: [2]string{"Le délai est passé\u00a0: la vidéo ne peut plus être déposée ni remplacée. Écrivez à l’organisateur.", "The time is over: the film can no longer be handed in or replaced. Write to the organizer."}},
	{err: errTermsMissing, status: http.StatusForbidden, code: "terms-not-accepted",
		title:  [2]string{"Conditions à accepter", "Terms to accept"},
		detail: [2]string{"Acceptez d’abord les conditions de dépôt sur la page.", "Accept the terms on the page first."}},
	{err: errTermsChanged, status: http.StatusConflict, code: "terms-changed",
		title:  [2]string{"Conditions modifiées", "Terms changed"},
		detail: [2]string{"Les conditions ont changé entre-temps\u00a0: rechargez la page pour les lire.", "The terms have changed meanwhile: reload the page to read them."}},
	{err: errAssetInUse, status: http.StatusConflict, code: "asset-in-use",
		title:  [2]string{"Vidéo utilisée", "Film in use"},
		detail: [2]string{"Une intervention montre cette vidéo, ou l’a montrée\u00a0: retirez-la d’abord du programme.", "A talk shows this film, or has shown it: take it off the programme first."}},
	{err: errNothingToStop, status: http.StatusConflict, code: "nothing-to-cancel",
		title:  [2]string{"Rien à interrompre", "Nothing to cancel"},
		detail: [2]string{"Aucun travail n’est en cours ni en attente pour cette vidéo.", "No work is going on or waiting for this film."}},
	{err: errNothingFailed, status: http.StatusConflict, code: "nothing-to-retry",
		title:  [2]string{"Rien à refaire", "Nothing to try again"},
		detail: [2]string{"La vidéo est prête, et aucun travail n’a échoué.", "The film is ready, and no work has failed."}},
	{err: errWorking, status: http.StatusConflict, code: "already-working",
		title:  [2]string{"Travail en cours", "Work goes on already"},
		detail: [2]string{"Cette vidéo est déjà en cours de traitement.", "This film is being processed already."}},
	{err: errNotMade, status: http.StatusNotFound, code: "not-made-yet",
		title:  [2]string{"Pas encore prête", "Not made yet"},
		detail: [2]string{"Rien n’est encore fait de cette vidéo\u00a0: attendez la fin du traitement.", "Nothing is made of this film yet: wait until it has been processed."}},
	{err: errStale, status: http.StatusPreconditionFailed, code: "changed-meanwhile",
		title:  [2]string{"Modifié entre-temps", "Changed meanwhile"},
		detail: [2]string{"Quelqu’un d’autre l’a modifié entre-temps\u00a0: rechargez avant de recommencer.", "Somebody else has changed this meanwhile: load it again before you go on."}},
	{err: errCondition, status: http.StatusPreconditionRequired, code: "condition-missing",
		title:  [2]string{"Condition absente", "Condition missing"},
		detail: [2]string{"Envoyez dans If-Match l’ETag reçu à la lecture, pour ne pas effacer le travail d’un autre.", "Send the ETag that you read in If-Match, so that nobody’s work is overwritten."}},
	{err: errInUseNow, status: http.StatusConflict, code: "busy", retry: 2,
		title:  [2]string{"Occupé", "Busy"},
		detail: [2]string{"Quelqu’un d’autre le modifie en ce moment\u00a0: réessayez dans quelques secondes.", "Somebody else is changing this right now: try again in a few seconds."}},
	{err: errCaptionsThere, status: http.StatusConflict, code: "captions-exist",
		title:  [2]string{"Sous-titres déjà là", "Captions are there"},
		detail: [2]string{"Cette langue a des sous-titres donnés ou corrigés à la main\u00a0: supprimez-les d’abord pour en faire faire d’autres.", "This language has captions that were given or corrected by hand: remove them first to have others made."}},
	{err: errPicture, status: http.StatusUnprocessableEntity, code: "picture-unreadable",
		title:  [2]string{"Image illisible", "Picture cannot be read"},
		detail: [2]string{"Ce n’est pas une image JPEG ou PNG lisible, de 320 à 8192 points de côté.", "This is not a readable JPEG or PNG picture of 320 to 8192 pixels a side."}},
	{err: errLanguage, status: http.StatusUnprocessableEntity, code: "unknown-language",
		title:  [2]string{"Langue inconnue", "Unknown language"},
		detail: [2]string{"Cette langue n’est pas une langue de l’événement.", "This is not a language of the event."}},
	{err: errNoMail, status: http.StatusConflict, code: "no-mail",
		title:  [2]string{"Envoi de courriels absent", "No mail"},
		detail: [2]string{"Ce serveur n’envoie pas de courriels : copiez le lien et envoyez-le vous-même.", "This server sends no mail: copy the link and send it yourself."}},
	{err: errUploadDone, status: http.StatusConflict, code: "upload-complete",
		title:  [2]string{"Envoi terminé", "Upload complete"},
		detail: [2]string{"Cet envoi est déjà terminé.", "This upload is complete already."}},
	{err: ErrNoJob, status: http.StatusNotFound, code: "not-found",
		title:  [2]string{"Introuvable", "Not found"},
		detail: [2]string{"Il n’y a rien à cette adresse.", "There is nothing at this address."}},
	{err: ingest.ErrCaptions, status: http.StatusUnprocessableEntity, code: "captions-unreadable",
		title:  [2]string{"Sous-titres illisibles", "Captions cannot be read"},
		detail: [2]string{"Aucun sous-titre n’a pu être lu. Envoyez un fichier WebVTT, SRT ou TTML.", "No caption could be read. Send a WebVTT, SRT or TTML file."}},
	{err: ingest.ErrCaptionsSize, status: http.StatusRequestEntityTooLarge, code: "too-large",
		title:  [2]string{"Fichier trop gros", "File too large"},
		detail: [2]string{"Les sous-titres dépassent 16\u00a0Mio.", "The captions are over 16 MiB."}},
	{err: ingest.ErrLanguage, status: http.StatusUnprocessableEntity, code: "unknown-language",
		title:  [2]string{"Langue inconnue", "Unknown language"},
		detail: [2]string{"Ce n’est pas une langue (BCP 47)\u00a0: «\u00a0fr\u00a0», «\u00a0en\u00a0»…", "This is not a language (BCP 47): “fr”, “en”…"}},
	{err: ingest.ErrNoCaptions, status: http.StatusNotFound, code: "captions-missing",
		title:  [2]string{"Pas de sous-titres", "No captions"},
		detail: [2]string{"La vidéo n’a pas de sous-titres dans cette langue.", "The film has no captions in this language."}},
	{err: ingest.ErrNoCommand, status: http.StatusConflict, code: "no-captions-command",
		title:  [2]string{"Sous-titrage automatique absent", "No automatic captions"},
		detail: [2]string{"Aucun programme de sous-titrage automatique n’est configuré sur ce serveur.", "No command for automatic captions is configured on this server."}},
	{err: ingest.ErrNoSound, status: http.StatusConflict, code: "sound-missing",
		title:  [2]string{"Pas de son", "No sound"},
		detail: [2]string{"La vidéo n’a pas de son dans cette langue, ou il n’est pas encore prêt.", "The film has no sound in this language, or it is not ready yet."}},
	{err: event.ErrConflict, status: http.StatusConflict, code: "conflict", retry: 1,
		title:  [2]string{"Modifié en même temps", "Changed at the same time"},
		detail: [2]string{"Le programme change en ce moment\u00a0: réessayez.", "The programme is changing right now: try again."}},
	{err: vod.ErrConflict, status: http.StatusConflict, code: "conflict", retry: 1,
		title:  [2]string{"Modifié en même temps", "Changed at the same time"},
		detail: [2]string{"La vidéo change en ce moment\u00a0: réessayez.", "The film is changing right now: try again."}},
}

// fault is an error that says itself how it is answered: those of
// storage/uploads, which this package does not know, as tus gives statuses a meaning of its own.
type fault interface {
	error
	HTTPStatus() int
	ProblemCode() string
}

// faultAnswer returns the answer to a fault, in words for those who send a film.
func faultAnswer(f fault) answer {
	a := answer{status: f.HTTPStatus(), code: f.ProblemCode(),
		title:  [2]string{"Envoi refusé", "Upload refused"},
		detail: [2]string{"L’envoi ne suit pas le protocole attendu. Rechargez la page, puis reprenez-le.", "The upload does not follow the protocol. Reload the page and take it up again."}}
	if words, ok := uploadWords[a.code]; ok {
		a.title, a.detail = [2]string{words[0], words[1]}, [2]string{words[2], words[3]}
	}
	if a.status == http.StatusLocked || a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests {
		a.retry = 2
	}
	return a
}

// uploadWords are the titles and details, French and English, of the faults of uploads, by code.
var uploadWords = map[string][4]string{
	"upload-not-found": {"Envoi introuvable", "No such upload", "Cet envoi n’existe pas, ou plus. Recommencez-le.", "This upload does not exist, or no longer. Begin it again."},
	"upload-not-yours": {"Envoi d’une autre personne", "Somebody else’s upload",
		"Cet envoi a été commencé avec un autre lien.", "This upload was begun with another link."},
	"upload-expired": {"Envoi expiré", "Upload expired",
		"Cet envoi est resté trop longtemps interrompu et a été effacé. Recommencez-le.", "This upload was interrupted for too long and is removed. Begin it again."},
	"upload-cancelled": {"Envoi annulé", "Upload cancelled", "Cet envoi a été annulé. Recommencez-le si besoin.", "This upload was cancelled. Begin it again if you need it."},
	"upload-checksum": {"Fichier altéré", "File damaged",
		"Les données reçues ne sont pas celles qui étaient annoncées. Envoyez le fichier de nouveau.", "The data that arrived is not what was announced. Send the file again."},
	"upload-too-large": {"Fichier trop gros", "File too large",
		"Ce fichier dépasse la taille permise. Exportez la vidéo en MP4 (H.264), 1080p.", "This file is larger than what is allowed. Export the film as MP4 (H.264), 1080p."},
	"upload-size-exceeded": {"Trop de données", "Too much data",
		"Il est arrivé plus de données que le fichier n’en annonçait : il a sans doute changé pendant l’envoi. Recommencez.", "More data came than the file announced: it has probably changed meanwhile. Begin again."},
	"upload-quota": {"Plus de place", "No room left",
		"L’espace réservé à l’événement est plein. Prévenez l’organisateur.", "The room set aside for the event is full. Tell the organizer."},
	"upload-empty": {"Fichier vide", "Empty file", "Ce fichier est vide. Choisissez-en un autre.", "This file is empty. Choose another."},
	"upload-name": {"Nom de fichier refusé", "File name refused",
		"Le nom du fichier est vide, trop long, ou contient des caractères interdits. Renommez-le.", "The file’s name is empty, too long, or holds characters that are not allowed. Rename it."},
	"upload-too-many": {"Trop d’envois", "Too many uploads",
		"Trop d’envois sont inachevés. Terminez-en ou annulez-en un.", "Too many uploads are unfinished. Finish or cancel one."},
	"upload-taken": {"Envoi terminé", "Upload complete", "Cet envoi est déjà terminé.", "This upload is complete already."},
	"upload-locked": {"Envoi occupé", "Upload busy",
		"Une autre connexion écrit dans cet envoi : réessayez dans un instant.", "Another connection is writing to this upload: try again in a moment."},
	"upload-offset": {"Reprise décalée", "Wrong offset",
		"L’envoi ne reprend pas là où il s’est arrêté : demandez sa position.", "The upload does not go on where it stopped: ask for its offset."},
	"upload-interrupted": {"Envoi interrompu", "Upload interrupted",
		"Le serveur redémarre, ou une autre connexion a repris cet envoi. Il continue de lui-même.", "The server is restarting, or another connection goes on with this upload. It goes on by itself."},
	"upload-broken-off": {"Envoi interrompu", "Upload interrupted",
		"La connexion s’est coupée. L’envoi continue de lui-même.", "The connection broke off. The upload goes on by itself."},
}

// inUse is errAssetInUse with the talks that name the asset.
type inUse struct{ talks []event.TalkID }

func (*inUse) Error() string { return errAssetInUse.Error() }
func (*inUse) Unwrap() error { return errAssetInUse }

// invalid is errUnprocessable with what is wrong, for a rule that a schema cannot say.
type invalid struct{ faults []wrongField }

// wrongField is one fault, in words of both languages.
type wrongField struct {
	location string
	message  [2]string // French, English
}

func (*invalid) Error() string { return errUnprocessable.Error() }
func (*invalid) Unwrap() error { return errUnprocessable }

// wrong returns an invalid of one fault.
func wrong(location, french, english string) error {
	return &invalid{[]wrongField{{location, [2]string{french, english}}}}
}

// closed is errHandInClosed with the instant.
type closed struct{ since time.Time }

func (*closed) Error() string { return errHandInClosed.Error() }
func (*closed) Unwrap() error { return errHandInClosed }

// particulars adds to a problem what its error knows beside its kind.
func (p *Problem) particulars(err error) {
	var faulty *invalid
	if errors.As(err, &faulty) {
		for _, f := range faulty.faults {
			p.Errors = append(p.Errors, Fault{Location: f.location, Message: f.message[p.lang]})
		}
	}
	var used *inUse
	if errors.As(err, &used) {
		for _, t := range used.talks {
			p.Errors = append(p.Errors, Fault{Location: "talk", Message: string(t)})
		}
	}
	var over *closed
	if errors.As(err, &over) && !over.since.IsZero() {
		p.Until = instant(over.since)
	}
	var captions *noCaptions
	if errors.As(err, &captions) {
		for _, f := range captions.findings {
			p.Errors = append(p.Errors, Fault{Location: "body", Message: [2]string{f.FR, f.EN}[p.lang]})
		}
	}
}
