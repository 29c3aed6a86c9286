package storage

import (
	"fmt"
	"strings"
)

const (
	maxKey     = 512 // bytes of a whole key
	maxSegment = 255 // bytes of one segment: what every file system takes as a name
)

// Validate returns an error that is ErrInvalidKey when k breaks the rules of Key.
func (k Key) Validate() error {
	if k == "" || len(k) > maxKey {
		return fmt.Errorf("%w: %d bytes", ErrInvalidKey, len(k))
	}
	for segment := range strings.SplitSeq(string(k), "/") {
		if !validSegment(segment) {
			return fmt.Errorf("%w: %q", ErrInvalidKey, string(k))
		}
	}
	return nil
}

// validSegment reports whether s may stand between two slashes of a key. No
// segment starts with a dot, so that neither "..", nor a hidden name, can be said.
func validSegment(s string) bool {
	if s == "" || len(s) > maxSegment || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		if !validByte(s[i]) {
			return false
		}
	}
	return true
}

func validByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// splitPrefix splits a prefix of keys into the folder that all of them lie in
// ("" or "a/b/") and how the next name begins. The prefix need not be a key.
func splitPrefix(p Key) (folder, start string, err error) {
	cut := strings.LastIndexByte(string(p), '/') + 1
	folder, start = string(p[:cut]), string(p[cut:])
	if folder != "" {
		if err := Key(strings.TrimSuffix(folder, "/")).Validate(); err != nil {
			return "", "", err
		}
	}
	if start != "" && !validSegment(start) {
		return "", "", fmt.Errorf("%w: prefix %q", ErrInvalidKey, string(p))
	}
	return folder, start, nil
}
