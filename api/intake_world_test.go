package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/api/token"
	"reprise/event"
	"reprise/storage"
	"reprise/stream/timeline"
	"reprise/vod"
	"reprise/vod/ingest"
	"reprise/vod/webvtt"
)

// The films of the test's library: those of conf, those of another event, and one of nobody.
const (
	filmT1   = vod.AssetID("film-t1")   // talk t1, both languages; ready
	filmT2   = vod.AssetID("film-t2")   // talk t2, French; being processed
	loose    = vod.AssetID("loose")     // no talk, imported; failed
	foreign  = vod.AssetID("foreign")   // a talk of the other event, imported
	theirs   = vod.AssetID("theirs")    // no talk, handed in for the other event
	spoken   = vod.AssetID("by-upload") // no talk, handed in by a speaker
	handInID = event.HandInID("hhhhhhhhhhhhhhhhhhhhhhhhhh")
)

// intake is the fakes behind a server's ways in, each a table in memory.
type intake struct {
	mu       sync.Mutex
	now      func() time.Time
	assets   map[vod.AssetID]vod.Asset
	order    []vod.AssetID
	media    map[vod.MediaID]vod.Media
	reports  map[vod.SourceID]vod.Report
	uploads  map[vod.UploadID]vod.Upload
	leases   map[string]string
	events   map[event.ID]event.Event
	handIns  map[event.HandInID]event.HandIn
	work     []Job
	cues     map[string][]webvtt.Cue // asset.language
	invited  []Invitation
	tus      http.Handler
	said     []string    // what was asked of the fakes that do things
	readings int         // of all assets
	conflict int         // so many PutEvents fail first
	fail     error       // of readings
	shown    vod.AssetID // cannot be deleted
}

func newIntake(now func() time.Time) *intake {
	in := &intake{now: now, assets: map[vod.AssetID]vod.Asset{}, media: map[vod.MediaID]vod.Media{}, reports: map[vod.SourceID]vod.Report{},
		uploads: map[vod.UploadID]vod.Upload{}, leases: map[string]string{}, handIns: map[event.HandInID]event.HandIn{}, cues: map[string][]webvtt.Cue{}}
	both := func(id vod.AssetID) map[event.Language]string {
		return map[event.Language]string{"fr": string(id), "en": string(id)}
	}
	conf := event.Event{ID: "conf", Title: event.Text{"fr": "Congrès", "en": "Congress"}, Languages: []event.Language{"fr", "en"}, Zone: "Europe/Paris",
		Auditoriums: []event.Auditorium{{ID: "main"}, {ID: "side"}}, Version: 1}
	for _, t := range sampleProgramme().Talks {
		conf.Talks = append(conf.Talks, event.Talk{ID: t.ID, Auditorium: t.Auditorium, Title: t.Title, Starts: t.Starts, Slot: 30 * time.Minute, Spoken: "fr"})
	}
	for i := range conf.Talks {
		switch conf.Talks[i].ID {
		case "t1":
			conf.Talks[i].Films = both(filmT1)
		case "t2":
			conf.Talks[i].Films = map[event.Language]string{"fr": string(filmT2)}
		}
	}
	in.events = map[event.ID]event.Event{
		"conf":  conf,
		"other": {ID: "other", Languages: []event.Language{"fr"}, Talks: []event.Talk{{ID: "t1", Films: map[event.Language]string{"fr": string(foreign)}}}, Version: 1},
	}
	in.add(vod.Asset{ID: filmT1, Title: "Opening", State: vod.Ready, Verdict: vod.VerdictReady, Revision: 2, Media: mediaID, Source: vod.Source{ID: "s-t1", Name: "opening.mp4", Size: 1000, Preview: "sources/x/opening.mp4",
		Chapters: []vod.Chapter{{Start: 0, Title: "Un"}, {Start: 480000, Title: "Deux"}}},
		History: []vod.Revision{{Number: 1, Media: "oldmedia", Source: vod.Source{ID: "s-old", Name: "old.mp4"}, At: noon, Reason: "replaced"}}})
	in.add(vod.Asset{ID: filmT2, Title: "Closing", State: vod.Processing, Percent: 40, Progress: vod.Progress{Stage: "encoding", Speed: 2, Left: time.Minute}, Source: vod.Source{ID: "s-t2", Name: "closing.mov", Event: "conf"}})
	in.add(vod.Asset{ID: loose, Title: "Loose", State: vod.Failed, Verdict: vod.VerdictRefused, Findings: []vod.Finding{{Code: "not-media", Fatal: true, FR: "non", EN: "no"}}, Source: vod.Source{ID: "s-loose", Name: "x.mp4"}})
	in.add(vod.Asset{ID: foreign, State: vod.Ready, Source: vod.Source{ID: "s-foreign"}})
	in.add(vod.Asset{ID: theirs, State: vod.Ready, Source: vod.Source{ID: "s-theirs", Event: "other"}})
	in.add(vod.Asset{ID: spoken, State: vod.Uploaded, Source: vod.Source{ID: "s-spoken", Name: "talk.mp4", Event: "conf"}})
	in.media[mediaID] = vod.Media{ID: mediaID, Asset: filmT1, Revision: 2, Nominal: 4 * timeline.TicksPerSecond, Last: 2 * timeline.TicksPerSecond, Count: 10, Poster: "media/p.jpg", Sprites: []string{"x"},
		Waveform: "w", Audio: map[string]string{"fr": "a"}, Renditions: []vod.Rendition{{Name: "v720", Kind: vod.Video, Codec: "avc1.64001f", Width: 1280, Height: 720, Frame: 1920, InitSize: 700,
			Segments: []vod.Segment{{Offset: 700, Size: 100_000}}}}}
	in.reports["s-t1"] = vod.Report{Source: "s-t1", Asset: filmT1, Made: noon, Complete: true, Verdict: vod.VerdictReady, Duration: 38, Format: "MP4",
		Picture: &vod.Picture{Codec: "h264", Slides: []vod.Span{{From: 0.4, To: 25}, {From: 25, To: 26}, {From: 26, To: 60}}}, Sounds: []vod.Sound{{Language: "fr", Loudness: -18}}}
	in.cues[string(filmT1)+".fr"] = []webvtt.Cue{{Start: time.Second, End: 3 * time.Second, Text: "Bonjour à tous"}, {Start: 4 * time.Second, End: 6 * time.Second, Text: "Merci <b>beaucoup</b>"}}
	in.uploads["up-open"] = vod.Upload{ID: "up-open", State: vod.UploadOpen, Owner: "r1", Event: "conf", Name: "a.mp4", Size: 100, Offset: 10, Created: noon, Touched: noon, Expires: noon.Add(time.Hour)}
	in.uploads["up-taken"] = vod.Upload{ID: "up-taken", State: vod.UploadTaken, HandIn: string(handInID), Event: "conf", Talk: "t2", Languages: []string{"en"}, Asset: spoken, Name: "talk.mp4", Size: 50, Created: noon.Add(time.Second), Touched: noon}
	in.uploads["up-other"] = vod.Upload{ID: "up-other", State: vod.UploadOpen, Event: "other", Name: "b.mp4", Size: 7, Created: noon}
	in.handIns[handInID] = event.HandIn{ID: handInID, Event: "conf", Talk: "t2", Languages: []event.Language{"en"}, Name: "Ada", Email: "ada@example.org", Language: "fr",
		Deadline: noon.Add(24 * time.Hour), Lock: noon.Add(48 * time.Hour), Organizer: "desk@example.org", Message: "Merci !", Created: noon}
	in.work = []Job{
		{Kind: JobProcess, ID: string(filmT2), State: jobRunning, Attempt: 1, Enqueued: noon, Started: noon, Node: "n1"},
		{Kind: JobTake, ID: "up-taken", State: "done", Attempt: 1, Enqueued: noon, Finished: noon},
		{Kind: JobProcess, ID: string(foreign), State: "done", Enqueued: noon, Finished: noon},
		{Kind: JobProcess, ID: string(loose), State: "done", Enqueued: noon, Finished: noon},
	}
	in.tus = http.NotFoundHandler()
	return in
}

func (in *intake) add(a vod.Asset) {
	a.Created, a.Updated = noon, noon
	in.assets[a.ID] = a
	in.order = append(in.order, a.ID)
}

func (in *intake) note(format string, args ...any) {
	in.said = append(in.said, fmt.Sprintf(format, args...))
}

// asked returns what was asked of the fakes since the last time, joined by semicolons.
func (in *intake) asked() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	text := strings.Join(in.said, "; ")
	in.said = nil
	return text
}

func (in *intake) intake() *Intake {
	return &Intake{Library: (*fakeLibrary)(in), Uploads: (*fakeUploads)(in), Uploader: (*fakeUploader)(in), Events: (*fakeEvents)(in), HandIns: (*fakeHandIns)(in),
		Jobs: (*fakeJobs)(in), Recordings: (*fakeRecordings)(in), Invite: func(_ context.Context, i Invitation) error {
			in.mu.Lock()
			defer in.mu.Unlock()
			in.invited = append(in.invited, i)
			return nil
		}}
}

// takingIn returns a world whose server takes films in.
func takingIn(t testing.TB, options ...option) (*world, *intake) {
	t.Helper()
	var in *intake
	w := setup(t, append([]option{func(c *Config, d *Deps) {
		in = newIntake(d.Now)
		d.Intake = in.intake()
		c.BaseURL, c.CaptionCommand, c.UploadSize = "https://video.example.org", true, 1<<40
	}}, options...)...)
	return w, in
}

// desk and speaker return the header of an organizer's and a speaker's link.
func (w *world) desk() string { return "Authorization: Bearer " + w.mint("link", "event", staff) }
func (w *world) speaker() string {
	return "Authorization: Bearer " + w.mint("link", token.HandInScope(string(handInID)))
}

// call asks with a body and returns the answer.
func (w *world) call(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, apiPrefix+path, strings.NewReader(body))
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Content-Type:") }) && body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return w.send(r, headers...)
}

// answer reads a 2xx answer into T.
func answerOf[T any](t testing.TB, rec *httptest.ResponseRecorder) T {
	t.Helper()
	var out T
	if rec.Code/100 != 2 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if strings.Contains(rec.Body.String(), "null") || strings.Contains(rec.Body.String(), "0001-01-01") {
		t.Errorf("null or zero time: %s", rec.Body)
	}
	d := json.NewDecoder(bytes.NewReader(rec.Body.Bytes()))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%s: %v", rec.Body, err)
	}
	return out
}

type (
	fakeLibrary    intake
	fakeUploads    intake
	fakeUploader   intake
	fakeEvents     intake
	fakeHandIns    intake
	fakeJobs       intake
	fakeRecordings intake
)

func (f *fakeLibrary) CreateAsset(context.Context, vod.Asset) error { panic("not used") }
func (f *fakeLibrary) PutMedia(context.Context, vod.Media) error    { panic("not used") }
func (f *fakeLibrary) PutFirst(context.Context, vod.Media) error    { panic("not used") }
func (f *fakeLibrary) PutReport(context.Context, vod.Report) error  { panic("not used") }

func (f *fakeLibrary) Asset(_ context.Context, id vod.AssetID) (vod.Asset, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.assets[id]
	if !ok {
		return a, vod.ErrNotFound
	}
	return a, f.fail
}

func (f *fakeLibrary) Assets(context.Context) ([]vod.Asset, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readings++
	var all []vod.Asset
	for _, id := range f.order {
		if a, ok := f.assets[id]; ok {
			all = append(all, a)
		}
	}
	return all, f.fail
}

func (f *fakeLibrary) UpdateAsset(_ context.Context, id vod.AssetID, change func(*vod.Asset) error) (vod.Asset, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.assets[id]
	if !ok {
		return a, vod.ErrNotFound
	}
	if err := change(&a); err != nil {
		return vod.Asset{}, err
	}
	a.Updated = f.now()
	f.assets[id] = a
	return a, nil
}

func (f *fakeLibrary) DeleteAsset(context.Context, vod.AssetID) error { panic("not used") }

func (f *fakeLibrary) Media(_ context.Context, id vod.MediaID) (vod.Media, error) {
	m, ok := f.media[id]
	if !ok {
		return m, vod.ErrNotFound
	}
	return m, nil
}

func (f *fakeLibrary) Report(_ context.Context, id vod.SourceID) (vod.Report, error) {
	r, ok := f.reports[id]
	if !ok {
		return r, vod.ErrNotFound
	}
	return r, nil
}

func (f *fakeUploads) CreateUpload(context.Context, vod.Upload) error   { panic("not used") }
func (f *fakeUploads) DeleteUpload(context.Context, vod.UploadID) error { panic("not used") }
func (f *fakeUploads) UpdateUpload(context.Context, vod.UploadID, func(*vod.Upload) error) (vod.Upload, error) {
	panic("not used")
}
func (f *fakeUploads) RenewLease(context.Context, string, string, time.Time) (bool, bool, error) {
	panic("not used")
}

func (f *fakeUploads) Upload(_ context.Context, id vod.UploadID) (vod.Upload, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u, ok := f.uploads[id]
	if !ok {
		return u, vod.ErrNotFound
	}
	return u, nil
}

func (f *fakeUploads) Uploads(_ context.Context, ev string) ([]vod.Upload, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []vod.Upload
	for _, u := range f.uploads {
		if ev == "" || u.Event == ev {
			all = append(all, u)
		}
	}
	slices.SortFunc(all, func(a, b vod.Upload) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

func (f *fakeUploads) AcquireLease(_ context.Context, name, holder string, _, _ time.Time) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leases[name] != "" && f.leases[name] != holder {
		return false, nil
	}
	f.leases[name] = holder
	return true, nil
}

func (f *fakeUploads) ReleaseLease(_ context.Context, name, holder string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leases[name] == holder {
		delete(f.leases, name)
	}
	return nil
}

func (f *fakeUploader) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.tus.ServeHTTP(w, r) })
}

func (f *fakeUploader) Cancel(_ context.Context, id vod.UploadID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	(*intake)(f).note("cancel upload %s", id)
	delete(f.uploads, id)
	return nil
}

func (f *fakeUploader) Used(context.Context, string) (int64, int64, error) { return 150, 1000, nil }

func (f *fakeEvents) Version(context.Context) (int64, error) { panic("not used") }

func (f *fakeEvents) Event(_ context.Context, id event.ID) (event.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.events[id]
	if !ok {
		return e, event.ErrNotFound
	}
	e.Talks = slices.Clone(e.Talks)
	return e, nil
}

func (f *fakeEvents) Events(context.Context) ([]event.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []event.Event
	for _, id := range slices.Sorted(maps.Keys(f.events)) {
		all = append(all, f.events[id])
	}
	return all, f.fail
}

func (f *fakeEvents) PutEvent(_ context.Context, e event.Event) (event.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conflict > 0 {
		f.conflict--
		return e, event.ErrConflict
	}
	if f.events[e.ID].Version != e.Version {
		return e, event.ErrConflict
	}
	e.Version++
	f.events[e.ID] = e
	return e, nil
}

func (f *fakeHandIns) CreateHandIn(_ context.Context, h event.HandIn) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handIns[h.ID] = h
	return nil
}

func (f *fakeHandIns) HandIn(_ context.Context, id event.HandInID) (event.HandIn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, ok := f.handIns[id]
	if !ok {
		return h, event.ErrNotFound
	}
	return h, nil
}

func (f *fakeHandIns) HandIns(_ context.Context, ev event.ID) ([]event.HandIn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []event.HandIn
	for _, id := range slices.Sorted(maps.Keys(f.handIns)) {
		if f.handIns[id].Event == ev {
			all = append(all, f.handIns[id])
		}
	}
	return all, nil
}

func (f *fakeHandIns) UpdateHandIn(_ context.Context, id event.HandInID, change func(*event.HandIn) error) (event.HandIn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, ok := f.handIns[id]
	if !ok {
		return h, event.ErrNotFound
	}
	if err := change(&h); err != nil {
		return event.HandIn{}, err
	}
	f.handIns[id] = h
	return h, nil
}

func (f *fakeJobs) Enqueue(_ context.Context, kind, id string, o JobOptions) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	(*intake)(f).note("enqueue %s %s", kind, id)
	return nil
}

func (f *fakeJobs) Prioritize(_ context.Context, kind, id string, o JobOptions) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.work {
		if f.work[i].Kind == kind && f.work[i].ID == id {
			(*intake)(f).note("prioritize %s %s %s", kind, id, o.Due.Format("15:04"))
			return nil
		}
	}
	return ErrNoJob
}

func (f *fakeJobs) Cancel(_ context.Context, kind, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	(*intake)(f).note("cancel %s %s", kind, id)
	for i := range f.work {
		if f.work[i].Kind == kind && f.work[i].ID == id {
			f.work[i].State = jobCancelled
		}
	}
	return nil
}

func (f *fakeJobs) Jobs(context.Context, int) ([]Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.work), f.fail
}

func (f *fakeRecordings) Restore(_ context.Context, id vod.AssetID, media vod.MediaID) (vod.Asset, error) {
	return (*fakeLibrary)(f).UpdateAsset(context.Background(), id, func(a *vod.Asset) error {
		(*intake)(f).note("restore %s %s", id, media)
		a.Media = media
		return nil
	})
}

func (*fakeRecordings) PutPicture(context.Context, io.Reader) (storage.Key, error) {
	return "sources/picture/poster.jpg", nil
}

func (f *fakeRecordings) Delete(_ context.Context, id vod.AssetID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shown == id {
		return vod.ErrConflict
	}
	(*intake)(f).note("delete %s", id)
	delete(f.assets, id)
	return nil
}

// caption changes the captions of an asset as ingest does.
func (f *fakeRecordings) caption(id vod.AssetID, c vod.Captions, cues []webvtt.Cue) (vod.Asset, []vod.Finding, error) {
	if len(cues) == 0 {
		return vod.Asset{}, []vod.Finding{{Code: "captions-none", Fatal: true, FR: "rien", EN: "nothing"}}, fmt.Errorf("read: %w", ingest.ErrCaptions)
	}
	a, err := (*fakeLibrary)(f).UpdateAsset(context.Background(), id, func(a *vod.Asset) error {
		c.At = f.now()
		a.Extras.Captions = append(slices.DeleteFunc(slices.Clone(a.Extras.Captions), func(o vod.Captions) bool { return o.Language == c.Language }), c)
		f.cues[string(id)+"."+c.Language] = cues
		return nil
	})
	return a, nil, err
}

func (f *fakeRecordings) SetCaptions(_ context.Context, id vod.AssetID, language, name, by string, r io.Reader) (vod.Asset, []vod.Finding, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return vod.Asset{}, nil, err
	}
	cues, _ := webvtt.Parse(data)
	return f.caption(id, vod.Captions{Language: language, Name: name, By: by, Object: fmt.Sprint(len(data)), Origin: "upload", Format: "webvtt", Encoding: "utf-8"}, cues)
}

func (f *fakeRecordings) SetCues(_ context.Context, id vod.AssetID, language, by string, cues []webvtt.Cue) (vod.Asset, []vod.Finding, error) {
	return f.caption(id, vod.Captions{Language: language, By: by, Object: fmt.Sprint(cues), Origin: "edited"}, cues)
}

func (f *fakeRecordings) ShiftCaptions(ctx context.Context, id vod.AssetID, language, by string, shift time.Duration) (vod.Asset, []vod.Finding, error) {
	cues, c, err := f.Cues(ctx, id, language)
	if err != nil {
		return vod.Asset{}, nil, err
	}
	c.Shift, c.By = shift.Seconds(), by
	return f.caption(id, c, webvtt.Shift(cues, shift))
}

func (f *fakeRecordings) RemoveCaptions(ctx context.Context, id vod.AssetID, language, by string) (vod.Asset, error) {
	if _, _, err := f.Cues(ctx, id, language); err != nil {
		return vod.Asset{}, err
	}
	return (*fakeLibrary)(f).UpdateAsset(ctx, id, func(a *vod.Asset) error {
		delete(f.cues, string(id)+"."+language)
		return nil
	})
}

func (f *fakeRecordings) Cues(_ context.Context, id vod.AssetID, language string) ([]webvtt.Cue, vod.Captions, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	cues, ok := f.cues[string(id)+"."+language]
	if !ok {
		return nil, vod.Captions{}, fmt.Errorf("%s: %w", id, ingest.ErrNoCaptions)
	}
	for _, c := range f.assets[id].Extras.Captions {
		if c.Language == language {
			return cues, c, nil
		}
	}
	return cues, vod.Captions{Language: language, Origin: "beside"}, nil
}

func (f *fakeRecordings) CaptionLanguages(ctx context.Context, id vod.AssetID) (all []vod.Captions, err error) {
	for _, l := range []string{"en", "fr"} {
		if _, c, err := f.Cues(ctx, id, l); err == nil {
			all = append(all, c)
		}
	}
	return all, nil
}

func (f *fakeRecordings) Transcript(ctx context.Context, id vod.AssetID, language string) (lines []ingest.Line, err error) {
	cues, _, err := f.Cues(ctx, id, language)
	for _, c := range cues {
		lines = append(lines, ingest.Line{From: c.Start, To: c.End, Text: c.Text})
	}
	return lines, err
}
