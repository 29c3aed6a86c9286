package mail

import (
	"html/template"
	"strings"
)

// sheet is a letter before it is text and HTML.
type sheet struct {
	subject string
	blocks  []block
}

// block is a paragraph, a link, a list or a quotation.
type block struct {
	Text  string   // paragraph, or what introduces the rest
	Label string   // of a link
	Link  string   // empty: none
	Items []string // of a list
	Lines []string // of a quotation
}

func (s *sheet) say(text string) {
	if text != "" {
		s.blocks = append(s.blocks, block{Text: text})
	}
}

func (s *sheet) link(address, label string) {
	s.blocks = append(s.blocks, block{Link: address, Label: label})
}

// found lists findings; none: nothing is said.
func (s *sheet) found(text string, items []string) {
	if len(items) > 0 {
		s.blocks = append(s.blocks, block{Text: text, Items: items})
	}
}

func (s *sheet) quote(text, note string) {
	if note != "" {
		s.blocks = append(s.blocks, block{Text: text, Lines: strings.Split(note, "\n")})
	}
}

// text is the sheet as plain text. Lines are as long as they are: mail programs
// fold them, and a link must not be broken.
func (s *sheet) text() string {
	var parts []string
	for _, b := range s.blocks {
		var lines []string
		if b.Text != "" {
			lines = append(lines, b.Text)
		}
		if b.Link != "" {
			lines = append(lines, b.Label+" →", b.Link)
		}
		for _, item := range b.Items {
			lines = append(lines, "- "+item)
		}
		for _, line := range b.Lines {
			lines = append(lines, strings.TrimRight("> "+line, " "))
		}
		parts = append(parts, strings.Join(lines, "\n"))
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// page is the HTML of all letters. It has no picture, no script and nothing to
// fetch: nobody learns whether it was opened. Colours keep a contrast of 7:1,
// and leave dark themes to the mail program.
var page = template.Must(template.New("letter").Parse(`<!doctype html>
<html lang="{{.Language}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Subject}}</title>
</head>
<body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;font-size:16px;line-height:1.5">
<div lang="{{.Language}}" style="max-width:36em;margin:0 auto">
<h1 style="font-size:20px;line-height:1.3;margin:0 0 24px">{{.Subject}}</h1>
{{range .Blocks}}{{if .Text}}<p style="margin:0 0 16px">{{.Text}}</p>
{{end}}{{if .Link}}<p style="margin:0 0 8px"><a href="{{.Link}}" style="display:inline-block;padding:12px 20px;border-radius:6px;background-color:#0b4a80;color:#ffffff;text-decoration:none;font-weight:600">{{.Label}}</a></p>
<p style="margin:0 0 24px;font-size:14px;overflow-wrap:anywhere"><a href="{{.Link}}">{{.Link}}</a></p>
{{end}}{{if .Items}}<ul style="margin:0 0 16px;padding-left:24px">
{{range .Items}}<li style="margin:0 0 8px">{{.}}</li>
{{end}}</ul>
{{end}}{{if .Lines}}<blockquote style="margin:0 0 16px;padding:0 0 0 16px;border-left:4px solid #767676">{{range $i, $line := .Lines}}{{if $i}}<br>
{{end}}{{$line}}{{end}}</blockquote>
{{end}}{{end}}</div>
</body>
</html>
`))

// html is the sheet as HTML.
func (s *sheet) html(language string) string {
	var out strings.Builder
	err := page.Execute(&out, struct {
		Language, Subject string
		Blocks            []block
	}{language, s.subject, s.blocks})
	if err != nil {
		panic(err) // the template and its fields are ours
	}
	return out.String()
}
