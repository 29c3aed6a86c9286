package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"reprise/event"
)

// speechRate is what espeak-ng makes: 16-bit mono samples a second.
const speechRate = 22050

// Pauses of a spoken talk.
const (
	pauseBefore  = 800 * time.Millisecond  // a slide's first word
	pauseBetween = 500 * time.Millisecond  // two sentences
	pauseAfter   = 1200 * time.Millisecond // a slide's last word
)

// speak returns the samples of one sentence.
func speak(ctx context.Context, language event.Language, sentence string) ([]byte, error) {
	voice := map[event.Language]string{"fr": "fr-fr", "en": "en-gb"}[language]
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "espeak-ng", "-v", voice, "-s", "145", "-b", "1", "--stdout", "--stdin")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(sentence, "’", "'"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	wav, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("espeak-ng, which speaks the demo's talks, is missing: apt install espeak-ng")
	}
	if err != nil {
		return nil, fmt.Errorf("speak: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return samples(wav)
}

// samples takes the samples out of a WAV file whose sizes may be unknown, as
// espeak-ng writes it to a pipe.
func samples(wav []byte) ([]byte, error) {
	if len(wav) < 44 || string(wav[:4]) != "RIFF" {
		return nil, errors.New("speak: espeak-ng gave no WAV file")
	}
	if rate := binary.LittleEndian.Uint32(wav[24:]); rate != speechRate {
		return nil, fmt.Errorf("speak: %d samples a second, not %d", rate, speechRate)
	}
	at := bytes.Index(wav, []byte("data"))
	if at < 0 || at+8 > len(wav) {
		return nil, errors.New("speak: the WAV file has no samples")
	}
	pcm := wav[at+8:]
	return pcm[:len(pcm)&^1], nil
}

// cue is one sentence on the talk's own clock.
type cue struct {
	start, end time.Duration
	text       event.Text
}

// voiceTrack is a talk as it is spoken: sound per language, and when what is shown.
type voiceTrack struct {
	pcm    map[event.Language][]byte
	slides []time.Duration // start of each slide
	cues   map[event.Language][]cue
	length time.Duration
}

// recite speaks all slides in the given languages, which share the picture:
// each slide lasts as long as the longest of them. Cues of a language that is
// not spoken take the times of the first that is.
func recite(ctx context.Context, slides []demoSlide, spoken []event.Language) (voiceTrack, error) {
	v := voiceTrack{pcm: map[event.Language][]byte{}, cues: map[event.Language][]cue{}}
	for _, slide := range slides {
		v.slides = append(v.slides, v.length)
		longest := v.length
		for _, language := range spoken {
			at := v.length + pauseBefore
			for i, sentence := range slide.spoken {
				pcm, err := speak(ctx, language, sentence[language])
				if err != nil {
					return voiceTrack{}, err
				}
				if i > 0 {
					at += pauseBetween
				}
				v.pcm[language] = place(v.pcm[language], at, pcm)
				end := at + pcmLength(pcm)
				v.cues[language] = append(v.cues[language], cue{start: at, end: end, text: sentence})
				at = end
			}
			longest = max(longest, at+pauseAfter)
		}
		// Whole frames of 40 ms, so that slides change on a frame.
		v.length = (longest + 39*time.Millisecond) / (40 * time.Millisecond) * (40 * time.Millisecond)
	}
	for _, language := range []event.Language{"fr", "en"} {
		if v.cues[language] == nil {
			v.cues[language] = v.cues[spoken[0]]
		}
	}
	for language := range v.pcm {
		v.pcm[language] = place(v.pcm[language], v.length, nil)
	}
	return v, nil
}

// place appends sound at an instant, with silence before it.
func place(track []byte, at time.Duration, pcm []byte) []byte {
	if gap := int(at*speechRate/time.Second)*2 - len(track); gap > 0 {
		track = append(track, make([]byte, gap)...)
	}
	return append(track, pcm...)
}

func pcmLength(pcm []byte) time.Duration {
	return time.Duration(len(pcm)/2) * time.Second / speechRate
}

// writeWAV writes samples as a WAV file.
func writeWAV(path string, pcm []byte) error {
	head := make([]byte, 44)
	copy(head, "RIFF\x00\x00\x00\x00WAVEfmt ")
	binary.LittleEndian.PutUint32(head[4:], uint32(36+len(pcm)))
	binary.LittleEndian.PutUint32(head[16:], 16)
	binary.LittleEndian.PutUint16(head[20:], 1) // PCM
	binary.LittleEndian.PutUint16(head[22:], 1) // channel
	binary.LittleEndian.PutUint32(head[24:], speechRate)
	binary.LittleEndian.PutUint32(head[28:], speechRate*2)
	binary.LittleEndian.PutUint16(head[32:], 2)
	binary.LittleEndian.PutUint16(head[34:], 16)
	copy(head[36:], "data")
	binary.LittleEndian.PutUint32(head[40:], uint32(len(pcm)))
	return os.WriteFile(path, append(head, pcm...), 0o600)
}

// writeCaptions writes DIR/NAME.fr.vtt and DIR/NAME.en.vtt and returns their paths.
func writeCaptions(dir, name string, v voiceTrack) (map[event.Language]string, error) {
	paths := map[event.Language]string{}
	for language, cues := range v.cues {
		var b strings.Builder
		b.WriteString("WEBVTT\n")
		for _, c := range cues {
			fmt.Fprintf(&b, "\n%s --> %s\n%s\n", vttTime(c.start), vttTime(c.end), wrapCaption(c.text[language]))
		}
		path := filepath.Join(dir, name+"."+string(language)+".vtt")
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			return nil, fmt.Errorf("write captions: %w", err)
		}
		paths[language] = path
	}
	return paths, nil
}

func vttTime(d time.Duration) string {
	d = d.Round(time.Millisecond)
	return fmt.Sprintf("%02d:%02d:%02d.%03d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60, d.Milliseconds()%1000)
}

// wrapCaption breaks a sentence into lines of about equal length, 42 signs at most where it can.
func wrapCaption(s string) string {
	words := strings.Fields(s)
	lines := (len([]rune(s)) + 41) / 42
	width := len([]rune(s))/max(lines, 1) + 6
	var b strings.Builder
	column := 0
	for i, w := range words {
		n := len([]rune(w))
		if i > 0 && column+1+n > width {
			b.WriteByte('\n')
			column = 0
		} else if i > 0 {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(w)
		column += n
	}
	return b.String()
}
