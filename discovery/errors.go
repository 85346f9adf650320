package discovery

import (
	"errors"
	"fmt"
)

// ErrInvalid is wrapped by every error about bad input of this package.
var ErrInvalid = errors.New("invalid")

// ErrClosed is returned by a registry, registrar or registration after its
// Close.
var ErrClosed = errors.New("discovery: closed")

// ErrUnauthorized is wrapped by the error of a registry that understood and
// refused: what is known stays in use, and it is asked again now and then.
var ErrUnauthorized = errors.New("discovery: the registry refuses access")

// ErrNoSpace is wrapped by the error of a registry that has no space left for
// a registration. It passes when somebody makes room.
var ErrNoSpace = errors.New("discovery: the registry has no space left")

// ErrNoRegistrar says that a registry can only be read.
var ErrNoRegistrar = errors.New("the registry does not register instances")

// FieldError says which field was bad, what it held and what is allowed. It
// wraps [ErrInvalid].
type FieldError struct {
	Field   string // "Instance.Weight"
	Value   any    // what the caller gave
	Allowed string // "0 (meaning 100) to 10000"
}

func (e *FieldError) Error() string {
	if s, ok := e.Value.(string); ok {
		return fmt.Sprintf("%s %q is invalid: allowed is %s", e.Field, clip(s), e.Allowed)
	}
	return fmt.Sprintf("%s %v is invalid: allowed is %s", e.Field, e.Value, e.Allowed)
}

func (e *FieldError) Unwrap() error { return ErrInvalid }

// clip keeps hostile input from filling a log line.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
