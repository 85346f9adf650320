package report

import (
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
)

// figure is one that variants are compared by.
type figure struct {
	metric, title string
	of            func(load.Measurement) float64
	// widest is how wide the interval of a ratio may be, in parts of the ratio,
	// before it is worth a warning; 0: as wide as it likes.
	widest   float64
	terminal bool // there, too; all are in the files
}

// figures begins with the one that decides. A claim about it is of three parts in
// a hundred, hence its widest; the latency of the slowest calls is never as calm.
func figures() []figure {
	return []figure{
		{"cpu_us_per_req", "CPU", load.Measurement.CPUPerCall, 0.06, true},
		{"client_cpu_us_per_req", "client CPU", load.Measurement.ClientCPUPerCall, 0, false},
		{"rps", "req/s", load.Measurement.RPS, 0.1, true},
		{"p50_us", "p50", load.Measurement.MicrosP50, 0, false},
		{"p99_us", "p99", load.Measurement.MicrosP99, 0.3, true},
		{"client_allocs", "allocs", load.Measurement.AllocsPerCall, 0, false},
	}
}

// The parts of the CPU of a request that a [load.Measurement] has no figure for.

func proxyCPU(m load.Measurement) float64 { return perCall(m.ProxyCPU, m) }

func serverCPU(m load.Measurement) float64 { return perCall(m.CPU-m.ClientCPU-m.ProxyCPU, m) }

func perCall(d time.Duration, m load.Measurement) float64 {
	return float64(d) / float64(time.Microsecond) / float64(m.Calls)
}
