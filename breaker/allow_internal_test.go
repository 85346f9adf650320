package breaker

import (
	"testing"
	"testing/synctest"
	"time"
)

// A process that is frozen between its look at the state and gobreaker's answer:
// the breaker opened just before, and wakes up in the half-open state. The call
// must not keep a place of which there is no lease.
func TestCallThatMissesTheChangeGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := New("orders", Config{ConsecutiveFailures: 1})
		if err != nil {
			t.Fatal(err)
		}
		seen := b.at()
		ticket, _ := b.Allow()
		ticket.Done(Failure)
		time.Sleep(3*time.Second + 1)
		if done := b.admitClosed(seen); done != nil {
			t.Error("let through as if it were closed")
		}
		probe, err := b.Allow()
		if err != nil {
			t.Fatalf("its place is lost: %v", err)
		}
		probe.Done(Success)
		if got := b.State(); got != Closed {
			t.Errorf("is %v, want closed", got)
		}
	})
}
