package transport

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// absence is how long those count on who have vanished. When etcd loses the leases
// of all at one moment, or all that it knew, everybody sees the others go and come
// back within seconds, and nobody may take their parts meanwhile.
const absence = 10 * time.Second

// roster is who shares the limits of a service, as far as is known.
type roster struct {
	state  discovery.State
	listed []discovery.Client // by ID
	number int                // of those listed; more than are kept, if there are too many
	absent []absent
}

type absent struct {
	discovery.Client
	since time.Duration
}

// update takes in what a registry says. A cold list says nothing.
func (r *roster) update(c discovery.Clients, now time.Duration) {
	if c.State == discovery.Cold {
		return
	}
	if r.state == discovery.Stale && c.State == discovery.Live {
		for n := range r.absent { // nobody could come back before
			r.absent[n].since = now
		}
	}
	r.absent = slices.DeleteFunc(r.absent, func(a absent) bool { return isListed(c.Clients, a.ID) })
	for _, before := range r.listed {
		if !before.Self && !isListed(c.Clients, before.ID) {
			r.absent = append(r.absent, absent{before, now})
		}
	}
	r.state, r.listed, r.number = c.State, c.Clients, c.Number
}

func isListed(all []discovery.Client, id string) bool {
	_, found := slices.BinarySearchFunc(all, id, func(c discovery.Client, id string) int { return strings.Compare(c.ID, id) })
	return found
}

// expire forgets those who have been away for long, and reports whether there were
// any. While the registry cannot be heard, nobody knows whether they are.
func (r *roster) expire(now time.Duration) (changed bool) {
	before := len(r.absent)
	if r.state == discovery.Live {
		r.absent = slices.DeleteFunc(r.absent, func(a absent) bool { return now-a.since >= absence })
	}
	return len(r.absent) != before
}

// size is how many share, this process included.
func (r *roster) size() int {
	n := r.number + len(r.absent)
	if !slices.ContainsFunc(r.listed, func(c discovery.Client) bool { return c.Self }) {
		n++
	}
	return n
}

// unknown is the demand of who has shown none.
const unknown = -1

// demands returns what each of them wants of a limit, and which is this process; -1:
// it is not shown yet.
func (r *roster) demands(limit string) (mine int, demands []float64) {
	mine, demands = -1, make([]float64, 0, r.number+len(r.absent))
	add := func(c discovery.Client) {
		d, known := c.Demand[limit]
		if !known {
			d = unknown
		}
		demands = append(demands, d)
	}
	for n, c := range r.listed {
		if c.Self {
			mine = n
		}
		add(c)
	}
	for _, a := range r.absent {
		add(a.Client)
	}
	for range r.number - len(r.listed) {
		add(discovery.Client{})
	}
	return mine, demands
}
