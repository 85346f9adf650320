package rule

import (
	"reflect"
	"slices"
	"strings"
)

// The form of the documents that this version reads.
const (
	APIVersion = "fairlead/v1alpha1"
	Kind       = "ServicePolicy"

	// Edition is that of the form which this version reads. It is raised with
	// every addition to the form, so that whoever writes a document can tell
	// whether its readers know all of it. A process that announces none is of a
	// version that obeys no rules.
	Edition = 4
)

// Policy is the document of one service. The zero value of each part says
// nothing, and what code set, or fairlead's default, holds.
//
// These structs are the form of the document: their JSON is what stands in
// etcd, and what a file in YAML says in another way.
type Policy struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata,omitzero"`
	Spec       Spec     `json:"spec"`
}

// Edition is the least edition of the form whose readers can read p.
func (p Policy) Edition() int {
	l := p.Spec.LoadBalancer
	first := LoadBalancer{Algorithm: l.Algorithm}
	keys := []string{}
	for _, r := range p.Spec.Routes {
		keys = append(keys, r.HashOn)
	}
	if p.Spec.Lane != nil {
		keys = append(keys, p.Spec.Lane.Key)
	}
	cookies := slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, "cookie:") })
	if p.Spec.limits() || p.Spec.Priority != "" || slices.ContainsFunc(p.Spec.Routes, func(r Route) bool { return r.Priority != "" }) {
		return 4
	}
	if p.Spec.CircuitBreaker != nil || p.Spec.Outcomes != nil || p.Spec.terms().third() || slices.ContainsFunc(p.Spec.Routes, func(r Route) bool { return r.terms().third() }) {
		return 3
	}
	if !reflect.DeepEqual(l, first) || slices.Index(algorithms[:], l.Algorithm) >= algorithmsOfFirst || p.Spec.OutlierDetection != nil || p.Spec.HealthCheck != nil || cookies {
		return 2
	}
	return 1
}

// limits reports whether anything is said of how many calls there may be.
func (s *Spec) limits() bool {
	return s.Limits != nil || s.Concurrency != nil || s.Throttle != nil || s.Server != nil || s.Gateway != nil
}

// Metadata is for people and their tools.
type Metadata struct {
	Name   string            `json:"name,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Spec is what is said of the calls to a service.
type Spec struct {
	Service string `json:"service"`
	// Subsets name some of the instances, for routes to send calls to.
	Subsets []Subset `json:"subsets,omitempty"`
	// Filters narrow the instances that calls may go to, each those that the
	// ones before it left.
	Filters []Filter `json:"filters,omitempty"`
	// Lane keeps the calls of a lane among its instances, and the others among
	// those of none.
	Lane *Lane `json:"lane,omitempty"`
	// Routes are tried in their order, and the first that matches a call is
	// its route. A call that none matches goes to all instances.
	Routes []Route `json:"routes,omitempty"`
	// Timeout bounds each call, together with its own deadline; the least
	// counts. A route may say another.
	Timeout Duration `json:"timeout,omitzero"`
	// Idempotent says whether calls may be executed twice. Absent: as code says,
	// and as doors do. A route may say another.
	Idempotent *bool   `json:"idempotent,omitempty"`
	Retries    Retries `json:"retries,omitzero"`
	// Hedge says when calls are sent a second time before there is an answer.
	Hedge *Hedge `json:"hedge,omitempty"`
	// CircuitBreaker says when calls are rejected.
	CircuitBreaker *CircuitBreaker `json:"circuitBreaker,omitempty"`
	// Outcomes say how answers are judged. Of those that list a code the first
	// holds.
	Outcomes []Outcome `json:"outcomes,omitempty"`
	// FaultTolerance is what becomes of a call whose attempt failed, in Dubbo's
	// words: "failover" tries it elsewhere, as retries say; "failfast" does not;
	// "failsafe" does not either, and gives the caller an empty answer; "broadcast"
	// sends it to every instance, and fails if one does; "available" is failover
	// without balancing, to the first instance that is well. Empty: "failover". A
	// route may say another.
	FaultTolerance string `json:"faultTolerance,omitempty"`
	// OnFailure is what the caller gets instead of an error.
	OnFailure *OnFailure `json:"onFailure,omitempty"`
	// Priority is that of calls of which nothing is said, neither by code nor by the
	// call during which they are made: "sheddable", which are refused first,
	// "default" or "critical", which are refused last. Empty: "default". A route may
	// say another.
	Priority string `json:"priority,omitempty"`
	// Limits say how many calls are sent in a time: each must have its turn in all
	// that it matches. Absent: as code says. An empty list is none, whatever code
	// said.
	Limits []RateLimit `json:"limits,omitzero"`
	// Concurrency says how many calls are in flight, as Limits do.
	Concurrency []Concurrency `json:"concurrency,omitzero"`
	// Throttle says when calls are not sent since the service refuses too many.
	Throttle *Throttle `json:"throttle,omitempty"`
	// Server is what servers of the service let in.
	Server *Server `json:"server,omitempty"`
	// Gateway is a service through which calls go instead.
	Gateway *Gateway `json:"gateway,omitempty"`
	// LoadBalancer says how one of several instances is chosen.
	LoadBalancer LoadBalancer `json:"loadBalancer,omitzero"`
	// OutlierDetection says who is passed over for a while.
	OutlierDetection *OutlierDetection `json:"outlierDetection,omitempty"`
	// HealthCheck says how often instances are probed, where code says by what.
	HealthCheck *HealthCheck `json:"healthCheck,omitempty"`
	Telemetry   Telemetry    `json:"telemetry,omitzero"`
}

// Subset is the instances that have all of some labels. An instance's labels
// are its metadata, and id, addr, version, zone and region, which come before
// metadata of that name.
type Subset struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}

// Telemetry says how much is measured.
type Telemetry struct {
	// Level is "off", "metrics" or "full"; empty: what code said. What code
	// turned off stays off.
	Level string `json:"level,omitempty"`
}
