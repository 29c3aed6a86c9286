// Package timeline is the arithmetic of a broadcast: what is on air is a pure
// function of a journal and an instant.
//
// A Journal is a list of entries on the wall clock. From it and now follow
// what is listed (LastListed), what a live playlist shows (Window), what a
// start-over playlist shows (TalkWindow), when that changes (NextChange), and
// what may still be edited (Frozen). Replan turns a programme of talks at
// hours into entries after what is frozen.
//
// It knows nothing of media, HTTP or databases, keeps no state and never asks
// what time it is. Package stream uses it to answer viewers, package
// stream/conformance to judge the answers.
package timeline
