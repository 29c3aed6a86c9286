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
	Uploads  Uploads  `koanf:"uploads"`
	HandIn   HandIn   `koanf:"handIn"`
	Mail     Mail     `koanf:"mail"`
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
	// DSN is the path of an SQLite file, or the URL of a PostgreSQL database;
	// empty: DATA/reprise.db. A secret, since a URL holds a password.
	DSN string `koanf:"dsn" secret:"true"`
}

// Storage is where objects (films, segments) are kept.
type Storage struct {
	Dir   string `koanf:"dir"` // of the disk store; empty: DATA/objects
	S3    S3     `koanf:"s3"`
	Cache Cache  `koanf:"cache"`
}

// S3 is an object store that speaks S3; with a bucket it takes the disk store's place.
type S3 struct {
	Bucket          string `koanf:"bucket"` // empty: objects lie on disk
	Prefix          string `koanf:"prefix"`
	Endpoint        string `koanf:"endpoint"` // empty: AWS
	Region          string `koanf:"region"`
	PathStyle       bool   `koanf:"pathStyle"`
	CAFile          string `koanf:"caFile"`
	AccessKeyID     string `koanf:"accessKeyId"` // empty, with the secret: the chain of AWS's SDK
	SecretAccessKey string `koanf:"secretAccessKey" secret:"true"`
	Encryption      string `koanf:"encryption"` // "", AES256, aws:kms
	KMSKeyID        string `koanf:"kmsKeyId"`
	StorageClass    string `koanf:"storageClass"`
	PartSize        Size   `koanf:"partSize"`
}

// Cache is what is kept on this machine's disk of objects that lie on S3.
type Cache struct {
	Dir       string        `koanf:"dir"` // empty: DATA/cache
	Size      Size          `koanf:"size"`
	ReadAhead time.Duration `koanf:"readAhead"` // before a talk goes on air
}

// Uploads is what may come in, and for how long it may take.
type Uploads struct {
	Dir     string        `koanf:"dir"`     // unfinished files, with the disk store; empty: DATA/uploads
	MaxSize Size          `koanf:"maxSize"` // of one file
	Quota   Size          `koanf:"quota"`   // of one event, all originals
	Expire  time.Duration `koanf:"expire"`  // an upload without a new byte is given up after this
}

// HandIn is what speakers meet who hand in a film by a personal link.
type HandIn struct {
	TermsFR string `koanf:"termsFr"` // empty, both: the text that comes with the program
	TermsEN string `koanf:"termsEn"`
}

// Mail is the server that takes our mail.
type Mail struct {
	Server   string `koanf:"server"` // host:port; empty: no mail is sent
	TLS      string `koanf:"tls"`    // none starttls tls
	Username string `koanf:"username"`
	Password string `koanf:"password" secret:"true"`
	From     string `koanf:"from"`
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
	// CaptionCommand makes captions of a sound: a program and its arguments, in
	// which {audio}, {language} and {output} are replaced. Empty: there is none.
	CaptionCommand string `koanf:"captionCommand"`
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
		Storage: Storage{
			S3:    S3{PartSize: 16 * MiB},
			Cache: Cache{Size: 20 * GiB, ReadAhead: 15 * time.Minute},
		},
		Uploads: Uploads{MaxSize: 64 * GiB, Quota: TiB, Expire: 7 * 24 * time.Hour},
		Mail:    Mail{TLS: "starttls"},
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
