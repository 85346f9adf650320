package balancer_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// From a list of long ago nobody vanishes, however many are not on the next;
// from that one they do again.
func TestDistrust(t *testing.T) {
	pool, err := balancer.NewPool(balancer.PoolConfig{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Hour
	update := func(instances int) *balancer.View {
		now += time.Hour
		return pool.Update(fixture.Snapshot("orders", instances), now)
	}
	update(10)
	pool.Distrust()
	if v := update(2); v.Held != 0 || len(v.Nodes) != 2 {
		t.Errorf("%d of %d are held after a list of long ago", v.Held, len(v.Nodes))
	}
	update(10)
	if v := update(2); v.Held != 8 {
		t.Errorf("%d are held after a list that was trusted, want 8", v.Held)
	}
}
