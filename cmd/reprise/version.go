package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCommand struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

// versionInfo says what this program was built from.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// buildInfo reads what the Go tool wrote into the binary.
func buildInfo() versionInfo {
	v := versionInfo{Version: "development", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	return v
}

// Run prints the version.
func (c *versionCommand) Run(p program) error {
	v := buildInfo()
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(v)
	}
	line := fmt.Sprintf("reprise %s (%s, %s)", v.Version, v.Go, v.Platform)
	if v.Revision != "" {
		line += " " + v.Revision
	}
	_, err := fmt.Fprintln(p.stdout, line)
	return err
}
