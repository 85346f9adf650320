package balancer

import (
	"fmt"
	"strings"

	"github.com/fairlead-go/fairlead/discovery"
)

// Locality is where this process is, and which instances it prefers for that.
// The zero value is nowhere, and prefers none.
//
// Instances are of three levels: in the same zone, else in the same region, else
// elsewhere. One that does not say where it is counts as elsewhere: the others
// are near for sure. So several registries can be used together of which some
// know no zones. A zone of the same name is the same zone unless both regions
// are known and differ.
//
// Calls stay as near as they can. What a level passes on to the next is the
// most of three:
//
//   - what its health says, as between tiers, see [Tier];
//   - what its capacity says, to begin with. Nobody knows how many clients are in
//     a zone, so all zones with instances are taken to have as many. A zone that
//     has less than its part of the weight of all, again by a factor of 1.4, would
//     be overloaded, and passes on the rest. There is no least number of
//     instances, as Envoy's 6: that is for a zone whose few instances would be
//     overloaded, which is what is reckoned with here.
//   - what calls cost, once that is measured: about once a second the latency
//     and the failures of calls to a level are compared with those of calls that
//     go further. Where they cost 1.5 times as much, up to 30 % of what the level
//     keeps is passed on; but 2 % where those further on are dearer than they were
//     before, too, so that two zones do not flee into each other. Where they cost
//     less than 1.1 times as much, 2 % are taken back; in between nothing moves. A
//     level keeps at least 2 %, by which its recovery is seen.
//
// What calls cost further on is not known while none go there. To learn it, 2 %
// of the calls go to the next level at first and every five minutes, until a
// dozen have, and 10 % while the level is in trouble. Those calls go even further
// only where the next level is no better than the one in trouble.
type Locality struct {
	// Region and Zone are where this process is, in the words of the instances;
	// "" is not known.
	Region, Zone string
	// Prefer is how near instances are to be; the zero value is the same zone.
	Prefer Preference
}

// Preference says which instances are preferred for where they are.
type Preference uint8

const (
	// PreferZone: those of the same zone, then those of the same region.
	PreferZone Preference = iota
	// PreferRegion: those of the same region.
	PreferRegion
	// PreferNone: none.
	PreferNone
)

var preferenceNames = [...]string{"zone", "region", "none"}

func (p Preference) String() string {
	if int(p) < len(preferenceNames) {
		return preferenceNames[p]
	}
	return "unknown"
}

// MarshalText makes a preference readable in JSON.
func (p Preference) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Validate reports a bad field as a [*discovery.FieldError].
func (l Locality) Validate() error {
	if l.Prefer > PreferNone {
		return &discovery.FieldError{Field: "Locality.Prefer", Value: uint8(l.Prefer), Allowed: "PreferZone, PreferRegion or PreferNone"}
	}
	for _, f := range [...]struct{ field, value string }{{"Locality.Region", l.Region}, {"Locality.Zone", l.Zone}} {
		bad := func(c rune) bool { return c < ' ' || c > '~' }
		if len(f.value) > discovery.MaxMetaBytes || strings.ContainsFunc(f.value, bad) {
			return &discovery.FieldError{Field: f.field, Value: f.value, Allowed: fmt.Sprintf("at most %d bytes of visible ASCII and spaces, as instances have", discovery.MaxMetaBytes)}
		}
	}
	return nil
}

// Distance is how far an instance is.
type Distance uint8

const (
	// SameZone counts as SameRegion where the region is preferred.
	SameZone Distance = iota
	SameRegion
	// Elsewhere is any other place, or one that is not known.
	Elsewhere
	// Anywhere is where distances do not matter.
	Anywhere

	distances = iota
)

var distanceNames = [distances]string{"zone", "region", "elsewhere", "anywhere"}

func (d Distance) String() string {
	if int(d) < len(distanceNames) {
		return distanceNames[d]
	}
	return "unknown"
}

// MarshalText makes a distance readable in JSON.
func (d Distance) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// matters reports whether instances can be at different distances.
func (l Locality) matters() bool {
	return l.Prefer == PreferZone && l.Zone != "" || l.Prefer != PreferNone && l.Region != ""
}

func (l Locality) distance(i *discovery.Instance) Distance {
	known := l.Region != "" && i.Region != ""
	switch {
	case !l.matters():
		return Anywhere
	case l.Prefer == PreferZone && l.Zone != "" && i.Zone == l.Zone && (!known || i.Region == l.Region):
		return SameZone
	case l.Prefer != PreferNone && known && i.Region == l.Region:
		return SameRegion
	}
	return Elsewhere
}
