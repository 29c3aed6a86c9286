package main

import (
	"fmt"
	"sort"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown by 'reprise completion --help'.
func (completionCommand) Help() string {
	return `Examples:
  bash   reprise completion bash > /etc/bash_completion.d/reprise
  zsh    reprise completion zsh > "${fpath[1]}/_reprise"
  fish   reprise completion fish > ~/.config/fish/completions/reprise.fish`
}

// Run prints the script, made from the same model that parses the command line.
func (c *completionCommand) Run(p program) error {
	k, err := parser(&commandLine{}, p)
	if err != nil {
		return err
	}
	places := completionPlaces(k.Model.Node)
	script := map[string]func([]completionPlace) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	_, err = fmt.Fprint(p.stdout, script(places))
	return err
}

// completionPlace is one place of the command line: what may come after a path of verbs.
type completionPlace struct {
	path  string // " schedule show", empty for the root
	verbs []completionWord
	flags []completionWord
	files bool // names of files may come
}

// completionWord is one word with what it means.
type completionWord struct {
	word   string
	short  string   // -d
	help   string   // one line
	value  string   // placeholder of a flag's value; empty: takes none
	values []string // the values allowed
}

func completionPlaces(root *kong.Node) []completionPlace {
	var places []completionPlace
	var walk func(n *kong.Node, path string, above []completionWord)
	walk = func(n *kong.Node, path string, above []completionWord) {
		place := completionPlace{path: path, flags: append([]completionWord(nil), above...)}
		for _, flag := range n.Flags {
			if flag.Hidden {
				continue
			}
			w := completionWord{word: "--" + flag.Name, help: firstSentence(flag.Help)}
			if flag.Short != 0 {
				w.short = "-" + string(flag.Short)
			}
			if !flag.IsBool() {
				w.value = flag.FormatPlaceHolder()
			}
			if flag.Enum != "" {
				w.values = strings.Split(flag.Enum, ",")
			}
			place.flags = append(place.flags, w)
		}
		for _, child := range n.Children {
			if child.Type == kong.CommandNode && !child.Hidden {
				place.verbs = append(place.verbs, completionWord{word: child.Name, help: firstSentence(child.Help)})
			}
		}
		for _, arg := range n.Positional {
			if arg.Enum != "" {
				for _, v := range strings.Split(arg.Enum, ",") {
					place.verbs = append(place.verbs, completionWord{word: v})
				}
			}
			if strings.Contains(arg.Name, "file") {
				place.files = true
			}
		}
		places = append(places, place)
		for _, child := range n.Children {
			if child.Type == kong.CommandNode && !child.Hidden {
				walk(child, path+" "+child.Name, place.flags)
			}
		}
	}
	walk(root, "", nil)
	return places
}

func firstSentence(help string) string {
	head, _, _ := strings.Cut(help, ". ")
	head, _, _ = strings.Cut(head, "; ")
	return strings.TrimSuffix(head, ".")
}

// takesFolder and takesFile tell what completes the value of a flag.
func takesFolder(w completionWord) bool { return w.value == "DIR" }
func takesFile(w completionWord) bool   { return w.value == "FILE" }

// valueFlags returns all flags that take a value, each once.
func valueFlags(places []completionPlace) []completionWord {
	seen := map[string]completionWord{}
	for _, p := range places {
		for _, f := range p.flags {
			if f.value != "" {
				seen[f.word] = f
			}
		}
	}
	list := make([]completionWord, 0, len(seen))
	for _, f := range seen {
		list = append(list, f)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].word < list[j].word })
	return list
}

func names(w completionWord) string {
	if w.short != "" {
		return w.short + "|" + w.word
	}
	return w.word
}

// walkVerbs prints the shell lines that find the path of verbs in the words before the cursor.
func walkVerbs(places []completionPlace) string {
	var b strings.Builder
	for _, p := range places {
		if p.path != "" {
			fmt.Fprintf(&b, "      \"%s\") path=\"%s\" ;;\n", p.path, p.path)
		}
	}
	return b.String()
}

func bashCompletion(places []completionPlace) string {
	var b strings.Builder
	b.WriteString("# bash completion of reprise, made by 'reprise completion bash'\n_reprise() {\n" +
		"  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" path=\"\" words=\"\" files=\"\" i\n" +
		"  COMPREPLY=()\n  for ((i = 1; i < COMP_CWORD; i++)); do\n    case \"$path ${COMP_WORDS[i]}\" in\n")
	b.WriteString(walkVerbs(places))
	b.WriteString("    esac\n  done\n  case \"$prev\" in\n")
	for _, f := range valueFlags(places) {
		switch {
		case takesFolder(f):
			fmt.Fprintf(&b, "    %s) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n", names(f))
		case takesFile(f):
			fmt.Fprintf(&b, "    %s) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", names(f))
		default:
			fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); return ;;\n", names(f), strings.Join(f.values, " "))
		}
	}
	b.WriteString("  esac\n  case \"$path\" in\n")
	for _, p := range places {
		var words []string
		for _, w := range append(append([]completionWord(nil), p.verbs...), p.flags...) {
			words = append(words, w.word)
		}
		files := ""
		if p.files {
			files = " files=1"
		}
		fmt.Fprintf(&b, "    \"%s\") words=\"%s\"%s ;;\n", p.path, strings.Join(words, " "), files)
	}
	b.WriteString("  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n" +
		"  if [[ -n \"$files\" && \"$cur\" != -* ]]; then\n    compopt -o filenames 2>/dev/null\n    COMPREPLY+=($(compgen -f -- \"$cur\"))\n  fi\n" +
		"}\ncomplete -F _reprise reprise\n")
	return b.String()
}

func zshCompletion(places []completionPlace) string {
	quote := func(s string) string {
		return "'" + strings.ReplaceAll(strings.ReplaceAll(s, "'", "'\\''"), ":", "\\:") + "'"
	}
	var b strings.Builder
	b.WriteString("#compdef reprise\n# zsh completion of reprise, made by 'reprise completion zsh'\n_reprise() {\n" +
		"  local path_=\"\" prev=\"${words[CURRENT-1]}\" i\n  local -a verbs flags\n  for ((i = 2; i < CURRENT; i++)); do\n    case \"$path_ ${words[i]}\" in\n")
	b.WriteString(strings.ReplaceAll(walkVerbs(places), "path=", "path_="))
	b.WriteString("    esac\n  done\n  case \"$prev\" in\n")
	for _, f := range valueFlags(places) {
		switch {
		case takesFolder(f):
			fmt.Fprintf(&b, "    %s) _files -/; return ;;\n", names(f))
		case takesFile(f):
			fmt.Fprintf(&b, "    %s) _files; return ;;\n", names(f))
		default:
			fmt.Fprintf(&b, "    %s) compadd -- %s; return ;;\n", names(f), strings.Join(f.values, " "))
		}
	}
	b.WriteString("  esac\n  case \"$path_\" in\n")
	for _, p := range places {
		fmt.Fprintf(&b, "    \"%s\")\n", p.path)
		for _, list := range []struct {
			name  string
			words []completionWord
		}{{"verbs", p.verbs}, {"flags", p.flags}} {
			fmt.Fprintf(&b, "      %s=(", list.name)
			for _, w := range list.words {
				entry := quote(w.word)
				if w.help != "" {
					entry = "'" + w.word + ":" + strings.TrimPrefix(quote(w.help), "'")
				}
				fmt.Fprintf(&b, "%s ", entry)
			}
			b.WriteString(")\n")
		}
		if p.files {
			b.WriteString("      _files\n")
		}
		b.WriteString("      ;;\n")
	}
	b.WriteString("  esac\n  (( $#verbs )) && _describe -t commands verb verbs\n  _describe -o -t options option flags\n}\n" +
		"if [ \"$funcstack[1]\" = _reprise ]; then _reprise \"$@\"; else compdef _reprise reprise; fi\n")
	return b.String()
}

func fishCompletion(places []completionPlace) string {
	quote := func(s string) string {
		return "'" + strings.ReplaceAll(strings.ReplaceAll(s, "\\", "\\\\"), "'", "\\'") + "'"
	}
	var b strings.Builder
	b.WriteString("# fish completion of reprise, made by 'reprise completion fish'\nfunction __reprise_at\n  set -l path \"\"\n" +
		"  for word in (commandline -opc)[2..-1]\n    switch \"$path $word\"\n")
	for _, p := range places {
		if p.path != "" {
			fmt.Fprintf(&b, "      case %s\n        set path %s\n", quote(p.path), quote(p.path))
		}
	}
	b.WriteString("    end\n  end\n  test \"$path\" = \"$argv[1]\"\nend\ncomplete -c reprise -f\n")
	for _, p := range places {
		at := quote("__reprise_at " + "\"" + p.path + "\"")
		for _, w := range p.verbs {
			fmt.Fprintf(&b, "complete -c reprise -n %s -a %s -d %s\n", at, w.word, quote(w.help))
		}
		for _, f := range p.flags {
			fmt.Fprintf(&b, "complete -c reprise -n %s -l %s", at, strings.TrimPrefix(f.word, "--"))
			if f.short != "" {
				fmt.Fprintf(&b, " -s %s", strings.TrimPrefix(f.short, "-"))
			}
			switch {
			case takesFolder(f) || takesFile(f):
				b.WriteString(" -r -F")
			case f.value != "" && len(f.values) > 0:
				fmt.Fprintf(&b, " -x -a %s", quote(strings.Join(f.values, " ")))
			case f.value != "":
				b.WriteString(" -x")
			}
			fmt.Fprintf(&b, " -d %s\n", quote(f.help))
		}
		if p.files {
			fmt.Fprintf(&b, "complete -c reprise -n %s -F\n", at)
		}
	}
	return b.String()
}
