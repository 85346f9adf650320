// Package balancer chooses the instance for an attempt.
//
// Measuring and choosing are apart. A [Node] measures: it counts the calls an
// instance has outstanding, remembers how long calls take there and how they
// end, and outlives every membership change. A [Picker] chooses among nodes
// and keeps nothing of its own; a [Policy] builds one from [Candidates].
// Policies are one file each. By what calls show: the default, [P2CEWMA], and
// [LeastRequest]. By what servers report: [Prequal]. By weight alone:
// [SmoothWeighted], [WeightedRoundRobin] and [Random]. By nothing: [RoundRobin].
//
// A [Pool] follows one service: each snapshot becomes an immutable [View]
// behind one atomic pointer, so that a pick never waits and never locks. Where
// there are too many instances, or better and worse places, [Tier], [Locality]
// and [Subset] say where calls go.
//
// A [Checker] probes instances beside the calls they get, where that is wanted.
//
// Any client can use it, whatever it speaks:
//
//	picker := pool.View().Picker(protocol)
//	node := picker.Pick(balancer.Request{Now: balancer.Now(), Rand: rand.Uint64()})
//	ticket := node.Start(balancer.Now())
//	// … the call …
//	ticket.Done(balancer.Now(), balancer.Success)
//
// Time is explicit everywhere (a [time.Duration] since an epoch of the
// caller's choice, for real calls that of [Now]), and so is randomness: the
// same node states and the same request give the same choice. Only policies that
// take turns look at neither, but count.
//
// The package knows no protocol, no registry and no telemetry.
package balancer
