package balancer

// Policy is a way to choose among nodes, and its settings: the policies of this
// package are plain values, such as RoundRobin{}, whose zero value works, and
// whose JSON is what is set. One that implements interface{ Validate() error } is
// asked before it is used; one with Keyed() bool may say that it gives every key a
// place.
type Policy interface {
	// Picker returns a picker over candidates, which may be none.
	Picker(Candidates) Picker
	// String is the name of the algorithm, as in documents, metrics and dumps.
	String() string
}

// Candidates are what a picker chooses among. The slices must not be written
// to, and are never written to by whoever gives them.
type Candidates struct {
	// Nodes may be chosen. They are sorted by ID.
	Nodes []*Node
	// Listed are Nodes and, in their places, those that are passed over for a
	// while: ejected ones, say. A policy that gives keys a place builds on these,
	// so that no other key moves when one is passed over. Empty: Nodes.
	Listed []*Node
	// Factors are what the weight of each node is to be multiplied by, by its
	// place in Nodes. nil: by 1.
	Factors []float32
	// Before is the picker that this one replaces, nil if there is none; its
	// nodes may be others. A policy may take over what it keeps.
	Before Picker
	// Later runs what is too dear to be waited for, soon and once, on a
	// goroutine that calls do not wait for. nil: at once.
	Later func(func())

	bits uint64 // say where a round begins; 0: anywhere
}

// Among returns the candidates that nothing more is known of than their nodes,
// which must be sorted by ID.
func Among(nodes ...*Node) Candidates { return Candidates{Nodes: nodes} }

// PolicyFunc is a policy without settings of its own.
type PolicyFunc func(Candidates) Picker

// Picker implements [Policy].
func (f PolicyFunc) Picker(c Candidates) Picker { return f(c) }

// String implements [Policy].
func (f PolicyFunc) String() string { return "custom" }

// policyOr returns a policy, the default where there is none.
func policyOr(p Policy) Policy {
	if p == nil {
		return P2CEWMA{}
	}
	return p
}

// validate asks a policy, or a prober, whether its settings are good.
func validate(of any) error {
	if v, ok := of.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// keysHavePlaces asks a policy whether it gives every key a place.
func keysHavePlaces(p Policy) bool {
	k, ok := p.(interface{ Keyed() bool })
	return ok && k.Keyed()
}
