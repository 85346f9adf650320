package retry_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

// A retry has to be allowed, to be afforded, and to wait for its turn. Next answers
// all three; the bits, half of the most here, draw the wait.
func ExamplePolicy_Next() {
	policy := retry.Policy{On: retry.ConnectFailure | retry.Overload}
	budget, err := retry.NewBudget(retry.BudgetConfig{})
	if err != nil {
		panic(err)
	}
	const now, bits = time.Minute, 1 << 63
	budget.Deposit(now, bits)

	for n, ended := range []retry.Ended{
		{How: retry.ConnectFailure},
		{How: retry.Overload, Idempotent: true, RetryAfter: time.Second},
		{How: retry.Overload, Idempotent: true},
	} {
		wait, again, err := policy.Next(budget, now, ended, n+1, bits)
		fmt.Println("after", ended.How, "wait", wait, "again", again, err)
	}
	// Output:
	// after connect-failure wait 0s again true <nil>
	// after overload wait 1.25s again true <nil>
	// after overload wait 0s again false <nil>
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
		if budget.Withdraw(now) == nil {
			retries++
		}
	}
	fmt.Println(retries)
	// Output: 300
}

// One budget for the whole process bounds what its services may do together.
func ExampleBudget_Child() {
	process, err := retry.NewBudget(retry.BudgetConfig{MinPerSecond: 0.2})
	if err != nil {
		panic(err)
	}
	orders, err := process.Child(retry.BudgetConfig{MinPerSecond: 0.1})
	if err != nil {
		panic(err)
	}
	defer orders.Close()
	users, err := process.Child(retry.BudgetConfig{})
	if err != nil {
		panic(err)
	}
	defer users.Close()

	fmt.Println(orders.Withdraw(0), users.Withdraw(0))
	fmt.Println(orders.Withdraw(0))
	fmt.Println(users.Withdraw(0))
	// Output:
	// <nil> <nil>
	// retry budget spent
	// retry budget spent: the one shared with others
}

func ExampleBudgetConfig_Validate() {
	fmt.Println(retry.BudgetConfig{Ratio: 20}.Validate())
	// Output: retry: BudgetConfig.Ratio is 20: allowed is 0 (meaning 0.2) to 1
}
