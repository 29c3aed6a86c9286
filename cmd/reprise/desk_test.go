package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"reprise/api"
	"reprise/vod"
)

// desk is somebody with a link who uses the API and sends films: an organizer or a speaker.
type desk struct {
	base, token string
}

// problem is an answer that is no success.
type problem struct {
	Status int
	Code   string      `json:"code"`
	Detail string      `json:"detail"`
	Errors []api.Fault `json:"errors"`
}

func (p *problem) Error() string {
	return fmt.Sprintf("%d %s: %s %v", p.Status, p.Code, p.Detail, p.Errors)
}

// codeOf returns the code of a problem, "" for no error, and the text of any other.
func codeOf(err error) string {
	var p *problem
	switch {
	case err == nil:
		return ""
	case errors.As(err, &p):
		return p.Code
	}
	return err.Error()
}

// request sends one request; out, if not nil, gets the JSON of a success.
func (d desk) request(ctx context.Context, method, path string, header map[string]string, body io.Reader, out any) (http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, method, d.base+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+d.token)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		p := &problem{Status: resp.StatusCode}
		_ = json.Unmarshal(content, p) // HEAD has none, a proxy's is another
		return resp.Header, p
	}
	if out != nil {
		return resp.Header, json.Unmarshal(content, out)
	}
	return resp.Header, nil
}

// call sends JSON to an operation of the API.
func (d desk) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	header := map[string]string{}
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body, header["Content-Type"] = bytes.NewReader(raw), "application/json"
	}
	_, err := d.request(ctx, method, "/api/v1"+path, header, body, out)
	return err
}

// must is call that has to succeed.
func (d desk) must(t *testing.T, method, path string, in, out any) {
	t.Helper()
	if err := d.call(t.Context(), method, path, in, out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// asset reads one film.
func (d desk) asset(t *testing.T, id vod.AssetID) api.Asset {
	t.Helper()
	var a api.Asset
	d.must(t, http.MethodGet, "/assets/"+string(id), nil, &a)
	return a
}

// patience is how long a test waits for work on a film: the machine may be busy with much else.
const patience = 4 * time.Minute

// within asks again and again until is says yes.
func within(t *testing.T, most time.Duration, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(most); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", most, what)
		}
		if err := (systemClock{}).Wait(t.Context(), time.Now().Add(50*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
}

// settled waits until nobody has work to do on a film any more.
func (d desk) settled(t *testing.T, id vod.AssetID) (a api.Asset) {
	t.Helper()
	within(t, patience, "film "+string(id)+" is settled", func() bool {
		a = d.asset(t, id)
		return (a.State == vod.Ready || a.State == vod.Failed) && (a.Job == nil || a.Job.State == "done" || a.Job.State == "cancelled")
	})
	return a
}

// taken waits until an upload is a film.
func (d desk) taken(t *testing.T, id vod.UploadID) (u api.Upload) {
	t.Helper()
	within(t, patience, "upload "+string(id)+" is taken", func() bool {
		u = d.upload(t, id)
		return u.State == vod.UploadTaken || u.State == vod.UploadRefused
	})
	return u
}

func (d desk) upload(t *testing.T, id vod.UploadID) api.Upload {
	t.Helper()
	var list api.UploadList
	d.must(t, http.MethodGet, "/uploads", nil, &list)
	for _, u := range list.Uploads {
		if u.ID == id {
			return u
		}
	}
	t.Fatalf("there is no upload %s", id)
	return api.Upload{}
}

// tus is what the protocol of resumable uploads wants beside the bearer token.
func tus(header map[string]string) map[string]string {
	all := map[string]string{"Tus-Resumable": "1.0.0"}
	for k, v := range header {
		all[k] = v
	}
	return all
}

// begin begins an upload of so many bytes and returns its id.
func (d desk) begin(ctx context.Context, size int, meta map[string]string) (vod.UploadID, error) {
	var pairs []string
	for k, v := range meta {
		pairs = append(pairs, k+" "+base64.StdEncoding.EncodeToString([]byte(v)))
	}
	h, err := d.request(ctx, http.MethodPost, "/api/v1/uploads/", tus(map[string]string{
		"Upload-Length": strconv.Itoa(size), "Upload-Metadata": strings.Join(pairs, ","),
	}), nil, nil)
	if err != nil {
		return "", err
	}
	return vod.UploadID(filepath.Base(h.Get("Location"))), nil
}

// offset asks how many bytes of an upload are stored.
func (d desk) offset(ctx context.Context, id vod.UploadID) (int, error) {
	h, err := d.request(ctx, http.MethodHead, "/api/v1/uploads/"+string(id), tus(nil), nil, nil)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(h.Get("Upload-Offset"))
}

// patch sends bytes from an offset on and returns the new one.
func (d desk) patch(ctx context.Context, id vod.UploadID, offset int, body io.Reader) (int, error) {
	h, err := d.request(ctx, http.MethodPatch, "/api/v1/uploads/"+string(id), tus(map[string]string{
		"Upload-Offset": strconv.Itoa(offset), "Content-Type": "application/offset+octet-stream",
	}), body, nil)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(h.Get("Upload-Offset"))
}

// goOn sends what is missing of an upload.
func (d desk) goOn(ctx context.Context, id vod.UploadID, content []byte) error {
	at, err := d.offset(ctx, id)
	if err != nil {
		return err
	}
	if at < len(content) {
		at, err = d.patch(ctx, id, at, bytes.NewReader(content[at:]))
	}
	if err == nil && at != len(content) {
		err = fmt.Errorf("offset %d of %d after the last byte", at, len(content))
	}
	return err
}

// send uploads a whole file.
func (d desk) send(ctx context.Context, content []byte, meta map[string]string) (vod.UploadID, error) {
	id, err := d.begin(ctx, len(content), meta)
	if err != nil {
		return "", err
	}
	return id, d.goOn(ctx, id, content)
}

// film uploads a file and waits until all work on it is done.
func (d desk) film(t *testing.T, content []byte, meta map[string]string) (api.Upload, api.Asset) {
	t.Helper()
	id, err := d.send(t.Context(), content, meta)
	if err != nil {
		t.Fatal(err)
	}
	u := d.taken(t, id)
	if u.State != vod.UploadTaken {
		t.Fatalf("upload %s is %s: %s", u.Name, u.State, u.Reason)
	}
	return u, d.settled(t, u.Asset)
}

func hexSum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func jsonOf(t *testing.T, what any) []byte {
	t.Helper()
	raw, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
