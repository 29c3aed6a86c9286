package main

import (
	"context"
	"os"
	"strings"
)

// findFont returns the file of a font: from fontconfig, or where Debian keeps it.
func findFont(ctx context.Context, family string) (string, bool) {
	for _, path := range []string{
		"/usr/share/fonts/truetype/dejavu/" + strings.ReplaceAll(family, " ", "") + ".ttf",
		"/usr/share/fonts/TTF/" + strings.ReplaceAll(family, " ", "") + ".ttf",
		"/usr/share/fonts/dejavu-sans-fonts/" + strings.ReplaceAll(family, " ", "") + ".ttf",
	} {
		if _, err := os.Stat(path); err == nil {
			return path, true
		}
	}
	// fc-match always answers with some font: only the family asked for counts.
	out, err := output(ctx, "fc-match", "--format=%{family}\n%{file}", family)
	if err != nil {
		return "", false
	}
	name, file, _ := strings.Cut(out, "\n")
	if !strings.Contains(name, family) {
		return "", false
	}
	return file, true
}
