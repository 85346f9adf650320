package breaker

import (
	"context"
	"errors"
)

// Do calls f if b lets it through, and returns what f returned; if not, the error
// is [ErrOpen]. [Judge] says what the error of f means. A panic in f counts as a
// failure and goes on.
func Do[T any](b *Breaker, f func() (T, error)) (T, error) {
	ticket, err := b.Allow()
	if err != nil {
		var zero T
		return zero, err
	}
	outcome := Failure // of a panic
	defer func() { ticket.Done(outcome) }()
	value, err := f()
	outcome = Judge(err)
	return value, err
}

// Judge says what an error means: nil is a Success. That the caller gave up
// (context.Canceled), or that a breaker further in rejected the call ([ErrOpen]),
// is Neutral, wrapped or not. Everything else is a Failure, and so is a deadline
// that passed.
func Judge(err error) Outcome {
	switch {
	case err == nil:
		return Success
	case errors.Is(err, context.Canceled), errors.Is(err, ErrOpen):
		return Neutral
	}
	return Failure
}
