package scenario

import (
	"slices"

	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// Trial is a world that is played in several ways.
type Trial struct {
	Name string
	// Load is what comes in the trouble, as a share of what can be done without it.
	Load    float64
	Trouble Trouble
	Arms    []Arm
}

// Arm is one of them.
type Arm struct {
	Name string
	Plan sim.Plan
}

// limited is a plan without limits, with those of clients, with those of servers, and
// with both.
func limited(p sim.Plan) []Arm {
	return []Arm{
		{"none", p}, {"client", with(p, clientLimits)}, {"server", with(p, serverLimits)}, {"both", with(p, clientLimits, serverLimits)},
	}
}

// clientLimits makes clients not send what would be refused, and learn how many calls
// each instance can have. Many have each instance in common, so that each begins with
// little, and may come down to one call.
func clientLimits(p *sim.Plan) {
	p.Limits = sim.Limits{Throttle: &ratelimit.ThrottleConfig{}, Instance: &ratelimit.AdaptiveConfig{Min: 1, Initial: 4}}
}

// serverLimits makes servers learn how many calls they can have, and refuse others, as
// they do by default.
func serverLimits(p *sim.Plan) {
	p.Fleet = slices.Clone(p.Fleet)
	for i := range p.Fleet {
		p.Fleet[i].Admission = sim.Admission{Concurrency: &ratelimit.ConcurrencyConfig{Adaptive: &ratelimit.AdaptiveConfig{Alone: true}}, Deadlines: true}
	}
}

// surge is so many times what can be done, from one moment until another; before it
// and after it is half.
func surge(times float64, t Trouble) sim.Traffic {
	return sim.Traffic{Load: 0.5, Steps: []sim.Step{{At: t.From, Load: times}, {At: t.Until, Load: 0.5}}}
}
