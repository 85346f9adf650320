package retry

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// HedgeConfig says when a call that has no answer yet is sent a second time, to
// another instance: the first success counts, and the other is given up (Dean and
// Barroso, "The Tail at Scale", 2013). It is for calls that may be executed twice.
// The zero value is the default.
type HedgeConfig struct {
	// Percentile of the method's latency after which the second is sent, above 0
	// and below 1. 0: 0.95.
	Percentile float64
	// Delay is that time, where it is fixed. 0: the percentile says. How many calls
	// take longer is then not known: the service counts as slow as a whole where
	// three quarters do, unless a percentile is given as well.
	Delay time.Duration
	// MinDelay is the least that the percentile makes of it. 0: 1 ms, as in
	// Finagle.
	MinDelay time.Duration
	// MaxExtra is how many may be sent to each call, on the average of the last
	// ten seconds. 0: 1.2 times of what the percentile leaves, 0.06 of 0.95: in
	// some seconds more calls than that are late by chance, and if only those few
	// were not sent again they would be the whole tail that is left.
	MaxExtra float64
}

// Validate reports a bad field, its value and what is allowed.
func (c HedgeConfig) Validate() error {
	if !(c.Percentile >= 0 && c.Percentile < 1) {
		return fmt.Errorf("retry: HedgeConfig.Percentile is %v: allowed is 0 (meaning 0.95) to below 1", c.Percentile)
	}
	if c.Delay < 0 {
		return fmt.Errorf("retry: HedgeConfig.Delay is %v: allowed is 0 (meaning that the percentile says) and more", c.Delay)
	}
	if c.MinDelay < 0 || c.MinDelay > mostDelay {
		return fmt.Errorf("retry: HedgeConfig.MinDelay is %v: allowed is 0 (meaning 1ms) to %v", c.MinDelay, mostDelay)
	}
	if !(c.MaxExtra >= 0 && c.MaxExtra <= 1) {
		return fmt.Errorf("retry: HedgeConfig.MaxExtra is %v: allowed is 0 (meaning 1.2 times 1 - Percentile) to 1", c.MaxExtra)
	}
	return nil
}

var (
	// ErrHedgesSpent says that a call would have been sent a second time, had not
	// so many been already.
	ErrHedgesSpent = errors.New("share of hedges spent")
	// ErrSlow says that a call would have been sent a second time, were not the
	// service as a whole slow: another instance is no faster then, and a second
	// attempt makes all of them slower.
	ErrSlow = errors.New("the service as a whole is slow")
)

const (
	// mostDelay is the longest that the percentile may say: of a method that is
	// slower none are sent, as in Finagle.
	mostDelay = 2 * time.Second
	// Calls are counted by the quarter of a second. They pay for the last 9.75 to
	// 10 seconds, and hedges are remembered for the last 10 to 10.25.
	hedgeSpan  = time.Second / 4
	paidSpans  = 40
	sentSpans  = 41
	slowSpans  = 8 // 1.75 to 2 seconds
	slowFactor = 3
	slowExcess = 2
	slowCalls  = 10
)

// Hedge decides which calls of a service are sent a second time. A share of them is,
// and no more than all retries of the service can afford: MaxExtra of the calls of
// the last ten seconds, however few those are, and nothing to begin with. While the
// service as a whole is slow none is. It is safe for concurrent use; what every call
// does takes no lock.
type Hedge struct {
	percentile, extra float64
	overduePart       float64 // of calls, that is expected to run past the delay
	delay, least      time.Duration
	calls             [stripes][paidSpans]atomic.Uint64

	mu      sync.Mutex // guards what follows; taken before a Budget's
	sent    [sentSpans]entry
	overdue [slowSpans]entry
}

// NewHedge returns a hedge that has seen no calls. The error names the bad field.
func NewHedge(c HedgeConfig) (*Hedge, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	h := &Hedge{percentile: c.Percentile, extra: c.MaxExtra, delay: c.Delay, least: c.MinDelay}
	known := h.percentile > 0
	if !known {
		h.percentile = 0.95
	}
	if h.overduePart = 1 - h.percentile; h.delay > 0 && !known {
		h.overduePart = 0.5
	}
	if h.extra == 0 {
		h.extra = 1.2 * (1 - h.percentile)
	}
	if h.least == 0 {
		h.least = time.Millisecond
	}
	return h, nil
}

// Start counts one call, made at now. Any random bits choose where.
func (h *Hedge) Start(now time.Duration, rand uint64) {
	tick(h.calls[rand%stripes][:], spanOf(now, hedgeSpan))
}

// Delay returns how long after its start the second attempt of a call is due, by the
// latencies of its method, which may be nil where the delay is fixed. It is false if
// they are not known, or if the method takes longer than two seconds.
func (h *Hedge) Delay(now time.Duration, l *Latencies) (time.Duration, bool) {
	if h.delay > 0 {
		return h.delay, true
	}
	q, ok := l.Quantile(now, h.percentile)
	return max(q, h.least), ok && q <= mostDelay
}

// Withdraw takes the price of a second attempt from the share of hedges and from the
// budget, or from neither. It is called once for each call that had no answer when
// its delay was over, at that moment, since it also counts them: by their number it
// knows whether the service as a whole is slow. The error is [ErrSlow],
// [ErrHedgesSpent], or that of [Budget.Withdraw].
func (h *Hedge) Withdraw(now time.Duration, b *Budget) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	span := spanOf(now, hedgeSpan)
	note(h.overdue[:], span)
	if h.slowLocked(span) {
		return ErrSlow
	}
	if h.extra*float64(h.counted(span, paidSpans))-float64(noted(h.sent[:], span, sentSpans)) < 1 {
		return ErrHedgesSpent
	}
	if err := b.Withdraw(now); err != nil {
		return err
	}
	note(h.sent[:], span)
	return nil
}

// slowLocked reports whether in the last two seconds far more calls have run past
// the delay than the percentile lets expect: three times as many and two more, which
// at ten calls happens by chance once in a thousand times. Of a low percentile three
// times the rest would be more than all, so that halfway to all is enough.
func (h *Hedge) slowLocked(span uint64) bool {
	calls := float64(h.counted(span, slowSpans))
	rest := h.overduePart
	expected := min(slowFactor*rest, (1+rest)/2) * calls
	return calls >= slowCalls && float64(noted(h.overdue[:], span, slowSpans)) > expected+slowExcess
}

func (h *Hedge) counted(span uint64, spans int32) (calls uint64) {
	for i := range h.calls {
		calls += ticks(h.calls[i][:], span, spans)
	}
	return calls
}
