package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"reprise/event"
	"reprise/vod"
	"reprise/vod/ingest"
	"reprise/vod/webvtt"
)

// PreflightReport is what was found out about a film, and what that means where it is shown.
type PreflightReport struct {
	Asset    vod.AssetID    `json:"asset"`
	Source   vod.SourceID   `json:"source"`
	Title    string         `json:"title"`
	Made     time.Time      `json:"made"`
	Complete bool           `json:"complete" doc:"false: the whole film is still being looked at"`
	Verdict  vod.Verdict    `json:"verdict" enum:"ready,remarks,refused"`
	Findings []AssetFinding `json:"findings" doc:"of the file, then of its place in the programme"`
	Duration float64        `json:"duration" doc:"seconds"`
	Format   string         `json:"format" example:"MP4"`
	Picture  *vod.Picture   `json:"picture,omitempty" doc:"absent: none"`
	Sounds   []vod.Sound    `json:"sounds"`
	Chapters int            `json:"chapters"`
	Captions []string       `json:"captions" doc:"languages that came with the film"`
	Errors   int            `json:"errors" doc:"complaints while the whole film was decoded"`
	Talk     event.TalkID   `json:"talk,omitempty" doc:"by whose place in the programme it is judged"`
	Slot     float64        `json:"slot" doc:"seconds planned for the talk; 0: as long as the film"`
}

type reportInput struct {
	AssetPath
	Talk event.TalkID `query:"talk" pattern:"^[a-z0-9-]{1,64}$" doc:"judge the film for this talk; absent: for the first that shows it"`
}

type reportOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         PreflightReport
}

// report answers GET /assets/{asset}/report.
func (s *Server) report(ctx context.Context, in *reportInput) (*reportOutput, error) {
	a, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.placedReport(ctx, &a, v, in.Talk)
	if err != nil {
		return nil, err
	}
	return &reportOutput{CacheControl: privateNoStore, Body: *r}, nil
}

// placedReport returns the report on an asset's source, judged by its place in
// the programme; talk empty: by that of the first talk that shows it.
func (s *Server) placedReport(ctx context.Context, a *vod.Asset, v *sight, talk event.TalkID) (*PreflightReport, error) {
	if h := v.caller.handIn; h != nil {
		if talk != "" && talk != h.Talk {
			return nil, errScope
		}
		talk = h.Talk
	}
	if talk == "" {
		if talks := talksShowing(&v.event, a.ID); len(talks) > 0 {
			talk = talks[0].Talk
		}
	}
	var t *event.Talk
	if talk != "" {
		if t = talkOf(&v.event, talk); t == nil {
			return nil, fmt.Errorf("%w: talk %s", event.ErrNotFound, talk)
		}
	}
	r, err := s.in.Library.Report(ctx, a.Source.ID)
	if errors.Is(err, vod.ErrNotFound) {
		return nil, errNotMade
	}
	if err != nil {
		return nil, err
	}
	in, err := s.circumstances(ctx, a, v, t)
	if err != nil {
		return nil, err
	}
	out := wireReport(ingest.Placed(r, in), a.Title)
	out.Talk, out.Slot = talk, in.Slot.Seconds()
	return &out, nil
}

// circumstances gathers what a film is judged by beside its own file; t is nil
// for a film that no talk shows.
func (s *Server) circumstances(ctx context.Context, a *vod.Asset, v *sight, t *event.Talk) (ingest.Circumstances, error) {
	in := ingest.Circumstances{Others: map[string]time.Duration{}}
	var err error
	if in.Captions, err = s.shownCaptions(ctx, a.ID); err != nil {
		return in, err
	}
	if in.Loudness, err = s.loudness(ctx, v, a.ID); err != nil {
		return in, err
	}
	if t == nil {
		return in, nil
	}
	in.Slot, in.Free = t.Slot, free(&v.event, t)
	for _, l := range v.wanted(t, a.ID) {
		in.Wanted = append(in.Wanted, string(l))
	}
	for l, other := range t.Films {
		if other == "" || other == string(a.ID) || slices.Contains(in.Wanted, string(l)) {
			continue
		}
		length, err := s.lengthOf(ctx, vod.AssetID(other))
		if err != nil {
			return in, err
		}
		in.Others[string(l)] = length
	}
	return in, nil
}

// wanted returns the languages that a film is for: those in which the talk
// names it, else those of the hand-in, else those that the talk has no other film for.
func (v *sight) wanted(t *event.Talk, id vod.AssetID) []event.Language {
	if named := filmLanguages(&v.event, t, id); len(named) > 0 {
		return named
	}
	var out []event.Language
	for _, l := range v.event.Languages {
		if h := v.caller.handIn; h != nil && h.Covers(l) || h == nil && t.Films[l] == "" {
			out = append(out, l)
		}
	}
	return out
}

// free returns the time between the end of a talk's slot and the next talk of its auditorium; a day after the last.
func free(e *event.Event, t *event.Talk) time.Duration {
	end, least := t.Starts.Add(t.Slot), 24*time.Hour
	for i := range e.Talks {
		if o := &e.Talks[i]; o.ID != t.ID && o.Auditorium == t.Auditorium && !o.Starts.Before(t.Starts) {
			least = min(least, max(0, o.Starts.Sub(end)))
		}
	}
	return least
}

// shownCaptions returns the captions of an asset by language.
func (s *Server) shownCaptions(ctx context.Context, id vod.AssetID) (map[string][]webvtt.Cue, error) {
	list, err := s.in.Recordings.CaptionLanguages(ctx, id)
	if err != nil {
		return nil, err
	}
	out := map[string][]webvtt.Cue{}
	for _, c := range list {
		cues, _, err := s.in.Recordings.Cues(ctx, id, c.Language)
		if errors.Is(err, ingest.ErrNoCaptions) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[c.Language] = cues
	}
	return out, nil
}

// loudness lists how loud the other films of the event were as they came.
func (s *Server) loudness(ctx context.Context, v *sight, but vod.AssetID) (out []float64, err error) {
	seen := map[string]bool{"": true, string(but): true}
	for i := range v.event.Talks {
		for _, id := range v.event.Talks[i].Films {
			if seen[id] {
				continue
			}
			seen[id] = true
			r, err := s.reportOf(ctx, vod.AssetID(id))
			if err != nil {
				return nil, err
			}
			if len(r.Sounds) > 0 {
				out = append(out, r.Sounds[0].Loudness)
			}
		}
	}
	return out, nil
}

// reportOf returns the report on an asset, an empty one when there is none.
func (s *Server) reportOf(ctx context.Context, id vod.AssetID) (vod.Report, error) {
	a, err := s.in.Library.Asset(ctx, id)
	if err == nil {
		var r vod.Report
		if r, err = s.in.Library.Report(ctx, a.Source.ID); err == nil {
			return r, nil
		}
	}
	if errors.Is(err, vod.ErrNotFound) {
		return vod.Report{}, nil
	}
	return vod.Report{}, err
}

// lengthOf returns how long an asset is on air, as far as it is known: its
// media's length, else what the report on its source says, else 0.
func (s *Server) lengthOf(ctx context.Context, id vod.AssetID) (time.Duration, error) {
	a, err := s.in.Library.Asset(ctx, id)
	if errors.Is(err, vod.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if media := a.Playable(); media != "" {
		m, err := s.in.Library.Media(ctx, media)
		if err == nil {
			return m.Duration().Duration(), nil
		}
		if !errors.Is(err, vod.ErrNotFound) {
			return 0, err
		}
	}
	r, err := s.in.Library.Report(ctx, a.Source.ID)
	if err != nil && !errors.Is(err, vod.ErrNotFound) {
		return 0, err
	}
	return time.Duration(r.Duration * float64(time.Second)), nil
}

// wireReport gives a report its public form: no list is null.
func wireReport(r vod.Report, title string) PreflightReport {
	out := PreflightReport{
		Asset: r.Asset, Source: r.Source, Title: title, Made: r.Made.UTC(), Complete: r.Complete, Verdict: r.Verdict, Findings: wireFindings(r.Findings),
		Duration: r.Duration, Format: r.Format, Sounds: []vod.Sound{}, Chapters: r.Chapters, Captions: list(r.Captions), Errors: r.Errors,
	}
	if r.Picture != nil {
		p := *r.Picture
		p.Black, p.Frozen, p.Slides = list(p.Black), list(p.Frozen), list(p.Slides)
		out.Picture = &p
	}
	for _, sound := range r.Sounds {
		sound.Clipped, sound.Silent, sound.Offsets = list(sound.Clipped), list(sound.Silent), list(sound.Offsets)
		out.Sounds = append(out.Sounds, sound)
	}
	return out
}
