package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"reprise/configs"
)

// Exit codes of the program.
const (
	exitDone  = 0
	exitFault = 1 // the verb could not do its work, or found a fault
	exitUsage = 2 // the command line or the configuration makes no sense
)

// errReported is returned by a verb that has said what is wrong already.
var errReported = errors.New("reported")

// program is what a verb may touch of the world.
type program struct {
	stdin   io.Reader
	stdout  io.Writer // what was asked for: tables, links, JSON
	stderr  io.Writer // everything else: progress, logs, errors
	environ []string
	clock   clock
}

// commandLine is the whole command line; kong fills it.
type commandLine struct {
	Config string   `group:"every" short:"c" placeholder:"FILE" help:"Configuration file (YAML); also $REPRISE_CONFIG. Without one the defaults hold: see 'reprise config default'."`
	Data   string   `group:"every" short:"d" placeholder:"DIR" help:"Data folder; the same as --set data.dir=DIR. Default: data"`
	Set    []string `group:"every" short:"s" sep:"none" placeholder:"KEY=VALUE" help:"Set one key of the configuration, over file and environment. May be given several times."`

	Serve      serveCommand      `cmd:"" group:"run" help:"Run the server."`
	Worker     workerCommand     `cmd:"" group:"run" help:"Make media of recordings on a machine beside the servers."`
	Demo       demoCommand       `cmd:"" group:"run" help:"Make a small bilingual conference and put it on air."`
	Import     importCommand     `cmd:"" group:"media" help:"Bring recordings into the library."`
	Schedule   scheduleCommand   `cmd:"" group:"media" help:"Show, check or set the programme of an event."`
	Token      tokenCommand      `cmd:"" group:"media" help:"Make links and playback tokens."`
	Storage    storageCommand    `cmd:"" group:"media" help:"Copy all objects into another store."`
	Verify     verifyCommand     `cmd:"" group:"check" help:"Play a whole programme in simulated time and check every playlist."`
	Doctor     doctorCommand     `cmd:"" group:"check" help:"Check this machine: programs, clock, disk, ports, database."`
	Settings   configCommand     `cmd:"" name:"config" group:"check" help:"Check, show or print the configuration."`
	OpenAPI    openAPICommand    `cmd:"" name:"openapi" group:"other" help:"Print the OpenAPI description of the HTTP API."`
	Completion completionCommand `cmd:"" group:"other" help:"Print a completion script for bash, zsh or fish."`
	Version    versionCommand    `cmd:"" group:"other" help:"Print the version."`
}

// description is the head of the help text.
const description = `Reprise puts recorded talks on air at their hour, in several languages, as if they were live, and keeps them as replays.

Examples:
  reprise demo                        a conference of its own, on air within 90 seconds
  reprise serve --data /srv/reprise   a server
  reprise VERB --help                 everything about a verb

More: README.md, docs/organizer-guide.md, docs/operator-guide.md`

// parser builds kong's parser over c. Help goes to stdout and ends the parse
// by a panic with helpShown, as kong has no other way out.
func parser(c *commandLine, p program) (*kong.Kong, error) {
	k, err := kong.New(c,
		kong.Name("reprise"),
		kong.Description(description),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(code int) { panic(helpShown(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "run", Title: "Run:"},
			{Key: "media", Title: "Recordings and programme:"},
			{Key: "check", Title: "Check:"},
			{Key: "other", Title: "Other:"},
			{Key: "every", Title: "Flags of every verb:"},
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("command line: %w", err)
	}
	return k, nil
}

// helpShown is the exit code with which kong wanted to end the program.
type helpShown int

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, p program) (code int) {
	defer func() {
		if r := recover(); r != nil {
			shown, ok := r.(helpShown)
			if !ok {
				panic(r)
			}
			code = int(shown)
		}
	}()
	var c commandLine
	k, err := parser(&c, p)
	if err != nil {
		return fail(p, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := k.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(p.stderr, "reprise: %s\n%s\n", err, usageHint(err))
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return fail(p, parsed.Run(p, &c))
}

// usageHint says where to look after a mistake on the command line.
func usageHint(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		return fmt.Sprintf("See '%s --help'.", parse.Context.Selected().FullPath())
	}
	return "See 'reprise --help'."
}

// fail says what went wrong, once, and returns the exit code.
func fail(p program, err error) int {
	var faults configs.Faults
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errReported):
		return exitFault
	case errors.As(err, &faults):
		_, _ = fmt.Fprintf(p.stderr, "reprise: %s\nEvery key is explained by 'reprise config default'.\n", faults)
		return exitUsage
	case errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(p.stderr, "reprise: stopped")
		return exitFault
	}
	_, _ = fmt.Fprintf(p.stderr, "reprise: %s\n", err)
	return exitFault
}

// load reads the configuration; extra overrides come after those of the command line.
func (c *commandLine) load(p program, extra ...string) (configs.Config, error) {
	overrides := append([]string(nil), c.Set...)
	if c.Data != "" {
		overrides = append(overrides, "data.dir="+c.Data)
	}
	file := c.Config
	if file == "" {
		file = p.variable(configs.FileVariable)
	}
	return configs.Load(file, p.environ, append(overrides, extra...))
}

// logger makes the program's log as configured, on standard error.
func logger(cfg configs.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo // Validate has checked it
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// warnings lets only warnings and errors through, unless debugging: for a
// library that tells of its every step.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return w.Handler.Enabled(ctx, level) && (level >= slog.LevelWarn || w.Handler.Enabled(ctx, slog.LevelDebug))
}

// WithAttrs implements slog.Handler.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

// variable returns one variable of the environment.
func (p program) variable(name string) string {
	for _, line := range p.environ {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return value
		}
	}
	return ""
}

// onTerminal is true when w is a terminal that can move its cursor.
func (p program) onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f) && p.variable("TERM") != "dumb" && p.variable("NO_COLOR") == ""
}
