package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"reprise/api/token"
	"reprise/event"
	"reprise/vod"
)

const (
	// progressTurn is how often the stores are read while somebody listens, once for all of them.
	progressTurn = time.Second
	// heartbeat keeps proxies from closing a stream in which nothing happens, and
	// is when a listener's link is looked at again.
	heartbeat = 15 * time.Second
	// progressWrite is how long one batch of events may take to go out: a
	// listener that does not read is cut off, and comes back.
	progressWrite = 10 * time.Second
	// progressSkew is by how much clocks of nodes may differ: a listener that
	// comes back hears what happened so long before it left once more.
	progressSkew = 10 * time.Second
	// progressRead is how long one reading of the stores may take.
	progressRead  = 10 * time.Second
	mostListeners = 500
	// Milliseconds after which a listener comes back: after an end by chance, and after a stop.
	retryUsual, retryStop = 2000, 1000
)

// board is what all listeners of this process look at: the state of the work
// in the stores, read by whoever looks first in each turn. It needs no loop of
// its own, and reads nothing while nobody listens.
type board struct {
	mu    sync.Mutex
	state *boardState
	err   error
	turn  time.Time
}

// boardState is the work on all films at one instant. It is shared and must not be changed.
type boardState struct {
	at      time.Time
	events  []event.Event
	uploads []vod.Upload
	assets  []vod.Asset
	jobs    []Job
}

// look returns the state of this turn.
func (s *Server) look(ctx context.Context, now time.Time) (*boardState, error) {
	turn := now.Truncate(progressTurn)
	b := &s.board
	b.mu.Lock()
	defer b.mu.Unlock()
	// One that is a little late takes what the others have; a clock that was set back starts anew.
	if ahead := b.turn.Sub(turn); ahead >= 0 && ahead < progressSkew {
		return b.state, b.err
	}
	// The first one reads for all: that it left must not be everybody's fault.
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), progressRead)
	defer cancel()
	b.turn = turn
	b.state, b.err = s.readBoard(reading, now)
	if b.err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "progress cannot be read, next try in a second", slog.String("error", token.Redact(b.err.Error())))
	}
	return b.state, b.err
}

func (s *Server) readBoard(ctx context.Context, now time.Time) (*boardState, error) {
	state := &boardState{at: now}
	var err error
	if state.events, err = s.in.Events.Events(ctx); err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	if state.uploads, err = s.in.Uploads.Uploads(ctx, ""); err != nil {
		return nil, fmt.Errorf("read uploads: %w", err)
	}
	if state.assets, err = s.in.Library.Assets(ctx); err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}
	if state.jobs, err = s.in.Jobs.Jobs(ctx, mostJobs); err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	return state, nil
}

type progressInput struct {
	Bearer
	Last string `header:"Last-Event-ID" maxLength:"20" doc:"the last id that was heard: only what changed since is told again"`
}

type progressOutput struct {
	Body func(huma.Context)
}

// progress answers GET /progress, a stream of server-sent events.
func (s *Server) progress(ctx context.Context, in *progressInput) (*progressOutput, error) {
	if s.draining.Load() {
		return nil, errNotReady
	}
	if s.listeners.Add(1) > mostListeners {
		s.listeners.Add(-1)
		return nil, errNotReady
	}
	l := &listener{server: s, caller: callerOf(ctx), authorization: in.Authorization, told: map[string]string{}}
	if micros, err := strconv.ParseInt(in.Last, 10, 64); err == nil && micros > 0 {
		l.since = time.UnixMicro(micros).Add(-progressSkew)
	}
	return &progressOutput{Body: func(hc huma.Context) {
		defer s.listeners.Add(-1)
		c := humaecho.Unwrap(hc)
		l.out, l.control = c.Response(), http.NewResponseController(c.Response().Writer)
		l.run(c.Request().Context())
	}}, nil
}

// listener is one stream of events.
type listener struct {
	server        *Server
	caller        *caller
	authorization string
	out           http.ResponseWriter
	control       *http.ResponseController
	since         time.Time         // what did not change since is known already; zero: nothing is
	begun         bool              // the first batch has gone out
	told          map[string]string // what was told last, by key
	spoke         time.Time         // when the last byte went out
	looked        time.Time         // when the link was looked at last
}

// run tells until the client leaves, its link ends, or the server stops.
func (l *listener) run(request context.Context) {
	s := l.server
	ctx, cancel := context.WithCancel(request)
	defer cancel()
	defer context.AfterFunc(s.gate.drain, cancel)()
	// net/http takes the passing of the read deadline for the client's leaving.
	_ = l.control.SetReadDeadline(time.Time{})
	h := l.out.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", noStore)
	h.Set("X-Accel-Buffering", "no") // or nginx would keep events back
	now := s.deps.Now()
	l.looked = now
	ok := l.send(now, fmt.Appendf(nil, "retry: %d\n\n", retryUsual))
	for ok {
		ok = l.turn(ctx, now)
		if !ok || s.deps.Wait(ctx, now.Truncate(progressTurn).Add(progressTurn)) != nil {
			break
		}
		now = s.deps.Now()
	}
	if request.Err() == nil && s.draining.Load() {
		l.send(now, fmt.Appendf(nil, "event: end\nretry: %d\ndata: {\"reason\":\"stopping\"}\n\n", retryStop))
	}
}

// turn tells what changed since the last one, and reports whether to go on.
func (l *listener) turn(ctx context.Context, now time.Time) bool {
	if now.Sub(l.looked) >= heartbeat {
		l.looked = now
		c, err := l.server.caller(ctx, l.authorization, forBoth)
		if err != nil {
			l.refuse(now, err)
			return false
		}
		l.caller = c
	}
	if state, err := l.server.look(ctx, now); err == nil { // else the next turn tells what this one could not
		batch, err := l.batch(state)
		if err != nil {
			l.refuse(now, err)
			return false
		}
		if len(batch) > 0 {
			return l.send(now, batch)
		}
	}
	if now.Sub(l.spoke) >= heartbeat {
		return l.send(now, []byte(": all is well\n\n"))
	}
	return true
}

// refuse ends the stream with the reason, as far as the table knows it.
func (l *listener) refuse(now time.Time, err error) {
	a, _ := answerTo(err)
	l.send(now, fmt.Appendf(nil, "event: end\ndata: {\"reason\":%q}\n\n", a.code))
}

// send writes and flushes; false: nobody reads any more.
func (l *listener) send(now time.Time, text []byte) bool {
	l.spoke = now
	_ = l.control.SetWriteDeadline(time.Now().Add(progressWrite)) // by the machine's clock; a recorder in a test has none
	if _, err := l.out.Write(text); err != nil {
		return false
	}
	return l.control.Flush() == nil
}

// Gone is something that is no longer there, or no longer for this listener.
type Gone struct {
	Kind string `json:"kind" enum:"asset,upload,job"`
	ID   string `json:"id"`
}

// Present lists what is there when a stream begins: a listener that comes back
// drops what is not.
type Present struct {
	Assets  []vod.AssetID  `json:"assets"`
	Uploads []vod.UploadID `json:"uploads"`
}

// batch returns the events of one turn. Only the last one has an id: a
// listener that was cut off in the middle hears all of it again.
func (l *listener) batch(state *boardState) ([]byte, error) {
	v, err := newSight(l.caller, state.events, state.uploads)
	if err != nil {
		return nil, err
	}
	b := &telling{listener: l, seen: map[string]bool{}}
	var jobs assetJobs // reasons of failures are for operators
	if l.caller.handIn == nil {
		jobs = byAsset(state.jobs)
	}
	present := Present{Assets: []vod.AssetID{}, Uploads: []vod.UploadID{}}
	for i := range state.assets {
		if a := &state.assets[i]; v.sees(a) {
			present.Assets = append(present.Assets, a.ID)
			b.tell("asset", string(a.ID), wireAsset(a, v, jobs), latest(a.Updated, lastMove(jobs[a.ID])))
		}
	}
	for i := range v.uploads {
		u := &v.uploads[i]
		present.Uploads = append(present.Uploads, u.ID)
		b.tell("upload", string(u.ID), wireUpload(u), latest(u.Touched, u.Created))
	}
	if l.caller.handIn == nil {
		for _, j := range wireJobs(state.jobs, state.assets, v) {
			b.tell("job", jobKey(&j), j, moved(&j))
		}
	}
	if !l.begun {
		l.begun = true
		b.event("all", present)
	} else {
		b.missing()
	}
	return b.finish(state.at), nil
}

func jobKey(j *QueuedJob) string {
	id := j.Upload + string(j.Asset)
	if j.Language != "" {
		id += "." + j.Language
	}
	return j.Kind + "/" + id
}

// moved returns when a job changed last, as far as it says.
func moved(j *QueuedJob) time.Time {
	last := j.Enqueued
	for _, t := range []*time.Time{j.Started, j.Finished} {
		if t != nil {
			last = latest(last, *t)
		}
	}
	for _, f := range j.Failures {
		last = latest(last, f.At)
	}
	return last
}

func lastMove(j *Job) time.Time {
	if j == nil {
		return time.Time{}
	}
	w := QueuedJob{Enqueued: j.Enqueued, Started: instant(j.Started), Finished: instant(j.Finished), Failures: wireFailures(j.Failures)}
	return moved(&w)
}

// telling is the events of one turn being written.
type telling struct {
	*listener
	seen map[string]bool
	text bytes.Buffer
	last string // the event that is written last, with the id
}

// tell writes an event about a thing, unless it was told before as it is, or is
// known from before the stream was cut.
func (b *telling) tell(kind, id string, what any, changed time.Time) {
	key := kind + " " + id
	data := string(encode(what))
	b.seen[key] = true
	known := b.told[key] == data || !b.begun && !b.since.IsZero() && changed.Before(b.since)
	b.told[key] = data
	if !known {
		b.event(kind, json.RawMessage(data))
	}
}

// missing tells what was there and is not any more.
func (b *telling) missing() {
	var keys []string
	for key := range b.told {
		if !b.seen[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		delete(b.told, key)
		kind, id, _ := strings.Cut(key, " ")
		b.event("gone", Gone{kind, id})
	}
}

func (b *telling) event(name string, what any) {
	b.text.WriteString(b.last)
	b.last = fmt.Sprintf("event: %s\ndata: %s\n\n", name, encode(what))
}

// finish returns the text of the batch; nil when nothing happened.
func (b *telling) finish(at time.Time) []byte {
	if b.last == "" {
		return nil
	}
	fmt.Fprintf(&b.text, "id: %d\n%s", at.UnixMicro(), b.last)
	return b.text.Bytes()
}

// encode returns what as JSON, in one line.
func encode(what any) []byte {
	raw, err := json.Marshal(what)
	if err != nil {
		panic(err) // our own types
	}
	return raw
}
