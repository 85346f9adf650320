package breaker_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
)

var errFailed = errors.New("failed")

func newBreaker(tb testing.TB, c breaker.Config, options ...breaker.Option) *breaker.Breaker {
	tb.Helper()
	b, err := breaker.New("orders", c, options...)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// begin asks for a call that must be let through.
func begin(tb testing.TB, b *breaker.Breaker) breaker.Ticket {
	tb.Helper()
	ticket, err := b.Allow()
	if err != nil {
		tb.Fatalf("rejected: %v", err)
	}
	return ticket
}

// end makes calls that end at once, one for each outcome.
func end(tb testing.TB, b *breaker.Breaker, outcomes ...breaker.Outcome) {
	tb.Helper()
	for _, o := range outcomes {
		ticket := begin(tb, b)
		ticket.Done(o)
	}
}

func wantState(tb testing.TB, b *breaker.Breaker, want breaker.State) {
	tb.Helper()
	if got := b.State(); got != want {
		tb.Errorf("is %v, want %v", got, want)
	}
}

func wantRejected(tb testing.TB, b *breaker.Breaker) {
	tb.Helper()
	if _, err := b.Allow(); !errors.Is(err, breaker.ErrOpen) {
		tb.Errorf("error is %v, want ErrOpen", err)
	}
}

func times(n int, o breaker.Outcome) []breaker.Outcome {
	all := make([]breaker.Outcome, n)
	for i := range all {
		all[i] = o
	}
	return all
}

func TestOpensAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{})
		end(t, b, times(19, breaker.Failure)...)
		wantState(t, b, breaker.Closed)
		end(t, b, breaker.Failure)
		wantState(t, b, breaker.Open)
		wantRejected(t, b)
		time.Sleep(3*time.Second + 1)
		probe := begin(t, b)
		wantState(t, b, breaker.HalfOpen)
		wantRejected(t, b)
		probe.Done(breaker.Success)
		wantState(t, b, breaker.Closed)
		end(t, b, times(19, breaker.Failure)...)
		wantState(t, b, breaker.Closed)
	})
}
