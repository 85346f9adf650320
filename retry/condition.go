package retry

import "strings"

// Condition is a set of ways in which an attempt may have failed.
type Condition uint8

const (
	// ConnectFailure: nothing of it reached a server.
	ConnectFailure Condition = 1 << iota
	// Reset: the connection was lost before an answer; it may have been executed.
	Reset
	// TimedOut: its own time was up before an answer; it may have been executed.
	TimedOut
	// Overload: the server answered that it has too much to do.
	Overload
	// ServerFailure: the server answered with a fault of its own.
	ServerFailure

	conditions = iota // how many there are
)

// unanswered are the failures of which no server has said anything.
const unanswered = ConnectFailure | Reset | TimedOut

var conditionNames = [conditions]string{"connect-failure", "reset", "timeout", "overload", "server-failure"}

// String names what the set holds, in a fixed order: "connect-failure,reset". An
// empty set is "none".
func (c Condition) String() string {
	if c == 0 {
		return "none"
	}
	var names []string
	for i, name := range conditionNames {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if c>>conditions != 0 {
		names = append(names, "unknown")
	}
	return strings.Join(names, ",")
}

// ParseCondition returns the one condition of that name: connect-failure, reset,
// timeout, overload or server-failure.
func ParseCondition(name string) (Condition, bool) {
	for i, known := range conditionNames {
		if name == known {
			return 1 << i, true
		}
	}
	return 0, false
}
