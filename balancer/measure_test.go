package balancer_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// Peak EWMA: a slower call is believed at once, a faster one by its share of
// the decay time.
func TestLatencyIsAPeakEWMA(t *testing.T) {
	const ms = time.Millisecond
	type sample struct{ at, latency time.Duration }
	tests := []struct {
		name     string
		samples  []sample
		from, to time.Duration // what may be known in the end
	}{
		{"the first is taken as it is", []sample{{0, 7 * ms}}, 7 * ms, 7 * ms},
		{"a peak is believed at once", []sample{{0, 7 * ms}, {0, 900 * ms}}, 900 * ms, 900 * ms},
		{"a peak is believed at once after a pause", []sample{{0, 7 * ms}, {time.Hour, 900 * ms}}, 900 * ms, 900 * ms},
		{"faster within the same instant changes nothing", []sample{{0, 100 * ms}, {0, ms}}, 100 * ms, 100 * ms},
		{"faster after a tenth of the decay: a tenth off", []sample{{0, 100 * ms}, {time.Second, 0}}, 87 * ms, 92 * ms},
		{"faster after the decay: to 1/e, within 6 %", []sample{{0, 100 * ms}, {10 * time.Second, 0}}, 34 * ms, 37 * ms},
		{"faster after ten times the decay: little is left", []sample{{0, 10 * time.Second}, {100 * time.Second, ms}}, ms, 2 * ms},
		{"faster after an hour: nothing is left", []sample{{0, 10 * time.Second}, {time.Hour, ms}}, ms, ms + time.Microsecond},
		{"a late report of an earlier end moves nothing", []sample{{0, 100 * ms}, {-time.Second, ms}}, 100 * ms, 100 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNodes(t, 1)[0]
			for _, s := range tt.samples {
				took(n, s.latency, start+s.at)
			}
			if got := n.Stats(start).Latency; got < tt.from-100 || got > tt.to+100 {
				t.Errorf("latency is %v, want %v to %v", got, tt.from, tt.to)
			}
		})
	}
}

// Twice as many samples in the same time do not make a node forget faster.
func TestForgettingIsAMatterOfTimeNotOfTraffic(t *testing.T) {
	nodes := newNodes(t, 2)
	for i, every := range []time.Duration{100 * time.Millisecond, 10 * time.Millisecond} {
		took(nodes[i], time.Second, start)
		for at := every; at <= 10*time.Second; at += every {
			took(nodes[i], time.Millisecond, start+at)
		}
	}
	a, b := nodes[0].Stats(start).Latency, nodes[1].Stats(start).Latency
	if ratio := float64(a) / float64(b); ratio < 0.8 || ratio > 1.25 {
		t.Errorf("after 10 s at 10 rps %v is left of a second, at 100 rps %v", a, b)
	}
}

func TestFailuresAreAShareOfRecentCalls(t *testing.T) {
	tests := []struct {
		name     string
		results  []balancer.Result
		every    time.Duration
		from, to float64
	}{
		{"all well", results(100, balancer.Success), time.Millisecond, 0, 0},
		{"one failure", results(1, balancer.Failure), 0, 0.25, 0.25},
		{"failures only: bounded", results(100, balancer.Failure), time.Millisecond, 0.96, 31.0 / 32},
		{"one success forgives little", append(results(100, balancer.Failure), balancer.Success), time.Millisecond, 0.8, 0.9},
		{"forty successes forgive all", append(results(100, balancer.Failure), results(40, balancer.Success)...), time.Millisecond, 0, 0},
		{"neutral ends forgive nothing", append(results(100, balancer.Failure), results(40, balancer.Neutral)...), time.Millisecond, 0.96, 31.0 / 32},
		{"after a long pause one success is enough", append(results(5, balancer.Failure), balancer.Success), 10 * time.Minute, 0, 0},
		{"after a long pause a failure counts as the first", results(5, balancer.Failure), 10 * time.Minute, 0.25, 0.26},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNodes(t, 1)[0]
			now := start
			for _, r := range tt.results {
				now += tt.every
				n.Start(now).Done(now+time.Millisecond, r)
			}
			if got := n.Stats(now).Failing; got < tt.from-1e-6 || got > tt.to+1e-6 {
				t.Errorf("failing is %v, want %v to %v", got, tt.from, tt.to)
			}
		})
	}
}

func results(n int, r balancer.Result) []balancer.Result {
	all := make([]balancer.Result, n)
	for i := range all {
		all[i] = r
	}
	return all
}

// Idle is the time since something was learned of the instance's speed or its
// failures. A stream that ends well says nothing of its speed, so it must not
// keep an old latency fresh.
func TestIdleIsTheTimeSinceTheLastSample(t *testing.T) {
	tests := []struct {
		name string
		end  func(n *balancer.Node, at time.Duration)
		idle time.Duration
	}{
		{"no history", func(*balancer.Node, time.Duration) {}, 0},
		{"a success", func(n *balancer.Node, at time.Duration) {
			took(n, time.Second, at-time.Minute)
			took(n, time.Millisecond, at)
		}, time.Second},
		{"a failure", func(n *balancer.Node, at time.Duration) {
			took(n, time.Second, at-time.Minute)
			n.Start(at).Done(at, balancer.Failure)
		}, time.Second},
		{"a stream that failed", func(n *balancer.Node, at time.Duration) {
			took(n, time.Second, at-time.Minute)
			n.StartStream(at).Done(at, balancer.Failure)
		}, time.Second},
		{"a stream that ended well", func(n *balancer.Node, at time.Duration) {
			took(n, time.Second, at-time.Minute)
			n.StartStream(at).Done(at, balancer.Success)
		}, time.Minute + time.Second},
		{"a neutral end", func(n *balancer.Node, at time.Duration) {
			took(n, time.Second, at-time.Minute)
			n.Start(at).Done(at, balancer.Neutral)
		}, time.Minute + time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNodes(t, 1)[0]
			tt.end(n, start)
			about(t, "idle", n.Stats(start+time.Second).Idle, tt.idle)
		})
	}
}
