package retry_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

// BenchmarkBudgetDeposit is what every call pays, retried or not.
func BenchmarkBudgetDeposit(b *testing.B) {
	budget := newBudget(b, retry.BudgetConfig{})
	began := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			budget.Deposit(time.Since(began), rand.Uint64())
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
