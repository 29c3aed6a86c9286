package dbtest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"reprise/storage/dbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func run(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestEachTestHasItsOwn(t *testing.T) {
	t.Parallel()
	for range 2 {
		conn := connect(t, dbtest.Postgres(t)) // left open: the end of the test closes it
		run(t, conn, `CREATE TABLE x (v TEXT)`)
	}
}

func TestAcknowledgedSurvivesCrash(t *testing.T) {
	t.Parallel()
	c := dbtest.New(t, dbtest.Options{Fsync: true})
	dsn := c.Database(t)
	run(t, connect(t, dsn), `CREATE TABLE x AS SELECT 7 AS v`)
	if err := c.Crash(); err != nil {
		t.Fatal(err)
	}
	if conn, err := pgx.Connect(t.Context(), dsn); err == nil {
		conn.Close(t.Context())
		t.Fatal("a stopped server answers")
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var v int
	if err := connect(t, dsn).QueryRow(t.Context(), `SELECT v FROM x`).Scan(&v); err != nil || v != 7 {
		t.Errorf("got %d, %v", v, err)
	}
}

// childVar makes of a test a process that starts a server, says where, and waits to be killed.
const childVar = "REPRISE_DBTEST_SERVER"

func TestChild(t *testing.T) {
	if os.Getenv(childVar) == "" {
		return // not a child: TestKilledBinary starts it
	}
	fmt.Println("at " + dbtest.Postgres(t))
	select {}
}

// TestKilledBinary: a test binary that is killed leaves no server and no folder behind.
func TestKilledBinary(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), childVar+"=1")
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	dsn, ok := strings.CutPrefix(strings.TrimSpace(line), "at ")
	if !ok {
		t.Fatalf("child: %q", line)
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := os.ReadFile(filepath.Join(cfg.Host, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(pid), "\n")
	child.Process.Kill()
	child.Wait() // killed: always an error
	gone := func(path string) bool { _, err := os.Stat(path); return os.IsNotExist(err) }
	for deadline := time.Now().Add(30 * time.Second); !gone(cfg.Host) || !gone("/proc/"+first); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("server %s in %s is still there", first, cfg.Host)
		}
	}
}
