package main

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	rate           = 300 // commands a second
	commandTimeout = 2 * time.Second
)

// load sends commands at a steady rate and counts how they end.
type load struct {
	client       *client
	sent, failed atomic.Int64
}

// run goes on until ctx is done, however long answers take; then it waits for
// the last of them.
func (l *load) run(ctx context.Context) {
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	begin := time.Now()
	for n := 0; ; n++ {
		select {
		case <-time.After(time.Until(begin.Add(time.Duration(n) * time.Second / rate))):
		case <-ctx.Done():
			return
		}
		inFlight.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
			defer cancel()
			key := "key" + strconv.Itoa(n%100)
			command := []string{"GET", key}
			if n%4 == 0 {
				command = []string{"SET", key, "value"}
			}
			if _, err := l.client.Do(ctx, command...); err != nil {
				l.failed.Add(1)
			}
			l.sent.Add(1)
		})
	}
}
