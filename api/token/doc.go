// Package token is the signed proof that somebody may watch: it mints and
// verifies the JWT that stands in a playback URL or in an attendee's link.
//
// It knows nothing of HTTP, playlists or registrants: who gets a token is
// decided by its callers (api, cmd), and the lease that can be revoked is kept
// elsewhere. It owns golang-jwt; nothing else imports it.
//
// A token is checked on each request for a playlist or a segment, so verified
// tokens are kept in a bounded cache; only what was found valid enters it.
package token
