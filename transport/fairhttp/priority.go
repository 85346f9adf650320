package fairhttp

import (
	"maps"
	"net/http"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
)

// TrustPriority believes requests that say they are critical, as the [Priority]
// header does. It is for listeners whose clients are trusted: with others, every
// call would soon be. Without it such a request counts as any other, and next does
// not see the header, which it might pass on. That a request is sheddable is
// believed of everybody.
func TrustPriority() HandlerOption { return func(h *handler) { h.trustPriority = true } }

// priorityOf reads the Priority header. What cannot be read says nothing.
func priorityOf(h http.Header) ratelimit.Priority {
	values := h[Priority]
	if len(values) == 0 {
		return ratelimit.Default
	}
	p, _ := ratelimit.ParsePriority(values[0])
	return p
}

// believe returns the priority of a request, and the request as next is to see it,
// whose calls have that priority as well.
func (h *handler) believe(r *http.Request) (*http.Request, ratelimit.Priority) {
	switch p := priorityOf(r.Header); {
	case p == ratelimit.Default:
		return r, p
	case p > ratelimit.Default && !h.trustPriority:
		r = r.WithContext(r.Context()) // a copy: the header is the server's
		r.Header = maps.Clone(r.Header)
		r.Header.Del(Priority)
		return r, ratelimit.Default
	default:
		return r.WithContext(transport.WithCall(r.Context(), transport.OnBehalfOf(p))), p
	}
}
