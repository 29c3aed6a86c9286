// Package cmaf reads MP4 and QuickTime files and writes CMAF: an init segment
// and media segments that HLS and DASH players take (ISO/IEC 23000-19).
//
// [Inspect] reads what a file holds without reading its media: tracks, codecs,
// edit lists, faults. Sample tables stay in the file and are read through small
// windows, so a file of ten hours costs no more memory than one of ten seconds.
// [PackageAll] turns tracks of such a file into CMAF in one pass, without
// decoding. [Retime] cuts slate segments of any length from a template.
// [Check] verifies the result by another reading path.
//
// The package does not decode, encode or repair: what does not fit the grid is
// an error, and the caller sends it through ffmpeg. It knows no database, no
// playlist and no clock, and imports nothing of ours. vod/ingest uses it to
// package, stream to make slate segments. WebVTT is in vod/webvtt.
//
// All output has the timescale 48000 ("ticks"): a frame of AAC and a frame of
// video at 25, 30, 50 and 60 fps are whole numbers of it. The first picture
// and the first sound of a recording are at media time 10 s ([MediaTimeBase]),
// composition offsets are negative (trun version 1) and there is no edit list,
// so a player that ignores edit lists is in sync (R157, R158, R159).
package cmaf
