package load

import "time"

// alarm wakes one worker.
type alarm interface {
	sleep(time.Duration) error
	Close() error
}

// sleeper is an alarm for where there is none that is more exact.
type sleeper struct{}

func (sleeper) sleep(d time.Duration) error { time.Sleep(d); return nil }
func (sleeper) Close() error                { return nil }
