package ingest

import (
	"fmt"
	"syscall"

	"reprise/storage"
	"reprise/vod"
)

// spare is what is left free on the disk of the scratch folder.
const spare = 64 << 20

// freeSpace returns how many bytes may still be written to the disk of a folder.
func freeSpace(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// need checks that so many bytes can be written below dir: ErrNoSpace.
func (g *Ingester) need(dir string, bytes int64) error {
	free, err := g.space(dir)
	if err != nil {
		return err
	}
	if free-spare < bytes {
		return fmt.Errorf("%w: %s has %d MiB free, the work needs %d MiB", ErrNoSpace, dir, free>>20, (bytes+spare)>>20)
	}
	return nil
}

// room checks that there is room for what a run still has to write: the
// outputs, at their caps but no more than a source of twice the bit rate would
// give, and once more as objects when they lie on this machine.
func (g *Ingester) room(s vod.Source, r *run) error {
	if r.usable() {
		return nil
	}
	var kilobits int64
	for _, name := range without(r.Recipe.Rungs, r.Recipe.Given) {
		kilobits += int64(rungNamed(name).rate)
	}
	bytes := kilobits * int64(r.Recipe.Length.Duration().Seconds()+1) * 1000 / 8
	bytes = min(bytes, 2*s.Size*int64(len(r.Recipe.Rungs)))
	bytes += int64(len(r.Recipe.Sounds)) * int64(r.Recipe.Length.Duration().Seconds()+1) * 192 * 1000 / 8
	if _, here := g.store.(storage.Filer); here {
		bytes *= 2
	}
	return g.need(r.dir, bytes)
}
