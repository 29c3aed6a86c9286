//go:build !race

package cmaf

const raceEnabled = false
