package storagetest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"reprise/storage"
)

// childVar tells a test binary that it is the child of a crash test, and where the store is.
const childVar = "REPRISE_STORAGETEST_CHILD"

// Main runs the tests of a backend; TestMain calls it. open opens the store
// that lies at where (a folder, a bucket).
func Main(m *testing.M, open func(where string) (storage.Store, error)) int {
	where := os.Getenv(childVar)
	if where == "" {
		return m.Run()
	}
	s, err := open(where)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	// Says when bytes have gone in, then goes on for ever: until killed.
	_, err = s.Put(context.Background(), "killed/object", &breaks{left: long, end: func() error {
		fmt.Println("writing")
		return nil
	}})
	fmt.Println(err)
	return 1
}

// KillDuringPut kills a process (SIGKILL) in the middle of a Put that replaces
// an object: the key is as it was, for readers of before and for the next process.
func KillDuringPut(t *testing.T, where string, open func(where string) (storage.Store, error)) {
	s, err := open(where)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "killed/object", "as it was")
	KillChild(t, where)
	again, err := open(where)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []storage.Store{s, again} {
		if got := get(t, s, "killed/object"); got != "as it was" {
			t.Errorf("after the kill: %d bytes", len(got))
		}
		wantList(t, s, "", "killed/object")
	}
}

// KillChild starts the test's own program as a child that works at where, as
// Main's open does, and kills it (SIGKILL) when it says that it is writing.
func KillChild(t *testing.T, where string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childVar+"="+where)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed: always an error
	if strings.TrimSpace(line) != "writing" {
		t.Fatalf("child: %q", line)
	}
}

// BigObject puts and reads size bytes and fails when that takes more than a few
// MiB of memory. It measures the whole process: do not run it in parallel.
func BigObject(t *testing.T, s storage.Store, size int64) {
	t.Helper()
	BigObjectWithin(t, s, size, 8<<20)
}

// BigObjectWithin is BigObject for a store that needs more memory: allocated
// bytes at most, all told.
func BigObjectWithin(t *testing.T, s storage.Store, size, allocated int64) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	info, err := s.Put(t.Context(), "big", io.LimitReader(&breaks{end: func() error { return nil }}, size))
	if err != nil || info.Size != size {
		t.Fatalf("put: %+v %v", info, err)
	}
	o, err := s.Open(t.Context(), "big")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if n, err := io.Copy(io.Discard, struct{ io.Reader }{o}); n != size || err != nil {
		t.Fatalf("read %d: %v", n, err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(allocated) {
		t.Errorf("%d MiB of memory allocated for an object of %d MiB", used>>20, size>>20)
	}
	tail := make([]byte, 8)
	if n, err := o.ReadAt(tail, size-8); n != 8 || (err != nil && err != io.EOF) || !bytes.Equal(tail, make([]byte, 8)) {
		t.Errorf("tail: %d %v", n, err)
	}
}
