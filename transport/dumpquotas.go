package transport

import (
	"maps"
	"slices"

	"github.com/fairlead-go/fairlead/discovery"
)

// SharedLimitDump is the part that this process has of a limit which all clients of
// a service share.
type SharedLimitDump struct {
	Name string `json:"name"`
	// Number is what all have together, Share what this process has of it, and
	// Demand what it would make use of, in calls per second.
	Number float64 `json:"number"`
	Share  float64 `json:"share"`
	Demand float64 `json:"demand"`
	// Clients is among how many the number is divided, this process included. State
	// says how that is known: "live"; "stale", from before the registry fell silent;
	// or "alone": the registry said nothing yet, or never does, and it is those that
	// were last known on disk and this one.
	Clients int    `json:"clients"`
	State   string `json:"state"`
	// Absent counts those of the clients who vanished within the last seconds.
	Absent  int    `json:"absent,omitempty"`
	Trouble string `json:"trouble,omitempty"` // the registry's last complaint
}

func (q *quotas) dump() []SharedLimitDump {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []SharedLimitDump
	for _, name := range slices.Sorted(maps.Keys(q.all)) {
		one := q.all[name]
		d := SharedLimitDump{
			Name: name, Number: one.config.Rate, Share: one.Share(), Demand: one.Demand(),
			Clients: q.roster.size(), State: q.roster.state.String(), Absent: len(q.roster.absent),
		}
		if q.roster.state == discovery.Cold {
			d.Clients, d.State = q.kept+1, "alone"
		}
		if q.trouble != nil {
			d.Trouble = q.trouble.Error()
		}
		all = append(all, d)
	}
	return all
}
