package ingest

import (
	"context"
	"math"
	"time"

	"reprise/stream/timeline"
	"reprise/vod"
)

// Step is where the work on an asset stands.
type Step struct {
	State    vod.State
	Percent  float64 // of State, 0..100
	Progress vod.Progress
}

// Stages of the work, as vod.Progress names them.
const (
	stageChecking  = "checking"
	stageMeasuring = "measuring"
	stageFirst     = "first"
	stageEncoding  = "encoding"
	stagePackaging = "packaging"
	stagePictures  = "pictures"
)

// stages in the order of the work, with the state in which they are and what a
// second of film costs by guess, in seconds; what encoding costs is known better (pace).
var stages = []struct {
	name  string
	state vod.State
	guess float64
}{
	{stageChecking, vod.Probing, 0.001},
	{stageMeasuring, vod.Probing, 0.02},
	{stageFirst, vod.Processing, 0},
	{stageEncoding, vod.Processing, 0},
	{stagePackaging, vod.Processing, 0.004},
	{stagePictures, vod.Processing, 0.01},
}

// timing knows how long the stages of one attempt take: how long they took, and
// how long those to come will take by guess.
type timing struct {
	length time.Duration            // of the film; 0: not known yet
	costs  map[string]time.Duration // guessed, by stage; absent: the stage is left out
	stage  string
	began  time.Time // of the stage
	from   float64   // part of the stage that was done when it began here
}

// plan guesses what the stages will cost, now that the recipe is known.
func (c *timing) plan(length timeline.Ticks, first, encoding time.Duration) {
	c.length = length.Duration()
	c.costs = map[string]time.Duration{stageFirst: first, stageEncoding: encoding}
	for _, s := range stages {
		if s.guess > 0 {
			c.costs[s.name] = time.Duration(s.guess * float64(c.length))
		}
	}
}

// at says what is known when part (0..1) of a stage is done.
func (c *timing) at(now time.Time, stage string, part float64) (percent float64, p vod.Progress) {
	part = min(1, max(0, part))
	if c.stage != stage {
		c.stage, c.began, c.from = stage, now, part
	}
	p.Stage = stage
	spent := now.Sub(c.began)
	cost := c.costs[stage]
	if done := part - c.from; done > 0.02 && spent > 0 {
		cost = time.Duration(float64(spent) / done)
		if c.length > 0 {
			p.Speed = math.Round(done*c.length.Seconds()/spent.Seconds()*100) / 100
		}
	}
	var before, all, left time.Duration
	passed := false
	state := stateOf(stage)
	for _, s := range stages {
		own := c.costs[s.name]
		switch {
		case s.name == stage:
			passed = true
			left += time.Duration((1 - part) * float64(cost))
			before += time.Duration(part * float64(own))
		case passed:
			left += own
		case s.state == state:
			before += own
		}
		if s.state == state {
			all += own
		}
	}
	if c.costs != nil {
		p.Left = left.Round(time.Second)
	}
	if all > 0 {
		percent = 100 * float64(before) / float64(all)
	}
	return percent, p
}

func stateOf(stage string) vod.State {
	for _, s := range stages {
		if s.name == stage {
			return s.state
		}
	}
	return vod.Processing
}

// at tells the library and the caller how far a stage is, 0..1. The library is
// told at most once a second; errSuperseded when the work is not ours any more.
func (w *work) at(ctx context.Context, stage string, part float64) error {
	now := w.g.now()
	percent, progress := w.clock.at(now, stage, part)
	progress.Node = w.g.cfg.Node
	state := stateOf(stage)
	percent = math.Round(min(100, max(0, percent))*10) / 10
	if state == w.said.State {
		percent = max(percent, w.said.Percent) // guesses change, progress does not go back
	}
	fresh := state != w.said.State || stage != w.said.Progress.Stage
	w.said = Step{State: state, Percent: percent, Progress: progress}
	if w.tell != nil {
		w.tell(w.said)
	}
	if !fresh && now.Sub(w.told) < time.Second {
		return nil
	}
	w.told = now
	_, err := w.mine(ctx, func(a *vod.Asset) {
		a.State, a.Percent, a.Progress = state, percent, progress
		if state == vod.Processing {
			a.Verdict, a.Findings = verdictOf(w.findings), w.findings
		}
	})
	return err
}

// stage reports the progress of a stage, between two parts of it. A library
// that cannot be told does not stop the work; that the work is not ours any more does.
func (w *work) stage(ctx context.Context, stage string, from, to float64) func(float64) {
	return func(part float64) {
		err := w.at(ctx, stage, from+(to-from)*part)
		switch {
		case err == nil || ctx.Err() != nil:
		case superseded(err):
			w.stop(err)
		default:
			w.g.log.Warn("progress not written, work goes on", "asset_id", w.asset.ID, "error", err)
		}
	}
}

// pace is how much picture this machine encodes: pixels a second, of all rungs
// together, and a share of the source's for decoding.
type pace float64

// presetPace is a guess for one core and the preset, until a film was made here.
func presetPace(preset string, cores int) pace {
	each := map[string]float64{
		"ultrafast": 130e6, "superfast": 90e6, "veryfast": 60e6, "faster": 38e6, "fast": 30e6,
		"medium": 22e6, "slow": 13e6, "slower": 6e6, "veryslow": 3e6,
	}
	return pace(each[preset] * float64(max(1, cores)))
}

// work is how many pixels a second of film costs.
func pixels(p *Probe, rungs []string, fps int) float64 {
	if len(rungs) == 0 || len(p.Video) == 0 {
		return 0
	}
	v := &p.Video[0]
	sum := 0.3 * float64(v.Width*v.Height) * max(1, v.Rate.Float())
	for _, name := range rungs {
		r := rungNamed(name)
		sum += float64(r.width*r.height) * float64(fps)
	}
	return sum
}

// estimate says how long encoding will take here.
func (g *Ingester) estimate(p *Probe, rungs []string, fps int, length time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Duration(pixels(p, rungs, fps) / float64(g.pace) * float64(length))
}

// learn notes how long encoding took.
func (g *Ingester) learn(p *Probe, rungs []string, fps int, length, took time.Duration) {
	work := pixels(p, rungs, fps) * length.Seconds()
	if work <= 0 || took < 2*time.Second { // too short to say anything
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace = (g.pace + pace(work/took.Seconds())) / 2
}
