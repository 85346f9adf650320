//go:build race

package balancer

// raceEnabled turns on checks that cost too much for every call.
const raceEnabled = true
