package sim

import (
	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/retry"
)

// ending is how an attempt ends.
type ending uint8

const (
	served     ending = iota
	failed            // the server said so
	overloaded        // the server said that it has too much to do
	broken            // the connection was lost
	refused           // there was no connection
	outOfTime         // of the call
	tooLate           // the time of the attempt was up
	unanswered        // by a server that hangs
)

// result is what an ending says of the instance, and how it failed what it says to
// those who may try again, as the doors of fairlead say it.
func (e ending) result() (balancer.Result, retry.Condition) {
	switch e {
	case served:
		return balancer.Success, 0
	case failed:
		return balancer.Failure, retry.ServerFailure
	case overloaded:
		return balancer.Failure, retry.Overload
	case broken:
		return balancer.Failure, retry.Reset
	case refused:
		return balancer.Unreachable, retry.ConnectFailure
	}
	return balancer.Failure, retry.TimedOut
}

// end is how a call ends whose last attempt ended so.
func (e ending) end() end {
	switch e {
	case served:
		return well
	case overloaded:
		return turnedAway
	}
	return inVain
}

// answered reports whether the server said anything.
func (e ending) answered() bool { return e <= overloaded }

// late reports whether nothing came in time.
func (e ending) late() bool { return e == outOfTime || e == tooLate }

// code is what it said, of what is no success, as HTTP has it; 0 if nothing.
func (e ending) code() int {
	switch e {
	case failed:
		return 500
	case overloaded:
		return 503
	}
	return 0
}
