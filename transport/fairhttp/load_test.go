package fairhttp_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/orca"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// listening has a policy that goes by reports, which stay fresh for as long as a
// test may take on a busy machine. With three servers, more calls than most have
// is more than the second has.
var listening = []transport.Option{transport.WithPolicy(balancer.Prequal{MaxAge: time.Minute, QRIF: 0.5})}

// reported returns what the mesh knows of the load of an instance.
func (s *service) reported(addr string) *balancer.Reported {
	for _, service := range s.mesh.Dump().Services {
		for _, i := range service.Instances {
			if i.Addr == addr {
				return i.Stats.Reported
			}
		}
	}
	return nil
}

func TestReportsOfAnswersReachTheNode(t *testing.T) {
	full := balancer.Load{Utilization: 0.5, QPS: 1024, EPS: 2, InFlight: 3, Latency: 8 * time.Millisecond}
	binary := orca.AppendBinary(nil, full)
	tests := []struct {
		name    string
		header  http.Header
		want    balancer.Load
		refused int64
	}{
		{"none", http.Header{}, balancer.Load{}, 0},
		{"TEXT", http.Header{orca.Header: {string(orca.AppendText(nil, full))}}, full, 0},
		{"JSON", http.Header{orca.Header: {`JSON {"applicationUtilization": 0.5, "rps_fractional": 1024, "eps": 2}`}}, balancer.Load{Utilization: 0.5, QPS: 1024, EPS: 2}, 0},
		{"BIN", http.Header{orca.Header: {"BIN " + base64.StdEncoding.EncodeToString(binary)}}, full, 0},
		{"the binary header", http.Header{orca.BinaryHeader: {base64.StdEncoding.EncodeToString(binary)}}, full, 0},
		{"the binary header before the other", http.Header{orca.BinaryHeader: {base64.StdEncoding.EncodeToString(binary)}, orca.Header: {"TEXT eps=1"}}, full, 0},
		{"the first of several", http.Header{orca.Header: {string(orca.AppendText(nil, full)), "TEXT eps=1"}}, full, 0},
		{"malformed", http.Header{orca.Header: {"much"}}, balancer.Load{}, 1},
		{"malformed in binary", http.Header{orca.BinaryHeader: {"much!"}}, balancer.Load{}, 1},
		{"negative", http.Header{orca.Header: {"TEXT eps=-1"}}, balancer.Load{}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), tt.header)
			})
			// A single instance is not chosen by anything.
			orders := newServiceWith(t, listening, s.addr(), refusing(t))
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			fetch(t, client, "GET", "mesh://orders/", "")
			got := orders.reported(s.addr())
			if got == nil {
				got = &balancer.Reported{}
			}
			if got.Latency = got.Latency.Round(time.Microsecond); got.Load != tt.want || got.Refused != tt.refused {
				t.Errorf("got %+v, want %+v, %d refused", got, tt.want, tt.refused)
			}
			if refused := orders.mesh.Dump().Services[0].RefusedReports; refused != tt.refused {
				t.Errorf("the service counts %d refused, want %d", refused, tt.refused)
			}
		})
	}
}

// A policy that asks for no reports has none, whatever servers say.
func TestReportsAreNotReadUnlessSomebodyAsks(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(orca.Header, "much") })
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	fetch(t, client, "GET", "mesh://orders/", "")
	if got := orders.reported(s.addr()); got != nil {
		t.Errorf("got %+v", got)
	}
}

// Three servers of which one has much to do for others: the client hears of it
// in the first answers, and calls the other two.
func TestPrequalLeavesABusyServer(t *testing.T) {
	release := make(chan struct{})
	var addrs []string
	var servers []*server
	for range 3 {
		s := reporting(t, new(transport.LoadReporter), func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-release
			}
		})
		servers, addrs = append(servers, s), append(addrs, s.addr())
	}
	var others sync.WaitGroup
	for range 20 {
		others.Go(func() { get(t, servers[1].URL+"/slow") })
	}
	defer others.Wait()
	defer close(release)
	until(t, "the server is busy", func() bool { return servers[1].executions.Load() == 20 })

	orders := newServiceWith(t, listening, addrs...)
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	call := func(n int) {
		for range n {
			fetch(t, client, "GET", "mesh://orders/", "")
		}
	}
	until(t, "all have reported a latency", func() bool {
		call(1)
		for _, addr := range addrs {
			if said := orders.reported(addr); said == nil || said.Latency == 0 {
				return false
			}
		}
		return true
	})
	if got := orders.reported(addrs[1]).InFlight; got != 21 {
		t.Errorf("the busy server reports %d calls in flight, it has 20 and the one that is answered", got)
	}
	if got := orders.reported(addrs[0]).InFlight; got != 1 {
		t.Errorf("an idle server reports %d calls in flight", got)
	}
	before := servers[1].executions.Load()
	call(200)
	if got := servers[1].executions.Load() - before; got > 10 {
		t.Errorf("the busy server got %d of 200 calls", got)
	}
	until(t, "the picker knows of reports", func() bool { return orders.mesh.Dump().Services[0].Choices["http"].Mode == balancer.Normal })
}

// What gRFC A58 makes a weight of arrives: rates, and utilization.
func TestReportsHoldWhatMakesAWeight(t *testing.T) {
	s := reporting(t, &transport.LoadReporter{Utilization: func() float64 { return 0.25 }}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fail" {
			w.WriteHeader(500)
		}
	})
	orders := newServiceWith(t, listening, s.addr(), refusing(t))
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	calls := 0
	until(t, "a rate is known", func() bool {
		path := ""
		if calls++; calls%4 == 0 {
			path = "fail"
		}
		fetch(t, client, "GET", "mesh://orders/"+path, "")
		said := orders.reported(s.addr())
		return said != nil && said.QPS > 0
	})
	got := orders.reported(s.addr())
	if share := got.EPS / got.QPS; got.Utilization != 0.25 || share < 0.1 || share > 0.4 {
		t.Errorf("got %+v, want a quarter of failures", got)
	}
}

// One of two servers is three times as busy as the other: it gets fewer calls,
// by the weights of gRFC A58.
func TestReportsMakeWeights(t *testing.T) {
	policy := balancer.WeightedRoundRobin{Reported: true, ReportedWeights: balancer.ReportedWeights{BlackoutPeriod: -1}}
	var servers [2]*server
	var addrs []string
	for i, used := range []float64{0.9, 0.3} {
		servers[i] = reporting(t, &transport.LoadReporter{Utilization: func() float64 { return used }}, say("hello"))
		addrs = append(addrs, servers[i].addr())
	}
	orders := newServiceWith(t, []transport.Option{transport.WithPolicy(policy)}, addrs...)
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	until(t, "the busy server gets less than half of what the other gets", func() bool {
		busy, idle := servers[0].executions.Load(), servers[1].executions.Load()
		for range 40 {
			fetch(t, client, "GET", "mesh://orders/", "")
		}
		busy, idle = servers[0].executions.Load()-busy, servers[1].executions.Load()-idle
		return 2*busy < idle
	})
}
