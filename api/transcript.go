package api

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"reprise/event"
	"reprise/stream"
	"reprise/vod"
	"reprise/vod/ingest"
)

// TranscriptLine is one line of what is said.
type TranscriptLine struct {
	From    float64 `json:"from" doc:"seconds from the beginning of the film"`
	To      float64 `json:"to"`
	Speaker string  `json:"speaker,omitempty"`
	Text    string  `json:"text"`
}

// Transcript is what is said in a film, by its captions.
type Transcript struct {
	Asset     vod.AssetID      `json:"asset"`
	Language  string           `json:"language"`
	Languages []string         `json:"languages" doc:"in which there is one"`
	Lines     []TranscriptLine `json:"lines"`
}

type transcriptInput struct {
	AssetPath
	Language string `query:"language" pattern:"^[A-Za-z0-9-]{2,35}$" doc:"absent: the first there is"`
}

type transcriptOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Transcript
}

// transcript answers GET /assets/{asset}/transcript.
func (s *Server) transcript(ctx context.Context, in *transcriptInput) (*transcriptOutput, error) {
	a, _, err := s.asset(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	tracks, err := s.in.Recordings.CaptionLanguages(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &transcriptOutput{CacheControl: privateNoStore, Body: Transcript{Asset: in.ID, Language: in.Language, Languages: []string{}, Lines: []TranscriptLine{}}}
	for i := range tracks {
		out.Body.Languages = append(out.Body.Languages, tracks[i].Language)
	}
	if out.Body.Language == "" && len(out.Body.Languages) > 0 {
		out.Body.Language = out.Body.Languages[0]
	}
	if out.Body.Language == "" {
		return nil, ingest.ErrNoCaptions
	}
	lines, err := s.lines(ctx, &a, out.Body.Language)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		out.Body.Lines = append(out.Body.Lines, TranscriptLine{seconds(l.From), seconds(l.To), l.Speaker, l.Text})
	}
	return out, nil
}

// mostTranscripts bounds those that are kept: about 100 KB each.
const mostTranscripts = 400

// transcripts keeps what was read, as a search reads all of them.
type transcripts struct {
	mu    sync.Mutex
	lines map[transcriptKey][]ingest.Line
}

type transcriptKey struct {
	asset    vod.AssetID
	updated  int64
	language string
}

// lines returns an asset's transcript; it is shared and must not be changed.
func (s *Server) lines(ctx context.Context, a *vod.Asset, language string) ([]ingest.Line, error) {
	key := transcriptKey{a.ID, a.Updated.UnixMicro(), language}
	s.transcripts.mu.Lock()
	lines, ok := s.transcripts.lines[key]
	s.transcripts.mu.Unlock()
	if ok {
		return lines, nil
	}
	lines, err := s.in.Recordings.Transcript(ctx, a.ID, language)
	if err != nil {
		return nil, err
	}
	s.transcripts.mu.Lock()
	defer s.transcripts.mu.Unlock()
	if len(s.transcripts.lines) >= mostTranscripts || s.transcripts.lines == nil {
		s.transcripts.lines = map[transcriptKey][]ingest.Line{}
	}
	s.transcripts.lines[key] = lines
	return lines, nil
}

// SearchHit is a place in a talk where the words are said.
type SearchHit struct {
	Talk     event.TalkID `json:"talk"`
	Title    event.Text   `json:"title" doc:"of the talk, by language"`
	Language string       `json:"language" doc:"of the captions"`
	From     float64      `json:"from" doc:"seconds from the beginning of the film"`
	To       float64      `json:"to"`
	Snippet  string       `json:"snippet"`
	Marks    []SearchMark `json:"marks" doc:"the words in snippet"`
}

// SearchMark is a stretch of a snippet, in UTF-16 code units, as JavaScript counts.
type SearchMark struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// SearchResult is the answer of search.
type SearchResult struct {
	Hits []SearchHit `json:"hits" doc:"by talk, in the order of the programme, then by instant"`
	More bool        `json:"more" doc:"there are more than are listed"`
}

type searchInput struct {
	Bearer
	Query    string `query:"q" required:"true" minLength:"2" maxLength:"200" example:"neural networks"`
	Language string `query:"language" pattern:"^[A-Za-z0-9-]{2,35}$" doc:"of the captions; absent: all"`
	Limit    int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type searchOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         SearchResult
}

// search answers GET /search. An attendee searches what can be replayed: words
// of a talk that is still to come would be let out before their hour.
func (s *Server) search(ctx context.Context, in *searchInput) (*searchOutput, error) {
	now := s.deps.Now()
	claims, err := s.link(in.Bearer, now)
	if err != nil {
		return nil, err
	}
	if s.in == nil {
		return nil, errNotReady
	}
	if claims.HandIn() != "" {
		return nil, errScope
	}
	p, err := s.deps.Playout.Programme(event.ID(claims.Event), now)
	if err != nil {
		return nil, err
	}
	e, err := s.in.Events.Event(ctx, p.Event)
	if err != nil {
		return nil, err
	}
	out := &searchOutput{CacheControl: privateNoStore, Body: SearchResult{Hits: []SearchHit{}}}
	for i := range p.Talks {
		t := &p.Talks[i]
		if !claims.Staff && (t.State != stream.ReplayOn || !claims.MayTalk(string(t.Auditorium), string(t.ID))) {
			continue
		}
		hits, err := s.searchTalk(ctx, talkOf(&e, t.ID), in)
		if err != nil {
			return nil, err
		}
		out.Body.Hits = append(out.Body.Hits, hits...)
		if len(out.Body.Hits) > in.Limit {
			out.Body.Hits, out.Body.More = out.Body.Hits[:in.Limit], true
			break
		}
	}
	return out, nil
}

// searchTalk searches the films of one talk; nil: one that was taken off the programme a moment ago.
func (s *Server) searchTalk(ctx context.Context, t *event.Talk, in *searchInput) (hits []SearchHit, err error) {
	if t == nil {
		return nil, nil
	}
	for _, id := range slices.Compact(slices.Sorted(maps.Values(t.Films))) {
		a, err := s.in.Library.Asset(ctx, vod.AssetID(id))
		if errors.Is(err, vod.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		tracks, err := s.in.Recordings.CaptionLanguages(ctx, a.ID)
		if err != nil {
			return nil, err
		}
		for i := range tracks {
			if in.Language != "" && !strings.EqualFold(tracks[i].Language, in.Language) {
				continue
			}
			lines, err := s.lines(ctx, &a, tracks[i].Language)
			if errors.Is(err, ingest.ErrNoCaptions) {
				continue
			}
			if err != nil {
				return nil, err
			}
			for _, h := range ingest.Search(lines, in.Query) {
				l := lines[h.Line]
				hit := SearchHit{t.ID, dict(t.Title), tracks[i].Language, seconds(l.From), seconds(l.To), h.Snippet, []SearchMark{}}
				for _, m := range h.Marks {
					hit.Marks = append(hit.Marks, SearchMark(m))
				}
				hits = append(hits, hit)
			}
		}
	}
	slices.SortStableFunc(hits, func(a, b SearchHit) int { return cmp.Compare(a.From, b.From) })
	return hits, nil
}
