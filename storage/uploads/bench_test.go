package uploads

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"reprise/storage/storagetest"
	"reprise/vod"
)

// sizeVar is the size of the file that BenchmarkUpload sends, in GiB; 2 if it
// is not set. The disk must have room for it: the zeros of a sparse file take
// room once they are sent.
const sizeVar = "REPRISE_UPLOADS_GIB"

// BenchmarkUpload sends one large sparse file, in one request as browsers do,
// to a server in a process of its own, and reports by how much its memory grew.
func BenchmarkUpload(b *testing.B) {
	b.Run("disk", func(b *testing.B) { benchUpload(b, plot{Dir: b.TempDir(), Objects: b.TempDir()}) })
	b.Run("s3", func(b *testing.B) {
		cfg := storagetest.StartGateway(b).Config("films")
		benchUpload(b, plot{Dir: b.TempDir(), S3: &cfg})
	})
}

func benchSize(b *testing.B) int64 {
	b.Helper()
	text := os.Getenv(sizeVar)
	if text == "" {
		return 2 << 30
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > 1024 {
		b.Fatalf("%s: %q is not a number of GiB", sizeVar, text)
	}
	return n << 30
}

func benchUpload(b *testing.B, p plot) {
	size := benchSize(b)
	p.Rows, p.Listen, p.PartSize = filepath.Join(b.TempDir(), "rows.db"), "127.0.0.1:0", defaultPartSize
	source, err := os.Create(filepath.Join(b.TempDir(), "sparse"))
	if err != nil {
		b.Fatal(err)
	}
	defer source.Close()
	if err := source.Truncate(size); err != nil {
		b.Fatal(err)
	}
	v := &victim{t: b, plot: p, enough: make(chan struct{}), limit: 0}
	v.start()
	defer v.stop()
	c := &benchClient{b: b, base: v.base}
	c.send(bytes.NewReader(make([]byte, 1<<20)), 1<<20) // what a server has in memory anyway
	before := peakMemory(b, v.process.Process.Pid)
	b.SetBytes(size)
	b.ResetTimer()
	var last string
	for range b.N {
		last = c.send(io.NewSectionReader(source, 0, size), size)
	}
	b.StopTimer()
	b.ReportMetric(float64(peakMemory(b, v.process.Process.Pid)-before)/(1<<20), "MiB-grown")
	checkSum(b, p, last, size)
}

// benchClient creates an upload and sends it whole.
type benchClient struct {
	b    *testing.B
	base string
}

func (c *benchClient) do(method, path string, header map[string]string, body io.Reader, size int64) http.Header {
	c.b.Helper()
	r, err := http.NewRequest(method, c.base+path, body)
	if err != nil {
		c.b.Fatal(err)
	}
	r.ContentLength = size
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Authorization", "Bearer secret-ann")
	for k, value := range header {
		r.Header.Set(k, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.b.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		c.b.Fatalf("%s: %d %s", method, resp.StatusCode, text)
	}
	return resp.Header
}

func (c *benchClient) send(body io.Reader, size int64) string {
	c.b.Helper()
	h := c.do(http.MethodPost, root, map[string]string{"Upload-Length": strconv.FormatInt(size, 10), "Upload-Metadata": "filename YQ=="}, nil, 0)
	c.do(http.MethodPatch, h.Get("Location"), patchHeader(0), body, size)
	return filepath.Base(h.Get("Location"))
}

// peakMemory is the most memory that a process had so far, in bytes (Linux).
func peakMemory(b *testing.B, pid int) int64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		var kib int64
		if n, _ := fmt.Sscanf(string(line), "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	b.Fatal("no VmHWM")
	return 0
}

// checkSum compares the sum that was measured on the way with that of as many zeros.
func checkSum(b *testing.B, p plot, id string, size int64) {
	b.Helper()
	u, store, end, err := p.open(context.Background(), newClock().now)
	if err != nil {
		b.Fatal(err)
	}
	defer end()
	row, err := u.deps.Rows.Upload(context.Background(), vod.UploadID(id))
	if err != nil {
		b.Fatal(err)
	}
	info, err := store.Stat(context.Background(), objectKey(row.ID))
	if err != nil || info.Size != size {
		b.Errorf("%d bytes are stored: %v", info.Size, err)
	}
	sum := sha256.New()
	zeros := make([]byte, 1<<20)
	for range size >> 20 {
		sum.Write(zeros)
	}
	if row.State != vod.UploadComplete || row.Hashed != size || row.SHA256 != hex.EncodeToString(sum.Sum(nil)) {
		b.Errorf("row %s: sum over %d of %d", row.State, row.Hashed, size)
	}
}
