package discoverytest_test

import (
	"strings"

	"github.com/fairlead-go/fairlead/discovery"
)

// brokenCarriers do not do what their harness says of them, or have a harness
// that says too little.
func brokenCarriers() []broken {
	return []broken{
		{
			name:     "nothing beyond what it can carry",
			carries:  addrAndWeight,
			registry: carrying(addrAndWeight),
			skips:    []string{"Change/DrainingArrives"},
		},
		{
			name:    "carries less than it is said to",
			fails:   []string{"Registry/InstanceArrivesWhole"},
			carries: addrAndWeight,
			registry: carrying(func(i discovery.Instance) discovery.Instance {
				i = addrAndWeight(i)
				i.Weight = min(i.Weight, 2*discovery.DefaultWeight)
				return i
			}),
			skips: []string{"Change/DrainingArrives"},
		},
		{
			name:    "carries more than it is said to",
			fails:   []string{"Registry/InstanceArrivesWhole", "Registrar/RegisterArrives"},
			carries: addrAndWeight,
			registry: carrying(func(i discovery.Instance) discovery.Instance {
				zone := i.Zone
				i = addrAndWeight(i)
				i.Zone = zone
				return i
			}),
			skips: []string{"Change/DrainingArrives"},
		},
		{
			name:     "is said to carry no address",
			fails:    []string{"Harness/CarriesWhatItMust"},
			carries:  withoutAddr,
			registry: carrying(withoutAddr),
		},
		{
			name:     "is said to give two the same id",
			fails:    []string{"Harness/CarriesWhatItMust"},
			carries:  sameID,
			registry: carrying(sameID),
		},
	}
}

// carrying alters each instance on its way.
func carrying(alter func(discovery.Instance) discovery.Instance) func(*discovery.Memory) discovery.Registry {
	return each(func(_ int, _, s discovery.Snapshot) (discovery.Snapshot, bool) {
		s = edited(s, func(i *discovery.Instance) { *i = alter(*i) })
		discovery.Sort(s.Instances)
		return s, true
	})
}

// addrAndWeight is what DNS carries.
func addrAndWeight(i discovery.Instance) discovery.Instance {
	id := strings.NewReplacer("[", "", "]", "").Replace(i.Addr)
	return discovery.Instance{ID: id, Service: i.Service, Addr: i.Addr, Weight: i.Weight}
}

func withoutAddr(i discovery.Instance) discovery.Instance {
	i.Addr = ""
	return i
}

func sameID(i discovery.Instance) discovery.Instance {
	if strings.HasPrefix(i.Addr, "[") {
		i.ID = "i001"
	}
	return i
}
