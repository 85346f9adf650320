package sim_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/internal/cputime"
)

// BenchmarkCall is what one call costs the simulator, with the choice and the
// measuring that are the library's.
func BenchmarkCall(b *testing.B) {
	for _, bb := range []struct {
		name                       string
		clients, instances, limits int
	}{
		{"10 clients, 10 instances", 10, 10, 0},
		{"100 clients, 100 instances", 100, 100, 0},
		{"1000 clients, 1000 instances", 1000, 1000, 0},
		{"10 clients, 10 instances, in detail", 10, 10, 1000},
	} {
		b.Run(bb.name, func(b *testing.B) {
			const load, workers = 0.7, 4
			mean := 10 * time.Millisecond
			p := sim.Plan{
				Clients: bb.clients, Work: sim.Work{Mean: mean}, Traffic: sim.Traffic{Load: load},
				Fleet: []sim.Class{{Name: "all", Count: bb.instances, Workers: workers, Limit: bb.limits}},
			}
			p.Length = max(20*time.Millisecond, time.Duration(float64(b.N)/load/float64(bb.instances*workers)*float64(mean)))
			p.Warmup = 1
			began := cputime.Used()
			r, err := sim.Run(p, policy(balancer.P2CEWMA{}), 1)
			if err != nil {
				b.Fatal(err)
			}
			if used := cputime.Used() - began; used > 0 {
				b.ReportMetric(float64(r.Played)/used.Seconds(), "calls/CPU-s")
			}
		})
	}
}
