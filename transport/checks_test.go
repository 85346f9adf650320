package transport_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// ward is a prober that finds well whoever is not ill.
type ward struct {
	mu  sync.Mutex
	ill map[string]bool
}

func (w *ward) Probe(_ context.Context, n *balancer.Node) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ill[n.ID()] {
		return errors.New("ill")
	}
	return nil
}

func (w *ward) set(ids ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ill = map[string]bool{}
	for _, id := range ids {
		w.ill[id] = true
	}
}

// unwell returns the IDs of the instances of orders that a mesh takes for
// unwell.
func unwell(t *testing.T, m *transport.Mesh) string {
	t.Helper()
	var ids strings.Builder
	for _, i := range service(t, m).Instances {
		if i.Unwell {
			ids.WriteString(i.ID)
		}
	}
	return ids.String()
}

// What health checks find shows in the dump, the metrics and the log, from when
// a service is first called until the mesh is closed.
func TestHealthChecksShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		meters, w := new(meters), new(ward)
		w.set("b")
		m := newMesh(t, orders("a", "b", "c"), log.option(), transport.WithMeterProvider(meters), transport.WithHealthCheck(balancer.HealthCheck{}, w))
		time.Sleep(time.Minute)
		if len(m.Dump().Services) != 0 {
			t.Fatal("a service that nobody calls is known")
		}
		knowing(t, m)
		if s := service(t, m); s.Health == nil || s.Health.Unwell != 0 || unwell(t, m) != "" {
			t.Errorf("before the first probe, %q are unwell, health is %+v", unwell(t, m), s.Health)
		}
		time.Sleep(12 * time.Second)
		if s := service(t, m); unwell(t, m) != "b" || s.Health.Unwell != 1 || s.Health.Probes.Passed < 2 || s.Health.Probes.Failed < 1 {
			t.Errorf("%q are unwell, health is %+v", unwell(t, m), s.Health)
		}
		if log.lines("fails its health checks") != 1 || log.lines("instance=b unwell=1 error=ill") != 1 {
			t.Errorf("logged: %s", log.text.String())
		}
		w.set()
		time.Sleep(12 * time.Second)
		w.set("b", "c")
		time.Sleep(time.Minute)
		if got := unwell(t, m); got != "bc" {
			t.Errorf("%q are unwell", got)
		}
		if got := log.lines("passes its health checks again"); got != 1 {
			t.Errorf("logged: %s", log.text.String())
		}
		got := meters.collect(t).values
		probes := service(t, m).Health.Probes
		for name, want := range map[string]float64{
			"fairlead.health.unwell service=orders":                2,
			"fairlead.health.verdicts service=orders state=unwell": 3,
			"fairlead.health.verdicts service=orders state=well":   1,
			"fairlead.health.probes outcome=passed service=orders": float64(probes.Passed),
			"fairlead.health.probes outcome=failed service=orders": float64(probes.Failed),
			"fairlead.health.probes outcome=void service=orders":   0,
			"fairlead.health.probes.late service=orders":           0,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s is %v, %v, want %v", name, v, ok, want)
			}
		}
	})
}

// Nobody is probed who was not asked to be.
func TestHealthChecksAreOffByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a")))
		time.Sleep(time.Minute)
		if s := service(t, m); s.Health != nil || s.Instances[0].Unwell {
			t.Errorf("got %+v", s)
		}
	})
}

func TestBadHealthCheckIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		option transport.Option
		field  string
	}{
		{"a bad config", transport.WithHealthCheck(balancer.HealthCheck{Jitter: math.Inf(1)}, new(ward)), "HealthCheck.Jitter"},
		{"no prober", transport.WithHealthCheck(balancer.HealthCheck{}, nil), "prober"},
	} {
		_, err := transport.New(orders(), tt.option)
		if field, ok := errors.AsType[*discovery.FieldError](err); !ok || field.Field != tt.field {
			t.Errorf("%s: error is %v", tt.name, err)
		}
	}
}

// Close ends the probes and waits for them.
func TestCloseEndsHealthChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int64
		hang := balancer.ProberFunc(func(ctx context.Context, _ *balancer.Node) error {
			running.Add(1)
			defer running.Add(-1)
			<-ctx.Done()
			return ctx.Err()
		})
		m := knowing(t, newMesh(t, orders("a", "b", "c"), transport.WithHealthCheck(balancer.HealthCheck{Timeout: time.Hour}, hang)))
		time.Sleep(time.Minute)
		if got := running.Load(); got != 3 {
			t.Fatalf("%d probes are under way", got)
		}
		began := time.Now()
		err := m.Close(t.Context())
		if got := running.Load(); err != nil || got != 0 || time.Since(began) != 0 {
			t.Errorf("closed after %v, with %d probes under way: %v", time.Since(began), got, err)
		}
	})
}

// A prober that asks, as those of the library do, hears what the mesh allows; a
// refusal counts as that of a call does.
func TestProbersObeyTheAddressPolicy(t *testing.T) {
	for _, tt := range []struct{ name, addr, unwell string }{
		{"forbidden", "169.254.169.254:80", "a"},
		{"allowed", "127.0.0.1:80", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				name := balancer.ProberFunc(func(ctx context.Context, _ *balancer.Node) error { // that has become this address
					return balancer.CheckSocket(ctx, "tcp", tt.addr)
				})
				m := knowing(t, newMesh(t, orders("a"), transport.WithHealthCheck(balancer.HealthCheck{}, name)))
				time.Sleep(30 * time.Second)
				if s := service(t, m); unwell(t, m) != tt.unwell || (s.ForbiddenSockets > 0) != (tt.unwell != "") {
					t.Errorf("%q are unwell, %d sockets forbidden", unwell(t, m), s.ForbiddenSockets)
				}
			})
		})
	}
}

// An instance whose record is forbidden is not probed at all, and nothing is
// held against it that is not known.
func TestForbiddenRecordIsNotProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fairleadtest.Instances("orders", "a")[0]
		a.Addr = "169.254.169.254:80"
		m := knowing(t, newMesh(t, fairleadtest.NewFleet(a), transport.WithHealthCheck(balancer.HealthCheck{}, balancer.TCPProber{})))
		time.Sleep(time.Minute)
		if s := service(t, m); s.Forbidden != 1 || s.Health.Probes != (balancer.Probes{}) || unwell(t, m) != "" {
			t.Errorf("%d forbidden, health %+v", s.Forbidden, s.Health)
		}
	})
}

// That a whole service fails is said in a few lines, which say how many are
// left out.
func TestLogOfVerdictsIsRationed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		var ids []string
		for i := range 100 {
			ids = append(ids, fmt.Sprintf("i%03d", i))
		}
		w := new(ward)
		w.set(ids...)
		m := knowing(t, newMesh(t, orders(ids...), log.option(), transport.WithHealthCheck(balancer.HealthCheck{}, w)))
		time.Sleep(15 * time.Second)
		if got := service(t, m).Health.Unwell; got != 100 {
			t.Fatalf("%d are unwell", got)
		}
		time.Sleep(10 * time.Second)
		if got := log.lines("fails its health checks"); got < 10 || got > 20 {
			t.Errorf("%d lines of 100 instances that fail", got)
		}
		if log.lines("unwell=100") == 0 || log.lines("unnamed=") == 0 {
			t.Errorf("how many there are in all is not said: %s", log.text.String())
		}
		w.set(ids[1:]...)
		time.Sleep(15 * time.Second)
		if log.lines("passes its health checks again") != 1 {
			t.Errorf("later, it is said: %s", log.text.String())
		}
	})
}
