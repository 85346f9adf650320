package transport

import (
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

//go:fix inline
func newInt(c int) *int { return new(c) }

func set(one *int, c int) error { *one = c; return nil }

// Which calls are counted together.
func TestScoped(t *testing.T) {
	get, put := &subject{method: "Get"}, &subject{method: "Put", priority: ratelimit.Critical}
	for _, tt := range []struct {
		per      rule.Scope
		together bool
		count    int // after both
	}{{rule.PerService, true, 1}, {rule.PerMethod, false, 3}, {rule.PerClass, false, 4}} {
		var s scoped[int, int]
		s.begin(tt.per, 1, newInt)
		first, again := s.of(tt.per, get), s.of(tt.per, get)
		if got := first == s.of(tt.per, put); got != tt.together || first != again {
			t.Errorf("per %v: two calls are counted together: %t", tt.per, got)
		}
		s.set(2, set)
		n := 0
		for one := range s.all() {
			if n++; *one != 2 {
				t.Errorf("per %v: one has %d", tt.per, *one)
			}
		}
		if n != tt.count {
			t.Errorf("per %v: there are %d, want %d", tt.per, n, tt.count)
		}
		for range s.all() {
			break
		}
	}
}

// A document may come while a call makes what a new method is counted with: that goes
// by the new one, too.
func TestScopedMissesNone(t *testing.T) {
	var s scoped[int, int]
	making, proceed := make(chan struct{}), make(chan struct{})
	s.begin(rule.PerMethod, 1, newInt)
	s.made = func(c int) *int {
		close(making)
		<-proceed
		return &c
	}
	var both sync.WaitGroup
	both.Go(func() { s.of(rule.PerMethod, &subject{method: "Get"}) })
	<-making
	both.Go(func() { s.set(2, set) })
	time.Sleep(10 * time.Millisecond) // who does not wait is through by then
	close(proceed)
	both.Wait()
	for one := range s.all() {
		if *one != 2 {
			t.Errorf("one has %d", *one)
		}
	}
}
