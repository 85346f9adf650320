package retry_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

func newChild(tb testing.TB, parent *retry.Budget, c retry.BudgetConfig) *retry.Budget {
	tb.Helper()
	b, err := parent.Child(c)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestBudgetUnderAParent(t *testing.T) {
	small := retry.BudgetConfig{MinPerSecond: 0.5} // 5 to begin with
	family := func(parent, child retry.BudgetConfig) (p, a, b *retry.Budget) {
		p = newBudget(t, parent)
		return p, newChild(t, p, child), newChild(t, p, child)
	}
	want := func(t *testing.T, what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	t.Run("both pay", func(t *testing.T) {
		p, a, _ := family(retry.BudgetConfig{}, retry.BudgetConfig{})
		a.Withdraw(0)
		want(t, "the child has", a.Remaining(0), 99)
		want(t, "the parent has", p.Remaining(0), 99)
	})
	t.Run("a child that has nothing left says so, and the parent keeps its own", func(t *testing.T) {
		p, a, b := family(retry.BudgetConfig{}, small)
		want(t, "withdrawn", withdrawAll(a, 0), 5)
		if err := a.Withdraw(0); err != retry.ErrBudgetSpent {
			t.Error(err)
		}
		want(t, "the parent has", p.Remaining(0), 95)
		want(t, "its sister has", b.Remaining(0), 5)
	})
	t.Run("a parent that has nothing left says so, and the child keeps its own", func(t *testing.T) {
		p, a, b := family(small, retry.BudgetConfig{})
		want(t, "withdrawn", withdrawAll(a, 0), 5)
		for _, child := range []*retry.Budget{a, b} {
			if err := child.Withdraw(0); err != retry.ErrSharedBudgetSpent || !errors.Is(err, retry.ErrBudgetSpent) {
				t.Error(err)
			}
			want(t, "of the child can be had", child.Remaining(0), 0)
		}
		if err := p.Set(retry.BudgetConfig{}); err != nil {
			t.Fatal(err)
		}
		want(t, "then one has", a.Remaining(0), 95)
		want(t, "and the other", b.Remaining(0), 95)
	})
	t.Run("the calls of all children pay", func(t *testing.T) {
		p, a, b := family(small, retry.BudgetConfig{})
		deposit(a, 30, 0)
		deposit(b, 20, 0)
		deposit(p, 10, 0) // and its own
		want(t, "the parent has", p.Remaining(0), 5+6+4+2)
	})
	t.Run("also those that come later, when they are needed", func(t *testing.T) {
		_, a, b := family(small, retry.BudgetConfig{})
		want(t, "withdrawn", withdrawAll(a, 0), 5)
		deposit(b, 100, 99*ms)
		want(t, "soon after", withdrawAll(a, 99*ms), 0)
		want(t, "a tenth of a second after", withdrawAll(a, 100*ms), 20)
	})
	t.Run("until they are ten seconds old", func(t *testing.T) {
		p, a, _ := family(small, retry.BudgetConfig{})
		deposit(a, 100, 0)
		want(t, "before", p.Remaining(10*time.Second-1), 25)
		want(t, "then", p.Remaining(10*time.Second), 5)
	})
	t.Run("a child that is closed pays for nobody", func(t *testing.T) {
		p, a, b := family(small, retry.BudgetConfig{})
		deposit(a, 30, 0)
		deposit(b, 20, 0)
		p.Remaining(0)
		a.Close()
		a.Close()
		p.Close()
		want(t, "the parent has", p.Remaining(0), 5+4)
		a.Withdraw(0)
		want(t, "and pays for it", p.Remaining(0), 5+4-1)
	})
	t.Run("a child has none itself", func(t *testing.T) {
		_, a, _ := family(retry.BudgetConfig{}, retry.BudgetConfig{})
		c, err := a.Child(retry.BudgetConfig{})
		names(t, err, []string{"Budget.Child", "is a child", "allowed"})
		if c != nil {
			t.Error("and yet there is one")
		}
	})
	t.Run("a bad config", func(t *testing.T) {
		c, err := newBudget(t, retry.BudgetConfig{}).Child(retry.BudgetConfig{Ratio: 2})
		names(t, err, []string{"BudgetConfig.Ratio"})
		if c != nil {
			t.Error("and yet there is one")
		}
	})
	t.Run("the zero value", func(t *testing.T) {
		var p retry.Budget
		a := newChild(t, &p, retry.BudgetConfig{MinPerSecond: 1000})
		deposit(a, 100, 0)
		want(t, "withdrawn", withdrawAll(a, 0), 120)
	})
}

// FuzzBudgetFamily is FuzzBudget with three children: each of them and all together
// are held against the formula. What is asked for is refused only if one of both
// has nothing left but what came in the last tenth of a second.
func FuzzBudgetFamily(f *testing.F) {
	f.Add([]byte("\x00\xff\x01\xfe\x40\x80\xc0"))
	bits := rand.New(rand.NewPCG(17, 18))
	for range 15 {
		steps := make([]byte, 600)
		for i := range steps {
			steps[i] = byte(bits.Uint32())
		}
		f.Add(steps)
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		parent := newBudget(t, retry.BudgetConfig{})
		var children [3]*retry.Budget
		for i := range children {
			children[i] = newChild(t, parent, retry.BudgetConfig{})
		}
		var all history
		var each [3]history
		now := -20 * time.Second
		steps = steps[:min(len(steps), 600)]
		for i := 0; i+1 < len(steps); i += 2 {
			step, n := steps[i], int(steps[i+1])
			now += [...]time.Duration{0, 7 * ms, 60 * ms, 110 * ms, 400 * ms, time.Second, 3 * time.Second, 11 * time.Second}[step>>5]
			who := int(step>>1) % 3
			child, h := children[who], &each[who]
			if step&1 == 0 {
				deposit(child, n, now)
				h.calls = append(h.calls, event{now, n})
				all.calls = append(all.calls, event{now, n})
				continue
			}
			for range n {
				err := child.Withdraw(now)
				switch {
				case err == nil:
					h.retry(now)
					all.retry(now)
					continue
				case err == retry.ErrBudgetSpent:
					h.checkRefusal(t, now)
				case errors.Is(err, retry.ErrSharedBudgetSpent):
					known := history{retries: all.retries}
					for _, e := range all.calls {
						if e.at <= now-100*ms {
							known.calls = append(known.calls, e)
						}
					}
					known.checkRefusal(t, now)
				}
				break
			}
		}
		all.check(t)
		for i := range each {
			each[i].check(t)
		}
	})
}

// All calls are counted, no retry is paid for twice or by one of both only, and
// children come and go, whoever else calls.
func TestBudgetFamilyUnderConcurrency(t *testing.T) {
	const callers, calls, seconds = 8, 400, 5
	parent := newBudget(t, retry.BudgetConfig{MinPerSecond: 0.01})
	var children [callers / 2]*retry.Budget
	for i := range children {
		children[i] = newChild(t, parent, retry.BudgetConfig{})
	}
	var granted atomic.Int64
	for second := range seconds {
		now := time.Duration(second) * time.Second
		var all sync.WaitGroup
		for caller := range callers {
			child := children[caller%len(children)]
			all.Go(func() {
				for i := range calls {
					child.Deposit(now, rand.Uint64())
					if child.Withdraw(now) == nil {
						granted.Add(1)
					}
					if i%50 == 0 {
						newChild(t, parent, retry.BudgetConfig{}).Close()
						parent.Remaining(now)
					}
				}
			})
		}
		all.Wait()
	}
	now := (seconds-1)*time.Second + 500*ms
	for _, child := range children {
		granted.Add(int64(withdrawAll(child, now)))
	}
	if got, want := granted.Load(), int64(callers*calls*seconds/5); got != want {
		t.Errorf("%d retries were paid for, want %d", got, want)
	}
}
