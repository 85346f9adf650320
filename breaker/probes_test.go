package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
)

// opened returns a breaker that one failure has opened, at the first moment at
// which it lets a call find out.
func opened(t *testing.T, c breaker.Config) (*breaker.Breaker, func() breaker.Change) {
	t.Helper()
	c.ConsecutiveFailures = 1
	b, last := watched(t, c)
	end(t, b, failure)
	wantState(t, b, breaker.Open)
	time.Sleep(b.Config().OpenFor)
	wantRejected(t, b)
	time.Sleep(time.Nanosecond)
	return b, last
}

func TestHalfOpen(t *testing.T) {
	const s = time.Second
	two := breaker.Config{HalfOpenRequests: 2}
	tests := []struct {
		name   string
		config breaker.Config
		do     func(t *testing.T, b *breaker.Breaker)
		want   breaker.State
		reason breaker.Reason // of the last change
	}{
		{"time alone changes nothing", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) {
			time.Sleep(time.Hour)
			b.Counts()
		}, breaker.Open, breaker.ConsecutiveFailures},
		{"a call asks and is let through", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) { begin(t, b) }, breaker.HalfOpen, breaker.NoReason},
		{"a success closes it", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) { end(t, b, success) }, breaker.Closed, breaker.NoReason},
		{"a failure opens it again", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) { end(t, b, failure) }, breaker.Open, breaker.ProbeFailed},
		{"for as long as before", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) {
			end(t, b, failure)
			time.Sleep(3 * s)
			wantRejected(t, b)
			time.Sleep(time.Nanosecond)
			begin(t, b)
		}, breaker.HalfOpen, breaker.NoReason},
		{"a slow success opens it again", breaker.Config{SlowCallDuration: s}, func(t *testing.T, b *breaker.Breaker) {
			probe := begin(t, b)
			probe.DoneAfter(success, 2*s)
		}, breaker.Open, breaker.SlowCalls},
		{"a slow failure is a failure", breaker.Config{SlowCallDuration: s}, func(t *testing.T, b *breaker.Breaker) {
			probe := begin(t, b)
			probe.DoneAfter(failure, 2*s)
		}, breaker.Open, breaker.ProbeFailed},
		{"a neutral one leaves its place to the next", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) {
			end(t, b, neutral, neutral, neutral)
			begin(t, b)
			wantRejected(t, b)
		}, breaker.HalfOpen, breaker.NoReason},
		{"no more than its places at once", two, func(t *testing.T, b *breaker.Breaker) {
			begin(t, b)
			begin(t, b)
			wantRejected(t, b)
		}, breaker.HalfOpen, breaker.NoReason},
		{"one of two is not enough", two, func(t *testing.T, b *breaker.Breaker) { end(t, b, success) }, breaker.HalfOpen, breaker.NoReason},
		{"two of two are", two, func(t *testing.T, b *breaker.Breaker) { end(t, b, success, success) }, breaker.Closed, breaker.NoReason},
		{"the second of two fails", two, func(t *testing.T, b *breaker.Breaker) { end(t, b, success, failure) }, breaker.Open, breaker.ProbeFailed},
		{"one that succeeded keeps its place", two, func(t *testing.T, b *breaker.Breaker) {
			end(t, b, success)
			begin(t, b)
			wantRejected(t, b)
		}, breaker.HalfOpen, breaker.NoReason},

		{"one that hangs keeps its place for a second", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) {
			begin(t, b)
			time.Sleep(s - 1)
			wantRejected(t, b)
		}, breaker.HalfOpen, breaker.NoReason},
		{"and no longer", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) {
			begin(t, b)
			time.Sleep(s)
			begin(t, b)
			wantRejected(t, b)
		}, breaker.HalfOpen, breaker.NoReason},
		{"its own time", breaker.Config{ProbeTimeout: s / 10}, func(t *testing.T, b *breaker.Breaker) {
			begin(t, b)
			time.Sleep(s / 10)
			begin(t, b)
		}, breaker.HalfOpen, breaker.NoReason},
		{"what an expired one finds closes it", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) {
			hung := begin(t, b)
			time.Sleep(s)
			begin(t, b)
			hung.Done(success)
		}, breaker.Closed, breaker.NoReason},
		{"or opens it", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) {
			hung := begin(t, b)
			time.Sleep(s)
			begin(t, b)
			hung.Done(failure)
		}, breaker.Open, breaker.ProbeFailed},
		{"also if nobody took its place", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) {
			hung := begin(t, b)
			time.Sleep(time.Hour)
			hung.Done(success)
		}, breaker.Closed, breaker.NoReason},
		{"an expired one has no place to give back", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) {
			hung := begin(t, b)
			time.Sleep(s)
			begin(t, b)
			hung.Done(neutral)
			wantRejected(t, b)
		}, breaker.HalfOpen, breaker.NoReason},
		{"what it says once all is decided is too late", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) {
			hung := begin(t, b)
			time.Sleep(s)
			end(t, b, success)
			wantState(t, b, breaker.Closed)
			hung.Done(failure)
		}, breaker.Closed, breaker.NoReason},
		{"also in the next half-open state", breaker.Config{}, func(t *testing.T, b *breaker.Breaker) {
			hung := begin(t, b)
			time.Sleep(s)
			end(t, b, failure)
			time.Sleep(3*s + 1)
			begin(t, b)
			hung.Done(success)
		}, breaker.HalfOpen, breaker.NoReason},
		{"one that ended does not expire", two, func(t *testing.T, b *breaker.Breaker) {
			end(t, b, success)
			begin(t, b)
			time.Sleep(s)
			begin(t, b)
			wantRejected(t, b)
		}, breaker.HalfOpen, breaker.NoReason},
		{"a copy of one that ended says nothing more", two, func(t *testing.T, b *breaker.Breaker) {
			probe := begin(t, b)
			again := probe
			probe.Done(success)
			again.Done(success)
		}, breaker.HalfOpen, breaker.NoReason},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, last := opened(t, tt.config)
				tt.do(t, b)
				wantState(t, b, tt.want)
				if got := last(); got.To != tt.want || got.Reason != tt.reason {
					t.Errorf("last change is %+v, want to %v by %v", got, tt.want, tt.reason)
				}
			})
		})
	}
}

// A hundred probes that never end: every second the next one gets the place, and
// the first that answers closes the breaker.
func TestProbesThatHangNeverBlockForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := opened(t, breaker.Config{})
		for range 100 {
			begin(t, b)
			wantRejected(t, b)
			time.Sleep(time.Second)
		}
		end(t, b, success)
		wantState(t, b, breaker.Closed)
	})
}
