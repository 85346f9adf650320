package balancer

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// Prequal goes by what servers report of their own load in their answers, by the
// hot-cold lexicographic rule of Google's Prequal (Wydrowski et al., "Load is not
// what you should balance: Introducing Prequal", NSDI 2024). It draws some nodes
// without replacement. One is hot if it has more calls in flight than most,
// counting those of all its clients; else it is cold. Of the cold ones that with
// the least latency is chosen; if all are hot, that with the fewest calls in
// flight.
//
// Reports come with answers here, not with probes as in the paper, so that
// nothing is sent for them. These rules are ours:
//
//   - Calls that this process has started or ended since a report are added to
//     the calls in flight.
//   - A node that is drawn and has no report of late is not passed over, or it
//     would never get one: what calls showed decides, in the way of [P2CEWMA],
//     between it and the one chosen among the others. If none has a report,
//     P2CEWMA chooses.
//   - Latencies that differ by less than about an eighth are equal, and then the
//     calls in flight decide, for their weight; after that, the draw. What is
//     about an eighth is drawn for each choice.
//   - Weight divides calls in flight and latency. Between equals of different
//     weight the draw decides by weight.
//   - Failures multiply latency and calls in flight, as they do the cost in
//     P2CEWMA: a server that fails fast has few calls in flight.
//
// What is hot is found out again about once a second. Servers report what is
// needed with a LoadReporter of package transport.
//
// It is worth its reports where a client does not see by its own calls what a
// server has to do: many clients, others' traffic. Where answers are longer on
// the wire than in the server they tell of the past, and P2CEWMA does better.
type Prequal struct {
	// Choices is how many nodes are drawn, at most 8. 0 means 3, which is how many
	// probes the paper sends for a query, and finds to be enough: reports are a
	// little old, and the more nodes are looked at, the more callers run to the one
	// that looked best a moment ago.
	Choices int `json:"choices,omitzero"`
	// MaxAge is how old a report may be to count; 0 means 1 s, as in the paper.
	MaxAge time.Duration `json:"maxAgeNs,omitzero"`
	// QRIF is the quantile of the calls in flight above which a node is hot: the
	// nearer to 0, the more they decide; at 1, no node is hot and latency decides
	// alone. 0 means 2^-0.25, about 0.84, as in the paper, which finds 0.6 to 0.9
	// to be good.
	QRIF float64 `json:"qrif,omitzero"`
}

// String returns "prequal".
func (Prequal) String() string { return "prequal" }

// Validate reports a bad field as a [*discovery.FieldError].
func (p Prequal) Validate() error {
	switch {
	case p.Choices < 0 || p.Choices == 1 || p.Choices > mostDraws:
		return &discovery.FieldError{Field: "Choices", Value: p.Choices, Allowed: fmt.Sprintf("0 (meaning 3), or 2 to %d", mostDraws)}
	case p.MaxAge < 0:
		return &discovery.FieldError{Field: "MaxAge", Value: p.MaxAge, Allowed: "0 (meaning 1s) or more"}
	case !(p.QRIF >= 0 && p.QRIF <= 1):
		return &discovery.FieldError{Field: "QRIF", Value: p.QRIF, Allowed: "0 (meaning 0.84) to 1"}
	}
	return nil
}

// Picker implements [Policy].
func (p Prequal) Picker(c Candidates) Picker {
	if len(c.Nodes) < 2 {
		return soleOf(c.Nodes)
	}
	q := &prequal{
		blind:   p2cEWMA{c.Nodes, c.factors()},
		reports: make([]*reports, len(c.Nodes)),
		choices: min(cmp.Or(p.Choices, 3), len(c.Nodes), mostDraws),
		maxAge:  cmp.Or(p.MaxAge, time.Second),
		qRIF:    cmp.Or(p.QRIF, math.Exp2(-0.25)),
	}
	newest := time.Duration(unsaid)
	for i, n := range c.Nodes {
		q.reports[i] = n.listen()
		newest = max(newest, time.Duration(q.reports[i].at.Load()))
	}
	if before, ok := c.Before.(*prequal); ok {
		q.mode.Store(before.mode.Load())
		q.theta.Store(before.theta.Load())
		return q
	}
	q.mode.Store(uint32(Cold))
	if newest > unsaid {
		q.Refresh(newest)
	}
	return q
}

type prequal struct {
	blind   p2cEWMA // for want of reports
	reports []*reports
	choices int
	maxAge  time.Duration
	qRIF    float64
	mode    atomic.Uint32
	theta   atomic.Uint32 // float32: the calls in flight, for their weight, above which a node is hot

	calls []float32 // of Refresh
}

func (p *prequal) Pick(r Request) *Node {
	d := draws{bits: r.Rand, n: len(p.blind.nodes)}
	theta := math.Float32frombits(p.theta.Load())
	var best offer
	known, unknown := -1, -1
	first := false // the unknown was drawn before the known
	for range p.choices {
		i := d.next()
		if !p.reports[i].fresh(r.Now, p.maxAge) {
			if unknown < 0 {
				unknown = i
			}
			continue
		}
		if o := p.offer(i, r, theta); known < 0 || o.beats(&best, d.bits) {
			best, known, first = o, i, unknown >= 0
		}
	}
	switch {
	case known < 0:
		return p.blind.Pick(r)
	case unknown < 0:
		return p.blind.nodes[known]
	case first:
		return p.blind.cheaper(unknown, known, r)
	default:
		return p.blind.cheaper(known, unknown, r)
	}
}

// offer is what speaks for a node.
type offer struct {
	hot     bool
	latency float32 // nanoseconds
	eighth  uint32  // number of the eighth that it is in
	calls   float32 // in flight, with the one that is to come
	per     float32 // DefaultWeight ÷ weight
}

func (p *prequal) offer(i int, r Request, theta float32) offer {
	n := p.blind.nodes[i]
	o := offer{
		latency: math.Float32frombits(p.reports[i].latency.Load()),
		calls:   float32(p.reports[i].calls(int64(n.outstanding.Load()>>32)) + 1),
		per:     p.blind.per(i),
	}
	if f := n.failing.Load(); f != 0 {
		dear := penalty(f, aged(tickOf(r.Now).since(tick(n.latency.Load()))))
		o.latency *= dear
		o.calls *= dear
	}
	o.hot = (o.calls-1)*o.per > theta
	// Eighths of powers of two are cut out by the upper bits of a float, which are
	// nearly its logarithm. Where one begins is drawn, once for all nodes.
	o.eighth = (math.Float32bits(o.latency) + uint32(r.Rand)>>12) >> 20
	return o
}

// beats reports whether an offer is better than another, which was drawn before
// it.
func (o *offer) beats(other *offer, bits uint64) bool {
	if o.hot != other.hot {
		return other.hot
	}
	if !o.hot && o.eighth != other.eighth {
		return o.latency*o.per < other.latency*other.per
	}
	if o.per != other.per && o.calls == other.calls {
		return float32(uint16(bits>>16))*(o.per+other.per) < (1<<16)*other.per
	}
	return o.calls*o.per < other.calls*other.per
}

// Mode says whether there are reports to go by.
func (p *prequal) Mode() Mode { return Mode(p.mode.Load()) }

// Refresh implements [Refresher].
func (p *prequal) Refresh(now time.Duration) {
	p.calls = p.calls[:0]
	for i, r := range p.reports {
		if r.fresh(now, p.maxAge) {
			p.calls = append(p.calls, float32(r.calls(int64(p.blind.nodes[i].Outstanding())))*p.blind.per(i))
		}
	}
	switch {
	case len(p.calls) > 1:
		p.mode.Store(uint32(Normal))
		slices.Sort(p.calls)
		p.theta.Store(math.Float32bits(quantile(p.calls, p.qRIF)))
	case Mode(p.mode.Load()) == Normal:
		p.mode.Store(uint32(Fallback))
	}
}

// quantile returns the least of the sorted values that a share q of them does
// not exceed, and infinity if that is all.
func quantile(sorted []float32, q float64) float32 {
	if q >= 1 {
		return float32(math.Inf(1))
	}
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
