package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"reprise/configs"
	"reprise/storage"
	"reprise/storage/db"
)

type doctorCommand struct {
	JSON bool `name:"json" help:"Print one JSON object a check."`
}

// Help is shown by 'reprise doctor --help'.
func (doctorCommand) Help() string {
	return `Each line is ok, warn or fail, with what to do. The exit status is 1 when something failed.
Run it as the user of the server, with the server's configuration. It writes nothing that stays.

Examples:
  reprise doctor
  reprise --config /etc/reprise.yaml doctor`
}

// health is the outcome of one check.
type health string

const (
	healthy health = "ok"
	unwell  health = "warn"
	broken  health = "fail"
)

// diagnosis is one line of the doctor.
type diagnosis struct {
	Check  string `json:"check"`
	Health health `json:"health"`
	Found  string `json:"found"`            // what is there
	Advice string `json:"advice,omitempty"` // what to do, when it is not ok
}

// Run prints the diagnoses as they come.
func (d *doctorCommand) Run(ctx context.Context, c *commandLine, p program) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	worst := healthy
	for _, check := range []func(context.Context, configs.Config, program) []diagnosis{
		checkFFmpeg, checkFonts, checkClock, checkFolders, checkStorage, checkDatabase, checkMail, checkPorts, checkLimits,
	} {
		for _, found := range check(ctx, cfg, p) {
			d.print(p.stdout, found)
			if found.Health == broken || worst == healthy {
				worst = found.Health
			}
		}
	}
	if worst == broken {
		return errReported
	}
	return nil
}

func (d *doctorCommand) print(w io.Writer, found diagnosis) {
	if d.JSON {
		_ = json.NewEncoder(w).Encode(found)
		return
	}
	_, _ = fmt.Fprintf(w, "%-4s  %-10s %s\n", found.Health, found.Check, found.Found)
	if found.Advice != "" {
		_, _ = fmt.Fprintf(w, "%-17s-> %s\n", "", found.Advice)
	}
}

// checkFolders looks at the data folder and the space left.
func checkFolders(_ context.Context, cfg configs.Config, _ program) []diagnosis {
	if _, err := os.Stat(cfg.Data.Dir); !errors.Is(err, os.ErrNotExist) {
		return []diagnosis{diskSpace(cfg.Data.Dir)}
	}
	parent := existing(cfg.Data.Dir)
	found := diagnosis{Check: "data", Health: healthy, Found: cfg.Data.Dir + " is not there yet; the server makes it"}
	if syscall.Access(parent, 2) != nil {
		found = diagnosis{"data", broken, cfg.Data.Dir + " cannot be made in " + parent, "give the user of the server the right to write there, or set data.dir"}
	}
	return []diagnosis{found, diskSpace(parent)}
}

// existing returns the folder, or the nearest above it that is there.
func existing(dir string) string {
	for {
		next := filepath.Dir(dir)
		if _, err := os.Stat(dir); err == nil || next == dir {
			return dir
		}
		dir = next
	}
}

// checkStorage writes an object the way the server does.
func checkStorage(ctx context.Context, cfg configs.Config, p program) []diagnosis {
	where, advice := objectsDir(cfg), "let the user of the server own the folder: chown -R, or set storage.dir"
	if onS3(cfg) {
		where, advice = fmt.Sprintf("bucket %s", cfg.Storage.S3.Bucket), "check storage.s3: docs/object-storage.md has the lines that each service needs"
	} else if _, err := os.Stat(where); errors.Is(err, os.ErrNotExist) {
		return nil // checkFolders has said what there is to say
	}
	if err := tryStorage(ctx, cfg, p); err != nil {
		return []diagnosis{{"storage", broken, fmt.Sprintf("%s: %s", where, err), advice}}
	}
	found := []diagnosis{{Check: "storage", Health: healthy, Found: where + " takes an object, and gives it back"}}
	if onS3(cfg) && !onPostgres(cfg) {
		found = append(found, diagnosis{"storage", unwell, "objects are in a bucket and rows in an SQLite file", "for several machines set database.dsn to a PostgreSQL database; for one, back up the file"})
	}
	return found
}

// tryStorage stores, reads and deletes one object.
func tryStorage(ctx context.Context, cfg configs.Config, p program) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	store, err := openObjects(ctx, cfg, logger(configs.Log{Level: "error"}, p.stderr))
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	key := storage.Key("doctor/" + storage.RandomName())
	if _, err := store.Put(ctx, key, strings.NewReader("reprise")); err != nil {
		return err
	}
	info, err := store.Stat(ctx, key)
	if err == nil && info.Size != 7 {
		err = fmt.Errorf("7 bytes written, %d found", info.Size)
	}
	return errors.Join(err, store.Delete(ctx, key))
}

// checkMail connects to the mail server.
func checkMail(ctx context.Context, cfg configs.Config, _ program) []diagnosis {
	if cfg.Mail.Server == "" {
		return []diagnosis{{Check: "mail", Health: healthy, Found: "no mail is sent: organizers copy the links of hand-ins"}}
	}
	dialer := net.Dialer{Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", cfg.Mail.Server)
	if err != nil {
		return []diagnosis{{"mail", broken, fmt.Sprintf("%s: %s", cfg.Mail.Server, err), "check mail.server: host and port"}}
	}
	_ = conn.Close()
	return []diagnosis{{Check: "mail", Health: healthy, Found: cfg.Mail.Server + " answers"}}
}

func diskSpace(dir string) diagnosis {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return diagnosis{"disk", unwell, fmt.Sprintf("%s: %s", dir, err), "the space left is not known"}
	}
	free := configs.Size(fs.Bavail) * configs.Size(fs.Bsize)
	text := fmt.Sprintf("%.1f GiB free in %s", float64(free)/float64(configs.GiB), dir)
	switch {
	case free < configs.GiB:
		return diagnosis{"disk", broken, text, "an hour of film needs about 4 GiB (original and ladder): make room, or set data.dir"}
	case free < 20*configs.GiB:
		return diagnosis{"disk", unwell, text, "an hour of film needs about 4 GiB (original and ladder)"}
	}
	return diagnosis{Check: "disk", Health: healthy, Found: text}
}

// checkDatabase opens the database if there is one; a new file is tried in a temporary folder.
func checkDatabase(ctx context.Context, cfg configs.Config, p program) []diagnosis {
	dsn, engine, note := databasePath(cfg), "SQLite", ""
	advice := "check database.dsn, and that the user of the server owns the file and its folder"
	if onPostgres(cfg) {
		engine, advice = "PostgreSQL", "check database.dsn, that the server runs, and that the user may make tables in the database: docs/operator-guide.md"
	} else if _, err := os.Stat(dsn); errors.Is(err, os.ErrNotExist) {
		dir, err := os.MkdirTemp("", "reprise-doctor-")
		if err != nil {
			return []diagnosis{{"database", broken, err.Error(), "let the user of the server write to " + os.TempDir()}}
		}
		defer func() { _ = os.RemoveAll(dir) }()
		dsn, note = filepath.Join(dir, "try.db"), "; "+dsn+" is not there yet, the server makes it"
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	rows, err := db.Open(ctx, db.Config{DSN: dsn, Now: p.clock.Now}, logger(configs.Log{Level: "error"}, p.stderr))
	switch {
	case errors.Is(err, db.ErrNewerSchema):
		return []diagnosis{{"database", broken, err.Error(), "run the newer reprise that was here before"}}
	case err != nil:
		return []diagnosis{{"database", broken, err.Error(), advice}}
	}
	defer func() { _ = rows.Close() }()
	if err := rows.Ping(ctx); err != nil {
		return []diagnosis{{"database", broken, err.Error(), "restore the database from a backup, or look at the disk"}}
	}
	return []diagnosis{{Check: "database", Health: healthy, Found: engine + " opens and answers" + note}}
}

// checkPorts listens for a moment on the addresses of the server.
func checkPorts(_ context.Context, cfg configs.Config, _ program) []diagnosis {
	var found []diagnosis
	for _, port := range []struct{ key, address string }{{"http.listen", cfg.HTTP.Listen}, {"metrics.listen", cfg.Metrics.Listen}} {
		if port.address == "" {
			continue
		}
		l, err := net.Listen("tcp", port.address)
		if err == nil {
			_ = l.Close()
			found = append(found, diagnosis{Check: "port", Health: healthy, Found: fmt.Sprintf("%s is free (%s)", port.address, port.key)})
			continue
		}
		d := diagnosis{"port", broken, fmt.Sprintf("%s (%s): %s", port.address, port.key, err), "set " + port.key + " to a free address"}
		if lock, lockErr := lockFile(filepath.Join(cfg.Data.Dir, "server.lock"), true); errors.Is(lockErr, errInUse) {
			d = diagnosis{Check: "port", Health: healthy, Found: fmt.Sprintf("%s is taken, by the reprise server that runs on this data folder", port.address)}
		} else if lockErr == nil {
			lock.free()
		}
		if d.Health == broken && port.key == "metrics.listen" {
			// A worker may have it; only a second server would not start.
			d.Health, d.Advice = unwell, "if a reprise worker has it all is well; else set metrics.listen to a free address"
		}
		found = append(found, d)
	}
	return found
}

// checkLimits compares the open files allowed with the connections wanted.
func checkLimits(_ context.Context, cfg configs.Config, _ program) []diagnosis {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil
	}
	// A viewer holds a socket, and for a moment a segment's file.
	need := uint64(cfg.HTTP.MaxConnections)*2 + 200
	if limit.Max < need {
		return []diagnosis{{"files", unwell, fmt.Sprintf("%d open files allowed; http.maxConnections = %d may need %d", limit.Max, cfg.HTTP.MaxConnections, need),
			fmt.Sprintf("raise the limit (systemd: LimitNOFILE=%d), or lower http.maxConnections", need)}}
	}
	return []diagnosis{{Check: "files", Health: healthy, Found: fmt.Sprintf("%d open files allowed", limit.Max)}}
}

// checkClock asks the kernel whether something keeps its clock right, and
// whether the wall clock runs like the monotonic one just now.
func checkClock(ctx context.Context, _ configs.Config, p program) []diagnosis {
	start := p.clock.Now()
	if err := p.clock.Wait(ctx, start.Add(250*time.Millisecond)); err != nil {
		return nil
	}
	end := p.clock.Now()
	monotonic := end.Sub(start)
	wall := end.Round(0).Sub(start.Round(0))
	if drift := (wall - monotonic).Abs(); drift > 20*time.Millisecond {
		return []diagnosis{{"clock", broken, fmt.Sprintf("the clock jumped by %s within a quarter of a second", drift), "let one service keep the time: systemd-timesyncd or chrony"}}
	}
	state, err := clockState()
	switch {
	case err != nil:
		return []diagnosis{{"clock", unwell, "steady; the kernel does not say whether it is kept right", "make sure that systemd-timesyncd or chrony runs: talks go on air by this clock"}}
	case !state.synchronised:
		return []diagnosis{{"clock", unwell, "steady, but the kernel says that nothing keeps it right", "apt install systemd-timesyncd (or chrony): talks go on air by this clock; in a container, the host keeps it"}}
	case state.maxError > 500*time.Millisecond:
		return []diagnosis{{"clock", unwell, fmt.Sprintf("kept right, but may be wrong by %s", state.maxError), "look at 'timedatectl timesync-status' or 'chronyc tracking'"}}
	}
	return []diagnosis{{Check: "clock", Health: healthy, Found: fmt.Sprintf("kept right (within %s)", state.maxError.Round(time.Millisecond))}}
}
