//go:build race

package sim_test

// underRace says that everything takes ten times as long.
const underRace = true
