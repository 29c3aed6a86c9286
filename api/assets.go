package api

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"reprise/event"
	"reprise/vod"
)

// Asset is a film of the library: what was handed in, what is being made of it, and where it is shown.
type Asset struct {
	ID       vod.AssetID    `json:"id" example:"0192c2a4-7b1e-7cc0-8a57-3d5f2f0f9a10"`
	Title    string         `json:"title"`
	State    vod.State      `json:"state" enum:"uploading,uploaded,probing,processing,ready,failed" doc:"of the latest hand-in"`
	Percent  float64        `json:"percent" doc:"of state, 0 to 100"`
	Progress Progress       `json:"progress"`
	Verdict  vod.Verdict    `json:"verdict,omitempty" enum:"ready,remarks,refused" doc:"absent until it was looked at"`
	Findings []AssetFinding `json:"findings"`
	Source   Source         `json:"source"`
	Revision int            `json:"revision" doc:"of media; 0: none is ready yet"`
	Media    vod.MediaID    `json:"media,omitempty" doc:"what goes on air; the old one while a new film is processed"`
	First    vod.MediaID    `json:"first,omitempty" doc:"a first rendition that can be watched while the rest is being made"`
	Preview  bool           `json:"preview" doc:"POST …/preview has something to show"`
	Created  time.Time      `json:"created"`
	Updated  time.Time      `json:"updated"`
	Talks    []AssetTalk    `json:"talks" doc:"of this event, that show it"`
	Job      *AssetJob      `json:"job,omitempty" doc:"the work on it: the unfinished one, else the last"`
	History  []PastRevision `json:"history,omitempty" doc:"past revisions, oldest first; only for one asset"`
}

// Progress is how the work on an asset gets on.
type Progress struct {
	Stage       string  `json:"stage,omitempty" doc:"what is being done" example:"encoding"`
	Speed       float64 `json:"speed" doc:"seconds of film a second; 0: not known"`
	LeftSeconds float64 `json:"left_seconds" doc:"until it is ready, estimated; 0: not known"`
	Node        string  `json:"node,omitempty" doc:"machine that works on it"`
}

// AssetFinding is one thing that preflight noticed, in both languages.
type AssetFinding struct {
	Code  string     `json:"code" doc:"stable" example:"variable-frame-rate"`
	Fatal bool       `json:"fatal" doc:"the film cannot be used"`
	FR    string     `json:"fr"`
	EN    string     `json:"en"`
	Spans []vod.Span `json:"spans,omitempty" doc:"where in the film, in seconds"`
}

// Source is the file that an asset is made from.
type Source struct {
	ID     vod.SourceID `json:"id"`
	Name   string       `json:"name" example:"opening.mp4"`
	Size   int64        `json:"size" doc:"bytes"`
	SHA256 string       `json:"sha256" doc:"hex; empty while it is being computed"`
	By     string       `json:"by" doc:"who handed it in"`
}

// AssetTalk is a talk that shows an asset.
type AssetTalk struct {
	Event     event.ID         `json:"event"`
	Talk      event.TalkID     `json:"talk"`
	Languages []event.Language `json:"languages" doc:"feeds that show it"`
}

// AssetJob is the work on an asset.
type AssetJob struct {
	Kind     string     `json:"kind" example:"process"`
	State    string     `json:"state" enum:"queued,running,waiting,done,cancelled,given-up"`
	Attempt  int        `json:"attempt"`
	Next     *time.Time `json:"next,omitempty" doc:"waiting: of the next attempt"`
	Failures []Failure  `json:"failures" doc:"oldest first"`
}

// Failure is an attempt that went wrong.
type Failure struct {
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason" doc:"for operators"`
}

// PastRevision is a revision that was replaced.
type PastRevision struct {
	Number   int            `json:"number" doc:"0: it never became one"`
	Source   Source         `json:"source"`
	Media    vod.MediaID    `json:"media,omitempty" doc:"POST …/restore brings it back"`
	Verdict  vod.Verdict    `json:"verdict,omitempty" enum:"ready,remarks,refused"`
	Findings []AssetFinding `json:"findings"`
	At       time.Time      `json:"at" doc:"when it was replaced"`
	Reason   string         `json:"reason" example:"replaced" doc:"replaced, extras, restored"`
}

func wireAsset(a *vod.Asset, v *sight, jobs assetJobs) Asset {
	out := Asset{
		ID: a.ID, Title: a.Title, State: a.State, Percent: a.Percent, Verdict: a.Verdict, Findings: wireFindings(a.Findings), Source: wireSource(&a.Source),
		Revision: a.Revision, Media: a.Media, First: a.First, Preview: a.Playable() != "" || a.Source.Preview != "",
		Created: a.Created.UTC(), Updated: a.Updated.UTC(), Talks: talksShowing(&v.event, a.ID),
		Progress: Progress{Stage: a.Progress.Stage, Speed: a.Progress.Speed, LeftSeconds: a.Progress.Left.Seconds(), Node: a.Progress.Node},
	}
	if !working(a.State) {
		out.Progress = Progress{}
	}
	if j, ok := jobs[a.ID]; ok {
		out.Job = &AssetJob{Kind: j.Kind, State: j.State, Attempt: j.Attempt, Failures: wireFailures(j.Failures)}
		if j.State == jobWaiting {
			out.Job.Next = instant(j.Next)
		}
	}
	return out
}

// working tells whether somebody should be at work on an asset in that state.
func working(s vod.State) bool {
	return s == vod.Uploaded || s == vod.Probing || s == vod.Processing
}

func wireSource(s *vod.Source) Source {
	return Source{ID: s.ID, Name: s.Name, Size: s.Size, SHA256: s.SHA256, By: s.By}
}

func wireFindings(findings []vod.Finding) []AssetFinding {
	out := []AssetFinding{}
	for _, f := range findings {
		out = append(out, AssetFinding{f.Code, f.Fatal, f.FR, f.EN, f.Spans})
	}
	return out
}

func wireFailures(failures []JobFailure) []Failure {
	out := []Failure{}
	for _, f := range failures {
		out = append(out, Failure{f.Attempt, f.At.UTC(), f.Reason})
	}
	return out
}

// talksShowing lists the talks of an event that name an asset.
func talksShowing(e *event.Event, id vod.AssetID) []AssetTalk {
	out := []AssetTalk{}
	for i := range e.Talks {
		if languages := filmLanguages(e, &e.Talks[i], id); len(languages) > 0 {
			out = append(out, AssetTalk{e.ID, e.Talks[i].ID, languages})
		}
	}
	return out
}

// filmLanguages returns the languages in which a talk names an asset, in the order of the event.
func filmLanguages(e *event.Event, t *event.Talk, id vod.AssetID) (languages []event.Language) {
	for _, l := range e.Languages {
		if t.Films[l] == string(id) {
			languages = append(languages, l)
		}
	}
	return languages
}

// AssetList is the answer of assets.
type AssetList struct {
	Assets []Asset `json:"assets" doc:"oldest first"`
}

type assetsOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         AssetList
}

// assets answers GET /assets.
func (s *Server) assets(ctx context.Context, _ *struct{}) (*assetsOutput, error) {
	v, err := s.sightOf(ctx, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	all, err := s.in.Library.Assets(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := s.jobsByAsset(ctx)
	if err != nil {
		return nil, err
	}
	out := &assetsOutput{CacheControl: privateNoStore, Body: AssetList{[]Asset{}}}
	for i := range all {
		if v.sees(&all[i]) {
			out.Body.Assets = append(out.Body.Assets, wireAsset(&all[i], v, jobs))
		}
	}
	return out, nil
}

// AssetPath names one asset in a path. Exported, as huma fills only exported fields.
type AssetPath struct {
	ID vod.AssetID `path:"asset" minLength:"1" maxLength:"64"`
}

// assetInput is the request of operations on one asset.
type assetInput struct{ AssetPath }

type assetOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Asset
}

// oneAsset answers GET /assets/{asset}.
func (s *Server) oneAsset(ctx context.Context, in *assetInput) (*assetOutput, error) {
	a, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return s.answerAsset(ctx, &a, v)
}

func (s *Server) answerAsset(ctx context.Context, a *vod.Asset, v *sight) (*assetOutput, error) {
	jobs, err := s.jobsByAsset(ctx)
	if err != nil {
		return nil, err
	}
	out := &assetOutput{CacheControl: privateNoStore, Body: wireAsset(a, v, jobs)}
	out.Body.History = []PastRevision{}
	for i := range a.History {
		r := &a.History[i]
		out.Body.History = append(out.Body.History, PastRevision{
			Number: r.Number, Source: wireSource(&r.Source), Media: r.Media, Verdict: r.Verdict, Findings: wireFindings(r.Findings), At: r.At.UTC(), Reason: r.Reason,
		})
	}
	return out, nil
}

type titleInput struct {
	AssetPath
	Body struct {
		Title string `json:"title" minLength:"1" maxLength:"200" doc:"as organizers know it; viewers see the talk's" example:"Opening, final version"`
	}
}

// renameAsset answers PATCH /assets/{asset}.
func (s *Server) renameAsset(ctx context.Context, in *titleInput) (*assetOutput, error) {
	title := strings.TrimSpace(in.Body.Title)
	if title == "" || !utf8.ValidString(title) || strings.ContainsFunc(title, isControl) {
		return nil, wrong("body.title", "une ligne de texte est attendue", "a line of text is needed")
	}
	_, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	a, err := s.in.Library.UpdateAsset(ctx, in.ID, func(a *vod.Asset) error {
		a.Title = title
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "rename asset", slog.String("asset_id", string(in.ID)))
	return s.answerAsset(ctx, &a, v)
}

func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029'
}

// retryAsset answers POST /assets/{asset}/retry: what failed is done again, and
// what waits for its next attempt is tried at once.
func (s *Server) retryAsset(ctx context.Context, in *assetInput) (*assetOutput, error) {
	a, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	jobs, err := s.jobsByAsset(ctx)
	if err != nil {
		return nil, err
	}
	j, known := jobs[a.ID]
	kind, id := JobProcess, string(a.ID)
	switch {
	case known && (j.State == jobRunning || j.State == jobQueued):
		return nil, errWorking
	case known && (j.State == jobWaiting || j.State == jobGivenUp || j.State == jobCancelled) && j.Kind != JobProcess:
		kind, id = j.Kind, j.ID
	case a.State == vod.Ready:
		return nil, errNothingFailed
	}
	if kind == JobProcess {
		if a, err = s.in.Library.UpdateAsset(ctx, in.ID, func(a *vod.Asset) error {
			if a.State == vod.Failed {
				a.State, a.Percent, a.Progress, a.Verdict, a.Findings = vod.Uploaded, 0, vod.Progress{}, "", nil
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	if err := s.in.Jobs.Enqueue(ctx, kind, id, JobOptions{Urgent: true, Due: s.due(ctx, a.ID)}); err != nil {
		return nil, err
	}
	s.audit(ctx, "retry", slog.String("asset_id", string(a.ID)), slog.String("job", kind))
	return s.answerAsset(ctx, &a, v)
}

// due returns when an asset is first on air from now on; zero: nobody knows of
// a time, or asks at a moment when it cannot be known.
func (s *Server) due(ctx context.Context, id vod.AssetID) (first time.Time) {
	events, err := s.in.Events.Events(ctx)
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "hour of a film not known, its job has none", slog.String("asset_id", string(id)), slog.String("error", err.Error()))
		return time.Time{}
	}
	now := s.deps.Now()
	for i := range events {
		for j := range events[i].Talks {
			t := &events[i].Talks[j]
			if len(filmLanguages(&events[i], t, id)) > 0 && t.Starts.After(now) && (first.IsZero() || t.Starts.Before(first)) {
				first = t.Starts
			}
		}
	}
	return first
}

// cancelWait and cancelLooks say for how long, and how often, cancelAsset looks
// whether a cancelled job has ended: what it writes last must not hide that it was cancelled.
const (
	cancelWait  = 250 * time.Millisecond
	cancelLooks = 12
)

// cancelAsset answers POST /assets/{asset}/cancel. What is on air stays on air.
func (s *Server) cancelAsset(ctx context.Context, in *assetInput) (*assetOutput, error) {
	a, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	stopped, err := s.stopJobs(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	if !stopped && !working(a.State) {
		return nil, errNothingToStop
	}
	if a, err = s.in.Library.UpdateAsset(ctx, in.ID, func(a *vod.Asset) error {
		if working(a.State) {
			a.State, a.Percent, a.Progress, a.Findings = vod.Failed, 0, vod.Progress{}, []vod.Finding{cancelled}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	s.audit(ctx, "cancel", slog.String("asset_id", string(a.ID)))
	return s.answerAsset(ctx, &a, v)
}

// cancelled is the finding of an asset whose making an organizer stopped.
var cancelled = vod.Finding{
	Code: "cancelled",
	FR:   "Le traitement a été interrompu par l’organisation. «\u00a0Réessayer\u00a0» le reprend.",
	EN:   "An organizer has stopped the work on this film. “Try again” takes it up.",
}

// stopJobs cancels the unfinished jobs of an asset, and waits a little until none of them runs.
func (s *Server) stopJobs(ctx context.Context, id vod.AssetID) (stopped bool, err error) {
	for look := range cancelLooks {
		jobs, err := s.in.Jobs.Jobs(ctx, mostJobs)
		if err != nil {
			return stopped, err
		}
		running := false
		for _, j := range jobs {
			if j.asset() != id || !j.unfinished() {
				continue
			}
			running = running || j.State == jobRunning
			if look > 0 {
				continue
			}
			switch err := s.in.Jobs.Cancel(ctx, j.Kind, j.ID); {
			case errors.Is(err, ErrNoJob): // has ended meanwhile
			case err != nil:
				return stopped, err
			default:
				stopped = true
			}
		}
		if !running {
			break
		}
		if err := s.deps.Wait(ctx, s.deps.Now().Add(cancelWait)); err != nil {
			return stopped, err
		}
	}
	return stopped, nil
}

type restoreInput struct {
	AssetPath
	Body struct {
		Media vod.MediaID `json:"media" minLength:"1" maxLength:"64" doc:"of a past revision"`
	}
}

// restoreAsset answers POST /assets/{asset}/restore. To restore what is there already is no error.
func (s *Server) restoreAsset(ctx context.Context, in *restoreInput) (*assetOutput, error) {
	a, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	if a.Media != in.Body.Media || a.State != vod.Ready {
		if !slices.ContainsFunc(a.History, func(r vod.Revision) bool { return r.Media == in.Body.Media }) && a.Media != in.Body.Media {
			return nil, wrong("body.media", "ce n’est pas une version passée de cette vidéo", "not a past revision of this film")
		}
		if a, err = s.in.Recordings.Restore(ctx, in.ID, in.Body.Media); err != nil {
			return nil, err
		}
		s.audit(ctx, "restore revision", slog.String("asset_id", string(in.ID)), slog.String("media_id", string(in.Body.Media)))
	}
	return s.answerAsset(ctx, &a, v)
}

// deleteAsset answers DELETE /assets/{asset}: refused while a talk shows the
// film, or has shown it, as its replay is made of the same media.
func (s *Server) deleteAsset(ctx context.Context, in *assetInput) (*struct{}, error) {
	a, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	talks, err := s.showing(ctx, &a, v)
	if err != nil {
		return nil, err
	}
	if talks != nil {
		return nil, &inUse{talks}
	}
	if _, err := s.stopJobs(ctx, a.ID); err != nil {
		return nil, err
	}
	err = s.in.Recordings.Delete(ctx, a.ID)
	if errors.Is(err, vod.ErrConflict) {
		err = &inUse{}
	}
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "delete asset", slog.String("asset_id", string(a.ID)))
	return nil, nil
}

// showing returns the talks of the caller's event that show an asset or have
// shown it; empty, not nil, when only another event's does.
func (s *Server) showing(ctx context.Context, a *vod.Asset, v *sight) (talks []event.TalkID, err error) {
	if v.foreign[a.ID] {
		talks = []event.TalkID{}
	}
	for _, t := range talksShowing(&v.event, a.ID) {
		talks = append(talks, t.Talk)
	}
	media := map[vod.MediaID]bool{a.Media: true, a.First: true}
	for i := range a.History {
		media[a.History[i].Media] = true
	}
	delete(media, "")
	events, err := s.in.Events.Events(ctx)
	if err != nil {
		return nil, err
	}
	for i := range events {
		p, err := s.deps.Playout.Programme(events[i].ID, s.deps.Now())
		if err != nil {
			continue // not on air yet: nothing of it was shown
		}
		for j := range p.Talks {
			t := &p.Talks[j]
			for _, airing := range t.Airings {
				switch {
				case !media[airing.Media]:
				case events[i].ID != v.event.ID:
					talks = append([]event.TalkID{}, talks...)
				case !slices.Contains(talks, t.ID):
					talks = append(talks, t.ID)
				}
			}
		}
	}
	return talks, nil
}
