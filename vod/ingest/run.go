package ingest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"reprise/storage"
	"reprise/vod"
)

// run is the state of one asset's processing that outlives a kill: it lies in
// the asset's scratch folder. What it says is done was on disk before it said so.
type run struct {
	Asset   vod.AssetID `json:"asset"`
	Source  string      `json:"source"` // storage key: another source begins another run
	Media   vod.MediaID `json:"media"`
	NameKey []byte      `json:"name_key"`
	Recipe  *recipe     `json:"recipe,omitempty"`
	First   vod.MediaID `json:"first,omitempty"` // the first media, made here or elsewhere

	dir  string
	lock *os.File
}

const runFile = "run.json"

func (g *Ingester) runDir(id vod.AssetID) string {
	return filepath.Join(g.cfg.Scratch, filepath.Base(filepath.Clean("/"+string(id))))
}

// openRun finds the run of an asset, or begins one. The folder stays locked
// until close, also against other processes; the lock dies with this process. ErrBusy when it is held.
func (g *Ingester) openRun(a vod.Asset) (*run, error) {
	dir := g.runDir(a.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	r, err := readRun(dir)
	if err != nil || r.Asset != a.ID || r.Source != a.Source.Object || r.Media == "" || len(r.NameKey) != 32 {
		if err := emptyDir(dir); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
		r = &run{Asset: a.ID, Source: a.Source.Object, Media: vod.MediaID(storage.RandomName()), NameKey: newNameKey()}
	}
	r.dir, r.lock = dir, lock
	if err := r.save(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return r, nil
}

const lockFile = "lock"

func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock scratch folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrBusy
		}
		return nil, errors.Join(fmt.Errorf("lock scratch folder: %w", err), file.Close())
	}
	return file, nil
}

// emptyDir removes everything but the lock.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("empty scratch folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() == lockFile {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("empty scratch folder: %w", err)
		}
	}
	return nil
}

func newNameKey() []byte {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		panic(err) // crypto/rand never fails on the systems we build for
	}
	return key
}

func readRun(dir string) (*run, error) {
	data, err := os.ReadFile(filepath.Join(dir, runFile))
	if err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	r := &run{dir: dir}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	return r, nil
}

// save writes the run's state in one step.
func (r *run) save() error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	temporary := filepath.Join(r.dir, runFile+".new")
	file, err := os.Create(temporary)
	if err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(temporary, filepath.Join(r.dir, runFile))
	}
	if err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	return nil
}

// finished notes that the transcode's outputs are whole, after they reached the disk.
func (r *run) finished() error {
	if err := r.sync(r.Recipe.outputs()); err != nil {
		return err
	}
	r.Recipe.Completed = true
	return r.save()
}

// sync brings outputs to the disk.
func (r *run) sync(names []string) error {
	for _, name := range names {
		file, err := os.Open(outputFile(r.dir, name))
		if err != nil {
			return fmt.Errorf("sync %s: %w", name, err)
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return fmt.Errorf("sync %s: %w", name, err)
		}
	}
	return nil
}

// outputs names the renditions that are encoded here.
func (r *recipe) outputs() []string {
	names := append(slices.Clone(r.Rungs), r.soundNames(false)...)
	return without(names, r.Given)
}

// all names all renditions.
func (r *recipe) all() []string {
	names := append(slices.Clone(r.Rungs), r.soundNames(true)...)
	if r.CopyRung != "" {
		names = append(names, r.CopyRung)
	}
	return names
}

// soundNames names the renditions of the sounds, with or without those that are copied.
func (r *recipe) soundNames(copied bool) (names []string) {
	for _, s := range r.Sounds {
		if !s.Copy || copied {
			names = append(names, audioName(s.Language))
		}
		names = append(names, lowAudioName(s.Language))
	}
	return names
}

// usable tells whether a killed run's transcode can be taken as it is.
func (r *run) usable() bool {
	if r.Recipe == nil || !r.Recipe.Completed {
		return false
	}
	for _, name := range r.Recipe.outputs() {
		if info, err := os.Stat(outputFile(r.dir, name)); err != nil || info.Size() == 0 {
			return false
		}
	}
	return true
}

// close unlocks the run; with done it also removes its folder.
func (r *run) close(done bool) error {
	var err error
	if done {
		// The folder goes while it is locked: nobody can begin in it meanwhile.
		if err = os.RemoveAll(r.dir); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return errors.Join(err, r.lock.Close())
}
