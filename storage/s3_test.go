package storage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"reprise/storage"
	"reprise/storage/storagetest"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newS3(t *testing.T, cfg storage.S3Config) *storage.S3 {
	t.Helper()
	s, err := storage.NewS3(t.Context(), cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newBucket is a store in a bucket of a server of its own, with small parts.
func newBucket(t *testing.T) (*storage.S3, *storagetest.Gateway) {
	t.Helper()
	g := storagetest.StartGateway(t)
	cfg := g.Config("bucket")
	cfg.PartSize = 5 << 20
	return newS3(t, cfg), g
}

// pattern returns bytes that are the same for the same seed, and differ at each place.
func pattern(size int, seed uint64) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = r.Read(b)
	return b
}

func readAll(t *testing.T, s storage.Store, key storage.Key) []byte {
	t.Helper()
	o, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return b
}

// uploads counts the uploads in parts that are neither finished nor given up.
func uploads(t *testing.T, s *storage.S3) int {
	t.Helper()
	out, err := s.Client().ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(s.Bucket())})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Uploads)
}

func TestS3Conformance(t *testing.T) {
	t.Parallel()
	g := storagetest.StartGateway(t)
	conformThrough(t, g, g.Endpoint)
}

func TestS3ConformanceWithPrefix(t *testing.T) {
	t.Parallel()
	g := storagetest.StartGateway(t)
	storagetest.Conformance(t, func(t *testing.T) storage.Store {
		cfg := g.Config("b" + storage.RandomName())
		cfg.PartSize = 5 << 20
		outside := newS3(t, cfg)
		for _, key := range []storage.Key{"reprise", "reprise-more/x", "z"} {
			if _, err := outside.Put(t.Context(), key, strings.NewReader("not ours")); err != nil {
				t.Fatal(err)
			}
		}
		cfg.Prefix = "/Conf/2026/"
		s := newS3(t, cfg)
		if name := s.ObjectName("a/b"); name != "Conf/2026/a/b" {
			t.Errorf("object name %q", name)
		}
		return s
	})
}

// TestS3TLS: a server with a certificate of an authority of its own, by bucket.localhost.
func TestS3TLSAndVirtualHosts(t *testing.T) {
	t.Parallel()
	g := storagetest.StartGateway(t, storagetest.WithTLS, storagetest.WithVirtualHosts)
	cfg := g.Config("bucket")
	if cfg.PathStyle || !strings.HasPrefix(cfg.Endpoint, "https://localhost:") {
		t.Fatalf("not what is to be tested: %+v", cfg)
	}
	s := newS3(t, cfg)
	content := pattern(1<<20, 1)
	if _, err := s.Put(t.Context(), "a/b", bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, s, "a/b"); !bytes.Equal(got, content) {
		t.Error("other bytes came back")
	}
	cfg.CAFile = ""
	if _, err := storage.NewS3(t.Context(), cfg, quiet()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("unknown authority: %v", err)
	}
}

func TestS3Parts(t *testing.T) {
	t.Parallel()
	s, _ := newBucket(t)
	const part = 5 << 20
	for _, size := range []int{part - 1, part, part + 1, 2 * part, 5*part + 12345} {
		content := pattern(size, uint64(size))
		// Read by pieces that fit nothing.
		info, err := s.Put(t.Context(), "big/one", &pieces{bytes.NewReader(content), 77_777})
		if err != nil || info.Size != int64(size) {
			t.Fatalf("%d bytes: %+v %v", size, info, err)
		}
		if got := readAll(t, s, "big/one"); !bytes.Equal(got, content) {
			t.Fatalf("%d bytes: others came back", size)
		}
	}
	if left := uploads(t, s); left != 0 {
		t.Errorf("%d uploads are left", left)
	}
}

// pieces reads n bytes at most, and says nothing of its size.
type pieces struct {
	r io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

// TestS3PutGivenUp: parts that were sent are given back when the source fails, or the caller goes.
func TestS3PutGivenUp(t *testing.T) {
	t.Parallel()
	s, _ := newBucket(t)
	broken := errors.New("broken source")
	_, err := s.Put(t.Context(), "k", io.MultiReader(bytes.NewReader(make([]byte, 12<<20)), &failing{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = s.Put(ctx, "k", io.MultiReader(bytes.NewReader(make([]byte, 12<<20)), &calling{func() { cancel(broken) }}, bytes.NewReader(make([]byte, 12<<20))))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if left := uploads(t, s); left != 0 {
		t.Errorf("%d uploads are left", left)
	}
	if _, err := s.Stat(t.Context(), "k"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("an object is there: %v", err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// calling calls once and is at its end.
type calling struct{ call func() }

func (c *calling) Read([]byte) (int, error) { c.call(); return 0, io.EOF }

// TestS3BigObject is not parallel: it measures the memory of the process.
func TestS3BigObject(t *testing.T) {
	s, _ := newBucket(t)
	storagetest.BigObjectWithin(t, s, 96<<20, 64<<20)
}

// TestS3Goroutines is not parallel: it counts those of the process.
func TestS3Goroutines(t *testing.T) {
	here := goleak.IgnoreCurrent()
	t.Run("work", func(t *testing.T) {
		s, _ := newBucket(t)
		for range 3 {
			if _, err := s.Put(t.Context(), "k", bytes.NewReader(make([]byte, 11<<20))); err != nil {
				t.Fatal(err)
			}
			o, err := s.Open(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, o, 1<<20); err != nil {
				t.Fatal(err)
			}
			if err := o.Close(); err != nil { // in the middle of a download
				t.Fatal(err)
			}
			if _, err := o.Read(make([]byte, 1)); err == nil {
				t.Error("a closed object is read")
			}
		}
	})
	goleak.VerifyNone(t, here)
}

func openS3(where string) (storage.Store, error) {
	var cfg storage.S3Config
	if err := json.Unmarshal([]byte(where), &cfg); err != nil {
		return nil, err
	}
	return storage.NewS3(context.Background(), cfg, quiet())
}

// TestS3KillDuringPut: what a killed process sent is never an object, and AbortStale removes it.
func TestS3KillDuringPut(t *testing.T) {
	t.Parallel()
	s, g := newBucket(t)
	cfg := g.Config("bucket")
	cfg.PartSize = 5 << 20
	where, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	storagetest.KillDuringPut(t, string(where), openS3)
	if uploads(t, s) == 0 {
		t.Fatal("the killed process left nothing: the test shows nothing")
	}
	if n, err := s.AbortStale(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("young uploads: %d given up, %v", n, err)
	}
	n, err := s.AbortStale(t.Context(), -time.Hour) // by then all of it is old
	if n == 0 || err != nil || uploads(t, s) != 0 {
		t.Errorf("%d given up, %d left, %v", n, uploads(t, s), err)
	}
}

// TestS3AbortStalePages has more uploads, and one with more parts, than a page of the server's lists.
func TestS3AbortStalePages(t *testing.T) {
	t.Parallel()
	s, _ := newBucket(t)
	const many = 1003
	var last *s3.CreateMultipartUploadOutput
	for i := range many {
		var err error
		last, err = s.Client().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
			Bucket: aws.String(s.Bucket()), Key: aws.String(s.ObjectName(storage.Key(fmt.Sprintf("u/%d", i%7)))),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range many {
		_, err := s.Client().UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: last.Bucket, Key: last.Key, UploadId: last.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: strings.NewReader("x"),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	n, err := s.AbortStale(t.Context(), -time.Hour)
	if n != many || err != nil || uploads(t, s) != 0 {
		t.Errorf("%d of %d given up, %v", n, many, err)
	}
}

func TestNewS3SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	g := storagetest.StartGateway(t)
	good := g.Config("bucket")
	tests := []struct {
		name   string
		change func(*storage.S3Config)
		want   string
	}{
		{"no bucket", func(c *storage.S3Config) { c.Bucket = "" }, "is not a name"},
		{"half of the keys", func(c *storage.S3Config) { c.SecretAccessKey = "" }, "is missing"},
		{"endpoint", func(c *storage.S3Config) { c.Endpoint = "s3.example.org" }, "URL"},
		{"endpoint with user", func(c *storage.S3Config) { c.Endpoint = "http://me:hush@example.org" }, "URL"},
		{"encryption", func(c *storage.S3Config) { c.Encryption = "rot13" }, "rot13"},
		{"key without kms", func(c *storage.S3Config) { c.KMSKeyID = "k" }, "aws:kms"},
		{"prefix", func(c *storage.S3Config) { c.Prefix = "a/../b" }, "prefix"},
		{"part size", func(c *storage.S3Config) { c.PartSize = 1 }, "part size"},
		{"CA file", func(c *storage.S3Config) { c.CAFile = "s3_test.go" }, "no PEM certificate"},
		{"bucket is not there", func(c *storage.S3Config) { c.Bucket = "another" }, "does not exist"},
		{"wrong secret", func(c *storage.S3Config) { c.SecretAccessKey = "hush" }, "refuses the credentials"},
		{"wrong key", func(c *storage.S3Config) { c.AccessKeyID = "nobody" }, "refuses the credentials"},
		{"nobody there", func(c *storage.S3Config) { c.Endpoint, c.Attempts = "http://127.0.0.1:1", 2 }, "cannot be reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			tt.change(&cfg)
			_, err := storage.NewS3(t.Context(), cfg, quiet())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a text with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("a secret is in %v", err)
			}
			if text := fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg); cfg.SecretAccessKey != "" && strings.Contains(text, cfg.SecretAccessKey) {
				t.Error("the configuration prints its secret")
			}
		})
	}
}

// TestS3ReadsLikeBytes: any order of reads and seeks gives what reading memory gives.
func TestS3ReadsLikeBytes(t *testing.T) {
	t.Parallel()
	s, _ := newBucket(t)
	content := pattern(3<<20+17, 3)
	if _, err := s.Put(t.Context(), "k", bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		o, err := s.Open(t.Context(), "k")
		if err != nil {
			rt.Fatal(err)
		}
		defer o.Close()
		memory := bytes.NewReader(content)
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			length := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, 1<<20)).Draw(rt, "length")
			at := rapid.OneOf(rapid.IntRange(0, len(content)+10), rapid.IntRange(len(content)-200, len(content)+10), rapid.IntRange(0, 5000)).Draw(rt, "at")
			a, b := make([]byte, length), make([]byte, length)
			switch rapid.IntRange(0, 2).Draw(rt, "step") {
			case 0:
				n, errA := o.ReadAt(a, int64(at))
				m, errB := memory.ReadAt(b, int64(at))
				if length == 0 {
					continue // a matter of taste
				}
				if n != m || (errA == nil) != (errB == nil) || !bytes.Equal(a, b) {
					rt.Fatalf("ReadAt(%d, %d): %d %v, memory %d %v", length, at, n, errA, m, errB)
				}
			case 1:
				n, errA := io.ReadFull(o, a)
				m, errB := io.ReadFull(memory, b)
				if n != m || !errors.Is(errA, errB) || !bytes.Equal(a, b) {
					rt.Fatalf("Read(%d): %d %v, memory %d %v", length, n, errA, m, errB)
				}
			case 2:
				n, errA := o.Seek(int64(at), io.SeekStart)
				m, errB := memory.Seek(int64(at), io.SeekStart)
				if n != m || errA != nil || errB != nil {
					rt.Fatalf("Seek(%d): %d %v", at, n, errA)
				}
			}
		}
	})
}

// TestS3CredentialsByTheChain is not parallel: it sets the environment.
func TestS3CredentialsByTheChain(t *testing.T) {
	g := storagetest.StartGateway(t)
	cfg := g.Config("bucket")
	cfg.AccessKeyID, cfg.SecretAccessKey, cfg.Region = "", "", ""
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
	if _, err := storage.NewS3(t.Context(), cfg, quiet()); err == nil || !strings.Contains(err.Error(), "no credentials") {
		t.Errorf("got %v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", g.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", g.SecretKey)
	s := newS3(t, cfg)
	if _, err := s.Put(t.Context(), "k", strings.NewReader("x")); err != nil {
		t.Error(err)
	}
}
