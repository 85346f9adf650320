package transport_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// All state is one value that marshals to JSON (law: nothing fails silently).
func TestDumpTellsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		instances := fairleadtest.Instances("orders", "a", "b")
		instances[0].Zone, instances[0].Version, instances[0].Weight = "z1", "v7", 200
		instances[1].Draining = true
		fleet := fairleadtest.NewFleet(instances...)
		m := newMesh(t, stated{fleet}, inTurn())
		fleet.Play("a", fairleadtest.OK().After(20*time.Millisecond))
		if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
			t.Fatal(err)
		}
		fleet.Play("a", fairleadtest.Refused(), fairleadtest.Hung())
		lost := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { lost <- m.Do(ctx, get(), fleet.Door(m)) }()
		synctest.Wait()
		fleet.Fail(errDown)
		if _, err := m.Register(t.Context(), fairleadtest.Instances("users", "me")[0]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)

		text, err := json.Marshal(m.Dump())
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		<-lost
		var d map[string]any
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		s := d["services"].([]any)[0].(map[string]any)
		i := s["instances"].([]any)
		a, b := i[0].(map[string]any), i[1].(map[string]any)
		stats := a["stats"].(map[string]any)
		r := d["registrations"].([]any)[0].(map[string]any)
		attempts := s["attempts"].(map[string]any)
		for _, v := range []struct {
			what      string
			got, want any
		}{
			{"service", s["service"], "orders"},
			{"state", s["state"], "stale"},
			{"age", s["ageNs"], float64(time.Minute)},
			{"trouble", s["trouble"], "etcd is down"},
			{"instances", len(i), 2},
			{"id", a["id"], "a"},
			{"addr", a["addr"], instances[0].Addr},
			{"zone", a["zone"], "z1"},
			{"version", a["version"], "v7"},
			{"weight", a["weight"], 200.0},
			{"default weight", b["weight"], float64(discovery.DefaultWeight)},
			{"draining", b["draining"], true},
			{"not draining", a["draining"], nil},
			{"latency", stats["latencyNs"], float64(20 * time.Millisecond)},
			{"outstanding", stats["outstanding"], 1.0},
			{"failing", stats["failing"], 0.25},
			{"successes", attempts["success"], 1.0},
			{"lost", attempts["lost"], 1.0},
			{"retries", s["retries"], 1.0},
			{"budget", s["budgetRemaining"], 100.0},
			{"budget refused", s["budgetRefused"], 0.0},
			{"registration", r["service"].(string) + "/" + r["id"].(string), "users/me"},
			{"registered", r["registered"], false},
			{"registry", d["registry"], "connected to nobody"},
		} {
			if v.got != v.want {
				t.Errorf("%s is %v, want %v", v.what, v.got, v.want)
			}
		}
		if oldest := stats["oldestNs"].(float64); oldest < float64(59*time.Second) {
			t.Errorf("the oldest call is %v old", time.Duration(oldest))
		}
		if r["reason"] == nil {
			t.Error("nothing says why the registration is not there")
		}
	})
}

// stated is a registry that can say how it is.
type stated struct{ *fairleadtest.Fleet }

func (stated) State() any { return "connected to nobody" }

// A dump before the first call is empty lists, not nulls; services come in
// order.
func TestDumpIsOrderly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, orders())
		if text, err := json.Marshal(m.Dump()); err != nil || string(text) != `{"services":[],"registrations":[],"sharedBudgetRemaining":100}` {
			t.Errorf("got %s, %v", text, err)
		}
		for _, name := range []string{"users", "carts", "orders"} {
			m.Do(canceled(), &transport.Call{Service: name}, never(t))
		}
		var got strings.Builder
		for _, s := range m.Dump().Services {
			got.WriteString(s.Service + " ")
		}
		if got.String() != "carts orders users " {
			t.Errorf("services are %s", got.String())
		}
	})
}

func TestDumpOfMalformedAndIgnoredRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := make(scripted)
		m := newMesh(t, registry)
		s := snapshotOf(discovery.Live)
		s.Refused, s.Refusals = 1, []discovery.Refusal{{Key: "orders/x", Reason: "not JSON"}}
		s.Instances[0].Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "unix:/run/a.sock"}}
		go registry.say(s, nil)
		knowing(t, m)
		if d := service(t, m); d.Refused != 1 || len(d.Refusals) != 1 || d.Refusals[0].Reason != "not JSON" || d.Ignored != 1 {
			t.Errorf("got %+v", d)
		}
	})
}
