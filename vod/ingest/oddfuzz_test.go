package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"reprise/vod"
)

// mutations is how many spoiled films TestMutations tries.
const mutations = 16

// TestMutations: films spoiled at random are refused or play, soon, and Process never fails for them.
func TestMutations(t *testing.T) {
	t.Parallel()
	short := plainPattern.with(func(p *pattern) { p.length = 1.6 })
	bases := []maker{
		once(short.encode("film.mp4")), once(short.encode("film.mp4", "-movflags", "+faststart")),
		once(short.encode("film.mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-g", "10")),
		once(short.encode("film.mkv")), once(short.encode("film.ts")), once(short.encode("film.avi", "-c:v", "mpeg4")),
		sample("dolby-vision.mov"), sample("rotation90.mp4"), sample("opus-only.mp4"), sample("sar-16-9.mp4"),
	}
	for seed := range uint64(mutations) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 3))
			base := bases[random.IntN(len(bases))]
			data := mutated(random, readFile(t, base(t, t.TempDir())))
			w := setupIn(t, t.TempDir(), Config{Threads: 1, MaxDuration: time.Hour, ProbeTimeout: 30 * time.Second, MemoryLimit: 2 << 30})
			a := w.ingest(bytesOf("film.mp4", data)(t, t.TempDir()), AddOptions{})
			t.Logf("%s %v", a.State, codes(a.Findings))
			if a.State == vod.Failed {
				(&oddRow{}).refusal(t, w, a)
				return
			}
			w.decodeAll(w.checkRules(w.media(a)))
		})
	}
}

// mutated cuts, flips bits, swaps boxes, repeats and overwrites.
func mutated(random *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + random.IntN(3) {
		if len(b) < 64 {
			return b
		}
		at := random.IntN(len(b) - 32)
		switch random.IntN(7) {
		case 0:
			b = b[:at+16]
		case 1:
			for range 1 + random.IntN(20) {
				b[random.IntN(len(b))] ^= 1 << random.IntN(8)
			}
		case 2: // in the head, where it hurts
			b[random.IntN(min(len(b), 2000))] = byte(random.Uint32())
		case 3:
			b = swapBoxes(random, b)
		case 4:
			b = slices.Concat(b[:at], b[at:at+32], b[at:])
		case 5:
			b = slices.Delete(b, at, min(len(b), at+1+random.IntN(200)))
		case 6:
			binary.BigEndian.PutUint32(b[at:], []uint32{0, 1, 1<<31 - 1, 1 << 31, 1<<32 - 1}[random.IntN(5)])
		}
	}
	return b
}

// swapBoxes exchanges the names of two boxes, or spoils a number in one.
func swapBoxes(random *rand.Rand, b []byte) []byte {
	kinds := []string{"moov", "trak", "mdia", "minf", "stbl", "stsd", "stts", "ctts", "stsc", "stsz", "stco", "mdat", "tkhd", "mdhd", "elst", "moof", "traf", "trun", "tfdt"}
	one, other := kinds[random.IntN(len(kinds))], kinds[random.IntN(len(kinds))]
	i, j := bytes.Index(b, []byte(one)), bytes.Index(b, []byte(other))
	if i < 0 || j < 0 {
		return b
	}
	copy(b[i:], other)
	copy(b[j:], one)
	if at := i + 4 + 4*random.IntN(8); at+4 < len(b) {
		binary.BigEndian.PutUint32(b[at:], random.Uint32())
	}
	return b
}
