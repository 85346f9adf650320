package transport

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// The timer has fired and its goroutine has no CPU, when the answer comes. A door
// that is told so must find the reason in the context, or it has neither an answer
// nor an error.
func TestAnswerAfterTheTimeFindsTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := &attemptTimeout{"orders", time.Second}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		starved := make(chan struct{})
		defer close(starved)
		a := &attemptTime{Context: ctx, why: why, up: func() { cancel(why) }, timer: time.AfterFunc(0, func() { <-starved })}
		synctest.Wait()
		var c Call
		c.began = a
		if c.Began() || context.Cause(a) != error(why) {
			t.Errorf("the answer came after the time, and the context says %v", context.Cause(a))
		}
	})
}
