package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// Two calls a second, three of them at once. The times are counted from any moment.
func ExampleBucket() {
	bucket, err := ratelimit.NewBucket(ratelimit.RateConfig{Rate: 2, Burst: 3})
	if err != nil {
		panic(err)
	}
	now := time.Duration(0)
	for range 4 {
		fmt.Println(bucket.Allow(now, ratelimit.Default))
	}
	fmt.Println("again in", bucket.RetryAfter(now))
	// Output:
	// true
	// true
	// true
	// false
	// again in 500ms
}

// While critical calls come, others leave tokens to them.
func ExampleBucket_Allow() {
	bucket, err := ratelimit.NewBucket(ratelimit.RateConfig{Rate: 10, Burst: 10})
	if err != nil {
		panic(err)
	}
	now := time.Duration(0)
	allowed := func(p ratelimit.Priority) (n int) {
		for bucket.Allow(now, p) {
			n++
		}
		return n
	}
	bucket.Allow(now, ratelimit.Critical)
	fmt.Println("sheddable:", allowed(ratelimit.Sheddable))
	fmt.Println("default:", allowed(ratelimit.Default))
	fmt.Println("critical:", allowed(ratelimit.Critical))
	// Output:
	// sheddable: 4
	// default: 3
	// critical: 2
}

// A call waits for its turn if that comes soon enough.
func ExampleBucket_Wait() {
	bucket, err := ratelimit.NewBucket(ratelimit.RateConfig{Rate: 2, Burst: 1})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	fmt.Println(bucket.Wait(ctx, ratelimit.Default, 0))
	err = bucket.Wait(ctx, ratelimit.Default, time.Millisecond) // half a second is too long
	fmt.Println(err, errors.Is(err, ratelimit.ErrRate))
	fmt.Println(bucket.Wait(ctx, ratelimit.Default, time.Second))
	// Output:
	// <nil>
	// rate limit reached true
	// <nil>
}

// Every tenant has its own bucket. A thousand of them are kept, so that nobody can
// fill the memory with names.
func ExampleBuckets() {
	tenants, err := ratelimit.NewBuckets(ratelimit.RateConfig{Rate: 1, MaxKeys: 1000})
	if err != nil {
		panic(err)
	}
	now := time.Duration(0)
	for _, tenant := range []string{"red", "red", "blue"} {
		fmt.Println(tenant, tenants.Of(now, tenant).Allow(now, ratelimit.Default))
	}
	// Output:
	// red true
	// red false
	// blue true
}

// The modest get what they demand, the others divide the rest.
func ExampleShare() {
	fmt.Println(ratelimit.Share(100, []float64{10, 60, 70}))
	fmt.Println(ratelimit.Share(100, []float64{10, 30}))
	// Output:
	// [10 45 45]
	// [40 60]
}

// A limit of 1000 calls a second for all clients of a service: this one is first of
// two, of which the other demands more than there is.
func ExampleQuota() {
	quota, err := ratelimit.NewQuota(ratelimit.RateConfig{Rate: 1000})
	if err != nil {
		panic(err)
	}
	now := time.Duration(0)
	quota.Clients(now, 0, []float64{0, 5000}) // from the registry
	quota.Observe(now)
	for range 200 { // the calls of a second
		quota.Bucket().Allow(now, ratelimit.Default)
	}
	now += time.Second
	quota.Observe(now)
	demand, due := quota.Publish(now) // to the registry
	fmt.Println(demand, due)

	now += 3 * time.Second // then everybody knows
	quota.Clients(now, 0, []float64{demand, 5000})
	fmt.Println(quota.Share())
	// Output:
	// 200 true
	// 200
}
