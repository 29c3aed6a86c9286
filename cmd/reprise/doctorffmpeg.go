package main

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"reprise/configs"
)

// neededParts are the parts of ffmpeg that ingest and the demo use, by the option that lists them.
func neededParts() []struct {
	list  string
	names []string
} {
	return []struct {
		list  string
		names []string
	}{
		{"-encoders", []string{"libx264", "aac", "mjpeg"}},
		{"-decoders", []string{"h264", "hevc", "vp9", "av1", "prores", "mpeg2video", "aac", "opus", "mp3"}},
		{"-filters", []string{"scale", "pad", "fps", "loudnorm", "ebur128", "aresample", "drawtext", "split", "tile", "tpad", "apad"}},
		{"-muxers", []string{"mp4"}},
		{"-demuxers", []string{"mov", "matroska", "mpegts"}},
	}
}

// checkFFmpeg runs ffmpeg and ffprobe and looks for every part that is needed.
func checkFFmpeg(ctx context.Context, cfg configs.Config, _ program) []diagnosis {
	const install = "apt install ffmpeg, or set ingest.ffmpeg and ingest.ffprobe"
	var found []diagnosis
	for _, name := range []string{cfg.Ingest.FFmpeg, cfg.Ingest.FFprobe} {
		path, err := exec.LookPath(name)
		if err != nil {
			found = append(found, diagnosis{"ffmpeg", broken, name + " is missing", install})
			continue
		}
		out, err := output(ctx, path, "-hide_banner", "-version")
		if err != nil {
			found = append(found, diagnosis{"ffmpeg", broken, fmt.Sprintf("%s does not run: %s", path, err), install})
			continue
		}
		line, _, _ := strings.Cut(out, "\n")
		version := regexp.MustCompile(`version \D*(\d+)\.(\d+)`).FindStringSubmatch(line)
		d := diagnosis{Check: "ffmpeg", Health: healthy, Found: path + ": " + strings.TrimSpace(strings.Split(line, "Copyright")[0])}
		if version != nil {
			if major, _ := strconv.Atoi(version[1]); major < 5 {
				d.Health, d.Advice = unwell, "Reprise is tested with ffmpeg 5.1 and later"
			}
		}
		found = append(found, d)
	}
	path, err := exec.LookPath(cfg.Ingest.FFmpeg)
	if err != nil {
		return found
	}
	var missing []string
	for _, part := range neededParts() {
		out, err := output(ctx, path, "-hide_banner", part.list)
		if err != nil {
			missing = append(missing, part.list)
			continue
		}
		has := listed(out)
		for _, name := range part.names {
			if !has[name] {
				missing = append(missing, strings.TrimSuffix(strings.TrimPrefix(part.list, "-"), "s")+" "+name)
			}
		}
	}
	if len(missing) > 0 {
		return append(found, diagnosis{"ffmpeg", broken, "lacks " + strings.Join(missing, ", "), "use Debian's ffmpeg, which has them all"})
	}
	return append(found, diagnosis{Check: "ffmpeg", Health: healthy, Found: "has every encoder, decoder and filter that is needed"})
}

// listed reads the names out of ffmpeg's tables: the second word of each line.
func listed(table string) map[string]bool {
	has := map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(table))
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) >= 2 {
			for name := range strings.SplitSeq(words[1], ",") {
				has[name] = true
			}
		}
	}
	return has
}

// checkFonts looks for a font for slates.
func checkFonts(ctx context.Context, _ configs.Config, _ program) []diagnosis {
	if path, ok := findFont(ctx, "DejaVu Sans"); ok {
		return []diagnosis{{Check: "fonts", Health: healthy, Found: path}}
	}
	return []diagnosis{{"fonts", broken, "no DejaVu Sans: slates have no words", "apt install fonts-dejavu-core"}}
}

// output runs a program with no input and at most ten seconds, and returns its standard output.
func output(ctx context.Context, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).Output()
	return string(out), err
}
