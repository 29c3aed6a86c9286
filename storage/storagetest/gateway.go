package storagetest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"reprise/storage"
)

// Gateway is a real S3 server (versitygw, over a temporary folder) for one test.
type Gateway struct {
	Endpoint  string // URL
	AccessKey string
	SecretKey string
	CAFile    string // of a gateway that speaks TLS
	Folder    string // a folder in it is a bucket, a file in that an object

	tb      testing.TB
	binary  string
	port    string // kept by Restart
	virtual bool
	secure  bool
	said    output
	process *os.Process   // nil: it does not run
	ended   chan struct{} // closed when process ended
}

// GatewayOption changes how a gateway is started.
type GatewayOption func(*Gateway)

// WithTLS has the gateway speak TLS, with a certificate of its own authority (CAFile).
func WithTLS(g *Gateway) { g.secure = true }

// WithVirtualHosts has the gateway take the bucket from the host's name, bucket.localhost.
func WithVirtualHosts(g *Gateway) { g.virtual = true }

// StartGateway starts a server of its own for each call and stops it at the end
// of the test. A missing versitygw fails the test: .ci/setup test installs it.
func StartGateway(tb testing.TB, options ...GatewayOption) *Gateway {
	tb.Helper()
	dir := tb.TempDir()
	g := &Gateway{
		tb: tb, Folder: filepath.Join(dir, "buckets"),
		AccessKey: "test" + storage.RandomName()[:8], SecretKey: storage.RandomName(),
	}
	for _, o := range options {
		o(g)
	}
	var err error
	if g.binary, err = gatewayBinary(); err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(g.Folder, 0o750); err != nil {
		tb.Fatal(err)
	}
	if g.secure {
		g.CAFile = filepath.Join(dir, "ca.pem")
		if err := writeCertificates(dir); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(g.Stop)
	for range 5 { // between the look for a free port and the start another process may take it
		if g.port, err = freePort(); err == nil {
			if err = g.start(); err == nil {
				return g
			}
		}
	}
	tb.Fatalf("start versitygw: %v\n%s", err, g.said.String())
	return nil
}

// Config is the configuration of a store in a bucket, which is made if there is none.
func (g *Gateway) Config(bucket string) storage.S3Config {
	g.tb.Helper()
	if err := os.MkdirAll(filepath.Join(g.Folder, bucket), 0o750); err != nil {
		g.tb.Fatal(err)
	}
	return storage.S3Config{
		Bucket: bucket, Endpoint: g.Endpoint, Region: "us-east-1", PathStyle: !g.virtual, CAFile: g.CAFile,
		AccessKeyID: g.AccessKey, SecretAccessKey: g.SecretKey,
	}
}

// Stop cuts the server off: connections break, new ones are refused.
func (g *Gateway) Stop() {
	if g.process == nil {
		return
	}
	_ = g.process.Kill() // it may have ended by itself
	<-g.ended
	g.process = nil
}

// Restart brings a stopped server back, at the same address with the same objects.
func (g *Gateway) Restart() {
	g.tb.Helper()
	if err := g.start(); err != nil {
		g.tb.Fatalf("restart versitygw: %v\n%s", err, g.said.String())
	}
}

// start starts the server and waits until it answers.
func (g *Gateway) start() error {
	scheme, host := "http", "127.0.0.1"
	args := []string{"--port", "127.0.0.1:" + g.port, "--keep-alive", "--quiet"}
	if g.secure {
		dir := filepath.Dir(g.CAFile)
		args = append(args, "--cert", filepath.Join(dir, "server.pem"), "--key", filepath.Join(dir, "server.key"))
		scheme = "https"
	}
	if g.virtual {
		args = append(args, "--virtual-domain", "localhost")
		host = "localhost"
	}
	args = append(args, "posix")
	if !hasAttributes(g.Folder) {
		side := filepath.Join(filepath.Dir(g.Folder), "attributes")
		if err := os.MkdirAll(side, 0o750); err != nil {
			return err
		}
		args = append(args, "--sidecar", side)
	}
	cmd := exec.Command(g.binary, append(args, g.Folder)...)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+g.AccessKey, "ROOT_SECRET_KEY="+g.SecretKey)
	cmd.Stdout, cmd.Stderr = &g.said, &g.said
	g.Endpoint = scheme + "://" + net.JoinHostPort(host, g.port)
	if err := g.run(cmd); err != nil {
		return err
	}
	return g.await()
}

// run starts the process from a thread that lives as long as it: Pdeathsig is
// bound to the thread, and has the kernel end the server with a test that is killed.
func (g *Gateway) run(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error, 1), make(chan struct{})
	go func() { // ends with the process, for which Stop waits
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // killed: always an error
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	g.process, g.ended = cmd.Process, ended
	return nil
}

// await asks until the server answers. Only ours knows our key, so another's answer is not taken for it.
func (g *Gateway) await() error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // only asks whether somebody is there
	}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(20 * time.Second)
	defer end.Stop()
	url := strings.Replace(g.Endpoint, "//localhost", "//127.0.0.1", 1)
	for {
		select {
		case <-g.ended:
			g.process = nil
			return errors.New("it ended by itself")
		case <-end.C:
			return errors.New("it does not answer")
		case <-tick.C:
			resp, err := client.Get(url)
			if err != nil {
				continue
			}
			_ = resp.Body.Close() // not read
			if resp.Header.Get("Server") == "VERSITYGW" {
				return nil
			}
		}
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// hasAttributes reports whether files in dir can have the extended attributes that the server keeps its metadata in.
func hasAttributes(dir string) bool {
	return syscall.Setxattr(dir, "user.test", []byte("x"), 0) == nil
}

// output keeps what a process says.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// gatewayBinary finds versitygw on the path, in .tools/bin of this repository, or where go install puts it.
func gatewayBinary() (string, error) {
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path, nil
	}
	var places []string
	if dir, err := os.Getwd(); err == nil {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				places = append(places, filepath.Join(dir, ".tools", "bin"))
				break
			}
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		places = append(places, filepath.Join(home, "go", "bin"))
	}
	for _, place := range places {
		if path, err := exec.LookPath(filepath.Join(place, "versitygw")); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("versitygw is not on PATH nor in %s: run .ci/setup test", strings.Join(places, ", "))
}

// writeCertificates writes ca.pem, and server.pem with server.key for localhost and its names.
func writeCertificates(dir string) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test server"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		DNSNames: []string{"localhost", "*.localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, ca, &key.PublicKey, caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(filepath.Join(dir, "ca.pem"), "CERTIFICATE", caDER),
		writePEM(filepath.Join(dir, "server.pem"), "CERTIFICATE", serverDER),
		writePEM(filepath.Join(dir, "server.key"), "PRIVATE KEY", keyDER))
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
