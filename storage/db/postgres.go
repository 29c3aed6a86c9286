package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	// postgresConns bounds the pool of a process, unless the address says pool_max_conns.
	postgresConns = 16
	// postgresTimeout is how long a connection may take to come about, unless the address says connect_timeout.
	postgresTimeout = 10 * time.Second
	// oldestPostgres is the first major version that we take; each is maintained for five years.
	oldestPostgres = 14
	// migrateWait is how many seconds a process waits for another one that migrates.
	migrateWait = 300
)

// Conditions that PostgreSQL tells by a code; see appendix A of its manual.
const (
	codeText          = "22021" // character_not_in_repertoire
	codePassword      = "28P01" // invalid_password
	codeAuthorization = "28000" // invalid_authorization_specification
	codeNoDatabase    = "3D000" // invalid_catalog_name
	codeSerialization = "40001" // serialization_failure
	codeDeadlock      = "40P01" // deadlock_detected
	codePrivilege     = "42501" // insufficient_privilege
)

// openPostgres connects to a PostgreSQL server and migrates the database.
func openPostgres(ctx context.Context, dsn string, log *slog.Logger) (*sql.DB, *pgxpool.Pool, error) {
	cfg, err := postgresConfig(dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("open database: %w", err)
	}
	where := postgresName(&cfg.ConnConfig.Config)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("open database %s: %w", where, explainPostgres(ctx, err))
	}
	if err := preparePostgres(ctx, pool, log); err != nil {
		pool.Close()
		return nil, nil, fmt.Errorf("open database %s: %w", where, explainPostgres(ctx, err))
	}
	return stdlib.OpenDBFromPool(pool), pool, nil
}

func postgresConfig(dsn string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	u, urlErr := url.Parse(dsn)
	if err != nil || urlErr != nil {
		// The error would quote what it could not read: a password, perhaps.
		return nil, errors.New("this is not an address of PostgreSQL: write postgres://user:password@host:5432/name, " +
			"with special characters of the password as %XX, and one sslmode of disable, prefer, require, verify-ca, verify-full")
	}
	if !u.Query().Has("pool_max_conns") {
		cfg.MaxConns = postgresConns
	}
	if !u.Query().Has("connect_timeout") {
		cfg.ConnConfig.ConnectTimeout = postgresTimeout
	}
	if params := cfg.ConnConfig.RuntimeParams; params["application_name"] == "" {
		params["application_name"] = "reprise"
	}
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		// What we lock by rows relies on it, whatever the server's default is.
		_, err := conn.Exec(ctx, `SET default_transaction_isolation TO 'read committed'`)
		return err
	}
	return cfg, nil
}

// postgresName is where a database is, for people: no password, no options.
func postgresName(cfg *pgconn.Config) string {
	u := url.URL{Scheme: "postgres", User: url.User(cfg.User), Host: cfg.Host + ":" + strconv.Itoa(int(cfg.Port)), Path: "/" + cfg.Database}
	if cfg.Host != "" && cfg.Host[0] == '/' {
		return u.Scheme + "://" + cfg.User + "@" + cfg.Host + u.Path
	}
	return u.String()
}

// preparePostgres looks whether the server is fit for us, and migrates.
func preparePostgres(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	var (
		version           int
		encoding, release string
		standby           bool
	)
	if err := pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'),
		current_setting('server_encoding'), pg_is_in_recovery()`).Scan(&version, &release, &encoding, &standby); err != nil {
		return err
	}
	switch {
	case version < oldestPostgres*10000:
		return fmt.Errorf("%w: PostgreSQL %s is too old: at least %d is needed", ErrUnfit, release, oldestPostgres)
	case encoding != "UTF8":
		return fmt.Errorf("%w: its encoding is %s: make it with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0", ErrUnfit, encoding)
	case standby:
		return fmt.Errorf("%w: this server is a standby, which cannot be written to: give the primary, "+
			"or all servers and target_session_attrs=read-write", ErrUnfit)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, migrateWait))
	if err != nil {
		return err
	}
	over := stdlib.OpenDBFromPool(pool)
	return errors.Join(migrate(ctx, goose.DialectPostgres, over, log, goose.WithSessionLocker(locker)), over.Close())
}

// explainPostgres says of a failure to connect what people can do about it. What
// it returns holds no more of the driver's error than its text, as the driver's
// holds the password.
func explainPostgres(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var said *pgconn.PgError
	if errors.As(err, &said) {
		switch said.Code {
		case codePassword, codeAuthorization:
			return fmt.Errorf("%w: the server does not let this user in: look at user and password, and at its pg_hba.conf: %s", ErrDenied, said.Message)
		case codePrivilege:
			return fmt.Errorf("%w: this user may not do what is needed: it must own the database, or have GRANT CREATE, USAGE on its schema: %s", ErrDenied, said.Message)
		case codeNoDatabase:
			return fmt.Errorf("%w: make it with CREATE DATABASE … OWNER …: %s", ErrNoDatabase, said.Message)
		}
		return fmt.Errorf("%s (%s)", said.Message, said.Code)
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		tries := strings.Split(errors.Unwrap(connect).Error(), "\n") // one a line, often the same
		return fmt.Errorf("%w: is it running, and does it listen there? %s", ErrUnreachable, strings.Join(slices.Compact(tries), "; "))
	}
	return err
}

// again tells whether a transaction failed for no fault of its own, and did nothing.
func again(err error) bool {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return said.Code == codeSerialization || said.Code == codeDeadlock
	}
	var connect *pgconn.ConnectError
	return pgconn.SafeToRetry(err) && !errors.As(err, &connect)
}

// unsayable tells whether a query asked for text that PostgreSQL cannot hold, a
// NUL or what is not UTF-8: there is no such row.
func unsayable(err error) bool {
	var said *pgconn.PgError
	return errors.As(err, &said) && said.Code == codeText
}
