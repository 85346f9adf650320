package transport_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// Pressure rises with the calls in flight, is all while calls are refused, and falls
// again.
func TestPressure(t *testing.T) {
	tests := []struct {
		name   string
		option transport.Option
	}{
		{"of the service", transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{Max: 4})},
		{"of methods", transport.WithConcurrency(rule.PerMethod, ratelimit.ConcurrencyConfig{Max: 4})},
		{"of all instances together", transport.WithConcurrency(rule.PerInstance, ratelimit.ConcurrencyConfig{Max: 2})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a", "b")
				m := knowing(t, newMesh(t, fleet, tt.option))
				is := func(when string, level, refused float64) {
					t.Helper()
					for range 3 { // readers do not disturb each other
						if p := m.Pressure("orders"); p.Level != level || p.RefusedPerSecond != refused {
							t.Errorf("%s it is %+v, want %v and %v", when, p, level, refused)
						}
					}
				}
				is("at the beginning", 0, 0)
				var ends []func()
				for n := range 4 {
					ends = append(ends, endless(t, m, get()))
					is("beside calls", float64(n+1)/4, 0)
				}
				time.Sleep(time.Second - time.Duration(time.Now().Nanosecond()))
				for range 10 {
					_ = m.Do(t.Context(), get(), fleet.Door(m))
				}
				for _, end := range ends {
					end()
				}
				if p := m.Pressure("orders"); p.Level != 1 || p.RefusedPerSecond < 9 || p.RefusedPerSecond > 10 {
					t.Errorf("while calls are refused it is %+v", p)
				}
				if d := service(t, m).Limits; d.Pressure.Level != 1 {
					t.Errorf("the dump says %+v", d)
				}
				time.Sleep(2 * time.Second)
				is("at the end", 0, 0)
			})
		})
	}
	t.Run("where nothing bounds calls", func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a")))
		if p, q := m.Pressure("orders"), m.Pressure("nobody"); p != (transport.Pressure{}) || q != p {
			t.Errorf("it is %+v and %+v", p, q)
		}
	})
	t.Run("of a server", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := admits(t, newMesh(t, orders()), transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: 4}})
			all, _ := admitted(t, a, 2, arrival(ordinary))
			if p := a.Pressure(); p.Level != 0.5 || p.RefusedPerSecond != 0 {
				t.Errorf("beside two calls of four it is %+v", p)
			}
			more, _ := admitted(t, a, 10, arrival(ordinary))
			done(append(all, more...), transport.Success)
			if p := a.Pressure(); p.Level != 1 || p.RefusedPerSecond <= 0 {
				t.Errorf("while calls are refused it is %+v", p)
			}
			time.Sleep(2 * time.Second)
			if p := a.Pressure(); p != (transport.Pressure{}) {
				t.Errorf("at the end it is %+v", p)
			}
		})
	})
}
