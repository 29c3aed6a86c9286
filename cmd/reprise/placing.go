package main

import (
	"context"
	"errors"
	"slices"

	"reprise/event"
	"reprise/vod"
)

// putOn makes the asset of an upload the film of the talk that it was sent for,
// once. Until the asset has media it takes nobody's place: only languages without
// a film get it, and one that is refused leaves the programme as it was.
func (j *jobs) putOn(ctx context.Context, u *vod.Upload, asset *vod.Asset) error {
	if u.Talk == "" || u.Placed {
		return nil
	}
	for {
		e, err := j.rows.Event(ctx, event.ID(u.Event))
		if err != nil {
			return err
		}
		changed := false
		now, later := placesFor(&e, u, asset)
		if len(now) > 0 {
			changed, err = e.SetFilm(event.TalkID(u.Talk), now, string(asset.ID))
		}
		if errors.Is(err, event.ErrNotFound) {
			// A language was taken off the event while its film came in: the film is in the library.
			j.log.Warn("an upload fits its event no more", "upload_id", u.ID, "talk_id", u.Talk)
			later = nil
		} else if err != nil {
			return err
		}
		if changed {
			if _, err = j.rows.PutEvent(ctx, e); errors.Is(err, event.ErrConflict) {
				continue
			}
			if err != nil {
				return err
			}
		}
		if len(later) > 0 {
			return nil
		}
		_, err = j.rows.UpdateUpload(ctx, u.ID, func(row *vod.Upload) error { row.Placed = true; return nil })
		return err
	}
}

// putReady puts an asset that has just become ready on the talks that it was sent for.
func (j *jobs) putReady(ctx context.Context, asset *vod.Asset) error {
	if asset.State != vod.Ready {
		return nil
	}
	rows, err := j.rows.Uploads(ctx, "")
	if err != nil {
		return err
	}
	for i := range rows {
		if rows[i].State == vod.UploadTaken && rows[i].Asset == asset.ID {
			if err := j.putOn(ctx, &rows[i], asset); err != nil {
				return err
			}
		}
	}
	return nil
}

// placesFor are the languages of the talk in which the asset of an upload is to be shown, now and later.
func placesFor(e *event.Event, u *vod.Upload, asset *vod.Asset) (now, later []event.Language) {
	i := slices.IndexFunc(e.Talks, func(t event.Talk) bool { return t.ID == event.TalkID(u.Talk) })
	if i < 0 {
		return nil, nil // the talk was taken off the programme meanwhile
	}
	t := &e.Talks[i]
	if len(u.Languages) == 0 && shows(t, asset.ID) {
		return nil, nil // a new film of what is shown already: where it is shown stays as it is
	}
	wanted := e.Languages
	if len(u.Languages) > 0 {
		wanted = nil
		for _, l := range u.Languages {
			wanted = append(wanted, event.Language(l))
		}
	}
	for _, l := range wanted {
		if t.Films[l] == "" || t.Films[l] == string(asset.ID) || asset.Playable() != "" {
			now = append(now, l)
		} else {
			later = append(later, l)
		}
	}
	return now, later
}
