package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"reprise/api/token"
	"reprise/event"
	"reprise/vod"
)

const (
	uploadsPath = apiPrefix + "/uploads/"
	// uploadGrace is how long a first film that was begun in time may still arrive after the deadline.
	uploadGrace = time.Hour
)

// UploadRequest is what AuthorizeUpload is asked about: a creation, whose
// Upload is what the client announced, or a later request, whose Upload is the row.
type UploadRequest struct {
	Method string
	New    bool
	Upload vod.Upload
}

// UploadPermit is what a caller may do. Of a creation it fixes the row: what is
// empty is taken as announced.
type UploadPermit struct {
	Owner     string
	Staff     bool // may go on with, and cancel, uploads of others
	Event     string
	Talk      string
	Languages []string // empty: all
	HandIn    string
	Asset     vod.AssetID
	By        string
	MaxSize   int64 // bytes; 0: as configured
}

// AuthorizeUpload decides whether a request may begin an upload or go on with
// one, by its bearer token. storage/uploads asks it before the first byte, at
// each request.
//
// An organizer may send a film for any talk of the event, or for none. A
// speaker sends one for the talk and languages of the hand-in, after the terms
// were accepted, until the deadline, and replaces it until the lock. What was
// begun in time for the first film may arrive within an hour after the deadline; a
// replacement is there at the lock or not at all.
func (s *Server) AuthorizeUpload(r *http.Request, q UploadRequest) (UploadPermit, error) {
	c, err := s.caller(r.Context(), r.Header.Get("Authorization"), forBoth)
	if err != nil {
		return UploadPermit{}, err
	}
	permit := UploadPermit{Owner: c.owner(), Staff: c.handIn == nil, Event: string(c.event), By: c.name(), MaxSize: s.cfg.UploadSize}
	if permit.Owner == "" {
		permit.Owner = deskOwner
	}
	v, err := s.sightOf(r.Context(), c)
	switch {
	case err != nil:
	case !q.New:
		err = s.goOn(v, &q.Upload)
	case c.handIn != nil:
		err = s.permitSpeaker(v, &permit, &q.Upload)
	default:
		err = s.permitStaff(r.Context(), v, &q.Upload)
	}
	if err != nil {
		return UploadPermit{}, err
	}
	return permit, nil
}

// deskOwner owns the uploads of organizers whose link names nobody.
const deskOwner = "desk"

// goOn decides whether the caller may go on with an upload, or give it up.
func (s *Server) goOn(v *sight, u *vod.Upload) error {
	h := v.caller.handIn
	if u.Event != string(v.caller.event) || h != nil && u.HandIn != string(h.ID) {
		return fmt.Errorf("%w: upload %s of somebody else", vod.ErrNotFound, u.ID)
	}
	if h == nil || u.State != vod.UploadOpen { // who did not hear the last answer may still ask for it
		return nil
	}
	_, has := v.film()
	until := h.Until(has)
	if !has {
		until = until.Add(uploadGrace)
	}
	if !s.deps.Now().Before(until) {
		return &closed{h.Until(has)}
	}
	return nil
}

// permitStaff checks what an organizer's upload names.
func (s *Server) permitStaff(ctx context.Context, v *sight, u *vod.Upload) error {
	if u.Talk != "" && talkOf(&v.event, event.TalkID(u.Talk)) == nil {
		return fmt.Errorf("%w: talk %s", event.ErrNotFound, u.Talk)
	}
	if err := languagesOf(&v.event, asLanguages(u.Languages)); err != nil {
		return err
	}
	if u.Asset == "" {
		return nil
	}
	_, _, err := s.asset(ctx, v.caller, u.Asset)
	return err
}

func asLanguages(tags []string) (out []event.Language) {
	for _, l := range tags {
		out = append(out, event.Language(l))
	}
	return out
}

// permitSpeaker completes a speaker's permit: whatever the request names, it
// is for the talk and languages of the hand-in, and replaces the film that is there.
func (s *Server) permitSpeaker(v *sight, permit *UploadPermit, u *vod.Upload) error {
	h := v.caller.handIn
	if u.Talk != "" && u.Talk != string(h.Talk) {
		return errScope
	}
	languages := asLanguages(u.Languages)
	for _, l := range languages {
		if !h.Covers(l) {
			return errScope
		}
	}
	if err := languagesOf(&v.event, languages); err != nil {
		return err
	}
	if talkOf(&v.event, h.Talk) == nil {
		return fmt.Errorf("%w: talk %s", event.ErrNotFound, h.Talk)
	}
	film, has := v.film()
	switch {
	case !h.Open(s.deps.Now(), has):
		return &closed{h.Until(has)}
	case h.Terms != s.terms.version:
		return errTermsMissing
	case u.Asset != "" && u.Asset != film:
		return errScope
	}
	permit.Talk, permit.HandIn, permit.Asset = string(h.Talk), string(h.ID), film
	if len(languages) == 0 {
		for _, l := range h.Languages {
			permit.Languages = append(permit.Languages, string(l))
		}
	}
	return nil
}

// film returns the asset that a speaker's upload replaces, and whether the
// talk has a film in any language of the hand-in. A film that serves a language
// or talk beyond the hand-in is not replaced: the upload becomes one of its own.
func (v *sight) film() (replaces vod.AssetID, has bool) {
	h := v.caller.handIn
	if h == nil {
		return "", false
	}
	beyond := map[vod.AssetID]bool{}
	for i := range v.event.Talks {
		t := &v.event.Talks[i]
		for l, asset := range t.Films {
			if t.ID != h.Talk || !h.Covers(l) {
				beyond[vod.AssetID(asset)] = true
			}
		}
	}
	for asset := range v.named {
		has = true
		if !beyond[asset] && !v.foreign[asset] && (replaces == "" || asset < replaces) {
			replaces = asset
		}
	}
	for _, u := range slices.Backward(v.uploads) {
		if u.State != vod.UploadTaken || u.Asset == "" {
			continue
		}
		has = true
		if replaces == "" && !beyond[u.Asset] && !v.foreign[u.Asset] {
			replaces = u.Asset
		}
	}
	return replaces, has
}

func talkOf(e *event.Event, id event.TalkID) *event.Talk {
	for i := range e.Talks {
		if e.Talks[i].ID == id {
			return &e.Talks[i]
		}
	}
	return nil
}

func languagesOf(e *event.Event, languages []event.Language) error {
	for _, l := range languages {
		if !slices.Contains(e.Languages, l) {
			return errLanguage
		}
	}
	return nil
}

// mountUploads hands requests below /uploads/ to the tus handler, which sets
// limits of its own to bodies and to their time.
func (s *Server) mountUploads() {
	var tus http.Handler
	if s.in != nil {
		tus = http.StripPrefix(strings.TrimSuffix(uploadsPath, "/"), s.in.Uploader.Handler())
	}
	methods := []string{http.MethodOptions, http.MethodHead, http.MethodPost, http.MethodPatch}
	s.echo.Match(methods, uploadsPath+"*", func(c echo.Context) error {
		r := c.Request()
		if tus == nil {
			return errNotReady
		}
		if r.Method != http.MethodOptions { // which says what this server can do, and nothing else
			if _, err := s.caller(r.Context(), r.Header.Get("Authorization"), forBoth); err != nil {
				return err
			}
		}
		c.Response().Header().Set("Cache-Control", noStore)
		tus.ServeHTTP(c.Response(), r)
		return nil
	})
}

// UploadProblem answers a tus request with a problem: storage/uploads calls it.
func (s *Server) UploadProblem(w http.ResponseWriter, r *http.Request, err error) {
	id := w.Header().Get("X-Request-Id")
	if id == "" {
		id = newRequestID()
	}
	if p := writeProblem(w, r, err, id); p.cause != nil {
		s.log.LogAttrs(r.Context(), slog.LevelError, "upload failed", slog.String("request_id", id), slog.String("error", token.Redact(p.cause.Error())))
	}
}

// Upload is a film on its way in.
type Upload struct {
	ID        vod.UploadID     `json:"id"`
	State     vod.UploadState  `json:"state" enum:"open,complete,taken,refused" doc:"complete: all bytes are stored, and a film is being made of them; taken: it is asset"`
	Reason    string           `json:"reason,omitempty" doc:"why it was refused" example:"checksum"`
	Name      string           `json:"name" doc:"of the file" example:"opening.mp4"`
	Size      int64            `json:"size" doc:"bytes"`
	Offset    int64            `json:"offset" doc:"bytes that are stored, as last noted"`
	Talk      event.TalkID     `json:"talk,omitempty"`
	Languages []event.Language `json:"languages" doc:"that the film is for; empty: all of the event"`
	Asset     vod.AssetID      `json:"asset,omitempty" doc:"whose film it replaces; once taken, the asset made of it"`
	HandIn    event.HandInID   `json:"hand_in,omitempty" doc:"the hand-in it came by"`
	By        string           `json:"by" doc:"who sends it"`
	Created   time.Time        `json:"created"`
	Touched   time.Time        `json:"touched" doc:"last byte"`
	Expires   *time.Time       `json:"expires,omitempty" doc:"an open upload goes from here"`
}

func wireUpload(u *vod.Upload) Upload {
	out := Upload{ID: u.ID, State: u.State, Reason: u.Reason, Name: u.Name, Size: u.Size, Offset: u.Offset, Talk: event.TalkID(u.Talk), Languages: []event.Language{},
		Asset: u.Asset, HandIn: event.HandInID(u.HandIn), By: u.By, Created: u.Created.UTC(), Touched: u.Touched.UTC()}
	for _, l := range u.Languages {
		out.Languages = append(out.Languages, event.Language(l))
	}
	if u.State == vod.UploadOpen {
		out.Expires = instant(u.Expires)
	}
	return out
}

// Quota is the room for an event's originals.
type Quota struct {
	Used  int64 `json:"used" doc:"bytes, with what was announced and is not here yet"`
	Limit int64 `json:"limit" doc:"bytes; 0: none"`
}

// UploadList is the answer of uploads.
type UploadList struct {
	Uploads []Upload `json:"uploads" doc:"oldest first"`
	Quota   Quota    `json:"quota"`
}

type uploadsOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         UploadList
}

// uploads answers GET /uploads: an organizer sees the event's, a speaker their own.
func (s *Server) uploads(ctx context.Context, _ *struct{}) (*uploadsOutput, error) {
	c := callerOf(ctx)
	v, err := s.sightOf(ctx, c)
	if err != nil {
		return nil, err
	}
	out := &uploadsOutput{CacheControl: privateNoStore, Body: UploadList{Uploads: []Upload{}}}
	if out.Body.Quota.Used, out.Body.Quota.Limit, err = s.in.Uploader.Used(ctx, string(c.event)); err != nil {
		return nil, err
	}
	for i := range v.uploads {
		out.Body.Uploads = append(out.Body.Uploads, wireUpload(&v.uploads[i]))
	}
	return out, nil
}

type uploadInput struct {
	ID vod.UploadID `path:"upload" minLength:"1" maxLength:"64"`
}

// cancelUpload answers DELETE /uploads/{upload}, which is tus's own way to give
// one up. One that is not there any more is no error: a client that heard
// no answer asks again.
func (s *Server) cancelUpload(ctx context.Context, in *uploadInput) (*struct{}, error) {
	c := callerOf(ctx)
	u, err := s.in.Uploads.Upload(ctx, in.ID)
	if errors.Is(err, vod.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if u.Event != string(c.event) || c.handIn != nil && u.HandIn != string(c.handIn.ID) {
		return nil, fmt.Errorf("%w: upload %s of somebody else", vod.ErrNotFound, in.ID)
	}
	if u.State == vod.UploadComplete || u.State == vod.UploadTaken {
		return nil, errUploadDone
	}
	if err := s.in.Uploader.Cancel(ctx, in.ID); err != nil {
		if a, _ := answerTo(err); a.status != http.StatusNotFound {
			return nil, err
		}
	}
	s.audit(ctx, "cancel upload", slog.String("upload_id", string(in.ID)))
	return nil, nil
}
