package fairhttp

import (
	"context"
	"maps"
	"net/http"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
)

// HandlerOption says more of a [Handler].
type HandlerOption func(*handler)

// TrustTimeout has the handler's context end when the client no longer waits, as
// the [Timeout] header says: the calls that are made with it then have no more time
// than whoever waits for them. It can only shorten. It is for listeners whose
// clients are trusted: others could have their requests given up in the middle of
// what they do. A request whose time is up is answered 504 and not handled; what
// cannot be read is passed over.
func TrustTimeout() HandlerOption { return func(h *handler) { h.trustTimeout = true } }

// Handler returns a handler that takes the W3C baggage and the priority of a request
// into its context, so that the calls which next makes with that context carry them
// on: that is how a lane goes along from one service to the next, and how the calls
// that are made for a sheddable one are sheddable as well. Baggage is what the
// client says; whoever does not trust its clients removes it before. A priority above
// the ordinary takes [TrustPriority].
func Handler(next http.Handler, options ...HandlerOption) http.Handler {
	h := &handler{next: next}
	for _, o := range options {
		o(h)
	}
	return h
}

type handler struct {
	next          http.Handler
	trustTimeout  bool
	trustPriority bool
	admission     *transport.Admission // nil: all are taken on
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, carries := r.Context(), false
	if values := r.Header["Baggage"]; len(values) > 0 {
		ctx, carries = transport.WithBaggage(ctx, values...), true
	}
	priority := priorityOf(r.Header)
	doubted := priority > ratelimit.Default && !h.trustPriority
	if doubted {
		priority = ratelimit.Default
	}
	if priority != ratelimit.Default {
		ctx, carries = transport.WithCall(ctx, transport.OnBehalfOf(priority)), true
	}
	if h.trustTimeout {
		if rest, ok := timeoutOf(r.Header); ok {
			if rest == 0 {
				http.Error(w, "the client does not wait any more", http.StatusGatewayTimeout)
				return
			}
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, rest)
			defer cancel()
			carries = true
		}
	}
	if carries || doubted {
		r = r.WithContext(ctx) // a copy
	}
	if doubted {
		r.Header = maps.Clone(r.Header) // it is the server's
		r.Header.Del(Priority)
	}
	if h.admission != nil {
		h.admit(w, r, priority)
		return
	}
	h.next.ServeHTTP(w, r)
}
