package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"reprise/storage"
)

// LargestPicture bounds a picture that is uploaded, in bytes.
const LargestPicture = 8 << 20

// largestPictureSide bounds its size, in pixels a side.
const largestPictureSide = 12000

// ErrPicture is in the chain when an uploaded picture is not a JPEG, PNG or
// WebP file, is too large, or cannot be decoded.
var ErrPicture = errors.New("ingest: not a picture that can be used")

// PutPicture checks an uploaded picture, makes a JPEG file of at most 1920x1080
// of it, stores that and returns its key, for Extras.Poster. What was uploaded
// is not kept: neither its size nor what may hide in it reaches a viewer.
// ErrPicture. A picture that no asset names goes with the next Sweep.
func (g *Ingester) PutPicture(ctx context.Context, r io.Reader) (storage.Key, error) {
	dir, err := os.MkdirTemp(g.cfg.Scratch, "picture-")
	if err != nil {
		return "", fmt.Errorf("put picture: %w", err)
	}
	defer os.RemoveAll(dir)
	lock, err := lockDir(dir)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	file, err := unnamed(dir)
	if err != nil {
		return "", fmt.Errorf("put picture: %w", err)
	}
	defer file.Close()
	size, err := io.Copy(file, io.LimitReader(&contextReader{ctx, r}, LargestPicture+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("put picture: %w", err)
	case size > LargestPicture:
		return "", fmt.Errorf("%w: over %d bytes", ErrPicture, LargestPicture)
	}
	if err := g.checkPicture(ctx, file); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "poster.jpg")
	args := append([]string{"-nostdin", "-v", "error", "-y"}, readingPicture()...)
	args = append(args, "-i", film, "-frames:v", "1", "-vf",
		fmt.Sprintf("scale=%d:%d:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=lanczos,format=yuvj420p", stillWidth, stillHeight),
		"-map_metadata", "-1", "-q:v", "3", "-f", "image2", "-update", "1", path)
	err = g.run(ctx, child{path: g.cfg.FFmpeg, args: args, files: []*os.File{file}, timeout: g.cfg.ProbeTimeout})
	switch {
	case err != nil && retryable(ctx, err):
		return "", fmt.Errorf("put picture: %w", err)
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrPicture, err)
	}
	return g.putNamed(ctx, storage.Key(sourcePrefix+storage.RandomName()+"/poster.jpg"), path)
}

// pictureFormats are ffmpeg's names of the picture files that are taken.
var pictureFormats = []string{"jpeg_pipe", "png_pipe", "webp_pipe"}

func readingPicture() []string {
	return []string{"-protocol_whitelist", "file,pipe", "-format_whitelist", strings.Join(pictureFormats, ","), "-threads", "1"}
}

// checkPicture looks at a picture's kind and size before it is decoded whole.
func (g *Ingester) checkPicture(ctx context.Context, file *os.File) error {
	var head [16]byte
	if _, err := file.ReadAt(head[:], 0); err != nil || magic(head[:]) != "image" {
		return fmt.Errorf("%w: it does not begin like one", ErrPicture)
	}
	out := capped{limit: 256}
	args := append([]string{"-v", "error"}, readingPicture()...)
	args = append(args, "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "csv=p=0", film)
	err := g.run(ctx, child{path: g.cfg.FFprobe, args: args, files: []*os.File{file}, timeout: g.cfg.ProbeTimeout, stdout: &out})
	if err != nil && retryable(ctx, err) {
		return fmt.Errorf("look at picture: %w", err)
	}
	var width, height int
	if _, scan := fmt.Sscanf(string(out.data), "%d,%d", &width, &height); err != nil || scan != nil {
		return fmt.Errorf("%w: it cannot be read", ErrPicture)
	}
	if width < 16 || height < 16 || width > largestPictureSide || height > largestPictureSide {
		return fmt.Errorf("%w: %d x %d pixels", ErrPicture, width, height)
	}
	return nil
}
