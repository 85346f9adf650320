package transport

import (
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// StageLimit is that of a call which a limit of this process refused. Its error
// wraps a [*Refusal].
const StageLimit Stage = "limit"

// Refusal is why a limit refuses a call, at the client before it is sent or at the
// server before it is worked on. It wraps one of the errors of package ratelimit,
// or [ErrNoTime].
type Refusal struct {
	// Limit is the name of the limit, as the rules or code have it.
	Limit    string
	Priority ratelimit.Priority // of the call
	// RetryAfter is when the next call has a chance; 0: not known.
	RetryAfter time.Duration
	Err        error
}

func (r *Refusal) Error() string {
	if r.Limit == "" {
		return r.Err.Error()
	}
	return fmt.Sprintf("limit %q: %v", r.Limit, r.Err)
}

// Unwrap returns what kind of limit it is.
func (r *Refusal) Unwrap() error { return r.Err }
