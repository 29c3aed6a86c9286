package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Defaults of Config.
//
// A block of 1 MiB holds a segment of the lower rungs whole and one of the
// highest in two or three, about a minute of sound, and is large enough that
// asking a remote store for it costs more in bytes than in waiting. 20 GiB of
// them are 20,000 files.
const (
	defaultBytes    = 20 << 30
	defaultBlock    = 1 << 20
	defaultRequest  = 8 << 20
	defaultAhead    = 4
	defaultRequests = 32
	defaultRecheck  = 10 * time.Minute
	defaultPin      = 5 * time.Minute
	defaultTimeout  = 2 * time.Minute
)

// Config are the settings of a Cache. Zero fields have their defaults; Dir, Now and Wait are required.
type Config struct {
	Dir        string        // a folder of its own; made when there is none
	MaxBytes   int64         // of all block files together, never exceeded; default 20 GiB
	BlockSize  int64         // bytes; default 1 MiB. Another size than last time empties the folder
	MaxRequest int64         // bytes asked of the origin at once; default 8 MiB, at least a block
	ReadAhead  int           // requests at once that Run makes; default 4
	Requests   int           // requests at once of all kinds; default 32. Times MaxRequest bounds the memory
	Recheck    time.Duration // how often Run asks whether an object in use is still the same; default 10 min
	Pin        time.Duration // how long what was warmed cannot be pushed out; default 5 min
	Timeout    time.Duration // of one request to the origin; default 2 min

	Now func() time.Time
	// Wait returns when it is until, by the same clock as Now, or with an error when ctx is done.
	Wait     func(ctx context.Context, until time.Time) error
	Registry prometheus.Registerer // of the metrics; nil: none
}

func (c *Config) complete() error {
	if c.Dir == "" || c.Now == nil || c.Wait == nil {
		return errors.New("cache: dir, now and wait are all needed")
	}
	defaultTo(&c.MaxBytes, defaultBytes)
	defaultTo(&c.BlockSize, defaultBlock)
	defaultTo(&c.MaxRequest, max(defaultRequest, c.BlockSize))
	defaultTo(&c.ReadAhead, defaultAhead)
	defaultTo(&c.Requests, defaultRequests)
	defaultTo(&c.Recheck, defaultRecheck)
	defaultTo(&c.Pin, defaultPin)
	defaultTo(&c.Timeout, defaultTimeout)
	if c.MaxRequest < c.BlockSize || c.MaxBytes < c.BlockSize+trailerSize {
		return fmt.Errorf("cache: requests of %d and a whole of %d bytes must hold a block of %d", c.MaxRequest, c.MaxBytes, c.BlockSize)
	}
	return nil
}

func defaultTo[T int | int64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
