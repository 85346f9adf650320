package balancer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// Checker probes the instances of a service as a [HealthCheck] says, and tells
// when its verdict on one of them changes.
//
// An instance is taken for healthy until a probe says otherwise, as in HAProxy
// (init-state up): it announced itself, and who has not been probed yet must not
// be nobody to call. Its first result counts at once, be it good or bad; from
// then on it takes Rise or Fall of them in a row. (Envoy, which can hold back
// a whole cluster until everybody was probed, takes it for unhealthy until
// then.) The verdict that [Pool.Judge] left with a node is where a checker
// begins.
//
// The first probe of an instance comes at a random moment within the first
// interval, and it keeps its place from then on, but for the jitter: ten
// thousand instances that appear together are probed one after the other, and
// one that appears to a thousand clients is not probed by all of them at once.
//
// What is this process's own fault is held against nobody: a failure that comes
// much later than the timeout allows says that this process had no CPU, or
// was frozen, and counts for nothing.
type Checker struct {
	prober Prober

	mu      sync.Mutex // guards the next two; no call takes it
	config  HealthCheck
	stopped bool // since Run last looked

	passed, failed, void, late atomic.Int64
}

// NewChecker returns a checker. The error is a [*discovery.FieldError], or what
// the prober's own Validate says.
func NewChecker(config HealthCheck, prober Prober) (*Checker, error) {
	if prober == nil {
		return nil, &discovery.FieldError{Field: "prober", Value: nil, Allowed: "a balancer.Prober"}
	}
	if err := cmp.Or(config.Validate(), validate(prober)); err != nil {
		return nil, err
	}
	return &Checker{config: config.withDefaults(), prober: prober}, nil
}

// Configure makes the checker go by another config, within a second where Run is
// under way. What probes showed so far stays, and so do the verdicts; who waits
// for the next probe waits for the same part of the new interval.
//
// A checker that is Off forgets all that, and takes no verdict back:
// [Pool.Acquit] does. Once it is on again, it begins with the verdicts that
// nodes then have.
//
// The error is a [*discovery.FieldError]; then nothing has changed. It may be
// called at any time.
func (c *Checker) Configure(config HealthCheck) error {
	if err := config.Validate(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.config = config.withDefaults()
	c.stopped = c.stopped || config.Off
	return nil
}

// Config returns what the checker goes by, with all defaults in it. It may be
// called at any time.
func (c *Checker) Config() HealthCheck {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.config
}

// plan returns the config, and whether the checker was off since the last time.
func (c *Checker) plan() (config HealthCheck, stopped bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stopped, c.stopped = c.stopped, false
	return c.config, stopped
}

// Probes counts probes by how they ended.
type Probes struct {
	Passed int64 `json:"passed"`
	Failed int64 `json:"failed"`
	// Void are those that say nothing: [ErrUnprobed], and failures that are this
	// process's own fault.
	Void int64 `json:"void,omitempty"`
	// Late are those, of all of these, that began an interval or more after they
	// were due: MaxConcurrent is not enough, or this process stood still.
	Late int64 `json:"late,omitempty"`
}

// Probes returns the counts so far. It may be called at any time.
func (c *Checker) Probes() Probes {
	return Probes{c.passed.Load(), c.failed.Load(), c.void.Load(), c.late.Load()}
}

// patience is how often at least a checker looks who is there.
const patience = time.Second

// Run probes until ctx is done, then waits for the probes under way, whose
// contexts end with it. It belongs to whoever calls it, and so do the goroutines
// of those probes, at most MaxConcurrent.
//
// Nodes returns those to be probed now, sorted by ID, as [View].Nodes is; it is
// asked often, and what it returns must not be written to. Report is called, by
// one goroutine, when the verdict on one of them has changed; cause is what the
// last probe failed with, nil if healthy. Of a node that has left nothing is
// reported and nothing is kept.
func (c *Checker) Run(ctx context.Context, nodes func() []*Node, report func(n *Node, healthy bool, cause error)) {
	results := make(chan result)
	var probes sync.WaitGroup
	defer probes.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	r := newRounds(c.Config(), rand.Uint64())
	for running := 0; ; {
		now := Now()
		config, stopped := c.plan()
		if stopped {
			r.follow(nil, now)
		}
		r.configure(config, now)
		if !r.Off {
			r.follow(nodes(), now)
		}
		for running < r.MaxConcurrent {
			t, late := r.take(now)
			if t == nil {
				break
			}
			if late {
				c.late.Add(1)
			}
			running++
			probes.Go(func() {
				select {
				case results <- result{t, c.probe(ctx, t.node, config.Timeout)}:
				case <-ctx.Done(): // nobody hears any more
				}
			})
		}
		timer.Reset(min(patience, r.pause(now)))
		select {
		case <-timer.C:
		case got := <-results:
			running--
			if ctx.Err() == nil {
				c.hear(r, got, report)
			}
		case <-ctx.Done():
			return
		}
	}
}

// result is what a probe came to.
type result struct {
	turn *turn
	err  error
}

func (c *Checker) hear(r *rounds, got result, report func(*Node, bool, error)) {
	void := errors.Is(got.err, ErrUnprobed)
	healthy := got.err == nil
	switch {
	case void:
		c.void.Add(1)
	case healthy:
		c.passed.Add(1)
	default:
		c.failed.Add(1)
	}
	if there := r.done(got.turn, Now()); there && !void && got.turn.hear(healthy, r.HealthCheck) {
		report(got.turn.node, healthy, got.err)
	}
}

// errStarved is what a probe came to that nobody had the time to end.
var errStarved = fmt.Errorf("%w: this process was late to notice that its time was up", ErrUnprobed)

// probe probes a node within its time.
func (c *Checker) probe(ctx context.Context, n *Node, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := Now()
	err := c.prober.Probe(ctx, n)
	if err == nil {
		err = ctx.Err() // an answer that came too late is none
	}
	if err != nil && Now()-began > timeout+timeout/4 {
		return errStarved
	}
	return err
}
