package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
)

const (
	neutral = breaker.Neutral
	success = breaker.Success
	failure = breaker.Failure
)

// calls are some calls of one kind, made one after the other.
type calls struct {
	n       int
	outcome breaker.Outcome
	took    time.Duration // what DoneAfter is told
	wait    time.Duration // before each
}

// watched is a breaker that keeps its last change.
func watched(tb testing.TB, c breaker.Config) (*breaker.Breaker, func() breaker.Change) {
	var last breaker.Change
	b := newBreaker(tb, c, breaker.OnChange(func(c breaker.Change) { last = c }))
	return b, func() breaker.Change {
		synctest.Wait()
		return last
	}
}

func TestWhatOpensIt(t *testing.T) {
	const s, none = time.Second, breaker.NoReason
	slow := breaker.Config{SlowCallDuration: s}
	tests := []struct {
		name   string
		config breaker.Config
		calls  []calls
		want   breaker.Reason // none: stays closed
		counts breaker.Counts // at the end, or when it opened
	}{
		{"nothing, at first", breaker.Config{}, nil, none, breaker.Counts{}},

		{"too few calls say nothing", breaker.Config{}, []calls{{19, failure, 0, 0}}, none, breaker.Counts{19, 19, 0, 19}},
		{"twenty do", breaker.Config{}, []calls{{20, failure, 0, 0}}, breaker.FailureRate, breaker.Counts{20, 20, 0, 20}},
		{"half of them are enough", breaker.Config{}, []calls{{10, success, 0, 0}, {10, failure, 0, 0}}, breaker.FailureRate, breaker.Counts{20, 10, 0, 10}},
		{"less are not", breaker.Config{}, []calls{{11, success, 0, 0}, {9, failure, 0, 0}}, none, breaker.Counts{20, 9, 0, 9}},
		{"a good call opens nothing, even as the twentieth", breaker.Config{}, []calls{{10, failure, 0, 0}, {10, success, 0, 0}}, none, breaker.Counts{20, 10, 0, 0}},
		{"the next bad one does", breaker.Config{}, []calls{{10, failure, 0, 0}, {10, success, 0, 0}, {1, failure, 0, 0}}, breaker.FailureRate, breaker.Counts{21, 11, 0, 1}},
		{"neutral ones are not counted", breaker.Config{}, []calls{{19, failure, 0, 0}, {50, neutral, 0, 0}}, none, breaker.Counts{19, 19, 0, 19}},
		{"its own number", breaker.Config{MinRequests: 2}, []calls{{2, failure, 0, 0}}, breaker.FailureRate, breaker.Counts{2, 2, 0, 2}},
		{"seven of a hundred are 0.07", breaker.Config{MinRequests: 100, FailureRate: 0.07}, []calls{{93, success, 0, 0}, {7, failure, 0, 0}}, breaker.FailureRate, breaker.Counts{100, 7, 0, 7}},
		{"a rate of one needs all to fail", breaker.Config{FailureRate: 1}, []calls{{1, success, 0, 0}, {99, failure, 0, 0}}, none, breaker.Counts{100, 99, 0, 99}},

		{"what left the window is forgotten", breaker.Config{}, []calls{{19, failure, 0, 0}, {1, failure, 0, 10 * s}}, none, breaker.Counts{1, 1, 0, 20}},
		{"it leaves part by part", breaker.Config{}, []calls{{12, failure, 0, s}, {1, failure, 0, s}}, none, breaker.Counts{10, 10, 0, 13}},
		{"what has not left counts", breaker.Config{}, []calls{{19, failure, 0, 0}, {1, failure, 0, 10*s - 1}}, breaker.FailureRate, breaker.Counts{20, 20, 0, 20}},
		{"its own window", breaker.Config{Window: s}, []calls{{19, failure, 0, 0}, {1, failure, 0, s}}, none, breaker.Counts{1, 1, 0, 20}},
		{"an hour of silence", breaker.Config{}, []calls{{19, failure, 0, 0}, {1, success, 0, time.Hour}}, none, breaker.Counts{1, 0, 0, 0}},

		{"three in a row", three, []calls{{3, failure, 0, 0}}, breaker.ConsecutiveFailures, breaker.Counts{3, 3, 0, 3}},
		{"two in a row", three, []calls{{2, failure, 0, 0}, {1, success, 0, 0}, {2, failure, 0, 0}}, none, breaker.Counts{5, 4, 0, 2}},
		{"neutral ones do not end a row", three, []calls{{2, failure, 0, 0}, {9, neutral, 0, 0}, {1, failure, 0, 0}}, breaker.ConsecutiveFailures, breaker.Counts{3, 3, 0, 3}},
		{"three in a row, an hour apart", three, []calls{{3, failure, 0, time.Hour}}, breaker.ConsecutiveFailures, breaker.Counts{1, 1, 0, 3}},
		{"slow successes are not failures in a row", breaker.Config{ConsecutiveFailures: 3, SlowCallDuration: s}, []calls{{2, failure, 0, 0}, {1, success, 2 * s, 0}, {2, failure, 0, 0}}, none, breaker.Counts{5, 4, 1, 2}},

		{"all are slow", slow, []calls{{20, success, s + 1, 0}}, breaker.SlowCalls, breaker.Counts{20, 0, 20, 0}},
		{"one was quick", slow, []calls{{1, success, 0, 0}, {99, success, 2 * s, 0}}, none, breaker.Counts{100, 0, 99, 0}},
		{"just quick enough", slow, []calls{{20, success, s, 0}}, none, breaker.Counts{20, 0, 0, 0}},
		{"too few are slow to say anything", slow, []calls{{19, success, 2 * s, 0}}, none, breaker.Counts{19, 0, 19, 0}},
		{"its own slow rate", breaker.Config{SlowCallDuration: s, SlowCallRate: 0.25}, []calls{{15, success, 0, 0}, {5, success, 2 * s, 0}}, breaker.SlowCalls, breaker.Counts{20, 0, 5, 0}},
		{"slow successes are no failures in the rate", breaker.Config{SlowCallDuration: s}, []calls{{15, success, 2 * s, 0}, {6, success, 0, 0}, {9, failure, 0, 0}}, none, breaker.Counts{30, 9, 15, 9}},
		{"a slow failure is both", breaker.Config{SlowCallDuration: s, FailureRate: 1, SlowCallRate: 0.5}, []calls{{10, success, 0, 0}, {10, failure, 2 * s, 0}}, breaker.SlowCalls, breaker.Counts{20, 10, 10, 10}},
		{"slow ones leave the window too", slow, []calls{{19, success, 2 * s, 0}, {1, success, 2 * s, 10 * s}}, none, breaker.Counts{1, 0, 1, 0}},
		{"nothing is slow unless it is said", breaker.Config{}, []calls{{50, success, time.Hour, 0}}, none, breaker.Counts{50, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, last := watched(t, tt.config)
				for _, c := range tt.calls {
					for range c.n {
						time.Sleep(c.wait)
						ticket := begin(t, b)
						ticket.DoneAfter(c.outcome, c.took)
					}
				}
				if tt.want == none {
					wantState(t, b, breaker.Closed)
					if got := b.Counts(); got != tt.counts {
						t.Errorf("counts %+v, want %+v", got, tt.counts)
					}
					return
				}
				wantState(t, b, breaker.Open)
				if got := last(); got.Reason != tt.want || got.Counts != tt.counts || got.From != breaker.Closed || got.To != breaker.Open || got.Name != "orders" || !got.Time.Equal(time.Now()) {
					t.Errorf("change %+v, want by %v with %+v", got, tt.want, tt.counts)
				}
				if got := b.Counts(); got != (breaker.Counts{}) {
					t.Errorf("it opened with %+v, want nothing", got)
				}
			})
		})
	}
}

func TestDoneMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{SlowCallDuration: time.Second})
		for _, took := range []time.Duration{0, time.Second, time.Second + 1} {
			ticket := begin(t, b)
			time.Sleep(took)
			ticket.Done(breaker.Success)
		}
		if got, want := b.Counts(), (breaker.Counts{Requests: 3, Slow: 1}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
	})
}

func TestTicketIsDoneOnce(t *testing.T) {
	b := newBreaker(t, breaker.Config{})
	ticket := begin(t, b)
	for range 5 {
		ticket.Done(breaker.Failure)
	}
	if got := b.Counts().Requests; got != 1 {
		t.Errorf("%d calls counted, want 1", got)
	}
	var none breaker.Ticket
	none.Done(breaker.Failure)
	none.DoneAfter(breaker.Failure, time.Second)
}
