package retry

import "time"

// Ended is how an attempt ended, as far as the decision about another one needs
// to know.
type Ended struct {
	// How is the one way in which it failed. 0: none of them; it succeeded, was
	// given up by its own caller, or was answered with what is no fault of a server.
	How Condition
	// Code is the answer: an HTTP status or the number of a gRPC code. 0: there
	// was none.
	Code int
	// Idempotent says that a server may execute the call twice.
	Idempotent bool
	// RetryAfter is how long the server asked to be left alone: Retry-After of
	// RFC 9110, or a gRPC push-back (gRFC A6). 0 or less: it did not ask.
	RetryAfter time.Duration
	// Stop says that the server asked for no other attempt at all: a negative
	// push-back.
	Stop bool
}
