package ingest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"reprise/vod"
)

// checkMedia checks what holds of every finished recording: all renditions have
// the same segments, whole objects, and decode without a message to exactly the same length.
func (w *world) checkMedia(m vod.Media) {
	w.t.Helper()
	g := gridOf(25)
	if m.Nominal != g.nominal {
		g = gridOf(30)
	}
	if m.Duration()%g.unit != 0 || m.Count < 1 || m.Last <= 0 {
		w.t.Errorf("length %d, %d segments, last %d are not on the grid", m.Duration(), m.Count, m.Last)
	}
	if m.Renditions[0].Kind != vod.Video || m.Rendition("v234") == nil {
		w.t.Errorf("no v234, or no picture first")
	}
	for i := range m.Renditions {
		r := &m.Renditions[i]
		if len(r.Segments) != m.Count {
			w.t.Errorf("R139 %s has %d segments, not %d", r.Name, len(r.Segments), m.Count)
			continue
		}
		info, err := os.Stat(w.file(r.Object))
		if err != nil {
			w.t.Fatal(err)
		}
		last := r.Segments[len(r.Segments)-1]
		if r.Segments[0].Offset != r.InitSize || last.Offset+last.Size != info.Size() {
			w.t.Errorf("%s: segments from %d to %d in an object of %d with an init of %d", r.Name, r.Segments[0].Offset, last.Offset+last.Size, info.Size(), r.InitSize)
		}
		if r.Kind != vod.Subtitles {
			w.decode(m, r)
		}
	}
}

// decode decodes a rendition (R162: without a message) and compares its length.
func (w *world) decode(m vod.Media, r *vod.Rendition) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-progress", "pipe:1", "-i", w.file(r.Object), "-f", "null", "-")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || said.Len() > 0 {
		w.t.Errorf("R162 %s does not decode cleanly: %v %s", r.Name, err, said.String())
	}
	if r.Kind != vod.Video {
		return
	}
	frames := 0
	for line := range strings.Lines(string(out)) {
		if _, err := fmt.Sscanf(line, "frame=%d", &frames); err == nil {
			continue
		}
	}
	if want := int(m.Duration() / r.Frame); frames != want && !r.Copied {
		w.t.Errorf("R135 %s has %d frames, want %d", r.Name, frames, want)
	}
	if want := rungNamed(r.Name); r.Width != want.width || r.Height != want.height {
		w.t.Errorf("%s is %dx%d", r.Name, r.Width, r.Height)
	}
}

// probeValue asks ffprobe for one entry.
func probeValue(w *world, path, stream, entry string) string {
	w.t.Helper()
	out, err := exec.CommandContext(w.t.Context(), "ffprobe", "-v", "error", "-select_streams", stream, "-show_entries", entry, "-of", "csv=p=0", path).Output()
	if err != nil {
		w.t.Fatalf("ffprobe %s: %v", filepath.Base(path), err)
	}
	return strings.TrimSpace(string(out))
}
