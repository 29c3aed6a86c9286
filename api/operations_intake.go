package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// privateNoStore is the Cache-Control of what depends on who asks.
const privateNoStore = "private, no-store"

// registerIntake describes the operations on films to huma.
func (s *Server) registerIntake(a huma.API) {
	s.registerUploads(a)
}

// op describes an operation that only some callers may use.
func (s *Server) op(who access, method, path, id, tag, summary, description string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: apiPrefix + path, Summary: summary, Description: description, Tags: []string{tag},
		Security: []map[string][]string{{who.scheme(): {}}}, MaxBodyBytes: maxBody, Middlewares: huma.Middlewares{s.admit(who)},
	}
}

// scheme names the credential in the OpenAPI document.
func (a access) scheme() string {
	return [...]string{forStaff: "desk", forSpeaker: "handin", forBoth: "desk or handin"}[a]
}

func (s *Server) registerUploads(a huma.API) {
	operate(a, s.op(forBoth, http.MethodGet, "/uploads", "uploads", "uploads",
		"Uploads", "Films on their way in: an organizer sees all of the event, a speaker their own. A film is sent by tus 1.0 to /api/v1/uploads/ with the same bearer token."), s.uploads)
	operate(a, s.op(forBoth, http.MethodDelete, "/uploads/{upload}", "cancel-upload", "uploads",
		"Give an upload up", "The bytes are removed. An upload that is complete is a film already and cannot be given up. One that is not there any more is no error."), s.cancelUpload)
}
