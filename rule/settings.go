package rule

import "slices"

// SettingsKind is the kind of a document that holds [Settings].
const SettingsKind = "Settings"

// Settings are what an operator says in trouble, whatever the documents of the
// services and their code say. There is one document of them for all services.
type Settings struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Metadata   Metadata     `json:"metadata,omitzero"`
	Spec       SettingsSpec `json:"spec"`
}

// SettingsSpec are the switches of all services, and of some beside.
type SettingsSpec struct {
	Switches
	Services map[string]Switches `json:"services,omitempty"`
}

// Switches take features out of service.
type Switches struct {
	// SafeMode is plain round robin over all instances wherever they are, as if no
	// document had ever been written.
	SafeMode bool `json:"safeMode,omitempty"`
	// Off are features that no document has a say in: "routes", "filters",
	// "lane", "mirror", "fault", "timeout" (also of attempts), "loadBalancer",
	// "outcomes", "onFailure", "faultTolerance", "priority", or "rules", which is all
	// of them. "outlierDetection", "healthCheck", "retries", "hedge",
	// "circuitBreaker", "limits", "concurrency", "throttle", "server", "gateway" and
	// "telemetry" are off where code set them, too. "limits" and "concurrency" are
	// those of clients, "server" is all that servers refuse.
	Off []string `json:"off,omitempty"`
}

type feature struct {
	name string
	off  func(*Spec)
}

// features are what can be switched off.
var features = [...]feature{
	{"rules", func(s *Spec) { *s = Spec{Service: s.Service} }},
	{"routes", func(s *Spec) { s.Routes = nil }},
	{"filters", func(s *Spec) { s.Filters = nil }},
	{"lane", func(s *Spec) { s.Lane = nil }},
	{"mirror", func(s *Spec) { eachRoute(s, func(r *Route) { r.Mirror = nil }) }},
	{"fault", func(s *Spec) { eachRoute(s, func(r *Route) { r.Fault = nil }) }},
	{"timeout", func(s *Spec) {
		s.Timeout, s.Retries.PerTryTimeout = 0, 0
		eachRoute(s, func(r *Route) { r.Timeout, r.Retries.PerTryTimeout = 0, 0 })
	}},
	{"loadBalancer", func(s *Spec) { s.LoadBalancer = LoadBalancer{} }},
	{"outlierDetection", func(s *Spec) { s.OutlierDetection = &OutlierDetection{Off: true} }},
	{"healthCheck", func(s *Spec) { s.HealthCheck = &HealthCheck{Off: true} }},
	{"retries", func(s *Spec) {
		s.Retries = Retries{MaxAttempts: 1}
		eachRoute(s, func(r *Route) { r.Retries = RouteRetries{} })
	}},
	{"hedge", func(s *Spec) { s.Hedge = &Hedge{Off: true}; eachRoute(s, func(r *Route) { r.Hedge = nil }) }},
	{"circuitBreaker", func(s *Spec) { s.CircuitBreaker = &CircuitBreaker{Mode: "off"} }},
	{"outcomes", func(s *Spec) { s.Outcomes = nil }},
	{"onFailure", func(s *Spec) { s.OnFailure = nil; eachRoute(s, func(r *Route) { r.OnFailure = nil }) }},
	{"faultTolerance", func(s *Spec) { s.FaultTolerance = ""; eachRoute(s, func(r *Route) { r.FaultTolerance = "" }) }},
	{"priority", func(s *Spec) { s.Priority = ""; eachRoute(s, func(r *Route) { r.Priority = "" }) }},
	{"limits", func(s *Spec) { s.Limits = []RateLimit{} }},
	{"concurrency", func(s *Spec) { s.Concurrency = []Concurrency{} }},
	{"throttle", func(s *Spec) { s.Throttle = &Throttle{Off: true} }},
	{"server", func(s *Spec) { s.Server = &Server{Off: true} }},
	{"gateway", func(s *Spec) { s.Gateway = &Gateway{Off: true} }},
	{"telemetry", func(s *Spec) { s.Telemetry.Level = "off" }},
}

// Features are the names of what can be switched off.
func Features() []string {
	names := make([]string, len(features))
	for n, f := range features {
		names[n] = f.name
	}
	return names
}

func eachRoute(s *Spec, change func(*Route)) {
	for n := range s.Routes {
		change(&s.Routes[n])
	}
}

// Concern reports whether the settings say anything of a service.
func (s Settings) Concern(service string) bool {
	of := s.Spec.Services[service]
	return s.Spec.SafeMode || of.SafeMode || len(s.Spec.Off)+len(of.Off) > 0
}

// Apply returns what is left of the policy of a service, which may be one that
// says nothing.
func (s Settings) Apply(p Policy) Policy {
	of := s.Spec.Services[p.Spec.Service]
	if s.Spec.SafeMode || of.SafeMode {
		p.Spec = Spec{Service: p.Spec.Service, LoadBalancer: LoadBalancer{Algorithm: "round-robin", LocalityPreference: "none"}}
	}
	p.Spec.Routes = slices.Clone(p.Spec.Routes)
	for _, f := range features { // "rules" before those that set something
		if slices.Contains(s.Spec.Off, f.name) || slices.Contains(of.Off, f.name) {
			f.off(&p.Spec)
		}
	}
	return p
}
