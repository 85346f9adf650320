package transport

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// ChoiceDump is how an instance is chosen for calls of one protocol.
type ChoiceDump struct {
	Policy string `json:"policy"`
	// Settings are those of the policy that are set, if any is, in JSON.
	Settings  json.RawMessage `json:"settings,omitempty"`
	Mode      balancer.Mode   `json:"mode"`
	Instances int             `json:"instances"` // that can be reached
	Called    int             `json:"called"`    // of those: fewer where a subset is drawn
	Well      int             `json:"well"`      // of those called
	Eligible  int             `json:"eligible"`  // of those called; all of them in a panic
	// Parts are the tiers and distances that the calls are divided among, the most
	// preferred first, if they are.
	Parts []PartDump `json:"parts,omitempty"`
}

// PartDump is some of the instances, of the same tier and at the same distance,
// see [balancer.Part].
type PartDump struct {
	Tier      string            `json:"tier,omitempty"` // "": of none
	Distance  balancer.Distance `json:"distance"`
	Instances int               `json:"instances"`
	Called    int               `json:"called"`
	Well      int               `json:"well"`
	Eligible  int               `json:"eligible"`
	Share     float64           `json:"share"` // of the calls, now
	Mode      balancer.Mode     `json:"mode"`
}

func dumpChoice(policy balancer.Policy, c *balancer.Choice) ChoiceDump {
	d := ChoiceDump{
		Policy: policy.String(), Settings: settingsOf(policy), Mode: c.Mode(),
		Instances: len(c.Nodes), Called: len(c.Called()), Well: c.Well, Eligible: len(c.Eligible),
	}
	parts := c.Parts()
	if len(parts) < 2 {
		return d
	}
	for _, p := range parts {
		d.Parts = append(d.Parts, PartDump{p.Tier, p.Distance, p.Instances, len(p.Called), p.Well, len(p.Eligible), p.Share, p.Mode})
	}
	return d
}

// SelectionDump is how an instance is chosen for calls that rules narrow down to
// some of the instances.
type SelectionDump struct {
	Subset   string             `json:"subset,omitempty"`  // "": all
	Filters  []string           `json:"filters,omitempty"` // that match the calls, by name
	Lane     string             `json:"lane,omitempty"`    // "": none
	Protocol discovery.Protocol `json:"protocol"`
	ChoiceDump
}

// dumpSelections returns those that calls asked for not long ago, in an order.
func (c *course) dumpSelections() (all []SelectionDump) {
	for _, s := range c.used(balancer.Now()) {
		if s.choice == nil {
			continue
		}
		d := SelectionDump{Lane: s.narrowing.Lane(), Protocol: s.protocol, ChoiceDump: dumpChoice(c.view.Policy(), s.choice)}
		d.Subset, d.Filters = c.table.Describe(s.narrowing)
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b SelectionDump) int {
		return cmp.Or(strings.Compare(a.Subset, b.Subset), slices.Compare(a.Filters, b.Filters), strings.Compare(a.Lane, b.Lane), cmp.Compare(a.Protocol, b.Protocol))
	})
	return all
}

// settingsOf returns what is set of a policy that is a plain value. One that is a
// pointer may change meanwhile, and is left alone.
func settingsOf(p balancer.Policy) json.RawMessage {
	if v := reflect.ValueOf(p); v.Kind() != reflect.Struct || v.IsZero() {
		return nil
	}
	text, err := json.Marshal(p)
	if err != nil || string(text) == "{}" { // it is somebody's own
		return nil
	}
	return text
}
