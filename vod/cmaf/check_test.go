package cmaf

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// withEditList puts an edit list of one entry at the end of an init segment's trak.
func withEditList(init []byte) []byte {
	edts := []byte{
		0, 0, 0, 36, 'e', 'd', 't', 's', 0, 0, 0, 28, 'e', 'l', 's', 't', 0, 0, 0, 0, 0, 0, 0, 1,
		0, 0, 0, 0, 0, 0, 4, 0, 0, 1, 0, 0, // to the end, from media time 1024, at rate 1
	}
	for _, typ := range []string{"moov", "trak"} {
		at := bytes.Index(init, []byte(typ)) - 4
		size := binary.BigEndian.Uint32(init[at:])
		binary.BigEndian.PutUint32(init[at:], size+uint32(len(edts)))
		if typ == "trak" {
			return slices.Insert(init, at+int(size), edts...)
		}
	}
	return nil
}

// TestCheckFindsMoreFaults breaks good bytes in the ways that TestCheckFindsFaults does not.
func TestCheckFindsMoreFaults(t *testing.T) {
	t.Parallel()
	m := inspect(t, film{rate: 25, frames: 192, gop: 48, bframes: 2}.make(t))
	video, _ := pack(t, m, Plan{Nominal: 184320})
	for _, c := range []struct {
		rule  string
		wreck func(init, first []byte) (newInit, newFirst []byte)
	}{
		{"R155", func(i, a []byte) ([]byte, []byte) { i[bytes.LastIndex(i, []byte("avc1"))+3] = '3'; return i, a }},
		{"R157", func(i, a []byte) ([]byte, []byte) { return withEditList(i), a }},
		{"R163", func(i, a []byte) ([]byte, []byte) { a[bytes.Index(a, []byte("mdat"))+8] = 0x67; return i, a }},
	} {
		init, a := c.wreck(bytes.Clone(video.init()), bytes.Clone(video.segment(0)))
		wantRule(t, c.rule, Check(init, a))
	}
	for _, c := range []struct {
		rule  string
		wreck func(*Index)
	}{
		{"R024", func(x *Index) { x.Codec = "avc1.640028" }},
		{"R025", func(x *Index) { x.Width++ }},
		{"R161", func(x *Index) { x.Segments[1].Duration += 1920 }},
		{"R182", func(x *Index) { x.Segments[1].IFrame-- }},
	} {
		index := *video.Index
		index.Segments = slices.Clone(index.Segments)
		c.wreck(&index)
		wantRule(t, c.rule, CheckIndex(video.object, &index))
	}
}

func wantRule(t *testing.T, rule string, errs []error) {
	t.Helper()
	if !slices.ContainsFunc(errs, func(err error) bool { return strings.Contains(err.Error(), rule) }) {
		t.Errorf("%s: not found in %v", rule, errs)
	}
}
