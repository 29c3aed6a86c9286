// Package conformance checks playlists against the numbered rules of
// docs/hls-conformance.md: what the HTTP Live Streaming standard and Apple's
// authoring specification demand, and what this project demands of itself.
//
// Three doors, one set of checks behind them:
//
//   - CheckMultivariant, CheckMedia, CheckDelta, CheckChange and CheckRenditions look at texts
//     that a test or a tool has in hand;
//   - a Watcher is given every playlist of a feed, each time it changes, and
//     looks only at what is new: two days of a feed in a few seconds;
//   - Run plays a whole programme in simulated time through a Subject and makes
//     a Report: this is `reprise verify`.
//
// Rules that need the bytes of segments (R150 to R172 and the measured half of
// R021 to R024) or HTTP (R191 to R220) are not here but with the packages that
// make those; the table names their tests.
//
// The package knows playlists (stream/hls) and the shape of a journal
// (stream/timeline), whose arithmetic it does again in its own way: it must not
// inherit the mistakes of what it checks.
package conformance
