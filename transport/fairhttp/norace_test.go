//go:build !race

package fairhttp_test

const raceEnabled = false
