package storage_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reprise/storage"
)

// oddServer is an S3 server that a test makes behave as it likes. What the test
// does not answer itself is answered as an empty bucket would.
func oddServer(t *testing.T, answer func(w http.ResponseWriter, r *http.Request) bool) storage.S3Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer(w, r) {
			return
		}
		if r.URL.Query().Has("list-type") {
			fmt.Fprint(w, `<ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated></ListBucketResult>`)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"e"`)
	}))
	t.Cleanup(server.Close)
	return storage.S3Config{
		Bucket: "bucket", Endpoint: server.URL, PathStyle: true, PartSize: 5 << 20, Attempts: 3, Timeout: 10 * time.Second,
		AccessKeyID: "AKIAODDSERVER", SecretAccessKey: "hush-hush-secret",
	}
}

// TestS3LogsNoSecret: a server that fails in every way, and says back what it was sent.
func TestS3LogsNoSecret(t *testing.T) {
	t.Parallel()
	turn := 0
	var mu sync.Mutex
	cfg := oddServer(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("list-type") != "" && r.URL.Query().Get("prefix") == "" && r.URL.Query().Get("max-keys") == "1" {
			return false // the check at the start
		}
		mu.Lock()
		turn++
		n := turn
		mu.Unlock()
		back := r.Header.Get("Authorization") + " AKIAODDSERVER hush-hush-secret " + r.URL.String()
		switch n % 4 {
		case 0:
			panic(http.ErrAbortHandler)
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, "<html>"+back)
		case 2:
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "<Error><Code>InternalError</Code><Message>%s</Message></Error>", escape(back))
		case 3:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<Error><Code>AccessDenied</Code><Message>key AKIAODDSERVER, %s</Message></Error>", escape(r.URL.String()))
		}
		return true
	})
	var log lockedBuffer
	s, err := storage.NewS3(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var errs []string
	for range 4 {
		_, err1 := s.Put(t.Context(), "k", strings.NewReader("x"))
		_, err2 := s.Put(t.Context(), "k", bytes.NewReader(make([]byte, 6<<20)))
		_, err3 := s.Open(t.Context(), "k")
		err4 := s.List(t.Context(), "k", func(storage.Info) error { return nil })
		_, err5 := s.AbortStale(t.Context(), 0)
		for _, err := range []error{err1, err2, err3, err4, err5, s.Delete(t.Context(), "k")} {
			if err == nil {
				t.Error("a deed of a broken server is no error")
				continue
			}
			errs = append(errs, err.Error())
		}
	}
	said := log.String() + strings.Join(errs, "\n")
	if !strings.Contains(log.String(), "trying again") {
		t.Errorf("no retry is logged:\n%s", said)
	}
	for _, bad := range []string{"hush", "AKIAODD", "Signature", "AWS4", "Authorization", "uploadId", "?", "x-id="} {
		if strings.Contains(said, bad) {
			t.Errorf("%q is said:\n%s", bad, said)
		}
	}
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer never fails
	return b.String()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestS3Headers: encryption and storage class are asked for, every part has its
// SHA-256, no checksum is sent to a server that does not know them.
func TestS3Headers(t *testing.T) {
	t.Parallel()
	for _, knows := range []string{"echo", "ignore", "refuse"} {
		t.Run(knows, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var begun, parts, completed []http.Header
			cfg := oddServer(t, func(w http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				q := r.URL.Query()
				switch {
				case r.Method == http.MethodPost && q.Has("uploads"):
					begun = append(begun, r.Header)
					if algorithm := r.Header.Get("X-Amz-Checksum-Algorithm"); algorithm != "" && knows == "refuse" {
						w.WriteHeader(http.StatusNotImplemented)
						fmt.Fprint(w, "<Error><Code>NotImplemented</Code></Error>")
						return true
					} else if knows == "echo" {
						w.Header().Set("X-Amz-Checksum-Algorithm", algorithm)
					}
					fmt.Fprint(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
					return true
				case r.Method == http.MethodPut:
					parts = append(parts, r.Header)
				case r.Method == http.MethodPost:
					completed = append(completed, r.Header)
					fmt.Fprint(w, "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
					return true
				}
				return false
			})
			cfg.Encryption, cfg.KMSKeyID, cfg.StorageClass = "aws:kms", "my-key", "STANDARD_IA"
			s := newS3(t, cfg)
			for range 2 {
				if _, err := s.Put(t.Context(), "k", bytes.NewReader(make([]byte, 6<<20))); err != nil {
					t.Fatal(err)
				}
			}
			if want := map[string]int{"echo": 2, "ignore": 2, "refuse": 3}[knows]; len(begun) != want || len(parts) != 4 || len(completed) != 2 {
				t.Fatalf("%d begun (want %d), %d parts, %d completed", len(begun), want, len(parts), len(completed))
			}
			for _, h := range begun {
				if h.Get("X-Amz-Server-Side-Encryption") != "aws:kms" || h.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id") != "my-key" || h.Get("X-Amz-Storage-Class") != "STANDARD_IA" {
					t.Errorf("headers of an upload: %v", h)
				}
			}
			for _, h := range parts {
				if has := h.Get("X-Amz-Checksum-Sha256") != ""; has != (knows == "echo") {
					t.Errorf("checksum of a part: %v", has)
				}
				if sum := h.Get("X-Amz-Content-Sha256"); len(sum) != 64 {
					t.Errorf("the signature does not cover the content: %q", sum)
				}
			}
		})
	}
}

// TestS3ErrorUnderStatus200 is how AWS says that an object could not be made of its parts.
func TestS3ErrorUnderStatus200(t *testing.T) {
	t.Parallel()
	completes := 0
	cfg := oddServer(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch q := r.URL.Query(); {
		case r.Method == http.MethodPost && q.Has("uploads"):
			fmt.Fprint(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
		case r.Method == http.MethodPost:
			completes++
			fmt.Fprint(w, "\n\n<Error><Code>InternalError</Code><Message>later</Message></Error>")
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		default:
			return false
		}
		return true
	})
	s := newS3(t, cfg)
	_, err := s.Put(t.Context(), "k", bytes.NewReader(make([]byte, 6<<20)))
	if !errors.Is(err, storage.ErrUnavailable) || completes != cfg.Attempts {
		t.Errorf("after %d attempts: %v", completes, err)
	}
}

// objectServer serves one object; change alters what it does.
func objectServer(t *testing.T, content []byte, change func(w http.ResponseWriter, r *http.Request) bool) *storage.S3 {
	t.Helper()
	cfg := oddServer(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet && r.Method != http.MethodHead || r.URL.Query().Has("list-type") {
			return false
		}
		if r.Method == http.MethodGet && change(w, r) {
			return true
		}
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(w, r, "", time.Unix(1, 0), bytes.NewReader(content))
		return true
	})
	return newS3(t, cfg)
}

func TestS3NeverMixesObjects(t *testing.T) {
	t.Parallel()
	content := pattern(1<<20, 5)
	other := pattern(1<<20, 6)
	tests := []struct {
		name   string
		change func(w http.ResponseWriter, r *http.Request) bool
	}{
		{"If-Match is not known", func(w http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("If-Match")
			w.Header().Set("ETag", `"two"`)
			http.ServeContent(w, r, "", time.Unix(2, 0), bytes.NewReader(other))
			return true
		}},
		{"another size under the same ETag", func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("ETag", `"one"`)
			http.ServeContent(w, r, "", time.Unix(2, 0), bytes.NewReader(other[:1<<20-1]))
			return true
		}},
		{"precondition failed", func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusPreconditionFailed)
			return true
		}},
		{"gone", func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(http.StatusNotFound); return true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var now atomic.Bool
			s := objectServer(t, content, func(w http.ResponseWriter, r *http.Request) bool { return now.Load() && tt.change(w, r) })
			o, err := s.Open(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			b := make([]byte, 1000)
			if _, err := o.ReadAt(b, 0); err != nil || !bytes.Equal(b, content[:1000]) {
				t.Fatal(err)
			}
			now.Store(true)
			if n, err := o.ReadAt(b, 1<<20-1000); n != 0 || !errors.Is(err, storage.ErrChanged) {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
	}
}

// TestS3BrokenBodiesGoOn: each answer breaks off after some bytes.
func TestS3BrokenBodiesGoOn(t *testing.T) {
	t.Parallel()
	content := pattern(1<<20, 5)
	broken := 0
	s := objectServer(t, content, func(w http.ResponseWriter, r *http.Request) bool {
		if broken++; broken%8 != 0 {
			rw := &breakingAfter{ResponseWriter: w, left: 90_000}
			w.Header().Set("ETag", `"one"`)
			http.ServeContent(rw, r, "", time.Unix(1, 0), bytes.NewReader(content))
			return true
		}
		return false
	})
	if got := readAll(t, s, "k"); !bytes.Equal(got, content) {
		t.Error("other bytes came")
	}
	if broken < 8 {
		t.Errorf("only %d answers", broken)
	}
}

// TestS3DeadBodyIsGivenUp: no byte of the body ever comes.
func TestS3DeadBodyIsGivenUp(t *testing.T) {
	t.Parallel()
	s := objectServer(t, pattern(1<<20, 5), func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(&breakingAfter{ResponseWriter: w}, r, "", time.Unix(1, 0), bytes.NewReader(make([]byte, 1<<20)))
		return true
	})
	o, err := s.Open(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := o.ReadAt(make([]byte, 10), 0); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// breakingAfter breaks the connection after some bytes of the body.
type breakingAfter struct {
	http.ResponseWriter
	left int
}

func (b *breakingAfter) Write(p []byte) (int, error) {
	n, _ := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	if b.left -= n; b.left == 0 {
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

// TestS3ReadsEndWithTheirContext: also one that waits for a server that does not answer.
func TestS3ReadsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := objectServer(t, pattern(1<<20, 5), func(_ http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done()
		return true
	})
	o, err := s.Open(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := o.ReadAt(make([]byte, 10), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestS3SaysWhatIsWrong: errors find their sentinels.
func TestS3SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		code   string
		want   error
	}{
		{403, "AccessDenied", fs.ErrPermission},
		{403, "SignatureDoesNotMatch", fs.ErrPermission},
		{507, "InsufficientStorage", storage.ErrNoSpace},
		{507, "XMinioStorageFull", storage.ErrNoSpace},
		{403, "QuotaExceeded", storage.ErrNoSpace},
		{503, "SlowDown", storage.ErrUnavailable},
		{500, "InternalError", storage.ErrUnavailable},
		{400, "ObjectParentIsFile", storage.ErrInvalidKey},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			cfg := oddServer(t, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut {
					return false
				}
				answerFault(w, r, tt.status, tt.code)
				return true
			})
			cfg.Attempts = 1
			_, err := newS3(t, cfg).Put(t.Context(), "k", strings.NewReader("x"))
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.code) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestS3ListThatNeverEnds: a server that gives the same page again and again.
func TestS3ListThatNeverEnds(t *testing.T) {
	t.Parallel()
	cfg := oddServer(t, func(w http.ResponseWriter, r *http.Request) bool {
		fmt.Fprint(w, `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>n</NextContinuationToken>
			<Contents><Key>a</Key><Size>1</Size></Contents><Contents><Key>A B</Key><Size>1</Size></Contents><Contents><Key>d/</Key></Contents></ListBucketResult>`)
		return true
	})
	s := newS3(t, cfg)
	n := 0
	err := s.List(t.Context(), "", func(storage.Info) error { n++; return nil })
	if err == nil || n != 2 { // names that are no keys are passed over
		t.Errorf("%d objects, %v", n, err)
	}
}

// TestS3AbortStaleSparesWhatIsFed: begun long ago, but the last part, on the second page, is of now.
func TestS3AbortStaleSparesWhatIsFed(t *testing.T) {
	t.Parallel()
	var aborted []string
	cfg := oddServer(t, func(w http.ResponseWriter, r *http.Request) bool {
		now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		w.Header().Set("Date", now.Format(http.TimeFormat))
		stamp := func(ago time.Duration) string { return now.Add(-ago).Format(time.RFC3339) }
		q := r.URL.Query()
		upload := func(id string, ago time.Duration) string {
			return fmt.Sprintf("<Upload><Key>p/%s</Key><UploadId>%s</UploadId><Initiated>%s</Initiated></Upload>", id, id, stamp(ago))
		}
		switch {
		case r.Method == http.MethodDelete:
			aborted = append(aborted, q.Get("uploadId"))
			w.WriteHeader(http.StatusNoContent)
		case q.Has("uploads") && q.Get("key-marker") == "":
			fmt.Fprint(w, "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>p/fed</NextKeyMarker><NextUploadIdMarker>fed</NextUploadIdMarker>"+
				upload("fed", 50*time.Hour)+"</ListMultipartUploadsResult>")
		case q.Has("uploads"):
			fmt.Fprint(w, "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"+
				upload("old", 50*time.Hour)+upload("young", time.Hour)+upload("done", 50*time.Hour)+"</ListMultipartUploadsResult>")
		case q.Get("uploadId") == "fed" && q.Get("part-number-marker") == "":
			fmt.Fprintf(w, "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker><Part><PartNumber>1</PartNumber><LastModified>%s</LastModified></Part></ListPartsResult>", stamp(49*time.Hour))
		case q.Get("uploadId") == "fed":
			fmt.Fprintf(w, "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>2</PartNumber><LastModified>%s</LastModified></Part></ListPartsResult>", stamp(time.Hour))
		case q.Get("uploadId") == "done":
			answerFault(w, r, http.StatusNotFound, "NoSuchUpload")
		case q.Has("uploadId"):
			fmt.Fprint(w, "<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>")
		default:
			return false
		}
		return true
	})
	cfg.Prefix = "p"
	n, err := newS3(t, cfg).AbortStale(t.Context(), 24*time.Hour)
	if n != 1 || err != nil || len(aborted) != 1 || aborted[0] != "old" {
		t.Errorf("%d, %v, %v", n, aborted, err)
	}
}
