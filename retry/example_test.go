package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

// The zero policy and the zero budget are the defaults. One budget is shared by all
// calls to a service.
func Example() {
	var orders retry.Budget

	attempts := 0
	err := retry.Do(context.Background(), retry.Policy{}, &orders, func(context.Context) error {
		if attempts++; attempts < 3 {
			return &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		return nil
	})
	fmt.Println(attempts, err)
	// Output: 3 <nil>
}

// A policy may say more than the default, and a caller knows its own errors best.
func ExampleDo() {
	var orders retry.Budget
	policy := retry.Policy{
		MaxAttempts:    2,
		On:             retry.ConnectFailure | retry.Reset | retry.Overload,
		Backoff:        retry.BackoffConfig{BaseInterval: time.Millisecond},
		AttemptTimeout: time.Second,
	}
	busy := errors.New("too busy")
	judge := func(err error) retry.Ended {
		if errors.Is(err, busy) {
			return retry.Ended{How: retry.Overload}
		}
		return retry.Judge(err)
	}

	attempts := 0
	err := retry.Do(context.Background(), policy, &orders, func(context.Context) error {
		attempts++
		return busy
	}, retry.Idempotent(), retry.JudgedBy(judge))
	fmt.Println(attempts, err)
	// Output: 2 too busy
}

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

// What had no answer after the time in which 95 of 100 have one is sent once more,
// by six of a hundred calls at most.
func ExampleHedge() {
	hedge, err := retry.NewHedge(retry.HedgeConfig{})
	if err != nil {
		panic(err)
	}
	var (
		latencies retry.Latencies // of the method
		budget    retry.Budget    // of the service, for its retries as well
		now       time.Duration   // retry.Now(), in a real call
	)
	for i := range 100 {
		now += 10 * time.Millisecond
		hedge.Start(now, rand.Uint64())
		budget.Deposit(now, rand.Uint64())
		latencies.Record(now, time.Duration(i%10+1)*time.Millisecond)
	}
	now += time.Second

	delay, ok := hedge.Delay(now, &latencies)
	fmt.Println("the second is due after", delay, ok)
	for range 7 {
		fmt.Println(hedge.Withdraw(now, &budget))
	}
	// Output:
	// the second is due after 10.24ms true
	// <nil>
	// <nil>
	// <nil>
	// <nil>
	// <nil>
	// <nil>
	// share of hedges spent
}

// A method that needs 20 ms at least is not called with 10 ms left.
func ExampleLeast() {
	var least retry.Least
	const now = time.Minute
	for i := range 50 {
		least.Record(now, time.Duration(70-i)*time.Millisecond)
	}
	fmt.Println(least.Least(now))
	fmt.Println(least.Allows(now, 30*time.Millisecond))
	fmt.Println(least.Allows(now, 10*time.Millisecond)) // one a second finds out
	fmt.Println(least.Allows(now, 10*time.Millisecond))
	// Output:
	// 21ms true
	// true
	// true
	// false
}

func ExampleParseCondition() {
	fmt.Println(retry.ParseCondition("connect-failure"))
	fmt.Println(retry.ParseCondition("gateway-error"))
	// Output:
	// connect-failure true
	// none false
}
