package wallclock_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/wallclock"
)

func TestJump(t *testing.T) {
	if !wallclock.Supported {
		t.Skip("needs Linux on amd64")
	}
	began := time.Now()
	if err := wallclock.Take(); err != nil {
		t.Fatal(err)
	}
	defer wallclock.Jump(0)
	for _, by := range []time.Duration{0, time.Hour, -time.Hour, 0} {
		wallclock.Jump(by)
		now := time.Now()
		if wall := now.Round(0).Sub(began.Round(0)) - by; wall < 0 || wall > 30*time.Second {
			t.Errorf("after a jump by %s the wall clock is %s off", by, wall)
		}
		if passed := now.Sub(began); passed < 0 || passed > 30*time.Second {
			t.Errorf("after a jump by %s, %s have passed", by, passed)
		}
		if passed := time.Since(began); passed < 0 || passed > 30*time.Second {
			t.Errorf("after a jump by %s, it is %s since", by, passed)
		}
	}
}
