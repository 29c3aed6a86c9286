package uploads

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// client is a small client of tus 1.0.
type client struct {
	w     *world
	u     *Uploads
	base  string
	token string
	http  *http.Client
}

func (w *world) client(u *Uploads, base string) *client {
	c := &client{w: w, u: u, base: base, token: "secret-ann", http: &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}}
	w.t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func (c *client) as(name string) *client {
	other := *c
	other.token = "secret-" + name
	return &other
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	code   string // of a problem
}

func (a answer) offset() int64 {
	n, err := strconv.ParseInt(a.header.Get("Upload-Offset"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (c *client) do(method, location string, header map[string]string, body io.Reader) (answer, error) {
	r, err := http.NewRequest(method, c.base+location, body)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	var p struct {
		Code string `json:"code"`
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") && method != http.MethodHead {
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			return a, err
		}
		a.code = p.Code
	}
	return a, nil
}

func (c *client) must(method, location string, header map[string]string, body io.Reader) answer {
	c.w.t.Helper()
	a, err := c.do(method, location, header, body)
	if err != nil {
		c.w.t.Fatalf("%s %s: %v", method, location, err)
	}
	return a
}

func metaHeader(meta map[string]string) string {
	pairs := make([]string, 0, len(meta))
	for k, v := range meta {
		pairs = append(pairs, k+" "+base64.StdEncoding.EncodeToString([]byte(v)))
	}
	return strings.Join(pairs, ",")
}

const root = "/api/v1/uploads/"

func (c *client) post(size int64, meta map[string]string) answer {
	c.w.t.Helper()
	return c.must(http.MethodPost, root, map[string]string{"Upload-Length": strconv.FormatInt(size, 10), "Upload-Metadata": metaHeader(meta)}, nil)
}

// create begins an upload and returns its address.
func (c *client) create(size int, meta map[string]string) string {
	c.w.t.Helper()
	all := map[string]string{"filename": "talk.mp4"}
	maps.Copy(all, meta)
	a := c.post(int64(size), all)
	if a.status != http.StatusCreated {
		c.w.t.Fatalf("create: %d %s", a.status, a.code)
	}
	return a.header.Get("Location")
}

func (c *client) head(location string) answer {
	c.w.t.Helper()
	return c.must(http.MethodHead, location, nil, nil)
}

func patchHeader(offset int64) map[string]string {
	return map[string]string{"Upload-Offset": strconv.FormatInt(offset, 10), "Content-Type": "application/offset+octet-stream"}
}

func (c *client) patch(location string, offset int64, body []byte) answer {
	c.w.t.Helper()
	return c.must(http.MethodPatch, location, patchHeader(offset), bytes.NewReader(body))
}

// send sends the rest of content from where the server says that it stands.
func (c *client) send(location string, content []byte) answer {
	c.w.t.Helper()
	a := c.head(location)
	if a.status != http.StatusOK {
		c.w.t.Fatalf("head: %d", a.status)
	}
	return c.patch(location, a.offset(), content[a.offset():])
}

// stuck begins a request that sends content from offset and then stands still.
// What it returns breaks the connection off; the answer, if one comes, is in the channel.
func (c *client) stuck(location string, offset int64, content []byte) (cut func(), done <-chan answer) {
	c.w.t.Helper()
	r, w := io.Pipe()
	answers := make(chan answer, 1)
	var wait sync.WaitGroup
	wait.Go(func() {
		a, err := c.do(http.MethodPatch, location, patchHeader(offset), r)
		if err == nil {
			answers <- a
		}
		close(answers)
		r.CloseWithError(io.ErrClosedPipe)
	})
	wait.Go(func() { _, _ = w.Write(content) })
	cut = func() {
		w.CloseWithError(errors.New("the tab is closed"))
		wait.Wait()
	}
	c.w.t.Cleanup(cut)
	return cut, answers
}

// random returns bytes that do not repeat.
func random(seed uint64, size int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
