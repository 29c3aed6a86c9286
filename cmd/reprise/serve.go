package main

import "context"

type serveCommand struct {
	Listen    string `short:"l" placeholder:"ADDR" help:"Address to listen on, host:port; the same as --set http.listen=ADDR. Default: 127.0.0.1:8080"`
	PublicURL string `name:"public-url" placeholder:"URL" help:"Address that people type; the same as --set http.publicUrl=URL."`
}

// Help is shown by 'reprise serve --help'.
func (serveCommand) Help() string {
	return `The server needs no configuration: it keeps everything in its data folder. Talks go on air by the machine's clock, as set with 'reprise schedule'.

A signal (SIGINT, SIGTERM) stops it in order: players are told to reconnect, answers under way are finished. A second one stops it at once.

Examples:
  reprise serve
  reprise serve --data /srv/reprise --listen :8080 --public-url https://video.example.org
  reprise --config /etc/reprise.yaml serve`
}

// Run runs the server until a signal.
func (s *serveCommand) Run(ctx context.Context, c *commandLine, p program) error {
	cfg, err := c.load(p, overrides("http.listen", s.Listen, "http.publicUrl", s.PublicURL)...)
	if err != nil {
		return err
	}
	return run(ctx, cfg, deps{clock: p.clock, log: logger(cfg.Log, p.stderr)})
}

// overrides makes key=value of each pair whose value is given.
func overrides(pairs ...string) []string {
	var list []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			list = append(list, pairs[i]+"="+pairs[i+1])
		}
	}
	return list
}
