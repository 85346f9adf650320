package rule

import "github.com/cespare/xxhash/v2"

// Decision is what a table says of one call.
type Decision struct {
	Route *RouteTable // never nil
	Narrowing
}

// Decide says how a call is to be made. Its instance is chosen among those that
// the narrowing leaves. The random bits decide between the destinations of a
// route, unless it hashes and the call has what it hashes on. It allocates
// nothing unless the call's own methods do, or a pattern.
func (t *Table) Decide(r Request, rand uint64) Decision {
	d := Decision{Route: t.Route(r)}
	if d.Route == nil {
		d.Route = &t.rest
	} else {
		d.destination = d.Route.choose(r, rand)
	}
	for n := range t.filters {
		if t.filters[n].Matches(r) {
			d.filters |= 1 << n
		}
	}
	if t.lane != nil {
		d.lane = t.lane.of(r)
	}
	return d
}

func (t *RouteTable) choose(r Request, rand uint64) uint16 {
	switch len(t.shares) {
	case 0:
		return 0
	case 1:
		return t.shares[0].destination
	}
	if t.sticky != nil {
		if hash, ok := t.sticky.hash(r); ok {
			rand = hash
		}
	}
	part := uint32(rand >> 32 * 100 >> 32)
	n := 0
	for part >= t.shares[n].below { // the last is below 100
		n++
	}
	return t.shares[n].destination
}

// sticky makes calls that are alike in something go the same way.
type sticky struct {
	salt string
	of   condition
}

// hash is XXH64 of "<service>/<route>/<value>", so that two routes do not send
// the same callers to their canaries.
func (s *sticky) hash(r Request) (uint64, bool) {
	value, ok := s.of.value(r)
	if !ok || value == "" {
		return 0, false
	}
	var d xxhash.Digest
	d.Reset()
	d.WriteString(s.salt)
	d.WriteString(value)
	return d.Sum64(), true
}

// Mirrored is where the copy of a call goes: to the mirror's instances, of those
// that the filters leave and that are of no lane.
func (d Decision) Mirrored() Narrowing {
	n := d.Narrowing
	n.destination, n.lane = d.Route.Mirror.destination, ""
	return n
}
