// Package caller runs a client of a fleet for tests: a process of its own that
// makes calls in an open loop, as many a second as it was told whether or not
// they are answered, and writes down all that happens.
package caller

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/child"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// Settings are what a caller is told.
type Settings struct {
	Name      string // tells callers of one fleet apart; empty: "caller"
	Registry  fleet.Registry
	DNS       string // address of a server to use instead, which has [SRVName]
	Service   string
	Rate      float64        // calls per second
	Posts     int            // one call in so many is not idempotent; 0: none is
	Deadline  time.Duration  // of each call
	Snapshots string         // directory in which lists survive; empty: none
	Narrowed  bool           // by rules, see history.Settings
	TLS       etcdtest.Files // zero: plaintext
	Protocol  fleet.Protocol
	Cancels   int  // one call in so many is taken back while it is under way; 0: none is
	Clock     bool // its wall clock can jump
	InTurn    bool // instances are called in turn, however they do
	// Priorities are those that calls have, one after the other; empty: nothing is
	// said of them.
	Priorities []string
	// MaxAttempts of a call, if rules allow another number than 3.
	MaxAttempts int

	History string // file; Start fills it in
}

// SRVName is where instances are found by name.
const SRVName = "_{service}._tcp.mesh.test."

// Status is how the caller is right now.
type Status struct {
	Dump       fleet.Dump
	Registry   fleet.CallCount
	Started    int64 // calls
	Failed     int64
	InFlight   int64
	Goroutines int
	CPU        time.Duration // used so far, by the process
	RSS        int64         // bytes
	Replays    int64         // see fairhttp.State
	Renewals   int64         // see fairhttp.State
	Logged     int64         // lines
	Warnings   []string      // the first of them
}

// Service is the one that is called; ok is false before the first call.
func (s Status) Service() (service fleet.Service, ok bool) {
	if len(s.Dump.Services) == 0 {
		return fleet.Service{}, false
	}
	return s.Dump.Services[0], true
}

// about is what a caller says when it is ready to call.
type about struct {
	Control     string        // address
	Constructed time.Duration // how long it took to make a client
}

// Caller is one process. Its methods are for one goroutine, but for Status.
type Caller struct {
	*child.Process
	// Constructed is how long it took to make a client.
	Constructed time.Duration

	t        testing.TB
	settings Settings
	control  string
}

// Start starts a caller, which calls nobody before Load.
func Start(t testing.TB, s Settings) *Caller {
	t.Helper()
	s.Name = cmp.Or(s.Name, "caller")
	s.History = filepath.Join(t.TempDir(), "history")
	var a about
	p := child.Start(t, Role.Name, s, &a)
	return &Caller{Process: p, Constructed: a.Constructed, t: t, settings: s, control: a.Control}
}

// Learn waits until the caller has a live list, so that none of its calls is too
// early.
func (c *Caller) Learn() { c.t.Helper(); c.must("learn", nil) }

// Load begins the calls, or goes on with them.
func (c *Caller) Load() { c.t.Helper(); c.must("load", nil) }

// Pace makes so many calls a second from now on.
func (c *Caller) Pace(rate float64) { c.t.Helper(); c.must(fmt.Sprintf("pace?rate=%g", rate), nil) }

// Rest stops making calls and waits until none is in flight and no connection
// is open.
func (c *Caller) Rest() { c.t.Helper(); c.must("rest", nil) }

// Status asks the caller how it is.
func (c *Caller) Status() Status {
	c.t.Helper()
	var s Status
	c.must("status", &s)
	return s
}

// Jump sets the wall clock of the caller forward by some time, or back.
func (c *Caller) Jump(by time.Duration) { c.t.Helper(); c.must("jump?by="+by.String(), nil) }

// Starve lets the caller's own calls wait for a single core that much else wants,
// for so long.
func (c *Caller) Starve(d time.Duration) { c.t.Helper(); c.must("starve?for="+d.String(), nil) }

// Measure is Status after all free memory was given back to the system.
func (c *Caller) Measure() Status {
	c.t.Helper()
	var s Status
	c.must("measure", &s)
	return s
}

// Stop ends the calls and the caller and returns its history, in which the
// executions of all instances of the fleet are counted.
func (c *Caller) Stop(f *fleet.Fleet) *history.History {
	c.t.Helper()
	c.must("stop", nil)
	if err, ended := c.Wait(time.Minute); err != nil || !ended {
		c.t.Fatalf("the caller has ended: %t, %v", ended, err)
	}
	h, err := history.Read(c.settings.History)
	if err == nil {
		err = h.ReadExecutions(f.Executions()...)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return h
}

func (c *Caller) must(what string, answer any) {
	c.t.Helper()
	if err := c.ask(what, answer); err != nil {
		c.t.Fatalf("caller, %s: %v", what, err)
	}
}

func (c *Caller) ask(what string, answer any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.control+"/"+what, nil)
	if err != nil {
		return err
	}
	req.Close = true // leave nothing behind that would count
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, body.String())
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(body.Bytes(), answer)
}
