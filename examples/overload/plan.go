package main

import (
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// What takes part, and what it can do.
const (
	service     = "orders"
	servers     = 2
	clients     = 2
	workers     = 10                     // of each server: as many calls at a time
	serviceTime = 100 * time.Millisecond // that a worker takes for a call
	capacity    = servers * workers * int(time.Second/serviceTime)
	callTimeout = time.Second
	leaseTTL    = 10 * time.Second // the shortest that is allowed
)

// phase is a time with one load, in so many times the capacity.
type phase struct {
	name string
	load float64
	long time.Duration
}

var phases = [...]phase{
	calm:  {"calm", 0.5, 3 * time.Second},
	flood: {"flood", 10, 6 * time.Second},
	after: {"after", 0.5, 8 * time.Second},
}

const (
	calm = iota
	flood
	after
)

// span is when a phase is, from the beginning of the script.
func span(of int) (from, to time.Duration) {
	for _, p := range phases[:of] {
		from += p.long
	}
	return from, from + phases[of].long
}

// kinds are the calls that there are, and how many of twenty they are. Those that
// matter most are half of what the servers can do, however many others come.
var kinds = [...]struct {
	path     string
	priority ratelimit.Priority // by the document
	many     int
}{
	{"/checkout", ratelimit.Critical, 1},
	{"/orders", ratelimit.Default, 7},
	{"/export", ratelimit.Sheddable, 12},
}

// kindOf is that of the nth call.
func kindOf(n int) int {
	n = n * 7 % 20 // mixed
	for k, kind := range kinds {
		if n < kind.many {
			return k
		}
		n -= kind.many
	}
	return 0 // not reached
}
