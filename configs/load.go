package configs

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

// Prefix begins every variable of the environment that is ours.
const Prefix = "REPRISE_"

// FileVariable names the configuration file in the environment; it is no key.
const FileVariable = Prefix + "CONFIG"

// Faults is every fault of a configuration, found in one go.
type Faults []error

// Error has one fault a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, err := range f {
		lines[i] = "  " + err.Error()
	}
	return fmt.Sprintf("the configuration has %d fault(s):\n%s", len(f), strings.Join(lines, "\n"))
}

// Unwrap gives errors.Is and errors.As each fault.
func (f Faults) Unwrap() []error { return f }

// layer is one source of values; a later one covers an earlier one.
type layer struct {
	values map[string]any
	origin map[string]string // key -> how to name it to people
}

// Load returns the defaults, covered by the file (if path is not empty), by
// the variables of environ ("NAME=value", as os.Environ) that begin with
// REPRISE_, and by overrides ("key=value").
//
// Everything that is wrong is told at once, as Faults: unknown keys, values of
// the wrong kind, and what Validate finds.
func Load(path string, environ, overrides []string) (Config, error) {
	known := map[string]key{}
	for _, k := range keys() {
		known[k.path] = k
	}
	var faults Faults
	var layers []layer
	for _, read := range []func() (layer, Faults){
		func() (layer, Faults) { return readFile(path, known) },
		func() (layer, Faults) { return readEnvironment(environ, known) },
		func() (layer, Faults) { return readOverrides(overrides, known) },
	} {
		l, f := read()
		layers = append(layers, l)
		faults = append(faults, f...)
	}
	cfg := Default()
	root := reflect.ValueOf(&cfg).Elem()
	for _, k := range keys() {
		for i := len(layers) - 1; i >= 0; i-- {
			value, set := layers[i].values[k.path]
			if !set {
				continue
			}
			if err := assign(root.FieldByIndex(k.index), value); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", layers[i].origin[k.path], err))
			}
			break
		}
	}
	if err := cfg.Validate(); err != nil {
		var more Faults
		errors.As(err, &more)
		faults = append(faults, more...)
	}
	if len(faults) > 0 {
		return Config{}, faults
	}
	return cfg, nil
}

func readFile(path string, known map[string]key) (layer, Faults) {
	l := layer{values: map[string]any{}, origin: map[string]string{}}
	if path == "" {
		return l, nil
	}
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return l, Faults{fmt.Errorf("%s: there is no such file", path)}
		}
		return l, Faults{fmt.Errorf("%s: %w", path, err)}
	}
	var faults Faults
	all := k.All()
	for _, name := range sorted(all) {
		value := all[name]
		origin := path + ": " + name
		if isSection(name, known) {
			if empty, ok := value.(map[string]any); value != nil && (!ok || len(empty) > 0) {
				faults = append(faults, fmt.Errorf("%s: a section is needed, not %s", origin, describe(value)))
			}
			continue // a section whose every line is a comment
		}
		if _, ok := known[name]; !ok {
			faults = append(faults, fmt.Errorf("%s: no such key%s", origin, guess(name, known)))
			continue
		}
		l.values[name], l.origin[name] = value, origin
	}
	return l, faults
}

func readEnvironment(environ []string, known map[string]key) (layer, Faults) {
	l := layer{values: map[string]any{}, origin: map[string]string{}}
	paths := map[string]key{}
	for _, k := range known {
		paths[environment(k.path)] = k
	}
	raw, err := env.Provider("\x00", env.Opt{Prefix: Prefix, EnvironFunc: func() []string { return environ }}).Read()
	if err != nil {
		return l, Faults{fmt.Errorf("environment: %w", err)}
	}
	var faults Faults
	for _, name := range sorted(raw) {
		if name == FileVariable {
			continue
		}
		value := fmt.Sprint(raw[name])
		stem := strings.ReplaceAll(strings.TrimPrefix(name, Prefix), "_", "")
		k, ok := paths[stem]
		if secret, cut := strings.CutSuffix(stem, "FILE"); !ok && cut {
			if k, ok = paths[secret]; ok && k.secret {
				content, err := os.ReadFile(value)
				if err != nil {
					faults = append(faults, fmt.Errorf("%s: %w", name, err))
					continue
				}
				value = strings.TrimRight(string(content), "\r\n")
			} else {
				ok = false
			}
		}
		if !ok {
			faults = append(faults, fmt.Errorf("%s: no such key", name))
			continue
		}
		if first, twice := l.origin[k.path]; twice {
			faults = append(faults, fmt.Errorf("%s: %s is set by %s already", name, k.path, first))
			continue
		}
		l.values[k.path], l.origin[k.path] = value, name
	}
	return l, faults
}

func readOverrides(overrides []string, known map[string]key) (layer, Faults) {
	l := layer{values: map[string]any{}, origin: map[string]string{}}
	var faults Faults
	for _, override := range overrides {
		name, value, ok := strings.Cut(override, "=")
		if !ok {
			faults = append(faults, fmt.Errorf("--set %s: write key=value", override))
			continue
		}
		if _, ok := known[name]; !ok {
			faults = append(faults, fmt.Errorf("--set %s: no such key%s", name, guess(name, known)))
			continue
		}
		l.values[name], l.origin[name] = value, "--set "+name
	}
	return l, faults
}

func isSection(name string, known map[string]key) bool {
	for path := range known {
		if strings.HasPrefix(path, name+".") {
			return true
		}
	}
	return false
}

// guess names the key that was probably meant, if one is near.
func guess(name string, known map[string]key) string {
	best, distance := "", 4
	for path := range known {
		d := edits(strings.ToLower(name), strings.ToLower(path))
		if d < distance || d == distance && best != "" && path < best {
			best, distance = path, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// edits counts the letters to change, add or take away to make a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := above
			if a[i] != b[j] {
				cost++
			}
			above = row[j+1]
			row[j+1] = min(cost, above+1, row[j]+1)
		}
	}
	return row[len(b)]
}

func sorted(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
