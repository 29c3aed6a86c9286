package ingest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"reprise/stream/timeline"
	"reprise/vod"
)

// The waveform is drawn from the finished sound at a low rate, in two bytes a sample.
const (
	waveRate  = 8000
	waveChain = "aformat=channel_layouts=mono,aresample=8000,aformat=sample_fmts=s16"
	waveMost  = 20000 // values; an hour has one each 0.2 s
)

// waveStep is the unit of the distance between two values.
const waveStep = 100 * time.Millisecond

// wave takes the highest peaks out of a sound that is written to it.
type wave struct {
	every int // samples a value
	n     int // samples of the current value
	peak  int
	low   byte // first half of a sample that was cut in two
	half  bool
	peaks []uint8
}

func newWave(length timeline.Ticks) *wave {
	steps := 1 + int(length.Duration()/waveStep)/waveMost
	return &wave{every: steps * int(waveStep) / int(time.Second/waveRate)}
}

func (w *wave) Write(p []byte) (int, error) {
	for _, b := range p {
		if !w.half {
			w.low, w.half = b, true
			continue
		}
		w.half = false
		sample := int(int16(uint16(w.low) | uint16(b)<<8))
		w.peak = max(w.peak, sample, -sample)
		if w.n++; w.n == w.every {
			w.flush()
		}
	}
	return len(p), nil
}

func (w *wave) flush() {
	w.peaks = append(w.peaks, uint8(min(w.peak>>7, 255)))
	w.peak, w.n = 0, 0
}

func waveFile(dir string) string { return filepath.Join(dir, "waveform.json") }

// save writes the waveform into a run's folder. One that has no sound is left out.
func (w *wave) save(dir string) error {
	if w.n > 0 {
		w.flush()
	}
	if len(w.peaks) == 0 {
		return nil
	}
	data, err := json.Marshal(vod.Waveform{Step: float64(w.every) / waveRate, Peaks: w.peaks})
	if err == nil {
		err = os.WriteFile(waveFile(dir), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write waveform: %w", err)
	}
	return nil
}
