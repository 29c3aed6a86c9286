package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"reprise/event"
	"reprise/vod"
)

// review returns what an organizer should know before the day: talks that
// overlap, slots that are too short, films that are missing or differ. None of
// it is a fault: a talk goes on air when the air is free.
func (h *house) review(ctx context.Context, file eventFile) ([]string, error) {
	lengths := map[string]time.Duration{}
	for _, t := range file.Event.Talks {
		for _, film := range distinct(t.Films) {
			if isPath(film) {
				continue
			}
			length, err := h.filmLength(ctx, vod.AssetID(film))
			if err != nil {
				return nil, err
			}
			lengths[film] = length
		}
	}
	return reviewEvent(file.Event, lengths, h.clock.Now()), nil
}

// filmLength returns the length of an asset, 0 while it is not known.
func (h *house) filmLength(ctx context.Context, id vod.AssetID) (time.Duration, error) {
	asset, err := h.rows.Asset(ctx, id)
	if err != nil || asset.Media == "" {
		return 0, err
	}
	media, err := h.rows.Media(ctx, asset.Media)
	if errors.Is(err, vod.ErrNotFound) {
		return 0, nil
	}
	return media.Duration().Duration(), err
}

// reviewEvent is review with the lengths of the films known; 0 and absent mean unknown.
func reviewEvent(e event.Event, lengths map[string]time.Duration, now time.Time) []string {
	zone, err := time.LoadLocation(e.Zone)
	if err != nil {
		zone = time.UTC
	}
	var remarks []string
	remark := func(format string, args ...any) { remarks = append(remarks, fmt.Sprintf(format, args...)) }
	for _, t := range e.Talks {
		reviewTalk(e, t, lengths, zone, remark)
		if !t.Starts.After(now) {
			remark("talk %s started at %s already: what is on air stays", t.ID, clockTime(t.Starts, zone))
		}
	}
	for _, a := range e.Auditoriums {
		talks := slices.DeleteFunc(slices.Clone(e.Talks), func(t event.Talk) bool { return t.Auditorium != a.ID })
		slices.SortFunc(talks, func(x, y event.Talk) int { return cmp.Or(x.Starts.Compare(y.Starts), cmp.Compare(x.ID, y.ID)) })
		if len(talks) == 0 {
			remark("auditorium %s has no talk: viewers see the waiting picture all the time", a.ID)
		}
		var busy time.Time // until when the air is taken, in any language
		var by event.TalkID
		for _, t := range talks {
			if t.Starts.Before(busy) {
				remark("talk %s (%s) overlaps talk %s in %s, which ends at %s: it will be late by %s", t.ID, clockTime(t.Starts, zone), by, a.ID,
					clockTime(busy, zone), shortLength(busy.Sub(t.Starts).Round(time.Second)))
			}
			if end := latest(t.Starts, busy).Add(talkLength(t, lengths)); end.After(busy) {
				busy, by = end, t.ID
			}
			if t.Starts.Before(a.Opens) {
				remark("talk %s starts at %s, before the doors of %s open (%s)", t.ID, clockTime(t.Starts, zone), a.ID, clockTime(a.Opens, zone))
			}
		}
		if busy.After(a.Closes) {
			remark("talk %s ends at %s, after the doors of %s close (%s)", by, clockTime(busy, zone), a.ID, clockTime(a.Closes, zone))
		}
	}
	return remarks
}

// talkLength returns the length of the longest film, else of the slot.
func talkLength(t event.Talk, lengths map[string]time.Duration) time.Duration {
	var longest time.Duration
	for _, film := range t.Films {
		longest = max(longest, lengths[film])
	}
	if longest == 0 {
		return t.Slot
	}
	return longest
}

func reviewTalk(e event.Event, t event.Talk, lengths map[string]time.Duration, zone *time.Location, remark func(string, ...any)) {
	if len(t.Films) == 0 {
		remark("talk %s (%s) has no film yet", t.ID, clockTime(t.Starts, zone))
		return
	}
	for _, l := range e.Languages {
		film, ok := t.Films[l]
		if !ok {
			remark("talk %s has no film in %s: viewers of that language hear it in %s", t.ID, l, t.Spoken)
			continue
		}
		length := lengths[film]
		if t.Slot > 0 && length > t.Slot {
			remark("talk %s (%s) lasts %s, its slot is %s: too long by %s", t.ID, l, shortLength(length.Round(time.Second)), shortLength(t.Slot),
				shortLength((length - t.Slot).Round(time.Second)))
		}
	}
	for _, l := range e.Languages {
		if _, ok := t.Title[l]; !ok {
			remark("talk %s has no title in %s", t.ID, l)
		}
	}
	for i, l := range e.Languages {
		for _, other := range e.Languages[:i] {
			a, b := lengths[t.Films[other]], lengths[t.Films[l]]
			if a > 0 && b > 0 && (a-b).Abs() > 2*time.Minute {
				remark("talk %s: the films differ by %s (%s %s, %s %s)", t.ID, shortLength((a - b).Abs().Round(time.Second)),
					other, shortLength(a.Round(time.Second)), l, shortLength(b.Round(time.Second)))
			}
		}
	}
}

func clockTime(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04:05")
}
