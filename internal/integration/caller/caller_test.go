package caller_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/caller"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
)

func TestMain(m *testing.M) { etcdtest.Main(m, fleet.Role, caller.Role) }

// What happened is what the history says: calls of both kinds, attempts that
// failed and those that followed, the lists, and the executions.
func TestHistoryTellsWhatHappened(t *testing.T) {
	t.Parallel()
	registry := fleet.Registry{Endpoints: []string{etcdtest.Start(t).Endpoint()}, TTL: 10 * time.Second}
	f := fleet.New(t, registry, "orders", time.Millisecond)
	all := f.Start(2)
	c := caller.Start(t, caller.Settings{
		Registry: registry, Service: "orders", Rate: 50, Posts: 2, Deadline: 10 * time.Second,
		InTurn: true, // a policy that looks at latency may leave the victim alone until its lease has ended
	})
	c.Learn()
	await(t, c, "both instances", func(s caller.Status) bool { return len(called(s).Instances) == len(all) })
	c.Load()
	await(t, c, "calls", func(s caller.Status) bool { return s.Started >= 100 })
	victim := all[0]
	c.Rest() // or the one call that its death breaks off is a post, which is not made again
	victim.Kill()
	c.Load() // the victim stays on the list until its lease ends
	await(t, c, "a retry", func(s caller.Status) bool { return called(s).Retries > 0 })
	c.Rest()
	if s := c.Status(); s.InFlight != 0 || s.Started < 100 {
		t.Errorf("at rest: %+v", s)
	}

	h := c.Stop(f)
	for _, v := range h.Check() {
		t.Error(v)
	}
	posts, lost := 0, 0
	for _, call := range h.Calls {
		if !call.Idempotent {
			posts++
		}
		for _, a := range call.Attempts {
			if a.Instance == victim.ID && a.Outcome == "lost" {
				lost++
			}
		}
	}
	if n := len(h.Calls); posts < n/3 || posts > 2*n/3 || lost == 0 {
		t.Errorf("of %d calls %d are posts, %d attempts were lost at the dead instance", n, posts, lost)
	}
	if len(h.Executions) < len(h.Calls)-len(h.Failed()) {
		t.Errorf("%d calls were executed, and %d succeeded", len(h.Executions), len(h.Calls)-len(h.Failed()))
	}
}

func called(s caller.Status) fleet.Service {
	seen, _ := s.Service()
	return seen
}

func await(t *testing.T, c *caller.Caller, what string, is func(caller.Status) bool) {
	t.Helper()
	for began := time.Now(); !is(c.Status()); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("still not: %s; %+v", what, c.Status())
		}
	}
}
