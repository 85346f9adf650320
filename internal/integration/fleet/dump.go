package fleet

import (
	"encoding/json"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// Dump is what the parent reads of a transport.Dump that came as JSON.
type Dump struct {
	Services      []Service
	Admissions    []Admission
	Registrations []discovery.RegistrationState
	Registry      json.RawMessage
}

// Service is a service as a caller sees it.
type Service struct {
	Service         string
	State           string
	Revision        int64
	Age             time.Duration `json:"ageNs"`
	Trouble         string
	Instances       []Node
	Refused         int
	Refusals        []discovery.Refusal
	Dropped         int
	Rules           Rules
	Ignored         int
	Forbidden       int
	Preserved       struct{ Held, Returned int64 }
	Attempts        map[string]int64
	Retries         int64
	BudgetRemaining int
	BudgetRefused   int64
	Ejections       map[string]int64
}

// Admission is what an instance takes on.
type Admission struct {
	Revision int64 // of the rules in force
	Limits   *struct{ Limits []Limit }
}

// Limit is one of its limits.
type Limit struct {
	Name, Kind string
	Refused    []int64 // calls, by priority
}

// Refused adds up the calls that an instance did not take on.
func (d *Dump) Refused() (n int64) {
	for _, a := range d.Admissions {
		if a.Limits == nil {
			continue
		}
		for _, l := range a.Limits.Limits {
			for _, one := range l.Refused {
				n += one
			}
		}
	}
	return n
}

// Rules are those of a service as a caller sees them.
type Rules struct {
	Revision, RefusedRevision, Refusals int64
	Live                                bool
	Refused, Origin                     string
}

// Node is an instance as a caller sees it.
type Node struct {
	ID       string
	Draining bool
	Stats    struct{ Outstanding int }
	Outage   *struct{ Reason string } // nil: it is not passed over
}
