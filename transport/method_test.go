package transport_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// taking makes calls of a method that take so long, with time enough.
func taking(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet, method string, d time.Duration, times int) {
	t.Helper()
	fleet.Play("a", fairleadtest.OK().After(d))
	for range times {
		if err := within(t, m, fleet, method, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
}

// within makes a call that has so much time.
func within(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet, method string, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return m.Do(ctx, &transport.Call{Service: "orders", Method: method, Protocol: discovery.HTTP}, fleet.Door(m))
}

func isHopeless(err error) bool {
	e, ok := errors.AsType[*transport.Error](err)
	return ok && e.Stage == transport.StageDeadline
}

// Fault row 43, a millisecond left for what takes twenty: nothing is picked, nobody
// is judged, and no time passes.
func TestRow43ACallWithTooLittleTimeIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := knowing(t, newMesh(t, fleet, transport.WithBreaker(rule.PerInstance, breakerAfter(1))))
		taking(t, m, fleet, "Get", 20*time.Millisecond, 20)
		time.Sleep(time.Second)
		fleet.Play("a", fairleadtest.OK())
		within(t, m, fleet, "Get", 0) // is over, and uses up nothing
		fleet.Play("a", fairleadtest.OK().After(20*time.Millisecond))
		if err := within(t, m, fleet, "Get", time.Millisecond); isHopeless(err) {
			t.Errorf("one a second finds out: %v", err)
		}
		fleet.Forget()
		before, begun := service(t, m), time.Now()
		err := within(t, m, fleet, "Get", time.Millisecond)
		e := asError(t, err)
		if !isHopeless(err) || e.Class != transport.Timeout || !e.Timeout() || !errors.Is(err, context.DeadlineExceeded) || e.Attempts != 0 || e.MaybeExecuted {
			t.Errorf("error is %+v", e)
		}
		after := service(t, m)
		if time.Since(begun) != 0 || len(fleet.Called()) != 0 || after.BudgetRemaining != before.BudgetRemaining || after.Instances[0].Stats != before.Instances[0].Stats {
			t.Errorf("it left traces: %+v", after)
		}
		if after.Hopeless != 1 || after.Methods[0].Method != "Get" || after.Methods[0].Least != 20*time.Millisecond {
			t.Errorf("the dump says %+v", after.AttemptsDump)
		}
		for what, err := range map[string]error{
			"enough":                    within(t, m, fleet, "Get", 20*time.Millisecond+1),
			"a method nobody knows yet": within(t, m, fleet, "List", 21*time.Millisecond),
		} {
			if isHopeless(err) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// Nothing is known for ever: one call a second finds out whether the method has
// become faster.
func TestAMethodThatBecameFasterIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := knowing(t, newMesh(t, fleet))
		taking(t, m, fleet, "Get", 20*time.Millisecond, 20)
		if err := within(t, m, fleet, "Get", time.Millisecond); isHopeless(err) {
			t.Errorf("the first is to find out, and takes too long: %v", err)
		}
		fleet.Play("a", fairleadtest.OK()) // it has become faster
		begun, refused := time.Now(), 0
		for isHopeless(within(t, m, fleet, "Get", time.Millisecond)) {
			refused++
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(begun); refused < 2 || took > time.Second {
			t.Errorf("%d calls were refused, for %v", refused, took)
		}
		if err := within(t, m, fleet, "Get", time.Millisecond); err != nil {
			t.Errorf("it is known to be fast: %v", err)
		}
	})
}

// A retry that comes too late is not made either, and the answer is handed out.
func TestNoRetryInLessThanTheLeastTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := knowing(t, newMesh(t, fleet))
		taking(t, m, fleet, "Get", 20*time.Millisecond, 20)
		fleet.Play("a", fairleadtest.Refused().After(15*time.Millisecond))
		fleet.Forget()
		if err := within(t, m, fleet, "Get", 30*time.Millisecond); !errors.Is(err, transport.ErrNoTime) || len(fleet.Called()) != 1 {
			t.Errorf("called %v: %v", fleet.Called(), err)
		}
	})
}

// Methods that callers make up cost no memory without end, and no call fails for it.
func TestMethodsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		log := new(logged)
		m := knowing(t, newMesh(t, fleet, transport.WithBreaker(rule.PerMethod, breakerAfter(1)), log.option()))
		for n := range 1500 {
			if err := within(t, m, fleet, fmt.Sprint("m", n), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		d := service(t, m)
		if len(d.Methods) != 1000 || d.Breakers.States["closed"] != 1000 {
			t.Errorf("%d methods, %v breakers", len(d.Methods), d.Breakers.States)
		}
		if d.Unknown != 2*500 || log.lines("too many methods") != 1 {
			t.Errorf("%d times something was asked of those beyond, and %d lines say so", d.Unknown, log.lines("too many methods"))
		}
	})
}

// Rules that change leave what is known of methods, save of routes that are gone.
func TestRulesKeepWhatIsKnownOfMethods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a")
		reads := rule.Route{Name: "reads", Match: []rule.Match{{Method: "Get"}}, Route: to("v1").Route}
		m := obeying(t, g, ordersPolicy(reads, to("v1")))
		g.Play("v1-a", fairleadtest.OK().After(20*time.Millisecond))
		for _, method := range []string{"Get", "Put"} {
			for range 20 {
				if err := within(t, m, g.Fleet, method, time.Minute); err != nil {
					t.Fatal(err)
				}
			}
		}
		known := func() string {
			var got strings.Builder
			for _, m := range service(t, m).Methods {
				got.WriteString(fmt.Sprintf("%s on %s: %v; ", m.Method, m.Route, m.Least))
			}
			return got.String()
		}
		if got := known(); got != "Get on reads: 20ms; Put on to-v1: 20ms; " {
			t.Errorf("known is %s", got)
		}
		g.Put(ordersPolicy(rule.Route{Name: "to-v1", Route: to("v1").Route, Timeout: rule.Duration(time.Minute)}))
		settled()
		if got := known(); got != "Put on to-v1: 20ms; " {
			t.Errorf("then known is %s", got)
		}
	})
}

// Routes without a name, or with one that others have, are told apart.
func TestRoutesOfOneNameAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v1-b")
		hedged := rule.Route{Match: []rule.Match{{Path: &rule.Text{Exact: "/hedged"}}}, Route: to("v1").Route,
			Idempotent: new(true), Hedge: &rule.Hedge{Delay: rule.Duration(hedgeDelay), MaxExtra: 100_00}}
		m := obeying(t, g, ordersPolicy(hedged, rule.Route{Route: to("v1").Route}))
		for _, path := range []string{"/hedged", "/plain"} {
			r := &racer{mesh: m, first: fairleadtest.OK().After(time.Second), second: fairleadtest.OK()}
			call := get()
			call.Request = &seen{path: path}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := m.Do(ctx, call, r); err != nil || (r.begun.Load() == 1) != (path == "/hedged") {
				t.Errorf("%s: %d seconds: %v", path, r.begun.Load(), err)
			}
			cancel()
		}
	})
}
