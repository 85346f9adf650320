package ratelimit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// Two at a time, and who comes meanwhile is refused.
func ExampleConcurrency() {
	limit, err := ratelimit.NewConcurrency(ratelimit.ConcurrencyConfig{Max: 2})
	if err != nil {
		panic(err)
	}
	fmt.Println(limit.TryAcquire(ratelimit.Default), limit.TryAcquire(ratelimit.Default), limit.TryAcquire(ratelimit.Default))
	limit.Release(ratelimit.Default)
	fmt.Println(limit.Acquire(context.Background(), ratelimit.Default), limit.Acquire(context.Background(), ratelimit.Default))
	// Output:
	// true true false
	// <nil> concurrency limit reached
}

// Calls that take as long as ever let the limit grow.
func ExampleAdaptive() {
	limit, err := ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{Initial: 20, Max: 100})
	if err != nil {
		panic(err)
	}
	for n := range 10_000 {
		limit.Done(time.Duration(n)*time.Millisecond, 5*time.Millisecond, limit.Limit(), false)
	}
	fmt.Println(limit.Limit() > 20)
	// Output: true
}

// A service that refuses nine of ten calls gets two for each that it accepts.
func ExampleThrottle() {
	throttle, err := ratelimit.NewThrottle(ratelimit.ThrottleConfig{})
	if err != nil {
		panic(err)
	}
	for n := range 20_000 {
		now := time.Duration(n) * time.Millisecond
		if throttle.Allow(now, ratelimit.Default, uint64(n)*0x9e3779b97f4a7c15) {
			throttle.Done(now, ratelimit.Default, n%10 == 0)
		}
	}
	fmt.Println(throttle.Rejecting()[ratelimit.Default.Index()] > 0.5)
	// Output: true
}

// Half of a limit is for calls that matter more, while there are any.
func ExamplePrecedence() {
	var precedence ratelimit.Precedence
	fmt.Println(precedence.Room(10, ratelimit.Sheddable))
	precedence.Note(ratelimit.Sheddable)
	precedence.Note(ratelimit.Critical)
	fmt.Println(precedence.Room(10, ratelimit.Sheddable), precedence.Room(10, ratelimit.Critical))
	// Output:
	// 10
	// 5 10
}
