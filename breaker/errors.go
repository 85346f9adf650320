package breaker

import "errors"

// ErrOpen is what every rejection is, by errors.Is: the breaker is open, or half
// open with all its probes out, or forced open. The first and the last are
// gobreaker.ErrOpenState too, the second is gobreaker.ErrTooManyRequests.
var ErrOpen = errors.New("circuit breaker is open")

// rejection is made once for a breaker, so that to reject allocates nothing.
type rejection struct {
	text  string
	cause error // gobreaker's word for it
}

func (r *rejection) Error() string { return r.text }

func (r *rejection) Is(target error) bool { return target == ErrOpen || target == r.cause }
