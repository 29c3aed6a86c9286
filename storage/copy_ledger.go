package storage

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// ledger is a file with a line for each object that was verified to be the same
// in two stores. A line counts as long as size and date on both sides are those
// of the line. What a kill cut off, or a hand spoiled, is passed over: then the object is read again.
type ledger struct {
	mu    sync.Mutex // guards below
	file  *os.File   // nil: nothing is kept
	lines map[Key]ledgerLine
}

type ledgerLine struct {
	Key  Key       `json:"key"`
	Size int64     `json:"size"`
	From time.Time `json:"from"` // modified, in the source
	To   time.Time `json:"to"`   // in the target
}

const maxLedgerLine = 4 << 10 // bytes

func openLedger(path string) (*ledger, error) {
	l := &ledger{lines: map[Key]ledgerLine{}}
	if path == "" {
		return l, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, fileMode)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if !tryLockFile(f) {
		return nil, errors.Join(fmt.Errorf("open ledger %s: another copy uses it", path), f.Close())
	}
	if l.lines, err = readLedger(f); err == nil {
		_, err = f.WriteString("\n") // the last line may have been cut off
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read ledger: %w", err), f.Close())
	}
	l.file = f
	return l, nil
}

// readLedger reads all lines that are whole.
func readLedger(r io.Reader) (map[Key]ledgerLine, error) {
	lines := map[Key]ledgerLine{}
	in := bufio.NewReaderSize(r, maxLedgerLine)
	for {
		text, long, err := in.ReadLine()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		for long && err == nil { // passed over
			text = nil
			_, long, err = in.ReadLine()
		}
		var line ledgerLine
		if json.Unmarshal(text, &line) == nil && line.Key.Validate() == nil {
			lines[line.Key] = line
		}
	}
}

// has reports whether an object was verified as it is now on both sides.
func (l *ledger) has(from, to Info) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	line, known := l.lines[from.Key]
	return known && line.Size == from.Size && line.Size == to.Size && line.From.Equal(from.Modified) && line.To.Equal(to.Modified)
}

// add notes a verified object.
func (l *ledger) add(from, to Info) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	line := ledgerLine{Key: from.Key, Size: from.Size, From: from.Modified, To: to.Modified}
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	if _, err := l.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	l.lines[from.Key] = line
	return nil
}

func (l *ledger) close() error {
	if l.file == nil {
		return nil
	}
	if err := l.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("close ledger: %w", err)
	}
	return nil
}
