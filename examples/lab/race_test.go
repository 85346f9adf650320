//go:build race

package main

// underRace says that everything takes ten times as long.
const underRace = true
