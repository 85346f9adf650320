package balancer

import (
	"math"
	"slices"

	"github.com/fairlead-go/fairlead/discovery"
)

// whatever is the protocol of an instance that names none: it speaks what its
// caller speaks.
const whatever discovery.Protocol = ""

// protocols numbers the protocols that the instances of a pool name, so that
// who speaks what is seen by one look at each node.
type protocols struct {
	names   []discovery.Protocol // at most mostProtocols
	crowded bool                 // there was no number for one of them
}

// protocolSet has a bit for each numbered protocol, and the highest for
// whatever else. A node that names no protocol has all of them.
type protocolSet uint32

const (
	mostProtocols             = 31
	anything      protocolSet = 1 << mostProtocols
	everything    protocolSet = math.MaxUint32
)

// of returns the protocols that endpoints speak, numbering new ones.
func (p *protocols) of(endpoints []discovery.Endpoint) (set protocolSet) {
	for _, e := range endpoints {
		switch {
		case e.Addr == "":
		case e.Protocol == whatever:
			return everything
		default:
			set |= p.number(e.Protocol)
		}
	}
	return set
}

func (p *protocols) number(name discovery.Protocol) protocolSet {
	i := slices.Index(p.names, name)
	if i < 0 && len(p.names) < mostProtocols {
		i = len(p.names)
		p.names = append(p.names, name)
	}
	if i < 0 {
		p.crowded = true
		return 0
	}
	return 1 << i
}

// renumber begins again with what the members speak, since some of the names
// may be those of the past.
func (p *protocols) renumber(members []*Node) {
	*p = protocols{}
	for _, n := range members {
		n.protocols = p.of(n.endpoints)
	}
}
