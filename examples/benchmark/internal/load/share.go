package load

import (
	"cmp"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Share is what one client process found. Those of clients that ran at the same
// time make a [Measurement] together.
type Share struct {
	Calls, Errors int64
	FirstError    string
	Elapsed       time.Duration
	Client        Cost                   // of this process
	Servers       Cost                   // of all, whoever called them
	Proxies       Cost                   // the same
	Allocs        uint64                 // of this process
	Latencies     *hdrhistogram.Snapshot // in microseconds
	Arrived       Arrived                // what the latencies are of; zero: the closed loop
}

// Cost is what processes have used.
type Cost struct {
	CPU time.Duration // 0 where that is unknown
	RSS int64         // bytes; 0 where that is unknown
}

// Arrived are the calls of an open loop, as [Measurement] has them.
type Arrived struct {
	Rate      float64
	Calls     int64
	Late      time.Duration
	Saturated bool
	Cut       int64
}

// Under is the share with the latencies of an open loop, and its failures.
func (s Share) Under(open Share) Share {
	s.Latencies, s.Arrived = open.Latencies, open.Arrived
	s.Errors += open.Errors
	s.FirstError = cmp.Or(s.FirstError, open.FirstError)
	return s
}

// Together makes one measurement of shares, of which there must be one. What the
// servers and proxies used is in each, as it was in the time of that share: the
// mean of them counts.
func Together(shares ...Share) Measurement {
	var m Measurement
	var others, proxies Cost
	all := newHistogram()
	n := len(shares)
	for _, s := range shares {
		m.Calls += s.Calls
		m.Errors += s.Errors
		m.FirstError = cmp.Or(m.FirstError, s.FirstError)
		m.Elapsed += s.Elapsed / time.Duration(n)
		m.ClientCPU += s.Client.CPU
		m.RSS += s.Client.RSS
		m.Allocs += s.Allocs
		proxies.CPU += s.Proxies.CPU / time.Duration(n)
		others.CPU += s.Servers.CPU / time.Duration(n)
		others.RSS += (s.Servers.RSS + s.Proxies.RSS) / int64(n)
		all.Merge(hdrhistogram.Import(s.Latencies))
		m.Rate += s.Arrived.Rate
		m.Arrivals += s.Arrived.Calls
		m.Cut += s.Arrived.Cut
		m.Late = max(m.Late, s.Arrived.Late)
		m.Saturated = m.Saturated || s.Arrived.Saturated
	}
	m.CPU = m.ClientCPU + others.CPU + proxies.CPU
	m.ProxyCPU = proxies.CPU
	m.RSS += others.RSS
	m.P50, m.P99, m.P999 = quantile(all, 50), quantile(all, 99), quantile(all, 99.9)
	return m
}

// longest is the top of the histograms, in microseconds: ten minutes.
const longest = 600_000_000

// newHistogram returns a histogram with an error below 1 %. One more digit
// would make the heap of a client with many workers so large that its garbage
// were collected less often than in an ordinary program.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest, 2) }

func record(h *hdrhistogram.Histogram, took time.Duration) {
	h.RecordValue(min(max(took.Microseconds(), 0), longest))
}

func quantile(h *hdrhistogram.Histogram, percent float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(percent)) * time.Microsecond
}
