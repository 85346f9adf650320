package load

import (
	"testing"
	"time"
)

// Two clients call the same servers: what the servers used is in both shares.
func TestSharesOfClientsMakeOneMeasurement(t *testing.T) {
	share := func(calls int64, latency time.Duration) Share {
		h := newHistogram()
		for range calls {
			record(h, latency)
		}
		return Share{
			Calls: calls, Elapsed: time.Second, Allocs: 10 * uint64(calls), Latencies: h.Export(),
			Client:  Cost{CPU: 100 * time.Millisecond, RSS: 10},
			Servers: Cost{CPU: 300 * time.Millisecond, RSS: 200},
			Proxies: Cost{CPU: 70 * time.Millisecond, RSS: 3000},
			Arrived: Arrived{Rate: 50, Calls: calls},
		}
	}
	quick, slow := share(980, time.Millisecond), share(20, 80*time.Millisecond)
	slow.Errors, slow.FirstError, slow.Arrived.Saturated, slow.Arrived.Cut = 3, "no", true, 2
	m := Together(quick, slow)
	want := Measurement{
		Calls: 1000, Errors: 3, FirstError: "no", Elapsed: time.Second, Allocs: 10_000,
		CPU: 570 * time.Millisecond, ClientCPU: 200 * time.Millisecond, ProxyCPU: 70 * time.Millisecond, RSS: 3220,
		Rate: 100, Arrivals: 1000, Saturated: true, Cut: 2, P50: m.P50, P99: m.P99, P999: m.P999,
	}
	if m != want {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
	// Two in a hundred are slow. The mean of the clients' own p99 were 40 ms.
	if m.P50 > 2*time.Millisecond || m.P99 < 79*time.Millisecond || m.P99 > 81*time.Millisecond {
		t.Errorf("p50 %v, p99 %v, want 1ms and 80ms", m.P50, m.P99)
	}
}

func TestLatenciesOfAnOpenLoopReplaceThoseOfTheClosedOne(t *testing.T) {
	closed, open := newHistogram(), newHistogram()
	record(closed, time.Second)
	record(open, time.Millisecond)
	m := Together(Share{Calls: 7, Errors: 1, Latencies: closed.Export()}.Under(Share{Errors: 2, FirstError: "no", Latencies: open.Export(), Arrived: Arrived{Rate: 9, Calls: 1}}))
	if m.Calls != 7 || m.Errors != 3 || m.FirstError != "no" || m.P99 > 2*time.Millisecond || m.Rate != 9 || m.Arrivals != 1 {
		t.Errorf("measured %+v", m)
	}
}
