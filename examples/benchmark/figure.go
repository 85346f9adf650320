package main

import "time"

// The figures of a run that are shown and compared.

func rps(m measurement) float64       { return float64(m.Calls) / m.Elapsed.Seconds() }
func cpu(m measurement) float64       { return perCall(m, micros(m.CPU)) }
func clientCPU(m measurement) float64 { return perCall(m, micros(m.ClientCPU)) }
func allocs(m measurement) float64    { return perCall(m, float64(m.Allocs)) }
func p50(m measurement) float64       { return micros(m.P50) }
func p99(m measurement) float64       { return micros(m.P99) }
func p999(m measurement) float64      { return micros(m.P999) }
func rss(m measurement) float64       { return float64(m.RSS) / (1 << 20) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func perCall(m measurement, of float64) float64 {
	if m.Calls == 0 {
		return 0
	}
	return of / float64(m.Calls)
}

// figure is one that variants are compared by.
type figure struct {
	metric, title string
	of            func(measurement) float64
	shown         bool // in the table; all are in the JSON
}

func figures() []figure {
	return []figure{
		{"cpu_us_per_req", "CPU", cpu, true},
		{"client_cpu_us_per_req", "client CPU", clientCPU, true},
		{"rps", "req/s", rps, true},
		{"p50_us", "p50", p50, false},
		{"p99_us", "p99", p99, true},
		{"client_allocs", "allocs", allocs, false},
	}
}
