package main

import (
	"reprise/api"
)

type openAPICommand struct{}

// Run prints the description, as api/openapi.json holds it.
func (openAPICommand) Run(p program) error {
	spec, err := api.OpenAPI()
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(spec)
	return err
}
