package balancer_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// court is a pool of n instances whose calls are made one by one.
type court struct {
	tb   testing.TB
	pool *balancer.Pool
	now  time.Duration
}

func newCourt(tb testing.TB, n int, o balancer.OutlierDetection) *court {
	tb.Helper()
	c := &court{tb, balancing(tb, balancer.Balancing{OutlierDetection: o, Policy: balancer.Random{}}), start}
	c.pool.Update(fixture.Snapshot("orders", n), c.now)
	return c
}

func (c *court) node(i int) *balancer.Node { return c.pool.View().Nodes[i] }

// calls makes calls to node i that end as told: f fails, s succeeds, n is
// neutral, r is refused, t cannot be trusted, l succeeds after a second.
func (c *court) calls(i int, results string) {
	c.tb.Helper()
	for _, letter := range results {
		began := c.now
		c.now += time.Millisecond
		if letter == 'l' {
			c.now += time.Second
		}
		result := map[rune]balancer.Result{'f': balancer.Failure, 's': balancer.Success, 'n': balancer.Neutral,
			'o': balancer.Refused, 'r': balancer.Unreachable, 't': balancer.Untrusted, 'l': balancer.Success}[letter]
		c.node(i).Start(began).Done(c.now, result)
	}
	c.pool.Review(c.now)
}

func (c *court) wait(d time.Duration) {
	c.now += d
	c.pool.Review(c.now)
}

// eligible are the numbers of the nodes that may be chosen.
func (c *court) eligible() (numbers []int) {
	view := c.pool.View()
	for i, n := range view.Nodes {
		if slices.Contains(view.Eligible(discovery.HTTP), n) {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

func (c *court) away() (numbers []int) {
	in := c.eligible()
	for i := range c.pool.View().Nodes {
		if !slices.Contains(in, i) {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

// pick is one choice.
func (c *court) pick(bits uint64) *balancer.Node {
	return c.pool.View().Picker(discovery.HTTP).Pick(balancer.Request{Now: c.now, Rand: bits})
}

// picked counts how many of many choices each node gets.
func (c *court) picked() map[*balancer.Node]int {
	bits := rand.New(rand.NewPCG(1, 2))
	got := map[*balancer.Node]int{}
	for range 1000 {
		got[c.pick(bits.Uint64())]++
	}
	return got
}

func TestConsecutiveFailuresEject(t *testing.T) {
	tests := []struct {
		name    string
		config  balancer.OutlierDetection
		results string
		away    bool
	}{
		{"four do not", balancer.OutlierDetection{}, "ffff", false},
		{"five do", balancer.OutlierDetection{}, "fffff", true},
		{"a success between begins anew", balancer.OutlierDetection{}, "ffffsffff", false},
		{"what says nothing of the instance counts neither way", balancer.OutlierDetection{}, "ffnffnnf", true},
		{"nor does it alone", balancer.OutlierDetection{}, "nnnnnnnnnn", false},
		{"who says that it has too much to do is no outlier", balancer.OutlierDetection{}, "oooooooooo", false},
		{"nor does that make good what was before", balancer.OutlierDetection{}, "ffoffof", true},
		{"three where three are enough", balancer.OutlierDetection{ConsecutiveFailures: 3}, "fff", true},
		{"never", balancer.OutlierDetection{ConsecutiveFailures: -1}, "ffffffffffff", false},
		{"off", balancer.OutlierDetection{Off: true}, "fffffrrrttt", false},
		{"one refusal is enough", balancer.OutlierDetection{}, "r", true},
		{"so is one that cannot be trusted", balancer.OutlierDetection{}, "t", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCourt(t, 10, tt.config)
			c.calls(3, tt.results)
			if got := slices.Contains(c.away(), 3); got != tt.away || len(c.away()) > 1 {
				t.Errorf("away are %v", c.away())
			}
			if got := c.picked()[c.node(3)]; (got == 0) != tt.away {
				t.Errorf("it was chosen %d times", got)
			}
		})
	}
}

// Not more than a tenth are ejected, and at least one. That bound is for
// statistics: whoever refuses connections is passed over in any number.
func TestEjectionsAreBounded(t *testing.T) {
	for _, tt := range []struct {
		name    string
		of      int
		percent int
		results string
		want    int
	}{
		{"one of two", 2, 0, "fffff", 1},
		{"one of ten", 10, 0, "fffff", 1},
		{"one of nineteen", 19, 0, "fffff", 1},
		{"three of thirty", 30, 0, "fffff", 3},
		{"half where that is allowed", 10, 50, "fffff", 5},
		{"refusals are not bounded", 10, 0, "r", 9},
		{"nor is who cannot be trusted", 10, 0, "t", 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCourt(t, tt.of, balancer.OutlierDetection{MaxEjectionPercent: tt.percent})
			for i := range tt.of - 1 {
				c.calls(i, tt.results)
			}
			if got := len(c.pool.View().Outages); got != tt.want {
				t.Errorf("%d are passed over, want %d", got, tt.want)
			}
		})
	}
}

// An ejection ends with one call, the probe, however many there are.
func TestOneProbeReadmits(t *testing.T) {
	eject := func(t *testing.T) *court {
		c := newCourt(t, 10, balancer.OutlierDetection{})
		c.calls(3, "fffff")
		c.wait(29 * time.Second)
		if got := c.picked()[c.node(3)]; got != 0 {
			t.Fatalf("chosen %d times before its time", got)
		}
		c.wait(5 * time.Second)
		return c
	}
	probe := func(t *testing.T, c *court) {
		t.Helper()
		if got := c.picked()[c.node(3)]; got != 1 {
			t.Fatalf("chosen %d times, want one probe", got)
		}
	}
	t.Run("that succeeds", func(t *testing.T) {
		c := eject(t)
		probe(t, c)
		c.calls(3, "s")
		if len(c.away()) != 0 || len(c.pool.View().Outages) != 0 {
			t.Errorf("away are %v", c.away())
		}
	})
	t.Run("that fails: away for twice as long", func(t *testing.T) {
		c := eject(t)
		probe(t, c)
		c.calls(3, "f")
		c.wait(58 * time.Second)
		if got := c.picked()[c.node(3)]; got != 0 {
			t.Errorf("chosen %d times", got)
		}
		c.wait(9 * time.Second)
		probe(t, c)
	})
	t.Run("that never ends: another after five seconds", func(t *testing.T) {
		c := eject(t)
		probe(t, c)
		c.wait(4 * time.Second)
		if got := c.picked()[c.node(3)]; got != 0 {
			t.Errorf("chosen %d times meanwhile", got)
		}
		c.wait(2 * time.Second)
		probe(t, c)
	})
	t.Run("that could not be sent: another after a second", func(t *testing.T) {
		c := eject(t)
		probe(t, c)
		c.node(3).Unsent(c.now)
		if got := c.picked()[c.node(3)]; got != 0 {
			t.Errorf("chosen %d times at once", got)
		}
		c.wait(1100 * time.Millisecond)
		probe(t, c)
		c.calls(3, "s")
		if len(c.away()) != 0 {
			t.Errorf("away are %v", c.away())
		}
	})
	t.Run("and not a call from before", func(t *testing.T) {
		c := newCourt(t, 10, balancer.OutlierDetection{})
		early := c.node(3).Start(c.now)
		c.calls(3, "fffff")
		c.wait(35 * time.Second)
		probe(t, c)
		early.Done(c.now, balancer.Success)
		c.pool.Review(c.now)
		if len(c.away()) != 1 {
			t.Errorf("away are %v", c.away())
		}
	})
	t.Run("says nothing if it is neutral", func(t *testing.T) {
		c := eject(t)
		probe(t, c)
		c.calls(3, "n")
		if len(c.away()) != 1 {
			t.Errorf("away are %v", c.away())
		}
	})
}

// The times of ejections grow, up to a bound, and one is forgiven after each
// interval that went well.
func TestEjectionTimes(t *testing.T) {
	c := newCourt(t, 10, balancer.OutlierDetection{BaseEjectionTime: 10 * time.Second, MaxEjectionTime: 25 * time.Second})
	lasts := func() time.Duration {
		t.Helper()
		if len(c.pool.View().Outages) != 1 {
			t.Fatalf("outages: %+v", c.pool.View().Outages)
		}
		o := c.pool.View().Outages[0]
		return o.Until - c.now
	}
	within := func(got, base time.Duration) {
		t.Helper()
		if got < base-time.Second || got > base+base/10 {
			t.Errorf("lasts %v, want %v and at most a tenth more", got, base)
		}
	}
	back := func() {
		c.wait(30 * time.Second)
		c.picked()
		c.calls(3, "s")
	}
	c.calls(3, "fffff")
	within(lasts(), 10*time.Second)
	c.wait(12 * time.Second)
	c.picked()
	c.calls(3, "f")
	within(lasts(), 20*time.Second)
	c.wait(23 * time.Second)
	c.picked()
	c.calls(3, "f")
	within(lasts(), 25*time.Second)

	back()
	c.wait(10 * time.Second) // one of three is forgiven
	c.wait(10 * time.Second) // two
	c.calls(3, "fffff")
	within(lasts(), 20*time.Second)
}

// Attempts to connect to one that refuses are doubled in distance, up to four
// seconds.
func TestRefusalsAreProbedLessAndLess(t *testing.T) {
	c := newCourt(t, 3, balancer.OutlierDetection{})
	c.calls(0, "r")
	for _, after := range []time.Duration{1, 2, 4, 4, 4} {
		c.wait(after*time.Second - 100*time.Millisecond)
		if got := c.picked()[c.node(0)]; got != 0 {
			t.Fatalf("chosen %d times before %d s", got, after)
		}
		c.wait(200 * time.Millisecond)
		if got := c.picked()[c.node(0)]; got != 1 {
			t.Fatalf("chosen %d times after %d s", got, after)
		}
		c.calls(0, "r")
	}
	c.wait(31 * time.Second)
	c.picked()
	c.calls(0, "s")
	if len(c.away()) != 0 {
		t.Errorf("away are %v", c.away())
	}
}

// A call whose first attempt was the probe of one instance is not that of the
// next, else it could be lost while most are well.
func TestRetriesAreNoProbes(t *testing.T) {
	c := newCourt(t, 5, balancer.OutlierDetection{})
	c.calls(0, "r")
	c.calls(1, "r")
	c.wait(2 * time.Second)
	picker := c.pool.View().Picker(discovery.HTTP)
	first := picker.Pick(balancer.Request{Now: c.now})
	if !slices.Contains([]*balancer.Node{c.node(0), c.node(1)}, first) {
		t.Fatalf("the first call goes to %s, which waits for no probe", first.ID())
	}
	bits := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		n := picker.Pick(balancer.Request{Now: c.now, Rand: bits.Uint64(), Retry: true})
		if n == c.node(0) || n == c.node(1) {
			t.Fatalf("a retry goes to %s, which is passed over", n.ID())
		}
	}
}

// Where fewer than half are well, ejections do not count. Who cannot be reached
// is passed over all the same, unless nobody can be.
func TestPanic(t *testing.T) {
	for _, tt := range []struct {
		name      string
		threshold float64
		results   string // of each node
		away      []int
		mode      balancer.Mode
	}{
		{"half are well", 0, "eess", []int{0, 1}, balancer.Normal},
		{"fewer are", 0, "eees", nil, balancer.Panic},
		{"nobody is", 0, "eeee", nil, balancer.Panic},
		{"never while anybody is", -1, "eees", []int{0, 1, 2}, balancer.Normal},
		{"but then", -1, "eeee", nil, balancer.Panic},
		{"a threshold of one", 1, "sses", nil, balancer.Panic},
		{"refusals count as unwell, and are passed over", 0, "erees", []int{1}, balancer.Panic},
		{"half refuse", 0, "rrss", []int{0, 1}, balancer.Normal},
		{"all but one refuse", 0, "rrrs", []int{0, 1, 2}, balancer.Normal},
		{"all refuse", 0, "rrrr", nil, balancer.Panic},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCourt(t, len(tt.results), balancer.OutlierDetection{MaxEjectionPercent: 100})
			if _, err := c.pool.Balance(balancer.Balancing{
				OutlierDetection: balancer.OutlierDetection{MaxEjectionPercent: 100}, PanicThreshold: tt.threshold,
			}, c.now); err != nil {
				t.Fatal(err)
			}
			for i, letter := range tt.results {
				c.calls(i, map[rune]string{'e': "fffff", 's': "s", 'r': "r"}[letter])
			}
			if got := c.away(); !slices.Equal(got, tt.away) {
				t.Errorf("away are %v, want %v", got, tt.away)
			}
			if got := c.pool.View().Choice(discovery.HTTP).Mode(); got != tt.mode {
				t.Errorf("mode is %v, want %v", got, tt.mode)
			}
			if c.pick(rand.Uint64()) == nil {
				t.Error("nobody was chosen")
			}
		})
	}
}

// The rates that are looked at once in an interval: calls of six nodes, and who
// is ejected for them.
func TestRatesEject(t *testing.T) {
	n := strings.Repeat
	many := balancer.OutlierDetection{ConsecutiveFailures: -1, MaxEjectionPercent: 100}
	with := func(change func(*balancer.OutlierDetection)) balancer.OutlierDetection {
		o := many
		change(&o)
		return o
	}
	success := with(func(o *balancer.OutlierDetection) { o.SuccessRate = balancer.SuccessRateEjection{On: true} })
	failure := with(func(o *balancer.OutlierDetection) { o.FailurePercentage = balancer.FailurePercentageEjection{On: true} })
	slow := with(func(o *balancer.OutlierDetection) {
		o.SlowCalls = balancer.SlowCallEjection{On: true, Duration: time.Second / 2, RequestVolume: 10}
	})
	good, half, bad := n("s", 100), n("sf", 50), n("f", 90)+n("s", 10)
	for _, tt := range []struct {
		name   string
		config balancer.OutlierDetection
		calls  []string
		away   []int
		reason balancer.Reason
	}{
		{"far below the mean", success, []string{good, good, good, good, good, half}, []int{5}, balancer.LowSuccessRate},
		{"all alike", success, []string{half, half, half, half, half, half}, nil, 0},
		{"too few instances with enough calls", success, []string{good, good, good, half, "s", "s"}, nil, 0},
		{"too few calls at that one", success, []string{good, good, good, good, good, n("f", 99)}, nil, 0},
		{"not within a higher factor", with(func(o *balancer.OutlierDetection) {
			o.SuccessRate = balancer.SuccessRateEjection{On: true, StdevFactor: 3000}
		}), []string{good, good, good, good, good, half}, nil, 0},
		{"more than 85 of 100 fail", failure, []string{good, good, good, good, half, bad}, []int{5}, balancer.HighFailurePercentage},
		{"85 of 100 are not more", failure, []string{good, good, good, good, half, n("f", 85) + n("s", 15)}, nil, 0},
		{"refusals are no failures", failure, []string{good, good, good, good, half, n("o", 90) + n("s", 10)}, nil, 0},
		{"slow ones", slow, []string{good, good, good, good, n("s", 10), n("l", 10)}, []int{5}, balancer.SlowCalls},
		{"some slow calls are none", slow, []string{good, good, good, good, n("s", 10), n("l", 8) + "ss"}, nil, 0},
		{"nothing is counted by default", many, []string{good, good, good, good, good, bad}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCourt(t, len(tt.calls), tt.config)
			for i, results := range tt.calls {
				for _, letter := range results { // no review until all are made
					d := time.Millisecond
					if letter == 'l' {
						d = time.Second
					}
					c.node(i).Start(c.now-d).Done(c.now, map[rune]balancer.Result{'s': balancer.Success, 'l': balancer.Success, 'f': balancer.Failure, 'o': balancer.Refused}[letter])
				}
			}
			c.wait(10 * time.Second)
			if got := c.away(); !slices.Equal(got, tt.away) {
				t.Fatalf("away are %v, want %v", got, tt.away)
			}
			if tt.away != nil && c.pool.View().Outages[0].Reason != tt.reason {
				t.Errorf("outages: %+v", c.pool.View().Outages)
			}
			for reason, count := range c.pool.View().Ejections.All() {
				if want := int64(len(tt.away)); (reason == tt.reason) != (count == want && want > 0) {
					t.Errorf("%v counts %d", reason, count)
				}
			}
		})
	}
}

// A change of settings forgets nobody, save that off is off.
func TestBalanceKeepsWhoIsEjected(t *testing.T) {
	c := newCourt(t, 10, balancer.OutlierDetection{})
	c.calls(3, "fffff")
	set := func(o balancer.OutlierDetection) {
		t.Helper()
		if _, err := c.pool.Balance(balancer.Balancing{OutlierDetection: o, Policy: balancer.RoundRobin{}}, c.now); err != nil {
			t.Fatal(err)
		}
	}
	set(balancer.OutlierDetection{Interval: time.Second})
	if got := c.away(); !slices.Equal(got, []int{3}) {
		t.Errorf("away are %v", got)
	}
	set(balancer.OutlierDetection{Off: true})
	if got := c.away(); got != nil {
		t.Errorf("away are %v although nobody is to be", got)
	}
	set(balancer.OutlierDetection{})
	c.calls(3, "fffff")
	if got := c.away(); !slices.Equal(got, []int{3}) {
		t.Errorf("away are %v once it is on again", got)
	}
	_, err := c.pool.Balance(balancer.Balancing{OutlierDetection: balancer.OutlierDetection{MaxEjectionPercent: 101}}, c.now)
	if field, ok := errors.AsType[*discovery.FieldError](err); !ok || field.Field != "OutlierDetection.MaxEjectionPercent" {
		t.Errorf("error is %v", err)
	}
}

// Whatever happens: somebody can be chosen, no more are ejected than allowed,
// and the view says who.
func TestEligibilityHolds(t *testing.T) {
	bits := rand.New(rand.NewPCG(9, 9))
	for round := range 30 {
		size, steady := 1+bits.IntN(25), round%2 == 0
		c := newCourt(t, size, balancer.OutlierDetection{
			SuccessRate: balancer.SuccessRateEjection{On: bits.IntN(2) == 0, RequestVolume: 1, MinimumHosts: 1},
			Interval:    time.Duration(1+bits.IntN(20)) * time.Second,
		})
		for range 300 {
			letters := "sssssfffrtn"
			if n := len(c.pool.View().Nodes); n > 0 {
				c.calls(bits.IntN(n), strings.Repeat(string(letters[bits.IntN(len(letters))]), 1+bits.IntN(6)))
			}
			c.wait(time.Duration(bits.IntN(5000)) * time.Millisecond)
			if !steady && bits.IntN(10) == 0 {
				size = 1 + bits.IntN(25)
				c.pool.Update(fixture.Snapshot("orders", size), c.now)
			}
			view := c.pool.View()
			choice := view.Choice(discovery.HTTP)
			ejected := 0
			for _, o := range view.Outages {
				if o.Reason != balancer.ConnectionRefused && o.Reason != balancer.TLS {
					ejected++
				}
				if !slices.Contains(view.Nodes, o.Node) {
					t.Fatal("an outage of nobody")
				}
			}
			// When instances leave, or come back, those ejected may be more.
			if steady && ejected > max(1, size/10) || len(choice.Eligible) == 0 || choice.Well != size-len(view.Outages) {
				t.Fatalf("%d of %d ejected, %d eligible, %d well, %d outages", ejected, size, len(choice.Eligible), choice.Well, len(view.Outages))
			}
			if n := c.pick(bits.Uint64()); !slices.Contains(view.Nodes, n) {
				t.Fatal("a stranger was chosen")
			}
		}
	}
}

// Run reviews as soon as calls show something, and by itself where time is to
// tell.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := balancing(t, balancer.Balancing{})
		pool.Update(fixture.Snapshot("orders", 3), balancer.Now())
		ctx := t.Context()
		go pool.Run(ctx, nil)
		n := pool.View().Nodes[0]
		n.Start(balancer.Now()).Done(balancer.Now(), balancer.Unreachable)
		time.Sleep(100 * time.Millisecond)
		if got := len(pool.View().Eligible(discovery.HTTP)); got != 2 {
			t.Errorf("%d are eligible after a refusal", got)
		}
		time.Sleep(2 * time.Second)
		if o := pool.View().Outages; len(o) != 1 || !o[0].Probing {
			t.Errorf("no probe is wanted: %+v", o)
		}
	})
}

func BenchmarkDoneOfAFailure(b *testing.B) {
	pool := newPool(b, nil)
	pool.Update(fixture.Snapshot("orders", 10), start)
	n := pool.View().Nodes[0]
	b.ReportAllocs()
	for b.Loop() {
		n.Start(start).Done(start, balancer.Failure)
	}
}

// Who fails active checks is passed over, in any number, until it passes them.
// Then it is back at once, also from an ejection; and a probe by a call does not
// take back whom checks still find unwell.
func TestChecksSayWhoIsWell(t *testing.T) {
	c := newCourt(t, 4, balancer.OutlierDetection{})
	judge := func(i int, well bool) { c.pool.Judge(c.node(i), well, c.now) }
	want := func(what string, away ...int) {
		t.Helper()
		if got := c.away(); !slices.Equal(got, away) {
			t.Errorf("%s: away are %v, want %v", what, got, away)
		}
	}
	judge(0, false)
	judge(1, false)
	want("two fail", 0, 1)
	if o := c.pool.View().Outages[0]; o.Reason != balancer.FailedHealthCheck || o.Probing {
		t.Errorf("outage is %+v", o)
	}
	c.wait(time.Hour)
	want("time alone takes nobody back", 0, 1)
	if got := c.picked()[c.node(0)]; got != 0 {
		t.Errorf("%d calls were probes", got)
	}
	judge(1, true)
	want("one passes", 0)
	c.calls(2, "fffff")
	want("another is ejected beside", 0, 2)
	judge(2, true)
	want("and passes", 0)
	judge(3, false)
	judge(2, false)
	want("fewer than half are well: panic")
	if mode := c.pool.View().Choice(discovery.HTTP).Mode(); mode != balancer.Panic {
		t.Errorf("mode is %v", mode)
	}

	c = newCourt(t, 4, balancer.OutlierDetection{})
	c.calls(0, "r")
	judge(0, false)
	c.wait(2 * time.Second)
	c.picked()
	c.calls(0, "s")
	want("a call succeeds where checks fail", 0)
	judge(0, true)
	want("until they pass")
	c.calls(0, "fffff")
	if _, err := c.pool.Balance(balancer.Balancing{OutlierDetection: balancer.OutlierDetection{Off: true}}, c.now); err != nil {
		t.Fatal(err)
	}
	want("detection is off")
	judge(0, false)
	want("checks are not", 0)
}

// Once nobody is probed any more, nobody is passed over for probes: neither who
// is there nor who comes back. Ejections stay.
func TestAcquit(t *testing.T) {
	c := newCourt(t, 10, balancer.OutlierDetection{})
	for _, i := range []int{1, 2, 3} {
		c.pool.Judge(c.node(i), false, c.now)
	}
	c.calls(4, "fffff")
	c.wait(time.Second)
	snapshot := c.pool.View().Snapshot
	three := snapshot.Instances[3]
	without := snapshot
	without.Instances = slices.DeleteFunc(slices.Clone(snapshot.Instances), func(i *discovery.Instance) bool { return i == three })
	c.pool.Update(without, c.now)
	if got := c.away(); !slices.Equal(got, []int{1, 2, 3}) { // the last is the one that calls ejected
		t.Fatalf("away are %v", got)
	}
	view := c.pool.Acquit(c.now)
	if c.pool.Acquit(c.now) != view {
		t.Error("a view is published although nothing has changed")
	}
	c.pool.Update(snapshot, c.now)
	if got := c.away(); !slices.Equal(got, []int{4}) {
		t.Errorf("away are %v, want whom calls ejected", got)
	}
	for _, n := range c.pool.View().Nodes {
		if n.Unwell() {
			t.Errorf("%s is still unwell", n.ID())
		}
	}
}
