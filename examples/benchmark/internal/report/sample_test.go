package report

import (
	"math/rand/v2"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/internal/environment"
)

// sample is a report of two scenarios, one of them with proxies.
func sample() *Report {
	r := &Report{
		Environment: environment.Environment{Go: "go1.26.0", System: "linux/amd64", Kernel: "6.1", CPU: "A <fast> CPU", Cores: 2, Load: "0.10 0.20 0.30 1/100 1", Modules: map[string]string{"google.golang.org/grpc": "v1.85.0"}},
		Proxies:     []Proxy{{"haproxy", "2.6.12", "nbthread 1, no log & no checks"}, {"nginx", "1.22.1", "1 worker, keepalive to upstreams"}},
		Method:      []string{"10 rounds of 250ms"},
		Warnings:    []string{"10 pairs & <few> of them"},
	}
	draw := rand.New(rand.NewPCG(1, 2))
	lane := func(name string, cost, proxies float64) *Lane {
		l := &Lane{Name: name, Variant: name}
		for range 10 {
			noise := 1 + 0.02*draw.NormFloat64()
			micros := func(v float64) time.Duration { return time.Duration(v * noise * float64(time.Microsecond)) }
			l.Runs = append(l.Runs, load.Measurement{
				Calls: 10_000, Elapsed: 10_000 * micros(cost) / 2, CPU: 10_000 * micros(cost), ClientCPU: 10_000 * micros((cost-proxies)*0.6), ProxyCPU: 10_000 * micros(proxies),
				RSS: 41 << 20, Allocs: 570_123, P50: micros(8 * cost), P99: micros(20 * cost), P999: micros(55 * cost), Rate: 5000,
			})
		}
		return l
	}
	central := lane("central-nginx", 108, 50)
	central.Base = "plain-x4"
	r.Add(scenario.Scenario{Protocol: scenario.HTTP1, Payload: 128, Concurrency: 16, Handler: scenario.Thin, Deadline: scenario.None}, []*Lane{
		lane("plain", 60, 0), lane(Again, 60, 0), lane("usual-stack", 84, 0), lane("fairlead-metrics", 61, 0),
		lane("sidecar-haproxy", 101, 38), lane("sidecar2-fairlead-unix", 190, 120), lane("plain-x4", 62, 0), central,
	})
	r.Add(scenario.Scenario{Protocol: scenario.GRPC, Payload: 4096, Concurrency: 128, Handler: scenario.Heavy, Deadline: "1s"}, []*Lane{
		lane("round-robin", 90, 0), lane(Again, 90, 0), lane("fairlead-<all>", 95, 0),
	})
	return r
}
