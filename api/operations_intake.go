package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// privateNoStore is the Cache-Control of what depends on who asks.
const privateNoStore = "private, no-store"

// registerIntake describes the operations on films to huma.
func (s *Server) registerIntake(a huma.API) {
	s.registerUploads(a)
	s.registerAssets(a)
	s.registerCaptions(a)
	s.registerWords(a)
	s.registerProgramme(a)
	s.registerHandIns(a)
	a.OpenAPI().Tags = []*huma.Tag{
		{Name: "watch", Description: "For whoever has a link."},
		{Name: "uploads", Description: "Films on their way in."},
		{Name: "assets", Description: "Films of the library, for organizers; speakers see their own."},
		{Name: "captions", Description: "Captions of a film, by language."},
		{Name: "programme", Description: "Films on the programme, and the work on them."},
		{Name: "hand-ins", Description: "Personal links by which speakers hand in their film."},
	}
}

// op describes an operation that only some callers may use.
func (s *Server) op(who access, method, path, id, tag, summary, description string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: apiPrefix + path, Summary: summary, Description: description, Tags: []string{tag},
		Security: who.security(), MaxBodyBytes: maxBody, Middlewares: huma.Middlewares{s.admit(who)},
	}
}

// security names the credentials in the OpenAPI document: any one of them does.
func (a access) security() []map[string][]string {
	desk, handIn := map[string][]string{"desk": {}}, map[string][]string{"handin": {}}
	return [...][]map[string][]string{forStaff: {desk}, forSpeaker: {handIn}, forBoth: {desk, handIn}}[a]
}

func (s *Server) registerUploads(a huma.API) {
	operate(a, s.op(forBoth, http.MethodGet, "/uploads", "uploads", "uploads", "Uploads",
		"An organizer sees all of the event, a speaker their own. A film is sent by tus 1.0 to /api/v1/uploads/ with the same bearer token; "+
			"Upload-Metadata: filename, filetype, fingerprint, sha256 (hex, optional), talk, languages (comma separated), language (of sound that does not say its own), asset (whose film it replaces)."), s.uploads)
	operate(a, s.op(forBoth, http.MethodDelete, "/uploads/{upload}", "cancelUpload", "uploads", "Give an upload up",
		"The bytes are removed; the same as tus's own DELETE. An upload that is complete is a film already and cannot be given up. One that is not there any more is no error."), s.cancelUpload)
}

func (s *Server) registerAssets(a huma.API) {
	op := func(who access, method, path, id, summary, description string) huma.Operation {
		return s.op(who, method, "/assets"+path, id, "assets", summary, description)
	}
	operate(a, op(forStaff, http.MethodGet, "", "assets", "Films", "Those that talks of the event name, that were handed in for it, and that the operator brought in and no other event uses."), s.assets)
	operate(a, op(forStaff, http.MethodGet, "/{asset}", "asset", "One film", "With its past revisions."), s.oneAsset)
	operate(a, op(forStaff, http.MethodPatch, "/{asset}", "renameAsset", "Rename a film", "The title is for organizers; viewers see the talk's."), s.renameAsset)
	operate(a, op(forStaff, http.MethodDelete, "/{asset}", "deleteAsset", "Remove a film", "409 asset-in-use, with the talks in errors, while a talk shows it or has shown it."), s.deleteAsset)
	operate(a, op(forStaff, http.MethodPost, "/{asset}/retry", "retryAsset", "Try again", "What failed or was cancelled is done again; what waits for its next attempt is tried at once."), s.retryAsset)
	operate(a, op(forStaff, http.MethodPost, "/{asset}/cancel", "cancelAsset", "Stop the work on a film", "What is on air stays on air."), s.cancelAsset)
	operate(a, op(forStaff, http.MethodPost, "/{asset}/restore", "restoreAsset", "Bring a past revision back", "What is on air at this moment keeps the revision it began with."), s.restoreAsset)
	operate(a, op(forBoth, http.MethodGet, "/{asset}/report", "report", "Preflight report",
		"What was found out about the film, in French and English, judged by its place in the programme: slot, other languages, loudness of the other films, captions."), s.report)
	operate(a, op(forBoth, http.MethodGet, "/{asset}/media", "media", "What was made of a film", "Renditions, chapters, and addresses of poster, thumbnails, waveform and sound. The addresses hold a secret and work for a few hours."), s.made)
	operate(a, op(forBoth, http.MethodPost, "/{asset}/preview", "preview", "Watch a film before its hour", "Addresses that open this film and nothing else, for a few hours."), s.preview)
	operate(a, op(forStaff, http.MethodGet, "/{asset}/chapters", "chapters", "Chapters", ""), s.chapters)
	put := op(forStaff, http.MethodPut, "/{asset}/chapters", "putChapters", "Write chapters", "All of them; nothing is encoded again.")
	put.MaxBodyBytes = maxChaptersBody
	operate(a, put, s.putChapters)
	operate(a, op(forStaff, http.MethodDelete, "/{asset}/chapters", "dropChapters", "Go back to the file's chapters", ""), s.dropChapters)
	poster := op(forStaff, http.MethodPut, "/{asset}/poster", "putPoster", "Choose the poster", "JSON with an instant of the film, or a JPEG or PNG picture of at most 8 MiB, 320 to 8192 pixels a side.")
	poster.MaxBodyBytes, poster.BodyReadTimeout = maxPoster, posterTimeout
	body := binaryBody("image/jpeg", "image/png")
	body.Content["application/json"] = &huma.MediaType{Example: map[string]any{"at": 12.5}, Schema: &huma.Schema{
		Type: huma.TypeObject, Required: []string{"at"}, Properties: map[string]*huma.Schema{"at": {Type: huma.TypeNumber, Description: "seconds from the beginning"}}}}
	operateRaw(a, poster, body, s.putPoster)
	operate(a, op(forStaff, http.MethodDelete, "/{asset}/poster", "dropPoster", "Let the program choose the poster", ""), s.dropPoster)
}

// operateRaw is operate for a body that the operation reads itself: huma only
// learns afterwards what it may be, or it would read it as JSON.
func operateRaw[I, O any](a huma.API, op huma.Operation, body *huma.RequestBody, f func(context.Context, *I) (*O, error)) {
	op.RequestBody = &huma.RequestBody{}
	operate(a, op, f)
	*op.RequestBody = *body
}

// binaryBody describes a body that is a file.
func binaryBody(types ...string) *huma.RequestBody {
	b := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
	for _, t := range types {
		b.Content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	return b
}

func (s *Server) registerCaptions(a huma.API) {
	op := func(method, path, id, summary, description string) huma.Operation {
		return s.op(forStaff, method, "/assets/{asset}/captions"+path, id, "captions", summary, description)
	}
	operate(a, op(http.MethodGet, "", "captions", "Captions of a film", ""), s.captionList)
	get := op(http.MethodGet, "/{language}", "captionsIn", "Captions in a language", "JSON, or a WebVTT file for Accept: text/vtt.")
	get.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"application/json": {Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Cues](), true, "Cues")},
		captionsType:       {Schema: &huma.Schema{Type: huma.TypeString}},
	}}}
	operate(a, get, s.getCaptions)
	put := op(http.MethodPut, "/{language}", "putCaptions", "Give a file of captions",
		"WebVTT, SubRip or TTML of at most 16 MiB in any encoding; what the bytes are decides, not the type. If-Match is needed when somebody gave or edited captions in this language already.")
	put.MaxBodyBytes, put.BodyReadTimeout = maxCaptions, captionsTimeout
	operateRaw(a, put, binaryBody(captionsType, "application/x-subrip", "application/ttml+xml", "application/octet-stream"), s.putCaptions)
	operate(a, op(http.MethodPatch, "/{language}", "shiftCaptions", "Shift captions", ""), s.shiftCaptions)
	operate(a, op(http.MethodDelete, "/{language}", "dropCaptions", "Take captions away", "Also those that came with the film."), s.dropCaptions)
	cues := op(http.MethodPut, "/{language}/cues", "putCues", "Edit captions", "All of them; the file as it came is kept.")
	cues.MaxBodyBytes, cues.BodyReadTimeout = maxCues, captionsTimeout
	operate(a, cues, s.putCues)
	generate := op(http.MethodPost, "/{language}/generate", "generateCaptions", "Make captions from the sound", "202: they will be there once a job is done. 409 no-captions-command without a command in the configuration.")
	generate.DefaultStatus = http.StatusAccepted
	operate(a, generate, s.generateCaptions)
}

func (s *Server) registerWords(a huma.API) {
	operate(a, s.op(forBoth, http.MethodGet, "/assets/{asset}/transcript", "transcript", "captions", "What is said in a film", "By its captions."), s.transcript)
	operate(a, huma.Operation{OperationID: "search", Method: http.MethodGet, Path: apiPrefix + "/search", Tags: []string{"watch"}, Security: []map[string][]string{{"link": {}}, {"desk": {}}},
		Summary: "Search what is said", Description: "In the captions of the talks that the link opens. Attendees search replays only; organizers all films."}, s.search)
}

func (s *Server) registerProgramme(a huma.API) {
	op := func(method, path, id, summary, description string) huma.Operation {
		return s.op(forStaff, method, path, id, "programme", summary, description)
	}
	operate(a, op(http.MethodPut, "/talks/{talk}/film", "putFilm", "Put a film on a talk", "Answers with what it does to the programme of the auditorium. A talk that has begun keeps its film on air."), s.putFilm)
	operate(a, op(http.MethodGet, "/talks/{talk}/film", "film", "What a talk's film does to the programme", ""), s.getFilm)
	operate(a, op(http.MethodGet, "/jobs", "jobs", "Work", "Unfinished in the order it will be done: what airs first is done first."), s.jobs)
	progress := s.op(forBoth, http.MethodGet, "/progress", "progress", "programme", "How the work gets on",
		"Server-sent events: all (what is there, once at the beginning), asset, upload, job (as in the lists, each time one changes), gone ({kind, id}), end ({reason}). "+
			"EventSource cannot send a header, and a token in an address ends up in logs: read the stream with fetch and the Authorization header, and come back with Last-Event-ID "+
			"after the milliseconds of retry. A comment every 15 s says that all is well. It works on any node, whichever does the work.")
	progress.Responses = map[string]*huma.Response{"200": {Description: "A stream that does not end by itself", Content: map[string]*huma.MediaType{
		"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}, Example: "id: 1795435200000000\nevent: upload\ndata: {\"id\":\"…\",\"state\":\"open\",\"offset\":1048576}\n\n"}}}}
	operate(a, progress, s.progress)
}

func (s *Server) registerHandIns(a huma.API) {
	op := func(who access, method, path, id, summary, description string) huma.Operation {
		return s.op(who, method, path, id, "hand-ins", summary, description)
	}
	operate(a, op(forStaff, http.MethodGet, "/handins", "handIns", "Hand-ins", "Each with its link, to be copied: it is a secret of its speaker."), s.handIns)
	create := op(forStaff, http.MethodPost, "/handins", "createHandIn", "Invite a speaker to hand in", "The same invitation twice is made once.")
	operate(a, create, s.createHandIn)
	operate(a, op(forStaff, http.MethodPatch, "/handins/{handin}", "changeHandIn", "Change a hand-in", "The speaker's link goes on working until 30 days after the lock it was made with; a later lock makes a new link."), s.changeHandIn)
	operate(a, op(forStaff, http.MethodDelete, "/handins/{handin}", "revokeHandIn", "Withdraw a link", "It is dead at once; films that came by it stay."), s.revokeHandIn)
	operate(a, op(forStaff, http.MethodPost, "/handins/{handin}/invite", "inviteHandIn", "Send the link by mail", "Again, if it was sent before."), s.inviteHandIn)
	operate(a, op(forSpeaker, http.MethodGet, "/handin", "handIn", "Everything a speaker's page needs", "410 hand-in-revoked once the organizer withdrew the link."), s.handIn)
	operate(a, op(forSpeaker, http.MethodPost, "/handin/accept", "acceptTerms", "Accept the terms", "Before the first upload. 409 terms-changed when they are not those that were read."), s.accept)
}
