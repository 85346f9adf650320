package balancer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/fairlead-go/fairlead/discovery"
)

// Tier is the instances that have all of some labels, as in
// [discovery.Instance.Label]. Calls prefer tiers in their order: an instance is
// of the first that it has the labels of, and those of none are the last tier.
//
// As long as most of a tier is well, all calls go to it. From then on it gets
// what its health says, and the next gets the rest. Health is the share that is
// well, by weight, times 1.4, and at most one: a tier is taken to have that much
// to spare, so that it passes nothing on before less than 5/7 of it are well.
// Where all tiers together are not healthy enough, each gets calls as its health
// is of the sum, and those below the threshold panic. Names, algorithm and the
// factor of 1.4 are those of Envoy's priority levels.
//
// A policy that gives keys a place chooses the tier by the key, too, so that
// only keys move whose tier lost their share.
type Tier struct {
	Name   string // as in documents, metrics and dumps
	Labels map[string]string
}

// MaxTiers is how many tiers there may be.
const MaxTiers = 16

// validateTiers reports a bad one as a [*discovery.FieldError].
func validateTiers(tiers []Tier) error {
	if len(tiers) > MaxTiers {
		return &discovery.FieldError{Field: "len(Tiers)", Value: len(tiers), Allowed: fmt.Sprintf("at most %d", MaxTiers)}
	}
	for n, t := range tiers {
		if len(t.Labels) == 0 {
			return &discovery.FieldError{Field: fmt.Sprintf("Tiers[%d].Labels", n), Value: "", Allowed: "at least one: those of no tier are the last by themselves"}
		}
	}
	return nil
}

// tierOf returns the number of an instance's tier, given what each tier asks
// for.
func tierOf(tiers []demands, i *discovery.Instance) int {
	for n := range tiers {
		if tiers[n].meets(i) {
			return n
		}
	}
	return len(tiers)
}

// demands are labels in an order, which is faster to go through than a map.
type demands []struct{ name, value string }

func (t *Tier) demands() (all demands) {
	for _, name := range slices.Sorted(maps.Keys(t.Labels)) {
		all = append(all, struct{ name, value string }{name, t.Labels[name]})
	}
	return all
}

func (d demands) meets(i *discovery.Instance) bool {
	for n := range d {
		if have, ok := i.Label(d[n].name); !ok || have != d[n].value {
			return false
		}
	}
	return true
}

// overprovisioned is how much of the calls of all a level can take, beyond what
// comes to it.
const overprovisioned = 1.4

// healthOf is the health of a level of which so much is well.
func healthOf(well, of float64) float64 {
	if !(well > 0) {
		return 0
	}
	return min(1, overprovisioned*well/of)
}

// fill returns the share of the calls that each level gets, by the health of
// each, the preferred first: as much as its health while there are any left.
// Enough says that there is health for all. Where there is none the first gets
// everything.
func fill(health []float64) (shares []float64, enough bool) {
	shares = make([]float64, len(health))
	sum := 0.0
	for _, h := range health {
		sum += h
	}
	if len(health) > 0 && sum == 0 {
		shares[0] = 1
		return shares, false
	}
	left := 1.0
	for i, h := range health {
		shares[i] = min(left, h/min(1, sum))
		left -= shares[i]
	}
	return shares, sum >= 1
}
