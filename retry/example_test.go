package retry_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

// A retry has to be allowed, to be afforded, and to wait for its turn.
func Example() {
	var policy retry.Policy
	budget, err := retry.NewBudget(retry.BudgetConfig{})
	if err != nil {
		panic(err)
	}
	began := time.Now()

	attempt := func(n int) (retry.Failure, bool) {
		fmt.Println("attempt", n)
		return retry.Unsent, n == 3
	}
	budget.Deposit(time.Since(began), rand.Uint64())
	for n := 1; ; n++ {
		failure, ok := attempt(n)
		if ok || !policy.Allows(failure, n, false) || !budget.Withdraw(time.Since(began)) {
			break
		}
		time.Sleep(retry.Backoff(n+1, rand.Uint64()))
	}
	// Output:
	// attempt 1
	// attempt 2
	// attempt 3
}

// Of a thousand calls at once that all fail, three hundred are made again: a
// fifth, and the hundred of the reserve.
func ExampleBudget() {
	budget, err := retry.NewBudget(retry.BudgetConfig{})
	if err != nil {
		panic(err)
	}
	const now = time.Minute // since whenever
	for range 1000 {
		budget.Deposit(now, rand.Uint64())
	}
	retries := 0
	for range 1000 {
		if budget.Withdraw(now) {
			retries++
		}
	}
	fmt.Println(retries)
	// Output: 300
}

func ExampleBudgetConfig_Validate() {
	fmt.Println(retry.BudgetConfig{Ratio: 20}.Validate())
	// Output: retry: BudgetConfig.Ratio is 20: allowed is 0 (meaning 0.2) to 1
}
