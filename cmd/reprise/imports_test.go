package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// floors is the house: a package imports only packages of lower floors.
var floors = map[string]int{
	"reprise/cmd/reprise": 4,

	"reprise/api":             3,
	"reprise/storage/db":      3,
	"reprise/storage/queue":   3,
	"reprise/storage/uploads": 3,

	"reprise/stream":     2,
	"reprise/vod/ingest": 2,

	"reprise/vod":                 1,
	"reprise/event":               1,
	"reprise/stream/conformance":  1,
	"reprise/storage/storagetest": 1,
	"reprise/storage/cache":       1,

	"reprise/stream/timeline": 0,
	"reprise/stream/hls":      0,
	"reprise/vod/cmaf":        0,
	"reprise/vod/webvtt":      0,
	"reprise/storage":         0,
	"reprise/storage/dbtest":  0,
	"reprise/configs":         0,
	"reprise/api/mail":        0,
	"reprise/api/token":       0,
	"reprise/api/web":         0,
}

// allowed says which package may import which of ours, and why. README.md
// holds the same map for people. A line that nothing uses is a fault too.
var allowed = map[string]map[string]string{
	"reprise/api": {
		"reprise/api/token":       "tokens in paths and headers are checked here",
		"reprise/event":           "ids of events, auditoriums and talks",
		"reprise/storage":         "segments are ranges of objects, sent by sendfile",
		"reprise/stream":          "playlists and files come from the playout",
		"reprise/stream/timeline": "target duration and lead, for waiting and caching",
		"reprise/vod":             "assets, media, uploads; findings in the programme",
		"reprise/vod/ingest":      "what is done to recordings: captions, transcripts; its errors in the table",
		"reprise/vod/webvtt":      "cues, from and to JSON and files",
	},
	"reprise/storage/db": {
		"reprise/api/mail":        "implements its store",
		"reprise/api/token":       "keeps its keys",
		"reprise/event":           "implements its store",
		"reprise/stream":          "implements its journal store",
		"reprise/stream/timeline": "journal entries are its rows",
		"reprise/vod":             "implements its library",
	},
	"reprise/storage/uploads": {
		"reprise/storage": "bytes of uploads become its objects",
		"reprise/vod":     "uploads and their locks are its rows",
	},
	"reprise/stream": {
		"reprise/event":           "the programme that goes on air",
		"reprise/storage":         "keys of objects, and templates of slates",
		"reprise/stream/hls":      "playlists as text",
		"reprise/stream/timeline": "what is on air, as arithmetic",
		"reprise/vod":             "the media that goes on air",
		"reprise/vod/cmaf":        "segments of slates are made from templates",
		"reprise/vod/webvtt":      "empty captions",
	},
	"reprise/vod/ingest": {
		"reprise/storage":         "originals and media are objects",
		"reprise/stream/timeline": "ticks",
		"reprise/vod":             "assets and media",
		"reprise/vod/cmaf":        "packaging",
		"reprise/vod/webvtt":      "captions",
	},
	"reprise/vod": {
		"reprise/stream/timeline": "ticks: one unit for length everywhere",
	},
	"reprise/stream/conformance": {
		"reprise/stream/hls":      "parses what it checks",
		"reprise/stream/timeline": "the shape of a journal",
	},
	"reprise/storage/cache": {
		"reprise/storage": "is a store before another one",
	},
	"reprise/storage/storagetest": {
		"reprise/storage": "the conformance suite of its stores",
	},
}

// library is an outside library: who may import it, and why it is here.
type library struct {
	owners []string // nil: anyone
	reason string
}

// libraries are all outside libraries, by prefix of the import path.
var libraries = map[string]library{
	"github.com/labstack/echo/v4":                    {[]string{"reprise/api"}, "HTTP routing"},
	"github.com/danielgtaylor/huma/v2":               {[]string{"reprise/api"}, "OpenAPI from Go types"},
	"github.com/prometheus/client_golang/prometheus": {[]string{"reprise/api", "reprise/storage/cache", "reprise/cmd/reprise"}, "metrics; the registry is made in cmd and passed in"},
	"github.com/wneessen/go-mail":                    {[]string{"reprise/api/mail"}, "letters, over SMTP"},
	"github.com/golang-jwt/jwt/v5":                   {[]string{"reprise/api/token"}, "tokens"},
	"github.com/bluenviron/mediacommon/v2":           {[]string{"reprise/vod/cmaf"}, "H.264 parameter sets"},
	"github.com/abema/go-mp4":                        {[]string{"reprise/vod/cmaf"}, "MP4 boxes"},
	"modernc.org/sqlite":                             {[]string{"reprise/storage/db", "reprise/storage/queue"}, "SQLite without cgo; in storage/queue for tests only"},
	"github.com/pressly/goose/v3":                    {[]string{"reprise/storage/db"}, "migrations"},
	"github.com/riverqueue/river":                    {[]string{"reprise/storage/queue"}, "durable jobs"},
	"github.com/jackc/pgx/v5":                        {[]string{"reprise/storage/db", "reprise/storage/queue", "reprise/storage/dbtest"}, "PostgreSQL"},
	"github.com/google/uuid":                         {[]string{"reprise/storage/queue", "reprise/vod/ingest"}, "ids in order of time"},
	"github.com/alecthomas/kong":                     {[]string{"reprise/cmd/reprise"}, "the command line"},
	"go.yaml.in/yaml/v3":                             {[]string{"reprise/cmd/reprise"}, "event files, with lines for faults"},
	"golang.org/x/sys/unix":                          {[]string{"reprise/cmd/reprise"}, "terminal width, kernel clock"},
	"golang.org/x/sync/errgroup":                     {[]string{"reprise/cmd/reprise"}, "the one group of loops"},
	"github.com/knadh/koanf":                         {[]string{"reprise/configs"}, "layers of configuration"},
	"golang.org/x/text/encoding/charmap":             {[]string{"reprise/vod/webvtt"}, "captions in the encodings of old editors"},
	"github.com/aws/aws-sdk-go-v2":                   {[]string{"reprise/storage"}, "S3"},
	"github.com/aws/smithy-go":                       {[]string{"reprise/storage"}, "errors of S3 servers, as the SDK types them"},
	"github.com/tus/tusd/v2":                         {[]string{"reprise/storage/uploads"}, "resumable uploads: the protocol of tus 1.0"},
	"golang.org/x/exp/slog":                          {[]string{"reprise/storage/uploads"}, "tusd logs by it"},
	"golang.org/x/text/unicode/norm":                 {[]string{"reprise/stream/conformance", "reprise/vod/ingest"}, "rule R002: NFC; searches that do not mind accents"},
}

// testLibraries are those that only tests import; anyone may.
var testLibraries = map[string]string{
	"github.com/google/go-cmp":        "differences that people can read",
	"pgregory.net/rapid":              "property tests",
	"go.uber.org/goleak":              "goroutines that outlive their test",
	"github.com/Shopify/toxiproxy/v2": "bad networks, in process",
	"github.com/rs/zerolog":           "toxiproxy wants its logger",
	"github.com/emersion/go-smtp":     "a mail server, in process",
	"github.com/emersion/go-sasl":     "how one logs in to it",

	"github.com/prometheus/client_golang/prometheus": "a registry of its own for each server that a test builds",
}

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath                         string
	Name, Doc                          string
	Imports, TestImports, XTestImports []string
	Standard                           bool
}

// goList lists all packages of the module.
func goList(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Doc,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func ours(path string) bool { return strings.HasPrefix(path, "reprise/") }

// outside tells an outside library from the standard one: its first part has a dot.
func outside(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}

func TestImportsRunDownOnly(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, p := range goList(t) {
		floor, known := floors[p.ImportPath]
		if !known {
			t.Errorf("%s has no floor: add it to the table, and to the map in README.md", p.ImportPath)
		}
		for _, path := range p.Imports {
			if !ours(path) {
				continue
			}
			if floors[path] >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports run down only", p.ImportPath, floor, path, floors[path])
			}
			if p.ImportPath == "reprise/cmd/reprise" {
				continue // puts all together
			}
			if allowed[p.ImportPath][path] == "" {
				t.Errorf("%s imports %s: not in the table; add a line with the reason, or do without", p.ImportPath, path)
			}
			used[p.ImportPath+" "+path] = true
		}
	}
	for from, lines := range allowed {
		for to := range lines {
			if !used[from+" "+to] {
				t.Errorf("the table allows %s to import %s, but it does not: take the line out", from, to)
			}
		}
	}
}

func TestEachLibraryHasAnOwner(t *testing.T) {
	t.Parallel()
	owner := func(path string) (string, library, bool) {
		for prefix, l := range libraries {
			if path == prefix || strings.HasPrefix(path, prefix+"/") {
				return prefix, l, true
			}
		}
		return "", library{}, false
	}
	used := map[string]bool{}
	for _, p := range goList(t) {
		for _, path := range p.Imports {
			if !outside(path) {
				continue
			}
			prefix, l, ok := owner(path)
			used[prefix] = true
			if !ok {
				t.Errorf("%s imports %s, which is not in the table of libraries: say who owns it and why, and name it in README.md", p.ImportPath, path)
			} else if !slices.Contains(l.owners, p.ImportPath) {
				t.Errorf("%s imports %s, which %v own", p.ImportPath, path, l.owners)
			}
		}
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			if !outside(path) || slices.Contains(p.Imports, path) {
				continue
			}
			test := slices.ContainsFunc(slices.Collect(mapKeys(testLibraries)), func(prefix string) bool { return strings.HasPrefix(path, prefix) })
			if _, l, ok := owner(path); !test && (!ok || !slices.Contains(l.owners, p.ImportPath)) {
				t.Errorf("tests of %s import %s: not in the table", p.ImportPath, path)
			}
		}
	}
	for prefix := range libraries {
		if !used[prefix] {
			t.Errorf("nothing imports %s any more: take it out of the table", prefix)
		}
	}
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
