package ratelimit

import "strconv"

// Priority says which calls are refused first. Those of Google's SRE book are
// four; three are what callers can tell apart.
type Priority int8

const (
	// Sheddable calls are refused first: bulk traffic that can be sent later, or
	// not at all.
	Sheddable Priority = iota - 1
	// Default is what a call has of which nothing is said.
	Default
	// Critical calls are refused last.
	Critical

	// NumberOfPriorities is how many there are.
	NumberOfPriorities = iota
)

var priorityNames = [NumberOfPriorities]string{"sheddable", "default", "critical"}

// ParsePriority reads the name of a priority.
func ParsePriority(name string) (p Priority, ok bool) {
	for i, n := range priorityNames {
		if n == name {
			return Sheddable + Priority(i), true
		}
	}
	return Default, false
}

// Index numbers the priorities from 0, the least important, on. One that does not
// exist counts as the nearest that does.
func (p Priority) Index() int { return int(min(max(p, Sheddable), Critical) - Sheddable) }

// String is "sheddable", "default" or "critical".
func (p Priority) String() string {
	if p < Sheddable || p > Critical {
		return strconv.Itoa(int(p))
	}
	return priorityNames[p.Index()]
}

// MarshalText makes a priority readable in JSON.
func (p Priority) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
