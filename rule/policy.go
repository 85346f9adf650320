package rule

// The form of the documents that this version reads.
const (
	APIVersion = "fairlead/v1alpha1"
	Kind       = "ServicePolicy"

	// Edition is that of the form which this version reads. It is raised with
	// every addition to the form, so that whoever writes a document can tell
	// whether its readers know all of it. A process that announces none is of a
	// version that obeys no rules.
	Edition = 1
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
func (p Policy) Edition() int { return 1 } // nothing was added so far

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
	// Routes are tried in their order, and the first that matches a call is
	// its route. A call that none matches goes to all instances.
	Routes []Route `json:"routes,omitempty"`
	// Timeout bounds each call, together with its own deadline; the least
	// counts. A route may say another.
	Timeout Duration `json:"timeout,omitzero"`
	Retries Retries  `json:"retries,omitzero"`
	// LoadBalancer says how one of several instances is chosen.
	LoadBalancer LoadBalancer `json:"loadBalancer,omitzero"`
	Telemetry    Telemetry    `json:"telemetry,omitzero"`
}

// Subset is the instances that have all of some labels. An instance's labels
// are its metadata, and version, zone and region.
type Subset struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}

// Route is what is said of some of the calls.
type Route struct {
	Name string `json:"name,omitempty"`
	// Match is how calls look that it is for: like one of these. None: any.
	Match []Match `json:"match,omitempty"`
	// Route is where they go: to one of these, by their weights. None: to all
	// instances.
	Route []Destination `json:"route,omitempty"`
	// HashOn makes the choice among destinations depend on something of the
	// call, so that calls alike in it go the same way: "header:NAME",
	// "query:NAME", "baggage:NAME" or "key", which is what code said the call is
	// about. A call without it is sent by chance.
	HashOn string `json:"hashOn,omitempty"`
	// Fallback is the subset that takes the place of a destination without
	// instances. Empty: all instances do.
	Fallback string `json:"fallback,omitempty"`
	// Strict says that nothing takes its place: the call fails.
	Strict  bool         `json:"strict,omitempty"`
	Timeout Duration     `json:"timeout,omitzero"`
	Retries RouteRetries `json:"retries,omitzero"`
}

// Destination is a subset, or all instances where it names none. The weights
// of a route's destinations add up to 100.
type Destination struct {
	Subset string `json:"subset,omitempty"`
	Weight int    `json:"weight"`
}

// Match is how a call looks: all that is said has to hold.
type Match struct {
	// Method is that of HTTP, or POST for gRPC.
	Method string `json:"method,omitempty"`
	// Path is that of the URL, or /package.Service/Method for gRPC.
	Path *Text `json:"path,omitempty"`
	// Headers are those of HTTP, or the metadata of gRPC. Case does not matter
	// in their names.
	Headers map[string]Text `json:"headers,omitempty"`
	// Query are the parameters of the URL.
	Query map[string]Text `json:"query,omitempty"`
	// Caller is the name of the service that calls.
	Caller *Text `json:"caller,omitempty"`
	// Baggage is the W3C baggage of the call.
	Baggage map[string]Text `json:"baggage,omitempty"`
}

// Text is how a text looks. Exactly one field is set.
type Text struct {
	Exact  string `json:"exact,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	// Regex is in the syntax of package regexp and has to match the whole.
	Regex string `json:"regex,omitempty"`
	// Present says that there is one at all, be it empty.
	Present bool `json:"present,omitempty"`
}

// Retries bound what is tried again.
type Retries struct {
	// MaxAttempts counts all tries of a call, the first among them: 1 is no
	// retry. 0: what code said.
	MaxAttempts int    `json:"maxAttempts,omitempty"`
	Budget      Budget `json:"budget,omitzero"`
}

// RouteRetries is what a route may say of retries.
type RouteRetries struct {
	MaxAttempts int `json:"maxAttempts,omitempty"`
}

// Budget bounds the retries of all calls together.
type Budget struct {
	// Ratio is how many retries there may be to 100 calls, such as 20%.
	Ratio Percent `json:"ratio,omitzero"`
	// MinPerSecond is how many there may be however few calls there are.
	MinPerSecond int `json:"minPerSecond,omitempty"`
}

// LoadBalancer says how one of several instances is chosen.
type LoadBalancer struct {
	// Algorithm is "p2c-ewma", "least-request" or "round-robin"; empty: what
	// code said.
	Algorithm string `json:"algorithm,omitempty"`
}

// Telemetry says how much is measured.
type Telemetry struct {
	// Level is "off", "metrics" or "full"; empty: what code said. What code
	// turned off stays off.
	Level string `json:"level,omitempty"`
}
