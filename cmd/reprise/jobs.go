package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"reprise/api"
	"reprise/event"
	"reprise/storage"
	"reprise/storage/queue"
	"reprise/vod"
	"reprise/vod/ingest"
)

// jobs is what is done in the background, by a server or by a worker.
type jobs struct {
	*house
	queue *queue.Queue
	post  *post
}

// openJobs opens the queue. Nothing is done before handle and the queue's Run.
func (h *house) openJobs() (*jobs, error) {
	q, err := queue.New(queue.Config{}, queue.Deps{
		DB: h.rows.SQL(), Pool: h.rows.Postgres(), Log: slog.New(warnings{h.log.Handler()}), Node: nodeName(), Now: h.clock.Now,
	})
	if err != nil {
		return nil, err
	}
	j := &jobs{house: h, queue: q}
	if j.post, err = newPost(h, q); err != nil {
		return nil, err
	}
	return j, nil
}

// handle says what does the jobs in this process. With workers 0 the heavy ones
// are left to other machines.
func (j *jobs) handle(workers int) {
	j.queue.Handle(api.JobTake, 2, j.take)
	j.queue.Handle(api.JobMail, 2, j.post.send)
	if workers == 0 {
		return
	}
	j.queue.Handle(api.JobProcess, workers, j.makeMedia)
	j.queue.Handle(api.JobRemake, 1, func(ctx context.Context, id string) error {
		return j.ingester.Remake(ctx, vod.AssetID(id))
	})
	j.queue.Handle(api.JobCaptions, 1, j.generateCaptions)
}

// soon is how long before its hour a film is made before all others, and late when it is made after them.
const (
	soon = 3 * time.Hour
	late = 7 * 24 * time.Hour
)

// turn says when the work on an asset is due: what goes on air first is done first.
func (h *house) turn(ctx context.Context, id vod.AssetID) (queue.Options, error) {
	airs, err := h.airs(ctx, id)
	if err != nil {
		return queue.Options{}, err
	}
	left := airs.Sub(h.clock.Now())
	switch {
	case airs.IsZero() || left > late:
		return queue.Options{Priority: queue.Low, Due: airs}, nil
	case left > soon:
		return queue.Options{Priority: queue.Normal, Due: airs}, nil
	}
	return queue.Options{Priority: queue.Urgent, Due: airs}, nil
}

// airs returns when a talk that shows the asset, or is to show it, goes on air
// next, or the start of the one that is on air; zero: none will.
func (h *house) airs(ctx context.Context, id vod.AssetID) (time.Time, error) {
	events, err := h.rows.Events(ctx)
	if err != nil {
		return time.Time{}, err
	}
	meant, err := h.meant(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	var first time.Time
	for i := range events {
		for k := range events[i].Talks {
			t := &events[i].Talks[k]
			if !shows(t, id) && !meant[eventTalk{events[i].ID, t.ID}] || t.Starts.Add(max(t.Slot, time.Hour)).Before(h.clock.Now()) {
				continue
			}
			if first.IsZero() || t.Starts.Before(first) {
				first = t.Starts
			}
		}
	}
	return first, nil
}

// eventTalk is a talk of an event.
type eventTalk struct {
	event event.ID
	talk  event.TalkID
}

// meant are the talks that the asset was sent for.
func (h *house) meant(ctx context.Context, id vod.AssetID) (map[eventTalk]bool, error) {
	rows, err := h.rows.Uploads(ctx, "")
	if err != nil {
		return nil, err
	}
	found := map[eventTalk]bool{}
	for i := range rows {
		if rows[i].State == vod.UploadTaken && rows[i].Asset == id && rows[i].Talk != "" {
			found[eventTalk{event.ID(rows[i].Event), event.TalkID(rows[i].Talk)}] = true
		}
	}
	return found, nil
}

func shows(t *event.Talk, id vod.AssetID) bool {
	for _, film := range t.Films {
		if film == string(id) {
			return true
		}
	}
	return false
}

// enqueue writes down the work that an asset needs.
func (j *jobs) enqueue(ctx context.Context, id vod.AssetID) error {
	o, err := j.turn(ctx, id)
	if err != nil {
		return err
	}
	return j.queue.Enqueue(ctx, api.JobProcess, string(id), o)
}

// mend writes down the work that an asset needs and that no job does. There is
// none when a process was killed between a change and its job, or when the
// change came just as the job of an earlier one ended. Work that somebody
// cancelled, or that failed too often, stays so, except at a start: anew.
func (j *jobs) mend(ctx context.Context, a *vod.Asset, anew bool) error {
	kind := api.JobProcess
	switch {
	case unfinished(a):
	case a.State == vod.Ready && (anew || j.clock.Now().Sub(a.Updated) < mendRecent):
		changed, err := j.ingester.Changed(ctx, a.ID)
		if err != nil || !changed {
			return err
		}
		kind = api.JobRemake
	default:
		return nil
	}
	status, err := j.queue.State(ctx, kind, string(a.ID))
	switch {
	case errors.Is(err, queue.ErrNotFound):
	case err != nil:
		return err
	case status.State == queue.Done:
	case status.State == queue.GivenUp && (anew || j.clock.Now().Sub(status.Finished) > tryAgain):
	default:
		return nil
	}
	o, err := j.turn(ctx, a.ID)
	if err != nil {
		return err
	}
	return j.queue.Enqueue(ctx, kind, string(a.ID), o)
}

// unfinished tells whether somebody has to work on an asset's film.
func unfinished(a *vod.Asset) bool {
	return a.State == vod.Uploaded || a.State == vod.Probing || a.State == vod.Processing
}

// take makes an asset of an upload that is complete, puts it on its talk, and
// tells both sides. It may run again after a kill, at any point.
func (j *jobs) take(ctx context.Context, id string) error {
	if err := j.spoken(ctx, vod.UploadID(id)); err != nil && !errors.Is(err, vod.ErrNotFound) {
		return err
	}
	taken, err := j.ingester.Take(ctx, j.rows, vod.UploadID(id))
	if errors.Is(err, vod.ErrNotFound) {
		return nil // cancelled meanwhile
	}
	if err != nil && !errors.Is(err, ingest.ErrRefused) {
		return err
	}
	u, rowErr := j.rows.Upload(ctx, vod.UploadID(id))
	if rowErr != nil {
		return rowErr
	}
	if err != nil {
		j.log.Info("upload refused", "upload_id", id, "reason", u.Reason)
		return nil // the page says so: nobody waits for a letter
	}
	if err := j.putOn(ctx, &u, &taken.Asset); err != nil {
		return err
	}
	if taken.Asset.State != vod.Ready || taken.Asset.Media == "" {
		if err := j.enqueue(ctx, taken.Asset.ID); err != nil {
			return err
		}
	}
	// Somebody wants to see how it looks, long before its turn comes in the queue.
	if err := j.ingester.Preview(ctx, taken.Asset.ID); err != nil && ctx.Err() == nil {
		j.log.Warn("a film has no preview before its turn", "asset_id", taken.Asset.ID, "error", err)
	}
	if err := j.post.received(ctx, &u, &taken.Asset); err != nil {
		return err
	}
	return j.post.judged(ctx, &taken.Asset) // of a film that is here already there is no more work to end with it
}

// spoken says of an upload in which language its sound is, when its sender did
// not: recorders seldom do. It is the one language that the film is for, else the talk's own.
func (j *jobs) spoken(ctx context.Context, id vod.UploadID) error {
	u, err := j.rows.Upload(ctx, id)
	if err != nil || u.Language != "" || u.State != vod.UploadComplete {
		return err
	}
	language := ""
	if len(u.Languages) == 1 {
		language = u.Languages[0]
	} else if u.Talk != "" {
		e, err := j.rows.Event(ctx, event.ID(u.Event))
		if err != nil {
			return err
		}
		for _, t := range e.Talks {
			if t.ID == event.TalkID(u.Talk) {
				language = string(t.Spoken)
			}
		}
	}
	if language == "" {
		return nil
	}
	_, err = j.rows.UpdateUpload(ctx, id, func(row *vod.Upload) error {
		if row.Language == "" && row.State == vod.UploadComplete {
			row.Language = language
		}
		return nil
	})
	return err
}

// makeMedia makes the media of an asset, and tells who handed it in. A film
// that was replaced meanwhile is made by the same job: while that ran there could be no second one.
func (j *jobs) makeMedia(ctx context.Context, id string) error {
	for {
		before, err := j.rows.Asset(ctx, vod.AssetID(id))
		if errors.Is(err, vod.ErrNotFound) {
			return nil
		}
		if err == nil {
			err = j.process(ctx, before.ID, func(ingest.Step) {})
		}
		if errors.Is(err, vod.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		asset, err := j.rows.Asset(ctx, before.ID)
		if errors.Is(err, vod.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := j.putReady(ctx, &asset); err != nil {
			return err
		}
		if asset.Source.ID == before.Source.ID {
			return j.post.judged(ctx, &asset)
		}
	}
}

// generateCaptions runs the caption command; id is asset.language.
func (j *jobs) generateCaptions(ctx context.Context, id string) error {
	asset, language, ok := strings.Cut(id, ".")
	if !ok {
		return queue.Permanent(fmt.Errorf("captions of %q: no language", id))
	}
	err := j.ingester.GenerateCaptions(ctx, vod.AssetID(asset), language, func(float64) {})
	for _, hopeless := range []error{vod.ErrNotFound, ingest.ErrNoCommand, ingest.ErrNoSound, ingest.ErrLanguage, ingest.ErrCaptions, ingest.ErrCaptionsSize} {
		if errors.Is(err, hopeless) {
			return queue.Permanent(err)
		}
	}
	if err != nil {
		return err
	}
	return j.queue.Enqueue(ctx, api.JobRemake, asset, queue.Options{Priority: queue.Normal})
}

// resume writes down the jobs that were lost with a process: a kill between a
// change and its job loses nothing. It keeps the order of what waits in step
// with the programme, and removes what killed runs have left.
func (j *jobs) resume(ctx context.Context) error {
	version, anew := int64(-1), true
	var posted time.Time
	for {
		now, err := j.rows.Version(ctx)
		if err == nil {
			err = j.keepInStep(ctx, now != version, anew)
		}
		if err == nil {
			version, anew = now, false
		}
		if err == nil && j.clock.Now().Sub(posted).Abs() > postEvery {
			posted = j.clock.Now()
			err = j.post.mend(ctx)
		}
		if err != nil && ctx.Err() == nil {
			j.log.Warn("the work is not in step with films and programme, next try soon", "error", err)
		}
		if err := j.clock.Wait(ctx, j.clock.Now().Add(reorderEvery)); err != nil {
			return err
		}
	}
}

// keepInStep gives each asset the work that it needs, in its place.
func (j *jobs) keepInStep(ctx context.Context, reorder, anew bool) error {
	assets, err := j.rows.Assets(ctx)
	if err != nil {
		return err
	}
	for i := range assets {
		a := &assets[i]
		err := j.mend(ctx, a, anew)
		if err == nil && reorder && unfinished(a) {
			err = j.reorder(ctx, a.ID)
		}
		if err != nil && !errors.Is(err, vod.ErrNotFound) { // one that was deleted meanwhile needs nothing
			return err
		}
	}
	return nil
}

const (
	reorderEvery = 15 * time.Second
	postEvery    = 10 * time.Minute
	sweepEvery   = 6 * time.Hour
	tryAgain     = time.Hour // after work was given up, as long as nobody gives the film up
	sweepLease   = time.Hour
	mendRecent   = time.Hour // a change that was longer ago has its job, or had it lost at a start
)

func (j *jobs) reorder(ctx context.Context, id vod.AssetID) error {
	o, err := j.turn(ctx, id)
	if err != nil {
		return err
	}
	if err := j.queue.Prioritize(ctx, api.JobProcess, string(id), o); !errors.Is(err, queue.ErrNotFound) {
		return err
	}
	return nil
}

// tidy removes what killed runs have left, now and then, until ctx ends.
func (j *jobs) tidy(ctx context.Context) error {
	for {
		if err := j.clock.Wait(ctx, j.clock.Now().Add(sweepEvery)); err != nil {
			return err
		}
		if err := j.sweep(ctx); err != nil && ctx.Err() == nil {
			j.log.Warn("what killed runs left behind is not removed, next try later", "error", err)
		}
	}
}

// sweep removes what nothing names, on one node at a time.
func (j *jobs) sweep(ctx context.Context) error {
	now, holder := j.clock.Now(), storage.RandomName() // a machine may have several processes
	ok, err := j.rows.AcquireLease(ctx, "sweep", holder, now, now.Add(sweepLease))
	if err != nil || !ok {
		return err
	}
	err = j.ingester.Sweep(ctx)
	return errors.Join(err, j.rows.ReleaseLease(context.WithoutCancel(ctx), "sweep", holder))
}
