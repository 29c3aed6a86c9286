package api

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/storage"
	"reprise/stream"
	"reprise/vod"
)

// What this package itself refuses. They never leave it but as a problem.
var (
	errTokenMissing   = errors.New("no token")
	errWrongKind      = errors.New("a token of the other kind")
	errScope          = errors.New("the token does not open this")
	errNoRoute        = errors.New("no such address")
	errMethod         = errors.New("method not allowed")
	errDirective      = errors.New("invalid delivery directive")
	errTooFar         = errors.New("_HLS_msn is too far ahead")
	errReloadTimeout  = errors.New("no new segment in time")
	errRange          = errors.New("range not satisfiable")
	errNotReady       = errors.New("not ready")
	errBodyTooLarge   = errors.New("body too large")
	errMalformed      = errors.New("malformed request")
	errUnprocessable  = errors.New("unprocessable request")
	errNotAcceptable  = errors.New("not acceptable")
	errUnsupported    = errors.New("unsupported media type")
	errRequestTimeout = errors.New("request timeout")
	errClientGone     = errors.New("client gone") // nothing is written
)

const (
	noStore    = "no-store"
	oneSecond  = "max-age=1" // R203: what is not listed yet will be in a moment
	french     = 0
	english    = 1
	problemURN = "urn:reprise:problem:"
)

// answer is one line of the table of public errors: the only place that knows
// statuses and the words that people read.
type answer struct {
	err    error
	status int
	code   string    // stable; also the end of the problem's type
	title  [2]string // French, English
	detail [2]string
	cache  string // Cache-Control; "" is no-store
	retry  int    // Retry-After in seconds; 0: none
}

// answers is the table. The first line whose error errors.Is finds wins.
var answers = slices.Concat(watchAnswers, intakeAnswers)

// watchAnswers is the half that concerns requests as such, and watching.
var watchAnswers = []answer{
	{err: errTokenMissing, status: http.StatusUnauthorized, code: "token-missing",
		title:  [2]string{"Accès réservé", "Access by link only"},
		detail: [2]string{"Cette adresse s’ouvre avec le lien personnel reçu de l’organisateur.", "This address opens with the personal link that the organizer sent."}},
	{err: token.ErrExpired, status: http.StatusUnauthorized, code: "token-expired",
		title:  [2]string{"Lien expiré", "Link expired"},
		detail: [2]string{"Ce lien n’est plus valable : rechargez la page, ou demandez un nouveau lien à l’organisateur.", "This link is no longer valid: reload the page, or ask the organizer for a new one."}},
	{err: token.ErrInvalid, status: http.StatusUnauthorized, code: "token-invalid",
		title:  [2]string{"Lien non valable", "Link not valid"},
		detail: [2]string{"Ce lien n’est pas reconnu. Vérifiez qu’il a été copié en entier.", "This link is not known here. Check that all of it was copied."}},
	{err: errWrongKind, status: http.StatusUnauthorized, code: "token-invalid",
		title:  [2]string{"Lien non valable", "Link not valid"},
		detail: [2]string{"Ce lien n’est pas reconnu. Vérifiez qu’il a été copié en entier.", "This link is not known here. Check that all of it was copied."}},
	{err: errScope, status: http.StatusForbidden, code: "wrong-scope",
		title:  [2]string{"Hors de votre accès", "Outside your access"},
		detail: [2]string{"Votre lien est valable, mais n’ouvre pas cette salle ou cette conférence.", "Your link is valid, but does not open this auditorium or talk."}},
	{err: stream.ErrNotListed, status: http.StatusNotFound, code: "not-yet", cache: oneSecond,
		title:  [2]string{"Pas encore diffusé", "Not on air yet"},
		detail: [2]string{"Ce passage n’a pas encore été diffusé.", "This part has not been on air yet."}},
	{err: stream.ErrNotFound, status: http.StatusNotFound, code: "not-found",
		title:  [2]string{"Introuvable", "Not found"},
		detail: [2]string{"Il n’y a rien à cette adresse.", "There is nothing at this address."}},
	{err: event.ErrNotFound, status: http.StatusNotFound, code: "not-found",
		title:  [2]string{"Introuvable", "Not found"},
		detail: [2]string{"Il n’y a rien à cette adresse.", "There is nothing at this address."}},
	{err: vod.ErrNotFound, status: http.StatusNotFound, code: "not-found",
		title:  [2]string{"Introuvable", "Not found"},
		detail: [2]string{"Il n’y a rien à cette adresse.", "There is nothing at this address."}},
	{err: errNoRoute, status: http.StatusNotFound, code: "not-found",
		title:  [2]string{"Introuvable", "Not found"},
		detail: [2]string{"Il n’y a rien à cette adresse.", "There is nothing at this address."}},
	{err: errGone, status: http.StatusGone, code: "gone",
		title:  [2]string{"Rediffusion terminée", "Replay over"},
		detail: [2]string{"La rediffusion n’est plus proposée.", "The replay is no longer available."}},
	{err: errMethod, status: http.StatusMethodNotAllowed, code: "method-not-allowed",
		title:  [2]string{"Méthode refusée", "Method not allowed"},
		detail: [2]string{"Cette adresse ne se demande pas ainsi.", "This address does not answer to that method."}},
	{err: errTooFar, status: http.StatusBadRequest, code: "too-far",
		title:  [2]string{"Demande trop lointaine", "Too far ahead"},
		detail: [2]string{"Le segment demandé est à plus de deux segments du dernier publié.", "The segment asked for is more than two segments after the last one listed."}},
	{err: errDirective, status: http.StatusBadRequest, code: "invalid-directive",
		title:  [2]string{"Demande non valable", "Invalid request"},
		detail: [2]string{"Un paramètre _HLS_ est répété, incomplet ou mal écrit.", "An _HLS_ parameter is repeated, incomplete or malformed."}},
	{err: errReloadTimeout, status: http.StatusServiceUnavailable, code: "reload-timeout", retry: 1,
		title:  [2]string{"Rien de nouveau", "Nothing new"},
		detail: [2]string{"Aucun nouveau segment n’est paru à temps : redemandez.", "No new segment appeared in time: ask again."}},
	{err: errRange, status: http.StatusRequestedRangeNotSatisfiable, code: "range-not-satisfiable",
		title:  [2]string{"Plage hors du fichier", "Range not satisfiable"},
		detail: [2]string{"La plage demandée commence après la fin du fichier.", "The range asked for begins after the end of the file."}},
	{err: errNotReady, status: http.StatusServiceUnavailable, code: "not-ready", retry: 2,
		title:  [2]string{"Pas prêt", "Not ready"},
		detail: [2]string{"Ce serveur démarre, s’arrête, ou attend un service dont il dépend.", "This server is starting, stopping, or waiting for a service it depends on."}},
	{err: storage.ErrUnavailable, status: http.StatusServiceUnavailable, code: "store-unavailable", retry: 5,
		title:  [2]string{"Stockage injoignable", "Store out of reach"},
		detail: [2]string{"Le stockage ne répond pas pour l’instant\u00a0: réessayez dans quelques secondes.", "The store does not answer for now: try again in a few seconds."}},
	{err: errMalformed, status: http.StatusBadRequest, code: "malformed",
		title:  [2]string{"Demande illisible", "Malformed request"},
		detail: [2]string{"La demande n’a pas pu être lue.", "The request could not be read."}},
	{err: errUnprocessable, status: http.StatusUnprocessableEntity, code: "invalid",
		title:  [2]string{"Demande non valable", "Invalid request"},
		detail: [2]string{"La demande a été lue, mais ne peut pas être traitée : voir « errors ».", "The request was read but cannot be processed: see “errors”."}},
	{err: errBodyTooLarge, status: http.StatusRequestEntityTooLarge, code: "too-large",
		title:  [2]string{"Demande trop longue", "Request too large"},
		detail: [2]string{"Le corps de la demande est trop long.", "The request's body is too long."}},
	{err: errUnsupported, status: http.StatusUnsupportedMediaType, code: "unsupported-media-type",
		title:  [2]string{"Format refusé", "Unsupported media type"},
		detail: [2]string{"Le corps de la demande doit être du JSON.", "The request's body must be JSON."}},
	{err: errNotAcceptable, status: http.StatusNotAcceptable, code: "not-acceptable",
		title:  [2]string{"Format indisponible", "Not acceptable"},
		detail: [2]string{"La réponse n’existe pas dans le format demandé.", "There is no answer in the format asked for."}},
	{err: errRequestTimeout, status: http.StatusRequestTimeout, code: "request-timeout",
		title:  [2]string{"Trop lent", "Too slow"},
		detail: [2]string{"La demande n’est pas arrivée à temps.", "The request did not arrive in time."}},
}

// internal is the answer to every error that the table does not know.
var internal = answer{status: http.StatusInternalServerError, code: "internal",
	title:  [2]string{"Erreur du serveur", "Server error"},
	detail: [2]string{"Une erreur est survenue. Si elle persiste, donnez le numéro de la demande à l’organisateur.", "Something went wrong. If it stays, give the request number to the organizer."}}

// errGone stands for *stream.Gone in the table.
var errGone = errors.New("replay over")

// answerTo finds the line of the table for an error. known is false for an
// error that nobody foresaw: it must be logged.
func answerTo(err error) (a answer, known bool) {
	var gone *stream.Gone
	var f fault
	switch {
	case errors.As(err, &gone):
		err = errGone
	case errors.As(err, &f):
		return faultAnswer(f), true
	}
	for i := range answers {
		if errors.Is(err, answers[i].err) {
			return answers[i], true
		}
	}
	return internal, false
}

// Problem is the body of each error: RFC 9457, with two fields of our own.
type Problem struct {
	Type     string     `json:"type" doc:"stable name of the kind of problem" example:"urn:reprise:problem:token-expired"`
	Title    string     `json:"title" doc:"the kind of problem, in French or English by Accept-Language"`
	Status   int        `json:"status" doc:"HTTP status"`
	Detail   string     `json:"detail" doc:"what to do, for people"`
	Instance string     `json:"instance" doc:"request number, also in X-Request-Id and in the server's log"`
	Code     string     `json:"code" doc:"last part of type" example:"token-expired"`
	Until    *time.Time `json:"until,omitempty" doc:"code gone: instant from which the replay is over"`
	OpensAt  *time.Time `json:"opens_at,omitempty" doc:"code not-yet: when to come back"`
	Errors   []Fault    `json:"errors,omitempty" doc:"code invalid: each fault and where it is"`

	cause error
	lang  int
}

// Fault is one thing that is wrong in a request.
type Fault struct {
	Location string `json:"location" example:"body.language"`
	Message  string `json:"message"`
}

// Error implements error; the public words, not the cause.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus lets huma send a Problem that an operation returned.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType lets huma send a Problem as what it is.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// problem builds the public form of err in the language of the request.
func problem(err error, acceptLanguage, requestID string) (*Problem, answer) {
	a, known := answerTo(err)
	l := languageOf(acceptLanguage)
	p := &Problem{Type: problemURN + a.code, Title: a.title[l], Status: a.status, Detail: a.detail[l], Instance: requestID, Code: a.code, lang: l}
	if !known {
		p.cause = err
	}
	var gone *stream.Gone
	if errors.As(err, &gone) && !gone.Until.IsZero() {
		until := gone.Until
		p.Until = &until
		p.Detail = goneSince(until, l)
	}
	var early *notYet
	if errors.As(err, &early) {
		p.OpensAt = instant(early.opens)
	}
	p.particulars(err)
	return p, a
}

// headers sets the headers that go with a problem.
func (a *answer) headers(h http.Header, lang int) {
	h.Set("Cache-Control", noStore)
	if a.cache != "" {
		h.Set("Cache-Control", a.cache)
		h.Add("Vary", "Accept-Language")
	}
	if a.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retry))
	}
	if a.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="reprise"`)
	}
	if a.status == http.StatusRequestTimeout {
		// The rest of the body may still come: it must not be taken for the next request.
		h.Set("Connection", "close")
	}
	h.Set("Content-Language", [2]string{"fr", "en"}[lang])
	h.Set("X-Content-Type-Options", "nosniff")
}

// writeProblem sends err as a problem and returns the problem for the log.
func writeProblem(w http.ResponseWriter, r *http.Request, err error, requestID string) *Problem {
	p, a := problem(err, r.Header.Get("Accept-Language"), requestID)
	body, jsonErr := json.Marshal(p)
	if jsonErr != nil {
		panic(jsonErr) // strings and numbers only
	}
	h := w.Header()
	a.headers(h, p.lang)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Request-Id", requestID)
	for _, unfit := range []string{"Content-Encoding", "Etag", "Accept-Ranges"} {
		h.Del(unfit)
	}
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that left is no error of ours
	}
	return p
}

// newRequestID returns 16 random hex digits.
func newRequestID() string {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand never fails on the systems we build for
	}
	return hex.EncodeToString(b[:])
}

// languageOf chooses French or English by Accept-Language (RFC 9110 section
// 12.5.4): the one of higher weight, the first of equals, English for neither.
func languageOf(header string) int {
	best, chosen := 0.0, english
	for header != "" {
		var item string
		item, header, _ = strings.Cut(header, ",")
		tag, params, _ := strings.Cut(item, ";")
		tag, _, _ = strings.Cut(strings.TrimSpace(tag), "-")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			var err error
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		if weight <= best {
			continue
		}
		switch {
		case strings.EqualFold(tag, "fr"):
			best, chosen = weight, french
		case strings.EqualFold(tag, "en"):
			best, chosen = weight, english
		}
	}
	return chosen
}

var frenchMonths = [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}

// goneSince says when a replay was withdrawn, in the zone that until carries.
func goneSince(until time.Time, lang int) string {
	zone := until.Format("MST")
	if lang == english {
		return "The replay has been unavailable since " + until.Format("2 January 2006, 15:04") + " (" + zone + ")."
	}
	day := strconv.Itoa(until.Day())
	if until.Day() == 1 {
		day = "1er"
	}
	// No-break spaces as French typography asks: 23 février 2027 à 14 h 00.
	return "La rediffusion n’est plus proposée depuis le " + day + "\u00a0" + frenchMonths[until.Month()-1] + "\u00a0" + strconv.Itoa(until.Year()) +
		" à " + strconv.Itoa(until.Hour()) + "\u00a0h\u00a0" + until.Format("04") + " (" + zone + ")."
}
