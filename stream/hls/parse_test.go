package hls

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

const mediaHead = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n"

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, m := range goldenMedia() {
		got, err := ParseMedia(AppendMedia(nil, m))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(got, m) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, m)
		}
	}
	for name, m := range goldenMultivariant() {
		got, err := ParseMultivariant(AppendMultivariant(nil, m))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(got, m) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, m)
		}
	}
}

// TestRefused gives each parser texts that break the rule named.
func TestRefused(t *testing.T) {
	t.Parallel()
	const segment = "#EXTINF:3.840000,\na.m4s\n"
	for _, c := range []struct {
		rule, text string
		line       int
	}{
		{"R001", "", 1},
		{"R001", "#EXTM3U8\n", 1},
		{"R001", "\n#EXTM3U\n#EXT-X-TARGETDURATION:4\n", 1},
		{"R001", mediaHead + "#EXTM3U\n", 4},
		{"R002", "\ufeff" + mediaHead, 1},
		{"R002", mediaHead + "#EXTINF:1.0,\x01\na\n", 4},
		{"R002", mediaHead + "#EXTINF:1.0,\xff\na\n", 4},
		{"R002", mediaHead + "#EXTINF:1.0,\u0085\na\n", 4},
		{"R002", mediaHead + "#EXTINF:1.0,\ta\na\n", 4},
		{"R003", mediaHead + " a.m4s\n", 4},
		{"R003", mediaHead + "#EXT-X-ENDLIST \n", 4},
		{"R003", mediaHead + "#EXT-X-ENDLIST:YES\n", 4},
		{"R003", mediaHead + "#EXT-X-DISCONTINUITY\n", 4},
		{"R005", "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-VERSION:7\n", 3},
		{"R005", "#EXTM3U\n#EXT-X-VERSION:x\n", 2},
		{"R008", mediaHead + "#EXT-X-STREAM-INF:BANDWIDTH=1\na\n", 4},
		{"R009", mediaHead + "#EXT-X-ENDLIST\n#EXT-X-ENDLIST\n", 5},
		{"R009", mediaHead + "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MEDIA-SEQUENCE:1\n", 5},
		{"R010", mediaHead + "#EXT-X-MAP:URI=\"\"\n" + segment, 4},
		{"R010", mediaHead + "#EXT-X-MAP:URI=\"a\",URI=\"b\"\n" + segment, 4},
		{"R010", mediaHead + "#EXT-X-MAP:URI=a\n" + segment, 4},
		{"R010", mediaHead + "#EXT-X-MAP:uri=\"a\"\n" + segment, 4},
		{"R010", mediaHead + "#EXT-X-MAP:URI=\"a\",\n" + segment, 4},
		{"R010", mediaHead + "#EXT-X-MAP:URI=\"a\n" + segment, 4},
		{"R010", mediaHead + "#EXT-X-MAP:URI=\"a\"b\n" + segment, 4},
		{"R010", mediaHead + "#EXT-X-MAP:URI=\"a\",BYTERANGE=\"5\"\n" + segment, 4},
		{"R010", mediaHead + "#EXTINF:1.0,\n#EXT-X-BYTERANGE:5\na\n", 6},
		{"R010", mediaHead + "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=\"YES\"\n", 4},
		{"R010", mediaHead + "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=yes\n", 4},
		{"R010", mediaHead + "#EXT-X-SERVER-CONTROL:HOLD-BACK=-1\n", 4},
		{"R014", mediaHead + "#EXT-X-START:PRECISE=YES\n", 4},
		{"R060", "#EXTM3U\n", 1},
		{"R060", "#EXTM3U\n#EXT-X-TARGETDURATION:4.5\n", 2},
		{"R060", "#EXTM3U\n#EXT-X-TARGETDURATION:0\n", 2},
		{"R063", mediaHead + "#EXTINF:-1.0,\na\n", 4},
		{"R063", mediaHead + "#EXTINF:1.0\na\n", 4},
		{"R063", mediaHead + "#EXTINF:1e3,\na\n", 4},
		{"R063", mediaHead + "a.m4s\n", 4},
		{"R064", mediaHead + segment + "#EXT-X-MEDIA-SEQUENCE:1\n", 6},
		{"R064", mediaHead + "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n" + segment, 5},
		{"R065", mediaHead + "#EXT-X-MAP:BYTERANGE=\"5@0\"\n" + segment, 4},
		{"R067", mediaHead + "#EXT-X-PROGRAM-DATE-TIME:2026-11-23T14:00:00\n" + segment, 4},
		{"R071", mediaHead + "#EXT-X-DATERANGE:CLASS=\"a\"\n", 4},
		{"R071", mediaHead + "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"yesterday\"\n", 4},
		{"R079", mediaHead + "#EXT-X-PLAYLIST-TYPE:LIVE\n", 4},
		{"R103", mediaHead + "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY\n" + segment, 5},
		{"R190", mediaHead + "#EXT-X-SKIP:SKIPPED-SEGMENTS=0\n", 4},
	} {
		_, err := ParseMedia([]byte(c.text))
		check(t, c.text, err, c.rule, c.line)
	}
	for _, c := range []struct {
		rule, text string
		line       int
	}{
		{"R001", "#EXT-X-VERSION:7\n", 1},
		{"R008", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n", 2},
		{"R009", "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-INDEPENDENT-SEGMENTS\n", 3},
		{"R010", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CLOSED-CAPTIONS=YES\na\n", 2},
		{"R020", "#EXTM3U\n#EXT-X-STREAM-INF:CODECS=\"a\"\na\n", 2},
		{"R020", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", 2},
		{"R020", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-VERSION:7\na\n", 3},
		{"R020", "#EXTM3U\na.m3u8\n", 2},
		{"R025", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1280\na\n", 2},
		{"R026", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,FRAME-RATE=25\na\n", 2},
		{"R030", "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"a\"\n", 2},
		{"R030", "#EXTM3U\n#EXT-X-MEDIA:TYPE=SOUND,GROUP-ID=\"a\",NAME=\"a\"\n", 2},
		{"R042", "#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1\n", 2},
	} {
		_, err := ParseMultivariant([]byte(c.text))
		check(t, c.text, err, c.rule, c.line)
	}
}

func check(t *testing.T, text string, err error, rule string, line int) {
	t.Helper()
	var parse *ParseError
	if !errors.As(err, &parse) || !errors.Is(err, ErrSyntax) {
		t.Errorf("%s: %q is accepted (%v)", rule, text, err)
		return
	}
	if parse.Rule != rule || parse.Line != line {
		t.Errorf("%q: %v, want %s in line %d", text, err, rule, line)
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(mediaHead, "\n", "\r\n") + "# a comment\r\n\r\n#EXT-X-PROGRAM-DATE-TIME:2026-11-24T00:30:00.5+01:00\r\n" +
		"#EXTINF:4,a title, with a comma\r\n#EXT-X-BYTERANGE:10@5\r\na.m4s\r\n#EXTINF:4.0,\n#EXT-X-BYTERANGE:7\na.m4s\n#EXT-X-PART:X"
	m, err := ParseMedia([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := &Media{
		Version: 7, TargetDuration: 4 * time.Second, DiscontinuitySequence: Absent,
		Segments: []Segment{
			{
				URI: "a.m4s", Duration: 4 * time.Second, Title: "a title, with a comma", ByteRange: ByteRange{Length: 10, Offset: 5},
				ProgramDateTime: time.Date(2026, 11, 23, 23, 30, 0, 5e8, time.UTC),
			},
			{URI: "a.m4s", Duration: 4 * time.Second, ByteRange: ByteRange{Length: 7, Offset: 15}},
		},
		Tags: []Tag{{Name: "EXT-X-PART", Value: "X", Index: 2}},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v\nwant %+v", m, want)
	}
}

func TestEmptyServerControlIsLeftOut(t *testing.T) {
	t.Parallel()
	m := &Media{TargetDuration: 4 * time.Second, ServerControl: &ServerControl{HoldBack: time.Microsecond}}
	if _, err := ParseMedia(AppendMedia(nil, m)); err != nil {
		t.Error(err)
	}
}

func BenchmarkParseMedia(b *testing.B) {
	body := AppendMedia(nil, window(235))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := ParseMedia(body); err != nil {
			b.Fatal(err)
		}
	}
}
