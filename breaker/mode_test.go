package breaker_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/fairlead-go/fairlead/breaker"
)

func TestModes(t *testing.T) {
	tests := []struct {
		name   string
		mode   breaker.Mode
		open   bool // before the mode is set
		passes bool
		counts breaker.Counts
		state  breaker.State // after three calls
		totals breaker.Totals
	}{
		{"automatic and closed", breaker.Automatic, false, true, breaker.Counts{}, breaker.Open, breaker.Totals{Opened: 1}},
		{"automatic and open", breaker.Automatic, true, false, breaker.Counts{}, breaker.Open, breaker.Totals{Opened: 1, Rejected: 3}},
		{"disabled and closed", breaker.Disabled, false, true, breaker.Counts{}, breaker.Closed, breaker.Totals{}},
		{"disabled and open", breaker.Disabled, true, true, breaker.Counts{}, breaker.Open, breaker.Totals{Opened: 1}},
		{"forced open and closed", breaker.ForcedOpen, false, false, breaker.Counts{}, breaker.Closed, breaker.Totals{Rejected: 3}},
		{"forced open and open", breaker.ForcedOpen, true, false, breaker.Counts{}, breaker.Open, breaker.Totals{Opened: 1, Rejected: 3}},
		{"observed and closed", breaker.ObserveOnly, false, true, breaker.Counts{}, breaker.Open, breaker.Totals{Opened: 1}},
		{"observed and open", breaker.ObserveOnly, true, true, breaker.Counts{}, breaker.Open, breaker.Totals{Opened: 1, WouldReject: 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBreaker(t, three)
			if tt.open {
				end(t, b, times(3, failure)...)
			}
			b.SetMode(tt.mode)
			if got := b.Mode(); got != tt.mode {
				t.Errorf("mode is %v, want %v", got, tt.mode)
			}
			for range 3 {
				ticket, err := b.Allow()
				if passed := err == nil; passed != tt.passes {
					t.Errorf("error %v, want let through: %v", err, tt.passes)
				}
				ticket.Done(failure)
			}
			wantState(t, b, tt.state)
			if got := b.Counts(); got != tt.counts {
				t.Errorf("counts %+v, want %+v", got, tt.counts)
			}
			if got := b.Totals(); got != tt.totals {
				t.Errorf("totals %+v, want %+v", got, tt.totals)
			}
		})
	}
}

// One that only observes goes through the same states, by the same calls, as one
// in charge.
func TestObserveOnlyProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, three)
		b.SetMode(breaker.ObserveOnly)
		end(t, b, times(3, failure)...)
		end(t, b, times(7, success)...)
		wantState(t, b, breaker.Open)
		time.Sleep(3*time.Second + 1)
		probe := begin(t, b)
		end(t, b, failure, success) // would have been rejected
		wantState(t, b, breaker.HalfOpen)
		probe.Done(success)
		wantState(t, b, breaker.Closed)
		if got, want := b.Totals(), (breaker.Totals{Opened: 1, WouldReject: 9}); got != want {
			t.Errorf("totals %+v, want %+v", got, want)
		}
	})
}

func TestBackToAutomatic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, three)
		before := begin(t, b)
		end(t, b, times(2, failure)...)
		b.SetMode(breaker.Disabled)
		end(t, b, times(9, failure)...)
		wantState(t, b, breaker.Closed)
		before.Done(failure) // began when it was automatic
		wantState(t, b, breaker.Open)
		b.SetMode(breaker.Automatic)
		wantRejected(t, b)
		time.Sleep(3*time.Second + 1)
		end(t, b, success)
		wantState(t, b, breaker.Closed)
	})
}

func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, three)
		want := func(text string, cause, not error) {
			t.Helper()
			_, err := b.Allow()
			if err == nil || err.Error() != text {
				t.Errorf("error is %v, want %q", err, text)
			}
			if !errors.Is(err, breaker.ErrOpen) || !errors.Is(err, cause) || errors.Is(err, not) {
				t.Errorf("%v: want ErrOpen and %v, not %v", err, cause, not)
			}
		}
		b.SetMode(breaker.ForcedOpen)
		want("circuit breaker orders is forced open", gobreaker.ErrOpenState, gobreaker.ErrTooManyRequests)
		b.SetMode(breaker.Automatic)
		end(t, b, times(3, failure)...)
		want("circuit breaker orders is open", gobreaker.ErrOpenState, gobreaker.ErrTooManyRequests)
		time.Sleep(3*time.Second + 1)
		begin(t, b)
		want("circuit breaker orders is half-open, and its probes are out", gobreaker.ErrTooManyRequests, gobreaker.ErrOpenState)
	})
}

func TestRejecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, three)
		want := func(when string, want bool) {
			t.Helper()
			if got := b.Rejecting(); got != want {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		want("closed", false)
		b.SetMode(breaker.ForcedOpen)
		want("forced open", true)
		b.SetMode(breaker.Automatic)
		end(t, b, times(3, failure)...)
		want("open", true)
		for _, mode := range []breaker.Mode{breaker.Disabled, breaker.ObserveOnly} {
			b.SetMode(mode)
			want("open, but "+mode.String(), false)
		}
		b.SetMode(breaker.Automatic)
		time.Sleep(3 * time.Second)
		want("still open", true)
		time.Sleep(time.Nanosecond)
		want("open for long enough", false)
		wantState(t, b, breaker.Open)
		begin(t, b)
		want("half-open", false)
	})
}
