package breaker_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
)

// A function is called as long as it works.
func Example() {
	b, err := breaker.New("orders", breaker.Config{ConsecutiveFailures: 3})
	if err != nil {
		panic(err)
	}
	fetch := func() (string, error) { return "", errors.New("connection refused") }

	for range 5 {
		_, err := breaker.Do(b, fetch)
		fmt.Println(err)
	}
	// Output:
	// connection refused
	// connection refused
	// connection refused
	// circuit breaker orders is open
	// circuit breaker orders is open
}

// A call that is begun here and ends there takes a ticket along.
func ExampleBreaker_Allow() {
	b, err := breaker.New("feed", breaker.Config{SlowCallDuration: time.Second})
	if err != nil {
		panic(err)
	}

	ticket, err := b.Allow()
	if errors.Is(err, breaker.ErrOpen) {
		return // do without
	}
	// … the stream is read to its end, and how long it was says nothing:
	ticket.DoneAfter(breaker.Success, 0)

	fmt.Printf("%v, %+v\n", b.State(), b.Counts())
	// Output:
	// closed, {Requests:1 Failures:0 Slow:0 ConsecutiveFailures:0}
}

// Whoever is on call learns what happened, and why.
func ExampleOnChange() {
	told := make(chan breaker.Change)
	b, err := breaker.New("orders", breaker.Config{MinRequests: 4}, breaker.OnChange(func(c breaker.Change) {
		told <- c // it may take its time, but not for ever
	}))
	if err != nil {
		panic(err)
	}
	for _, outcome := range []breaker.Outcome{breaker.Success, breaker.Success, breaker.Failure, breaker.Failure} {
		ticket, err := b.Allow()
		if err != nil {
			panic(err)
		}
		ticket.Done(outcome)
	}

	c := <-told
	fmt.Printf("%s: %v → %v, %v: %d of %d failed\n", c.Name, c.From, c.To, c.Reason, c.Counts.Failures, c.Counts.Requests)
	// Output:
	// orders: closed → open, failure-rate: 2 of 4 failed
}

// A breaker that is new to a service only observes at first: it says what it would
// do.
func ExampleBreaker_SetMode() {
	b, err := breaker.New("orders", breaker.Config{ConsecutiveFailures: 3})
	if err != nil {
		panic(err)
	}
	b.SetMode(breaker.ObserveOnly)

	calls := 0
	for range 10 {
		_, _ = breaker.Do(b, func() (string, error) {
			calls++
			return "", errors.New("connection refused")
		})
	}
	fmt.Printf("%v, but %d calls were made; %d would have been rejected\n", b.State(), calls, b.Totals().WouldReject)
	// Output:
	// open, but 10 calls were made; 7 would have been rejected
}

// Among several, one that surely rejects is not asked.
func ExampleBreaker_Rejecting() {
	var replicas []*breaker.Breaker
	for _, name := range []string{"a", "b", "c"} {
		b, err := breaker.New(name, breaker.Config{})
		if err != nil {
			panic(err)
		}
		replicas = append(replicas, b)
	}
	replicas[0].SetMode(breaker.ForcedOpen) // is being repaired

	for _, b := range replicas {
		if !b.Rejecting() {
			fmt.Println(b.Name())
		}
	}
	// Output:
	// b
	// c
}
