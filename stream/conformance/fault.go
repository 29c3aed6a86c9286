package conformance

import (
	"errors"
	"fmt"

	"reprise/stream/hls"
)

// Level is how much a rule binds.
type Level string

// The levels of the table of rules.
const (
	Must   Level = "M" // MUST of a standard
	Should Level = "S" // SHOULD of a standard
	Own    Level = "O" // an invariant of this project, as binding as Must
)

// Fault is one breach of a rule.
type Fault struct {
	Rule  string // R104
	Level Level
	Where string // what was looked at: a rendition, a sequence number, an instant
	Text  string
}

func (f Fault) String() string {
	if f.Where == "" {
		return fmt.Sprintf("%s %s: %s", f.Rule, f.Level, f.Text)
	}
	return fmt.Sprintf("%s %s: %s: %s", f.Rule, f.Level, f.Where, f.Text)
}

// Serious returns the faults that are not a mere Should.
func Serious(faults []Fault) []Fault {
	var out []Fault
	for _, f := range faults {
		if f.Level != Should {
			out = append(out, f)
		}
	}
	return out
}

// faults collects; where is the prefix of the faults that follow.
type faults struct {
	list  []Fault
	where string
}

func (f *faults) add(rule string, level Level, format string, args ...any) {
	f.list = append(f.list, Fault{Rule: rule, Level: level, Where: f.where, Text: fmt.Sprintf(format, args...)})
}

func (f *faults) must(rule, format string, args ...any)   { f.add(rule, Must, format, args...) }
func (f *faults) should(rule, format string, args ...any) { f.add(rule, Should, format, args...) }
func (f *faults) own(rule, format string, args ...any)    { f.add(rule, Own, format, args...) }

// syntax notes an error of a parser under the rule that it names.
func (f *faults) syntax(err error) {
	var parse *hls.ParseError
	if errors.As(err, &parse) {
		f.must(parse.Rule, "line %d: %s", parse.Line, parse.Text)
		return
	}
	f.must("R001", "%v", err)
}
