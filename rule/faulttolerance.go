package rule

// FaultTolerance is what becomes of a call whose attempt failed: the names of
// Dubbo's cluster modes.
type FaultTolerance uint8

const (
	Failover  FaultTolerance = iota // it is tried elsewhere, as retries say
	Failfast                        // the caller has the error at once
	Failsafe                        // likewise, but the caller has no error, and an empty answer
	Broadcast                       // it goes to every instance; one failure fails it
	Available                       // as Failover, to the first instance that is available
)

var faultTolerances = [...]string{Failover: "failover", Failfast: "failfast", Failsafe: "failsafe", Broadcast: "broadcast", Available: "available"}

// String is as in a document.
func (f FaultTolerance) String() string { return faultTolerances[f] }
