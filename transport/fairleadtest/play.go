package fairleadtest

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead-go/fairlead/transport"
)

// Attempt is one attempt that was made.
type Attempt struct {
	Instance string // ID
	Service  string
	Method   string
	Start    time.Time
	Took     time.Duration // 0 while it goes on
	// Outcome is how it ended, the zero value while it goes on. Over HTTP it is
	// what the instance did, not what the door made of it.
	Outcome transport.Outcome
}

// Play says what an instance does with its next attempts, in this order, and
// with all that follow the last. Without replies it answers well again.
func (f *Fleet) Play(id string, replies ...Reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts[id] = replies
}

// Attempts returns the attempts made so far, in the order they began.
func (f *Fleet) Attempts() []Attempt {
	f.mu.Lock()
	defer f.mu.Unlock()
	attempts := make([]Attempt, len(f.attempts))
	for i, a := range f.attempts {
		attempts[i] = *a
	}
	return attempts
}

// Called returns the instances of the attempts made so far, in the order they
// began.
func (f *Fleet) Called() []string {
	var ids []string
	for _, a := range f.Attempts() {
		ids = append(ids, a.Instance)
	}
	return ids
}

// Forget empties the record.
func (f *Fleet) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attempts = nil
}

// begin records an attempt and takes what is to be played.
func (f *Fleet) begin(a *Attempt) Reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	a.Start = time.Now()
	f.attempts = append(f.attempts, a)
	script := f.scripts[a.Instance]
	if len(script) == 0 {
		return OK()
	}
	if len(script) > 1 {
		f.scripts[a.Instance] = script[1:]
	}
	return script[0].orOK()
}

// end waits as long as the reply takes, and records how the attempt ended.
func (f *Fleet) end(ctx context.Context, a *Attempt, r Reply) transport.Outcome {
	outcome := r.Outcome
	if !pause(ctx, r.Latency) {
		outcome = transport.Outcome{Class: transport.Neutral, Err: context.Cause(ctx), Sent: outcome.Sent}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			outcome.Class = transport.Timeout
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a.Took, a.Outcome = time.Since(a.Start), outcome
	return outcome
}

// pause reports whether it came to its end before ctx did. It makes no timer
// where there is nothing to wait for: the race detector crashes on timers that
// have expired when they are read by several goroutines of one bubble
// (golang/go#78156).
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Door returns the attempt half that [transport.Mesh.Do] wants, of a door
// without a protocol: it acquires an instance from mesh, and ends as the
// instance plays. It is for tests of the core, and of doors of one's own.
func (f *Fleet) Door(mesh *transport.Mesh) transport.Attempt { return door{f, mesh} }

type door struct {
	fleet *Fleet
	mesh  *transport.Mesh
}

func (d door) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	lease, err := d.mesh.Acquire(ctx, call, nil)
	if err != nil {
		return transport.Outcome{Err: err}
	}
	a := &Attempt{Instance: lease.Node().ID(), Service: call.Service, Method: call.Method}
	o := d.fleet.end(ctx, a, d.fleet.begin(a))
	lease.Done(o)
	call.Ended(call.Turn()) // nobody reads an answer
	return o
}
