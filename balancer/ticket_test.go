package balancer_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

func TestTicketCountsAndTimes(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name        string
		do          func(n *balancer.Node)
		outstanding int
		latency     time.Duration
		failing     bool
	}{
		{"nothing yet", func(*balancer.Node) {}, 0, 0, false},
		{"started is outstanding", func(n *balancer.Node) {
			n.Start(start)
			n.Start(start)
		}, 2, 0, false},
		{"a success teaches its latency", func(n *balancer.Node) {
			n.Start(start).Done(start+20*ms, balancer.Success)
		}, 0, 20 * ms, false},
		{"a neutral end teaches nothing", func(n *balancer.Node) {
			n.Start(start).Done(start+20*ms, balancer.Neutral)
		}, 0, 0, false},
		{"a neutral end changes nothing that is known", func(n *balancer.Node) {
			took(n, 5*ms, start)
			n.Start(start).Done(start+time.Hour, balancer.Neutral)
		}, 0, 5 * ms, false},
		{"a neutral stream changes nothing", func(n *balancer.Node) {
			took(n, 5*ms, start)
			n.StartStream(start).Done(start+time.Hour, balancer.Neutral)
		}, 0, 5 * ms, false},
		{"a stream is outstanding", func(n *balancer.Node) {
			n.StartStream(start)
		}, 1, 0, false},
		{"a stream teaches no latency", func(n *balancer.Node) {
			n.StartStream(start).Done(start+time.Hour, balancer.Success)
		}, 0, 0, false},
		{"a stream can fail", func(n *balancer.Node) {
			n.StartStream(start).Done(start+time.Hour, balancer.Failure)
		}, 0, 0, true},
		{"the first sample is not taken from a failure", func(n *balancer.Node) {
			n.Start(start).Done(start+20*ms, balancer.Failure)
		}, 0, 0, true},
		{"a failure slower than expected counts as slow", func(n *balancer.Node) {
			took(n, 5*ms, start)
			n.Start(start).Done(start+time.Second, balancer.Failure)
		}, 0, time.Second, true},
		{"a failure faster than expected does not count as fast", func(n *balancer.Node) {
			took(n, 5*ms, start)
			n.Start(start+time.Minute).Done(start+time.Minute+ms, balancer.Failure)
		}, 0, 5 * ms, true},
		{"a call that was refused counts as a failure, and not as fast", func(n *balancer.Node) {
			took(n, 5*ms, start)
			n.Start(start+time.Minute).Done(start+time.Minute+ms, balancer.Refused)
		}, 0, 5 * ms, true},
		{"a call that ends before it began took no time", func(n *balancer.Node) {
			n.Start(start).Done(start-time.Second, balancer.Success)
		}, 0, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNodes(t, 1)[0]
			tt.do(n)
			s := n.Stats(start)
			if s.Outstanding != tt.outstanding || n.Outstanding() != tt.outstanding {
				t.Errorf("outstanding: %d and %d, want %d", s.Outstanding, n.Outstanding(), tt.outstanding)
			}
			if s.Latency != tt.latency {
				t.Errorf("latency: %v, want %v", s.Latency, tt.latency)
			}
			if (s.Failing > 0) != tt.failing {
				t.Errorf("failing: %v", s.Failing)
			}
		})
	}
}

func TestTicketNamesItsNode(t *testing.T) {
	n := newNodes(t, 1)[0]
	if got := n.Start(start).Node(); got != n {
		t.Errorf("Node is %v", got)
	}
	if got := (balancer.Ticket{}).Node(); got != nil {
		t.Errorf("Node of the zero Ticket is %v", got)
	}
}

// The oldest of up to eleven timed calls is known whatever order they end in;
// more are counted, and their latency is learned.
func TestElevenCallsAreTimedAtOnce(t *testing.T) {
	n := newNodes(t, 1)[0]
	var tickets []balancer.Ticket
	for i := range 11 {
		tickets = append(tickets, n.Start(start+time.Duration(i)*time.Second))
	}
	untimed := n.Start(start - time.Hour)
	now := start + time.Minute
	for i, ticket := range tickets {
		about(t, "oldest", n.Stats(now).Oldest, time.Minute-time.Duration(i)*time.Second)
		ticket.Done(now, balancer.Neutral)
	}
	if s := n.Stats(now); s.Outstanding != 1 || s.Oldest != 0 {
		t.Errorf("with one untimed call: %+v", s)
	}
	untimed.Done(start, balancer.Success)
	about(t, "latency", n.Stats(now).Latency, time.Hour)
}

// about compares moments that went through ticks of 65.536 µs, or a float32.
func about(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if diff := (got - want).Abs(); diff > 132*time.Microsecond && diff > want/1000 {
		t.Errorf("%s is %v, want about %v", what, got, want)
	}
}

// Clock readings are kept in 32 bits that wrap after 78 hours: an age that
// spans the wrap is as right as any other.
func TestAgesSurviveTheWrapOfTheClock(t *testing.T) {
	const wrap = time.Duration(1) << (32 + 16)
	for _, before := range []time.Duration{0, 1, time.Millisecond, time.Second, 10 * time.Hour} {
		n := newNodes(t, 1)[0]
		took(n, 50*time.Millisecond, wrap-before)
		lone, second := n.Start(wrap-before), n.Start(wrap-before/2)
		for _, after := range []time.Duration{0, time.Millisecond, time.Hour} {
			s := n.Stats(wrap + after)
			about(t, "oldest", s.Oldest, before+after)
			about(t, "idle", s.Idle, before+after)
		}
		lone.Done(wrap+time.Second, balancer.Neutral)
		about(t, "oldest", n.Stats(wrap+time.Second).Oldest, before/2+time.Second)
		second.Done(wrap+time.Second, balancer.Neutral)
		if s := n.Stats(wrap + time.Second); s.Outstanding != 0 || s.Oldest != 0 {
			t.Errorf("all done: %+v", s)
		}
	}
}
