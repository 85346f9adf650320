// Package orca reads and writes the load of a server as Open Request Cost
// Aggregation (ORCA) has it: the message xds.data.orca.v3.OrcaLoadReport, in its
// binary form, which gRPC carries in trailers (gRFC A51), and in the forms that
// Envoy takes from HTTP headers: key=value pairs, JSON, and base64.
//
// Of a report it keeps what balancing goes by. Utilization is that of the
// application, or else of the CPU. Two named metrics are this library's own, see
// [CallsInFlight] and [Latency]. What it does not know it passes over.
//
// Reports come from outside: they are bounded in length and in the number of
// metrics, and anything malformed is an error.
package orca

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// Names of headers and trailers. Those of HTTP are in canonical form.
const (
	Trailer      = "endpoint-load-metrics-bin"
	Header       = "Endpoint-Load-Metrics"
	BinaryHeader = "Endpoint-Load-Metrics-Bin" // base64
)

// Named metrics that servers of this library report.
const (
	// CallsInFlight is how many calls the server has, the one that is answered
	// among them.
	CallsInFlight = "fairlead.rif"
	// Latency is the seconds that a call takes there, as the server expects.
	Latency = "fairlead.latency_seconds"
)

// Bounds of a report. A dozen metrics have a few hundred bytes.
const (
	mostBytes   = 4 << 10
	mostMetrics = 100
)

var (
	errLong = fmt.Errorf("a report of more than %d bytes", mostBytes)
	errMany = fmt.Errorf("more than %d metrics", mostMetrics)
)

// metric is one that is kept.
type metric uint8

const (
	cpu metric = iota
	application
	qps
	eps
	callsInFlight
	latency

	metrics = iota
)

// named begins the names of named metrics, where all names are one list.
const named = "named_metrics."

var names = [metrics]string{
	cpu:           "cpu_utilization",
	application:   "application_utilization",
	qps:           "rps_fractional",
	eps:           "eps",
	callsInFlight: named + CallsInFlight,
	latency:       named + Latency,
}

// report is what was read so far.
type report struct {
	values [metrics]float64
	seen   [metrics]bool
	count  int
}

// add takes one metric; of one that is not kept only the value matters.
func (r *report) add(name string, value float64) error {
	if r.count++; r.count > mostMetrics {
		return errMany
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return errors.New("a metric is not a finite number")
	}
	m := slices.Index(names[:], name)
	if m < 0 {
		return nil
	}
	if value < 0 {
		return errors.New("a metric is negative")
	}
	r.values[m], r.seen[m] = value, true
	return nil
}

// once is add of a metric that must not be there twice.
func (r *report) once(name string, value float64) error {
	if m := slices.Index(names[:], name); m >= 0 && r.seen[m] {
		return errors.New("the same metric twice")
	}
	return r.add(name, value)
}

func (r *report) load() balancer.Load {
	l := balancer.Load{
		Utilization: r.values[application],
		QPS:         r.values[qps],
		EPS:         r.values[eps],
		InFlight:    int(min(math.Round(r.values[callsInFlight]), math.MaxInt32)),
		Latency:     time.Duration(min(r.values[latency]*float64(time.Second), 1<<62)),
	}
	if l.Utilization == 0 {
		l.Utilization = r.values[cpu]
	}
	return l
}

// each yields the metrics of a load that are said.
func each(l balancer.Load, yield func(metric, float64)) {
	for m, value := range [metrics]float64{
		application:   l.Utilization,
		qps:           l.QPS,
		eps:           l.EPS,
		callsInFlight: float64(l.InFlight),
		latency:       l.Latency.Seconds(),
	} {
		if value != 0 {
			yield(metric(m), value)
		}
	}
}
