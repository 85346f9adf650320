// Package bubble counts the goroutines of a synctest bubble. Those of tests that
// ended before may be ending still, so the count of the whole process says
// nothing exact.
package bubble

import (
	"runtime"
	"strings"
)

// Goroutines returns how many goroutines there are in synctest bubbles, among them
// that of the test and those of synctest itself, so that it is the difference of two
// that says something. It panics outside of a bubble.
func Goroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := strings.Count(string(stacks), ", synctest bubble ")
	if n == 0 {
		panic("bubble: not in a synctest bubble, or the form of stacks has changed")
	}
	return n
}
