package transport_test

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
)

func TestLoadReporterSaysWhatItServes(t *testing.T) {
	const (
		ms    = time.Millisecond
		start = time.Hour
	)
	call := func(r *transport.LoadReporter, at, took time.Duration, result balancer.Result) {
		r.Start(start+at).Done(start+at+took, result)
	}
	tests := []struct {
		name string
		do   func(r *transport.LoadReporter)
		at   time.Duration
		want balancer.Load
	}{
		{"nothing", func(*transport.LoadReporter) {}, 0, balancer.Load{}},
		{"the call that is answered", func(r *transport.LoadReporter) { r.Start(start) }, 0, balancer.Load{InFlight: 1}},
		{"all calls that are served", func(r *transport.LoadReporter) {
			for range 5 {
				r.Start(start)
			}
		}, 0, balancer.Load{InFlight: 5}},
		{"those that have ended are not", func(r *transport.LoadReporter) {
			s := r.Start(start)
			r.Start(start)
			s.Done(start+10*ms, balancer.Success)
		}, 20 * ms, balancer.Load{InFlight: 1, Latency: 10 * ms}},
		{"latency with as many in flight", func(r *transport.LoadReporter) {
			call(r, 0, 10*ms, balancer.Success)
			one := r.Start(start)
			call(r, 0, 40*ms, balancer.Success) // the second
			_ = one
		}, 100 * ms, balancer.Load{InFlight: 1, Latency: 10 * ms}},
		{"a failure that is fast says nothing of latency", func(r *transport.LoadReporter) {
			call(r, 0, 10*ms, balancer.Success)
			call(r, 0, ms/10, balancer.Failure)
		}, 20 * ms, balancer.Load{Latency: 10 * ms}},
		{"nor one that comes first", func(r *transport.LoadReporter) {
			call(r, 0, 10*ms, balancer.Failure)
		}, 2 * time.Second, balancer.Load{QPS: 0.5, EPS: 0.5}},
		{"a client that gave up, at once", func(r *transport.LoadReporter) {
			call(r, 0, 10*ms, balancer.Success)
			call(r, 0, ms, balancer.Neutral)
		}, 20 * ms, balancer.Load{Latency: 10 * ms}},
		{"a client that gave up, after long", func(r *transport.LoadReporter) {
			call(r, 0, 10*ms, balancer.Success)
			call(r, 0, 3*time.Second, balancer.Neutral)
		}, 3 * time.Second, balancer.Load{QPS: 1.0 / 3, Latency: 3 * time.Second}},
		{"a stream says nothing of latency", func(r *transport.LoadReporter) {
			call(r, 0, 10*ms, balancer.Success)
			r.Start(start).Untimed().Done(start+time.Second, balancer.Success)
		}, time.Second, balancer.Load{QPS: 1, Latency: 10 * ms}},
		{"a stream is in flight", func(r *transport.LoadReporter) { r.Start(start).Untimed() }, 0, balancer.Load{InFlight: 1}},
		{"rates", func(r *transport.LoadReporter) {
			for i := range time.Duration(200) {
				result := balancer.Success
				if i%4 == 0 {
					result = balancer.Failure
				}
				call(r, i*10*ms, 0, result)
			}
		}, 2 * time.Second, balancer.Load{QPS: 100, EPS: 25, Latency: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := new(transport.LoadReporter)
			tt.do(r)
			got := r.Load(start + tt.at)
			if off := got.Latency - tt.want.Latency; off < -10 || off > 10 {
				t.Errorf("latency is %v, want %v", got.Latency, tt.want.Latency)
			}
			got.Latency = tt.want.Latency // a float32 is not exact
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// The first answers have no others to go by.
func TestTheFirstAnswersReportTheirOwnLatency(t *testing.T) {
	var r transport.LoadReporter
	first, stream := r.Start(time.Hour), r.Start(time.Hour).Untimed()
	at := time.Hour + 10*time.Millisecond
	if got, want := first.Load(at), (balancer.Load{InFlight: 2, Latency: 10 * time.Millisecond}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := stream.Load(at), (balancer.Load{InFlight: 2}); got != want {
		t.Errorf("in a stream: got %+v, want %+v", got, want)
	}
	first.Done(at, balancer.Success)
	second := r.Start(at)
	if got := second.Load(at + time.Hour).Latency.Round(time.Microsecond); got != 10*time.Millisecond {
		t.Errorf("a later one says %v", got)
	}
}

func TestUtilizationIsAskedNowAndThen(t *testing.T) {
	asked, says := 0, 0.5
	r := &transport.LoadReporter{Utilization: func() float64 { asked++; return says }}
	at := func(now time.Duration) float64 { return r.Load(now).Utilization }
	for range 100 {
		if got := at(time.Second); got != 0.5 {
			t.Fatalf("got %v", got)
		}
	}
	if says = 0.7; at(time.Second+99*time.Millisecond) != 0.5 || asked != 1 {
		t.Errorf("asked %d times within 100 ms", asked)
	}
	if at(time.Second+100*time.Millisecond) != 0.7 {
		t.Error("not asked after 100 ms")
	}
	for i, bad := range []float64{math.NaN(), -1, math.Inf(1)} {
		says = bad
		if got := at(time.Duration(i+2) * time.Second); got != 0 {
			t.Errorf("%v is reported as %v", bad, got)
		}
	}
}

func TestLoadReporterServesManyAtOnce(t *testing.T) {
	r := &transport.LoadReporter{Utilization: func() float64 { return 0.5 }}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1000 {
				s := r.Start(balancer.Now())
				if load := r.Load(balancer.Now()); load.InFlight < 1 || load.InFlight > 4 || !load.Valid() {
					t.Errorf("load %+v", load)
				}
				s.Done(balancer.Now(), balancer.Success)
			}
		})
	}
	all.Wait()
	if got := r.Load(balancer.Now()); got.InFlight != 0 || got.Latency <= 0 {
		t.Errorf("in the end %+v", got)
	}
}

func BenchmarkLoadReporter(b *testing.B) {
	r := &transport.LoadReporter{Utilization: func() float64 { return 0.5 }}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s := r.Start(balancer.Now())
			now := balancer.Now()
			s.Load(now)
			s.Done(now, balancer.Success)
		}
	})
}

// A server of whatever protocol counts its calls, and says in its answers how
// busy it is. ReportLoad of fairhttp and of fairgrpc do just that.
func ExampleLoadReporter() {
	reporter := &transport.LoadReporter{Utilization: func() float64 { return 0.25 }}

	served := reporter.Start(balancer.Now())
	// … the call is worked on …
	load := served.Load(balancer.Now())
	served.Done(balancer.Now(), balancer.Success)

	fmt.Println(load.InFlight, load.Utilization)
	// Output: 1 0.25
}
