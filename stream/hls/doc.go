// Package hls is the text of HTTP Live Streaming playlists: types with the
// standard's names, writers that append them to a byte slice, and strict
// parsers.
//
// It knows the form of a playlist (draft-pantos-hls-rfc8216bis, "bis" in the
// comments) and nothing else: no clock, no media, no HTTP. What a playlist
// should say at an instant is the business of package stream; whether what it
// says is right, of package stream/conformance.
//
// The writers are on the path of every playlist request. They trust their
// caller as to sense (a Media with a negative duration is printed as it is) but
// never print an attribute that breaks the form of the list. The parsers serve
// tests and checks: they refuse whatever the standard does not allow, and say
// the line and the rule.
//
// Parts (EXT-X-PART), encryption (EXT-X-KEY) and content steering
// have no types here, since nothing of ours uses them; a parser keeps such tags
// as Tag values, so that a check can see them.
package hls
