package cputime_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/cputime"
)

// What a benchmark waits for is not in its CPU time, and neither is what it did
// before the start.
func TestOnlyWorkSinceTheStartCounts(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("the system does not tell")
	}
	const long = 100 * time.Millisecond
	idle := testing.Benchmark(func(b *testing.B) {
		spin(long)
		cputime.Start(b)
		for b.Loop() {
			time.Sleep(time.Millisecond)
		}
	})
	if cpu := idle.Extra[cputime.Unit]; !(cpu > 0 && cpu < float64(idle.NsPerOp())/2) {
		t.Errorf("a sleep took %v of the CPU and %v by the clock", time.Duration(cpu), time.Duration(idle.NsPerOp()))
	}
}

func spin(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; {
	}
}
