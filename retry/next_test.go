package retry_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

func TestNext(t *testing.T) {
	const bits = 1 << 63 // half of the most
	for _, tt := range []struct {
		name       string
		failure    retry.Failure
		n          int
		idempotent bool
		spent      bool
		wait       time.Duration
		again      bool
		err        error
		price      int
	}{
		{name: "what never arrived goes elsewhere at once", failure: retry.Unsent, n: 1, again: true, price: 1},
		{name: "the third attempt waits", failure: retry.Unsent, n: 2, wait: 12500 * time.Microsecond, again: true, price: 1},
		{name: "what may be executed twice", failure: retry.Lost, n: 1, idempotent: true, again: true, price: 1},
		{name: "what may not", failure: retry.Lost, n: 1},
		{name: "an answer is final", failure: retry.Answered, n: 1, idempotent: true},
		{name: "the last attempt", failure: retry.Unsent, n: 3},
		{name: "nothing left to pay with", failure: retry.Unsent, n: 1, spent: true, err: retry.ErrBudgetSpent},
		{name: "what is final asks for no money", failure: retry.Answered, n: 1, spent: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := retry.NewBudget(retry.BudgetConfig{})
			if err != nil {
				t.Fatal(err)
			}
			for tt.spent && b.Withdraw(time.Hour) {
			}
			before := b.Remaining(time.Hour)
			wait, again, err := retry.Policy{}.Next(b, time.Hour, tt.failure, tt.n, tt.idempotent, bits)
			if wait != tt.wait || again != tt.again || err != tt.err {
				t.Errorf("got %v, %v, %v; want %v, %v, %v", wait, again, err, tt.wait, tt.again, tt.err)
			}
			if paid := before - b.Remaining(time.Hour); paid != tt.price {
				t.Errorf("it cost %d, want %d", paid, tt.price)
			}
		})
	}
}
