package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/storage/db"
	"reprise/storage/dbtest"
	"reprise/vod"
)

// with returns an address that differs in user, password, name or options.
func with(t *testing.T, dsn string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

func TestPostgresRefuses(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	d := open(t, dsn)
	for _, statement := range []string{
		`DO $$ BEGIN CREATE ROLE ` + dbtest.GuardedRole + ` LOGIN PASSWORD 'right'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
		`DO $$ BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
	} {
		if _, err := d.SQL().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	latin := with(t, dsn, func(u *url.URL) { u.Path += "latin" })
	if _, err := d.SQL().ExecContext(t.Context(), `CREATE DATABASE `+strings.TrimPrefix(must[*url.URL](t)(url.Parse(latin)).Path, "/")+
		` ENCODING 'LATIN1' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := d.SQL().ExecContext(ctx, `DROP DATABASE `+strings.TrimPrefix(must[*url.URL](t)(url.Parse(latin)).Path, "/")+` WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	other := dbtest.Postgres(t)
	for name, tt := range map[string]struct {
		dsn   string
		want  error
		words string
	}{
		"no server":      {"postgres://me:geheim@127.0.0.1:1/x", db.ErrUnreachable, "127.0.0.1:1/x"},
		"no socket":      {"postgres://me:geheim@/x?host=/nowhere", db.ErrUnreachable, "/nowhere"},
		"no name server": {"postgres://me:geheim@host.invalid/x", db.ErrUnreachable, "host.invalid"},
		"wrong password": {with(t, dsn, func(u *url.URL) { u.User = url.UserPassword(dbtest.GuardedRole, "geheim") }), db.ErrDenied, "password"},
		"unknown user":   {with(t, dsn, func(u *url.URL) { u.User = url.UserPassword("nobody-here", "geheim") }), db.ErrDenied, "nobody-here"},
		"no database":    {with(t, dsn, func(u *url.URL) { u.Path = "/none" }), db.ErrNoDatabase, "none"},
		"no rights":      {with(t, other, func(u *url.URL) { u.User = url.User("poor") }), db.ErrDenied, "schema"},
		"encoding":       {latin, db.ErrUnfit, "LATIN1"},
		"slash in it":    {"postgres://me:ge/heim@localhost/x", nil, "%XX"},
		"bad option":     {"postgres://me:geheim@localhost/x?sslmode=maybe", nil, "sslmode"},
	} {
		var log bytes.Buffer
		got, err := db.Open(t.Context(), db.Config{DSN: tt.dsn, Now: time.Now}, slog.New(slog.NewTextHandler(&log, nil)))
		if err == nil {
			t.Errorf("%s: opened", name)
			got.Close()
			continue
		}
		t.Logf("%s: %v", name, err)
		if tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
		text := fmt.Sprintf("%v %+v %#v %s", err, err, err, log.String())
		if strings.Contains(text, "geheim") || strings.Contains(text, "heim@") || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestPostgresOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := db.Open(ctx, db.Config{DSN: dbtest.Postgres(t), Now: time.Now}, slog.New(slog.DiscardHandler))
	wantErr(t, "open", err, context.Canceled)
}

// TestPostgresSettings: limits of the pool, and isolation whatever the server's default is.
func TestPostgresSettings(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	d := open(t, dsn)
	if _, err := d.SQL().ExecContext(t.Context(), `DO $$ BEGIN
		EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_isolation TO serializable'; END $$`); err != nil {
		t.Fatal(err)
	}
	d = open(t, with(t, dsn, func(u *url.URL) { u.RawQuery += "&pool_max_conns=3" }))
	var isolation, name string
	if err := d.SQL().QueryRowContext(t.Context(), `SELECT current_setting('transaction_isolation'), current_setting('application_name')`).Scan(&isolation, &name); err != nil {
		t.Fatal(err)
	}
	if isolation != "read committed" || name != "reprise" || d.Postgres().Config().MaxConns != 3 {
		t.Errorf("%s, %s, %d connections", isolation, name, d.Postgres().Config().MaxConns)
	}
	testWriters(t, d) // more writers than connections
}

// TestPostgresCrash: what was acknowledged is there after a crash of the server,
// and the program goes on by itself once the server is back.
func TestPostgresCrash(t *testing.T) {
	t.Parallel()
	cluster := dbtest.New(t, dbtest.Options{Fsync: true})
	d := open(t, cluster.Database(t))
	ctx := t.Context()
	acknowledged := make(chan vod.AssetID, 10000)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := vod.AssetID(fmt.Sprintf("%d-%d", w, i))
				if err := d.CreateAsset(ctx, vod.Asset{ID: id}); err == nil {
					acknowledged <- id
					continue
				}
				select { // while the server is away
				case <-stop:
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
	var before []vod.AssetID
	for range 100 {
		before = append(before, <-acknowledged)
	}
	check(t, cluster.Crash())
	check(t, cluster.Start())
	for len(acknowledged) > 0 {
		before = append(before, <-acknowledged)
	}
	for range 20 { // written after the crash, by the same pool
		before = append(before, <-acknowledged)
	}
	close(stop)
	wg.Wait()
	for _, id := range before {
		if _, err := d.Asset(ctx, id); err != nil {
			t.Errorf("acknowledged and lost: %v", err)
		}
	}
}

// TestPostgresBackup: what the operator's guide says about backups is true.
func TestPostgresBackup(t *testing.T) {
	t.Parallel()
	from, to := dbtest.Postgres(t), dbtest.Postgres(t)
	d := open(t, from)
	check(t, d.CreateAsset(t.Context(), anAsset("a")))
	check(t, d.PutMedia(t.Context(), aMedia("m", "a", 1)))
	file := filepath.Join(t.TempDir(), "reprise.dump")
	for _, args := range [][]string{
		{"pg_dump", "--format=custom", "--file=" + file, from},
		{"pg_restore", "--exit-on-error", "--no-owner", "--dbname=" + to, file},
	} {
		if out, err := exec.CommandContext(t.Context(), dbtest.Program(t, args[0]), args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", args[0], err, out)
		}
	}
	restored := open(t, to)
	equal(t, "asset", must[vod.Asset](t)(restored.Asset(t.Context(), "a")), must[vod.Asset](t)(d.Asset(t.Context(), "a")))
	equal(t, "media", must[vod.Media](t)(restored.Media(t.Context(), "m")), aMedia("m", "a", 1))
}
