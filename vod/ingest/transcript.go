package ingest

import (
	"context"
	"time"

	"reprise/vod"
)

// Line is one line of a transcript: a caption as plain text.
type Line struct {
	From, To time.Duration // from the first frame of the film
	Speaker  string        // empty: not said
	Text     string        // one line, no markup
}

// Hit is a line in which a search found something.
type Hit struct {
	Line    int    // index
	Snippet string // what to show: the line with a little of what surrounds it, shortened
	Marks   []Mark // words found in Snippet, in order
}

// Mark is a stretch of a snippet, in UTF-16 code units, as JavaScript counts.
type Mark struct{ From, To int }

// Transcript returns what is said in the film according to its captions in language. ErrNoCaptions.
func (g *Ingester) Transcript(ctx context.Context, id vod.AssetID, language string) ([]Line, error) {
	return nil, errNotYet
}

// Search finds the lines in which all words of query occur, in any order, or
// begin a word when they have three letters or more. Case, accents and
// ligatures do not count. A sentence that goes on in the next line is found by
// its first line. An empty query finds nothing.
func Search(lines []Line, query string) []Hit { return nil }
