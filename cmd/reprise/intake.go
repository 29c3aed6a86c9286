package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"reprise/api"
	"reprise/event"
	"reprise/storage/queue"
	"reprise/storage/uploads"
	"reprise/stream"
	"reprise/vod"
	"reprise/vod/ingest"
)

// openUploads takes recordings in. The server that it asks who may is made
// after it: a.server is there before the first request.
func (a *app) openUploads() (err error) {
	c := a.cfg.Uploads
	a.uploads, err = uploads.New(uploads.Config{
		Dir: uploadsDir(a.cfg), MaxSize: int64(c.MaxSize), Quota: int64(c.Quota), Expire: c.Expire, PartSize: int64(a.cfg.Storage.S3.PartSize),
	}, uploads.Deps{
		Store: a.objects, Rows: a.rows, Log: a.log, Now: a.clock.Now, Node: nodeName(),
		Authorize: a.authorizeUpload,
		Finished: func(ctx context.Context, u vod.Upload) error {
			return a.jobs.queue.Enqueue(ctx, api.JobTake, string(u.ID), queue.Options{Priority: queue.Urgent})
		},
		Problem: func(w http.ResponseWriter, r *http.Request, err error) { a.server.UploadProblem(w, r, err) },
		Used:    a.keptBytes,
	})
	return err
}

// intake is what the API needs to take films in and look after them.
func (a *app) intake() *api.Intake {
	return &api.Intake{
		Library: a.rows, Uploads: a.rows, Uploader: a.uploads, Events: a.rows, HandIns: a.rows,
		Jobs: queueJobs{a.jobs.queue}, Recordings: recordings{a.ingester, a.house}, Invite: a.jobs.post.inviter(),
	}
}

// authorizeUpload asks the API who may begin an upload, or go on with one.
func (a *app) authorizeUpload(r *http.Request, m uploads.Meta) (uploads.Permit, error) {
	permit, err := a.server.AuthorizeUpload(r, api.UploadRequest(m))
	return uploads.Permit(permit), err
}

// keptBytes counts the originals that came for an event or that its talks name, past revisions included.
func (a *app) keptBytes(ctx context.Context, id string) (int64, error) {
	e, err := a.rows.Event(ctx, event.ID(id))
	if err != nil {
		return 0, err
	}
	assets, err := a.rows.Assets(ctx)
	if err != nil {
		return 0, err
	}
	named := map[string]bool{}
	for _, t := range e.Talks {
		for _, film := range t.Films {
			named[film] = true
		}
	}
	var sum int64
	for i := range assets {
		if !named[string(assets[i].ID)] && assets[i].Source.Event != id {
			continue
		}
		counted := map[string]bool{}
		for _, s := range sources(&assets[i]) {
			if !counted[s.Object] {
				counted[s.Object] = true
				sum += s.Size
			}
		}
	}
	return sum, nil
}

// sources are the originals that an asset keeps.
func sources(a *vod.Asset) []vod.Source {
	list := []vod.Source{a.Source}
	for i := range a.History {
		list = append(list, a.History[i].Source)
	}
	return list
}

// queueJobs lets the API use the queue.
type queueJobs struct{ queue *queue.Queue }

func options(o api.JobOptions) queue.Options {
	if o.Urgent {
		return queue.Options{Priority: queue.Urgent, Due: o.Due}
	}
	return queue.Options{Priority: queue.Normal, Due: o.Due}
}

// Enqueue implements api.Jobs.
func (q queueJobs) Enqueue(ctx context.Context, kind, id string, o api.JobOptions) error {
	return q.queue.Enqueue(ctx, kind, id, options(o))
}

// Cancel implements api.Jobs.
func (q queueJobs) Cancel(ctx context.Context, kind, id string) error {
	return noJob(q.queue.Cancel(ctx, kind, id))
}

// Prioritize implements api.Jobs.
func (q queueJobs) Prioritize(ctx context.Context, kind, id string, o api.JobOptions) error {
	return noJob(q.queue.Prioritize(ctx, kind, id, options(o)))
}

func noJob(err error) error {
	if errors.Is(err, queue.ErrNotFound) {
		return api.ErrNoJob
	}
	return err
}

// Jobs implements api.Jobs.
func (q queueJobs) Jobs(ctx context.Context, limit int) ([]api.Job, error) {
	rows, err := q.queue.Jobs(ctx, limit)
	if err != nil {
		return nil, err
	}
	list := make([]api.Job, len(rows))
	for i, r := range rows {
		list[i] = api.Job{
			Kind: r.Kind, ID: r.ID, State: string(r.State), Attempt: r.Attempt, Enqueued: r.Enqueued, Started: r.Started,
			Next: r.Next, Finished: r.Finished, Node: r.Node,
		}
		for _, f := range r.Failures {
			list[i].Failures = append(list[i].Failures, api.JobFailure{Attempt: f.Attempt, At: f.At, Reason: f.Reason})
		}
	}
	return list, nil
}

// recordings are what the API does with films.
type recordings struct {
	*ingest.Ingester
	house *house
}

// Delete implements api.Recordings.
func (r recordings) Delete(ctx context.Context, id vod.AssetID) error {
	asset, err := r.house.rows.Asset(ctx, id)
	if err != nil {
		return err
	}
	if err := r.house.shown(ctx, &asset); err != nil {
		return err
	}
	return r.house.rows.DeleteAsset(ctx, id)
}

// shown is vod.ErrConflict while viewers may still be given media of the asset:
// a talk that names it no more may have been on air a minute ago.
func (h *house) shown(ctx context.Context, asset *vod.Asset) error {
	named, err := h.inUse(ctx)
	if err != nil {
		return err
	}
	media := []vod.MediaID{asset.Media, asset.First}
	for i := range asset.History {
		media = append(media, asset.History[i].Media)
	}
	for _, id := range media {
		if id != "" && slices.Contains(named, id) {
			return fmt.Errorf("%w: asset %s is on the air", vod.ErrConflict, asset.ID)
		}
	}
	return nil
}

// inUse lists the media in the journals of what is on air, or was a moment ago, or has replays.
func (h *house) inUse(ctx context.Context) ([]vod.MediaID, error) {
	events, err := h.rows.Events(ctx)
	if err != nil {
		return nil, err
	}
	var list []vod.MediaID
	for _, e := range events {
		for _, room := range e.Auditoriums {
			for _, l := range e.Languages {
				journal, _, err := h.rows.Journal(ctx, stream.Feed{Event: e.ID, Auditorium: room.ID, Language: l})
				if err != nil {
					return nil, err
				}
				for _, entry := range journal.Entries {
					list = append(list, vod.MediaID(entry.Source.ID))
				}
			}
		}
	}
	return list, nil
}
