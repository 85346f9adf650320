package retry

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// BudgetConfig bounds the retries of one service. The zero value is Finagle's
// default.
type BudgetConfig struct {
	// Ratio is how many retries each call pays for; 0 means 0.2.
	Ratio float64
	// MinPerSecond is how many retries a second are allowed whatever the
	// number of calls; 0 means 10.
	MinPerSecond float64
}

// Validate reports a bad field, its value and what is allowed.
func (c BudgetConfig) Validate() error {
	if !(c.Ratio >= 0 && c.Ratio <= 1) {
		return fmt.Errorf("retry: BudgetConfig.Ratio is %v: allowed is 0 (meaning 0.2) to 1", c.Ratio)
	}
	if !(c.MinPerSecond >= 0 && c.MinPerSecond <= 10_000) {
		return fmt.Errorf("retry: BudgetConfig.MinPerSecond is %v: allowed is 0 (meaning 10) to 10000", c.MinPerSecond)
	}
	return nil
}

// ErrBudgetSpent says that an attempt would have been made again, had there
// been the means.
var ErrBudgetSpent = errors.New("retry budget spent")

const (
	stripes = 8 // a power of two
	// A call pays for 10 seconds (Finagle's ttl). Deposits are counted over
	// the last 9 to 10 seconds and withdrawals over the last 10 to 11, so that
	// rounding never allows more than the formula.
	depositSeconds  = 10
	withdrawSeconds = 11
)

// Budget is Finagle's RetryBudget: calls and their retries together stay within
//
//	1.2 × calls + 10/s × seconds + 100
//
// where the 100 are the ten seconds of the minimum that a budget starts with.
// That holds from the beginning to any moment, and over any other stretch of
// time if the calls of the ten seconds before it are counted too: they may
// still be paying. It is safe for concurrent use; a deposit, made by every
// call, takes no lock.
type Budget struct {
	ratio   float64
	reserve float64
	calls   [stripes]stripe

	mu        sync.Mutex // guards ratio, reserve and withdrawn
	withdrawn [withdrawSeconds]slot
}

// stripe counts calls by the second. Callers are spread over the stripes so
// that they do not share a cache line.
type stripe struct {
	seconds [depositSeconds]atomic.Uint64 // upper half: the second, lower half: its calls
	_       [48]byte
}

type slot struct {
	second uint64
	count  int
}

// secondOf numbers seconds so that no moment has a negative one: Durations
// reach back 292 years before whatever they count from.
func secondOf(now time.Duration) uint64 {
	const reach = math.MaxInt64 / uint64(time.Second)
	return (uint64(now) + reach*uint64(time.Second)) / uint64(time.Second)
}

// NewBudget returns a full budget. The error names the bad field.
func NewBudget(c BudgetConfig) (*Budget, error) {
	b := &Budget{}
	if err := b.Set(c); err != nil {
		return nil, err
	}
	return b, nil
}

// Set changes the bounds. Calls and retries of before stay counted. The error
// names the bad field; then nothing changes.
func (b *Budget) Set(c BudgetConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if c.Ratio == 0 {
		c.Ratio = 0.2
	}
	if c.MinPerSecond == 0 {
		c.MinPerSecond = 10
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ratio, b.reserve = c.Ratio, c.MinPerSecond*depositSeconds
	return nil
}

// Deposit counts one call, made at now. Any random bits choose the stripe.
func (b *Budget) Deposit(now time.Duration, rand uint64) {
	second := secondOf(now)
	count := &b.calls[rand%stripes].seconds[second%depositSeconds]
	for {
		word := count.Load()
		if uint32(word>>32) == uint32(second) && uint32(word) != 0 {
			// Only a count of the same second is added to; 2³² calls of one
			// second in one stripe are out of reach.
			count.Add(1)
			return
		}
		if count.CompareAndSwap(word, second<<32|1) {
			return
		}
	}
}

// Withdraw takes the price of one retry at now and reports whether there was
// enough.
func (b *Budget) Withdraw(now time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.remainingLocked(now) < 1 {
		return false
	}
	second := secondOf(now)
	s := &b.withdrawn[second%withdrawSeconds]
	if s.second != second {
		*s = slot{second: second}
	}
	s.count++
	return true
}

// Remaining returns how many retries could be made at now.
func (b *Budget) Remaining(now time.Duration) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int(math.Floor(max(0, b.remainingLocked(now))))
}

func (b *Budget) remainingLocked(now time.Duration) float64 {
	second := secondOf(now)
	var calls uint64
	for i := range b.calls {
		for j := range b.calls[i].seconds {
			word := b.calls[i].seconds[j].Load()
			if age := int32(uint32(second) - uint32(word>>32)); age >= 0 && age < depositSeconds {
				calls += uint64(uint32(word))
			}
		}
	}
	spent := 0
	for _, s := range b.withdrawn {
		// One of a later second, made by somebody who read the clock after
		// now and was quicker here, is spent all the same.
		if second < s.second+withdrawSeconds {
			spent += s.count
		}
	}
	return b.ratio*float64(calls) + b.reserve - float64(spent)
}
