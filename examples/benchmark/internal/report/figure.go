package report

import "github.com/fairlead-go/fairlead/examples/benchmark/internal/load"

// figure is one that variants are compared by.
type figure struct {
	metric, title string
	of            func(load.Measurement) float64
	shown         bool // in the table; all are in the JSON
}

func figures() []figure {
	return []figure{
		{"cpu_us_per_req", "CPU", load.Measurement.CPUPerCall, true},
		{"client_cpu_us_per_req", "client CPU", load.Measurement.ClientCPUPerCall, true},
		{"rps", "req/s", load.Measurement.RPS, true},
		{"p50_us", "p50", load.Measurement.MicrosP50, false},
		{"p99_us", "p99", load.Measurement.MicrosP99, true},
		{"client_allocs", "allocs", load.Measurement.AllocsPerCall, false},
	}
}
