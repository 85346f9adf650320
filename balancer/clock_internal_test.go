package balancer

import "testing"

func TestTicks(t *testing.T) {
	if got := tickOf(0); got != 1 {
		t.Errorf("tickOf(0) is %d: 0 means none", got)
	}
	if got := tickOf(1 << (32 + tickShift)); got != 1 {
		t.Errorf("tickOf at the wrap is %d: 0 means none", got)
	}
	if got := tick(5).since(tick(7)); got != 0 {
		t.Errorf("the future is %d ticks ago", got)
	}
	if got := tick(2).since(^tick(0)); got != 3 {
		t.Errorf("across the wrap: %d ticks, want 3", got)
	}
}
