package configs

import "time"

// Config is the whole configuration. The tag of a field is its key in the file
// (camelCase, as people know it from MediaMTX); in the environment it is the
// same path in capitals: http.publicUrl is REPRISE_HTTP_PUBLIC_URL.
//
// A field tagged secret is not shown by Show, and can be read from a file with
// REPRISE_…_FILE.
type Config struct {
	Data     Data     `koanf:"data"`
	HTTP     HTTP     `koanf:"http"`
	Metrics  Metrics  `koanf:"metrics"`
	Log      Log      `koanf:"log"`
	Database Database `koanf:"database"`
	Storage  Storage  `koanf:"storage"`
	Ingest   Ingest   `koanf:"ingest"`
	Stream   Stream   `koanf:"stream"`
	Tokens   Tokens   `koanf:"tokens"`
}

// Data is where the server keeps what it owns.
type Data struct {
	Dir string `koanf:"dir"`
}

// HTTP is the public listener.
type HTTP struct {
	Listen         string        `koanf:"listen"`         // host:port; port 0 takes a free one
	PublicURL      string        `koanf:"publicUrl"`      // what people type; empty: http://listen
	MaxConnections int           `koanf:"maxConnections"` // open connections; more wait in the kernel's queue
	DrainDelay     time.Duration `koanf:"drainDelay"`     // at a stop: accepting goes on so long after /readyz says no
	DrainTimeout   time.Duration `koanf:"drainTimeout"`   // at a stop: for the answers under way
}

// Metrics is the Prometheus listener, apart from the public one.
type Metrics struct {
	Listen string `koanf:"listen"` // empty: off
}

// Log is the program's own log, on standard error.
type Log struct {
	Level  string `koanf:"level"`  // debug info warn error
	Format string `koanf:"format"` // text json
}

// Database is where rows are kept.
type Database struct {
	// DSN is the path of an SQLite file; empty: DATA/reprise.db. A secret, since
	// the address of a database server holds a password.
	DSN string `koanf:"dsn" secret:"true"`
}

// Storage is where objects (films, segments) are kept.
type Storage struct {
	Dir string `koanf:"dir"` // empty: DATA/objects
}

// Ingest is how recordings become media.
type Ingest struct {
	FFmpeg      string        `koanf:"ffmpeg"`
	FFprobe     string        `koanf:"ffprobe"`
	Preset      string        `koanf:"preset"`      // of x264; auto: by the number of cores
	Workers     int           `koanf:"workers"`     // recordings at the same time
	Threads     int           `koanf:"threads"`     // of one ffmpeg; 0: all cores
	MaxDuration time.Duration `koanf:"maxDuration"` // of one recording
	MaxMemory   Size          `koanf:"maxMemory"`   // address space of one ffmpeg
	Timeout     time.Duration `koanf:"timeout"`     // of one ffmpeg, beside 30 times the film's length
}

// Stream is what viewers get.
type Stream struct {
	Depth time.Duration `koanf:"depth"` // how far back the live window reaches
}

// Tokens is how long what opens a door lives.
type Tokens struct {
	LinkLife     time.Duration `koanf:"linkLife"`     // of a link, after the event's last day
	PlaybackLife time.Duration `koanf:"playbackLife"` // of a playback token; 0: until a day after the event
}

// Default returns the configuration of a server that was told nothing.
func Default() Config {
	return Config{
		Data: Data{Dir: "data"},
		HTTP: HTTP{
			Listen:         "127.0.0.1:8080",
			MaxConnections: 20000,
			DrainTimeout:   20 * time.Second,
		},
		Metrics: Metrics{Listen: "127.0.0.1:9090"},
		Log:     Log{Level: "info", Format: "text"},
		Ingest: Ingest{
			FFmpeg:      "ffmpeg",
			FFprobe:     "ffprobe",
			Preset:      "auto",
			Workers:     1,
			MaxDuration: 12 * time.Hour,
			MaxMemory:   12 * GiB,
			Timeout:     10 * time.Minute,
		},
		Stream: Stream{Depth: 15 * time.Minute},
		Tokens: Tokens{LinkLife: 100 * 24 * time.Hour},
	}
}
