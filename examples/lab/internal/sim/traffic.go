package sim

import (
	"math"
	"time"
)

// Traffic is when calls come: by chance (Poisson) at a rate, which may change
// with time.
type Traffic struct {
	// Load is the work that comes, as a share of what the instances that are there
	// at the beginning can do.
	Load float64
	// Steps set another load from some moments on, in order.
	Steps []Step
	// Bursts multiply the load now and then.
	Bursts Bursts
	// Day makes it rise and fall.
	Day Day
	// Shares are the priorities of calls.
	Shares Shares
	// Closed is another kind of traffic, in the place of all of the above.
	Closed Closed
}

// Step is a load from a moment on.
type Step struct {
	At   time.Duration
	Load float64
}

// Bursts multiply the load by Times for some time out of every Every. 0: there
// are none.
type Bursts struct {
	Every, For time.Duration
	Times      float64
}

// Day is a sine between the load and Low times the load, which begins low. 0:
// there is none.
type Day struct {
	Length time.Duration
	Low    float64
}

// Closed are callers who wait for their answer, and then think for a time that
// is exponentially distributed before they call again. 0: there are none.
type Closed struct {
	Callers int // of each client
	Think   time.Duration
}

// load at a time since the beginning.
func (t *Traffic) load(at time.Duration) float64 {
	load := t.Load
	for _, s := range t.Steps {
		if at >= s.At {
			load = s.Load
		}
	}
	if b := t.Bursts; b.Every > 0 && at%b.Every < b.For {
		load *= b.Times
	}
	if d := t.Day; d.Length > 0 {
		phase := float64(at%d.Length) / float64(d.Length)
		load *= d.Low + (1-d.Low)*(1-math.Cos(2*math.Pi*phase))/2
	}
	return load
}

// most is a load that is never exceeded.
func (t *Traffic) most() float64 {
	most := t.Load
	for _, s := range t.Steps {
		most = max(most, s.Load)
	}
	if t.Bursts.Every > 0 {
		most *= max(1, t.Bursts.Times)
	}
	if t.Day.Length > 0 {
		most *= max(1, t.Day.Low)
	}
	return most
}

// steady reports whether the load never changes.
func (t *Traffic) steady() bool {
	return len(t.Steps) == 0 && t.Bursts.Every == 0 && t.Day.Length == 0
}
