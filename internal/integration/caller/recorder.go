package caller

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// recorder sees what the library does from the places where a program may look:
// between registry and mesh, in the policy, and through spans.
type recorder struct {
	began  time.Time
	writer *history.Writer
	spoken discovery.Protocol
	chosen balancer.Policy
	lists  atomic.Int64
	calls  sync.Map // of *call, by the key that the policy is told

	pending sync.WaitGroup // calls that are not written down
}

func newRecorder(s Settings) (*recorder, error) {
	began := time.Now()
	budgets := 1.0
	if len(s.Priorities) > 0 {
		budgets = 2 // sheddable calls have one of their own
	}
	w, err := history.Create(s.History, history.Settings{
		Caller: s.Name, Began: began, Rate: s.Rate, Narrowed: s.Narrowed,
		Gated: s.Protocol == fleet.GRPC, MaxAttempts: cmp.Or(s.MaxAttempts, 3), Ratio: 0.2, PerSecond: 10 * budgets, Reserve: 100 * budgets, // the README's
	})
	r := &recorder{began: began, writer: w, spoken: spoken(s.Protocol), chosen: balancer.P2CEWMA{}}
	if s.InTurn {
		r.chosen = balancer.RoundRobin{}
	}
	return r, err
}

// spoken is what instances announce that speak p.
func spoken(p fleet.Protocol) discovery.Protocol {
	if p == fleet.GRPC {
		return discovery.GRPC
	}
	return discovery.HTTP
}

// now is never 0, which would say that something did not happen.
func (r *recorder) now() time.Duration { return max(1, time.Since(r.began)) }

type callKey struct{}

// recorded is what the context of a call carries.
type recorded struct {
	*call
	by *recorder
}

func withCall(ctx context.Context, c *call, by *recorder) context.Context {
	return context.WithValue(ctx, callKey{}, recorded{c, by})
}

func (r *recorder) begin(key string, c *call) {
	c.Start = r.now()
	r.pending.Add(1)
	r.calls.Store(key, c)
}

func (r *recorder) end(key string, c *call, answer string, err error) {
	r.calls.Delete(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.End, c.over = r.now(), true
	c.Cancelled = time.Duration(c.cancelled.Load())
	judge(&c.Call, answer, err)
	r.writeLocked(c)
}

// writeLocked writes a call down once nothing of it is under way. Attempts may end
// after it: the answer of one that was thrown away is read to its end, or somebody
// else than the caller finds that its time is up.
func (r *recorder) writeLocked(c *call) {
	if !c.over || c.open > 0 {
		return
	}
	for _, a := range c.spans {
		if a.is.Instance != "" { // else nobody was picked
			c.Attempts = append(c.Attempts, a.is)
		}
	}
	r.writer.Call(c.Call)
	r.pending.Done()
}

// settle waits for the last of the calls to be written down. One of which an attempt
// never ends is missing in the history, as the rules will find.
func (r *recorder) settle() {
	done := make(chan struct{})
	go func() { // ends with the process at the latest
		r.pending.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
	}
}

// policy is one of the library's own. It is asked anew for each list; its picker tells
// the call from which list it was served. Probes pass it by: theirs is the latest.
func (r *recorder) policy(c balancer.Candidates) balancer.Picker {
	nodes := c.Listed // those that are passed over for a while, too
	if nodes[0].Endpoint(r.spoken) == "" {
		return r.chosen.Picker(c) // for calls that are not made here
	}
	l := history.List{At: r.now(), Number: int(r.lists.Add(1))}
	for _, n := range nodes {
		l.Instances = append(l.Instances, n.ID())
		if _, held := n.Held(); held {
			l.Held = append(l.Held, n.ID())
		}
	}
	slices.Sort(l.Instances)
	r.writer.List(l)
	return picker{r.chosen.Picker(c), r, l.Number}
}

type picker struct {
	balancer.Picker
	recorder *recorder
	list     int
}

func (p picker) Pick(q balancer.Request) *balancer.Node {
	if c, ok := p.recorder.calls.Load(q.Key); ok {
		c.(*call).pick(p.list)
	}
	return p.Picker.Pick(q)
}
