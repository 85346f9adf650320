package fairhttp

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
)

// The headers that say something of a call to the server.
const (
	// Attempt is the number of an attempt, from the second on: the server sees the
	// call perhaps for the first time, and the client does not.
	Attempt = "Fairlead-Attempt"
	// Timeout is how many milliseconds the client still waits, see
	// [Config].SendTimeout and [TrustTimeout].
	Timeout = "Fairlead-Timeout-Ms"
	// Priority is how important the call is, "critical" or "sheddable", and absent
	// where it is neither. A request that is passed on and says one already counts
	// as a call that is made for one of that priority, see [transport.OnBehalfOf].
	Priority = "Fairlead-Priority"
	// Caller names the service that calls, see [Config].SendCaller. It is what the
	// client says, and nobody's proof.
	Caller = "Fairlead-Caller"
	// ForService names the service that a call is for, where it was sent to another in
	// its place, as to a gateway.
	ForService = "Fairlead-Service"
)

// mark writes what a request says beside what its caller does. The caller's header
// is copied only where there is something to write.
func (x *exchange) mark(ctx context.Context, req *http.Request) {
	copied := false
	header := func() http.Header {
		if !copied {
			copied = true
			// The values stay the caller's: what is set here replaces them.
			if req.Header = maps.Clone(req.Header); req.Header == nil {
				req.Header = http.Header{}
			}
		}
		return req.Header
	}
	if b := transport.BaggageHeader(ctx); b != "" && len(valuesOf(req.Header, "Baggage")) == 0 {
		header().Set("Baggage", b)
	}
	if n := x.call.Tries(); n > 1 {
		header().Set(Attempt, strconv.Itoa(n))
	}
	switch p := x.call.Priority; {
	case p == priorityOf(req.Header):
	case p == ratelimit.Default:
		header().Del(Priority)
	default:
		header().Set(Priority, p.String())
	}
	if x.transport.config.SendCaller {
		if name := x.transport.mesh.Caller(); name != "" {
			header().Set(Caller, name)
		}
	}
	if x.call.Origin != "" {
		header().Set(ForService, x.call.Origin)
	}
	if !x.transport.config.SendTimeout || x.call.Stream {
		return
	}
	if deadline, ok := x.call.Deadline(ctx); ok {
		rest := max(0, time.Until(deadline))
		if said, ok := timeoutOf(req.Header); ok { // a request that is passed on
			rest = min(rest, said)
		}
		header().Set(Timeout, strconv.FormatInt(rest.Milliseconds(), 10))
	}
}

// longestTimeout is the longest that is believed.
const longestTimeout = 24 * time.Hour

// timeoutOf reads the Timeout header; ok is false if there is none that can be
// read.
func timeoutOf(h http.Header) (rest time.Duration, ok bool) {
	values := h[Timeout]
	if len(values) == 0 {
		return 0, false
	}
	ms, err := strconv.ParseUint(values[0], 10, 32)
	if rest = time.Duration(ms) * time.Millisecond; err != nil || rest > longestTimeout {
		return 0, false
	}
	return rest, true
}
