package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // events have zones, and small machines have no zone files
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; after it signals do what they
	// always do, so a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	code := execute(ctx, os.Args[1:], program{
		stdin:   os.Stdin,
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		environ: os.Environ(),
		clock:   systemClock{},
	})
	os.Exit(code)
}
