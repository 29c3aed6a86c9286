package main

import (
	"strings"
	"testing"
)

// Every package says what it is in its comment: the map of the house stays whole.
func TestEveryPackageHasAComment(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t) {
		begin := "Package " + p.Name + " "
		if p.Name == "main" {
			begin = "Command "
		}
		if !strings.HasPrefix(p.Doc, begin) {
			t.Errorf("%s: its comment must begin with %q", p.ImportPath, begin)
		}
	}
}
