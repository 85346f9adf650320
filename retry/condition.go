package retry

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
)
