// Package ingest makes media out of what people bring: it looks at a film
// (probe), says in plain words what is wrong with it (findings, verdict), makes
// the ladder with ffmpeg in one run, packages it through vod/cmaf into the
// object store, adds captions, chapters, a poster and thumbnails, and hands the
// finished vod.Media to the library. It also makes slates.
//
// It is not a scheduler (storage/queue runs Process) and holds no state but a
// scratch folder: each step can be killed at any point and done again. Outside
// programs, ffmpeg and ffprobe, run as children with a time limit, a memory
// limit, no network protocol and a list of permitted formats; they die with
// this process.
//
// Used by cmd.
package ingest
