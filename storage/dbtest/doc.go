// Package dbtest gives tests a PostgreSQL of their own: one server a test
// binary, started when the first test asks for it, and an empty database for
// each test. It needs Debian's postgresql-15 (or another version's server) and
// nothing of it running; a missing one fails the test that asked.
//
// The server listens on a socket in a folder of its own and nowhere else. A
// shell stands beside it and watches for the end of the test binary, however
// that ends: then it stops the server and removes the folder.
//
// It knows nothing of ours. Tests use it; the program does not.
package dbtest
