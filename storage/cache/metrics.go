package cache

import "github.com/prometheus/client_golang/prometheus"

// metrics are the package's counters.
type metrics struct {
	hits, misses prometheus.Counter
	fetched      prometheus.Counter
	requests     prometheus.Counter
	failures     prometheus.Counter
	evicted      prometheus.Counter
	damaged      prometheus.Counter
	unwritten    prometheus.Counter
	missing      prometheus.Gauge
}

// newMetrics makes the metrics and registers them; with no registry they count for nobody.
func (c *Cache) newMetrics(registry prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "reprise_cache_" + name, Help: help})
	}
	gauge := func(name, help string, value func() float64) prometheus.GaugeFunc {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "reprise_cache_" + name, Help: help}, func() float64 {
			c.mu.Lock()
			defer c.mu.Unlock()
			return value()
		})
	}
	m := &metrics{
		hits:      counter("block_hits_total", "Blocks that were on this machine's disk when they were asked for."),
		misses:    counter("block_misses_total", "Blocks that were not."),
		fetched:   counter("origin_bytes_total", "Bytes read from the object store."),
		requests:  counter("origin_requests_total", "Questions to the object store."),
		failures:  counter("origin_errors_total", "Questions that the object store did not answer."),
		evicted:   counter("evicted_blocks_total", "Blocks that made room for others."),
		damaged:   counter("damaged_blocks_total", "Blocks whose checksum was wrong: a power cut, or a failing disk."),
		unwritten: counter("unwritten_blocks_total", "Blocks that the disk did not take."),
		missing: prometheus.NewGauge(prometheus.GaugeOpts{Name: "reprise_cache_ahead_missing_bytes",
			Help: "Bytes of what is on air, or soon will be, that are not on this machine's disk yet."}),
	}
	if registry == nil {
		return m, nil
	}
	for _, one := range []prometheus.Collector{
		m.hits, m.misses, m.fetched, m.requests, m.failures, m.evicted, m.damaged, m.unwritten, m.missing,
		gauge("bytes", "Bytes of block files.", func() float64 { return float64(c.used) }),
		gauge("limit_bytes", "Bytes that block files may take: less than configured while the disk is full.", func() float64 { return float64(c.limit) }),
		gauge("blocks", "Blocks on this machine's disk.", func() float64 { return float64(c.recent.Len() + c.pinned.Len()) }),
		gauge("pinned_blocks", "Blocks that are pinned, since they are on air or soon will be.", func() float64 { return float64(c.pinned.Len()) }),
	} {
		if err := registry.Register(one); err != nil {
			return nil, err
		}
	}
	return m, nil
}
