package ingest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"reprise/vod"
)

// commandWorld is a world with a caption command, a shell script, and a film of
// 3 s with French sound in it: a beep from 1 s to 1.5 s.
func commandWorld(t *testing.T, script string, cfg Config) (*world, vod.Asset) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "command")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	cfg.CaptionCommand = []string{path, "--in={audio}", "{language}", "{output}", "a b;$HOME"}
	w := setupIn(t, dir, cfg)
	film := makeFilm(t, filepath.Join(dir, "film.fr.mp4"), "-f", "lavfi", "-i", "color=s=320x180:r=25:d=3", "-f", "lavfi", "-i", "aevalsrc='0.3*sin(2*PI*440*t)*between(t,1,1.5)':s=48000:d=3",
		"-preset", "ultrafast", "-c:a", "aac")
	return w, w.ingest(film, AddOptions{})
}

func TestCaptionsByCommand(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "seen")
	w, a := commandWorld(t, `
sound="${1#--in=}"
printf '%s|%s|%s|%s' "$2" "$4" "$SECRET" "$#" > `+out+`
cp "$sound" `+out+`.wav
echo "progress: 0.5"; echo "progress: nonsense"; echo "progress: 7"; echo "progress: 0.25"; echo "Progress: 1.0"
echo "noise on standard error" >&2
printf '1\n00:00:01,000 --> 00:00:02,000\nUn bip\n' > "$3"
`, Config{})
	var percents []float64
	if err := w.GenerateCaptions(t.Context(), a.ID, "fr", func(p float64) { percents = append(percents, p) }); err != nil {
		t.Fatal(err)
	}
	if seen, err := os.ReadFile(out); err != nil || string(seen) != "fr|a b;$HOME||4" {
		t.Errorf("the command saw %q: %v", seen, err)
	}
	if want := []float64{0, 3, 50.5, 98, 98, 100}; !slices.Equal(percents, want) {
		t.Errorf("progress %v, want %v", percents, want)
	}
	checkWAV(t, out+".wav")
	cues, from, err := w.Cues(t.Context(), a.ID, "fr")
	if err != nil || len(cues) != 1 || cues[0].Text != "Un bip" || from.Origin != "command" || from.Format != "srt" {
		t.Errorf("%v, %+v, %v", cues, from, err)
	}
	if left := w.scratch(); len(left) > 0 {
		t.Errorf("left in scratch: %q", left)
	}
}

// scratch lists what lies in the scratch folder.
func (w *world) scratch() (names []string) {
	w.t.Helper()
	entries, err := os.ReadDir(w.cfg.Scratch)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// checkWAV holds that a file is 16 kHz mono with the beep at 1 s, within 5 ms.
func checkWAV(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(data), "data")
	if at < 0 || string(data[8:12]) != "WAVE" || data[22] != 1 || int(data[24])|int(data[25])<<8 != 16000 || data[34] != 16 {
		t.Fatalf("header %x", data[:44])
	}
	samples := data[at+8:]
	if n := len(samples) / 2; n < 2.9*16000 || n > 3.3*16000 {
		t.Errorf("%d samples", n)
	}
	for i := 0; i+1 < len(samples); i += 2 {
		if v := int16(uint16(samples[i]) | uint16(samples[i+1])<<8); v > 2000 || v < -2000 {
			if start := float64(i/2) / 16000; start < 0.995 || start > 1.005 {
				t.Errorf("the beep starts at %.4f s", start)
			}
			return
		}
	}
	t.Error("no beep")
}

func TestCommandsThatFail(t *testing.T) {
	t.Parallel()
	pid := filepath.Join(t.TempDir(), "pid")
	for _, c := range []struct {
		name, script string
		want         error
		words        string
	}{
		{"status", "echo 'no model' >&2; exit 3", nil, "status 3: no model"},
		{"nothing written", "exit 0", ErrCaptions, "no file"},
		{"garbage", `head -c 1000 /dev/urandom > "$3"`, ErrCaptions, ""},
		{"no cue", `echo WEBVTT > "$3"`, ErrCaptions, "captions-empty"},
		{"too large", `head -c 16777217 /dev/zero > "$3"`, ErrCaptionsSize, ""},
		{"a pipe", `mkfifo "$3"`, ErrCaptions, ""},
		{"a device", `ln -s /dev/zero "$3"`, ErrCaptions, ""},
		{"a folder", `mkdir "$3"`, ErrCaptions, ""},
		{"floods its output", `yes | head -c 50000000; exit 1`, nil, "status"},
		{"hangs, with a child", "sleep 600 & echo $! > " + pid + "; wait", ErrTimeout, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			a := w.captionedAsset(nil)
			path := filepath.Join(t.TempDir(), "command")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+c.script), 0o700); err != nil {
				t.Fatal(err)
			}
			w.cfg.CaptionCommand, w.cfg.CaptionTimeout = []string{path, "{audio}", "{language}", "{output}"}, 30*time.Second
			if errors.Is(c.want, ErrTimeout) {
				w.cfg.CaptionTimeout = 500 * time.Millisecond
			}
			dir := t.TempDir()
			output := filepath.Join(dir, "captions.vtt")
			err := w.command(t.Context(), dir, "sound.wav", "fr", output, func(float64) {})
			if err == nil {
				err = w.takeOutput(t.Context(), a, "fr", output)
			}
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("error is %v", err)
			}
			if _, _, err := w.Cues(t.Context(), a.ID, "fr"); !errors.Is(err, ErrNoCaptions) {
				t.Errorf("captions: %v", err)
			}
			if errors.Is(c.want, ErrTimeout) {
				waitGone(t, pid)
			}
		})
	}
}

// waitGone waits until the process whose id is in a file is no more.
func waitGone(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil || strings.Contains(string(stat), ") Z ") { // gone, or waiting for init to notice
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d lives on", pid)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestCommandIsStopped(t *testing.T) {
	t.Parallel()
	pid := filepath.Join(t.TempDir(), "pid")
	w, a := commandWorld(t, "sleep 600 & echo $! > "+pid+"; echo 'progress: 0.1'; wait", Config{})
	ctx, cancel := context.WithCancel(t.Context())
	err := w.GenerateCaptions(ctx, a.ID, "fr", func(p float64) {
		if p > percentSound {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	waitGone(t, pid)
	if left := w.scratch(); len(left) > 0 {
		t.Errorf("left in scratch: %q", left)
	}
	w.cfg.CaptionCommand = nil
	if err := w.GenerateCaptions(t.Context(), a.ID, "fr", nil); !errors.Is(err, ErrNoCommand) {
		t.Errorf("no command: %v", err)
	}
	w.cfg.CaptionCommand = []string{"/nowhere/at/all"}
	if err := w.GenerateCaptions(t.Context(), a.ID, "fr", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing command: %v", err)
	}
	if err := w.GenerateCaptions(t.Context(), a.ID, "en", nil); !errors.Is(err, ErrNoSound) {
		t.Errorf("no such sound: %v", err)
	}
	if err := w.GenerateCaptions(t.Context(), "nobody", "fr", nil); !errors.Is(err, vod.ErrNotFound) {
		t.Errorf("no such asset: %v", err)
	}
}

// TestCommandDoesNotOverwrite: captions that somebody gave while the command worked stay.
func TestCommandDoesNotOverwrite(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a := w.captionedAsset(nil)
	if _, _, err := w.SetCaptions(t.Context(), a.ID, "fr", "x", "", strings.NewReader(srt)); err != nil {
		t.Fatal(err)
	}
	output := write(t, filepath.Join(t.TempDir(), "out.vtt"), "WEBVTT\n\n00:01.000 --> 00:02.000\nmachine\n")
	if err := w.takeOutput(t.Context(), a, "fr", output); err != nil {
		t.Fatal(err)
	}
	if _, from, err := w.Cues(t.Context(), a.ID, "fr"); err != nil || from.Origin != "upload" {
		t.Errorf("%+v: %v", from, err)
	}
	a, err := w.library.Asset(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.takeOutput(t.Context(), a, "fr", output); err != nil {
		t.Fatal(err)
	}
	if _, from, err := w.Cues(t.Context(), a.ID, "fr"); err != nil || from.Origin != "command" {
		t.Errorf("asked for later: %+v: %v", from, err)
	}
}
