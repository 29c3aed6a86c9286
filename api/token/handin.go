package token

import "strings"

const handInPrefix = "handin:"

// HandInScope returns the scope of a speaker's hand-in link: it opens that
// hand-in's operations and no media.
func HandInScope(id string) string { return handInPrefix + id }

// HandIn returns the id of the hand-in that a link is for, "" for any other link.
func (c *Claims) HandIn() string {
	if c.Staff || c.Kind != Link || len(c.Scopes) != 1 {
		return ""
	}
	id, ok := strings.CutPrefix(c.Scopes[0], handInPrefix)
	if !ok {
		return ""
	}
	return id
}
