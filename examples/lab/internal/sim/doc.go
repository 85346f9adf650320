// Package sim plays clients and instances on a virtual clock. Whom a client
// calls, whom it passes over and what it tries again is decided by the code of
// fairlead itself, in its forms that are told what time it is: this package has
// the world only, and no policy.
//
// A [Plan] says what there is and what happens. [Run] plays it for one policy
// and one seed, on one goroutine: the same plan, policy and seed give the same
// result, and calls come at the same moments and bring the same work whatever
// the policy, so that two policies can be compared call by call.
//
// Time is discrete: the simulator goes from event to event. Servers work on calls
// in the order in which they come, so that what comes of a call is known when it
// arrives; where nobody has to know earlier, its answer is its only event. That is
// not so where a server heeds its callers, or calls others: see heeds.go, hop.go.
package sim
