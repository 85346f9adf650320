package retry_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/cputime"
	"github.com/fairlead-go/fairlead/retry"
)

// BenchmarkBudgetDeposit is what every call pays, retried or not.
func BenchmarkBudgetDeposit(b *testing.B) {
	budget := newBudget(b, retry.BudgetConfig{})
	began := time.Now()
	cputime.Start(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			budget.Deposit(time.Since(began), rand.Uint64())
		}
	})
}

// BenchmarkBudgetDepositLowerBound is the least that counting calls can cost that do
// not wait for each other: read the clock, draw where to count, and add one there.
func BenchmarkBudgetDepositLowerBound(b *testing.B) {
	var calls [8]struct {
		count atomic.Uint64
		_     [120]byte
	}
	began := time.Now()
	cputime.Start(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			second := uint64(time.Since(began) / time.Second)
			calls[rand.Uint64()%uint64(len(calls))].count.Add(1 + second<<32)
		}
	})
}

// BenchmarkBudgetWithdraw is what a retry pays.
func BenchmarkBudgetWithdraw(b *testing.B) {
	budget := newBudget(b, retry.BudgetConfig{})
	began := time.Now()
	for b.Loop() {
		budget.Withdraw(time.Since(began))
	}
}

// BenchmarkBudgetChild is what a call and a retry of a service pay whose budget is
// one of a thousand under that of the process.
func BenchmarkBudgetChild(b *testing.B) {
	parent := newBudget(b, retry.BudgetConfig{})
	var child *retry.Budget
	for range 1000 {
		child = newChild(b, parent, retry.BudgetConfig{})
	}
	began := time.Now()
	b.Run("deposit", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				child.Deposit(time.Since(began), rand.Uint64())
			}
		})
	})
	b.Run("withdraw", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			child.Deposit(time.Since(began), rand.Uint64())
			child.Withdraw(time.Since(began))
		}
	})
	b.Run("refused", func(b *testing.B) {
		now := time.Since(began)
		withdrawAll(child, now)
		b.ReportAllocs()
		for b.Loop() {
			child.Withdraw(now)
		}
	})
	b.Run("sum", func(b *testing.B) {
		now := 100 * time.Hour
		b.ReportAllocs()
		for b.Loop() {
			now += time.Second // what was summed is of another second
			parent.Remaining(now)
		}
	})
}

// BenchmarkHedge is what a call of a hedged method pays that needs no second attempt,
// without its timer, and BenchmarkHedgeWithdraw what it pays beyond if it is overdue.
func BenchmarkHedge(b *testing.B) {
	h := newHedge(b, retry.HedgeConfig{})
	l := new(retry.Latencies)
	began := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			now, bits := time.Since(began), rand.Uint64()
			h.Start(now, bits)
			h.Delay(now, l)
			l.Record(now, 5*time.Millisecond+time.Duration(bits>>42))
		}
	})
}

func BenchmarkHedgeWithdraw(b *testing.B) {
	h, budget := newHedge(b, retry.HedgeConfig{MaxExtra: 1, Percentile: 0.01}), newBudget(b, retry.BudgetConfig{})
	began := time.Now()
	start(h, 1_000_000, 0)
	b.ReportAllocs()
	for b.Loop() {
		h.Withdraw(time.Since(began), budget)
	}
}

func BenchmarkLatenciesRecord(b *testing.B) {
	var l retry.Latencies
	began := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Record(time.Since(began), 5*time.Millisecond+time.Duration(rand.Uint64()>>42))
		}
	})
}

// BenchmarkLatenciesReckon is what one call a second pays.
func BenchmarkLatenciesReckon(b *testing.B) {
	var l retry.Latencies
	now := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		now += time.Second
		l.Record(now, 5*time.Millisecond)
		l.Quantile(now, 0.95)
	}
}

func BenchmarkLeast(b *testing.B) {
	var l retry.Least
	began := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			now := time.Since(began)
			l.Allows(now, time.Second)
			l.Record(now, 5*time.Millisecond)
		}
	})
}

func BenchmarkDo(b *testing.B) {
	var budget retry.Budget
	nothing := func(context.Context) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		_ = retry.Do(b.Context(), retry.Policy{}, &budget, nothing, retry.Idempotent())
	}
}
