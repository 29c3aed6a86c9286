package configs

import (
	_ "embed"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed reprise.yaml
var example string

// Example returns reprise.yaml: every key with its default, and what it does.
func Example() string { return example }

// Show returns c as YAML that Load takes back. Secrets are left out, with a
// word that one is set.
func Show(c Config) string {
	var b strings.Builder
	root, open := reflect.ValueOf(c), []string(nil)
	for _, k := range keys() {
		path := strings.Split(k.path, ".")
		sections, name := path[:len(path)-1], path[len(path)-1]
		for depth, section := range sections {
			if len(open) > depth && slices.Equal(open[:depth+1], sections[:depth+1]) {
				continue
			}
			fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", depth), section)
		}
		open = sections
		indent := strings.Repeat("  ", len(sections))
		field := root.FieldByIndex(k.index)
		if k.secret && field.String() != "" {
			fmt.Fprintf(&b, "%s# %s is set, and not shown\n", indent, name)
			continue
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, name, scalar(field))
	}
	return b.String()
}

// Keys returns the path of every key and its variable in the environment, in the order of the file.
func Keys() (paths, variables []string) {
	for _, k := range keys() {
		paths = append(paths, k.path)
		variables = append(variables, Prefix+variable(k.path))
	}
	return paths, variables
}

// scalar prints one value as YAML.
func scalar(field reflect.Value) string {
	switch v := field.Interface().(type) {
	case string:
		return strconv.Quote(v)
	case time.Duration:
		return shortDuration(v)
	}
	return fmt.Sprint(field.Interface())
}

// shortDuration prints 15m0s as 15m, 2h0m0s as 2h.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
