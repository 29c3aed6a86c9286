package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"reprise/event"
	"reprise/storage"
	"reprise/vod"
	"reprise/vod/ingest"
	"reprise/vod/webvtt"
)

// Intake is what the server needs to take films in and look after them. All
// but Invite are required.
type Intake struct {
	Library    vod.Library
	Uploads    vod.Uploads
	Uploader   Uploader
	Events     event.Store
	HandIns    event.HandIns
	Jobs       Jobs
	Recordings Recordings
	// Invite writes down the letter with a speaker's link, to be sent soon. Nil:
	// no mail is sent from here, and the organizer copies the link.
	Invite func(ctx context.Context, i Invitation) error
}

// validate names what is missing; nil is an intake that nobody uses.
func (in *Intake) validate() error {
	if in == nil {
		return nil
	}
	for name, missing := range map[string]bool{
		"Library": in.Library == nil, "Uploads": in.Uploads == nil, "Uploader": in.Uploader == nil, "Events": in.Events == nil,
		"HandIns": in.HandIns == nil, "Jobs": in.Jobs == nil, "Recordings": in.Recordings == nil,
	} {
		if missing {
			return fmt.Errorf("api: no Intake.%s", name)
		}
	}
	return nil
}

// Uploader is what the server needs of storage/uploads.
type Uploader interface {
	// Handler speaks tus 1.0 at the root that it is given; it bounds bodies and
	// their time itself, and asks Server.AuthorizeUpload.
	Handler() http.Handler
	// Cancel gives up an upload and removes its bytes.
	Cancel(ctx context.Context, id vod.UploadID) error
	// Used returns how many bytes of an event's quota are used, and the quota (0: none).
	Used(ctx context.Context, event string) (used, limit int64, err error)
}

// Recordings is what the server needs of vod/ingest. Errors are those of that package, and vod's.
type Recordings interface {
	Restorer
	Captioner
	// Delete removes an asset, its media and its reports; objects that nobody
	// names any more go with the next sweep. vod.ErrConflict while viewers may
	// still be given media of it.
	Delete(ctx context.Context, id vod.AssetID) error
	// PutPicture makes a poster of an uploaded picture, without what hides in
	// the file (a phone's says where it was), and stores it. ingest.ErrPicture.
	PutPicture(ctx context.Context, r io.Reader) (storage.Key, error)
}

// Restorer brings a past revision back.
type Restorer interface {
	Restore(ctx context.Context, id vod.AssetID, media vod.MediaID) (vod.Asset, error)
}

// Captioner reads and changes captions; *ingest.Ingester is one.
type Captioner interface {
	SetCaptions(ctx context.Context, id vod.AssetID, language, name, by string, r io.Reader) (vod.Asset, []vod.Finding, error)
	SetCues(ctx context.Context, id vod.AssetID, language, by string, cues []webvtt.Cue) (vod.Asset, []vod.Finding, error)
	ShiftCaptions(ctx context.Context, id vod.AssetID, language, by string, shift time.Duration) (vod.Asset, []vod.Finding, error)
	RemoveCaptions(ctx context.Context, id vod.AssetID, language, by string) (vod.Asset, error)
	Cues(ctx context.Context, id vod.AssetID, language string) ([]webvtt.Cue, vod.Captions, error)
	CaptionLanguages(ctx context.Context, id vod.AssetID) ([]vod.Captions, error)
	Transcript(ctx context.Context, id vod.AssetID, language string) ([]ingest.Line, error)
}

var _ Captioner = (*ingest.Ingester)(nil)

// Kinds of jobs that the server enqueues.
const (
	JobTake     = "take"     // id: an upload
	JobProcess  = "process"  // id: an asset
	JobRemake   = "remake"   // id: an asset
	JobCaptions = "captions" // id: asset.language
	JobMail     = "mail"     // id: a letter
)

// JobOptions say when a job should be done.
type JobOptions struct {
	Urgent bool      // somebody waits for it
	Due    time.Time // among equals the earlier is done first; zero: by time of enqueueing
}

// Job is a piece of work and where it stands.
type Job struct {
	Kind     string
	ID       string
	State    string // queued, running, waiting (for its next attempt), done, cancelled, given-up
	Attempt  int    // running or last, from 1; 0: none yet
	Enqueued time.Time
	Started  time.Time // of that attempt
	Next     time.Time // while waiting
	Finished time.Time
	Node     string
	Failures []JobFailure // oldest first
}

// JobFailure is an attempt that went wrong.
type JobFailure struct {
	Attempt int
	At      time.Time
	Reason  string // for operators, in English
}

// Jobs is what the server needs of storage/queue. Unknown jobs are ErrNoJob.
type Jobs interface {
	Enqueue(ctx context.Context, kind, id string, o JobOptions) error
	Cancel(ctx context.Context, kind, id string) error
	Prioritize(ctx context.Context, kind, id string, o JobOptions) error
	// Jobs returns the unfinished ones in the order they will be done, then the finished, newest first.
	Jobs(ctx context.Context, limit int) ([]Job, error)
}

// Invitation is what a letter to a speaker is written from.
type Invitation struct {
	HandIn event.HandIn
	Event  event.Event
	Talk   event.Talk
	Link   string // personal: a secret

	HandedIn bool // a film came by it already
}

// ErrNoJob is what an adapter of Jobs returns for a job that is not there.
var ErrNoJob = errors.New("api: no such job")
