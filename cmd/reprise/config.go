package main

import (
	"errors"
	"fmt"

	"reprise/configs"
)

type configCommand struct {
	Check   configCheck   `cmd:"" help:"Check the configuration without starting anything."`
	Show    configShow    `cmd:"" help:"Print what is in force: defaults, file, environment and flags together."`
	Default configDefault `cmd:"" help:"Print an annotated file with every key and its default."`
}

// Help is shown by 'reprise config --help'.
func (configCommand) Help() string {
	return `Examples:
  reprise config default > /etc/reprise.yaml
  reprise --config /etc/reprise.yaml config check
  REPRISE_LOG_LEVEL=debug reprise config show`
}

type configCheck struct{}

// Run says "ok", or every fault at once.
func (configCheck) Run(c *commandLine, p program) error {
	_, err := c.load(p)
	var faults configs.Faults
	if errors.As(err, &faults) {
		_, _ = fmt.Fprintln(p.stderr, faults)
		return errReported
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, "ok")
	return err
}

type configShow struct{}

// Run prints the configuration in force; secrets are left out.
func (configShow) Run(c *commandLine, p program) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(p.stdout, configs.Show(cfg))
	return err
}

type configDefault struct{}

// Run prints configs/reprise.yaml.
func (configDefault) Run(p program) error {
	_, err := fmt.Fprint(p.stdout, configs.Example())
	return err
}
