// Command reprise puts recorded talks on air at their hour, in several
// languages, as if they were live, and keeps them as replays.
//
// main.go parses the command line and exits; app.go builds the whole server by
// hand, top to bottom, and runs it; house.go opens the parts that the verbs
// share (database, objects, keys, ingest). One file a verb. Nothing here knows
// how media, playlists or pages are made: this package only puts the other
// packages together, and talks to the person at the terminal.
package main
