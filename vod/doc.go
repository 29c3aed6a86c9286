// Package vod is what we have: sources, assets, and the finished media made
// from them. It holds the nouns and the store it needs; how media is made is
// vod/ingest and vod/cmaf, where bytes lie is storage, rows are storage/db.
package vod
