package cache

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"reprise/storage"
)

// childVar tells a test binary that it is the child of the crash test, and where the cache is.
const childVar = "REPRISE_CACHE_CHILD"

func crashOrigin() *origin {
	o := newOrigin()
	for i := range 3 {
		key := storage.Key(fmt.Sprintf("k%d", i))
		o.put(key, pattern(key, 100*kib))
	}
	return o
}

// readForEver is the child: it reads, writes and pushes out, until it is killed.
func readForEver(dir string) int {
	cfg := small(dir, &clock{now: time.Now()})
	cfg.MaxBytes = 20 * (cfg.BlockSize + trailerSize)
	c, err := New(cfg, crashOrigin(), slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("reading")
	for i := 0; ; i++ {
		key := storage.Key(fmt.Sprintf("k%d", i%3))
		if err := c.Warm(context.Background(), key, rand.Int64N(90*kib), 30*kib); err != nil {
			c.Unpin("k0")
			c.Unpin("k1")
			c.Unpin("k2")
		}
		if i%50 == 0 {
			c.drop(key)
		}
	}
}

// TestAKillInTheMiddleOfAWrite kills a process (SIGKILL) that writes blocks, at
// random moments: the next one finds nothing that is not right, and no litter.
func TestAKillInTheMiddleOfAWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 8 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childVar+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(out).ReadString('\n')
		<-time.After(time.Duration(5+rand.IntN(60)) * time.Millisecond) // a kill knows no good moment
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // killed: always an error
		if line != "reading\n" {
			t.Fatalf("child: %q", line)
		}
		w := &world{origin: crashOrigin(), clock: &clock{now: time.Now()}}
		w.cfg = small(dir, w.clock)
		w.open(t)
		bytes, files := w.onDisk(t)
		if bytes != w.used || files == 0 {
			t.Errorf("round %d: %d bytes in %d files, %d counted", round, bytes, files, w.used)
		}
		left, err := os.ReadDir(w.cfg.Dir + "/" + tmpName)
		if err != nil || len(left) > 0 {
			t.Errorf("round %d: %d files of the dead are left (%v)", round, len(left), err)
		}
		for i := range 3 {
			w.want(t, storage.Key(fmt.Sprintf("k%d", i)), 0, 100*kib)
		}
		if err := w.Cache.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
