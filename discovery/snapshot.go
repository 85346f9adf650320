package discovery

import (
	"slices"
	"strings"
	"time"
)

// State says how far a snapshot can be trusted.
type State uint8

const (
	// Cold: no list was ever obtained. Instances is empty and says nothing.
	Cold State = iota
	// Live: the registry said so, and the connection to it stands.
	Live
	// Stale: the last good list, kept while the registry cannot be heard.
	Stale
)

var stateNames = [...]string{"cold", "live", "stale"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// MarshalText makes a state readable in JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Snapshot is the complete set of instances of one service at one moment. It
// and all it points to are never written to once handed out.
type Snapshot struct {
	Service string `json:"service"`
	// Revision grows with the registry's history. Of two snapshots of one
	// watch the later never has the smaller revision, unless the registry
	// itself lost its history.
	Revision int64 `json:"revision"`
	State    State `json:"state"`
	// AsOf is when the registry was last known to say this.
	AsOf time.Time `json:"asOf,omitzero"`
	// Instances is sorted by ID, without duplicates. An instance that did not
	// change keeps its pointer from one snapshot of a registry to the next, so
	// that readers can tell what changed without looking into each.
	Instances []*Instance `json:"instances"`
	// Refused counts the records that were skipped as malformed, Refusals says
	// why, at most MaxRefusals of them.
	Refused  int       `json:"refused,omitempty"`
	Refusals []Refusal `json:"refusals,omitempty"`
	// Dropped counts the metadata entries that were left out of records which
	// are otherwise sound, see [SanitizeMeta]; Drops says of which, at most
	// MaxRefusals of them.
	Dropped int       `json:"dropped,omitempty"`
	Drops   []Refusal `json:"drops,omitempty"`
}

// stale returns s as the last good list of a registry that can no longer be
// heard and was known to say this at asOf.
func (s Snapshot) stale(asOf time.Time) Snapshot {
	if s.State == Live {
		s.State, s.AsOf = Stale, asOf
	}
	return s
}

// MaxRefusals bounds Snapshot.Refusals, and other lists of what was refused.
const MaxRefusals = 8

// Refusal is one record that was skipped, or not taken as a whole.
type Refusal struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// List returns copies of instances as a Snapshot wants them: sorted by ID.
func List(instances ...Instance) []*Instance {
	list := make([]*Instance, len(instances))
	for n := range instances {
		list[n] = new(instances[n])
	}
	Sort(list)
	return list
}

// Sort orders instances as a Snapshot wants them.
func Sort(instances []*Instance) {
	slices.SortFunc(instances, func(a, b *Instance) int { return strings.Compare(a.ID, b.ID) })
}
