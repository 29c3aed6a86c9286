package dbtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// GuardedRole is the one role that must say its password when it connects.
// Tests that need it create it.
const GuardedRole = "guarded"

// Options say how careful a server is.
type Options struct {
	Fsync bool // what was acknowledged survives Crash; without it tests are much faster
}

// Cluster is a PostgreSQL server.
type Cluster struct {
	dir     string // data, socket and log
	bin     string
	o       Options
	user    *syscall.Credential // nil: us
	watcher *exec.Cmd           // nil: stopped
	lifted  *os.File            // the watcher's standard input: it ends with us
	count   atomic.Int64        // of databases
}

// watch runs the server until standard input says a word or ends, and in the
// second case removes the folder. SIGQUIT stops a server at once, without the
// writing that an orderly stop does.
const watch = `dir=$1; shift
"$@" >>"$dir/log" 2>&1 &
read -r word
kill -QUIT $!
wait $!
[ "$word" ] || rm -rf "$dir"`

// start makes a cluster and starts its server.
func start(o Options) (*Cluster, error) {
	bin, err := findServer()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, o: o}
	// Not below TMPDIR, whose name may be too long for a socket.
	if c.dir, err = os.MkdirTemp("/tmp", "reprise-postgres-"); err != nil {
		return nil, err
	}
	if err := errors.Join(c.becomePostgres(), c.initialize(), c.Start()); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

// findServer returns the folder of PostgreSQL's programs.
func findServer() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", errors.New("PostgreSQL is not installed: apt-get install postgresql-15, or .ci/setup test")
	}
	return filepath.Dir(path), nil
}

// becomePostgres: the server refuses to run as root.
func (c *Cluster) becomePostgres() error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	c.user = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(c.dir, int(uid), int(gid))
}

// initialize makes the cluster: with an alphabet that sorts words as people do,
// unlike SQLite, so that tests see where that matters.
func (c *Cluster) initialize() error {
	cmd := exec.Command(filepath.Join(c.bin, "initdb"), "--pgdata="+c.data(), "--username=postgres", "--auth=trust", "--no-sync",
		"--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=fr-FR")
	cmd.Dir, cmd.SysProcAttr = c.dir, &syscall.SysProcAttr{Credential: c.user}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	hba := "local all " + GuardedRole + " scram-sha-256\nlocal all all trust\n"
	return os.WriteFile(filepath.Join(c.data(), "pg_hba.conf"), []byte(hba), 0o600)
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// Start starts a server that was stopped, and returns when it answers.
func (c *Cluster) Start() error {
	settings := []string{
		"listen_addresses=", "unix_socket_directories=" + c.dir, "max_connections=300", "shared_buffers=32MB",
		"wal_level=minimal", "max_wal_senders=0", "autovacuum=off", "logging_collector=off",
	}
	if !c.o.Fsync {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	args := []string{"-c", watch, "sh", c.dir, filepath.Join(c.bin, "postgres"), "-D", c.data()}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	c.lifted, c.watcher = out, exec.Command("/bin/sh", args...)
	// A session of its own: what interrupts the tests does not reach it.
	c.watcher.Stdin, c.watcher.Dir, c.watcher.SysProcAttr = in, c.dir, &syscall.SysProcAttr{Credential: c.user, Setsid: true}
	if err := c.watcher.Start(); err != nil {
		c.watcher = nil
		return errors.Join(err, out.Close())
	}
	return c.wait()
}

// wait waits until the server answers.
func (c *Cluster) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := c.exec(ctx, `SELECT 1`)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			said, _ := os.ReadFile(filepath.Join(c.dir, "log")) // what there is of it
			return fmt.Errorf("PostgreSQL does not start: %w\n%s", err, said)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Crash stops the server at once, as a power cut would, and returns when it has ended.
func (c *Cluster) Crash() error {
	_, err := c.lifted.WriteString("stop\n")
	err = errors.Join(err, c.lifted.Close())
	if c.watcher.Wait() != nil && err == nil {
		err = errors.New("the watcher of PostgreSQL failed")
	}
	c.watcher = nil
	return err
}

// remove stops the server, if it runs, and removes the folder.
func (c *Cluster) remove() error {
	if c.watcher == nil {
		return os.RemoveAll(c.dir)
	}
	err := c.lifted.Close()
	c.watcher.Wait() // it says how the server ended, which is no news
	return errors.Join(err, os.RemoveAll(c.dir))
}

// Database makes an empty database, which is gone when the test ends, and returns where it is.
func (c *Cluster) Database(tb testing.TB) (dsn string) {
	tb.Helper()
	name := fmt.Sprintf("test%d", c.count.Add(1))
	if err := c.exec(tb.Context(), `CREATE DATABASE `+name+` TEMPLATE template0`); err != nil {
		tb.Fatalf("create database: %v", err)
	}
	tb.Cleanup(func() {
		if c.watcher == nil {
			return
		}
		if err := c.exec(context.WithoutCancel(tb.Context()), `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
			tb.Errorf("drop database: %v", err)
		}
	})
	return c.dsn(name)
}

func (c *Cluster) dsn(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database, RawQuery: url.Values{"host": {c.dir}}.Encode()}
	return u.String()
}

// exec runs a statement outside the databases of tests.
func (c *Cluster) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, c.dsn("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
