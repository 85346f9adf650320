// Package history is what happened in a scenario, as it was recorded, and the
// rules that it must have kept whatever went wrong. Nothing is judged while it
// happens: a client writes down every call and every attempt, its registry every
// list, the instances every execution, and the rules read it all afterwards.
package history

import (
	"slices"
	"time"
)

// History is one run of one client.
type History struct {
	Settings     Settings
	Publications []Publication
	Lists        []List
	Calls        []Call // in the order of their ends
	End          End
	// Executions counts how often the instances executed each call, by its ID.
	Executions map[int64]int
	// Aliases are further IDs under which instances are listed, and who they are.
	Aliases map[string]string
	// Tardy is how long after a check the client may read the clock, having no CPU.
	Tardy time.Duration
}

// Settings are what the client was told.
type Settings struct {
	Caller string    // its name
	Began  time.Time // all moments below count from here
	Rate   float64   // calls per second, in the beginning
	// Narrowed says that rules send calls to some of the instances, so that lists
	// are made of parts of what was published.
	Narrowed bool
	// Gated says that calls can go only to those of a list that are connected.
	Gated bool
	// MaxAttempts, Ratio, PerSecond and Reserve are the retry budget: attempts
	// ≤ (1 + Ratio) × calls + PerSecond × seconds + Reserve.
	MaxAttempts        int
	Ratio              float64
	PerSecond, Reserve float64
}

// Publication is a snapshot that the registry handed to the client.
type Publication struct {
	At       time.Duration
	Revision int64
	State    string
	Serving  []string // IDs, sorted
	Draining []string
	Refused  int
	Err      string
	Took     time.Duration // the client, until it was in use
}

// Names reports whether an instance is in the snapshot.
func (p Publication) Names(id string) bool {
	return slices.Contains(p.Serving, id) || slices.Contains(p.Draining, id)
}

// List is a set of instances that calls were served from.
type List struct {
	At        time.Duration
	Number    int      // from 1, in the order of their making
	Instances []string // IDs, sorted
	// Held are those among them that were kept although the registry no longer
	// names them.
	Held []string
}

// Call is one call from its start to its end.
type Call struct {
	ID         int64 // from 1
	Idempotent bool
	Priority   string        // empty: nothing was said
	Start, End time.Duration // End is 0 where there was none
	Deadline   time.Duration
	Cancelled  time.Duration // when the caller took it back; 0: it did not
	Answered   string        // ID of the instance whose answer the caller got
	Err        string        // empty: the call succeeded
	Stage      string        // of the error
	// NoInstances, TimedOut and Maybe are what the error says.
	NoInstances, TimedOut, Maybe bool
	Attempts                     []Attempt
}

// Attempt is one attempt of a call that went to an instance.
type Attempt struct {
	Instance   string
	Start, End time.Duration // End is 0 where there was none
	Ends       int           // how often it ended
	List       int           // number of the list that it was picked from
	Outcome    string
}

// Made returns the attempts of c that the client made. Where gRPC finds that a
// connection is gone before it was used, it picks again by itself: what was picked
// then had nothing sent to it, is neutral, and another follows.
func (c Call) Made() []Attempt {
	var made []Attempt
	for i, a := range c.Attempts {
		if a.Outcome != "neutral" || i == len(c.Attempts)-1 {
			made = append(made, a)
		}
	}
	return made
}

// End is how the client was when it was stopped, with no call under way.
type End struct {
	Started     int64          // calls
	Due         float64        // calls that were to be made, by the rates it was told
	Outstanding map[string]int // attempts in flight by instance, as the client's mesh counts
}

// Failed returns the calls that ended in an error.
func (h *History) Failed() []Call {
	var failed []Call
	for _, c := range h.Calls {
		if c.Err != "" {
			failed = append(failed, c)
		}
	}
	return failed
}

// Attempts counts those of all calls.
func (h *History) Attempts() int {
	n := 0
	for _, c := range h.Calls {
		n += len(c.Attempts)
	}
	return n
}

// Moment is t as the history tells it.
func (h *History) Moment(t time.Time) time.Duration { return t.Sub(h.Settings.Began) }
