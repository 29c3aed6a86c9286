package vod

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"

	"reprise/stream/timeline"
)

// Empty is the name of the captions rendition that every media has beside its
// own: WebVTT without a cue, for languages it has no captions in (R137).
const Empty = "s-none"

var nameEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// InitName returns the file name of a rendition's init segment.
func (m *Media) InitName(rendition string) string {
	return "init-" + m.mac(rendition, "init") + ".mp4"
}

// SegmentName returns the file name of segment index of a rendition. For a Loop
// ticks is the segment's length and part of the name; otherwise it is ignored.
// Names cannot be guessed: they end in a keyed hash (design: embargo).
func (m *Media) SegmentName(rendition string, index int, ticks timeline.Ticks) string {
	stem := strconv.Itoa(index)
	if m.Loop {
		stem += "." + strconv.FormatInt(int64(ticks), 10)
	}
	extension := ".m4s"
	if strings.HasPrefix(rendition, "s-") {
		extension = ".vtt"
	}
	return stem + "-" + m.mac(rendition, stem) + extension
}

// ParseName undoes InitName and SegmentName: init is true for the init
// segment. ok is false when the name was not made by this media for that
// rendition.
func (m *Media) ParseName(rendition, name string) (index int, ticks timeline.Ticks, init, ok bool) {
	stem, _, found := strings.Cut(name, "-")
	if !found {
		return 0, 0, false, false
	}
	if stem == "init" {
		return 0, 0, true, hmac.Equal([]byte(name), []byte(m.InitName(rendition)))
	}
	first, length, cut := strings.Cut(stem, ".")
	index, err := strconv.Atoi(first)
	if err != nil || index < 0 {
		return 0, 0, false, false
	}
	if cut != m.Loop {
		return 0, 0, false, false
	}
	if cut {
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil || n <= 0 {
			return 0, 0, false, false
		}
		ticks = timeline.Ticks(n)
	}
	return index, ticks, false, hmac.Equal([]byte(name), []byte(m.SegmentName(rendition, index, ticks)))
}

func (m *Media) mac(rendition, stem string) string {
	h := hmac.New(sha256.New, m.NameKey)
	h.Write([]byte(rendition))
	h.Write([]byte{0})
	h.Write([]byte(stem))
	return nameEncoding.EncodeToString(h.Sum(nil)[:15])
}
