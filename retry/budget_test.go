package retry_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

func newBudget(tb testing.TB, c retry.BudgetConfig) *retry.Budget {
	tb.Helper()
	b, err := retry.NewBudget(c)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// withdrawAll takes what there is at now, and says how much it was.
func withdrawAll(b *retry.Budget, now time.Duration) (n int) {
	for n < 1_000_000 && b.Withdraw(now) == nil {
		n++
	}
	return n
}

func deposit(b *retry.Budget, calls int, now time.Duration) {
	for i := range calls {
		b.Deposit(now, uint64(i))
	}
}

func TestBudget(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name   string
		config retry.BudgetConfig
		do     func(b *retry.Budget, from time.Duration)
		at     time.Duration
		want   int // that can be withdrawn at that time
	}{
		{"begins with ten seconds of the minimum", retry.BudgetConfig{}, nothing, 0, 100},
		{"five calls pay for one retry", retry.BudgetConfig{}, func(b *retry.Budget, from time.Duration) { deposit(b, 5, from) }, 0, 101},
		{"four do not", retry.BudgetConfig{}, func(b *retry.Budget, from time.Duration) { deposit(b, 4, from) }, 0, 100},
		{"a call pays for nine seconds at least", retry.BudgetConfig{}, func(b *retry.Budget, from time.Duration) { deposit(b, 500, from+3*s) }, 12*s - 1, 200},
		{"and for no more than ten", retry.BudgetConfig{}, func(b *retry.Budget, from time.Duration) { deposit(b, 500, from+3*s) }, 13 * s, 100},
		{"what is spent is gone", retry.BudgetConfig{}, func(b *retry.Budget, from time.Duration) { withdrawAll(b, from) }, 10*s - 1, 0},
		{"and is back after eleven seconds at most", retry.BudgetConfig{}, func(b *retry.Budget, from time.Duration) { withdrawAll(b, from) }, 11 * s, 100},
		{"a leap in time forgets all", retry.BudgetConfig{}, func(b *retry.Budget, from time.Duration) {
			deposit(b, 5000, from)
			withdrawAll(b, from)
		}, 1000 * time.Hour, 100},
		{"a second, eleven seconds later, in the same slot", retry.BudgetConfig{}, func(b *retry.Budget, from time.Duration) {
			deposit(b, 500, from)
			deposit(b, 500, from+10*s)
			deposit(b, 500, from+20*s)
		}, 20 * s, 200},
		{"its own ratio", retry.BudgetConfig{Ratio: 1}, func(b *retry.Budget, from time.Duration) { deposit(b, 7, from) }, 0, 107},
		{"its own minimum", retry.BudgetConfig{MinPerSecond: 0.5}, nothing, 0, 5},
		{"a minimum below one retry", retry.BudgetConfig{MinPerSecond: 0.01}, nothing, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Time may be counted from anywhere, also from later.
			for _, from := range []time.Duration{0, -4 * s, -200 * 365 * 24 * time.Hour, 200 * 365 * 24 * time.Hour} {
				b := newBudget(t, tt.config)
				tt.do(b, from)
				at := from + tt.at
				if got := b.Remaining(at); got != tt.want {
					t.Errorf("from %v: remaining is %d, want %d", from, got, tt.want)
				}
				if got := withdrawAll(b, at); got != tt.want {
					t.Errorf("from %v: %d could be withdrawn, want %d", from, got, tt.want)
				}
				if got := b.Remaining(at); got != 0 {
					t.Errorf("from %v: then %d remain", from, got)
				}
			}
		})
	}
}

func nothing(*retry.Budget, time.Duration) {}

// FuzzBudget makes calls and retries at any times and holds the history
// against the formula. Every byte is one step: how much time passes, and
// whether then calls are made or retries asked for, and how many.
func FuzzBudget(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\xff\x01\xfe\x40\x80\xc0"))
	bits := rand.New(rand.NewPCG(11, 12))
	for range 15 {
		steps := make([]byte, 400)
		for i := range steps {
			steps[i] = byte(bits.Uint32())
		}
		f.Add(steps)
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		b := newBudget(t, retry.BudgetConfig{})
		var h history
		now := -20 * time.Second
		for _, step := range steps[:min(len(steps), 500)] {
			now += [...]time.Duration{0, 7 * time.Millisecond, 400 * time.Millisecond, time.Second, 3 * time.Second, 9900 * time.Millisecond, 11 * time.Second, time.Hour}[step>>5]
			if step&1 == 0 {
				calls := int(step&31) * 3
				deposit(b, calls, now)
				h.calls = append(h.calls, event{now, calls})
				continue
			}
			for range int(step & 31) {
				if b.Withdraw(now) != nil {
					h.checkRefusal(t, now)
					break
				}
				h.retry(now)
			}
		}
		h.check(t)
	})
}

// history is what a budget was asked for and what it granted.
type history struct{ calls, retries []event }

type event struct {
	at time.Duration
	n  int
}

func (h *history) retry(now time.Duration) {
	if last := len(h.retries) - 1; last >= 0 && h.retries[last].at == now {
		h.retries[last].n++
		return
	}
	h.retries = append(h.retries, event{now, 1})
}

// sum counts what happened after from and up to to.
func sum(events []event, from, to time.Duration) (n int) {
	for _, e := range events {
		if e.at > from && e.at <= to {
			n += e.n
		}
	}
	return n
}

// check holds every stretch that begins and ends with a retry against the
// formula, with the calls of the ten seconds before it.
func (h *history) check(t *testing.T) {
	t.Helper()
	for i, first := range h.retries {
		retries := 0
		for _, last := range h.retries[i:] {
			retries += last.n
			calls := sum(h.calls, first.at-10*time.Second, last.at)
			most := 0.2*float64(calls) + 10*(last.at-first.at).Seconds() + 100
			if float64(retries) > most+1e-6 {
				t.Fatalf("%d retries from %v to %v, %d calls pay for %v", retries, first.at, last.at, calls, most)
			}
		}
	}
}

// checkRefusal keeps the budget from being stingy: rounding may cost it the
// calls of one second and lay those retries to its charge that are up to
// eleven seconds old, but no more.
func (h *history) checkRefusal(t *testing.T, now time.Duration) {
	t.Helper()
	calls, retries := sum(h.calls, now-9*time.Second, now), sum(h.retries, now-11*time.Second, now)
	if afford := 0.2*float64(calls) + 100; float64(retries)+1 <= afford-1e-6 {
		t.Fatalf("refused at %v after %d retries, %d calls pay for %v", now, retries, calls, afford)
	}
}

// A steady load of calls of which all ask for a retry: a fifth gets one, and
// ten a second on top.
func TestBudgetUnderSteadyLoad(t *testing.T) {
	for _, rate := range []int{1, 10, 1000} {
		b := newBudget(t, retry.BudgetConfig{})
		const seconds = 120
		retries := 0
		for i := range seconds * rate {
			now := time.Duration(i) * time.Second / time.Duration(rate)
			b.Deposit(now, uint64(i))
			retries += withdrawAll(b, now)
		}
		most := 0.2*float64(seconds*rate) + 10*seconds + 100
		if got := float64(retries); got > most || got < 0.8*most {
			t.Errorf("at %d rps: %v retries in two minutes, the formula allows %v", rate, got, most)
		}
	}
}

// Of callers that read the clock one after the other the later may come first.
func TestBudgetDoesNotPayTwiceAcrossASecond(t *testing.T) {
	b := newBudget(t, retry.BudgetConfig{})
	withdrawAll(b, 10*time.Second)
	if got := withdrawAll(b, 10*time.Second-time.Nanosecond); got != 0 {
		t.Errorf("%d more for a caller with an older clock reading", got)
	}
}

// All calls are counted, and no retry is paid for twice, whoever else calls.
func TestBudgetUnderConcurrency(t *testing.T) {
	const callers, calls, seconds = 8, 500, 9
	b := newBudget(t, retry.BudgetConfig{})
	var granted atomic.Int64
	for second := range seconds {
		now := time.Duration(second) * time.Second
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for range calls {
					b.Deposit(now, rand.Uint64())
					if b.Withdraw(now) == nil {
						granted.Add(1)
					}
					b.Remaining(now)
				}
			})
		}
		all.Wait()
	}
	now := (seconds - 1) * time.Second
	rest := withdrawAll(b, now)
	if got, want := int(granted.Load())+rest, callers*calls*seconds/5+100; got != want {
		t.Errorf("%d retries were paid for, want %d", got, want)
	}
}

func TestBudgetDepositAllocatesNothing(t *testing.T) {
	b := newBudget(t, retry.BudgetConfig{})
	now := time.Duration(0)
	if got := testing.AllocsPerRun(1000, func() {
		now += 100 * time.Millisecond
		b.Deposit(now, uint64(now))
		b.Withdraw(now)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestBudgetConfigValidate(t *testing.T) {
	tests := []struct {
		name   string
		config retry.BudgetConfig
		want   []string // field, value and what is allowed; nil: valid
	}{
		{"zero", retry.BudgetConfig{}, nil},
		{"the most", retry.BudgetConfig{Ratio: 1, MinPerSecond: 10_000}, nil},
		{"negative ratio", retry.BudgetConfig{Ratio: -0.1}, []string{"BudgetConfig.Ratio", "-0.1", "0 (meaning 0.2) to 1"}},
		{"ratio above 1", retry.BudgetConfig{Ratio: 1.5}, []string{"BudgetConfig.Ratio", "1.5", "to 1"}},
		{"ratio not a number", retry.BudgetConfig{Ratio: math.NaN()}, []string{"BudgetConfig.Ratio", "NaN", "to 1"}},
		{"negative minimum", retry.BudgetConfig{MinPerSecond: -1}, []string{"BudgetConfig.MinPerSecond", "-1", "0 (meaning 10) to 10000"}},
		{"infinite minimum", retry.BudgetConfig{MinPerSecond: math.Inf(1)}, []string{"BudgetConfig.MinPerSecond", "+Inf", "10000"}},
		{"minimum not a number", retry.BudgetConfig{MinPerSecond: math.NaN()}, []string{"BudgetConfig.MinPerSecond", "NaN", "10000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.config.Validate()
			names(t, err, tt.want)
			b, newErr := retry.NewBudget(tt.config)
			if (newErr == nil) != (err == nil) || (b == nil) != (err != nil) {
				t.Errorf("NewBudget: %v, %v", b, newErr)
			}
		})
	}
}

// names checks that an error says all of want; nil wants no error.
func names(t *testing.T, err error, want []string) {
	t.Helper()
	if (err != nil) != (want != nil) {
		t.Fatalf("error is %v", err)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
