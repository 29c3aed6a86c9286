package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"mime"
	"strconv"
	"strings"
	"time"

	"reprise/event"
	"reprise/vod"
	"reprise/vod/ingest"
	"reprise/vod/webvtt"
)

const (
	maxCaptions     = 16 << 20 // bytes of a file: a day of speech is two or three
	maxCues         = 8 << 20  // bytes of JSON
	mostCues        = 50_000
	captionsTimeout = time.Minute
	longestShift    = 12 * 3600 // seconds
)

// CaptionTrack is the captions of a film in one language.
type CaptionTrack struct {
	Language string     `json:"language" doc:"BCP 47"`
	Name     string     `json:"name,omitempty" doc:"of the file as it came"`
	Format   string     `json:"format,omitempty" doc:"of the file as it came: webvtt, srt, ttml, ass, mov_text"`
	Encoding string     `json:"encoding,omitempty" doc:"of the file as it came, as guessed" example:"windows-1252"`
	Origin   string     `json:"origin,omitempty" doc:"beside (the film), film (inside it), upload, edited, command"`
	Shift    float64    `json:"shift" doc:"seconds by which they are shown later than the file says"`
	By       string     `json:"by,omitempty" doc:"who gave or changed them"`
	At       *time.Time `json:"at,omitempty"`
	ETag     string     `json:"etag" doc:"for If-Match"`
}

func wireTrack(c *vod.Captions) CaptionTrack {
	return CaptionTrack{Language: c.Language, Name: c.Name, Format: c.Format, Encoding: c.Encoding, Origin: c.Origin, Shift: c.Shift, By: c.By, At: instant(c.At), ETag: captionsTag(c)}
}

// captionsTag is the ETag of captions: another one for each change.
func captionsTag(c *vod.Captions) string {
	return tagOf([]any{c.Language, c.Object, c.Original, c.Shift, c.Origin, c.At.UnixMicro()})
}

// byPeople tells captions that somebody wrote or changed here from those that came with the film.
func byPeople(c *vod.Captions) bool {
	return c.Origin == "upload" || c.Origin == "edited" || c.Shift != 0
}

// CaptionList is the captions of a film.
type CaptionList struct {
	Captions []CaptionTrack `json:"captions"`
	Command  bool           `json:"command" doc:"captions can be made from the sound here"`
}

type captionListOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         CaptionList
}

// captionList answers GET /assets/{asset}/captions.
func (s *Server) captionList(ctx context.Context, in *assetInput) (*captionListOutput, error) {
	if _, _, err := s.asset(ctx, callerOf(ctx), in.ID); err != nil {
		return nil, err
	}
	tracks, err := s.in.Recordings.CaptionLanguages(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &captionListOutput{CacheControl: privateNoStore, Body: CaptionList{[]CaptionTrack{}, s.cfg.CaptionCommand}}
	for i := range tracks {
		out.Body.Captions = append(out.Body.Captions, wireTrack(&tracks[i]))
	}
	return out, nil
}

// Cue is one caption.
type Cue struct {
	ID       string  `json:"id,omitempty" maxLength:"200"`
	Start    float64 `json:"start" minimum:"-86400" maximum:"86400" doc:"seconds from the beginning of the film" example:"12.48"`
	End      float64 `json:"end" minimum:"-86400" maximum:"86400" example:"15.2"`
	Text     string  `json:"text" maxLength:"4096" doc:"WebVTT cue text: lines, and the tags b, i, u, c, v, lang, ruby and rt" example:"<v Ada>Hello, and welcome."`
	Settings string  `json:"settings,omitempty" maxLength:"200" doc:"WebVTT cue settings" example:"line:90%"`
}

// Cues is captions as JSON.
type Cues struct {
	Track CaptionTrack `json:"track"`
	Cues  []Cue        `json:"cues" doc:"as shown in the film: with the shift"`
}

// CaptionPath names the captions of a film in one language. Exported, as huma fills only exported fields.
type CaptionPath struct {
	AssetPath
	Language string `path:"language" pattern:"^[A-Za-z0-9-]{2,35}$" doc:"BCP 47" example:"fr"`
}

type getCaptionsInput struct {
	CaptionPath
	Accept string `header:"Accept" hidden:"true"`
}

type rawOutput struct {
	CacheControl string `header:"Cache-Control"`
	Vary         string `header:"Vary"`
	ETag         string `header:"ETag" doc:"for If-Match"`
	ContentType  string `header:"Content-Type"`
	Disposition  string `header:"Content-Disposition"`
	Body         []byte
}

// getCaptions answers GET /assets/{asset}/captions/{language}: JSON, or WebVTT for who asks for it.
func (s *Server) getCaptions(ctx context.Context, in *getCaptionsInput) (*rawOutput, error) {
	a, _, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	cues, track, err := s.in.Recordings.Cues(ctx, in.ID, in.Language)
	if err != nil {
		return nil, err
	}
	out := &rawOutput{CacheControl: privateNoStore, Vary: "Accept", ETag: captionsTag(&track)}
	if wantsWebVTT(in.Accept) {
		out.ContentType, out.Body = captionsType+"; charset=utf-8", webvtt.Write(cues)
		out.Disposition = mime.FormatMediaType("attachment", map[string]string{"filename": fileName(a.Title) + "." + in.Language + ".vtt"})
		return out, nil
	}
	wire := Cues{Track: wireTrack(&track), Cues: []Cue{}}
	for _, c := range cues {
		wire.Cues = append(wire.Cues, Cue{c.ID, seconds(c.Start), seconds(c.End), c.Text, c.Settings})
	}
	out.ContentType = "application/json"
	out.Body, err = json.Marshal(wire)
	return out, err
}

// wantsWebVTT tells whether WebVTT is named, and JSON is not named before it.
func wantsWebVTT(accept string) bool {
	vtt, other := strings.Index(accept, captionsType), strings.Index(accept, "application/json")
	return vtt >= 0 && (other < 0 || vtt < other)
}

// fileName makes a file's name of a title.
func fileName(title string) string {
	name := strings.Map(func(r rune) rune {
		if isControl(r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, title)
	return cmp.Or(strings.Trim(name, " .-"), "captions")
}

type putCaptionsInput struct {
	CaptionPath
	Guard
	Name    string `query:"name" maxLength:"255" doc:"of the file" example:"opening.fr.srt"`
	RawBody []byte
}

// CaptionsChanged is what a change made of captions.
type CaptionsChanged struct {
	Track    CaptionTrack   `json:"track"`
	Findings []AssetFinding `json:"findings" doc:"what was guessed, repaired or left out, and what does not fit the film"`
}

type captionsOutput struct {
	CacheControl string `header:"Cache-Control"`
	ETag         string `header:"ETag" doc:"for If-Match"`
	Body         CaptionsChanged
}

// putCaptions answers PUT /assets/{asset}/captions/{language}.
func (s *Server) putCaptions(ctx context.Context, in *putCaptionsInput) (*captionsOutput, error) {
	name := in.Name
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	if name == "" || strings.ContainsFunc(name, isControl) {
		name = in.Language
	}
	return s.changeCaptions(ctx, &in.CaptionPath, &in.Guard, "put captions", func(by string) (vod.Asset, []vod.Finding, error) {
		return s.in.Recordings.SetCaptions(ctx, in.ID, in.Language, name, by, bytes.NewReader(in.RawBody))
	})
}

type putCuesInput struct {
	CaptionPath
	Guard
	Body struct {
		Cues []Cue `json:"cues" minItems:"1" maxItems:"50000" doc:"all of them, as shown in the film"`
	}
}

// putCues answers PUT /assets/{asset}/captions/{language}/cues.
func (s *Server) putCues(ctx context.Context, in *putCuesInput) (*captionsOutput, error) {
	var cues []webvtt.Cue
	var faults []wrongField
	for i, c := range in.Body.Cues {
		if math.IsNaN(c.Start) || c.Start < 0 || c.End <= c.Start {
			faults = append(faults, wrongField{"body.cues[" + strconv.Itoa(i) + "]",
				[2]string{"finit avant de commencer, ou commence avant la vidéo", "ends before it starts, or starts before the film"}})
		}
		cues = append(cues, webvtt.Cue{ID: c.ID, Start: ofSeconds(c.Start), End: ofSeconds(c.End), Text: c.Text, Settings: c.Settings})
	}
	if faults != nil {
		return nil, &invalid{faults}
	}
	return s.changeCaptions(ctx, &in.CaptionPath, &in.Guard, "edit captions", func(by string) (vod.Asset, []vod.Finding, error) {
		return s.in.Recordings.SetCues(ctx, in.ID, in.Language, by, cues)
	})
}

func ofSeconds(f float64) time.Duration {
	return time.Duration(math.Round(f*1000)) * time.Millisecond
}

type shiftInput struct {
	CaptionPath
	Guard
	Body struct {
		Shift float64 `json:"shift" minimum:"-43200" maximum:"43200" doc:"seconds by which they are shown later than the file says; the whole shift, not one more" example:"-1.25"`
	}
}

// shiftCaptions answers PATCH /assets/{asset}/captions/{language}.
func (s *Server) shiftCaptions(ctx context.Context, in *shiftInput) (*captionsOutput, error) {
	return s.changeCaptions(ctx, &in.CaptionPath, &in.Guard, "shift captions", func(by string) (vod.Asset, []vod.Finding, error) {
		return s.in.Recordings.ShiftCaptions(ctx, in.ID, in.Language, by, ofSeconds(in.Body.Shift))
	})
}

type dropCaptionsInput struct {
	CaptionPath
	Guard
}

// dropCaptions answers DELETE /assets/{asset}/captions/{language}. What is gone already is no error.
func (s *Server) dropCaptions(ctx context.Context, in *dropCaptionsInput) (*struct{}, error) {
	_, err := s.changeCaptions(ctx, &in.CaptionPath, &in.Guard, "remove captions", func(by string) (vod.Asset, []vod.Finding, error) {
		a, err := s.in.Recordings.RemoveCaptions(ctx, in.ID, in.Language, by)
		return a, nil, err
	})
	if errors.Is(err, ingest.ErrNoCaptions) {
		err = nil
	}
	return nil, err
}

// changeCaptions runs one change of the captions in one language: nobody
// else's at the same time, and only of what the caller has read.
func (s *Server) changeCaptions(ctx context.Context, path *CaptionPath, guard *Guard, did string, change func(by string) (vod.Asset, []vod.Finding, error)) (*captionsOutput, error) {
	c := callerOf(ctx)
	if _, _, err := s.asset(ctx, c, path.ID); err != nil {
		return nil, err
	}
	out := &captionsOutput{CacheControl: privateNoStore}
	err := s.exclusively(ctx, "captions:"+string(path.ID)+":"+path.Language, func() error {
		_, before, err := s.in.Recordings.Cues(ctx, path.ID, path.Language)
		if err != nil && !errors.Is(err, ingest.ErrNoCaptions) {
			return err
		}
		if err := guard.check(captionsTag(&before), err != nil || !byPeople(&before)); err != nil {
			return err
		}
		a, findings, err := change(c.name())
		if err != nil {
			return unreadable(err, findings)
		}
		after := vod.Captions{Language: path.Language}
		for i := range a.Extras.Captions {
			if a.Extras.Captions[i].Language == path.Language {
				after = a.Extras.Captions[i]
			}
		}
		out.Body = CaptionsChanged{wireTrack(&after), wireFindings(findings)}
		out.ETag = out.Body.Track.ETag
		return s.remake(ctx, &a)
	})
	if err != nil {
		return nil, err
	}
	s.audit(ctx, did, slog.String("asset_id", string(path.ID)), slog.String("language", path.Language))
	return out, nil
}

// noCaptions is ingest.ErrCaptions with what was found instead.
type noCaptions struct {
	err      error
	findings []vod.Finding
}

func (e *noCaptions) Error() string { return e.err.Error() }
func (e *noCaptions) Unwrap() error { return e.err }

func unreadable(err error, findings []vod.Finding) error {
	if len(findings) == 0 {
		return err
	}
	return &noCaptions{err, findings}
}

type generatedOutput struct {
	Status int
}

// generateCaptions answers POST /assets/{asset}/captions/{language}/generate.
func (s *Server) generateCaptions(ctx context.Context, in *struct{ CaptionPath }) (*generatedOutput, error) {
	a, v, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	if err := languagesOf(&v.event, []event.Language{event.Language(in.Language)}); err != nil {
		return nil, err
	}
	if !s.cfg.CaptionCommand {
		return nil, ingest.ErrNoCommand
	}
	_, before, err := s.in.Recordings.Cues(ctx, in.ID, in.Language)
	if err != nil && !errors.Is(err, ingest.ErrNoCaptions) {
		return nil, err
	}
	if err == nil && byPeople(&before) {
		return nil, errCaptionsThere // what somebody corrected by hand must not be lost to a program
	}
	if a.Playable() == "" {
		return nil, ingest.ErrNoSound
	}
	if err := s.in.Jobs.Enqueue(ctx, JobCaptions, fmt.Sprintf("%s.%s", in.ID, in.Language), JobOptions{Due: s.due(ctx, in.ID)}); err != nil {
		return nil, err
	}
	s.audit(ctx, "generate captions", slog.String("asset_id", string(in.ID)), slog.String("language", in.Language))
	return &generatedOutput{202}, nil
}
