package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ruleRanges are the rules that there are: from, to.
var ruleRanges = [][2]int{
	{1, 14}, {20, 48}, {60, 80}, {100, 116}, {130, 141}, {150, 164}, {170, 176}, {180, 182}, {190, 196}, {200, 210}, {220, 222}, {230, 239},
}

const root = "../.."

// TestTable reads docs/hls-conformance.md: every rule is there once, and every test that it names exists.
func TestTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs/hls-conformance.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| (R\d{3}) \| ([MSO]) \| (.+?) \| (.+?) \|$`)
	tested := regexp.MustCompile("`[a-z0-9/]+\\.(Test|Fuzz)\\w+[`/]")
	excused := regexp.MustCompile(`^(does not apply|by deployment|not yet): `)
	seen := map[string]int{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		seen[m[1]]++
		if strings.TrimSpace(m[3]) == "" || strings.TrimSpace(m[4]) == "" {
			t.Errorf("%s: an empty column", m[1])
		}
		checkNames(t, m[1], m[4])
		if m[2] != "S" && !tested.MatchString(m[4]) && !excused.MatchString(m[4]) {
			t.Errorf("%s: neither a test nor a reason: %s", m[1], m[4])
		}
	}
	for _, r := range ruleRanges {
		for n := r[0]; n <= r[1]; n++ {
			id := fmt.Sprintf("R%03d", n)
			if seen[id] != 1 {
				t.Errorf("%s is in the table %d times", id, seen[id])
			}
			delete(seen, id)
		}
	}
	for id := range seen {
		t.Errorf("%s is no rule", id)
	}
	if n := strings.Count(string(text), "\n| R"); n != len(row.FindAllString(string(text), -1)) {
		t.Errorf("%d rows begin with a rule, but not all have four columns", n)
	}
}

// checkNames looks for each test that a row names: `folder.TestName` or `folder.TestName/R123`.
func checkNames(t *testing.T, id, where string) {
	t.Helper()
	name := regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz|Benchmark)\\w+)(?:/(R\\d{3}))?`")
	for _, m := range name.FindAllStringSubmatch(where, -1) {
		files, err := filepath.Glob(filepath.Join(root, m[1], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		if !strings.Contains(all.String(), "func "+m[2]+"(") {
			t.Errorf("%s: there is no %s in %s", id, m[2], m[1])
			continue
		}
		if m[3] != "" && !regexp.MustCompile(`"`+m[3]+`[ "]`).MatchString(all.String()) {
			t.Errorf("%s: %s.%s has no case of %s", id, m[1], m[2], m[3])
		}
	}
}
