package retry

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What a zero [BudgetConfig] means: Finagle's default.
const (
	DefaultRatio        = 0.2
	DefaultMinPerSecond = 10.0
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

var (
	// ErrBudgetSpent says that an attempt would have been made again, had there
	// been the means.
	ErrBudgetSpent = errors.New("retry budget spent")
	// ErrSharedBudgetSpent is an [ErrBudgetSpent] of which the parent is the
	// reason, and not the budget that was asked.
	ErrSharedBudgetSpent = fmt.Errorf("%w: the one shared with others", ErrBudgetSpent)
)

const (
	// A call pays for 10 seconds (Finagle's ttl). Deposits are counted over
	// the last 9 to 10 seconds and withdrawals over the last 10 to 11, so that
	// rounding never allows more than the formula.
	depositSeconds  = 10
	withdrawSeconds = 11
	// refresh is how often a parent that has nothing left looks whether its
	// children have counted more calls.
	refresh = 100 * time.Millisecond
)

// Budget is Finagle's RetryBudget: calls and their retries together stay within
//
//	1.2 × calls + 10/s × seconds + 100
//
// where the 100 are the ten seconds of the minimum that a budget starts with.
// That holds from the beginning to any moment, and over any other stretch of
// time if the calls of the ten seconds before it are counted too: they may
// still be paying. The zero value is full and has the default bounds. It is safe
// for concurrent use; a deposit, made by every call, takes no lock.
//
// A budget may have children: one to each service under that of the process, say.
type Budget struct {
	calls  [stripes]stripe
	parent *Budget // nil of one that is no child

	mu        sync.Mutex // guards what follows; of a child's and its parent's the child's is taken first
	config    BudgetConfig
	withdrawn [withdrawSeconds]entry
	children  []*Budget
	sum       sum // of the calls of all children
}

// stripe counts calls by the second.
type stripe struct {
	seconds [depositSeconds]atomic.Uint64
	_       [48]byte
}

// sum is what a parent knows of the calls of its children: those of the ten
// seconds that end with one, as they were at a moment of it. Later in that second
// there can only be more.
type sum struct {
	second uint64
	at     time.Duration
	calls  uint64
}

// NewBudget returns a full budget. The error names the bad field.
func NewBudget(c BudgetConfig) (*Budget, error) {
	b := &Budget{}
	if err := b.Set(c); err != nil {
		return nil, err
	}
	return b, nil
}

// Child returns a full budget of which every retry is paid for twice, by itself and
// by b: a withdrawal takes from both or from neither. What is deposited with the
// child counts for b as well, which looks for it when somebody withdraws and has
// it in its account within a tenth of a second. The error names the bad field, or
// says that b is a child itself, which can have none.
func (b *Budget) Child(c BudgetConfig) (*Budget, error) {
	if b.parent != nil {
		return nil, errors.New("retry: Budget.Child of a budget that is a child itself: allowed is one that is not")
	}
	child, err := NewBudget(c)
	if err != nil {
		return nil, err
	}
	child.parent = b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.children = append(b.children, child)
	return child, nil
}

// Close makes the parent forget a child, which it keeps alive until then. The calls
// of the child pay for nobody else's retries any more; what it still withdraws, its
// parent pays as before. Closing again, and closing a budget that is no child, does
// nothing.
func (b *Budget) Close() {
	if b.parent == nil {
		return
	}
	p := b.parent
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.children, b); i >= 0 {
		p.children = slices.Delete(p.children, i, i+1)
		p.sum = sum{}
	}
}

// Set changes the bounds. Calls and retries of before stay counted. The error
// names the bad field; then nothing changes.
func (b *Budget) Set(c BudgetConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.config = c
	return nil
}

// Deposit counts one call, made at now. Any random bits choose the stripe.
func (b *Budget) Deposit(now time.Duration, rand uint64) {
	tick(b.calls[rand%stripes].seconds[:], secondOf(now))
}

// Withdraw takes the price of one retry at now. The error is [ErrBudgetSpent] if
// there is not enough, and [ErrSharedBudgetSpent], which wraps it, if the parent has
// not enough; then nothing is taken.
func (b *Budget) Withdraw(now time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.remainingLocked(now) < 1 {
		return ErrBudgetSpent
	}
	if b.parent != nil && b.parent.Withdraw(now) != nil {
		return ErrSharedBudgetSpent
	}
	note(b.withdrawn[:], secondOf(now))
	return nil
}

// Remaining returns how many retries could be made at now.
func (b *Budget) Remaining(now time.Duration) int {
	b.mu.Lock()
	b.sum = sum{} // who looks wants to know, and does not look often
	remaining := int(math.Floor(max(0, b.remainingLocked(now))))
	b.mu.Unlock()
	if b.parent != nil {
		remaining = min(remaining, b.parent.Remaining(now))
	}
	return remaining
}

// remainingLocked returns how many retries could be made at now, which may be less
// than there are if it is at least one.
func (b *Budget) remainingLocked(now time.Duration) float64 {
	ratio, perSecond := b.config.Ratio, b.config.MinPerSecond
	if ratio == 0 {
		ratio = DefaultRatio
	}
	if perSecond == 0 {
		perSecond = DefaultMinPerSecond
	}
	second := secondOf(now)
	rest := perSecond*depositSeconds - float64(noted(b.withdrawn[:], second, withdrawSeconds))
	rest += ratio * float64(b.counted(second))
	if len(b.children) == 0 {
		return rest
	}
	fresh := b.sum.second == second
	if !fresh || rest+ratio*float64(b.sum.calls) < 1 && (now-b.sum.at >= refresh || now < b.sum.at) {
		b.sum = sum{second: second, at: now}
		for _, child := range b.children {
			b.sum.calls += child.counted(second)
		}
	}
	return rest + ratio*float64(b.sum.calls)
}

// counted returns the calls of the ten seconds that end with one.
func (b *Budget) counted(second uint64) (calls uint64) {
	for i := range b.calls {
		calls += ticks(b.calls[i].seconds[:], second, depositSeconds)
	}
	return calls
}

func secondOf(now time.Duration) uint64 { return spanOf(now, time.Second) }
