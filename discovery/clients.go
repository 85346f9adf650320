package discovery

import (
	"context"
	"iter"
	"time"
)

// MaxClients bounds Clients.Clients.
const MaxClients = 10_000

// Client is a process that calls a service, as it shows itself to the others.
type Client struct {
	ID string `json:"id"`
	// Self says that it is the process that asks.
	Self bool `json:"self,omitempty"`
	// Demand is how many calls it would make in a second under each shared limit,
	// by the limit's name, whether or not they are let through. A name that is
	// missing, and thus nil, means that it has shown nothing of that. It is not
	// written to once handed out.
	Demand map[string]float64 `json:"demand,omitempty"`
}

// Clients are all that call a service at one moment. It is never written to once
// handed out.
type Clients struct {
	Service string `json:"service"`
	// Revision, State and AsOf are as in a [Snapshot].
	Revision int64     `json:"revision"`
	State    State     `json:"state"`
	AsOf     time.Time `json:"asOf,omitzero"`
	// Clients is sorted by ID, without duplicates. Number is how many there are,
	// which may be more: at most [MaxClients] are kept.
	Clients []Client `json:"clients"`
	Number  int      `json:"number"`
	// Refused counts the records that were skipped as malformed. They are no
	// clients.
	Refused int `json:"refused,omitempty"`
}

// ClientWatcher is a [Registry] that also tells who calls a service.
// Implementations are safe for concurrent use.
type ClientWatcher interface {
	// WatchClients yields all clients of a service that show themselves, at once
	// or as soon as they are known, and again whenever that changed. Errors,
	// states and the end of the sequence are those of [Registry].Watch. Whether
	// this process is among them depends on whether it shows itself.
	WatchClients(ctx context.Context, service string) iter.Seq2[Clients, error]
}

// DemandReporter is a [Registry] that can show the others how many calls this
// process would make. Implementations are safe for concurrent use.
type DemandReporter interface {
	// ReportDemand shows this process as a client of a service, with its demand,
	// in calls per second under each shared limit by its name; what is not finite
	// or below 0 is left out. It does not wait: of several reports the last counts.
	// An empty map shows a client that has nothing to say yet, nil ends that.
	ReportDemand(service string, demand map[string]float64)
}
