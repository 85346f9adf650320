package ratelimit

import "errors"

// Why a call is refused. None of them says anything of the service it was for.
var (
	// ErrRate: as many calls as are allowed came within the time.
	ErrRate = errors.New("rate limit reached")
	// ErrConcurrency: as many calls as are allowed are in flight.
	ErrConcurrency = errors.New("concurrency limit reached")
	// ErrThrottled: the service refuses so many calls that some are not sent.
	ErrThrottled = errors.New("throttled, since the service refuses too many calls")
)
