package token

import "strings"

// hidden stands where a token was.
const hidden = "***"

// Redact returns a path, URL or header value fit for a log: the token of
// /p/{token}/…, of #k=… (also ?k= and &k=) and of "Bearer …" is replaced, and so is
// anything that looks like a JWT, wherever it stands. Text without a token is
// returned as it is, without allocation.
func Redact(text string) string {
	var b strings.Builder
	rest, changed := text, false
	for rest != "" {
		start, end := nextSecret(rest)
		if start < 0 {
			break
		}
		b.WriteString(rest[:start])
		b.WriteString(hidden)
		rest, changed = rest[end:], true
	}
	if !changed {
		return text
	}
	b.WriteString(rest)
	return b.String()
}

// marks are what stands before a secret. The last one is the secret's own
// start: each JWT begins with {" in base64url.
var marks = []struct {
	text string
	keep int // bytes of the mark that stay readable
}{
	{"/p/", 3}, {"%2fp%2f", 7}, {"#k=", 3}, {"%23k%3d", 7}, {"?k=", 3}, {"&k=", 3}, {"bearer ", 7}, {"eyj", 0},
}

// nextSecret returns the bounds of the first secret in s, or -1.
func nextSecret(s string) (start, end int) {
	for i := range len(s) {
		for _, m := range marks {
			if len(s)-i < len(m.text) || !strings.EqualFold(s[i:i+len(m.text)], m.text) {
				continue
			}
			start = i + m.keep
			end = start
			for end < len(s) && secretByte(s[end]) {
				end++
			}
			if end > start && s[start:end] != hidden {
				return start, end
			}
		}
	}
	return -1, -1
}

// secretByte reports whether c can be a part of a token, percent-encoded or not:
// anything but what ends a path segment, a value or a word.
func secretByte(c byte) bool {
	switch c {
	case '/', '?', '#', '&', '"', '\'', '<', '>', ',', ';':
		return false
	}
	return c > ' '
}
