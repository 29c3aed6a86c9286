package api

import (
	"net/http"
	"strings"
)

// rangeKind is what a Range header comes to.
type rangeKind int

const (
	rangeNone rangeKind = iota // to be ignored: all of it, 200
	rangePart                  // 206
	rangeBad                   // 416
)

// parseRange reads a Range header for a file of size bytes (RFC 9110 section
// 14.1.2). What is malformed, in another unit, or asks for several ranges is
// ignored, as the RFC allows; players ask for one.
func parseRange(header string, size int64) (start, length int64, kind rangeKind) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return 0, 0, rangeNone
	}
	from, to, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return 0, 0, rangeNone
	}
	if from == "" { // the last n bytes
		n, ok := digits(to)
		switch {
		case !ok:
			return 0, 0, rangeNone
		case n == 0 || size == 0:
			return 0, 0, rangeBad
		}
		n = min(n, size)
		return size - n, n, rangePart
	}
	first, ok := digits(from)
	if !ok {
		return 0, 0, rangeNone
	}
	last := size - 1
	if to != "" {
		if last, ok = digits(to); !ok || last < first {
			return 0, 0, rangeNone
		}
		last = min(last, size-1)
	}
	if first >= size {
		return 0, 0, rangeBad
	}
	return first, last - first + 1, rangePart
}

// rangeApplies reports whether If-Range lets a Range count: absent, or the
// same strong tag. A date never does: we send no Last-Modified.
func rangeApplies(r *http.Request, tag string) bool {
	condition := first(r.Header["If-Range"])
	return condition == "" || condition == tag
}
