package fairhttp

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
)

// Refused is the header of an answer of a [Handler] that took the request not on. It
// says what kind of limit there is: "rate", "concurrency" or "deadline".
const Refused = "Fairlead-Refused"

// Admit has a [Handler] take on only what its server can work on, as [transport.Admission]
// decides, the more important first (see [TrustPriority]). What is refused is answered
// at once, and its body is not read, save for what net/http takes off an HTTP/1
// connection to use it again, which are 64 KiB at most:
//
//   - 429 where too many requests come,
//   - 503 where too many are worked on,
//   - 504 where the answer would come too late, which is known of a deadline that is
//     told and trusted (see [TrustTimeout]),
//
// with a Retry-After header where it is known when to come again, rounded up to whole
// seconds, and with [Refused]. Clients of this package count all of them as overload.
//
// A request is worked on until next returns, be it by a panic, also where it took the
// connection over. How long it took teaches a limit that learns, save for event streams,
// upgrades, and those whose client went away. The writer of the answer stays as it
// is, so what status next answers with is not looked at.
func Admit(a *transport.Admission) HandlerOption { return func(h *handler) { h.admission = a } }

// admit has next work on a request, or refuses it.
func (h *handler) admit(w http.ResponseWriter, r *http.Request, p ratelimit.Priority) {
	stream := isUpgrade(r) || isEventStream(r)
	admitted, err := h.admission.Admit(r.Context(), transport.Arrival{
		Method: wellKnown(r.Method), Priority: p, Stream: stream, Request: arrived{r},
	})
	if err != nil {
		refuse(w, r, err)
		return
	}
	end := transport.Neutral // of a panic
	defer func() { admitted.Done(end) }()
	h.next.ServeHTTP(w, r)
	if !stream {
		end = ended(w, r)
	}
}

// ended says what the end of a request teaches.
func ended(w http.ResponseWriter, r *http.Request) transport.Class {
	switch err := r.Context().Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		return transport.Timeout
	case err != nil:
		return transport.Neutral
	}
	if kinds := w.Header()["Content-Type"]; len(kinds) > 0 && strings.HasPrefix(kinds[0], "text/event-stream") {
		return transport.Neutral
	}
	return transport.Success
}

// wellKnown returns the method of a request, and one word for those that clients
// make up, as OpenTelemetry does.
func wellKnown(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	default:
		return "_OTHER"
	}
}

// mostRefusedBody is how long a body may be that is taken off its connection, so that
// this can be used again.
const mostRefusedBody = 64 << 10

// refuse answers a request that was not taken on.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	kind, status := "concurrency", http.StatusServiceUnavailable
	switch {
	case errors.Is(err, ratelimit.ErrRate):
		kind, status = "rate", http.StatusTooManyRequests
	case errors.Is(err, transport.ErrNoTime), errors.Is(err, context.DeadlineExceeded):
		kind, status = "deadline", http.StatusGatewayTimeout
	}
	w.Header().Set(Refused, kind)
	if is, ok := errors.AsType[*transport.Refusal](err); ok && is.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((is.RetryAfter+time.Second-1)/time.Second), 10))
	}
	// Over HTTP/1, net/http reads up to 256 KiB of the body before it answers, unless
	// the connection ends with that. Below some length, a handshake costs more.
	if r.ProtoMajor == 1 && (r.ContentLength < 0 || r.ContentLength > mostRefusedBody) {
		w.Header().Set("Connection", "close")
	}
	http.Error(w, err.Error(), status)
}
