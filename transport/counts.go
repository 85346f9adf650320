package transport

import "sync/atomic"

// counts are the attempts of a service by class. Every attempt adds to them,
// so they are spread over stripes that do not share a cache line.
type counts struct {
	on                atomic.Bool // false at level Off
	stripes           [8]stripe
	retries           atomic.Int64
	unaffordable      atomic.Int64    // retries that the budget refused
	unaffordableByAll atomic.Int64    // and the budget of all services
	hopeless          atomic.Int64    // calls refused since they had less time than their method ever took
	hedges            atomic.Int64    // second attempts that were sent
	unknown           atomic.Int64    // calls of methods of which nothing is kept, since there are too many
	hedgesWon         atomic.Int64    // of those, that had the answer
	unhedged          atomic.Int64    // that were due and not sent
	overruled         atomic.Int64    // attempts to an instance whose breaker is open, since several are
	fellBack          atomic.Int64    // calls that got something else than the service's answer
	unanswerable      atomic.Int64    // calls that were to, and could not
	transitions       [3]atomic.Int64 // of breakers, by the state they came to
	forbidden         atomic.Int64    // connections that the address policy refused
	unrefreshed       atomic.Int64    // refreshes after a thaw that failed
	late              atomic.Int64    // timeouts that were noticed late
	misreported       atomic.Int64    // reports of a server's load that could not be read
	delayed           atomic.Int64    // calls that a fault delayed
	aborted           atomic.Int64    // calls that a fault aborted
	mirrored          atomic.Int64    // copies that were sent
	unmirrored        atomic.Int64    // copies that were due and were not sent
	moved             atomic.Int64    // calls that went to a gateway
	unmoved           atomic.Int64    // that were to, and could not
	sickened          atomic.Int64    // instances that began to fail their health checks
	recovered         atomic.Int64    // instances that passed them again
}

// one adds to a counter that few calls come to.
func (c *counts) one(counter *atomic.Int64) {
	if c.on.Load() {
		counter.Add(1)
	}
}

type stripe struct {
	attempts [8]atomic.Int64 // by Class; one cache line
	_        [64]byte        // the line that is fetched along
}

// add counts an attempt, and reports whether attempts are counted. The low bits of a
// clock reading spread the callers well enough.
func (c *counts) add(spread uint64, class Class) bool {
	if !c.on.Load() {
		return false
	}
	c.stripes[spread>>4&7].attempts[class&7].Add(1)
	return true
}

// attempts returns the sum for one class.
func (c *counts) attempts(class Class) int64 {
	var sum int64
	for i := range c.stripes {
		sum += c.stripes[i].attempts[class&7].Load()
	}
	return sum
}
