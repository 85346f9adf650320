package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// suffering is a route on path /f with a fault.
func suffering(f rule.Fault) rule.Policy {
	return ordersPolicy(rule.Route{Name: "f", Match: []rule.Match{{Path: &rule.Text{Exact: "/f"}}}, Fault: &f})
}

func TestFaults(t *testing.T) {
	delay := &rule.Delay{FixedDelay: rule.Duration(3 * time.Second), Percent: 100_00}
	abort := &rule.Abort{HTTPStatus: 429, GRPCStatus: "RESOURCE_EXHAUSTED", Percent: 100_00}
	for _, c := range []struct {
		name    string
		fault   rule.Fault
		path    string
		timeout time.Duration
		took    time.Duration
		stage   transport.Stage // "": no error
		called  int
	}{
		{"Delay", rule.Fault{Delay: delay}, "/f", 0, 3 * time.Second, "", 1},
		{"DelayBeyondTheDeadline", rule.Fault{Delay: delay}, "/f", time.Second, time.Second, transport.StageSend, 0},
		{"Abort", rule.Fault{Abort: abort}, "/f", 0, 0, transport.StageFault, 0},
		{"DelayAndAbort", rule.Fault{Delay: delay, Abort: abort}, "/f", 0, 3 * time.Second, transport.StageFault, 0},
		{"OfAnotherRoute", rule.Fault{Delay: delay, Abort: abort}, "/g", 0, 0, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := versions("v1-a")
				m := obeying(t, g, suffering(c.fault))
				ctx := t.Context()
				if c.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.timeout)
					defer cancel()
				}
				call, start := get(), time.Now()
				call.Request = &seen{path: c.path}
				err := m.Do(ctx, call, g.Door(m))
				if took := time.Since(start); took != c.took || len(g.Called()) != c.called {
					t.Errorf("took %s with %d attempts, want %s with %d", took, len(g.Called()), c.took, c.called)
				}
				if c.stage == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if e := asError(t, err); e.Stage != c.stage {
					t.Errorf("stage %s: %v", e.Stage, err)
				}
				if c.stage == transport.StageFault {
					i, ok := errors.AsType[*transport.Injected](err)
					if !ok || i.HTTPStatus != 429 || i.GRPCStatus != "RESOURCE_EXHAUSTED" || !errors.Is(err, transport.ErrInjected) {
						t.Errorf("the error is %v", err)
					}
				}
			})
		})
	}
}

func TestFaultsByPercentage(t *testing.T) {
	g := versions("v1-a")
	m := obeying(t, g, suffering(rule.Fault{Abort: &rule.Abort{Percent: 10_00}}))
	aborted := 0
	const calls = 20_000
	for range calls {
		call := get()
		call.Request = &seen{path: "/f"}
		if err := m.Do(t.Context(), call, instant{m}); err != nil {
			if i, ok := errors.AsType[*transport.Injected](err); !ok || i.HTTPStatus != 503 || i.GRPCStatus != "UNAVAILABLE" {
				t.Fatal(err)
			}
			aborted++
		}
	}
	// Ten standard deviations are 424.
	if aborted < calls/10-424 || aborted > calls/10+424 || service(t, m).Rules.Aborted != int64(aborted) {
		t.Errorf("%d of %d calls were aborted, want a tenth; shown are %d", aborted, calls, service(t, m).Rules.Aborted)
	}
}
