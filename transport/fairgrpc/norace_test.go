//go:build !race

package fairgrpc_test

const raceEnabled = false
