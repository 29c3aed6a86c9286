package ingest

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"reprise/vod"
)

// levelLimits are what a level allows: macroblocks a picture and a second, and kbit/s in the High profile (H.264, table A-1).
var levelLimits = map[string]struct{ picture, second, rate int }{
	"2.1": {792, 19800, 5000}, "3.0": {1620, 40500, 12500}, "3.1": {3600, 108000, 17500}, "3.2": {5120, 216000, 25000},
	"4.0": {8192, 245760, 25000}, "4.1": {8192, 245760, 62500}, "4.2": {8704, 522240, 62500},
}

// TestR155_LevelsHoldTheRungs: every rung at every rate fits its level, and no
// level is above 4.0, or 4.2 at 50 and 60 pictures a second.
func TestR155_LevelsHoldTheRungs(t *testing.T) {
	t.Parallel()
	for _, r := range ladder {
		for _, fps := range []int{25, 30, 50, 60} {
			level := r.levelAt(fps)
			l, ok := levelLimits[level]
			blocks := (r.width + 15) / 16 * ((r.height + 15) / 16)
			if !ok || blocks > l.picture || blocks*fps > l.second || r.rate > l.rate {
				t.Errorf("%s at %d: level %s does not hold %d macroblocks and %d kbit/s", r.name, fps, level, blocks, r.rate)
			}
			if fps <= 30 && level > "4.0" || level > "4.2" {
				t.Errorf("%s at %d: level %s", r.name, fps, level)
			}
		}
	}
}

// TestR175_LongFilmsAreRefused: the verdict knows the limit.
func TestR175_LongFilmsAreRefused(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{MaxDuration: time.Second})
	a := w.ingest(makeFilm(t, filepath.Join(t.TempDir(), "film.mp4"), "-f", "lavfi", "-i", "color=s=64x36:r=25:d=1.5", "-preset", "ultrafast"), AddOptions{})
	if a.State != vod.Failed || !slices.Contains(codes(a.Findings), "too-long") {
		t.Errorf("state %s, findings %v", a.State, codes(a.Findings))
	}
}
