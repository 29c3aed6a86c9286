package configs

import (
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
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
	if scheme, _, ok := strings.Cut(c.Database.DSN, "://"); ok && scheme != "postgres" && scheme != "postgresql" {
		fault("database.dsn", "%s:// is no database that Reprise knows: give postgres://… or the path of an SQLite file", scheme)
	}
	c.Storage.validate(fault)
	c.Uploads.validate(fault)
	if (c.HandIn.TermsFR == "") != (c.HandIn.TermsEN == "") {
		fault("handIn.termsFr", "the terms are needed in both languages, or in neither")
	}
	c.Mail.validate(fault)
	if c.Mail.Server != "" && c.HTTP.PublicURL == "" {
		fault("http.publicUrl", "is missing: letters hold links, and no reader of them is on this machine; give the address that people type")
	}
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
	if i.Workers < 0 || i.Workers > 64 {
		fault("ingest.workers", "%d is not between 0 and 64", i.Workers)
	}
	if i.Threads < 0 || i.Threads > 256 {
		fault("ingest.threads", "%d is not between 0 and 256", i.Threads)
	}
	between("ingest.maxDuration", i.MaxDuration, time.Second, 26*time.Hour, fault) // captions count to 26.5 h (R175)
	if i.MaxMemory < GiB {
		fault("ingest.maxMemory", "%s is not at least 1GiB: ffmpeg could not start", i.MaxMemory)
	}
	for _, word := range []string{"{audio}", "{language}", "{output}"} {
		if i.CaptionCommand != "" && !strings.Contains(i.CaptionCommand, word) {
			fault("ingest.captionCommand", "%s is missing: docs/operator-guide.md has an example", word)
		}
	}
	between("ingest.timeout", i.Timeout, time.Minute, 14*24*time.Hour, fault)
}

func (s Storage) validate(fault faultFunc) {
	s3 := s.S3
	if s3.Endpoint != "" {
		u, err := url.Parse(s3.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
			fault("storage.s3.endpoint", "%q is not an address such as https://s3.example.org, without the bucket", s3.Endpoint)
		}
	}
	if s3.Bucket != "" && !regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`).MatchString(s3.Bucket) {
		fault("storage.s3.bucket", "%q is not a bucket's name: 3 to 63 small letters, figures, dots and hyphens", s3.Bucket)
	}
	if s3.Bucket == "" && (s3.Endpoint != "" || s3.AccessKeyID != "" || s3.SecretAccessKey != "") {
		fault("storage.s3.bucket", "the bucket's name is missing: without it objects would lie on disk")
	}
	if (s3.AccessKeyID == "") != (s3.SecretAccessKey == "") {
		fault("storage.s3.accessKeyId", "accessKeyId and secretAccessKey go together; leave out both to have them found by AWS's SDK")
	}
	oneOf("storage.s3.encryption", s3.Encryption, fault, "", "AES256", "aws:kms")
	if s3.KMSKeyID != "" && s3.Encryption != "aws:kms" {
		fault("storage.s3.kmsKeyId", "it needs encryption: aws:kms")
	}
	if s3.PartSize < 5*MiB || s3.PartSize > 5*GiB {
		fault("storage.s3.partSize", "%s is not between 5MiB and 5GiB", s3.PartSize)
	}
	if s.Cache.Size < 256*MiB {
		fault("storage.cache.size", "%s is not at least 256MiB", s.Cache.Size)
	}
	between("storage.cache.readAhead", s.Cache.ReadAhead, time.Minute, 24*time.Hour, fault)
}

func (u Uploads) validate(fault faultFunc) {
	if u.MaxSize < MiB || u.MaxSize > 5*TiB {
		fault("uploads.maxSize", "%s is not between 1MiB and 5TiB", u.MaxSize)
	}
	if u.Quota < u.MaxSize {
		fault("uploads.quota", "%s is less than uploads.maxSize, %s", u.Quota, u.MaxSize)
	}
	between("uploads.expire", u.Expire, time.Hour, 90*24*time.Hour, fault)
}

func (m Mail) validate(fault faultFunc) {
	oneOf("mail.tls", m.TLS, fault, "none", "starttls", "tls")
	if m.Server == "" {
		return
	}
	if host, _, err := net.SplitHostPort(m.Server); err != nil || host == "" {
		fault("mail.server", "%q is not host:port, such as smtp.example.org:587", m.Server)
	}
	if a, err := mail.ParseAddress(m.From); err != nil || a.Address == "" {
		fault("mail.from", "%q is not an address such as Conference <video@example.org>", m.From)
	}
	if m.Password != "" && m.TLS == "none" {
		fault("mail.tls", "a password must not travel unencrypted: starttls or tls")
	}
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
