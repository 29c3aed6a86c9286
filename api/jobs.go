package api

import (
	"context"
	"strings"
	"time"

	"reprise/vod"
)

// States of jobs that decide something here.
const (
	jobQueued    = "queued"
	jobRunning   = "running"
	jobWaiting   = "waiting"
	jobCancelled = "cancelled"
	jobGivenUp   = "given-up"
)

// mostJobs bounds how many jobs are looked at.
const mostJobs = 2000

// asset returns the asset that a job works on; empty: none.
func (j *Job) asset() vod.AssetID {
	switch j.Kind {
	case JobProcess, JobRemake:
		return vod.AssetID(j.ID)
	case JobCaptions:
		id, _, _ := strings.Cut(j.ID, ".")
		return vod.AssetID(id)
	}
	return ""
}

func (j *Job) unfinished() bool {
	return j.State == jobQueued || j.State == jobRunning || j.State == jobWaiting
}

// assetJobs is the job that matters of each asset: an unfinished one, the running first, else the last.
type assetJobs map[vod.AssetID]*Job

// byAsset chooses from jobs in the order of Jobs.Jobs.
func byAsset(jobs []Job) assetJobs {
	out := assetJobs{}
	for i := range jobs {
		j := &jobs[i]
		id := j.asset()
		if old := out[id]; id != "" && (old == nil || j.State == jobRunning && old.State != jobRunning) {
			out[id] = j
		}
	}
	return out
}

func (s *Server) jobsByAsset(ctx context.Context) (assetJobs, error) {
	jobs, err := s.in.Jobs.Jobs(ctx, mostJobs)
	if err != nil {
		return nil, err
	}
	return byAsset(jobs), nil
}

// QueuedJob is a piece of work.
type QueuedJob struct {
	Kind     string      `json:"kind" enum:"take,process,remake,captions" doc:"take: an upload becomes a film; process: a film is made ready; remake: its captions, chapters or poster changed; captions: they are made from the sound"`
	Asset    vod.AssetID `json:"asset,omitempty"`
	Upload   string      `json:"upload,omitempty"`
	Language string      `json:"language,omitempty" doc:"captions: which"`
	Title    string      `json:"title" doc:"of the film, or the name of the file"`
	State    string      `json:"state" enum:"queued,running,waiting,done,cancelled,given-up"`
	Attempt  int         `json:"attempt" doc:"the running or last; 0: none yet"`
	Enqueued time.Time   `json:"enqueued"`
	Started  *time.Time  `json:"started,omitempty"`
	Next     *time.Time  `json:"next,omitempty" doc:"waiting: of the next attempt"`
	Finished *time.Time  `json:"finished,omitempty"`
	Node     string      `json:"node,omitempty"`
	Failures []Failure   `json:"failures" doc:"oldest first"`
}

// JobList is the answer of jobs.
type JobList struct {
	Jobs []QueuedJob `json:"jobs" doc:"unfinished ones in the order they will be done, then the finished, newest first"`
}

type jobsInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"200"`
}

type jobsOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         JobList
}

// jobs answers GET /jobs: the work on what the caller sees.
func (s *Server) jobs(ctx context.Context, in *jobsInput) (*jobsOutput, error) {
	v, err := s.sightOf(ctx, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	all, err := s.in.Library.Assets(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := s.in.Jobs.Jobs(ctx, mostJobs)
	if err != nil {
		return nil, err
	}
	out := &jobsOutput{CacheControl: privateNoStore, Body: JobList{wireJobs(jobs, all, v)}}
	if len(out.Body.Jobs) > in.Limit {
		out.Body.Jobs = out.Body.Jobs[:in.Limit]
	}
	return out, nil
}

// wireJobs returns the jobs on what somebody sees.
func wireJobs(jobs []Job, assets []vod.Asset, v *sight) []QueuedJob {
	titles := map[vod.AssetID]string{}
	for i := range assets {
		if v.sees(&assets[i]) {
			titles[assets[i].ID] = assets[i].Title
		}
	}
	files := map[string]string{}
	for i := range v.uploads {
		files[string(v.uploads[i].ID)] = v.uploads[i].Name
	}
	out := []QueuedJob{}
	for i := range jobs {
		j := &jobs[i]
		w := QueuedJob{Kind: j.Kind, State: j.State, Attempt: j.Attempt, Enqueued: j.Enqueued.UTC(), Started: instant(j.Started), Finished: instant(j.Finished),
			Node: j.Node, Failures: wireFailures(j.Failures)}
		if j.State == jobWaiting {
			w.Next = instant(j.Next)
		}
		seen := false
		switch id := j.asset(); {
		case id != "":
			w.Asset = id
			w.Title, seen = titles[id]
			_, w.Language, _ = strings.Cut(j.ID, ".")
		case j.Kind == JobTake:
			w.Upload = j.ID
			w.Title, seen = files[j.ID]
		}
		if seen {
			out = append(out, w)
		}
	}
	return out
}
