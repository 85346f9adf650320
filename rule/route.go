package rule

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
	// "cookie:NAME", "query:NAME", "baggage:NAME" or "key", which is what code said the call is
	// about. A call without it is sent by chance.
	HashOn string `json:"hashOn,omitempty"`
	// Fallback is the subset that takes the place of a destination without
	// instances, or all of whose instances fail, and that takes the last attempt
	// of a call that may be retried. Empty: all instances do.
	Fallback string `json:"fallback,omitempty"`
	// Strict says that nothing takes its place: the call fails.
	Strict bool `json:"strict,omitempty"`
	// What follows is as it is for the service, and comes before that.
	Timeout        Duration     `json:"timeout,omitzero"`
	Idempotent     *bool        `json:"idempotent,omitempty"`
	Retries        RouteRetries `json:"retries,omitzero"`
	Hedge          *Hedge       `json:"hedge,omitempty"`
	FaultTolerance string       `json:"faultTolerance,omitempty"`
	OnFailure      *OnFailure   `json:"onFailure,omitempty"`
	Priority       string       `json:"priority,omitempty"`
	// Mirror sends copies of calls to some instances, whose answers are thrown
	// away.
	Mirror *Mirror `json:"mirror,omitempty"`
	// Fault makes calls slow or fail, to see how the caller takes it.
	Fault *Fault `json:"fault,omitempty"`
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

// Mirror says which calls are copied, and where to. A copy is sent beside the
// call, with its body if that is small and can be read again, is never retried,
// and neither delays nor fails the call.
type Mirror struct {
	// Subset gets the copies; empty: all instances do.
	Subset string `json:"subset,omitempty"`
	// Percent is how many of the calls are copied, above 0%.
	Percent Percent `json:"percent"`
}

// Fault says how calls are to suffer: the delay first, then the abort. Each
// draws for itself.
type Fault struct {
	Delay *Delay `json:"delay,omitempty"`
	Abort *Abort `json:"abort,omitempty"`
}

// Delay makes calls wait before they are sent.
type Delay struct {
	FixedDelay Duration `json:"fixedDelay"`
	Percent    Percent  `json:"percent"` // of calls, above 0%
}

// Abort makes calls fail without being sent.
type Abort struct {
	// HTTPStatus is that of the answer over HTTP, from 400 to 599; 0: 503.
	HTTPStatus int `json:"httpStatus,omitempty"`
	// GRPCStatus is the name of the code over gRPC, such as "NOT_FOUND"; empty:
	// UNAVAILABLE.
	GRPCStatus string  `json:"grpcStatus,omitempty"`
	Percent    Percent `json:"percent"` // of calls, above 0%
}
