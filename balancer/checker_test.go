package balancer_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// checking is a checker at work on nodes that a test may change.
type checking struct {
	*balancer.Checker
	nodes    atomic.Pointer[[]*balancer.Node]
	mu       sync.Mutex // guards what follows
	verdicts []string
	end      context.CancelFunc
	ended    chan struct{}
}

// check begins to check nodes; it ends with the test, or with end.
func check(t *testing.T, config balancer.HealthCheck, prober balancer.ProberFunc, nodes ...*balancer.Node) *checking {
	t.Helper()
	checker, err := balancer.NewChecker(config, prober)
	if err != nil {
		t.Fatal(err)
	}
	c := &checking{Checker: checker, ended: make(chan struct{})}
	c.list(nodes...)
	ctx, cancel := context.WithCancel(t.Context())
	c.end = func() { cancel(); <-c.ended }
	t.Cleanup(c.end)
	go func() {
		defer close(c.ended)
		c.Run(ctx, func() []*balancer.Node { return *c.nodes.Load() }, c.report)
	}()
	return c
}

func (c *checking) list(nodes ...*balancer.Node) { c.nodes.Store(&nodes) }

func (c *checking) report(n *balancer.Node, healthy bool, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if healthy {
		c.verdicts = append(c.verdicts, n.ID()+" well")
	} else {
		c.verdicts = append(c.verdicts, n.ID()+" "+cause.Error())
	}
}

func (c *checking) reported() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.verdicts, ", ")
}

var errIll = errors.New("ill")

// probes takes note of when probes began.
type probes struct {
	mu    sync.Mutex // guards the rest
	began map[string][]time.Duration
}

func (p *probes) note(n *balancer.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began == nil {
		p.began = map[string][]time.Duration{}
	}
	p.began[n.ID()] = append(p.began[n.ID()], balancer.Now())
}

// within returns how many probes began in each of the parts of a time.
func (p *probes) within(from, length time.Duration, parts int) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := make([]int, parts)
	for _, began := range p.began {
		for _, at := range began {
			if at -= from; at >= 0 && at < length {
				counts[int64(at)*int64(parts)/int64(length)]++
			}
		}
	}
	return counts
}

// Ten thousand instances that appear together are not probed together, neither
// at first nor later, and each once per interval.
func TestProbesAreSpreadOverTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p probes
		began := balancer.Now()
		c := check(t, balancer.HealthCheck{}, func(_ context.Context, n *balancer.Node) error {
			p.note(n)
			time.Sleep(5 * time.Millisecond)
			return nil
		}, newNodes(t, 10_000)...)
		time.Sleep(101 * time.Second)
		c.end()
		for _, from := range []time.Duration{0, 20 * time.Second, 80 * time.Second} {
			counts := p.within(began+from, 10*time.Second, 100)
			// Near the end of the first interval, some have their second turn.
			if least, most := slices.Min(counts), slices.Max(counts); least < 50 || most > 220 {
				t.Errorf("from %v on, a tenth of a second has %d to %d probes; 100 are a fair share", from, least, most)
			}
		}
		for id, began := range p.began {
			if len(began) < 8 || len(began) > 12 {
				t.Fatalf("%s was probed %d times in 101s", id, len(began))
			}
		}
		if got := c.Probes(); got.Late != 0 || got.Failed != 0 || got.Passed < 95_000 {
			t.Errorf("counts are %+v", got)
		}
	})
}

// Nor do clients that begin together probe the same instance together.
func TestClientsDoNotProbeTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p probes
		began := balancer.Now()
		for range 500 {
			check(t, balancer.HealthCheck{}, func(_ context.Context, n *balancer.Node) error {
				p.note(n)
				return nil
			}, newNodes(t, 1)...)
		}
		time.Sleep(40 * time.Second)
		// In the last second of the first interval, some have their second turn.
		for _, from := range []time.Duration{0, 30 * time.Second} {
			if most := slices.Max(p.within(began+from, 9*time.Second, 9)); most > 90 {
				t.Errorf("from %v on, a second has %d probes, 50 are a fair share", from, most)
			}
		}
	})
}

// Each pause is an interval, give or take the jitter.
func TestPausesAreJittered(t *testing.T) {
	for _, tt := range []struct {
		jitter      float64
		least, most time.Duration
	}{
		{0, 9 * time.Second, 11 * time.Second},
		{0.5, 5 * time.Second, 15 * time.Second},
	} {
		t.Run(fmt.Sprint(tt.jitter), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p probes
				c := check(t, balancer.HealthCheck{Jitter: tt.jitter}, func(_ context.Context, n *balancer.Node) error {
					p.note(n)
					return nil
				}, newNodes(t, 1)...)
				time.Sleep(2000 * time.Second)
				c.end()
				began := p.began["i00000"]
				least, most := time.Hour, time.Duration(0)
				for i := range began[1:] {
					pause := began[i+1] - began[i]
					least, most = min(least, pause), max(most, pause)
				}
				if tolerance := (tt.most - tt.least) / 10; least < tt.least || least > tt.least+tolerance || most > tt.most || most < tt.most-tolerance {
					t.Errorf("pauses are %v to %v, want %v to %v", least, most, tt.least, tt.most)
				}
			})
		})
	}
}

// play checks one node whose probes come out as the script says: + passes, -
// fails, 0 finds nothing out. It returns the numbers of the probes that changed
// the verdict.
func play(t *testing.T, config balancer.HealthCheck, n *balancer.Node, script string) (changes string) {
	t.Helper()
	var played atomic.Int64
	c := check(t, config, func(context.Context, *balancer.Node) error {
		next := int(played.Load()) // one node, one probe at a time
		if next == len(script) {
			return balancer.ErrUnprobed
		}
		played.Add(1)
		switch script[next] {
		case '+':
			return nil
		case '-':
			return fmt.Errorf("%d", next+1)
		default:
			return fmt.Errorf("%w: no such endpoint", balancer.ErrUnprobed)
		}
	}, n)
	for synctest.Wait(); int(played.Load()) < len(script); synctest.Wait() {
		time.Sleep(time.Second)
	}
	c.end()
	return strings.ReplaceAll(c.reported(), n.ID()+" ", "")
}

func TestRiseAndFall(t *testing.T) {
	twice := balancer.HealthCheck{Rise: 2, Fall: 2}
	for _, tt := range []struct {
		name   string
		config balancer.HealthCheck
		unwell bool // as an earlier checker left it
		script string
		want   string // the failures that changed the verdict, and each time it got well
	}{
		{"a new node is well, so that a success is no news", balancer.HealthCheck{}, false, "+++", ""},
		{"the first failure counts at once", balancer.HealthCheck{}, false, "-", "1"},
		{"so does the first success after it, by default", balancer.HealthCheck{}, false, "-+", "1, well"},
		{"from then on it takes three failures in a row", balancer.HealthCheck{}, false, "+-----", "4"},
		{"a success among them begins the count again", balancer.HealthCheck{}, false, "+--+--+---", "10"},
		{"it takes as many as Fall says", twice, false, "+-+--", "5"},
		{"and as many successes as Rise says", twice, false, "-+-+-++", "1, well"},
		{"what finds nothing out neither counts nor begins a count again", balancer.HealthCheck{}, false, "+-0-00-", "7"},
		{"nor is it the first", balancer.HealthCheck{}, false, "00-", "3"},
		{"a node that was left unwell is unwell", balancer.HealthCheck{}, true, "---", ""},
		{"and its first success counts at once", twice, true, "+", "well"},
		{"but no later one", twice, true, "-+-++", "well"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pool := newPool(t, nil)
				n := newNodes(t, 1)[0]
				pool.Judge(n, !tt.unwell, start)
				if got := play(t, tt.config, n, tt.script); got != tt.want {
					t.Errorf("the verdict changed at %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// However many instances hang, no more probes are under way than allowed, each
// is ended at its timeout, and all instances have their turn.
func TestProbesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p probes
		var running, most atomic.Int64
		c := check(t, balancer.HealthCheck{MaxConcurrent: 4, Timeout: 2 * time.Second}, func(ctx context.Context, n *balancer.Node) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			p.note(n)
			began := balancer.Now()
			<-ctx.Done()
			if took := balancer.Now() - began; took != 2*time.Second && ctx.Err() != context.Canceled {
				t.Errorf("a probe was under way for %v", took)
			}
			return ctx.Err()
		}, newNodes(t, 100)...)
		time.Sleep(500*time.Second + time.Millisecond)
		c.end()
		if most.Load() != 4 {
			t.Errorf("up to %d probes at once, want 4", most.Load())
		}
		least, turns := 1000, 0
		for _, began := range p.began {
			least, turns = min(least, len(began)), max(turns, len(began))
		}
		// Four at a time, for 2 s each, are ten turns for each of a hundred.
		if len(p.began) != 100 || least < 9 || turns > 11 {
			t.Errorf("%d nodes were probed, each %d to %d times", len(p.began), least, turns)
		}
		if got := c.Probes(); got.Failed < 980 || got.Late < 850 {
			t.Errorf("counts are %+v, want most of them late", got)
		}
	})
}

// There is one goroutine and those of the probes under way, or about to end,
// however many instances there are.
func TestNoGoroutinePerInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 10_000)
		before := runtime.NumGoroutine()
		var most atomic.Int64
		check(t, balancer.HealthCheck{}, func(ctx context.Context, n *balancer.Node) error {
			most.Store(max(most.Load(), int64(runtime.NumGoroutine())))
			<-ctx.Done()
			return ctx.Err()
		}, nodes...)
		time.Sleep(30 * time.Second)
		if got := int(most.Load()) - before; got > 1+2*16 {
			t.Errorf("%d goroutines", got)
		}
	})
}

// What was found out of a node goes with it, and one that left while it was
// probed is not reported.
func TestNodesThatLeaveAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2)
		var hanging atomic.Bool
		hung := make(chan struct{}, 1)
		c := check(t, balancer.HealthCheck{Timeout: 5 * time.Second}, func(ctx context.Context, n *balancer.Node) error {
			if hanging.Load() && n == nodes[0] {
				hung <- struct{}{}
				<-ctx.Done()
			}
			return errIll
		}, nodes[1])
		time.Sleep(15 * time.Second)
		if got := c.reported(); got != "i00001 ill" {
			t.Fatalf("reported: %s", got)
		}
		hanging.Store(true)
		c.list(nodes...)
		<-hung
		c.list(nodes[1])
		time.Sleep(30 * time.Second)
		if got := c.reported(); got != "i00001 ill" {
			t.Errorf("reported, of one that left: %s", got)
		}
		hanging.Store(false)
		c.list(nodes...)
		time.Sleep(15 * time.Second)
		if got := c.reported(); got != "i00001 ill, i00000 ill" {
			t.Errorf("reported, of one that came back: %s", got)
		}
		c.list()
		time.Sleep(5 * time.Second)
		before := c.Probes()
		time.Sleep(time.Minute)
		if got := c.Probes(); got != before {
			t.Errorf("nobody is there, and was probed: %+v, before %+v", got, before)
		}
	})
}

// The end of its context ends a checker and all its probes, and what they come
// to is not held against anybody.
func TestCheckerEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int64
		c := check(t, balancer.HealthCheck{Interval: time.Minute, Timeout: time.Hour}, func(ctx context.Context, n *balancer.Node) error {
			running.Add(1)
			defer running.Add(-1)
			<-ctx.Done()
			return ctx.Err()
		}, newNodes(t, 20)...)
		time.Sleep(2 * time.Minute)
		if got := running.Load(); got != 16 {
			t.Fatalf("%d probes are under way", got)
		}
		began := balancer.Now()
		c.end()
		if took := balancer.Now() - began; took != 0 || running.Load() != 0 || c.reported() != "" || c.Probes().Failed != 0 {
			t.Errorf("after %v, %d probes are under way, reported: %q, counts %+v", took, running.Load(), c.reported(), c.Probes())
		}
	})
}

// A failure that comes long after the timeout is that of a process without CPU;
// one that comes in time is the instance's. Here, a sleep is what keeps the
// probe from noticing.
func TestOwnStarvationIsHeldAgainstNobody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		asleep time.Duration
		err    error
		want   string
	}{
		{"at the timeout", time.Second, errIll, "i00000 ill"},
		{"a little after it", 1200 * time.Millisecond, errIll, "i00000 ill"},
		{"long after it", 1300 * time.Millisecond, errIll, ""},
		{"an answer that comes too late", 1200 * time.Millisecond, nil, "i00000 context deadline exceeded"},
		{"an answer that is read too late", 5 * time.Second, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := check(t, balancer.HealthCheck{}, func(context.Context, *balancer.Node) error {
					time.Sleep(tt.asleep)
					return tt.err
				}, newNodes(t, 1)...)
				time.Sleep(20 * time.Second)
				c.end()
				if got := c.reported(); got != tt.want {
					t.Errorf("reported: %q, want %q", got, tt.want)
				}
				if got := c.Probes(); got.Void > 0 != (tt.want == "") || got.Passed > 0 {
					t.Errorf("counts are %+v", got)
				}
			})
		})
	}
}

// The verdict is the node's own, and stays with it: when it is held although it
// vanished from the list, and when it comes back.
func TestVerdictStaysWithTheNode(t *testing.T) {
	pool := protected(t, balancer.Protection{})
	list := fixture.Snapshot("orders", 2)
	nodes := pool.Update(list, start).Nodes
	for _, healthy := range []bool{true, false, false, true, false} {
		pool.Judge(nodes[0], healthy, start)
		if nodes[0].Unwell() == healthy || nodes[1].Unwell() {
			t.Errorf("judged %v: unwell are %v and %v", healthy, nodes[0].Unwell(), nodes[1].Unwell())
		}
	}
	gone := list
	gone.Instances = nil
	for _, s := range []discovery.Snapshot{gone, list} {
		nodes := pool.Update(s, start).Nodes
		if len(nodes) != 2 || !nodes[0].Unwell() || nodes[1].Unwell() {
			t.Errorf("with %d on the list, %d nodes, unwell are %v and %v", len(s.Instances), len(nodes), nodes[0].Unwell(), nodes[1].Unwell())
		}
	}
}

// A change of the config takes effect within a second: those that wait are
// probed in the new rhythm, spread as they were, and results count as they did.
func TestConfigureWhileChecking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p probes
		var fails atomic.Bool
		c := check(t, balancer.HealthCheck{Interval: 10 * time.Minute, Fall: 10}, func(_ context.Context, n *balancer.Node) error {
			p.note(n)
			if fails.Load() && n.ID() == "i00000" {
				return errIll
			}
			return nil
		}, newNodes(t, 100)...)
		time.Sleep(20 * time.Minute)
		fails.Store(true)
		time.Sleep(time.Hour) // about six failures
		if got := c.reported(); got != "" {
			t.Fatalf("reported: %s", got)
		}
		if err := c.Configure(balancer.HealthCheck{Interval: 10 * time.Second, Fall: 8}); err != nil {
			t.Fatal(err)
		}
		changed := balancer.Now()
		time.Sleep(45 * time.Second)
		if got := c.reported(); got != "i00000 ill" {
			t.Errorf("after the failures of before and four more, of eight, reported: %q", got)
		}
		if counts := p.within(changed+time.Second, 40*time.Second, 4); slices.Min(counts) < 90 || slices.Max(counts) > 110 {
			t.Errorf("every ten seconds, %v probes of 100 nodes", counts)
		}
		if counts := p.within(changed+time.Second, 10*time.Second, 10); slices.Max(counts) > 35 {
			t.Errorf("in the first ten seconds, each second has %v probes", counts)
		}
		before := c.Config()
		if err := c.Configure(balancer.HealthCheck{Fall: -1}); err == nil || c.Config() != before {
			t.Errorf("a bad config: %v, and it is %+v", err, c.Config())
		}
	})
}

// Off, nobody is probed and nothing is reported; on again, the first result
// counts at once.
func TestCheckerThatIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := check(t, balancer.HealthCheck{Off: true}, func(context.Context, *balancer.Node) error { return errIll }, newNodes(t, 1)...)
		time.Sleep(time.Minute)
		probed := func(want bool, reported string) {
			t.Helper()
			before := c.Probes()
			time.Sleep(12 * time.Second)
			if got := c.Probes() != before; got != want || c.reported() != reported {
				t.Errorf("probed: %t, reported: %q, want %t, %q", got, c.reported(), want, reported)
			}
		}
		set := func(off bool) {
			if err := c.Configure(balancer.HealthCheck{Off: off}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		probed(false, "")
		set(false)
		probed(true, "i00000 ill")
		set(true)
		probed(false, "i00000 ill")
		set(false)
		probed(true, "i00000 ill, i00000 ill")
		// Off and on again before it has looked.
		if err := c.Configure(balancer.HealthCheck{Off: true}); err != nil {
			t.Fatal(err)
		}
		set(false)
		probed(true, "i00000 ill, i00000 ill, i00000 ill")
	})
}
