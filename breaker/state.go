package breaker

import "github.com/sony/gobreaker/v2"

// State is where a breaker is in its circle.
type State uint8

// The numbers are those of gobreaker.
const (
	// Closed: calls pass and are counted.
	Closed = State(gobreaker.StateClosed)
	// HalfOpen: a few calls are let through to find out whether it may close.
	HalfOpen = State(gobreaker.StateHalfOpen)
	// Open: calls are rejected. It stays that, also when OpenFor is over, until a
	// call asks to be let through.
	Open = State(gobreaker.StateOpen)
)

var stateNames = [...]string{"closed", "half-open", "open"}

func (s State) String() string { return nameOf(stateNames[:], int(s)) }

// MarshalText makes a state readable in JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// epoch numbers the stays in a state, from one change to the next: the state in
// the lowest two bits, above them how many changes there were. A ticket carries
// that of its beginning.
type epoch uint64

func (e epoch) state() State { return State(e & 3) }

func (e epoch) next(s State) epoch { return (e>>2+1)<<2 | epoch(s) }
