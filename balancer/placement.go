package balancer

import "slices"

// placement says into which parts the nodes of a choice are divided. It is
// immutable.
type placement struct {
	tiers    []Tier
	demands  []demands // of the tiers
	locality Locality
	subset   Subset
}

// placement returns what a policy leaves of the settings: one that gives keys a
// place has to see all instances of a tier.
func (b Balancing) placement() *placement {
	p := &placement{tiers: b.Tiers, locality: b.Locality, subset: b.Subset}
	for n := range p.tiers {
		p.demands = append(p.demands, p.tiers[n].demands())
	}
	if keysHavePlaces(b.Policy) {
		p.locality, p.subset = Locality{}, Subset{Off: true}
	}
	return p
}

// compares reports whether it matters what calls cost at different places.
func (p *placement) compares() bool { return p.locality.matters() }

// divide returns the parts of the nodes, the most preferred first: one where
// nothing divides them. Earlier are those of a moment ago.
func (p *placement) divide(nodes []*Node, earlier []part) []part {
	if len(p.tiers) == 0 && !p.locality.matters() {
		whole := part{distance: Anywhere, of: len(nodes), keeps: 1}
		whole.draw(p.subset, nodes, earlier)
		return []part{whole}
	}
	regional := false // somebody may be in the same region
	bins := make([]bin, (len(p.tiers)+1)*distances)
	for _, n := range nodes {
		i := n.Instance()
		tier, distance := tierOf(p.demands, i), p.locality.distance(i)
		b := &bins[tier*distances+int(distance)]
		b.nodes = append(b.nodes, n)
		b.weight += n.announced()
		regional = regional || p.locality.Region != "" && i.Region != ""
		if first := &bins[tier*distances]; distance != Anywhere && first.zones.add(place{i.Region, i.Zone}) {
			first.regions.add(place{region: i.Region})
		}
	}
	var parts []part
	for tier := range len(p.tiers) + 1 {
		levels := bins[tier*distances : (tier+1)*distances]
		keeps := room(levels, regional)
		for d, l := range levels {
			if len(l.nodes) > 0 {
				one := part{tier: tier, distance: Distance(d), of: len(l.nodes), weight: l.weight, keeps: keeps[d]}
				one.draw(p.subset, l.nodes, earlier)
				parts = append(parts, one)
			}
		}
	}
	if len(parts) == 0 {
		return []part{{distance: Anywhere, keeps: 1}}
	}
	return parts
}

// bin is the nodes of a tier at one distance. That of the least also holds the
// places of the tier.
type bin struct {
	nodes          []*Node
	weight         float64
	zones, regions places
}

// room returns the share of the calls to a tier that each of its levels has room
// for of what comes to it. All up to a level have room for as much as their
// weight is of the weight of all, for each zone or region as for any other, and
// a little more; the last has room for everything. Regions count where they are
// known.
func room(levels []bin, regional bool) []float64 {
	upTo, all := make([]float64, len(levels)), 0.0
	for d := range levels {
		all += levels[d].weight
		upTo[d] = all
	}
	alike := [distances]int{SameZone: len(levels[0].zones), SameRegion: len(levels[0].regions)}
	most := 1.0
	for d, near := range slices.Backward(upTo) {
		if near < all && (d != int(SameRegion) || regional) {
			most = min(most, overprovisioned*float64(alike[d])*near/all)
		}
		upTo[d] = most
	}
	keeps, before := make([]float64, len(levels)), 0.0
	for d := range keeps {
		if keeps[d] = 1; upTo[d] < 1 {
			keeps[d] = max(glimpse, (upTo[d]-before)/(1-before))
		}
		before = upTo[d]
	}
	return keeps
}

// places are different ones, up to a number that is as good as any above.
type places []place

type place struct{ region, zone string }

const mostPlaces = 64

// add reports whether it is new.
func (p *places) add(one place) bool {
	for _, known := range *p {
		if known.zone == one.zone && known.region == one.region {
			return false
		}
	}
	if len(*p) == mostPlaces {
		return false
	}
	*p = append(*p, one)
	return true
}
