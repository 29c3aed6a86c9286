package webvtt

import (
	"strings"
)

// cueText makes sane WebVTT cue text of the lines of a cue: known tags are kept
// and closed, others dropped (SubRip's font), stray markup becomes entities.
// top is true when the cue asked for the top of the picture (SubRip's {\an8}).
func cueText(lines []string) (text string, top bool) {
	var kept []string
	size := 0
	for _, line := range lines {
		if size > 2*maxText {
			break
		}
		line = strings.TrimSpace(clean(strings.ToValidUTF8(line[:min(len(line), 2*maxText)], "")))
		for {
			start := strings.Index(line, `{\`)
			if start < 0 {
				break
			}
			end := strings.IndexByte(line[start:], '}')
			if end < 0 {
				break
			}
			for _, high := range []string{`\an7`, `\an8`, `\an9`} {
				top = top || strings.Contains(line[start:start+end], high)
			}
			line = line[:start] + line[start+end+1:]
		}
		if line = strings.TrimSpace(line); line != "" {
			kept = append(kept, line)
			size += len(line)
		}
	}
	raw := strings.Join(kept, "\n")
	text = tidy(markup(raw))
	for len(text) > maxText {
		// Entities and end tags make it longer than it came.
		raw = strings.ToValidUTF8(raw[:min(len(raw), len(raw)*maxText/len(text))], "")
		text = tidy(markup(raw))
	}
	return text, top
}

// tidy takes out the blanks that dropped tags leave: a blank line would end the cue.
func tidy(text string) string {
	var kept []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// clean drops control characters.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\ufeff' || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, s)
}

// markup rewrites tags and entities.
func markup(s string) string {
	var out strings.Builder
	var open []string
	visible := false
	for s != "" {
		switch s[0] {
		case '<':
			name, tag, n := readTag(s)
			s = s[n:]
			switch {
			case n == 1:
				out.WriteString("&lt;")
				visible = true
			case tag == "":
			case tag == "/":
				closeTo(&out, &open, name)
			default:
				out.WriteString(tag)
				if name != "" {
					open = append(open, name)
				}
			}
		case '&':
			n := entity(s)
			if n == 0 {
				out.WriteString("&amp;")
				s = s[1:]
			} else {
				out.WriteString(s[:n])
				s = s[n:]
			}
			visible = true
		case '>':
			out.WriteString("&gt;")
			s = s[1:]
			visible = true
		default:
			n := strings.IndexAny(s, "<&>")
			if n < 0 {
				n = len(s)
			}
			visible = visible || strings.TrimSpace(s[:n]) != ""
			out.WriteString(s[:n])
			s = s[n:]
		}
	}
	closeTo(&out, &open, "")
	if !visible {
		return ""
	}
	return out.String()
}

// closeTo writes the end tags down to the innermost open name; "" closes all. A
// name that is not open is dropped.
func closeTo(out *strings.Builder, open *[]string, name string) {
	at := 0
	if name != "" {
		for at = len(*open) - 1; at >= 0 && (*open)[at] != name; at-- {
		}
		if at < 0 {
			return
		}
	}
	for i := len(*open) - 1; i >= at; i-- {
		out.WriteString("</" + (*open)[i] + ">")
	}
	*open = (*open)[:at]
}

// readTag reads the tag that s starts with. n is how much of s it takes, 1 when
// it is no tag. tag is what to write: "" nothing, "/" for an end tag of name.
func readTag(s string) (name, tag string, n int) {
	end := strings.IndexByte(s, '>')
	if end < 2 || strings.ContainsAny(s[1:end], "<\n") {
		return "", "", 1
	}
	body := s[1:end]
	if inner, ok := strings.CutPrefix(body, "/"); ok {
		name, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(inner)), ".")
		if !letters(name) {
			return "", "", 1
		}
		return name, "/", end + 1
	}
	if c := body[0]; c >= '0' && c <= '9' {
		if _, ok := parseTime(body); ok {
			return "", "<" + body + ">", end + 1
		}
		return "", "", 1
	}
	head, annotation, _ := strings.Cut(body, " ")
	plain, classes, _ := strings.Cut(head, ".")
	name = strings.ToLower(plain)
	if !letters(name) {
		return "", "", 1
	}
	if classes != "" {
		classes = "." + classes
	}
	annotation = ampersands(strings.TrimSpace(annotation))
	switch name {
	case "b", "i", "u", "c", "ruby", "rt":
		return name, "<" + name + classes + ">", end + 1
	case "v", "lang":
		if annotation == "" {
			return "", "", end + 1
		}
		return name, "<" + name + classes + " " + annotation + ">", end + 1
	}
	return "", "", end + 1 // font and the like
}

// ampersands makes entities of those that begin none.
func ampersands(s string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, "&")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		out.WriteByte('&')
		if entity("&"+after) == 0 {
			out.WriteString("amp;")
		}
		s = after
	}
}

func letters(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
}

// entity returns the length of the character reference that s starts with, 0
// when there is none.
func entity(s string) int {
	end := strings.IndexByte(s[:min(len(s), 12)], ';')
	if end < 2 {
		return 0
	}
	name := s[1:end]
	if number, ok := strings.CutPrefix(name, "#"); ok {
		digits := "0123456789"
		if rest, hex := strings.CutPrefix(strings.ToLower(number), "x"); hex {
			number, digits = rest, "0123456789abcdef"
		}
		if number == "" || strings.Trim(number, digits) != "" {
			return 0
		}
		return end + 1
	}
	if strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return 0
	}
	return end + 1
}
