package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// class is a route class: the only label by which requests are told apart, so
// that no id ever becomes a label.
type class int

const (
	classMultivariant class = iota
	classPlaylist
	classReload // a media playlist with _HLS_msn
	classInit
	classSegment
	classPicture // poster, sprites, chapters
	classSource  // a film as it was handed in
	classBad     // under /p/, of no known shape
	classAPI
	classWeb
	classHealth
	classes
)

var classNames = [classes]string{"multivariant", "playlist", "reload", "init", "segment", "picture", "source", "unknown", "api", "web", "health"}

// statuses are those with a counter made ahead of time; any other counts as "other".
var statuses = [...]int{200, 201, 204, 206, 304, 400, 401, 403, 404, 405, 410, 412, 413, 416, 422, 499, 500, 503, 0}

// views are the label values of playlists.
var viewNames = [...]string{"live", "startover", "replay", "preview"}

// metrics holds every counter of the package, made ahead of time: counting a
// request is an index and an atomic addition.
type metrics struct {
	requests  [classes][len(statuses)]prometheus.Counter
	durations [classes]prometheus.Observer
	playlists [len(viewNames)][len(statuses)]prometheus.Counter
	inFlight  prometheus.Gauge
	blocked   prometheus.Gauge
	segment   prometheus.Counter
	starved   prometheus.Counter
}

func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "reprise_http_requests_total", Help: "Requests by route class and status."}, []string{"route", "status"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "reprise_http_request_duration_seconds", Help: "Time to the end of the answer; reload includes the wait it asks for.",
		Buckets: []float64{0.001, 0.005, 0.025, 0.1, 0.5, 2, 5, 12, 60}}, []string{"route"})
	playlists := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "reprise_playlist_requests_total", Help: "Playlist requests by view and status."}, []string{"view", "status"})
	m := &metrics{
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "reprise_http_requests_in_flight", Help: "Requests being answered."}),
		blocked:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "reprise_playlist_reloads_blocked", Help: "Playlist reloads that wait for their segment."}),
		segment:  prometheus.NewCounter(prometheus.CounterOpts{Name: "reprise_segment_bytes_total", Help: "Bytes of init segments, segments and pictures sent."}),
		starved:  prometheus.NewCounter(prometheus.CounterOpts{Name: "reprise_player_starved_total", Help: "Requests whose CMCD says that the player ran out of media (bs)."}),
	}
	for _, c := range []prometheus.Collector{requests, durations, playlists, m.inFlight, m.blocked, m.segment, m.starved} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	for s, status := range statuses {
		text := strconv.Itoa(status)
		if status == 0 {
			text = "other"
		}
		for c, name := range classNames {
			m.requests[c][s] = requests.WithLabelValues(name, text)
		}
		for v, name := range viewNames {
			m.playlists[v][s] = playlists.WithLabelValues(name, text)
		}
	}
	for c, name := range classNames {
		m.durations[c] = durations.WithLabelValues(name)
	}
	return m, nil
}

// count counts one finished request.
func (m *metrics) count(c class, view string, status int, d time.Duration) {
	s := slices.Index(statuses[:], status)
	if s < 0 {
		s = len(statuses) - 1
	}
	m.requests[c][s].Inc()
	m.durations[c].Observe(d.Seconds())
	if v := slices.Index(viewNames[:], view); v >= 0 {
		m.playlists[v][s].Inc()
	}
}

// MetricsHandler serves the registry. It belongs on a listener of its own,
// never on the public one.
func (s *Server) MetricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Registry: s.registry}))
	return mux
}

// cmcd returns a query's or the headers' CMCD text (CTA-5004), or "".
func cmcd(r *http.Request) string {
	query := r.URL.RawQuery
	for query != "" {
		var item string
		item, query, _ = strings.Cut(query, "&")
		if value, ok := strings.CutPrefix(item, "CMCD="); ok {
			return value
		}
	}
	for _, name := range [...]string{"Cmcd-Status", "Cmcd-Request"} {
		if v := r.Header[name]; len(v) > 0 && strings.Contains(v[0], "bs") {
			return v[0]
		}
	}
	return ""
}

// starved reports whether a CMCD text, percent-encoded or not, holds the key bs (R221).
func starved(text string) bool {
	for text != "" {
		i := strings.IndexAny(text, ",%")
		item := text
		if i < 0 {
			text = ""
		} else {
			item, text = text[:i], text[i+1:]
			if strings.HasPrefix(text, "2C") || strings.HasPrefix(text, "2c") {
				text = text[2:]
			}
		}
		if item == "bs" {
			return true
		}
	}
	return false
}
