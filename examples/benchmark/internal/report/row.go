package report

import (
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// Row is a variant in a scenario: medians over its runs, errors of all of them.
type Row struct {
	Variant string `json:"variant"`
	scenario.Scenario
	RPS          float64 `json:"rps"`
	P50          float64 `json:"p50_us"`
	P99          float64 `json:"p99_us"`
	P999         float64 `json:"p999_us"`
	CPU          float64 `json:"cpu_us_per_req"` // of all processes
	RSS          float64 `json:"rss_mb"`         // of all processes
	ClientAllocs float64 `json:"client_allocs"`  // per request
	Errors       int64   `json:"errors"`

	// Rate is that of the arrivals which the latencies are of, per second; 0: they
	// are those of the closed loop.
	Rate float64 `json:"rate,omitempty"`
	// ProxyCPU is the part of CPU that is the proxies'.
	ProxyCPU float64 `json:"proxy_cpu_us_per_req,omitempty"`
	// ProxyRPSPerCore is what one core of the lane's proxies carries.
	ProxyRPSPerCore float64 `json:"proxy_rps_per_core,omitempty"`
}

func rowOf(s scenario.Scenario, l *Lane) Row {
	of := func(figure func(load.Measurement) float64) float64 { return medianOf(l.Runs, figure) }
	r := Row{
		Variant: l.Name, Scenario: s,
		RPS: of(load.Measurement.RPS), P50: of(load.Measurement.MicrosP50), P99: of(load.Measurement.MicrosP99), P999: of(load.Measurement.MicrosP999),
		CPU: of(load.Measurement.CPUPerCall), RSS: of(load.Measurement.MebibytesRSS), ClientAllocs: of(load.Measurement.AllocsPerCall),
		Rate: of(func(m load.Measurement) float64 { return m.Rate }), ProxyCPU: of(proxyCPU),
	}
	for _, m := range l.Runs {
		r.Errors += m.Errors
	}
	if r.ProxyCPU > 0 {
		r.ProxyRPSPerCore = significant(1e6 / r.ProxyCPU)
	}
	return r
}
