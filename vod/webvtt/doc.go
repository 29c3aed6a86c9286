// Package webvtt reads captions as people have them (WebVTT, SubRip, TTML), holds
// them as cues, and writes WebVTT: whole files, and the segments of an HLS
// subtitle rendition.
//
// [Read] finds out format and encoding by what the bytes are, takes what it can
// and reports the rest by line: a broken cue is never fatal. [Clean], [Shift]
// and [Validate] are for those who edit; [Write] and [Read] are each other's
// inverse. [Segments] cuts cues along the segment grid of a recording; every
// segment holds all cues visible in it with their full times (R172) and ties
// them to the media timeline (R171). It is pure text: no files, no clock, no
// layout. vod/ingest stores what Segments returns, stream serves [Empty] where
// a talk has no captions.
//
// It has a file a format rather than a package a format: all of them end in
// the same cues, and share the same cleaning of text. It owns x/text's charmap.
package webvtt
