package uploads

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"reprise/storage/storagetest"
	"reprise/vod"
)

// said is a line of testdata/tus.mjs.
type said struct {
	Event  string `json:"event"`
	Sent   int64  `json:"sent"`
	Found  int    `json:"found"`
	Status int    `json:"status"`
	Text   string `json:"text"`
	URL    string `json:"url"`
}

// runTus runs the page's upload client and hands on what it says, until it ends
// or hear returns false, which kills it.
func runTus(t *testing.T, endpoint, token, file, urls, what string, hear func(said) bool) {
	t.Helper()
	module, err := filepath.Abs("../../api/web/node_modules/tus-js-client")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(module); err != nil {
		t.Fatalf("tus-js-client is missing (npm --prefix api/web ci): %v", err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/tus.mjs", module, endpoint, token, file, urls, what)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var s said
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Errorf("tus.mjs says %q", lines.Text())
		} else if !hear(s) {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // killed, or it said what was wrong
}

func writeFilm(t *testing.T, film []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film.mp4")
	if err := os.WriteFile(path, film, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPageClient: the client of the page goes on by itself when the server is
// killed, and after a closed tab with the next one.
func TestPageClient(t *testing.T) {
	t.Parallel()
	t.Run("disk", func(t *testing.T) {
		t.Parallel()
		testPageClient(t, plot{Dir: t.TempDir(), Objects: t.TempDir()})
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		cfg := storagetest.StartGateway(t).Config("films")
		testPageClient(t, plot{Dir: t.TempDir(), S3: &cfg})
	})
}

func testPageClient(t *testing.T, p plot) {
	p.Rows, p.Listen, p.PartSize, p.Lease = filepath.Join(t.TempDir(), "rows.db"), "127.0.0.1:0", minPartSize, 300*time.Millisecond
	v := &victim{t: t, plot: p, enough: make(chan struct{}), limit: 100}
	v.start()
	t.Cleanup(v.stop)
	v.plot.Listen = v.base[len("http://"):] // the next one listens there too
	film := random(20, minPartSize+3_000_000)
	file, urls := writeFilm(t, film), filepath.Join(t.TempDir(), "urls.json")
	var events []said
	chunks := 0
	hear := func(s said) bool {
		events = append(events, s)
		if s.Event == "chunk" {
			if chunks++; chunks == 2 || chunks == 4 || chunks == 9 {
				v.kill()
			}
		}
		return chunks != 6 || s.Event != "chunk" // the tab is closed
	}
	endpoint := v.base + root
	runTus(t, endpoint, "secret-ann", file, urls, "upload", hear)
	first := len(events)
	runTus(t, endpoint, "secret-ann", file, urls, "upload", hear)
	if second := events[first]; second.Event != "start" || second.Found != 1 {
		t.Errorf("the next tab does not find the upload: %+v", second)
	}
	for _, s := range events[first:] {
		if s.Event == "chunk" {
			if s.Sent < 5*512<<10 {
				t.Errorf("it began again: %d bytes", s.Sent)
			}
			break
		}
	}
	if last := events[len(events)-1]; last.Event != "done" {
		t.Fatalf("it ended with %+v", last)
	}
	if chunks < 9 || v.kills != 3 {
		t.Errorf("%d chunks, %d kills", chunks, v.kills)
	}
	v.stop()
	checkAfterKills(t, p)
	u, store, end, err := p.open(t.Context(), newClock().now)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	rows, err := u.deps.Rows.Uploads(t.Context(), "")
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	row := rows[0]
	row.SHA256 = hexSum(film)
	if err := sameBytes(t.Context(), store, &row); err != nil {
		t.Error(err)
	}
	if row.Name != "Conférence.mp4" || row.Fingerprint != "same file" || row.State != vod.UploadComplete {
		t.Errorf("row %+v", row)
	}
}

func TestPageClientCancels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newDiskStore(t))
	c := w.node("one")
	var events []string
	hear := func(s said) bool {
		events = append(events, s.Event)
		return s.Event != "cancelled" && s.Event != "error"
	}
	file := writeFilm(t, bytes.Repeat([]byte("x"), 3<<20))
	runTus(t, c.base+root, "secret-ann", file, filepath.Join(t.TempDir(), "u.json"), "cancel", hear)
	if len(events) == 0 || events[len(events)-1] != "cancelled" {
		t.Errorf("events %q", events)
	}
	if names := left(t, w.dir, w.store); len(names) != 0 {
		t.Errorf("left: %q", names)
	}
	// Refused for good: it does not try again.
	events = nil
	status := 0
	runTus(t, c.base+root, "nothing", file, filepath.Join(t.TempDir(), "u.json"), "upload", func(s said) bool {
		events = append(events, s.Event)
		status = max(status, s.Status)
		return s.Event != "error"
	})
	if status != 401 || events[len(events)-1] != "error" {
		t.Errorf("refused: %q, status %d", events, status)
	}
}
