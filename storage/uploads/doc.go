// Package uploads takes recordings in, however often the connection breaks. It
// speaks tus 1.0 (core, creation, creation-with-upload, termination, expiration)
// by tusd's handler and keeps the bytes itself: on disk in a file that becomes
// an object when it is whole, on S3 in parts of a multipart upload, so that no
// byte is stored twice.
//
// What an upload is and how far it came is a row ([vod.Upload]); the store says
// which bytes are there. Any node goes on with any upload: a lease per upload
// keeps two of them apart, and is given up at once when the same client comes
// again on another connection, wherever that one ends.
//
// It does not know what a film is: a job makes an asset of a complete upload.
// cmd builds it, api mounts it under /api/v1/uploads/.
package uploads
