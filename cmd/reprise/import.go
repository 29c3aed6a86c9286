package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"reprise/configs"
	"reprise/vod"
	"reprise/vod/ingest"
)

type importCommand struct {
	Files    []rawArg `arg:"" name:"file" help:"Recordings: anything that ffmpeg reads."`
	JSON     bool     `name:"json" help:"Print one JSON object a file, one a line: file, verdict (ready, remarks or refused), findings (code, fr, en), asset, seconds (length of the recording), took (seconds of work)."`
	Language string   `short:"L" placeholder:"TAG" help:"Language of sound that does not name its own, such as fr."`
}

// Help is shown by 'reprise import --help'.
func (importCommand) Help() string {
	return `Copies each recording into the library, with the caption files beside it (talk.fr.vtt, talk.en.srt beside talk.mp4), looks at it, and makes the media that viewers get: up to five sizes of picture, sound at one loudness, captions, poster and thumbnails.

Verdicts: ready (nothing to say), remarks (it works, but read what is said), refused (it cannot be used; the reason is said in French and English). The exit status is 0 only if nothing was refused.

It can be stopped at any moment, even by kill -9: the same command goes on where it was. A recording that is in the library already is found, not made again. A running server may use the same data folder.

Examples:
  reprise import talks/*.mp4
  reprise import --language fr opening.mov
  reprise import --json talks/*.mp4 | jq -r 'select(.verdict=="refused") | .file'`
}

// imported is what is said of one file.
type imported struct {
	File     string          `json:"file"`
	Verdict  vod.Verdict     `json:"verdict"`
	Findings []importFinding `json:"findings"`
	Asset    vod.AssetID     `json:"asset,omitempty"`
	Seconds  float64         `json:"seconds"` // length of the recording
	Took     float64         `json:"took"`    // of the work
}

// importFinding is one thing to know about a file, in both languages.
type importFinding struct {
	Code string `json:"code"`
	FR   string `json:"fr"`
	EN   string `json:"en"`
}

// Run imports all files, one after the other, and fails if one was refused.
func (i *importCommand) Run(ctx context.Context, c *commandLine, p program) (err error) {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	// The log would write over the progress bar; what matters is said anyway.
	h, err := openHouse(ctx, cfg, logger(quiet(cfg.Log), p.stderr), p.clock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if err := h.openIngest(); err != nil {
		return err
	}
	refused := false
	for _, file := range i.Files {
		result, err := i.one(ctx, h, p, string(file))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		refused = refused || result.Verdict == vod.VerdictRefused
		if i.JSON {
			if err := json.NewEncoder(p.stdout).Encode(result); err != nil {
				return err
			}
		} else if err := result.print(p); err != nil {
			return err
		}
	}
	if refused {
		return errReported
	}
	return nil
}

// quiet lets only warnings through, unless somebody asked for more.
func quiet(l configs.Log) configs.Log {
	if l.Level == "info" {
		l.Level = "warn"
	}
	return l
}

// one imports one file. The error is one that ends the whole command: the
// context's own, or a fault of the machine rather than of the file.
func (i *importCommand) one(ctx context.Context, h *house, p program, file string) (imported, error) {
	started := h.clock.Now()
	asset, err := h.bringIn(ctx, p, file, ingest.AddOptions{Language: i.Language})
	result := imported{File: file, Verdict: asset.Verdict, Findings: []importFinding{}, Asset: asset.ID, Took: tenths(h.clock.Now().Sub(started))}
	var unusable *unusableFile
	if errors.As(err, &unusable) {
		result.Verdict, result.Findings = vod.VerdictRefused, []importFinding{unusable.finding}
		return result, nil
	}
	if err != nil {
		return imported{}, err
	}
	for _, f := range asset.Findings {
		result.Findings = append(result.Findings, importFinding{f.Code, f.FR, f.EN})
	}
	if asset.Media != "" {
		media, err := h.rows.Media(ctx, asset.Media)
		if err != nil {
			return imported{}, err
		}
		result.Seconds = math.Round(media.Duration().Duration().Seconds()*1000) / 1000
	}
	return result, nil
}

func tenths(d time.Duration) float64 { return math.Round(d.Seconds()*10) / 10 }

// rawArg is an argument as it was given, byte for byte. kong sends texts through
// JSON, which spoils the names of files that are not UTF-8 (old archives).
type rawArg string

// Decode implements kong.MapperValue.
func (a *rawArg) Decode(c *kong.DecodeContext) error {
	t, err := c.Scan.PopValue("file")
	if err != nil {
		return err
	}
	*a = rawArg(t.String())
	return nil
}

// errUnreadable is returned for what the system does not open, for any reason of its own.
var errUnreadable = errors.New("cannot be opened")

// errNotRegular is returned for folders, pipes and the like.
var errNotRegular = errors.New("not a regular file")

// readable says whether a file can be opened, so that the reason has words of its own.
func readable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if !info.Mode().IsRegular() {
		return errNotRegular
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return f.Close()
}

// unusableFile is returned for what cannot even be read.
type unusableFile struct {
	finding importFinding
	cause   error
}

func (u *unusableFile) Error() string { return u.finding.EN }
func (u *unusableFile) Unwrap() error { return u.cause }

// explainFile turns a fault of opening a file into words, or returns err as it is.
func explainFile(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &unusableFile{importFinding{"file-missing", "Il n’y a pas de fichier de ce nom.", "There is no file of this name."}, err}
	case errors.Is(err, fs.ErrPermission):
		return &unusableFile{importFinding{"file-unreadable", "Ce fichier ne peut pas être lu\u00a0: le droit de lecture manque.", "This file cannot be read: permission is missing."}, err}
	case errors.Is(err, errNotRegular):
		return &unusableFile{importFinding{"not-a-file", "Ce n’est pas un fichier, mais un dossier ou autre chose.", "This is not a file, but a folder or something else."}, err}
	case errors.Is(err, errUnreadable): // a link to itself, a name too long, a fault of the disk
		return &unusableFile{importFinding{"file-unreadable", "Le système ne peut pas ouvrir ce fichier\u00a0: " + systemSays(err) + ".", "The system cannot open this file: " + systemSays(err) + "."}, err}
	case errors.Is(err, ingest.ErrNotFile):
		return &unusableFile{importFinding{"file-unreadable", "Ce fichier n’a pas pu être lu jusqu’au bout, ou a changé pendant la lecture.", "This file could not be read to its end, or changed meanwhile."}, err}
	}
	return err
}

// systemSays is the system's own word for what went wrong with a file.
func systemSays(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// bringIn adds a file to the library and makes its media, with progress on the terminal.
func (h *house) bringIn(ctx context.Context, p program, file string, options ingest.AddOptions) (vod.Asset, error) {
	m := newMeter(p, printable(filepath.Base(file)))
	defer m.done("")
	if err := readable(file); err != nil {
		return vod.Asset{}, explainFile(err)
	}
	asset, err := h.add(ctx, file, options, func(done, total int64) {
		m.update(stageWord(vod.Uploading), float64(done)/float64(max(total, 1)))
	})
	if err != nil {
		return vod.Asset{}, explainFile(err)
	}
	err = h.process(ctx, asset.ID, func(s ingest.Step) {
		if s.State == vod.Probing || s.State == vod.Processing {
			m.update(stageWord(s.State), s.Percent/100)
		}
	})
	if err != nil {
		return vod.Asset{}, err
	}
	return h.rows.Asset(ctx, asset.ID)
}

// add brings a file into the library. Of two processes with files of one size
// the second waits, and finds the file there if it is the same.
func (h *house) add(ctx context.Context, file string, options ingest.AddOptions, progress func(done, total int64)) (vod.Asset, error) {
	info, err := os.Stat(file)
	if err != nil {
		return vod.Asset{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	const locks = 64 // as many lock files, and no more
	lock, err := waitForLock(ctx, filepath.Join(h.cfg.Data.Dir, "locks", fmt.Sprintf("add-%d.lock", info.Size()%locks)), systemClock{})
	if err != nil {
		return vod.Asset{}, err
	}
	defer lock.free()
	return h.ingester.Add(ctx, file, options, progress)
}

// printable is a file's name as a terminal may show it: quoted when it holds
// what would move the cursor or break the line.
func printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl) {
		return name
	}
	return strconv.Quote(name)
}

// print says the result in words.
func (r imported) print(p program) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %s", r.Verdict, printable(r.File))
	if r.Asset != "" {
		fmt.Fprintf(&b, "  asset %s", r.Asset)
	}
	if r.Seconds > 0 {
		fmt.Fprintf(&b, "  %s", shortLength((time.Duration(r.Seconds) * time.Second).Round(time.Second)))
		if r.Took >= 1 {
			fmt.Fprintf(&b, ", made in %s", time.Duration(r.Took*float64(time.Second)))
		}
	}
	b.WriteByte('\n')
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "         %s\n           fr  %s\n           en  %s\n", f.Code, f.FR, f.EN)
	}
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}
