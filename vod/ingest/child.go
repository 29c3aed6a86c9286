package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// child is one run of an outside program.
type child struct {
	path    string
	args    []string
	files   []*os.File // become descriptors 3, 4, …
	dir     string
	timeout time.Duration
	stdout  io.Writer         // nil: discarded
	line    func(text string) // each line of standard error, cut at 4 KiB; nil: kept as tail only
}

// childError says how a child ended and what it said last.
type childError struct {
	name      string
	code      int
	signalled bool
	timeout   bool
	tail      []string
}

func (e *childError) Error() string {
	how := "status " + strconv.Itoa(e.code)
	if e.signalled {
		how = "killed"
	}
	if e.timeout {
		how = "out of time"
	}
	return fmt.Sprintf("%s: %s: %s", e.name, how, strings.Join(e.tail, " | "))
}

func (e *childError) Unwrap() error {
	if e.timeout {
		return ErrTimeout
	}
	return nil
}

// film is the descriptor under which a child sees the source: no path of ours
// reaches a program that reads hostile bytes, and a renamed or deleted object stays open.
const film = "/dev/fd/3"

// reading are the options that come before each hostile input. Formats that
// name other files or addresses (hls, concat, sdp, image sequences) are not in the list.
func reading(threads int) []string {
	return []string{
		"-protocol_whitelist", "file,pipe",
		"-format_whitelist", strings.Join(formats, ","),
		"-threads", strconv.Itoa(threads),
	}
}

// formats are ffmpeg's names of the containers that are taken for films, and of
// plain sound, so that a sound file is called one.
var formats = []string{
	"mov", "matroska", "avi", "mpegts", "mpeg", "flv", "live_flv", "asf", "ogg", "mxf", "dv", "nut", "h264", "hevc", "ivf", "obu", "m4v", "mpegvideo",
	"wav", "w64", "mp3", "aac", "flac", "aiff", "ac3", "eac3", "amr", "caf", "gif", "apng", "webp_pipe", "png_pipe", "jpeg_pipe", "bmp_pipe", "tiff_pipe",
}

// run starts c and waits for it. The child is in its own process group, which
// is killed as a whole when ctx ends or time runs out; it dies with this
// process; its address space is limited. The error is a *childError when the
// child itself failed.
func (g *Ingester) run(ctx context.Context, c child) error {
	inner := ctx
	if c.timeout > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	name := filepath.Base(c.path)
	path, args := c.path, c.args
	if g.prlimit != "" && g.cfg.MemoryLimit > 0 {
		args = append([]string{"--core=0", "--as=" + strconv.FormatInt(g.cfg.MemoryLimit, 10), path}, args...)
		path = g.prlimit
	}
	cmd := exec.CommandContext(inner, path, args...)
	cmd.Dir = c.dir
	cmd.Env = childEnvironment()
	cmd.ExtraFiles = c.files
	cmd.Stdout = c.stdout
	cmd.SysProcAttr = isolated()
	if c.path == g.cfg.FFmpeg || c.path == g.cfg.FFprobe {
		g.confine.apply(cmd.SysProcAttr)
	}
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = 5 * time.Second
	lines := &lineWriter{line: c.line}
	cmd.Stderr = lines

	// The kernel ties "die with the parent" to the parent's thread, not its
	// process: keep the thread that starts the child for as long as it runs.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	yieldTo(cmd.Process.Pid)
	err := cmd.Wait()
	lines.flush()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", name, ctx.Err())
	}
	failure := &childError{name: name, tail: lines.tail, timeout: errors.Is(inner.Err(), context.DeadlineExceeded)}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("wait for %s: %w", name, err)
	}
	failure.code = exit.ExitCode()
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		// A crash is the film's doing and will happen again; only an outside kill is worth a retry.
		failure.signalled = status.Signal() == syscall.SIGKILL || status.Signal() == syscall.SIGTERM
	}
	return failure
}

// childEnvironment gives a child what it needs to find programs and fonts, and nothing of our secrets.
func childEnvironment() []string {
	env := []string{"LC_ALL=C", "AV_LOG_FORCE_NOCOLOR=1"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "FONTCONFIG_PATH", "FONTCONFIG_FILE", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// lineWriter cuts a stream into lines and keeps the last few; its memory is bounded.
type lineWriter struct {
	line    func(string)
	pending []byte
	tail    []string
}

const (
	longestLine = 4096
	tailLines   = 6
)

func (w *lineWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n, skip := len(rest), 0
		for i, b := range rest {
			if b == '\n' || b == '\r' {
				n, skip = i, 1
				break
			}
		}
		room := min(n, longestLine-len(w.pending))
		w.pending = append(w.pending, rest[:room]...)
		if skip == 1 {
			w.flush()
		}
		rest = rest[n+skip:]
	}
	return len(p), nil
}

func (w *lineWriter) flush() {
	if len(w.pending) == 0 {
		return
	}
	text := strings.ToValidUTF8(string(w.pending), "�")
	w.pending = w.pending[:0]
	if len(w.tail) == tailLines {
		w.tail = append(w.tail[:0], w.tail[1:]...)
	}
	w.tail = append(w.tail, text)
	if w.line != nil {
		w.line(text)
	}
}

// eachLine is an io.Writer that calls f with each line of what is written; Close ends the last one.
type eachLine struct{ w lineWriter }

func newEachLine(f func(string)) *eachLine { return &eachLine{lineWriter{line: f}} }

func (e *eachLine) Write(p []byte) (int, error) { return e.w.Write(p) }

// capped keeps at most limit bytes and remembers whether there were more.
type capped struct {
	data  []byte
	limit int
	over  bool
}

func (c *capped) Write(p []byte) (int, error) {
	room := min(len(p), c.limit-len(c.data))
	c.data = append(c.data, p[:room]...)
	c.over = c.over || room < len(p)
	return len(p), nil
}
