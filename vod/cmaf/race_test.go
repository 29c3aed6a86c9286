//go:build race

package cmaf

// raceEnabled: the race detector has memory of its own, which is not measured.
const raceEnabled = true
