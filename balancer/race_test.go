//go:build race

package balancer_test

// expiries are fewer under the race detector, which takes forty times as long.
const expiries = 1000

// underRace tells what has nothing to do with races and takes long with them.
const underRace = true
