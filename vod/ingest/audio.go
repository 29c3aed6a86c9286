package ingest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// sounds stores the sound of each language as an .m4a file of its own, for
// those who only listen. Nothing is encoded: it is the 128k rendition.
func (w *work) sounds(ctx context.Context, in *input) (map[string]string, error) {
	all := map[string]string{}
	for _, s := range w.run.Recipe.Sounds {
		if s.Stream < 0 {
			continue // silence
		}
		if w.givenRendition(audioName(s.Language)) != nil {
			all[s.Language] = w.first.Audio[s.Language]
			continue
		}
		path := outputFile(w.run.dir, audioName(s.Language))
		if s.Copy {
			path = filepath.Join(w.run.dir, "sound-"+s.Language+".m4a")
			if err := w.g.copySound(ctx, in, s, path); err != nil {
				return nil, err
			}
		}
		key, err := w.g.putFile(ctx, w.run.Media, "sound-"+s.Language+".m4a", path)
		if err != nil {
			return nil, err
		}
		if key != "" {
			all[s.Language] = key
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// copySound takes one track of sound out of the source as it is. One that
// cannot be taken out alone is left out: the film has it.
func (g *Ingester) copySound(ctx context.Context, in *input, s soundPlan, path string) error {
	args := append([]string{"-nostdin", "-v", "error", "-y"}, reading(g.cfg.Threads)...)
	args = append(args, "-i", film, "-map", "0:"+strconv.Itoa(s.Stream), "-c", "copy", "-map_metadata", "-1", "-map_chapters", "-1",
		"-metadata:s:a", "language="+s.Language, "-movflags", "+faststart", "-f", "mp4", path)
	err := g.run(ctx, child{path: g.cfg.FFmpeg, args: args, files: []*os.File{in.file}, timeout: g.cfg.EncodeTimeout})
	if err != nil && retryable(ctx, err) {
		return fmt.Errorf("copy sound: %w", err)
	}
	if err != nil {
		g.log.Warn("sound alone left out", "language", s.Language, "error", err)
		_ = os.Remove(path) // what there is of it is not whole
	}
	return nil
}
