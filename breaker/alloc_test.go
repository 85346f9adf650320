package breaker_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
)

func TestAllocations(t *testing.T) {
	slow := breaker.Config{ConsecutiveFailures: 3, SlowCallDuration: time.Hour, OpenFor: time.Hour}
	tests := []struct {
		name string
		mode breaker.Mode
		open bool
		most float64
	}{
		{"closed: gobreaker's closure", breaker.Automatic, false, 1},
		{"open", breaker.Automatic, true, 0},
		{"disabled", breaker.Disabled, false, 0},
		{"forced open", breaker.ForcedOpen, false, 0},
		{"observed, closed", breaker.ObserveOnly, false, 1},
		{"observed, open", breaker.ObserveOnly, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBreaker(t, slow)
			if tt.open {
				end(t, b, times(3, failure)...)
			}
			b.SetMode(tt.mode)
			was := b.State()
			n := 0
			if got := testing.AllocsPerRun(1000, func() {
				ticket, _ := b.Allow()
				n++
				ticket.Done([...]breaker.Outcome{success, success, failure, neutral}[n%4])
			}); got > tt.most {
				t.Errorf("%v allocations, want %v at most", got, tt.most)
			}
			wantState(t, b, was)
		})
	}
}
