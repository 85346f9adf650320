package ratelimit

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Adaptive learns how many calls a server works on well at a time, from how long
// they take: while they take about as long as they do at the least there is room for
// more, and when they take longer they wait for each other and there are too many. It
// is safe for concurrent use; Limit is one load, Done two additions, and neither
// allocates. The zero value is no valid one.
//
// It is a gradient as in Envoy's and Netflix's limits, with these differences, each
// of which the laboratory showed to be needed (docs/lab.md): it compares with the
// least mean of all windows and not with a long average, which follows a queue that
// grows slowly and lets it grow for ever; a window has a hundred calls, since means of
// fewer are far below the truth by chance and would starve a large server; what it compares with rises
// slowly, so that a service that has become slower for good is believed within minutes;
// few failures say nothing; now and then, while the limit is reached, a window has fewer calls,
// which is how a server that has been overloaded since its start shows what it could do; and one that
// begins below 20 doubles with every so many calls until it is there or calls have to wait, as TCP
// starts: a client has few calls with each instance, and windows of them are long.
type Adaptive struct {
	limit atomic.Int64
	end   atomic.Int64  // when the window may end
	ended atomic.Uint64 // calls in the window; those that were dropped in the upper half
	took  atomic.Int64  // of those that were not, together
	peak  atomic.Int64  // the most in flight
	since atomic.Int64  // begun before, calls say nothing: of a window that is a probe
	start atomic.Uint32 // calls in the window after which the limit doubles; the largest: it does not

	mu     sync.Mutex // guards what follows
	config AdaptiveConfig
	exact  float64 // the limit
	least  float64 // mean of a window, in nanoseconds; 0: not known
	probe  bool    // this window has fewer calls
	busy   int     // windows since the last of those in which the limit was used
	every  int     // how many there are to be until the next
}

const (
	adaptiveWindow = 250 * time.Millisecond
	adaptiveCalls  = 100             // in a window
	adaptivePatch  = 2 * time.Second // after which few will do
	adaptiveFew    = 10
	adaptiveProbe  = 20 // calls in a window that is a probe: it is to be short

	tolerated = 2      // how much longer than at the least calls may take
	smoothing = 0.2    // of a step, the part that is gone
	believed  = 0.0002 // of a longer mean, in each window in which calls may have waited
	apparent  = 0.05   // likewise, where they cannot have
	backOff   = 0.9    // where calls are dropped
	forgiven  = 0.05   // of a window's calls may be, without a word
	roomy     = 1.3    // gradient above which the limit grows at once, by quarters
	spare     = 3      // a limit of more times the calls that there were is not used
	steepest  = 0.2    // gradient below which none counts
	probeSoon = 8      // busy windows to the next probe, while they find something
	probeLate = 512    // and at most, while they do not
	news      = 0.25   // of the least, that a probe finds
	probePart = 0.2    // of the limit, well below 1 ÷ tolerated: more would not show what is tolerated
)

// NewAdaptive returns a limit that knows nothing yet. The error names the bad field.
func NewAdaptive(c AdaptiveConfig) (*Adaptive, error) {
	a := &Adaptive{}
	a.end.Store(math.MinInt64)
	a.since.Store(math.MinInt64)
	if err := a.Set(c); err != nil {
		return nil, err
	}
	return a, nil
}

// Set changes the bounds. What was learned stays, within them. The error names the
// bad field; then nothing changes.
func (a *Adaptive) Set(c AdaptiveConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.config = c.WithDefaults(); a.exact == 0 {
		a.exact = float64(a.config.Initial)
		a.awaitLocked(0)
	}
	a.storeLocked(a.exact)
	return nil
}

func (a *Adaptive) storeLocked(limit float64) {
	a.exact = min(max(limit, float64(a.config.Min)), float64(a.config.Max))
	a.limit.Store(int64(a.exact))
}

// Limit returns how many calls there may be at a time.
func (a *Adaptive) Limit() int { return int(a.limit.Load()) }

// Done takes in a call that ended at now: how long it took, how many were in flight,
// itself among them, and whether it was dropped, which is to say refused or given up for
// want of time.
func (a *Adaptive) Done(now, took time.Duration, inFlight int, dropped bool) {
	if peak := a.peak.Load(); int64(inFlight) > peak {
		a.peak.CompareAndSwap(peak, int64(inFlight))
	}
	if int64(now-took) < a.since.Load() {
		return
	}
	one := uint64(1)
	if dropped {
		one |= 1 << 32
	} else {
		a.took.Add(int64(took))
	}
	ended, end := a.ended.Add(one), time.Duration(a.end.Load())
	if calls := uint32(ended); calls >= a.start.Load() && a.mu.TryLock() {
		a.startLocked(calls)
		a.mu.Unlock()
	}
	if end == math.MinInt64 { // the first calls to end are the short ones
		a.end.CompareAndSwap(math.MinInt64, int64(now+adaptiveWindow))
		return
	}
	if now < end {
		return
	}
	if calls := uint32(ended); calls < a.enough() && (calls < adaptiveFew || now < end+adaptivePatch) {
		return
	}
	if a.mu.TryLock() {
		if time.Duration(a.end.Load()) == end {
			a.learnLocked(now)
		}
		a.mu.Unlock()
	}
}

// enough is how many calls a window has.
func (a *Adaptive) enough() uint32 {
	if a.since.Load() != math.MinInt64 {
		return adaptiveProbe
	}
	return adaptiveCalls
}

// startLocked doubles a limit that has met no queue yet, as far as is known.
func (a *Adaptive) startLocked(calls uint32) {
	if calls < a.start.Load() {
		return // another call did
	}
	ended := a.ended.Load()
	served, dropped := float64(uint32(ended))-float64(ended>>32), float64(ended>>32)
	waits := a.least > 0 && roomy*float64(a.took.Load()) > tolerated*a.least*served
	if dropped <= forgiven*float64(calls) && 2*a.peak.Load() >= int64(a.exact) && !waits {
		a.storeLocked(min(2*a.exact, DefaultInitialLimit))
	}
	a.awaitLocked(calls)
}

// awaitLocked says after how many calls of the window the limit may double, if it may.
func (a *Adaptive) awaitLocked(calls uint32) {
	next := uint32(math.MaxUint32)
	if a.exact < DefaultInitialLimit {
		next = calls + uint32(a.exact)
	}
	a.start.Store(next)
}

// learnLocked ends a window.
func (a *Adaptive) learnLocked(now time.Duration) {
	ended, took, peak := a.ended.Swap(0), a.took.Swap(0), a.peak.Swap(0)
	a.end.Store(int64(now + adaptiveWindow))
	calls, dropped := float64(uint32(ended)), float64(ended>>32)
	served := calls - dropped
	probed, known := a.probe, a.least
	a.probe = false
	a.since.Store(math.MinInt64)
	starting := a.start.Load() != math.MaxUint32
	a.start.Store(math.MaxUint32)
	used := spare*peak >= int64(a.exact)
	mean := 0.0
	if served > 0 {
		mean = max(1, float64(took)/served)
		switch {
		case a.least == 0:
			a.least = mean
		case probed && (a.config.Alone || mean < a.least): // so few do not wait for each other
			a.least += (mean - a.least) * min(1, served/adaptiveProbe)
		case mean < a.least: // the fewer calls the less it means
			a.least += (mean - a.least) * min(1, served/adaptiveCalls)
		case used:
			a.least += (mean - a.least) * believed
		default:
			a.least += (mean - a.least) * apparent
		}
	}
	reached := a.exact
	switch {
	case probed: // as it was: only the least counts
		if a.every = min(2*max(a.every, probeSoon), probeLate); math.Abs(a.least/known-1) > news {
			a.every = probeSoon
		}
		a.storeLocked(a.exact)
	case dropped > forgiven*calls:
		starting = false
		a.storeLocked(a.exact * backOff)
	case !used: // nothing shows whether there is room for more
		a.quietLocked(served)
	default:
		gradient, headroom := tolerated*a.least/mean, math.Sqrt(a.exact)
		starting = starting && gradient > roomy
		if gradient > roomy {
			a.storeLocked(a.exact + max(headroom, a.exact/2)/2)
		} else {
			a.storeLocked(a.exact*(1-smoothing) + (a.exact*min(max(gradient, steepest), 1)+headroom)*smoothing)
		}
		if peak < int64(reached) {
			a.quietLocked(served)
		}
		if peak < int64(reached) || starting {
			break
		}
		if a.busy++; a.busy >= max(a.every, 1) { // the first one soon, lest it begins with a queue
			a.probe, a.busy = true, 0
			a.since.Store(int64(now))
			a.limit.Store(max(int64(a.exact*probePart), int64(a.config.Min)))
		}
	}
	if starting {
		a.awaitLocked(0)
	}
}

// quietLocked puts off the next probe after a window in which the limit was not
// reached, which shows as much.
func (a *Adaptive) quietLocked(served float64) {
	if served >= adaptiveCalls {
		a.every, a.busy = probeLate, 0
	}
}
