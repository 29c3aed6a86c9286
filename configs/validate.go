package configs

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Validate returns every fault of the values as Faults, or nil.
func (c Config) Validate() error {
	var faults Faults
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: "+format, append([]any{key}, args...)...))
	}
	if c.Data.Dir == "" {
		fault("data.dir", "a folder is needed")
	}
	c.HTTP.validate(fault)
	if c.Metrics.Listen != "" {
		listen("metrics.listen", c.Metrics.Listen, fault)
		if c.Metrics.Listen == c.HTTP.Listen && !strings.HasSuffix(c.HTTP.Listen, ":0") {
			fault("metrics.listen", "%s is http.listen already; metrics need a port of their own", c.Metrics.Listen)
		}
	}
	oneOf("log.level", c.Log.Level, fault, "debug", "info", "warn", "error")
	oneOf("log.format", c.Log.Format, fault, "text", "json")
	c.Ingest.validate(fault)
	between("stream.depth", c.Stream.Depth, time.Minute, 24*time.Hour, fault)
	between("tokens.linkLife", c.Tokens.LinkLife, time.Hour, 5*366*24*time.Hour, fault)
	if c.Tokens.PlaybackLife != 0 {
		between("tokens.playbackLife", c.Tokens.PlaybackLife, 5*time.Minute, 31*24*time.Hour, fault)
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

type faultFunc func(key, format string, args ...any)

func (h HTTP) validate(fault faultFunc) {
	listen("http.listen", h.Listen, fault)
	if h.PublicURL != "" {
		u, err := url.Parse(h.PublicURL)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			fault("http.publicUrl", "%q is not an address such as https://video.example.org", h.PublicURL)
		case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
			fault("http.publicUrl", "%q must have no user, no ? and no #", h.PublicURL)
		}
	}
	between("http.drainDelay", h.DrainDelay, 0, 10*time.Minute, fault)
	between("http.drainTimeout", h.DrainTimeout, time.Second, 10*time.Minute, fault)
	if h.MaxConnections < 1 {
		fault("http.maxConnections", "%d is not at least 1", h.MaxConnections)
	}
}

func (i Ingest) validate(fault faultFunc) {
	if i.FFmpeg == "" {
		fault("ingest.ffmpeg", "a program is needed, such as ffmpeg or /usr/bin/ffmpeg")
	}
	if i.FFprobe == "" {
		fault("ingest.ffprobe", "a program is needed, such as ffprobe or /usr/bin/ffprobe")
	}
	oneOf("ingest.preset", i.Preset, fault, "auto", "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
	if i.Workers < 1 || i.Workers > 64 {
		fault("ingest.workers", "%d is not between 1 and 64", i.Workers)
	}
	if i.Threads < 0 || i.Threads > 256 {
		fault("ingest.threads", "%d is not between 0 and 256", i.Threads)
	}
	between("ingest.maxDuration", i.MaxDuration, time.Second, 26*time.Hour, fault) // captions count to 26.5 h (R175)
	if i.MaxMemory < GiB {
		fault("ingest.maxMemory", "%s is not at least 1GiB: ffmpeg could not start", i.MaxMemory)
	}
	between("ingest.timeout", i.Timeout, time.Minute, 14*24*time.Hour, fault)
}

func listen(key, address string, fault faultFunc) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		fault(key, "%q is not host:port, such as 127.0.0.1:8080 or :8080", address)
		return
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		fault(key, "%q is not a port (0 to 65535)", port)
	}
	if strings.ContainsAny(host, " /") {
		fault(key, "%q is not a host", host)
	}
}

func oneOf(key, value string, fault faultFunc, allowed ...string) {
	if !slices.Contains(allowed, value) {
		fault(key, "%q is none of %s", value, strings.Join(allowed, ", "))
	}
}

func between(key string, value, low, high time.Duration, fault faultFunc) {
	if value < low || value > high {
		fault(key, "%s is not between %s and %s", value, low, high)
	}
}
