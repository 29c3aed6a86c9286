package ingest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"reprise/storage"
	"reprise/vod"
)

// AddOptions say what a file does not.
type AddOptions struct {
	Title    string            // of the asset; empty: made from the file's name
	Language string            // of untagged sound, BCP 47; several, separated by commas, are in the order of the tracks
	Captions map[string]string // language -> path of a WebVTT or SRT file; files beside the film (film.fr.vtt) are found anyway
}

// Add copies a film and its captions into the store and makes an asset of them
// in state Uploaded, or finds the asset that the same bytes made before; the
// film's name and title are then the old ones. It does not process.
//
// progress may be nil; it gets bytes done of bytes in all. What is not a
// readable regular file is an ErrNotFile, wrapped with the reason. A killed Add leaves
// nothing that Sweep does not remove; calling it again begins anew.
func (g *Ingester) Add(ctx context.Context, path string, opts AddOptions, progress func(done, total int64)) (vod.Asset, error) {
	file, size, err := openRegular(path)
	if err != nil {
		return vod.Asset{}, err
	}
	defer file.Close()
	if progress == nil {
		progress = func(int64, int64) {}
	}
	mark, err := fingerprint(file, size)
	if err != nil {
		return vod.Asset{}, fmt.Errorf("read %s: %w", path, err)
	}
	if known, ok, err := g.find(ctx, file, mark, size, progress); err != nil || ok {
		return known, err
	}
	return g.keep(ctx, path, file, size, mark, opts, progress)
}

// openRegular opens a file without hanging on a pipe or a device.
func openRegular(path string) (*os.File, int64, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, fmt.Errorf("%w: %s does not exist", ErrNotFile, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, 0, fmt.Errorf("%w: no permission to read %s", ErrNotFile, path)
	case err != nil:
		return nil, 0, fmt.Errorf("%w: %w", ErrNotFile, err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("%w: %w", ErrNotFile, err), file.Close())
	}
	if !info.Mode().IsRegular() {
		what := "a device or pipe"
		if info.IsDir() {
			what = "a folder"
		}
		return nil, 0, errors.Join(fmt.Errorf("%w: %s is %s", ErrNotFile, path, what), file.Close())
	}
	return file, info.Size(), nil
}

const fingerprintEnd = 1 << 20

// fingerprint is a quick identity: size, and the hash of the first and the last MiB.
func fingerprint(r io.ReaderAt, size int64) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", size)
	head := min(size, fingerprintEnd)
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, head)); err != nil {
		return "", err
	}
	tail := max(head, size-fingerprintEnd)
	if _, err := io.Copy(h, io.NewSectionReader(r, tail, size-tail)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d-%s", size, hex.EncodeToString(h.Sum(nil)[:16])), nil
}

// find looks for an asset of the same bytes: the fingerprint says whom to ask, the whole hash decides.
func (g *Ingester) find(ctx context.Context, file *os.File, mark string, size int64, progress func(done, total int64)) (vod.Asset, bool, error) {
	assets, err := g.library.Assets(ctx)
	if err != nil {
		return vod.Asset{}, false, fmt.Errorf("list assets: %w", err)
	}
	sum := ""
	for _, a := range assets {
		if a.Source.Fingerprint != mark || a.Source.Size != size {
			continue
		}
		if _, err := g.store.Stat(ctx, storage.Key(a.Source.Object)); err != nil {
			continue // its source is gone: it cannot be processed again
		}
		if sum == "" {
			h := sha256.New()
			r := &counter{r: &contextReader{ctx, io.NewSectionReader(file, 0, size)}, total: size, tell: progress}
			if _, err := io.Copy(h, r); err != nil {
				return vod.Asset{}, false, fmt.Errorf("read %s: %w", file.Name(), err)
			}
			sum = hex.EncodeToString(h.Sum(nil))
		}
		if a.Source.SHA256 == sum {
			return a, true, nil
		}
	}
	return vod.Asset{}, false, nil
}

// keep copies the film and what lies beside it, and makes the asset.
func (g *Ingester) keep(ctx context.Context, path string, file *os.File, size int64, mark string, opts AddOptions, progress func(done, total int64)) (vod.Asset, error) {
	folder := sourcePrefix + storage.RandomName() + "/"
	sum, copied, err := g.copyIn(ctx, storage.Key(folder+"film"), file, size, progress)
	if err != nil {
		return vod.Asset{}, fmt.Errorf("copy %s: %w", path, err)
	}
	if copied != size {
		return vod.Asset{}, fmt.Errorf("%w: %s changed while it was copied", ErrNotFile, path)
	}
	captions, err := g.copyCaptions(ctx, folder, path, opts.Captions)
	if err != nil {
		return vod.Asset{}, err
	}
	now := g.now().UTC()
	a := vod.Asset{
		ID: vod.AssetID(newUUID(now)), Title: cleanText(opts.Title), State: vod.Uploaded, Created: now, Updated: now,
		Source: vod.Source{
			ID: vod.SourceID(newUUID(now)), Name: cleanName(path), Object: folder + "film", Size: size,
			SHA256: sum, Fingerprint: mark, Captions: captions, Language: opts.Language,
		},
	}
	if playsAsItIs(file, size) {
		a.Source.Preview = a.Source.Object
	}
	if a.Title == "" {
		a.Title = titleOf(a.Source.Name)
	}
	if err := g.library.CreateAsset(ctx, a); err != nil {
		return vod.Asset{}, fmt.Errorf("create asset: %w", err)
	}
	return a, nil
}

// copyIn stores r under key and returns its SHA-256.
func (g *Ingester) copyIn(ctx context.Context, key storage.Key, file *os.File, size int64, progress func(done, total int64)) (sum string, copied int64, err error) {
	h := sha256.New()
	r := &counter{r: &contextReader{ctx, io.NewSectionReader(file, 0, size)}, total: size, tell: progress, hash: h}
	info, err := g.putObject(ctx, key, func(w io.Writer) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, r, make([]byte, 1<<20))
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), info.Size, err
}

// counter reports how far a reader is, and hashes what passes.
type counter struct {
	r           io.Reader
	done, total int64
	tell        func(done, total int64)
	hash        hash.Hash
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.hash != nil {
		c.hash.Write(p[:n]) // never fails
	}
	if c.done += int64(n); n > 0 {
		c.tell(c.done, c.total)
	}
	return n, err
}

// copyCaptions stores the given caption files and those beside the film.
func (g *Ingester) copyCaptions(ctx context.Context, folder, film string, given map[string]string) ([]vod.Captions, error) {
	paths := sidecars(film)
	for language, path := range given {
		code := baseLanguage(normalLanguage(language))
		if code == "" {
			return nil, fmt.Errorf("%w: %q is no language for %s", ErrNotFile, language, path)
		}
		paths[code] = path
	}
	languages := make([]string, 0, len(paths))
	for language := range paths {
		languages = append(languages, language)
	}
	slices.Sort(languages)
	var all []vod.Captions
	for _, language := range languages {
		file, size, err := openRegular(paths[language])
		if err != nil {
			return nil, err
		}
		key := storage.Key(folder + "captions." + language)
		_, _, err = g.copyIn(ctx, key, file, min(size, largestCaptions), func(int64, int64) {})
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("copy %s: %w", paths[language], err)
		}
		all = append(all, vod.Captions{Language: language, Object: string(key)})
	}
	return all, nil
}

// sidecars finds caption files beside a film: film.fr.vtt, film.en.srt, and
// film.vtt when the film's own name says its language.
func sidecars(film string) map[string]string {
	found := map[string]string{}
	stem := strings.TrimSuffix(filepath.Base(film), filepath.Ext(film))
	entries, err := os.ReadDir(filepath.Dir(film))
	if err != nil {
		return found
	}
	for _, e := range entries {
		name := e.Name()
		extension := strings.ToLower(filepath.Ext(name))
		if extension != ".vtt" && extension != ".srt" || !e.Type().IsRegular() {
			continue
		}
		own := strings.TrimSuffix(name, filepath.Ext(name))
		language := ""
		switch {
		case own == stem:
			language = languageInName(filepath.Base(film))
		case strings.HasPrefix(own, stem):
			language = languageInName(name)
			if rest := own[len(stem):]; !strings.ContainsAny(rest[:1], "._- ") || strings.Count(rest, ".")+strings.Count(rest, "_") > 1 {
				language = ""
			}
		}
		// WebVTT wins over SRT of the same language.
		if old := found[language]; language != "" && (old == "" || extension == ".vtt") {
			found[language] = filepath.Join(filepath.Dir(film), name)
		}
	}
	return found
}

// cleanName is a path's last part without what could hurt on a terminal or in a header.
func cleanName(path string) string {
	name := cleanText(strings.NewReplacer("/", " ", "\\", " ").Replace(filepath.Base(path)))
	if name == "" || name == "." || name == ".." {
		return "film"
	}
	return name
}

var separators = regexp.MustCompile(`[\s_]+|[-–—]{2,}`)

// titleOf makes a title of a file name: "01_l-art_de.la.reprise.fr.mp4" -> "01 l-art de.la.reprise".
func titleOf(name string) string {
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	if languageInName(name) != "" {
		stem = stem[:strings.LastIndexAny(stem, "._- ")]
	}
	title := strings.Trim(separators.ReplaceAllString(stem, " "), " .-_")
	if title == "" {
		return name
	}
	return title
}

// newUUID returns a UUIDv7 (RFC 9562): ids in the order of their making.
func newUUID(now time.Time) string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand never fails on the systems we build for
	}
	return uuidOf(now, b)
}

// uuidOf is the UUIDv7 of an instant and random bytes.
func uuidOf(at time.Time, b [16]byte) string {
	ms := at.UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
