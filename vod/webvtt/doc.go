// Package webvtt reads captions (WebVTT and SubRip, as people upload them) and
// writes the WebVTT segments of an HLS subtitle rendition.
//
// [Parse] takes what it can and reports the rest by line: a broken cue is never
// fatal. [Segments] cuts cues along the segment grid of a recording; every
// segment holds all cues visible in it with their full times (R172) and ties
// them to the media timeline (R171). It is pure text: no files, no clock, no
// layout. vod/ingest stores what Segments returns, stream serves [Empty] where
// a talk has no captions.
package webvtt
