package cache

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"reprise/storage"
)

// The folder: lock, held while a process has it; format, which says what the
// rest is; tmp, of what is being written; and blocks/ab/abcd…, one folder for each
// version of an object, with meta, which says whose it is, and its blocks.
const (
	lockName   = "lock"
	formatName = "format"
	tmpName    = "tmp"
	blocksName = "blocks"
	metaName   = "meta"
)

// meta is what an object's folder says of itself.
type meta struct {
	Key      storage.Key `json:"key"`
	Size     int64       `json:"size"`
	Modified time.Time   `json:"modified"`
}

func (c *Cache) newEntry(key storage.Key, info storage.Info) *entry {
	info.Key = key
	name := storage.RandomName()
	return &entry{
		key: key, info: info, dir: filepath.Join(c.cfg.Dir, blocksName, name[:2], name),
		blocks: map[int64]*block{}, flights: map[int64]*flight{},
	}
}

// makeFolder makes an object's folder, before its first block is written.
func (c *Cache) makeFolder(e *entry) error {
	e.making.Lock()
	defer e.making.Unlock()
	if e.made {
		return nil
	}
	text, err := json.Marshal(meta{e.key, e.info.Size, e.info.Modified})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(e.dir, dirMode); err != nil {
		return err
	}
	tmp := c.tmpName()
	if err := os.WriteFile(tmp, text, fileMode); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(e.dir, metaName)); err != nil {
		return err
	}
	e.made = true
	return nil
}

func (c *Cache) tmpName() string {
	return filepath.Join(c.cfg.Dir, tmpName, strconv.FormatInt(c.names.Add(1), 10))
}

// restore takes the folder and finds what a process before us left in it.
func (c *Cache) restore() error {
	if err := os.MkdirAll(c.cfg.Dir, dirMode); err != nil {
		return err
	}
	var err error
	if c.lock, err = os.OpenFile(filepath.Join(c.cfg.Dir, lockName), os.O_CREATE|os.O_RDWR, fileMode); err != nil {
		return err
	}
	if !tryLock(c.lock) {
		return ErrInUse
	}
	if err := os.RemoveAll(filepath.Join(c.cfg.Dir, tmpName)); err != nil {
		return err
	}
	blocks := filepath.Join(c.cfg.Dir, blocksName)
	format, path := fmt.Sprintf("reprise cache 1, blocks of %d bytes\n", c.cfg.BlockSize), filepath.Join(c.cfg.Dir, formatName)
	if was, err := os.ReadFile(path); err != nil || string(was) != format {
		if err := os.RemoveAll(blocks); err != nil {
			return err
		}
	}
	for _, folder := range []string{filepath.Join(c.cfg.Dir, tmpName), blocks} {
		if err := os.MkdirAll(folder, dirMode); err != nil {
			return err
		}
	}
	if err := os.WriteFile(path, []byte(format), fileMode); err != nil {
		return err
	}
	return c.scan(blocks)
}

// scan takes over the blocks of all folders, in the order of their last use.
// What makes no sense goes; whether a block is whole is seen when it is used.
func (c *Cache) scan(root string) error {
	shards, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	var found []*block
	for _, shard := range shards {
		folders, err := os.ReadDir(filepath.Join(root, shard.Name()))
		if err != nil {
			return err
		}
		for _, folder := range folders {
			dir := filepath.Join(root, shard.Name(), folder.Name())
			blocks, err := c.scanFolder(dir)
			if err != nil {
				return err
			}
			if len(blocks) == 0 {
				if err := os.RemoveAll(dir); err != nil {
					return err
				}
			}
			found = append(found, blocks...)
		}
	}
	slices.SortFunc(found, func(a, b *block) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.index, b.index)) })
	c.mu.Lock()
	for _, b := range found {
		if b.entry.blocks[b.index] == b {
			c.use(b, time.Time{})
			c.used += b.onDisk()
		}
	}
	over := c.used - c.limit
	var l leaving
	if over > 0 {
		l = c.evict(over)
	}
	c.mu.Unlock()
	c.remove(l)
	return nil
}

// scanFolder takes over the blocks of one folder; none of one that is not whole.
func (c *Cache) scanFolder(dir string) ([]*block, error) {
	text, err := os.ReadFile(filepath.Join(dir, metaName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var m meta
	if json.Unmarshal(text, &m) != nil || m.Key.Validate() != nil || m.Size < 0 || c.entries[m.Key] != nil {
		return nil, nil
	}
	e := c.newEntry(m.Key, storage.Info{Size: m.Size, Modified: m.Modified})
	e.dir, e.made = dir, true
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var blocks []*block
	for _, f := range files {
		if f.Name() == metaName {
			continue
		}
		b := c.scanBlock(e, f)
		if b == nil {
			if err := os.RemoveAll(filepath.Join(dir, f.Name())); err != nil {
				return nil, err
			}
			continue
		}
		e.blocks[b.index] = b
		blocks = append(blocks, b)
	}
	if len(blocks) > 0 {
		c.entries[m.Key] = e
	}
	return blocks, nil
}

// scanBlock returns the block that a file is, or nil.
func (c *Cache) scanBlock(e *entry, f fs.DirEntry) *block {
	number, _, _ := strings.Cut(f.Name(), ".")
	index, err := strconv.ParseInt(number, 10, 64)
	start := index * c.cfg.BlockSize
	if err != nil || index < 0 || index > e.info.Size/c.cfg.BlockSize || start >= e.info.Size || e.blocks[index] != nil {
		return nil
	}
	b := &block{entry: e, index: index, file: f.Name(), size: min(c.cfg.BlockSize, e.info.Size-start)}
	st, err := f.Info()
	if err != nil || !st.Mode().IsRegular() || st.Size() != b.onDisk() {
		return nil
	}
	b.used = st.ModTime()
	return b
}
