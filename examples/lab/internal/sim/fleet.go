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

// Well reports whether an instance answers, and with errors at most now and then.
func (f Fleet) Well(i int) bool {
	s := f.w.servers[i]
	c := &s.condition
	return s.stage == listed && !c.Down && !c.Hangs && c.Fails+c.Loses < 0.5
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
	return time.Duration(float64(f.w.plan.Work.Mean) * f.w.servers[i].condition.Slow)
}
