package breaker_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
)

// All at once, at the moment at which it turns half-open.
func TestCrowdOfProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := opened(t, breaker.Config{HalfOpenRequests: 3})
		for round := range 10 {
			var through atomic.Int32
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					if _, err := b.Allow(); err == nil {
						through.Add(1)
					}
				})
			}
			all.Wait()
			if got := through.Load(); got != 3 {
				t.Errorf("round %d: %d were let through, want 3", round, got)
			}
			time.Sleep(time.Second)
		}
	})
}

// Everything at once, for the race detector; and afterwards it still works.
func TestConcurrentUse(t *testing.T) {
	var told atomic.Int64
	b := newBreaker(t, breaker.Config{
		ConsecutiveFailures: 2, OpenFor: time.Millisecond, ProbeTimeout: time.Millisecond, HalfOpenRequests: 2, SlowCallDuration: time.Millisecond,
	}, breaker.OnChange(func(breaker.Change) { told.Add(1) }))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			var hung []breaker.Ticket
			for range 1000 {
				ticket, err := b.Allow()
				switch n := rand.IntN(100); {
				case err != nil:
					time.Sleep(time.Duration(rand.IntN(100)) * time.Microsecond)
				case n < 2:
					hung = append(hung, ticket)
				default:
					ticket.Done(breaker.Outcome(n % 3))
				}
				switch n := rand.IntN(1000); {
				case n < 4:
					b.SetMode(breaker.Mode(n))
				case n < 100:
					b.Counts()
					b.Totals()
					b.State()
				case n < 200 && len(hung) > 0:
					hung[0].Done(breaker.Success)
					hung = hung[1:]
				}
			}
		})
	}
	all.Wait()
	b.SetMode(breaker.Automatic)
	for b.State() != breaker.Closed {
		if ticket, err := b.Allow(); err == nil {
			ticket.DoneAfter(breaker.Success, 0)
		}
		time.Sleep(time.Millisecond)
	}
}
