package sim

// Tally counts what calls to a service cost. It is
//
//	Attempts = Executions + Refused + Full + Unbegun
type Tally struct {
	Attempts   int64
	Executions int64 // that a server began, also those that it answered with an error
	Refused    int64 // attempts that found no server
	Full       int64 // attempts that a server did not begin, since it had too much to do
	Unbegun    int64 // attempts that were given up before a server began them
	Stopped    int64 // executions that a server did not end, since its caller had left

	// Withheld are attempts that were not made, since the limits of their client kept
	// it from that.
	Withheld  int64
	Retries   int64 // attempts that follow others
	Unpaid    int64 // retries that the budget did not pay for
	Hedges    int64 // attempts that raced others
	HedgesWon int64
	Unhedged  int64 // calls that were late, and not sent again
}

// arrived counts an attempt at its server.
func (t *Tally) arrived(how ending) {
	switch how {
	case refused:
		t.Refused++
	case overloaded:
		t.Full++
	default:
		t.Executions++
	}
}
