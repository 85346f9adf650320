package balancer

import (
	"cmp"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// Protection keeps a pool from believing that most of a service died at one
// moment, which registries say when it is they who have trouble: one that was
// paused lets all leases expire at once, one that was wiped knows nobody. It
// is the self-preservation of Netflix Eureka on the side of the client, with
// the client's own calls as witnesses. The zero value is the default.
//
// Instances that vanish from the list, when more than Share of the largest
// list within Window and at least Least of them did, or when none is left at
// all, are suspects: they are held in the view, and chosen like any other. So
// are those that vanished earlier within Window, since a registry tells of a
// thousand expiries one by one. A suspect is let go of
//
//   - when it is on the list again, which ends the hold;
//   - when another instance on the list has its address;
//   - when a connection to it does not come about, or calls fail and none has
//     succeeded since it is held;
//   - when it was held for Hold, not counting the time in which the registry
//     could not be heard. Until then one that is not called, or whose streams
//     have not ended, is given the benefit of the doubt.
//
// An instance that was draining when it was last seen left on purpose: it is
// never missed, so that a service can be scaled to zero. Neither are single
// instances that vanish among many.
type Protection struct {
	// Off lets every list apply at once, whatever it says.
	Off bool
	// Share of the largest list within Window that may vanish; 0 means 0.3.
	Share float64
	// Least is how many may not vanish together; 0 means 3. It does not matter
	// when none is left.
	Least int
	// Window is how long ago an instance vanishes together with another that
	// does now; 0 means 30 s.
	Window time.Duration
	// Hold is how long a suspect is held at most; 0 means 10 min.
	Hold time.Duration
}

// Validate reports a bad field as a [*discovery.FieldError].
func (p Protection) Validate() error {
	if !(p.Share >= 0 && p.Share <= 1) {
		return &discovery.FieldError{Field: "Protection.Share", Value: p.Share, Allowed: "0 (meaning 0.3) to 1"}
	}
	if p.Least < 0 {
		return &discovery.FieldError{Field: "Protection.Least", Value: p.Least, Allowed: "0 (meaning 3) or more"}
	}
	if p.Window < 0 {
		return &discovery.FieldError{Field: "Protection.Window", Value: p.Window, Allowed: "0 (meaning 30s) or more"}
	}
	if p.Hold < 0 {
		return &discovery.FieldError{Field: "Protection.Hold", Value: p.Hold, Allowed: "0 (meaning 10m0s) or more"}
	}
	return nil
}

func (p Protection) withDefaults() Protection {
	p.Share = cmp.Or(p.Share, 0.3)
	p.Least = cmp.Or(p.Least, 3)
	p.Window = cmp.Or(p.Window, 30*time.Second)
	p.Hold = cmp.Or(p.Hold, 10*time.Minute)
	return p
}

// suspicious is the decision: of a list that had at most peak instances within
// the window, and now has left, so many are missed.
func (p Protection) suspicious(missed, peak, left int) bool {
	if left == 0 {
		return missed > 0
	}
	return missed >= p.Least && float64(missed) > p.Share*float64(peak)
}

// Preserved counts instances that were held, and what became of them. What is
// missing in the sum is held still.
type Preserved struct {
	Held     int64 `json:"held"`     // ever
	Returned int64 `json:"returned"` // to the list
	Replaced int64 `json:"replaced"` // by another instance at the same address
	Gone     int64 `json:"gone"`     // as their calls showed
	Expired  int64 `json:"expired"`  // held for as long as allowed
}
