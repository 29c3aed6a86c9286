package dbtest

import (
	"path/filepath"
	"sync"
	"testing"
)

// shared is the server of this test binary. It is a global, as only the end of
// the binary is the end of it.
var shared = sync.OnceValues(func() (*Cluster, error) { return start(Options{}) })

// Postgres returns an empty database, on a server that this test binary's tests share.
func Postgres(tb testing.TB) (dsn string) {
	tb.Helper()
	c, err := shared()
	if err != nil {
		tb.Fatalf("PostgreSQL: %v", err)
	}
	return c.Database(tb)
}

// New starts a server for one test, which may stop and start it. It is gone when the test ends.
func New(tb testing.TB, o Options) *Cluster {
	tb.Helper()
	c, err := start(o)
	if err != nil {
		tb.Fatalf("PostgreSQL: %v", err)
	}
	tb.Cleanup(func() {
		if err := c.remove(); err != nil {
			tb.Errorf("stop PostgreSQL: %v", err)
		}
	})
	return c
}

// Program returns the path of one of PostgreSQL's programs: pg_dump, psql.
func Program(tb testing.TB, name string) string {
	tb.Helper()
	bin, err := findServer()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(bin, name)
}
