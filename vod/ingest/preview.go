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
	"reprise/vod"
	"reprise/vod/cmaf"
)

// What a browser is asked to play as it is.
const (
	previewSide = 2048     // pixels, the longer side
	previewRate = 20000000 // bits a second
	previewFPS  = 61
)

// Preview makes Source.Preview of an asset, if that takes no encoding of
// pictures: the source itself, or a copy of it in an MP4 file, with its sound
// made AAC where it is not. What would take more is left as it is; so is a
// source in a store that lends no file and that no browser plays: Process, which
// copies it anyway, makes the preview then. It can be called again at any time.
func (g *Ingester) Preview(ctx context.Context, id vod.AssetID) error {
	a, err := g.library.Asset(ctx, id)
	if err != nil {
		return fmt.Errorf("preview %s: %w", id, err)
	}
	if a.Source.Preview != "" {
		return nil
	}
	if err := g.previewOf(ctx, a); err != nil {
		return fmt.Errorf("preview %s: %w", id, err)
	}
	return nil
}

func (g *Ingester) previewOf(ctx context.Context, a vod.Asset) error {
	object, err := g.store.Open(ctx, storage.Key(a.Source.Object))
	if err != nil {
		return err
	}
	plays := playsAsItIs(object, object.Size())
	if err := object.Close(); err != nil {
		return err
	}
	if plays {
		return g.setPreview(ctx, a, a.Source.Object)
	}
	if _, ok := g.store.(storage.Filer); !ok {
		return nil
	}
	dir, err := os.MkdirTemp(g.cfg.Scratch, "preview-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	in, err := g.openSource(ctx, a.Source, dir, func(float64) {})
	if err != nil {
		return err
	}
	defer in.Close()
	p := &Probe{Size: in.Size()}
	if err := g.probeStreams(ctx, in, p); err != nil {
		return err
	}
	return g.remux(ctx, in, a, p, dir)
}

// preview makes the preview while an asset is processed, if nobody did.
func (w *work) preview(ctx context.Context, in *input) error {
	if w.asset.Source.Preview != "" {
		return nil
	}
	var err error
	if playsAsItIs(in, in.Size()) {
		err = w.g.setPreview(ctx, w.asset, w.asset.Source.Object)
	} else {
		err = w.g.remux(ctx, in, w.asset, w.probe, w.run.dir)
	}
	if err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	if w.asset, err = w.mine(ctx, func(*vod.Asset) {}); err != nil {
		return err
	}
	return nil
}

// setPreview notes a preview, unless the source is another one by now or has one; then the object that was made for it goes.
func (g *Ingester) setPreview(ctx context.Context, a vod.Asset, key string) error {
	taken := false
	now := g.now().UTC()
	_, err := g.library.UpdateAsset(ctx, a.ID, func(b *vod.Asset) error {
		if taken = b.Source.ID == a.Source.ID && b.Source.Preview == ""; taken {
			b.Source.Preview, b.Updated = key, now
		}
		return nil
	})
	if err != nil && !errors.Is(err, vod.ErrNotFound) {
		return err
	}
	if !taken && key != a.Source.Object {
		return g.store.Delete(ctx, storage.Key(key))
	}
	return nil
}

// playsAsItIs tells whether browsers play a file without any change. It reads
// the index of an MP4 or QuickTime file and nothing else, wherever the file lies.
func playsAsItIs(r io.ReaderAt, size int64) bool {
	m, err := cmaf.Inspect(r, size)
	if err != nil || len(m.Faults) > 0 || m.Hybrid {
		return false
	}
	pictures, sounds := 0, 0
	for _, t := range m.Tracks {
		switch {
		case t.Encrypted:
			return false
		case t.Kind == cmaf.Video && !t.AttachedPicture:
			if pictures++; !picturePlays(t) {
				return false
			}
		case t.Kind == cmaf.Audio:
			if sounds++; !strings.HasPrefix(t.Codec, "mp4a.40.") || t.Codec == "mp4a.40.42" {
				return false
			}
		}
	}
	return pictures == 1 || pictures == 0 && sounds > 0
}

// picturePlays tells whether browsers decode a track: H.264, 8 bits, 4:2:0, of a size and rate that a laptop can take.
func picturePlays(t *cmaf.Track) bool {
	seconds := t.Duration().Seconds()
	return t.FourCC == "avc1" && profilePlays(t.Codec) && !t.MaybeInterlaced && !t.DolbyVision && !t.Colour.HDR() &&
		max(t.Width, t.Height) <= previewSide && t.FrameRate() <= previewFPS && t.Entries == 1 &&
		seconds > 0 && float64(t.Bytes)*8/seconds <= previewRate
}

// profilePlays tells whether an avc1.PPCCLL is Baseline, Main or High: 8 bits, 4:2:0.
func profilePlays(codec string) bool {
	digits, ok := strings.CutPrefix(codec, "avc1.")
	if !ok || len(digits) != 6 {
		return false
	}
	switch strings.ToLower(digits[:2]) {
	case "42", "4d", "64":
		return true
	}
	return false
}

// remux makes an MP4 file of a source whose pictures browsers decode, without
// encoding them again, and makes it the preview. One that does not work out is left out.
func (g *Ingester) remux(ctx context.Context, in *input, a vod.Asset, p *Probe, dir string) error {
	args := remuxArgs(p)
	if args == nil || g.need(dir, p.Size) != nil {
		return nil
	}
	path := filepath.Join(dir, "preview.mp4")
	all := append([]string{"-nostdin", "-v", "error", "-y"}, reading(g.cfg.Threads)...)
	all = append(append(append(all, "-i", film), args...), "-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4", path)
	err := g.run(ctx, child{path: g.cfg.FFmpeg, args: all, files: []*os.File{in.file}, timeout: g.probeTime(in) + p.end()/4})
	if err != nil && retryable(ctx, err) {
		return fmt.Errorf("copy for preview: %w", err)
	}
	if err != nil || !filePlays(path) {
		g.log.Info("no preview without encoding", "asset_id", a.ID, "error", err)
		return nil
	}
	key := storage.Key(sourcePrefix + storage.RandomName() + "/preview.mp4")
	if err := g.giveFile(ctx, key, path); err != nil {
		return fmt.Errorf("store preview: %w", err)
	}
	return g.setPreview(ctx, a, string(key))
}

func filePlays(path string) bool {
	in, err := openCopy(path)
	if err != nil {
		return false
	}
	return playsAsItIs(in, in.Size()) && in.Close() == nil
}

// remuxArgs are ffmpeg's options between input and output; nil: no preview can be had so.
func remuxArgs(p *Probe) []string {
	args := []string{}
	if len(p.Video) > 0 {
		v := &p.Video[0]
		seconds := max(p.Declared, v.End).Seconds()
		switch {
		case v.Codec != "h264" || v.PixelFormat != "yuv420p" && v.PixelFormat != "yuvj420p" || v.HDR || v.Interlaced:
			return nil
		case max(v.Width, v.Height) > previewSide || v.Rate.Float() > previewFPS:
			return nil
		case seconds > 0 && float64(p.Size)*8/seconds > previewRate*1.2:
			return nil
		case timeless(p.Format):
			return nil
		}
		args = append(args, "-map", fmt.Sprintf("0:%d", v.Index), "-c:v", "copy")
	}
	if len(p.Audio) == 0 && len(p.Video) == 0 {
		return nil
	}
	if len(p.Audio) > 0 {
		s := &p.Audio[0]
		if s.Codec == "" {
			return nil
		}
		args = append(args, "-map", fmt.Sprintf("0:%d", s.Index))
		if s.Codec == "aac" && s.SampleRate >= 8000 && s.SampleRate <= 48000 {
			args = append(args, "-c:a", "copy")
		} else {
			args = append(args, "-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2")
		}
	}
	return args
}

// timeless tells whether a container has no presentation times: copied, its pictures would be out of order.
func timeless(format string) bool {
	for _, name := range []string{"avi", "h264", "m4v", "mpegvideo"} {
		if strings.HasPrefix(format, name) {
			return true
		}
	}
	return false
}
