package retry_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/retry"
)

func TestByMethod(t *testing.T) {
	t.Run("each has its own", func(t *testing.T) {
		var m retry.ByMethod[retry.Least]
		a, b := m.Of("a"), m.Of("b")
		if a == b {
			t.Error("two methods share one")
		}
		if m.Of("a") != a || m.Of("b") != b {
			t.Error("it is not the same the second time")
		}
	})
	t.Run("those beyond 256 share one", func(t *testing.T) {
		var m retry.ByMethod[retry.Least]
		seen := make(map[*retry.Least]bool)
		for i := range 2000 {
			seen[m.Of(fmt.Sprint(i))] = true
		}
		if len(seen) != 257 {
			t.Errorf("%d are kept", len(seen))
		}
		if m.Of("1000") != m.Of("1999") || m.Of("0") == m.Of("1999") {
			t.Error("not the latest share one")
		}
	})
	t.Run("all find the same, whoever is first", func(t *testing.T) {
		var m retry.ByMethod[retry.Least]
		var all sync.WaitGroup
		found := make([][50]*retry.Least, 8)
		for caller := range found {
			all.Go(func() {
				for i := range found[caller] {
					found[caller][i] = m.Of(fmt.Sprint(i))
				}
			})
		}
		all.Wait()
		for _, f := range found {
			if f != found[0] {
				t.Fatal("two callers found different ones")
			}
		}
	})
	t.Run("finding one allocates nothing", func(t *testing.T) {
		var m retry.ByMethod[retry.Least]
		m.Of("a")
		if got := testing.AllocsPerRun(1000, func() { m.Of("a") }); got != 0 {
			t.Errorf("%v allocations", got)
		}
	})
}
