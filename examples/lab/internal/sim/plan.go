package sim

import (
	"cmp"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/retry"
)

// Plan is what there is and what happens. Times are from the beginning.
type Plan struct {
	// Length is how long calls come, and what comes before Warmup does not count
	// in the result. 0 means 30 s, 5 s.
	Length, Warmup time.Duration

	Clients int      // 0 means 1
	Zones   []string // of the clients, in turn; none: nobody knows of zones
	Keys    int      // different ones that calls have, for policies that hash; 0 means 10000

	Work    Work
	Traffic Traffic
	Fleet   []Class
	Network Network
	Lists   Lists

	Changes []Change
	Deploys []Deploy
	Scaler  Scaler

	// Timeout bounds a call with all its attempts; 0: there is none.
	Timeout time.Duration
	// Retry, Budget, Hedge and Idempotent are what a caller says of its calls. With
	// Hedge nil none is sent a second time while the first is on its way.
	Retry      retry.Policy
	Budget     retry.BudgetConfig
	Hedge      *retry.HedgeConfig
	Idempotent bool
	// Shared bounds the retries of all clients together, as if they were of one
	// process. nil: nothing does.
	Shared *retry.BudgetConfig
	// Limits are those of each client.
	Limits Limits
	// Heeds makes servers stop working for callers who have left, and not begin it.
	// Without it a server ends all that came, as most do.
	Heeds bool

	// Balancing is that of all clients. Its policy is the one that is played, and
	// its place that of the client.
	Balancing balancer.Balancing
}

// Class is instances of a kind.
type Class struct {
	Name    string
	Count   int
	Zone    string
	Workers int // calls that one works on at a time; 0 means 1
	// Limit is how many calls one has at most, waiting ones among them; it refuses
	// others at once. 0: there is no limit.
	Limit int
	// Admission is what each does before it works on a call.
	Admission Admission
	// RetryAfter is what it asks for in answers that are errors; 0: nothing.
	RetryAfter time.Duration
	// Hop is 0 of those that clients call. An instance of any other is called by each
	// of the hop before, once for each call, when that has done its own work. It may
	// make attempts again as clients do, and fails if the call does.
	Hop    int
	Weight int // that it announces; 0 means 100
	// From is when they come; 0: they are there from the beginning.
	From time.Duration
	Condition
	// Pauses stop an instance now and then, as garbage collection does; Neighbours
	// slow it down, as others on the same machine do.
	Pauses, Neighbours Spell
	// Bad marks those of which the result says what share of the calls they got.
	Bad bool
}

// Condition is how an instance does. The zero value is well.
type Condition struct {
	Slow  float64 // how many times longer its work takes; 0 means 1
	Fails float64 // the share of calls that it answers with an error at once
	Loses float64 // the share of calls of which the connection breaks, at once
	// Stalls is the share of calls whose work takes StallsBy times as long.
	Stalls, StallsBy float64
	Hangs            bool // answers nothing
	// Down refuses connections, and loses the calls that it has. It leaves the
	// list when its lease is over.
	Down bool
}

// Spell is what comes over an instance now and then: on the average every Every,
// for For. Its work then takes Slow times as long; 0: it stops. With Every 0 there
// is none.
type Spell struct {
	Every, For time.Duration
	Slow       float64
}

// Change puts the instances of a class into another condition.
type Change struct {
	At    time.Duration
	Class string
	To    Condition
}

// Deploy replaces the instances of a class one by one: every Every a new one
// comes, an old one drains, and stops Drain later.
type Deploy struct {
	Class            string
	At, Every, Drain time.Duration
}

// Scaler keeps a class as large as its load demands: every Every it aims at a
// utilization of Target. New instances come after Delay; those that are too many
// drain. With Every 0 there is none.
type Scaler struct {
	Class        string
	Every, Delay time.Duration
	Target       float64
	Least, Most  int
}

// Network is how long a message is on its way.
type Network struct {
	Near time.Duration // within a zone, or where nobody knows of zones; 0 means 250 µs
	Far  time.Duration // between zones; 0 means as Near
}

// Lists are how clients hear who is there.
type Lists struct {
	// Delay is how long it takes at most until a client has heard of a change; each
	// time it is drawn anew.
	Delay time.Duration
	// Lease is how long an instance is on the list that is down; 0 means 10 s.
	Lease time.Duration
	// From StaleFrom to StaleUntil nobody hears anything.
	StaleFrom, StaleUntil time.Duration
}

func (p Plan) withDefaults() Plan {
	p.Length, p.Warmup = cmp.Or(p.Length, 30*time.Second), cmp.Or(p.Warmup, min(5*time.Second, p.Length/2))
	p.Clients, p.Keys = cmp.Or(p.Clients, 1), cmp.Or(p.Keys, 10_000)
	p.Work = p.Work.withDefaults()
	p.Network.Near = cmp.Or(p.Network.Near, 250*time.Microsecond)
	p.Network.Far = cmp.Or(p.Network.Far, p.Network.Near)
	p.Lists.Lease = cmp.Or(p.Lists.Lease, 10*time.Second)
	fleet := make([]Class, len(p.Fleet))
	for i, c := range p.Fleet {
		c.Workers = cmp.Or(c.Workers, 1)
		c.Condition = c.withDefaults()
		fleet[i] = c
	}
	p.Fleet = fleet
	changes := make([]Change, len(p.Changes))
	for i, c := range p.Changes {
		c.To = c.To.withDefaults()
		changes[i] = c
	}
	p.Changes = changes
	return p
}

func (c Condition) withDefaults() Condition {
	c.Slow, c.StallsBy = cmp.Or(c.Slow, 1), cmp.Or(c.StallsBy, 1)
	return c
}

// capacity is how much work can be done in a second by those that are there at
// the beginning, in seconds.
func (p *Plan) capacity() (workers float64) {
	for _, c := range p.Fleet {
		if c.From == 0 && !c.Down {
			workers += float64(c.Count) * float64(c.Workers) / c.Slow * c.Pauses.leaves() * c.Neighbours.leaves()
		}
	}
	return workers
}

// rate is how many calls come in a second at a load of 1.
func (p *Plan) rate() float64 { return p.capacity() / p.Work.Mean.Seconds() }
