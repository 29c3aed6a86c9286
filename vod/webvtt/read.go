package webvtt

import (
	"strings"
)

// Format is a kind of caption file.
type Format string

// Formats. Read understands all but ASS, which it only recognises.
const (
	WebVTT  Format = "webvtt"
	SubRip  Format = "srt"
	TTML    Format = "ttml" // 1 and 2, with the profiles EBU-TT-D, IMSC and iTT
	ASS     Format = "ass"  // Advanced SubStation Alpha, and SSA
	Unknown Format = ""
)

// File is what a caption file holds.
type File struct {
	Cues     []Cue // in the order of their start
	Format   Format
	Encoding string // utf-8 utf-16le utf-16be windows-1252 iso-8859-15 macintosh
	Guessed  bool   // nothing in the file says its encoding
	Language string // BCP 47 as written, when the file says it
	Problems []Problem
}

// Read reads a caption file of any format; what the bytes are decides, not a
// name. It takes what it can: whatever was guessed, repaired or left out is in
// the problems. There is no error; a file without captions has no cue.
func Read(data []byte) File {
	text, encoding, guessed := Decode(data)
	f := File{Format: sniff(text), Encoding: encoding, Guessed: guessed}
	p := &parser{vtt: f.Format == WebVTT}
	if guessed {
		p.report(1, Encoding, encoding)
	}
	switch f.Format {
	case TTML:
		p.ttml(text)
	case WebVTT, SubRip:
		p.text(text)
	case ASS, Unknown:
		p.report(1, NotCaptions, "")
	}
	sortCues(p.cues)
	f.Cues, f.Problems, f.Language = p.cues, p.problems, p.language
	return f
}

// Parse is Read for those who want to know no more than cues and problems.
func Parse(data []byte) ([]Cue, []Problem) {
	f := Read(data)
	return f.Cues, f.Problems
}

// sniff tells the format of a text.
func sniff(text string) Format {
	text = strings.TrimLeft(text, " \t\n\ufeff")
	head := text[:min(len(text), 64<<10)]
	first, _, _ := strings.Cut(head, "\n")
	switch {
	case isHeader(first):
		return WebVTT
	case strings.HasPrefix(head, "<") && rootIsTT(head):
		return TTML
	case strings.HasPrefix(head, "[Script Info]"):
		return ASS
	case hasTiming(text):
		return SubRip
	}
	return Unknown
}

// rootIsTT tells whether the first element of an XML text is tt, under any prefix.
func rootIsTT(head string) bool {
	for {
		start := strings.IndexByte(head, '<')
		if start < 0 || start+1 >= len(head) {
			return false
		}
		head = head[start+1:]
		switch {
		case strings.HasPrefix(head, "!--"):
			_, rest, ok := strings.Cut(head, "-->")
			if !ok {
				return false
			}
			head = rest
		case head[0] == '?' || head[0] == '!':
		default:
			name, _, _ := strings.Cut(head, ">")
			name = strings.TrimRight(strings.Fields(name + " -")[0], "/")
			if _, local, prefixed := strings.Cut(name, ":"); prefixed {
				name = local
			}
			return name == "tt"
		}
	}
}

// hasTiming finds a line of times, the mark of SubRip, and of WebVTT whose first line was lost.
func hasTiming(text string) bool {
	for line := range strings.Lines(text) {
		before, _, ok := cutArrow(line)
		if !ok {
			continue
		}
		if _, ok := parseTime(strings.TrimSpace(before)); ok {
			return true
		}
	}
	return false
}
