package stream

import (
	"fmt"

	"reprise/stream/hls"
	"reprise/stream/timeline"
	"reprise/vod"
)

// A segment's lines never change while it is listed (R104), and the next
// playlist repeats all but a few of them. So the lines of a journal entry are
// made once, in pieces of pieceLength segments, and playlists are put together
// of stretches of them.
const (
	pieceLength = 64
	segmentText = 190 // about the bytes of one segment's lines
	spanText    = 400 // about the bytes of the lines that open a span
)

// pieceOf names the lines of an entry in one rendition.
type pieceOf struct {
	entry   *timeline.Entry
	base    string // rendition of the feed
	iframes bool
	preview bool
}

// textPieceKey names a piece. All that its text says follows from it.
type textPieceKey struct {
	entry   timeline.Entry
	base    string
	iframes bool
	preview bool
	number  int
}

// textPiece is the lines of segments; segment i of the piece is text[at[i]:at[i+1]].
type textPiece struct {
	text []byte
	at   [pieceLength + 1]int32
}

// appendPieces appends the lines of segments from..to-1 of an entry, indices into its source.
func (p *Playout) appendPieces(dst []byte, s pieceOf, from, to int) ([]byte, error) {
	for from < to {
		number := (from - s.entry.From) / pieceLength
		start := s.entry.From + number*pieceLength
		piece, err := p.piece(s, number)
		if err != nil {
			return nil, err
		}
		end := min(to, start+pieceLength)
		dst = append(dst, piece.text[piece.at[from-start]:piece.at[end-start]]...)
		from = end
	}
	return dst, nil
}

// piece returns one piece of an entry's lines.
func (p *Playout) piece(s pieceOf, number int) (*textPiece, error) {
	key := textPieceKey{*s.entry, s.base, s.iframes, s.preview, number}
	return p.pieces.do(key, func() (*textPiece, int64, error) {
		start := s.entry.From + number*pieceLength
		end := min(start+pieceLength, s.entry.From+s.entry.Count)
		piece := &textPiece{text: make([]byte, 0, (end-start)*segmentText)}
		for i := start; i < end; i++ {
			segment, err := p.segment(s, i)
			if err != nil {
				return nil, 0, err
			}
			piece.text = hls.AppendSegments(piece.text, []hls.Segment{segment}, nil)
			piece.at[i-start+1] = int32(len(piece.text))
		}
		return piece, int64(cap(piece.text)) + 512, nil
	})
}

// source returns the media of an entry and the rendition that stands for its base; nil is empty captions.
func (p *Playout) source(s pieceOf) (*vod.Media, *vod.Rendition, error) {
	media, err := p.shelf.get(vod.MediaID(s.entry.Source.ID))
	if err != nil {
		return nil, nil, err
	}
	r := fill(media, s.base)
	if r == nil && s.base[0] != 's' {
		return nil, nil, fmt.Errorf("media %s has nothing for %s", media.ID, s.base)
	}
	return media, r, nil
}

// segment returns segment i of an entry without the tags that depend on its neighbours.
func (p *Playout) segment(s pieceOf, i int) (hls.Segment, error) {
	media, r, err := p.source(s)
	if err != nil {
		return hls.Segment{}, err
	}
	name := vod.Empty
	if r != nil {
		name = r.Name
	}
	ticks := s.entry.SegmentTicks(i)
	from := s.entry.Offset(i).Duration()
	segment := hls.Segment{
		URI:      s.prefix(media, name) + media.SegmentName(name, i, ticks),
		Duration: hls.Extinf(from, s.entry.Offset(i+1).Duration()),
	}
	if !s.preview {
		segment.ProgramDateTime = s.entry.AirStart.Add(from)
	}
	if s.iframes {
		segment.ByteRange.Length, err = p.iframeSize(media, r, i, ticks)
	}
	return segment, err
}

// initOf returns the init segment of an entry, nil for captions.
func (p *Playout) initOf(s pieceOf) (*hls.Map, error) {
	media, r, err := p.source(s)
	if err != nil || r == nil || r.InitSize == 0 {
		return nil, err
	}
	return &hls.Map{URI: s.prefix(media, r.Name) + media.InitName(r.Name)}, nil
}

// prefix leads from a playlist's folder, /p/{token}/{view}/{place}/{language}/
// or /p/{token}/preview/{media}/, to a rendition's files.
func (s pieceOf) prefix(m *vod.Media, rendition string) string {
	up := "../../../s/"
	if s.preview {
		up = "../../s/"
	}
	return up + string(m.ID) + "/" + rendition + "/"
}
