package load

import "time"

// Measurement is what a run found, with one client process or more.
type Measurement struct {
	Calls, Errors  int64
	FirstError     string
	Elapsed        time.Duration
	CPU            time.Duration // of all processes; 0 where that is unknown
	ClientCPU      time.Duration
	ProxyCPU       time.Duration // 0: there are none, or it is unknown
	RSS            int64         // bytes of all processes; 0 where that is unknown
	Allocs         uint64        // of the client
	P50, P99, P999 time.Duration
	// Rate is that of the arrivals which the latencies are of, per second; 0: they
	// are those of the closed loop.
	Rate     float64
	Arrivals int64
	// Late is how late the client began calls when it had nothing else to do, at the
	// 99th percentile. The latencies include it.
	Late time.Duration
	// Saturated means that calls waited for their beginning when no more arrived: the
	// rate is more than what was called can take.
	Saturated bool
	Cut       int64 // calls that were given up: they took longer than is known
}

// RPS is how many calls ended in a second.
func (m Measurement) RPS() float64 { return float64(m.Calls) / m.Elapsed.Seconds() }

// The figures of a call are in microseconds, those of memory in mebibytes.

func (m Measurement) CPUPerCall() float64       { return m.perCall(micros(m.CPU)) }
func (m Measurement) ClientCPUPerCall() float64 { return m.perCall(micros(m.ClientCPU)) }
func (m Measurement) AllocsPerCall() float64    { return m.perCall(float64(m.Allocs)) }
func (m Measurement) MicrosP50() float64        { return micros(m.P50) }
func (m Measurement) MicrosP99() float64        { return micros(m.P99) }
func (m Measurement) MicrosP999() float64       { return micros(m.P999) }
func (m Measurement) MebibytesRSS() float64     { return float64(m.RSS) / (1 << 20) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (m Measurement) perCall(of float64) float64 {
	if m.Calls == 0 {
		return 0
	}
	return of / float64(m.Calls)
}
