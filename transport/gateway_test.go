package transport_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// gated is a fleet whose service orders may be lost, and edge, through which calls can
// go. What is known of edge comes by another way.
type gated struct {
	governed
	lost chan struct{} // closed once orders can be heard again; nil: it can
}

func gateways(lost bool) *gated {
	g := &gated{governed: governed{
		fairleadtest.NewFleet(append(fairleadtest.Instances("orders", "v1-a"), fairleadtest.Instances("edge", "gw")...)...), new(fairleadtest.Rulebook),
	}}
	if lost {
		g.lost = make(chan struct{})
	}
	return g
}

// Watch implements discovery.Registry.
func (g *gated) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	if g.lost == nil || service != "orders" {
		return g.Fleet.Watch(ctx, service)
	}
	return func(yield func(discovery.Snapshot, error) bool) {
		if !yield(discovery.Snapshot{Service: service}, errors.New("etcd is down")) {
			return
		}
		select {
		case <-g.lost:
			g.Fleet.Watch(ctx, service)(yield)
		case <-ctx.Done():
		}
	}
}

// share makes calls and returns which part of them the gateway got.
func (g *gated) share(t *testing.T, m *transport.Mesh) float64 {
	t.Helper()
	const calls = 2000
	g.Forget()
	for range calls {
		call := put()
		_ = m.Do(t.Context(), call, &replaceable{call: call, Attempt: g.Door(m)})
	}
	n := 0
	for _, id := range g.Called() {
		if id == "gw" {
			n++
		}
	}
	return float64(n) / calls
}

// gateway is a policy by which calls go to one.
func gateway(s rule.Gateway) rule.Policy {
	p := ordersPolicy()
	p.Spec.Gateway = &s
	return p
}

// at checks the share of calls that go to the gateway at moments from now on.
func (g *gated) at(t *testing.T, m *transport.Mesh, want map[time.Duration]float64) {
	t.Helper()
	begun := time.Now()
	moments := slices.Sorted(func(yield func(time.Duration) bool) {
		for at := range want {
			if !yield(at) {
				return
			}
		}
	})
	for _, at := range moments {
		time.Sleep(time.Until(begun.Add(at)))
		synctest.Wait()
		share := g.share(t, m)
		if math.Abs(share-want[at]) > 0.05 || (want[at] == 0 || want[at] == 1) && share != want[at] {
			t.Errorf("after %v the gateway gets %v of the calls, want %v", at, share, want[at])
		}
		if d := service(t, m).Gateway; d != nil && math.Abs(d.Share-want[at]) > 1e-9 {
			t.Errorf("after %v the dump says %+v", at, d)
		}
	}
}

var upwards = map[time.Duration]float64{time.Second: 0.1, 3 * time.Second: 0.25, 5 * time.Second: 0.5, 7 * time.Second: 1, time.Minute: 1}
var downwards = map[time.Duration]float64{time.Second: 1, 9 * time.Second: 1, 11 * time.Second: 0.5, 13 * time.Second: 0.25, 15 * time.Second: 0.1, 17 * time.Second: 0, time.Minute: 0}

// An operator moves calls to a gateway, and back.
func TestAnOperatorMovesCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, log := gateways(false), new(logged)
		var events []transport.Event
		m := obeying(t, g.governed, ordersPolicy(), inAnyCase(), log.option(), transport.WithGateway("edge"), transport.WithObserver(func(e transport.Event) { events = append(events, e) }))
		knowingOf(t, m, "edge")
		g.at(t, m, map[time.Duration]float64{0: 0})
		g.Put(gateway(rule.Gateway{Service: "edge"}))
		g.at(t, m, upwards)
		d := service(t, m).Gateway
		if d == nil || d.Service != "edge" || d.Target != 1 || d.Reason == "" || d.Moved < 4000 || d.Stayed != 0 {
			t.Errorf("%+v", d)
		}
		g.Put(gateway(rule.Gateway{Service: "edge", Share: 20_00})) // what somebody says is done at once
		g.at(t, m, map[time.Duration]float64{time.Second: 0.5, 3 * time.Second: 0.25, 5 * time.Second: 0.2, time.Minute: 0.2})
		g.Put(gateway(rule.Gateway{Service: "edge"}))
		g.at(t, m, map[time.Duration]float64{time.Second: 0.25, 3 * time.Second: 0.5, 5 * time.Second: 1})
		g.Put(ordersPolicy())
		for n := range 10 { // other news put nothing off
			g.Add(fairleadtest.Instances("orders", fmt.Sprint("v1-", n))...)
			p := ordersPolicy()
			p.Spec.Retries.MaxAttempts = 1 + n%3
			g.Put(p)
		}
		g.at(t, m, downwards)
		if got := log.lines("calls move to or from a gateway"); got != 4 || len(events) != 4 || events[0].Kind != transport.GatewayMoved || !strings.HasPrefix(events[0].Text, "edge: to 1 of the calls") {
			t.Errorf("%d lines, told are %+v", got, events)
		}
	})
}

// While lists keep coming, calls come back all the same.
func TestListsPutNoReturnOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gateways(false)
		m := obeying(t, g.governed, gateway(rule.Gateway{Service: "edge"}), inAnyCase(), transport.WithGateway("edge"))
		knowingOf(t, m, "edge")
		g.at(t, m, map[time.Duration]float64{20 * time.Second: 1})
		g.Put(ordersPolicy())
		settled()
		go func() {
			for n := range 16 {
				g.Add(fairleadtest.Instances("orders", fmt.Sprint("v1-", n))...)
				time.Sleep(time.Second)
			}
		}()
		g.at(t, m, map[time.Duration]float64{8 * time.Second: 1, 10 * time.Second: 0.5, 12 * time.Second: 0.25, 17 * time.Second: 0})
	})
}

// Switched off, by rules or for all services, no call goes to a gateway any more at
// once: the gateway may be what is wrong.
func TestGatewaysAreSwitchedOffAtOnce(t *testing.T) {
	for name, off := range map[string]func(g *gated){
		"by rules": func(g *gated) { g.Put(gateway(rule.Gateway{Off: true})) },
		"by settings": func(g *gated) {
			g.PutSettings(rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{Off: []string{"gateway"}}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := gateways(false)
				m := obeying(t, g.governed, gateway(rule.Gateway{Service: "edge"}), inAnyCase(), transport.WithGateway("edge"))
				knowingOf(t, m, "edge")
				g.at(t, m, map[time.Duration]float64{20 * time.Second: 1})
				off(g)
				g.at(t, m, map[time.Duration]float64{time.Second: 0, time.Minute: 0})
				g.PutText("", nil)
				g.Put(gateway(rule.Gateway{Service: "edge"}))
				g.at(t, m, map[time.Duration]float64{time.Second: 0.1, 7 * time.Second: 1})
			})
		})
	}
}

// Where nothing is known of a service, calls to it move to the gateway that code names,
// and back by themselves once there is a list. Until all have moved the others fail as
// they would have.
func TestCallsMoveWhereNothingIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, log := gateways(true), new(logged)
		m := newMesh(t, g, inAnyCase(), log.option(), transport.WithGateway("edge"))
		knowingOf(t, m, "edge")
		call := put()
		_ = m.Do(t.Context(), call, &replaceable{call: call, Attempt: g.Door(m)}) // the first
		g.at(t, m, upwards)
		if d := service(t, m).Gateway; d.Target != 1 || d.Reason != "nothing is known of the service" {
			t.Errorf("%+v", d)
		}
		close(g.lost)
		synctest.Wait()
		g.at(t, m, downwards)
		if got := log.lines("calls move to or from a gateway"); got != 2 {
			t.Errorf("%d lines", got)
		}
	})
}

// knowingOf waits until a mesh has a list of a service.
func knowingOf(t *testing.T, m *transport.Mesh, service string) {
	t.Helper()
	views, err := m.Views(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	for range views {
		return
	}
}

// When calls do not go to a gateway.
func TestCallsThatDoNotMove(t *testing.T) {
	edge := rule.Gateway{Service: "edge"}
	tests := []struct {
		name    string
		lost    bool
		options []transport.Option
		rules   rule.Policy
		call    func(*transport.Call)
		attempt func(transport.Attempt, *transport.Call) transport.Attempt
		stayed  bool // and are counted
		unheard bool // the rules ask for what code does not allow
	}{
		{name: "nobody asks for it", options: []transport.Option{transport.WithGateway("edge")}, rules: ordersPolicy()},
		{name: "code does not allow it", rules: gateway(edge), unheard: true},
		{name: "code allows another", options: []transport.Option{transport.WithGateway("other")}, rules: gateway(edge), unheard: true},
		{name: "a list that is old is better than none", options: []transport.Option{transport.WithGateway("edge")}, rules: ordersPolicy(), lost: true},
		{name: "of the gateway nothing is known", options: []transport.Option{transport.WithFallbackServices("nowhere")}, rules: gateway(rule.Gateway{Service: "nowhere"}), stayed: true},
		{name: "the door cannot send them there", options: []transport.Option{transport.WithGateway("edge")}, rules: gateway(edge), stayed: true,
			attempt: func(a transport.Attempt, _ *transport.Call) transport.Attempt { return a }},
		{name: "the call cannot be sent elsewhere", options: []transport.Option{transport.WithGateway("edge")}, rules: gateway(edge), stayed: true,
			attempt: func(a transport.Attempt, call *transport.Call) transport.Attempt {
				return refusing{a}
			}},
		{name: "a call to one instance", options: []transport.Option{transport.WithGateway("edge"), transport.WithPinning()}, rules: gateway(edge),
			call: func(c *transport.Call) { c.Apply(transport.WithCall(context.Background(), transport.Instance("v1-a"))) }},
		{name: "a probe", options: []transport.Option{transport.WithGateway("edge")}, rules: gateway(edge), call: func(c *transport.Call) { c.Probe = true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := gateways(false)
				m := obeying(t, g.governed, tt.rules, append(tt.options, inAnyCase())...)
				knowingOf(t, m, "edge")
				if tt.lost {
					g.Fail(errors.New("etcd is down"))
				}
				time.Sleep(time.Minute)
				for range 50 {
					call := put()
					if tt.call != nil {
						tt.call(call)
					}
					var attempt transport.Attempt = &replaceable{call: call, Attempt: g.Door(m)}
					if tt.attempt != nil {
						attempt = tt.attempt(g.Door(m), call)
					}
					if err := m.Do(t.Context(), call, attempt); err != nil || call.Origin != "" {
						t.Fatal(call.Origin, err)
					}
				}
				if got := g.called(); got != "v1-a" {
					t.Errorf("called are %s", got)
				}
				d := service(t, m)
				if got := d.Gateway != nil && d.Gateway.Stayed == 50; got != tt.stayed || d.Gateway != nil && d.Gateway.Moved != 0 {
					t.Errorf("%+v", d.Gateway)
				}
				if got := len(d.Rules.Unheeded) != 0; got != tt.unheard {
					t.Errorf("unheeded are %v", d.Rules.Unheeded)
				}
			})
		})
	}
}

// refusing is an attempt of a call that cannot be sent elsewhere.
type refusing struct{ transport.Attempt }

func (refusing) Redirect(string) error { return errors.New("its body is gone") }

// Of two reasons the one that moves more calls counts, and rules say where to. When
// one goes, the other stays.
func TestTwoReasonsForAGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gateways(true)
		g.Put(gateway(rule.Gateway{Service: "edge", Share: 30_00}))
		m := newMesh(t, g, inAnyCase(), transport.WithGateway("edge"))
		knowingOf(t, m, "edge")
		call := put()
		_ = m.Do(t.Context(), call, &replaceable{call: call, Attempt: g.Door(m)})
		time.Sleep(20 * time.Second)
		if d := service(t, m).Gateway; d.Share != 1 || d.Reason != "nothing is known of the service" {
			t.Errorf("%+v", d)
		}
		close(g.lost)
		time.Sleep(20 * time.Second)
		if d := service(t, m).Gateway; d.Share != 0.3 || d.Reason != "the rules say so" {
			t.Errorf("%+v", d)
		}
		g.Put(ordersPolicy())
		time.Sleep(30 * time.Second)
		if d := service(t, m).Gateway; d.Share != 0 || d.Reason != "" {
			t.Errorf("%+v", d)
		}
	})
}

// Calls that come back from a gateway do so from that one, whatever other code names.
func TestCallsComeBackFromWhereTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gateways(false)
		m := obeying(t, g.governed, gateway(rule.Gateway{Service: "edge"}), inAnyCase(), transport.WithGateway("other"), transport.WithFallbackServices("edge"))
		knowingOf(t, m, "edge")
		g.at(t, m, map[time.Duration]float64{20 * time.Second: 1})
		g.Put(ordersPolicy())
		g.at(t, m, downwards)
	})
}

// A call that goes to a gateway tells for whom it is, goes by the gateway's rules, and
// fails if the gateway does.
func TestACallThroughAGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gateways(false)
		p := gateway(rule.Gateway{Service: "edge"})
		p.Spec.OnFailure = &rule.OnFailure{Value: "{}"}
		p.Spec.Limits = []rule.RateLimit{{Name: "none", Rate: hourly(1), Burst: 1}}
		p.Spec.Priority = "sheddable"
		g.Put(rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{Service: "edge", Priority: "critical", Timeout: rule.Duration(time.Second)}})
		m := obeying(t, g.governed, p, inAnyCase(), transport.WithGateway("edge"))
		knowingOf(t, m, "edge")
		time.Sleep(20 * time.Second)
		for _, reply := range []fairleadtest.Reply{fairleadtest.OK(), fairleadtest.Reset()} {
			g.Play("gw", reply)
			call := put()
			sub := &replaceable{call: call, Attempt: tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				if _, bounded := ctx.Deadline(); call.Service != "edge" || call.Origin != "orders" || call.Priority != critical || !bounded {
					t.Errorf("it is a call to %s for %s, %v", call.Service, call.Origin, call.Priority)
				}
				return g.Door(m).Try(ctx, call)
			})}
			err := m.Do(t.Context(), call, sub)
			call.Release()
			if (err == nil) != (reply.Outcome.Err == nil) || sub.value != "" {
				t.Errorf("the answer is %q: %v", sub.value, err)
			}
			if err != nil && asError(t, err).Service != "edge" {
				t.Errorf("error is %v", err)
			}
		}
		if d := limitNamed(t, m, "none"); d.Refused != [3]int64{} {
			t.Errorf("the limits of the service hold for calls through a gateway: %+v", d)
		}
	})
}
