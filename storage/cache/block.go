package cache

import (
	"container/list"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// errCorrupt is what a block file that is not what was written comes to.
var errCorrupt = errors.New("cache: block is torn or damaged")

// A block file is the bytes of the block, first so that sendfile finds them on
// whole pages, and a trailer: a mark, the block's number, how many bytes it has,
// their checksum, and a checksum of the trailer and of the folder's name, so
// that a file in the wrong place is found out too.
const (
	trailerSize = 32
	mark        = "reprise1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// block is one block on disk. All but file are guarded by Cache.mu.
type block struct {
	entry *entry
	index int64
	file  string        // name in the entry's folder; never used twice
	size  int64         // of its bytes, without the trailer
	list  *list.Element // in Cache.recent or Cache.pinned; nil: in neither, about to go
	pin   time.Time     // in Cache.pinned until then
	used  time.Time     // as the file's time says
	state fileState     // as it was when its checksum was right; zero: not checked yet
}

// fileState tells whether somebody changed a file behind our back.
type fileState struct {
	size     int64
	modified time.Time
}

func stateOf(f *os.File) (fileState, error) {
	st, err := f.Stat()
	if err != nil {
		return fileState{}, err
	}
	return fileState{st.Size(), st.ModTime()}, nil
}

func (b *block) path() string { return filepath.Join(b.entry.dir, b.file) }

// onDisk is how many bytes the file has.
func (b *block) onDisk() int64 { return b.size + trailerSize }

func trailer(folder string, index int64, data []byte) []byte {
	t := make([]byte, 0, trailerSize)
	t = append(t, mark...)
	t = binary.BigEndian.AppendUint64(t, uint64(index))
	t = binary.BigEndian.AppendUint64(t, uint64(len(data)))
	t = binary.BigEndian.AppendUint32(t, crc32.Checksum(data, castagnoli))
	return binary.BigEndian.AppendUint32(t, crc32.Update(crc32.Checksum([]byte(folder), castagnoli), castagnoli, t))
}

// buffers hold one block with its trailer, for checking.
type buffers struct{ pool sync.Pool }

func (p *buffers) get(n int64) *[]byte {
	b, _ := p.pool.Get().(*[]byte)
	if b == nil || int64(cap(*b)) < n {
		made := make([]byte, n)
		return &made
	}
	*b = (*b)[:n]
	return b
}

// check reads a whole block file and compares it with what its trailer promises.
func (p *buffers) check(f *os.File, folder string, index, size int64) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.Size() != size+trailerSize {
		return fmt.Errorf("%w: %d bytes instead of %d", errCorrupt, st.Size(), size+trailerSize)
	}
	b := p.get(st.Size())
	defer p.pool.Put(b)
	if _, err := f.ReadAt(*b, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	data := (*b)[:size]
	if string(trailer(folder, index, data)) != string((*b)[size:]) {
		return errCorrupt
	}
	return nil
}

// writeBlock writes a block file. A process that dies in the middle leaves a
// file in tmp, which the next one sweeps; a power cut may leave a torn one,
// which its checksum tells: so nothing is synced.
func writeBlock(tmp, path, folder string, index int64, data []byte) error {
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		_, err = f.Write(trailer(folder, index, data))
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}
