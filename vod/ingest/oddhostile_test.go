package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"reprise/vod"
)

// canary is what a hostile file would like to have: a film on this machine, with
// a word in it that must be seen nowhere, and a server that must not be asked.
type canary struct {
	dir, film string
	address   string
	asked     atomic.Int64
}

const canaryWord = "canary-7d1f0c"

// newCanary makes the film and starts the server.
func newCanary(t *testing.T) *canary {
	t.Helper()
	c := &canary{dir: t.TempDir()}
	c.film = plainFilm(t, c.dir)
	bytesOf(canaryWord+".txt", []byte(canaryWord))(t, c.dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.address = l.Addr().String()
	done := make(chan struct{})
	go func() { // ends with the listener
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.asked.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return c
}

// traced returns a program that runs ffmpeg's name under strace, and the file into which that writes what is opened and connected.
func traced(t *testing.T, dir, name string) (program, log string) {
	t.Helper()
	for _, tool := range []string{"strace", name} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatal(tool + " is missing: .ci/setup test installs it")
		}
	}
	real, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	program, log = filepath.Join(dir, name), filepath.Join(dir, name+".log")
	script := fmt.Sprintf("#!/bin/sh\nexec strace -f -qq -A -s 300 -e trace=open,openat,openat2,creat,connect,sendto,execve,readlink,link,rename,unlink -o %s %s \"$@\"\n", log, real)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return program, log
}

// disguises are files that name others. In each, %[1]s is the path of a film, %[2]s an address of a server.
var disguises = map[string]string{
	"playlist.mp4":      "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:4,\nfile://%[1]s\n#EXTINF:4,\nhttp://%[2]s/a.ts\n#EXT-X-ENDLIST\n",
	"multivariant.ts":   "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://%[2]s/a.m3u8\n",
	"key.m3u8":          "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXT-X-KEY:METHOD=AES-128,URI=\"http://%[2]s/key\"\n#EXTINF:4,\nconcat:%[1]s|%[1]s\n#EXT-X-ENDLIST\n",
	"script.mov":        "ffconcat version 1.0\nfile '%[1]s'\nfile 'http://%[2]s/x'\n",
	"script.mkv":        "file %[1]s\nfile subfile,,start,0,end,0,,:%[1]s\n",
	"session.mp4":       "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
	"manifest.mp4":      "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" mediaPresentationDuration=\"PT4S\"><Period><AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\" bandwidth=\"1\"><BaseURL>http://%[2]s/</BaseURL><SegmentList><SegmentURL media=\"file://%[1]s\"/></SegmentList></Representation></AdaptationSet></Period></MPD>",
	"list.mp4":          "<?xml version=\"1.0\"?><playlist version=\"1\" xmlns=\"http://xspf.org/ns/0/\"><trackList><track><location>file://%[1]s</location></track><track><location>http://%[2]s/</location></track></trackList></playlist>",
	"show.mp4":          "<smil><body><video src=\"http://%[2]s/a.mp4\"/><video src=\"file://%[1]s\"/></body></smil>",
	"shortcut.mp4":      "[InternetShortcut]\r\nURL=http://%[2]s/\r\n",
	"asx.wmv":           "<asx version=\"3.0\"><entry><ref href=\"http://%[2]s/\"/></entry></asx>",
	"picture.mp4":       "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\"><image xlink:href=\"file://%[1]s\"/></svg>",
	"composition.mxf":   "<?xml version=\"1.0\"?><CompositionPlaylist xmlns=\"http://www.smpte-ra.org/schemas/2067-3/2016\"><Id>urn:uuid:x</Id></CompositionPlaylist>",
	"protocol.mp4":      "concat:%[1]s|http://%[2]s/x",
	"data.mp4":          "data:video/mp4;base64,AAAAIGZ0eXBpc29tAAACAGlzb21pc28yYXZjMW1wNDE=",
	"captions.mp4":      "[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\nStyle: D,%[1]s,20\n[Fonts]\nfontname: http://%[2]s/f.ttf\n[Events]\nDialogue: 0,0:00:00.00,0:00:04.00,D,,0,0,0,,x\n",
	"disguised.h264":    "\x00\x00\x00\x01#EXTM3U\n#EXTINF:4,\nfile://%[1]s\n",
	"id3.mp3":           "ID3\x03\x00\x00\x00\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00#EXTM3U\n#EXTINF:4,\nfile://%[1]s\n",
	"vobsub.mp4":        "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 000000000\n%[1]s\n",
	"image-pattern.mp4": "%%d.png\n%[1]s\n",
}

// references are films whose tracks say that their media is in another file.
func references(c *canary) map[string]maker {
	refer := func(kind string, body []byte) maker {
		return surgery(plainFilm, func(moov *atom) {
			for _, trak := range moov.tracks() {
				entry := append(be32(uint32(len(body)+8)), append([]byte(kind), body...)...)
				trak.child("mdia", "minf", "dinf").put("dref", append(be32(0, 1), entry...))
			}
		})
	}
	url := func(address string) []byte { return append(be32(0), append([]byte(address), 0)...) }
	return map[string]maker{
		"url file://":  refer("url ", url("file://"+c.film)),
		"url http://":  refer("url ", url("http://"+c.address+"/film.mp4")),
		"alis":         refer("alis", aliasTo(c.film)),
		"urn":          refer("urn ", url("urn:x\x00"+c.film)),
		"rmra":         change(plainFilm, func(b []byte) []byte { return redirect("file://" + c.film) }),
		"rmra to http": change(plainFilm, func(b []byte) []byte { return redirect("http://" + c.address + "/film.mp4") }),
	}
}

// aliasTo is a Macintosh alias record with an absolute path, as ffmpeg's mov demuxer reads one when it is allowed to.
func aliasTo(path string) []byte {
	body := be32(0)
	record := make([]byte, 150)
	binary.BigEndian.PutUint16(record[4:], 150)
	copy(record[10:], append([]byte{1}, 'x'))
	copy(record[50:], append([]byte{8}, "film.mp4"...))
	for _, kind := range []uint16{2, 18} { // path of Mac OS 9, and of POSIX
		record = binary.BigEndian.AppendUint16(record, kind)
		record = binary.BigEndian.AppendUint16(record, uint16(len(path)))
		record = append(record, path...)
		if len(path)%2 == 1 {
			record = append(record, 0)
		}
	}
	return append(body, append(record, 0xff, 0xff, 0, 0)...)
}

// redirect is a QuickTime reference movie.
func redirect(address string) []byte {
	data := append(be32(0), "url "...)
	data = append(append(data, be32(uint32(len(address)+1))...), append([]byte(address), 0)...)
	box := func(kind string, body []byte) *atom { return &atom{kind: kind, body: body} }
	rdrf := box("rdrf", data)
	rmda := &atom{kind: "rmda", children: []*atom{rdrf}}
	moov := &atom{kind: "moov", children: []*atom{{kind: "rmra", children: []*atom{rmda}}}}
	file := &atom{children: []*atom{box("ftyp", []byte("qt  \x00\x00\x00\x00qt  ")), moov}}
	return file.bytes()
}

// TestHostileFilesReachNothing: no file that names others makes ffmpeg open one of them, or ask a server.
func TestHostileFilesReachNothing(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	files := references(c)
	for name, text := range disguises {
		files[name] = bytesOf(name, []byte(strings.NewReplacer("%[1]s", c.film, "%[2]s", c.address, "%%", "%").Replace(text)))
	}
	files["Matroska with linked segments"] = linkedMatroska
	files["captions with a font of their own"] = withText("film.mkv", "ass")
	dir := t.TempDir()
	ffmpeg, said := traced(t, dir, "ffmpeg")
	ffprobe, saidToo := traced(t, dir, "ffprobe")
	w := setupIn(t, t.TempDir(), Config{Threads: 1, FFmpeg: ffmpeg, FFprobe: ffprobe})
	for name, make := range files {
		path := make(t, t.TempDir())
		a := w.ingest(path, AddOptions{})
		if _, text := disguises[name]; text && a.State != vod.Failed {
			t.Errorf("%s is %s, findings %v", name, a.State, codes(a.Findings))
		}
		if text, _, _ := strings.Cut(name, " "); text == "rmra" && a.State != vod.Failed {
			t.Errorf("%s is %s", name, a.State)
		}
		t.Logf("%s: %s %v", name, a.State, codes(a.Findings))
	}
	if n := c.asked.Load(); n > 0 {
		t.Errorf("the server was asked %d times", n)
	}
	c.check(t, said, saidToo)
	for _, object := range w.objects() {
		if data, err := os.ReadFile(w.file(object)); err != nil || bytes.Contains(data, []byte(canaryWord)) && !strings.HasPrefix(object, sourcePrefix) {
			t.Errorf("object %s: %v", object, err)
		}
	}
}

// check reads what strace wrote: the folder of the canary was not opened, nothing was asked of a network.
func (c *canary) check(t *testing.T, logs ...string) {
	t.Helper()
	opened := 0
	for _, log := range logs {
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			opened++
			if strings.Contains(line, "execve(") {
				continue // the program's own arguments
			}
			if strings.Contains(line, c.dir) || strings.Contains(line, canaryWord) || strings.Contains(line, "AF_INET") || strings.Contains(line, "/etc/passwd") || strings.Contains(line, "resolv.conf") {
				t.Errorf("ffmpeg tried %s", line)
			}
		}
	}
	if opened < 1000 {
		t.Errorf("strace saw only %d calls: the test sees too little", opened)
	}
}

// linkedMatroska says that its next segment is in another file, and names it.
func linkedMatroska(t *testing.T, dir string) string {
	data, err := os.ReadFile(plainPattern.encode("film.mkv")(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	// Info (15 49 A9 66) gets NextUID (3E B9 23) and NextFilename (3E 83 BB) in the place of ffmpeg's own name.
	at := bytes.Index(data, []byte("\x4d\x80"))
	if at < 0 {
		t.Fatal("no muxer's name in the Matroska file")
	}
	size := int(data[at+2] & 0x7f)
	field := append([]byte{0x3e, 0x83, 0xbb, 0x80 | byte(size-1)}, bytes.Repeat([]byte("f"), size-1)...)
	copy(data[at:at+3+size], field)
	return bytesOf("linked.mkv", data)(t, dir)
}

// TestFFmpegIsOffTheNetwork: where the system allows it, even a ffmpeg that wants to cannot.
func TestFFmpegIsOffTheNetwork(t *testing.T) {
	t.Parallel()
	if _, ok := tryConfinement(); !ok {
		t.Log("this system makes no network namespaces: ffmpeg's options alone keep it off the network")
		return
	}
	c := newCanary(t)
	w := setup(t)
	err := w.run(t.Context(), child{path: w.cfg.FFmpeg, args: []string{"-nostdin", "-v", "error", "-i", "http://" + c.address + "/film.mp4", "-f", "null", "-"}, timeout: time.Minute})
	if err == nil || c.asked.Load() > 0 {
		t.Errorf("ffmpeg reached the server: %d times, %v", c.asked.Load(), err)
	}
}

// TestChildrenAreKilledAsAGroup: a child that runs out of time takes its own children with it.
func TestChildrenAreKilledAsAGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fake := filepath.Join(dir, "ffprobe")
	script := "#!/bin/sh\nsleep 600 &\necho $! > " + filepath.Join(dir, "pid") + "\nwait\n"
	if err := os.WriteFile(fake, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	w := setupIn(t, t.TempDir(), Config{FFprobe: fake, ProbeTimeout: 2 * time.Second})
	if a := w.ingest(plainFilm(t, t.TempDir()), AddOptions{}); a.State != vod.Failed {
		t.Errorf("state is %s", a.State)
	}
	data, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	status := filepath.Join("/proc", strings.TrimSpace(string(data)), "status")
	for deadline := time.Now().Add(20 * time.Second); ; {
		state, err := os.ReadFile(status)
		if err != nil || bytes.Contains(state, []byte("State:\tZ")) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the child's child lives on: %s", state)
		}
	}
}

// TestMemoryIsLimited: a picture that takes more than a child may have is a refusal, not a dead machine.
func TestMemoryIsLimited(t *testing.T) {
	t.Parallel()
	w := setupIn(t, t.TempDir(), Config{Threads: 1, MemoryLimit: 400 << 20})
	film := makeFilm(t, filepath.Join(t.TempDir(), "film.mkv"), "-f", "lavfi", "-i", "color=s=8192x8192:r=25:d=0.08", "-c:v", "ffv1", "-pix_fmt", "yuv444p16le")
	if a := w.ingest(film, AddOptions{}); a.State != vod.Failed {
		t.Errorf("state is %s, findings %v", a.State, codes(a.Findings))
	}
}
