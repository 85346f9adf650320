package ratelimit

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Throttle does not send calls that the service would refuse anyway: the adaptive
// throttling of chapter 21 of Google's SRE book. With the requests and those that
// the service accepted, over a window, the share
//
//	max(0, (requests − K × accepts) ÷ (requests + 1))
//
// is not sent, those that were not among the requests, and the least important
// first. In two things it differs: at most MaxReject is held back, as in Envoy and
// Finagle, so that the recovery is noticed; and as soon as fewer calls come it is
// what follows from their rate now, since the window remembers an overload that is
// over. Below five requests per second nothing is held back.
//
// It is safe for concurrent use, takes no lock that all calls share, and does not
// allocate. Times are counted from any moment, the same for all calls.
type Throttle struct {
	config atomic.Pointer[ThrottleConfig]
	parts  [throttleParts]throttlePart
	reject [NumberOfPriorities]atomic.Uint64 // of 2^64
	next   atomic.Int64                      // when to reckon again
	mu     sync.Mutex                        // held to reckon
}

const (
	throttleParts  = 10
	throttleRecent = 3  // parts that are now, beside the one that has begun
	throttleFew    = 20 // requests that say what their rate is
	throttleLeast  = 5  // requests per second
	throttleEvery  = 100 * time.Millisecond
)

// throttlePart counts the calls of a part of the window. Counts of the moment in
// which it is used again may be lost.
type throttlePart struct {
	number   atomic.Int64
	requests [NumberOfPriorities]atomic.Int64
	accepts  atomic.Int64
	_        [88]byte
}

// NewThrottle returns a throttle that has seen nothing. The error names the bad
// field.
func NewThrottle(c ThrottleConfig) (*Throttle, error) {
	t := &Throttle{}
	if err := t.Set(c); err != nil {
		return nil, err
	}
	return t, nil
}

// Set changes the configuration. What was counted stays, unless the window is
// another. The error names the bad field; then nothing changes.
func (t *Throttle) Set(c ThrottleConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c = c.withDefaults()
	if before := t.config.Swap(&c); before == nil || before.Window != c.Window {
		for i := range t.parts {
			t.parts[i].number.Store(math.MinInt64)
		}
	}
	return nil
}

// Allow reports whether a call of priority p is sent, for which random is drawn
// from all of its values. One that is not is counted.
func (t *Throttle) Allow(now time.Duration, p Priority, random uint64) bool {
	share := t.reject[p.Index()].Load()
	if share == 0 {
		return true
	}
	t.reckon(now)
	if random >= share {
		return true
	}
	t.part(now).requests[p.Index()].Add(1)
	return false
}

// Done takes in how an attempt of priority p ended that was sent: whether the
// service accepted it. An answer is one, be it an error, unless it says that there is
// too much to do.
func (t *Throttle) Done(now time.Duration, p Priority, accepted bool) {
	part := t.part(now)
	part.requests[p.Index()].Add(1)
	if accepted {
		part.accepts.Add(1)
	}
	t.reckon(now)
}

// Rejecting returns the share of calls that is not sent at the moment, by
// [Priority.Index].
func (t *Throttle) Rejecting() (shares [NumberOfPriorities]float64) {
	for i := range shares {
		shares[i] = float64(t.reject[i].Load()) / (1 << 64)
	}
	return shares
}

// part returns the part of the window that a moment is in.
func (t *Throttle) part(now time.Duration) *throttlePart {
	number := partOf(now, t.config.Load().Window/throttleParts)
	p := t.at(number)
	if last := p.number.Load(); last != number && p.number.CompareAndSwap(last, number) {
		for i := range p.requests {
			p.requests[i].Store(0)
		}
		p.accepts.Store(0)
	}
	return p
}

// partOf numbers the parts of all time, also before the moment that it is counted from.
func partOf(now, width time.Duration) int64 {
	number := int64(now / width)
	if now < 0 && now%width != 0 {
		number--
	}
	return number
}

// at returns where a part is kept.
func (t *Throttle) at(number int64) *throttlePart {
	return &t.parts[(number%throttleParts+throttleParts)%throttleParts]
}

// reckon decides anew what is sent, ten times a second, by whoever comes first.
func (t *Throttle) reckon(now time.Duration) {
	if next := t.next.Load(); now < time.Duration(next) && time.Duration(next)-now <= throttleEvery || !t.mu.TryLock() {
		return
	}
	defer t.mu.Unlock()
	t.next.Store(int64(now + throttleEvery))
	c := t.config.Load()
	width := c.Window / throttleParts
	current := partOf(now, width)
	var requests [NumberOfPriorities]float64
	var all, accepts, recent float64
	parts := int64(0) // that are recent
	for i := range int64(throttleParts) {
		p := t.at(current - i)
		if p.number.Load() == current-i {
			for class := range requests {
				n := float64(p.requests[class].Load())
				requests[class] += n
				all += n
			}
			accepts += float64(p.accepts.Load())
		}
		if i <= throttleRecent || recent < throttleFew {
			recent, parts = all, i
		}
	}
	share := 0.0
	if all >= throttleLeast*c.Window.Seconds() {
		into := (now - time.Duration(current)*width).Seconds()
		short, long := into+float64(parts)*width.Seconds(), into+(throttleParts-1)*width.Seconds()
		share = (all - c.K*accepts) / (all + 1)
		if recent > 0 {
			share = min(share, 1-c.K*(accepts/long)/(recent/short))
		}
		share = min(max(share, 0), c.MaxReject)
	}
	t.divide(share*all, &requests)
}

// divide takes so many requests from the least important first.
func (t *Throttle) divide(held float64, requests *[NumberOfPriorities]float64) {
	for i, n := range requests {
		of := min(held, n)
		held -= of
		switch share := of / max(n, 1); {
		case share <= 0:
			t.reject[i].Store(0)
		case share >= 1:
			t.reject[i].Store(math.MaxUint64)
		default:
			t.reject[i].Store(uint64(share * (1 << 64)))
		}
	}
}
