package fairhttp

import (
	"net/http"

	"github.com/fairlead-go/fairlead/ratelimit"
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
