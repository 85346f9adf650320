package sim

import "time"

// Fleet is what an [Oracle] sees: how all instances really are, now.
type Fleet struct{ w *world }

// Oracle decides where calls go knowing everything, as no client can: it is a
// bound. Choose returns the number of an instance, or -1 if there is none.
type Oracle interface {
	Choose(Fleet, uint64) int
	String() string
}

// Len is how many instances there are and were; not all can be called.
func (f Fleet) Len() int { return len(f.w.servers) }

// Up reports whether an instance can be called and answers.
func (f Fleet) Up(i int) bool {
	s := f.w.servers[i]
	return s.stage == listed && !s.condition.Down && !s.condition.Hangs
}

// Works is the share of its calls that do not fail.
func (f Fleet) Works(i int) float64 {
	c := &f.w.servers[i].condition
	return max(0, 1-c.Fails-c.Loses)
}

// Calls is how many it has, waiting ones among them.
func (f Fleet) Calls(i int) int { return f.w.servers[i].calls }

// Workers is how many it works on at a time.
func (f Fleet) Workers(i int) int { return len(f.w.servers[i].free) }

// Wait is how long a call waits there that is sent now.
func (f Fleet) Wait(i int) time.Duration {
	return time.Duration(max(0, f.w.servers[i].free[0]-f.w.now))
}

// Takes is how long a call takes there on the average that does not wait.
func (f Fleet) Takes(i int) time.Duration {
	c := &f.w.servers[i].condition
	return time.Duration(float64(f.w.plan.Work.Mean) * c.Slow * (1 + c.Stalls*(c.StallsBy-1)))
}
