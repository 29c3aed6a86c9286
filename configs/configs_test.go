package configs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reprise.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExampleIsTheDefaults(t *testing.T) {
	t.Parallel()
	got, err := Load("reprise.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Errorf("reprise.yaml does not say the defaults (-default +file):\n%s", diff)
	}
	paths, _ := Keys()
	file := "\n" + Example()
	for _, path := range paths {
		parts := strings.Split(path, ".")
		name := parts[len(parts)-1]
		if !strings.Contains(file, "\n"+strings.Repeat("  ", len(parts)-1)+name+":") {
			t.Errorf("reprise.yaml does not name %s", path)
		}
	}
}

func TestShowComesBack(t *testing.T) {
	t.Parallel()
	want := Default()
	want.HTTP.PublicURL = "https://video.example.org"
	want.Stream.Depth = 90 * time.Minute
	want.Ingest.MaxMemory = 1500 * MiB
	want.Storage.S3.Bucket, want.Storage.S3.PathStyle = "films", true
	want.Storage.Cache.ReadAhead = 20 * time.Minute
	got, err := Load(write(t, Show(want)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	want.Database.DSN = "0123456789abcdef0123456789abcdef"
	if strings.Contains(Show(want), want.Database.DSN) {
		t.Error("Show tells the secret")
	}
}

func TestLaterLayersCover(t *testing.T) {
	t.Parallel()
	file := write(t, "http:\n  listen: :1\n  publicUrl: https://file.example.org\nlog:\n  level: warn\ningest:\n")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{
		"HOME=/root", "REPRISE_CONFIG=" + file, "REPRISE_HTTP_LISTEN=:2", "REPRISE_HTTP_PUBLIC_URL=https://env.example.org",
		"REPRISE_DATABASE_DSN_FILE=" + secret, "REPRISE_HTTP_MAXCONNECTIONS=7",
	}
	got, err := Load(file, env, []string{"http.listen=:3", "stream.depth=20m", "ingest.maxMemory=2GB"})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.HTTP.Listen = ":3"
	want.HTTP.PublicURL = "https://env.example.org"
	want.HTTP.MaxConnections = 7
	want.Log.Level = "warn"
	want.Stream.Depth = 20 * time.Minute
	want.Ingest.MaxMemory = 2e9
	want.Database.DSN = "0123456789abcdef0123456789abcdef"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A letter with a link to 127.0.0.1 is worse than none.
func TestLettersNeedAnAddress(t *testing.T) {
	t.Parallel()
	mail := []string{"mail.server=smtp.example.org:587", "mail.from=video@example.org"}
	if _, err := Load("", nil, mail); err == nil || !strings.Contains(err.Error(), "http.publicUrl: is missing") {
		t.Errorf("without an address: %v", err)
	}
	if _, err := Load("", nil, append(mail, "http.publicUrl=https://video.example.org")); err != nil {
		t.Error(err)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	file := write(t, `
http:
  lisen: :1
  publicUrl: ftp://x
  drainDelay: ten
log: loud
stream:
  depth: 5s
ingest:
  workers: many
  maxMemory: 3 apples
metrics: {listen: nowhere}
tokens: {linkLife: 1m}
rtsp: {}
storage:
  s3: {endpoint: "s3.example.org/films", pathStyle: perhaps, buckett: x, accessKeyId: me}
uploads: {maxSize: 1KiB}
mail: {server: smtp.example.org, from: nobody}
`)
	_, err := Load(file,
		[]string{"REPRISE_HTTP_LISTENN=:2", "REPRISE_LOG_LEVEL_FILE=/x", "REPRISE_DATABASE_DSN_FILE=/nowhere/at/all",
			"REPRISE_HTTP_DRAINTIMEOUT=1s", "REPRISE_HTTP_DRAIN_TIMEOUT=2s"},
		[]string{"http.listen", "data.dirr=x", "log.format=xml"})
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("no faults, but %v", err)
	}
	for _, word := range []string{
		"http.lisen: no such key (did you mean http.listen?)",
		`http.publicUrl: "ftp://x" is not an address`,
		`http.drainDelay: "ten" is not a duration`,
		`log: a section is needed, not "loud"`,
		"stream.depth: 5s is not between 1m0s and 24h0m0s",
		`ingest.workers: "many" is not a whole number`,
		`ingest.maxMemory: "3 apples" is not a size`,
		`metrics.listen: "nowhere" is not host:port`,
		"tokens.linkLife: 1m0s is not between",
		"rtsp: no such key",
		"storage.s3.buckett: no such key (did you mean storage.s3.bucket?)",
		"storage.s3.endpoint: \"s3.example.org/films\" is not an address",
		"storage.s3.bucket: the bucket's name is missing",
		`storage.s3.pathStyle: "perhaps" is neither true nor false`,
		"storage.s3.accessKeyId: accessKeyId and secretAccessKey go together",
		"uploads.maxSize: 1KiB is not between",
		`mail.server: "smtp.example.org" is not host:port`,
		`mail.from: "nobody" is not an address`,
		"REPRISE_HTTP_LISTENN: no such key",
		"REPRISE_LOG_LEVEL_FILE: no such key",
		"REPRISE_DATABASE_DSN_FILE: open /nowhere/at/all",
		"REPRISE_HTTP_DRAIN_TIMEOUT: http.drainTimeout is set by REPRISE_HTTP_DRAINTIMEOUT already",
		"--set http.listen: write key=value",
		"--set data.dirr: no such key (did you mean data.dir?)",
		`log.format: "xml" is none of text, json`,
	} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("not told: %s", word)
		}
	}
	if len(faults) != 25 {
		t.Errorf("%d faults, not 25:\n%v", len(faults), err)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	t.Parallel()
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil, nil); err == nil || !strings.Contains(err.Error(), "there is no such file") {
		t.Errorf("a missing file gives %v", err)
	}
	if _, err := Load(write(t, "http:\n  listen: :1\n  listen: :2\n"), nil, nil); err == nil {
		t.Error("a key given twice was accepted")
	}
	if _, err := Load(write(t, ""), nil, nil); err != nil {
		t.Errorf("an empty file gives %v", err)
	}
}

func TestNamesInTheEnvironmentDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]string{FileVariable: "the file"}
	for _, k := range keys() {
		name := Prefix + environment(k.path)
		if other, twice := seen[name]; twice {
			t.Errorf("%s and %s have one variable", k.path, other)
		}
		seen[name] = k.path
		if strings.ReplaceAll(variable(k.path), "_", "") != environment(k.path) {
			t.Errorf("%s: %s does not read back", k.path, variable(k.path))
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{"0": 0, "17": 17, "17B": 17, "4 KiB": 4096, "64GiB": 64 << 30, "2TB": 2e12, "3kB": 3000} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v", text, got, err)
		}
		if again, err := ParseSize(got.String()); err != nil || again != got {
			t.Errorf("%q does not come back: %d, %v", got.String(), again, err)
		}
	}
	for _, text := range []string{"", "GiB", "1.5GiB", "-1", "9223372036854775807KiB", "1 apple"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d", text, got)
		}
	}
}
