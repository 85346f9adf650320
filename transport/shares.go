package transport

import "github.com/fairlead-go/fairlead/balancer"

// placed is a part of the instances as metrics name it.
type placed struct {
	tier     string
	distance balancer.Distance
}

// sharesOf returns which share of a service's calls each tier and distance gets.
// It is the mean over the protocols that differ: by protocol, which instances
// name, the metric would be without bound. What rules narrow down further is in
// the dump only, since lanes come from instances, too.
func sharesOf(view *balancer.View) map[placed]float64 {
	shares, choices := map[placed]float64{}, map[*balancer.Choice]bool{}
	for _, c := range view.Choices() {
		choices[c] = true
	}
	for c := range choices {
		for _, p := range c.Parts() {
			shares[placed{p.Tier, p.Distance}] += p.Share / float64(len(choices))
		}
	}
	return shares
}
